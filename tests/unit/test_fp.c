/* SPDX-License-Identifier: MIT */
/*
 * F and D, instruction by instruction: against vectors from exact rational arithmetic
 * (fp_model.py; the file is the program's argument), against the host's FPU in each of its
 * rounding modes, and the rules about FS and reserved rounding modes.
 *
 * Linked with the FP files alone: the stand-ins below record what they are asked for.
 */
#include "hart/exec/fp_exec.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { R1 = 5, R2 = 6, R3 = 7, RDEST = 8 };

struct fixture {
    struct hart hart;
    struct tlb_bank bank;
    bool illegal;
    unsigned slow_loads, slow_stores;
    uint64_t memory[2];
};

static const char *vectors_file;

static struct fixture *fixture_of(struct hart *h)
{
    return (struct fixture *)h;
}

const struct op *hart_illegal(struct hart *h, const struct op *op)
{
    fixture_of(h)->illegal = true;
    return NULL;
}

const struct op *hart_raise_fault(struct hart *h, const struct op *op, const struct mmu_fault *f,
                                  uint64_t va, bool v)
{
    fail_msg("unexpected fault");
    return NULL;
}

bool mmu_load(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t *value,
              struct mmu_fault *fault)
{
    struct fixture *fx = (struct fixture *)((char *)bank - offsetof(struct fixture, bank));

    fx->slow_loads++;
    *value = 0;
    memcpy(value, (char *)fx->memory + va % 8, size);
    return true;
}

bool mmu_store(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t value,
               struct mmu_fault *fault)
{
    struct fixture *fx = (struct fixture *)((char *)bank - offsetof(struct fixture, bank));

    fx->slow_stores++;
    memcpy((char *)fx->memory + va % 8, &value, size);
    return true;
}

/* The FP rows of the instruction table. */
struct fp_insn {
    const char *name;
    exec_fn fn;
    enum insn_format format;
};
#define KEEP_ALU(id, fmt)
#define KEEP_MUL(id, fmt)
#define KEEP_LOAD(id, fmt)
#define KEEP_STORE(id, fmt)
#define KEEP_AMO(id, fmt)
#define KEEP_FENCE(id, fmt)
#define KEEP_WINDOW(id, fmt)
#define KEEP_BRANCH(id, fmt)
#define KEEP_JUMP(id, fmt)
#define KEEP_SYSTEM(id, fmt)
#define KEEP_FPMEM(id, fmt)
#define KEEP_FP(id, fmt) {#id, exec_##id, FMT_##fmt},
static const struct fp_insn fp_insns[] = {
#define INSN(id, match, mask, format, ext, class) KEEP_##class(id, format)
#define CINSN(id, match, mask, format, ext, class, base)
#include "isa/insn.def"
};

static const struct fp_insn *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fp_insns); i++)
        if (!strcmp(fp_insns[i].name, name))
            return &fp_insns[i];
    fail_msg("no instruction %s", name);
    return NULL;
}

static const struct op *stop(struct hart *h, const struct op *op)
{
    return NULL;
}

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));

    if (!fx)
        return -1;
    fx->hart.fp_on = fx->hart.fp_dirty = true;
    fx->hart.dbank = &fx->bank;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Execute one instruction. */
static void execute(struct fixture *fx, exec_fn fn, int imm)
{
    const struct op ops[] = {
        {.fn = fn, .imm = imm, .rd = RDEST, .rs1 = R1, .rs2 = R2, .rs3 = R3},
        {.fn = stop},
    };

    fx->illegal = false;
    hart_fp_enter(&fx->hart);
    fn(&fx->hart, ops);
    hart_fp_leave(&fx->hart);
}

static bool writes_x(enum insn_format format)
{
    return format == FMT_FTOI || format == FMT_FTOX || format == FMT_FCMP;
}

static bool has_rm(enum insn_format format)
{
    return format == FMT_FR || format == FMT_FR1 || format == FMT_FR4 || format == FMT_FTOI ||
           format == FMT_ITOF;
}

/* Operands in, result and flags out. */
static void compute(struct fixture *fx, const struct fp_insn *insn, unsigned rm,
                    const uint64_t in[3], uint64_t *result, unsigned *flags)
{
    struct hart *h = &fx->hart;

    h->f[R1] = h->x[R1] = in[0];
    h->f[R2] = in[1];
    h->f[R3] = in[2];
    h->fflags = 0;
    execute(fx, insn->fn, (int)rm);
    *result = writes_x(insn->format) ? h->x[RDEST] : h->f[RDEST];
    *flags = h->fflags;
    assert_false(fx->illegal);
}

static void vectors_agree_with_exact_arithmetic(void **state)
{
    struct fixture *fx = *state;
    FILE *file = fopen(vectors_file, "r");
    char name[16];
    uint64_t in[3], want;
    unsigned rm, want_flags, n = 0, bad = 0;

    assert_non_null(file);
    while (fscanf(file, "%15s %u %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %x", name, &rm,
                  &in[0], &in[1], &in[2], &want, &want_flags) == 7) {
        const struct fp_insn *insn = find(name);

        /* The mode both from the instruction and from frm. */
        for (int dynamic = 0; dynamic < 1 + has_rm(insn->format); dynamic++) {
            uint64_t got;
            unsigned flags;

            fx->hart.frm = dynamic ? rm : 0;
            compute(fx, insn, dynamic ? FP_DYN : rm, in, &got, &flags);
            if (got != want || flags != want_flags) {
                print_error("%s rm=%u%s %016" PRIx64 " %016" PRIx64 " %016" PRIx64 ": %016" PRIx64
                            " flags %x, want %016" PRIx64 " flags %x\n",
                            name, rm, dynamic ? " (dyn)" : "", in[0], in[1], in[2], got, flags,
                            want, want_flags);
                bad++;
            }
        }
        n++;
    }
    fclose(file);
    assert_int_equal(bad, 0);
    assert_true(n > 10000);
}

/* --- against the host in its four rounding modes --- */

static uint64_t random_state = 88172645463325252;
static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t random_double(void)
{
    uint64_t r = random64(), v = random64();

    switch (r % 4) {
    case 0: /* near 1 */
        return (v & ~(UINT64_C(0x7ff) << 52)) | (UINT64_C(1023) + (r >> 8) % 64 - 32) << 52;
    case 1: /* few bits */
        return v & ~(BIT(20 + (r >> 8) % 32) - 1);
    case 2: /* next to subnormal */
        return (v & ~(UINT64_C(0x7ff) << 52)) | ((r >> 8) % 64) << 52;
    default:
        return v;
    }
}

static uint32_t random_single(void)
{
    uint64_t r = random64();
    uint32_t v = (uint32_t)random64();

    switch (r % 4) {
    case 0:
        return (v & ~(UINT32_C(0xff) << 23)) | (UINT32_C(127) + (uint32_t)((r >> 8) % 64) - 32)
                                                   << 23;
    case 1:
        return v & ~(uint32_t)(BIT(8 + (r >> 8) % 15) - 1);
    case 2:
        return (v & ~(UINT32_C(0xff) << 23)) | (uint32_t)((r >> 8) % 32) << 23;
    default:
        return v;
    }
}

static unsigned host_flags(void)
{
    int raised = fetestexcept(FE_ALL_EXCEPT);

    return (raised & FE_INVALID ? FP_NV : 0) | (raised & FE_DIVBYZERO ? FP_DZ : 0) |
           (raised & FE_OVERFLOW ? FP_OF : 0) | (raised & FE_UNDERFLOW ? FP_UF : 0) |
           (raised & FE_INEXACT ? FP_NX : 0);
}

/* What the host says about an instruction in the current mode of its FPU. fma is libm's. */
static double host_d(const char *name, volatile double a, volatile double b, volatile double c)
{
    volatile double v = strstr(name, "add_") == name + 1   ? a + b
                        : strstr(name, "sub_") == name + 1 ? a - b
                        : strstr(name, "mul_") == name + 1 ? a * b
                        : strstr(name, "div_") == name + 1 ? a / b
                        : strstr(name, "sqrt") == name + 1 ? sqrt(a)
                                                           : fma(a, b, c);
    return v;
}

static float host_s(const char *name, volatile float a, volatile float b, volatile float c)
{
    volatile float v = strstr(name, "add_") == name + 1   ? a + b
                       : strstr(name, "sub_") == name + 1 ? a - b
                       : strstr(name, "mul_") == name + 1 ? a * b
                       : strstr(name, "div_") == name + 1 ? a / b
                       : strstr(name, "sqrt") == name + 1 ? sqrtf(a)
                                                          : fmaf(a, b, c);
    return v;
}

static void host_agrees(struct fixture *fx, const char *name, bool single)
{
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    const struct fp_insn *insn = find(name);

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t in[3], got, want;
        unsigned flags, want_flags, rm = i % 4;

        for (unsigned j = 0; j < 3; j++)
            in[j] = single ? random_single() | UINT64_C(0xffffffff00000000) : random_double();
        feclearexcept(FE_ALL_EXCEPT);
        fesetround(modes[rm]);
        if (single) {
            float o[3], v;
            uint32_t b;

            for (unsigned j = 0; j < 3; j++)
                memcpy(&o[j], &in[j], sizeof(o[j]));
            v = host_s(name, o[0], o[1], o[2]);
            memcpy(&b, &v, sizeof(b));
            want = (fp_isnan_s(b) ? FP_NAN_S : b) | UINT64_C(0xffffffff00000000);
        } else {
            double o[3], v;

            memcpy(o, in, sizeof(o));
            v = host_d(name, o[0], o[1], o[2]);
            memcpy(&want, &v, sizeof(want));
            want = fp_isnan_d(want) ? FP_NAN_D : want;
        }
        want_flags = host_flags();
        fesetround(FE_TONEAREST);
        feclearexcept(FE_ALL_EXCEPT);
        compute(fx, insn, rm, in, &got, &flags);
        if (got != want || flags != want_flags)
            fail_msg("%s rm=%u %016" PRIx64 " %016" PRIx64 " %016" PRIx64 ": %016" PRIx64
                     " flags %x, host has %016" PRIx64 " flags %x",
                     name, rm, in[0], in[1], in[2], got, flags, want, want_flags);
    }
}

static void arithmetic_agrees_with_the_host_in_its_rounding_modes(void **state)
{
#if !FP_HOST_TINY_AFTER
    skip();
#endif
    static const char *const names[] = {"fadd", "fsub", "fmul", "fdiv", "fsqrt", "fmadd"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char name[16];

        /* libm's fma may detect tininess as it likes where it is not an instruction. */
        if (!strcmp(names[i], "fmadd") && !fp_host_has_fma())
            continue;
        snprintf(name, sizeof(name), "%s_s", names[i]);
        host_agrees(*state, name, true);
        snprintf(name, sizeof(name), "%s_d", names[i]);
        host_agrees(*state, name, false);
    }
}

/* --- state --- */

static void flags_accumulate_and_wait_in_the_host(void **state)
{
    struct fixture *fx = *state;
    struct hart *h = &fx->hart;
    const struct op ops[] = {
        {.fn = exec_fdiv_d, .imm = FP_DYN, .rd = RDEST, .rs1 = R1, .rs2 = R2},
        {.fn = stop},
    };
    double one = 1, three = 3, zero = 0;

    h->fflags = FP_UF;
    memcpy(&h->f[R1], &one, 8);
    memcpy(&h->f[R2], &three, 8);
    hart_fp_enter(h);
    exec_fdiv_d(h, ops);
    assert_int_equal(h->fflags, FP_UF);
    hart_fp_flags_collect(h);
    assert_int_equal(h->fflags, FP_UF | FP_NX);
    h->fflags = 0;
    hart_fp_flags_collect(h);
    assert_int_equal(h->fflags, 0);
    memcpy(&h->f[R2], &zero, 8);
    exec_fdiv_d(h, ops);
    hart_fp_leave(h);
    assert_int_equal(h->fflags, FP_DZ);
}

static void the_host_keeps_its_own_rounding_mode(void **state)
{
    volatile double one = 1, tiny = 0x1p-80, sum;

    fesetround(FE_UPWARD);
    hart_fp_enter(*state);
    sum = one + tiny;
    assert_true(sum == 1);
    hart_fp_leave(*state);
    sum = one + tiny;
    fesetround(FE_TONEAREST);
    assert_true(sum > 1);
}

static void every_instruction_is_illegal_while_fs_is_off(void **state)
{
    struct fixture *fx = *state;
    static const exec_fn memory[] = {exec_flw, exec_fld, exec_fsw, exec_fsd};

    fx->hart.fp_on = fx->hart.fp_dirty = false;
    for (size_t i = 0; i < ARRAY_SIZE(fp_insns); i++) {
        execute(fx, fp_insns[i].fn, 0);
        assert_true(fx->illegal);
    }
    for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
        execute(fx, memory[i], 0);
        assert_true(fx->illegal);
    }
    assert_int_equal(fx->slow_loads + fx->slow_stores, 0);
    assert_int_equal(fx->hart.csr.mstatus, 0);
}

static void reserved_rounding_modes_are_illegal(void **state)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < ARRAY_SIZE(fp_insns); i++) {
        if (!has_rm(fp_insns[i].format))
            continue;
        for (unsigned rm = 0; rm < 8; rm++) {
            for (unsigned frm = 0; frm < 8; frm++) {
                fx->hart.frm = (uint8_t)frm;
                fx->hart.f[RDEST] = 0x1234;
                execute(fx, fp_insns[i].fn, (int)rm);
                assert_int_equal(fx->illegal, rm == FP_DYN ? frm > FP_RMM : rm > FP_RMM);
                if (fx->illegal)
                    assert_int_equal(fx->hart.f[RDEST], 0x1234);
            }
        }
    }
}

static void writing_an_f_register_makes_fs_dirty(void **state)
{
    struct fixture *fx = *state;
    struct hart *h = &fx->hart;

    for (size_t i = 0; i < ARRAY_SIZE(fp_insns); i++) {
        if (writes_x(fp_insns[i].format))
            continue;
        for (int v = 0; v < 2; v++) {
            h->fp_dirty = false;
            h->v = v;
            h->csr.mstatus = h->csr.vsstatus = BIT(13);
            execute(fx, fp_insns[i].fn, 0);
            assert_true(h->fp_dirty);
            assert_int_equal(h->csr.mstatus, BIT(13) | BIT(14));
            assert_int_equal(h->csr.vsstatus, v ? BIT(13) | BIT(14) : BIT(13));
        }
    }
}

static void raising_a_flag_makes_fs_dirty(void **state)
{
    struct fixture *fx = *state;
    struct hart *h = &fx->hart;

    h->f[R1] = UINT64_C(0x7ff0000000000001); /* signaling, and not boxed */
    h->f[R2] = UINT64_C(0xffffffff7f800001);
    for (size_t i = 0; i < ARRAY_SIZE(fp_insns); i++) {
        h->fp_dirty = false;
        h->csr.mstatus = BIT(13);
        h->fflags = 0;
        execute(fx, fp_insns[i].fn, 0);
        if (h->fflags)
            assert_int_equal(h->csr.mstatus, BIT(13) | BIT(14));
    }
}

static void loads_box_and_stores_do_not_look(void **state)
{
    struct fixture *fx = *state;
    struct hart *h = &fx->hart;
    struct tlb_entry *e = &fx->bank.data[tlb_index(0x1000, false)];

    /* Page 0x1000 is in the TLB, and its bytes are fx->memory's. */
    e->tag = 0x1000;
    e->addend = (uintptr_t)fx->memory - 0x1000;
    e[1] = *e;                        /* for stores */
    for (unsigned off = 0; off < 8; off += 4) { /* 4: an fld that is misaligned goes the slow way */
        h->x[R1] = 0x1000 + off;
        fx->memory[0] = UINT64_C(0x7f80000100000001);
        fx->memory[1] = 0x55;
        execute(fx, exec_flw, 0);
        assert_int_equal(h->f[RDEST], UINT64_C(0xffffffff00000000) | (off ? 0x7f800001 : 1));
        assert_int_equal(fx->slow_loads, 0);
        execute(fx, exec_fld, off ? -4 : 0);
        assert_int_equal(h->f[RDEST], fx->memory[0]);
        assert_int_equal(fx->slow_loads, 0);
    }
    h->x[R1] = 0x1004;
    execute(fx, exec_fld, 0);
    assert_int_equal(h->f[RDEST], UINT64_C(0x000000557f800001));
    assert_int_equal(fx->slow_loads, 1);

    h->x[R1] = 0x1000;
    h->f[R2] = UINT64_C(0x0123456789abcdef);
    execute(fx, exec_fsd, 0);
    assert_int_equal(fx->memory[0], h->f[R2]);
    execute(fx, exec_fsw, 4);
    assert_int_equal(fx->memory[0], UINT64_C(0x89abcdef89abcdef));
    assert_int_equal(fx->slow_stores, 0);
    execute(fx, exec_fsd, 2);
    assert_int_equal(fx->slow_stores, 1);
}

static void moves_keep_bits(void **state)
{
    struct fixture *fx = *state;
    struct hart *h = &fx->hart;

    h->f[R1] = UINT64_C(0x12345678ff800001);
    execute(fx, exec_fmv_x_w, 0);
    assert_int_equal(h->x[RDEST], UINT64_C(0xffffffffff800001));
    execute(fx, exec_fmv_x_d, 0);
    assert_int_equal(h->x[RDEST], h->f[R1]);
    h->x[R1] = UINT64_C(0x123456787f800001);
    execute(fx, exec_fmv_w_x, 0);
    assert_int_equal(h->f[RDEST], UINT64_C(0xffffffff7f800001));
    execute(fx, exec_fmv_d_x, 0);
    assert_int_equal(h->f[RDEST], h->x[R1]);
}

int main(int argc, char **argv)
{
#define FP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FP_TEST(vectors_agree_with_exact_arithmetic),
        FP_TEST(arithmetic_agrees_with_the_host_in_its_rounding_modes),
        FP_TEST(flags_accumulate_and_wait_in_the_host),
        FP_TEST(the_host_keeps_its_own_rounding_mode),
        FP_TEST(every_instruction_is_illegal_while_fs_is_off),
        FP_TEST(reserved_rounding_modes_are_illegal),
        FP_TEST(writing_an_f_register_makes_fs_dirty),
        FP_TEST(raising_a_flag_makes_fs_dirty),
        FP_TEST(loads_box_and_stores_do_not_look),
        FP_TEST(moves_keep_bits),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s VECTORS\n", argv[0]);
        return 2;
    }
    vectors_file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
