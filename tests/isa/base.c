/* SPDX-License-Identifier: MIT */
/* Loads, stores, control transfer, compressed forms, fences (Unprivileged: RV64I, C, Zifencei). */
#include "isa.h"

#define LOAD(op, at)                                                                               \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile(op " %0, 0(%1)" : "=r"(v_) : "r"(at) : "memory");                             \
        v_;                                                                                        \
    })
#define STORE(op, at, value) asm volatile(op " %0, 0(%1)" ::"r"((u64)(value)), "r"(at) : "memory")

static void fill(u8 *at, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = (u8)(0x81 + 0x23 * i);
}

static u64 bytes(const u8 *at, int n)
{
    u64 v = 0;
    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | at[i];
    return v;
}

static u64 sign(u64 v, int n)
{
    int shift = 64 - 8 * n;
    return (u64)((i64)(v << shift) >> shift);
}

/* Each width at each misalignment, also across a page boundary. */
TEST(loads_of_each_width_aligned_and_not)
{
    u8 *page = data_page(0);
    for (int base = 0; base < 2; base++) {
        u8 *start = page + (base ? 4096 - 8 : 0);
        fill(start, 24);
        for (int i = 0; i < 16; i++) {
            u8 *at = start + i;
            note("offset", (u64)i);
            CHECK_EQ(LOAD("lb", at), sign(bytes(at, 1), 1));
            CHECK_EQ(LOAD("lbu", at), bytes(at, 1));
            CHECK_EQ(LOAD("lh", at), sign(bytes(at, 2), 2));
            CHECK_EQ(LOAD("lhu", at), bytes(at, 2));
            CHECK_EQ(LOAD("lw", at), sign(bytes(at, 4), 4));
            CHECK_EQ(LOAD("lwu", at), bytes(at, 4));
            CHECK_EQ(LOAD("ld", at), bytes(at, 8));
        }
    }
}

TEST(stores_of_each_width_aligned_and_not)
{
    static const u64 value = 0x8796a5b4c3d2e1f0;
    u8 *page = data_page(0);
    for (int base = 0; base < 2; base++) {
        u8 *start = page + (base ? 4096 - 8 : 0);
        for (int i = 0; i < 16; i++) {
            for (int width = 1; width <= 8; width *= 2) {
                note("offset and width", (u64)(i * 256 + width));
                fill(start, 32);
                if (width == 1)
                    STORE("sb", start + i, value);
                else if (width == 2)
                    STORE("sh", start + i, value);
                else if (width == 4)
                    STORE("sw", start + i, value);
                else
                    STORE("sd", start + i, value);
                for (int b = 0; b < 32; b++) {
                    u8 old = (u8)(0x81 + 0x23 * b);
                    u8 want = b >= i && b < i + width ? (u8)(value >> 8 * (b - i)) : old;
                    CHECK_EQ(start[b], want);
                }
            }
        }
    }
}

TEST(offsets_are_signed_12_bits)
{
    u8 *middle = data_page(1);
    u64 a, b;
    asm volatile("sd %2, -2048(%3)\n\tsd %3, 2047(%3)\n\tld %0, -2048(%3)\n\tld %1, 2047(%3)"
                 : "=&r"(a), "=&r"(b)
                 : "r"(0x1234567890abcdefUL), "r"(middle)
                 : "memory");
    CHECK_EQ(a, 0x1234567890abcdef);
    CHECK_EQ(b, middle);
    CHECK_EQ(bytes(middle - 2048, 8), 0x1234567890abcdef);
}

TEST(load_to_x0_still_faults)
{
    u32 load = LD(0, A0, 0);
    i64 cause;
    try_words(&load, 1, 8, 0, &cause); /* nothing at address 8 */
    CHECK_EQ(cause, LOAD_ACCESS);
    CHECK_EQ(m_trap.tval, 8);
}

/* taken(): 1 when the branch is taken. */
#define BRANCH(op, x, y)                                                                           \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile("li %0, 1\n\t" op " %1, %2, 1f\n\tli %0, 0\n1:"                               \
                     : "=&r"(v_)                                                                   \
                     : "r"((u64)(x)), "r"((u64)(y)));                                              \
        v_;                                                                                        \
    })

TEST(branches_compare)
{
    static const u64 v[] = {0, 1, 2, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
                            0x80000000, 0xffffffff};
    int n = sizeof v / sizeof *v;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            u64 x = v[i], y = v[j];
            note("pair", (u64)(i * 16 + j));
            CHECK_EQ(BRANCH("beq", x, y), i == j);
            CHECK_EQ(BRANCH("bne", x, y), i != j);
            CHECK_EQ(BRANCH("bltu", x, y), y - x - 1 < y);
            CHECK_EQ(BRANCH("bgeu", x, y), !(y - x - 1 < y));
            u64 fx = x ^ BIT(63), fy = y ^ BIT(63);
            CHECK_EQ(BRANCH("blt", x, y), fy - fx - 1 < fy);
            CHECK_EQ(BRANCH("bge", x, y), !(fy - fx - 1 < fy));
        }
}

TEST(branch_backward_loops)
{
    u64 count = 0;
    asm volatile("li t0, 1000\n1: addi %0, %0, 3\n\taddi t0, t0, -1\n\tbnez t0, 1b"
                 : "+r"(count)::"t0");
    CHECK_EQ(count, 3000);
}

TEST(jal_and_jalr_link)
{
    u64 link, here, link2, here2, odd;
    asm volatile(".option push\n\t.option norvc\n"
                 "0: jal %0, 1f\n\tj .\n1: la %1, 0b\n\tsub %0, %0, %1\n\t.option pop"
                 : "=&r"(link), "=&r"(here));
    CHECK_EQ(link, 4);
    asm volatile(".option push\n\t.option norvc\n"
                 "la %1, 1f\n0: jalr %0, 0(%1)\n\tj .\n1: la %1, 0b\n\tsub %0, %0, %1\n\t"
                 ".option pop"
                 : "=&r"(link2), "=&r"(here2));
    CHECK_EQ(link2, 4);
    /* The target's bit 0 is cleared; rd may be rs1, which is read first. */
    asm volatile(".option push\n\t.option norvc\n"
                 "la t0, 1f\n\taddi t0, t0, -99\n0: jalr t0, 100(t0)\n\tj .\n"
                 "1: la %0, 0b\n\tsub %0, t0, %0\n\t.option pop"
                 : "=&r"(odd)::"t0");
    CHECK_EQ(odd, 4);
}

TEST(lui_and_auipc)
{
    u64 v, w, here;
    asm volatile("lui %0, 0x80000" : "=r"(v));
    CHECK_EQ(v, 0xffffffff80000000);
    asm volatile("lui %0, 0x7ffff" : "=r"(v));
    CHECK_EQ(v, 0x7ffff000);
    asm volatile("0: auipc %0, 0x80000\n\tla %1, 0b\n\tsub %0, %0, %1" : "=&r"(w), "=&r"(here));
    CHECK_EQ(w, 0xffffffff80000000);
    asm volatile("0: auipc %0, 0\n\tla %1, 0b\n\tsub %0, %0, %1" : "=&r"(w), "=&r"(here));
    CHECK_EQ(w, 0);
}

/* ---- compressed ---- */
#define C1(insn, in)                                                                               \
    ({                                                                                             \
        register u64 v_ asm("a5") = (u64)(in);                                                     \
        asm volatile(insn : "+r"(v_));                                                             \
        v_;                                                                                        \
    })
#define C2(insn, x, y)                                                                             \
    ({                                                                                             \
        register u64 v_ asm("a5") = (u64)(x);                                                      \
        register u64 w_ asm("a4") = (u64)(y);                                                      \
        asm volatile(insn : "+r"(v_) : "r"(w_));                                                   \
        v_;                                                                                        \
    })

TEST(compressed_arithmetic)
{
    CHECK_EQ(C1("c.addi a5, 31", 1), 32);
    CHECK_EQ(C1("c.addi a5, -32", 1), -31);
    CHECK_EQ(C1("c.addiw a5, 1", 0x7fffffff), 0xffffffff80000000);
    CHECK_EQ(C1("c.addiw a5, 0", 0xfffffffff), 0xffffffffffffffff);
    CHECK_EQ(C1("c.li a5, -32", 9), -32);
    CHECK_EQ(C1("c.li a5, 31", 9), 31);
    CHECK_EQ(C1("c.lui a5, 1", 9), 0x1000);
    CHECK_EQ(C1("c.lui a5, 0xfffe0", 9), 0xfffffffffffe0000);
    CHECK_EQ(C1("c.slli a5, 63", 3), BIT(63));
    CHECK_EQ(C1("c.srli a5, 63", BIT(63)), 1);
    CHECK_EQ(C1("c.srai a5, 33", BIT(63)), 0xffffffffc0000000);
    CHECK_EQ(C1("c.andi a5, -2", 0xff), 0xfe);
    CHECK_EQ(C2("c.mv a5, a4", 1, 77), 77);
    CHECK_EQ(C2("c.add a5, a4", 1, 77), 78);
    CHECK_EQ(C2("c.sub a5, a4", 1, 2), -1);
    CHECK_EQ(C2("c.xor a5, a4", 5, 3), 6);
    CHECK_EQ(C2("c.or a5, a4", 5, 3), 7);
    CHECK_EQ(C2("c.and a5, a4", 5, 3), 1);
    CHECK_EQ(C2("c.subw a5, a4", 0x80000000, 1), 0x7fffffff);
    CHECK_EQ(C2("c.addw a5, a4", 0x7fffffff, 1), 0xffffffff80000000);
    u64 v;
    asm volatile("c.addi4spn a5, sp, 1020\n\tsub %0, a5, sp" : "=r"(v)::"a5");
    CHECK_EQ(v, 1020);
    asm volatile("c.addi4spn a5, sp, 4\n\tsub %0, a5, sp" : "=r"(v)::"a5");
    CHECK_EQ(v, 4);
    asm volatile("mv t0, sp\n\tc.addi16sp sp, -512\n\tsub %0, sp, t0\n\tmv sp, t0"
                 : "=r"(v)::"t0");
    CHECK_EQ(v, -512);
    asm volatile("mv t0, sp\n\tc.addi16sp sp, 496\n\tsub %0, sp, t0\n\tmv sp, t0" : "=r"(v)::"t0");
    CHECK_EQ(v, 496);
}

TEST(compressed_loads_and_stores)
{
    u8 *page = data_page(2);
    u64 v, w;
    fill(page, 600);
    asm volatile("mv a3, %2\n\tc.lw a5, 124(a3)\n\tmv %0, a5\n\tc.ld a5, 248(a3)\n\tmv %1, a5"
                 : "=&r"(v), "=&r"(w)
                 : "r"(page)
                 : "a3", "a5", "memory");
    CHECK_EQ(v, sign(bytes(page + 124, 4), 4));
    CHECK_EQ(w, bytes(page + 248, 8));
    asm volatile("mv t0, sp\n\tmv sp, %2\n\tc.lwsp a5, 252(sp)\n\tc.ldsp a4, 504(sp)\n\t"
                 "mv sp, t0\n\tmv %0, a5\n\tmv %1, a4"
                 : "=&r"(v), "=&r"(w)
                 : "r"(page)
                 : "a4", "a5", "t0", "memory");
    CHECK_EQ(v, sign(bytes(page + 252, 4), 4));
    CHECK_EQ(w, bytes(page + 504, 8));
    u64 value = 0x1122334455667788;
    asm volatile("mv a3, %0\n\tmv a5, %1\n\tc.sw a5, 124(a3)\n\tc.sd a5, 248(a3)\n\tmv t0, sp\n\t"
                 "mv sp, a3\n\tc.swsp a5, 240(sp)\n\tc.sdsp a5, 504(sp)\n\tmv sp, t0" ::"r"(page),
                 "r"(value)
                 : "t0", "a3", "a5", "memory");
    CHECK_EQ(bytes(page + 124, 4), 0x55667788);
    CHECK_EQ(bytes(page + 248, 8), value);
    CHECK_EQ(bytes(page + 240, 4), 0x55667788);
    CHECK_EQ(bytes(page + 504, 8), 0x1122334455667788);
}

TEST(compressed_floating_loads_and_stores)
{
    u8 *page = data_page(2);
    u64 v, w;
    fill(page, 600);
    csr_set(MSTATUS, MSTATUS_FS);
    asm volatile(".option push\n\t.option arch, +d\n\tmv a3, %2\n\tc.fld fa5, 248(a3)\n\t"
                 "fmv.x.d %0, fa5\n\tmv t0, sp\n\tmv sp, a3\n\t"
                 "c.fldsp fs9, 504(sp)\n\tc.fsdsp fs9, 8(sp)\n\tmv sp, t0\n\t"
                 "c.fsd fa5, 0(a3)\n\tfmv.x.d %1, fs9\n\t.option pop"
                 : "=&r"(v), "=&r"(w)
                 : "r"(page)
                 : "t0", "a3", "memory");
    CHECK_EQ(v, bytes(page + 248, 8));
    CHECK_EQ(w, bytes(page + 504, 8));
    CHECK_EQ(bytes(page, 8), v);
    CHECK_EQ(bytes(page + 8, 8), w);
}

TEST(compressed_control_transfer)
{
    u64 v, link;
    asm volatile("li a5, 0\n\tli %0, 1\n\tc.beqz a5, 1f\n\tli %0, 0\n1:" : "=&r"(v)::"a5");
    CHECK_EQ(v, 1);
    asm volatile("li a5, 5\n\tli %0, 1\n\tc.beqz a5, 1f\n\tli %0, 0\n1:" : "=&r"(v)::"a5");
    CHECK_EQ(v, 0);
    asm volatile("li a5, 5\n\tli %0, 1\n\tc.bnez a5, 1f\n\tli %0, 0\n1:" : "=&r"(v)::"a5");
    CHECK_EQ(v, 1);
    asm volatile("li %0, 1\n\tc.j 1f\n\tli %0, 0\n1:" : "=&r"(v));
    CHECK_EQ(v, 1);
    asm volatile("la t0, 1f\n\tli %0, 1\n\tc.jr t0\n\tli %0, 0\n1:" : "=&r"(v)::"t0");
    CHECK_EQ(v, 1);
    asm volatile("la t0, 1f\n0: c.jalr t0\n\tli ra, 0\n1: la t0, 0b\n\tsub %0, ra, t0"
                 : "=&r"(link)::"t0", "ra");
    CHECK_EQ(link, 2);
}

/* ---- code that changes ---- */
TEST(fence_i_makes_stores_to_code_visible)
{
    u32 *code = (u32 *)data_page(3);
    u64 (*call)(void) = (u64(*)(void))code;
    for (u32 i = 0; i < 20; i++) {
        code[0] = I_TYPE(0x13, 0, A0, 0, i); /* li a0, i */
        code[1] = 0x00008067;                /* ret */
        asm volatile("fence.i" ::: "memory");
        CHECK_EQ(call(), i);
    }
    /* Only the second of two instructions changes, and only half of it. */
    code[1] = I_TYPE(0x13, 0, A0, A0, 5);
    code[2] = 0x00008067;
    asm volatile("fence.i" ::: "memory");
    CHECK_EQ(call(), 19 + 5);
    ((u16 *)code)[3] = 7 << 4 | A0 >> 1;
    asm volatile("fence.i" ::: "memory");
    CHECK_EQ(call(), 19 + 7);
}

TEST(instructions_may_cross_a_page)
{
    u16 *code = (u16 *)(data_page(5) - 2);
    u32 li = I_TYPE(0x13, 0, A0, 0, 77);
    code[0] = (u16)li;
    code[1] = (u16)(li >> 16);
    code[2] = 0x8082; /* ret */
    asm volatile("fence.i" ::: "memory");
    CHECK_EQ(((u64(*)(void))code)(), 77);
    li = I_TYPE(0x13, 0, A0, 0, 1077);
    code[1] = (u16)(li >> 16); /* the second page alone changes */
    asm volatile("fence.i" ::: "memory");
    CHECK_EQ(((u64(*)(void))code)(), 1077);
}

TEST(fences_and_hints_do_nothing)
{
    u64 v = 5;
    asm volatile("fence\n\tfence rw, w\n\tfence.tso\n\tfence.i\n\t"
                 ".word 0x0100000f\n\t" /* pause */
                 "li x0, 9\n\tslli x0, x0, 3\n\tc.nop\n\tc.nop 3\n\tadd x0, x0, x0\n\t"
                 ".word 0x0000000f\n\tc.li x0, 1\n\tc.lui x0, 1\n\tc.mv x0, a0\n\t"
                 "lui x0, 7\n\tauipc x0, 7\n\tmv %0, x0" : "=r"(v));
    CHECK_EQ(v, 0);
}
