/* SPDX-License-Identifier: MIT */
/*
 * Bare-metal program that executes every F and D instruction in every rounding mode on random and
 * corner operands, and prints what came out as lines of fp_model.py's format: instruction,
 * rounding mode, three operands, result, flags. Run on another emulator it makes vectors for
 * test_fp; run on two, equal output says that they agree.
 *
 * Starts in M-mode at 0x80000000; ends through the test finisher.
 */
#include <stddef.h>
#include <stdint.h>

#ifndef FP_GUEST_ROUNDS
#define FP_GUEST_ROUNDS 60
#endif

typedef uint64_t u64;

#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x100000)

void start(void);
void run(void);

__asm__(".section .text.start, \"ax\"\n"
        ".globl start\n"
        "start:\n"
        ".option push\n.option norelax\n"
        "la sp, stack_top\n"
        ".option pop\n"
        "li t0, 0x6000\n" /* mstatus.FS = Dirty */
        "csrs mstatus, t0\n"
        "j run\n"
        ".bss\n.balign 16\n.skip 4096\n"
        "stack_top:\n.text\n");

/* One function an instruction and rounding mode: operands and result are register contents. */
typedef u64 (*stub)(u64 a, u64 b, u64 c);

#define STUB(name, text)                                                                           \
    static u64 name(u64 a, u64 b, u64 c)                                                           \
    {                                                                                              \
        u64 r;                                                                                     \
        __asm__ volatile("fmv.d.x ft0, %1\n fmv.d.x ft1, %2\n fmv.d.x ft2, %3\n" text              \
                         : "=r"(r)                                                                 \
                         : "r"(a), "r"(b), "r"(c)                                                  \
                         : "ft0", "ft1", "ft2", "ft3");                                            \
        return r;                                                                                  \
    }
#define TO_F "\n fmv.x.d %0, ft3"

/* id, assembly name, operands: before a rounding mode, and what follows it. */
#define ROUNDED(X)                                                                                 \
    X(fadd_s, "fadd.s ft3, ft0, ft1", TO_F)                                                        \
    X(fadd_d, "fadd.d ft3, ft0, ft1", TO_F) X(fsub_s, "fsub.s ft3, ft0, ft1", TO_F) X(             \
        fsub_d, "fsub.d ft3, ft0, ft1", TO_F) X(fmul_s, "fmul.s ft3, ft0, ft1", TO_F)              \
        X(fmul_d, "fmul.d ft3, ft0, ft1", TO_F) X(fdiv_s, "fdiv.s ft3, ft0, ft1", TO_F) X(         \
            fdiv_d, "fdiv.d ft3, ft0, ft1", TO_F) X(fsqrt_s, "fsqrt.s ft3, ft0", TO_F)             \
            X(fsqrt_d, "fsqrt.d ft3, ft0", TO_F) X(fmadd_s, "fmadd.s ft3, ft0, ft1, ft2", TO_F) X( \
                fmadd_d, "fmadd.d ft3, ft0, ft1, ft2",                                             \
                TO_F) X(fmsub_s, "fmsub.s ft3, ft0, ft1, ft2",                                     \
                        TO_F) X(fmsub_d, "fmsub.d ft3, ft0, ft1, ft2",                             \
                                TO_F) X(fnmsub_s, "fnmsub.s ft3, ft0, ft1, ft2",                   \
                                        TO_F) X(fnmsub_d, "fnmsub.d ft3, ft0, ft1, ft2", TO_F)     \
                X(fnmadd_s, "fnmadd.s ft3, ft0, ft1, ft2",                                         \
                  TO_F) X(fnmadd_d, "fnmadd.d ft3, ft0, ft1, ft2", TO_F)                           \
                    X(fcvt_w_s, "fcvt.w.s %0, ft0", "") X(fcvt_w_d, "fcvt.w.d %0, ft0", "") X(     \
                        fcvt_wu_s, "fcvt.wu.s %0, ft0", "") X(fcvt_wu_d, "fcvt.wu.d %0, ft0", "")  \
                        X(fcvt_l_s, "fcvt.l.s %0, ft0", "") X(fcvt_l_d, "fcvt.l.d %0, ft0", "")    \
                            X(fcvt_lu_s, "fcvt.lu.s %0, ft0", "")                                  \
                                X(fcvt_lu_d, "fcvt.lu.d %0, ft0", "")                              \
                                    X(fcvt_s_w, "fcvt.s.w ft3, %1", TO_F)                          \
                                        X(fcvt_s_wu, "fcvt.s.wu ft3, %1", TO_F)                    \
                                            X(fcvt_s_l, "fcvt.s.l ft3, %1", TO_F)                  \
                                                X(fcvt_d_l, "fcvt.d.l ft3, %1", TO_F)              \
                                                    X(fcvt_s_lu, "fcvt.s.lu ft3, %1", TO_F)        \
                                                        X(fcvt_d_lu, "fcvt.d.lu ft3, %1", TO_F)    \
                                                            X(fcvt_s_d, "fcvt.s.d ft3, ft0", TO_F)
#define UNROUNDED(X)                                                                               \
    X(fcvt_d_s, "fcvt.d.s ft3, ft0", TO_F)                                                         \
    X(fcvt_d_w, "fcvt.d.w ft3, %1", TO_F) X(fcvt_d_wu, "fcvt.d.wu ft3, %1", TO_F) X(               \
        fsgnj_s, "fsgnj.s ft3, ft0, ft1", TO_F) X(fsgnj_d, "fsgnj.d ft3, ft0, ft1", TO_F)          \
        X(fsgnjn_s, "fsgnjn.s ft3, ft0, ft1", TO_F) X(fsgnjn_d, "fsgnjn.d ft3, ft0, ft1", TO_F) X( \
            fsgnjx_s, "fsgnjx.s ft3, ft0, ft1", TO_F) X(fsgnjx_d, "fsgnjx.d ft3, ft0, ft1", TO_F)  \
            X(fmin_s, "fmin.s ft3, ft0, ft1", TO_F) X(fmin_d, "fmin.d ft3, ft0, ft1", TO_F)        \
                X(fmax_s, "fmax.s ft3, ft0, ft1", TO_F) X(fmax_d, "fmax.d ft3, ft0, ft1", TO_F)    \
                    X(feq_s, "feq.s %0, ft0, ft1", "") X(feq_d, "feq.d %0, ft0, ft1", "")          \
                        X(flt_s, "flt.s %0, ft0, ft1", "") X(flt_d, "flt.d %0, ft0, ft1", "")      \
                            X(fle_s, "fle.s %0, ft0, ft1", "") X(fle_d, "fle.d %0, ft0, ft1", "")  \
                                X(fclass_s, "fclass.s %0, ft0", "")                                \
                                    X(fclass_d, "fclass.d %0, ft0", "")                            \
                                        X(fmv_x_w, "fmv.x.w %0, ft0", "")                          \
                                            X(fmv_w_x, "fmv.w.x ft3, %1", TO_F)

#define ROUNDED_STUBS(id, text, after)                                                             \
    STUB(id##_0, text ", rne" after)                                                               \
    STUB(id##_1, text ", rtz" after)                                                               \
    STUB(id##_2, text ", rdn" after)                                                               \
    STUB(id##_3, text ", rup" after)                                                               \
    STUB(id##_4, text ", rmm" after)                                                               \
    STUB(id##_dyn, text ", dyn" after)
#define UNROUNDED_STUB(id, text, after) STUB(id##_0, text after)
ROUNDED(ROUNDED_STUBS)
UNROUNDED(UNROUNDED_STUB)

static const struct {
    const char *name;
    stub fixed[5], dynamic; /* by rounding mode; and by frm */
} instructions[] = {
#define ROUNDED_ROW(id, text, after) {#id, {id##_0, id##_1, id##_2, id##_3, id##_4}, id##_dyn},
#define UNROUNDED_ROW(id, text, after) {#id, {id##_0}, NULL},
    ROUNDED(ROUNDED_ROW) UNROUNDED(UNROUNDED_ROW)};

static void put(char c)
{
    *UART = (uint8_t)c;
}

static void put_text(const char *s)
{
    while (*s)
        put(*s++);
}

static void put_hex(u64 v)
{
    int shift = 60;

    while (shift && !(v >> shift & 15))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put("0123456789abcdef"[v >> shift & 15]);
}

static u64 random_state = 88172645463325252;
static u64 random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A pattern with exp_bits and frac_bits that is likely to be a corner of something. */
static u64 pattern(unsigned exp_bits, unsigned frac_bits)
{
    u64 r = random64(), v = random64(), one = (1ul << (exp_bits - 1)) - 1;
    u64 frac = v & ((1ul << frac_bits) - 1), sign = (v >> 63) << (exp_bits + frac_bits);
    u64 inf = ((1ul << exp_bits) - 1) << frac_bits;
    unsigned kind = r & 7, n = r >> 8 & 255;

    switch (kind) {
    case 0: {
        const u64 corners[] = {0,
                               1,
                               inf,
                               inf | 1,
                               inf - 1,
                               inf | 1ul << (frac_bits - 1),
                               one << frac_bits,
                               1ul << frac_bits};
        return sign | corners[n & 7];
    }
    case 1: /* subnormal */
        return sign | frac >> n % frac_bits;
    case 2: /* anything */
        return sign | (v >> 8 & inf) | frac;
    case 3: /* few bits, for ties */
        frac &= ~((1ul << (frac_bits - n % 10)) - 1);
        return sign | (one + (r >> 16) % 7 - 3) << frac_bits | frac | (r >> 40 & 1);
    case 4: /* the size of integers */
        return sign | (one + 20 + n % 46) << frac_bits | frac;
    case 5: /* nearly subnormal, or half way to it */
        return sign | (1 + n % 70) << frac_bits | frac;
    case 6: /* next to one */
        return sign | ((one << frac_bits) + (r >> 16) % 32 - 16);
    default:
        return sign | (one + n % 60 - 30) << frac_bits | frac;
    }
}

static u64 operand(unsigned index)
{
    u64 r = random64();

    if (index && !(r & 7)) /* an integer */
        return random64() >> (r >> 8 & 63);
    if (r & 16) {
        u64 single = pattern(8, 23);
        return r >> 5 & 31 ? single | UINT64_C(0xffffffff00000000) : single;
    }
    return pattern(11, 52);
}

/* Operands of the format that the instruction reads, mostly. */
static u64 operand_for(const char *name)
{
    u64 r = random64();
    char source = 0;

    while (*name)
        source = *name++;
    if (source == 's')
        return pattern(8, 23) | (r & 31 ? UINT64_C(0xffffffff00000000) : 0);
    if (source == 'd')
        return pattern(11, 52);
    return r & 1 ? random64() >> (r >> 8 & 63) : -(random64() >> (r >> 8 & 63));
}

static void vector(const char *name, stub fn, unsigned rm, unsigned frm)
{
    u64 a = operand_for(name), b = operand_for(name), c = operand_for(name), r, flags;

    if (!(random64() & 31))
        a = operand(0);
    __asm__ volatile("csrw fcsr, %0" : : "r"((u64)frm << 5));
    r = fn(a, b, c);
    __asm__ volatile("csrr %0, fflags" : "=r"(flags));
    put_text(name);
    put(' ');
    put_hex(rm);
    put(' ');
    put_hex(a);
    put(' ');
    put_hex(b);
    put(' ');
    put_hex(c);
    put(' ');
    put_hex(r);
    put(' ');
    put_hex(flags);
    put('\n');
}

void run(void)
{
    for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
        for (unsigned rm = 0; rm < 5 && instructions[i].fixed[rm]; rm++)
            for (unsigned n = 0; n < FP_GUEST_ROUNDS; n++) {
                vector(instructions[i].name, instructions[i].fixed[rm], rm, n % 8);
                if (instructions[i].dynamic)
                    vector(instructions[i].name, instructions[i].dynamic, rm, rm);
            }
    *FINISHER = 0x5555;
    for (;;)
        ;
}
