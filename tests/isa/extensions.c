/* SPDX-License-Identifier: MIT */
/* Zicond, Zacas, Zabha, Zawrs, Zicbom, Zicboz (Unprivileged; "CMO Extensions"). */
#include "isa.h"

#define MENVCFG 0x30a
enum { CBIE = 3 << 4, CBCFE = 1 << 6, CBZE = 1 << 7, BLOCK = 64 };

static const u64 values[] = {0,
                             1,
                             0x7f,
                             0x80,
                             0xff,
                             0x7fff,
                             0x8000,
                             0xffff,
                             0x80000000,
                             0x123456789abcdef0,
                             0xffffffffffffffff,
                             0x8000000000000000};
#define VALUES (int)(sizeof values / sizeof *values)

/* ---- Zicond ---- */

#define CZERO(funct3, a, condition)                                                                \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile(".insn r 0x33, " #funct3 ", 7, %0, %1, %2"                                    \
                     : "=r"(v_)                                                                    \
                     : "r"((u64)(a)), "r"((u64)(condition)));                                      \
        v_;                                                                                        \
    })

TEST(czero)
{
    for (int i = 0; i < VALUES; i++)
        for (int j = 0; j < VALUES; j++) {
            CHECK_EQ(CZERO(5, values[i], values[j]), values[j] == 0 ? 0 : values[i]);
            CHECK_EQ(CZERO(7, values[i], values[j]), values[j] != 0 ? 0 : values[i]);
        }
}

/* ---- Zabha: funct5 of each AMO; results against C on the same widths ---- */

#define AMO(funct5, width, at, value)                                                              \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile(".insn r 0x2f, " #width ", " #funct5 " << 2, %0, %1, %2"                      \
                     : "=&r"(v_)                                                                   \
                     : "r"(at), "r"((u64)(value))                                                  \
                     : "memory");                                                                  \
        v_;                                                                                        \
    })

#define NARROW(name, funct5, stype, utype, width, result)                                          \
    TEST(name)                                                                                     \
    {                                                                                              \
        utype *at = (utype *)data_page(0) + 5;                                                     \
        for (int i = 0; i < VALUES; i++)                                                           \
            for (int j = 0; j < VALUES; j++) {                                                     \
                utype a = (utype)values[i], b = (utype)values[j];                                  \
                stype sa = (stype)a, sb = (stype)b;                                                \
                (void)sa, (void)sb;                                                                \
                at[-1] = at[1] = (utype)0x5a5a;                                                    \
                at[0] = a;                                                                         \
                CHECK_EQ(AMO(funct5, width, at, values[j]), (u64)(i64)sa);                         \
                CHECK_EQ(at[0], (utype)(result));                                                  \
                CHECK_EQ(at[-1], (utype)0x5a5a);                                                   \
                CHECK_EQ(at[1], (utype)0x5a5a);                                                    \
            }                                                                                      \
    }
#define NARROWS(op, funct5, result)                                                                \
    NARROW(op##_b, funct5, signed char, unsigned char, 0, result)                                  \
    NARROW(op##_h, funct5, short, unsigned short, 1, result)

NARROWS(amoswap, 1, b)
NARROWS(amoadd, 0, a + b)
NARROWS(amoxor, 4, a ^ b)
NARROWS(amoand, 12, a &b)
NARROWS(amoor, 8, a | b)
NARROWS(amomin, 16, sa < sb ? sa : sb)
NARROWS(amomax, 20, sa > sb ? sa : sb)
NARROWS(amominu, 24, a < b ? a : b)
NARROWS(amomaxu, 28, a > b ? a : b)

TEST(amoadd_h_misaligned_faults)
{
    u64 at = (u64)data_page(0) + 1;

    CHECK_EQ(run_insn(M, R_TYPE(0x2f, 1, 0, A0, A0, A1), at, 1), STORE_MISALIGNED);
    CHECK_EQ(m_trap.tval, at);
}

/* ---- Zacas ---- */

#define CAS(width, at, expected, value)                                                            \
    ({                                                                                             \
        u64 v_ = (expected);                                                                       \
        asm volatile(".insn r 0x2f, " #width ", 5 << 2, %0, %1, %2"                                \
                     : "+&r"(v_)                                                                   \
                     : "r"(at), "r"((u64)(value))                                                  \
                     : "memory");                                                                  \
        v_;                                                                                        \
    })

#define CAS_CASE(name, stype, utype, width)                                                        \
    TEST(name)                                                                                     \
    {                                                                                              \
        utype *at = (utype *)data_page(0) + 3;                                                     \
        for (int i = 0; i < VALUES; i++)                                                           \
            for (int j = 0; j < VALUES; j++) {                                                     \
                utype a = (utype)values[i], want = (utype)values[j] == a ? 0x77 : a;               \
                at[0] = a;                                                                         \
                CHECK_EQ(CAS(width, at, values[j], 0x77), (u64)(i64)(stype)a);                     \
                CHECK_EQ(at[0], want);                                                             \
            }                                                                                      \
    }
CAS_CASE(amocas_b, signed char, unsigned char, 0)
CAS_CASE(amocas_h, short, unsigned short, 1)
CAS_CASE(amocas_w, i32, u32, 2)
CAS_CASE(amocas_d, i64, u64, 3)

static void cas_pair(u64 *at, u64 *expected, const u64 *value)
{
    register u64 lo asm("a0") = expected[0], hi asm("a1") = expected[1];
    register u64 new_lo asm("a2") = value[0], new_hi asm("a3") = value[1];

    asm volatile(".insn r 0x2f, 4, 5 << 2, a0, %2, a2"
                 : "+r"(lo), "+r"(hi)
                 : "r"(at), "r"(new_lo), "r"(new_hi)
                 : "memory");
    expected[0] = lo;
    expected[1] = hi;
}

TEST(amocas_q)
{
    u64 *at = (u64 *)data_page(0);
    u64 expected[2] = {1, 2};
    const u64 value[2] = {3, 4};

    at[0] = 1;
    at[1] = 5;
    cas_pair(at, expected, value);
    CHECK_EQ(expected[0], 1);
    CHECK_EQ(expected[1], 5);
    CHECK_EQ(at[0], 1);
    CHECK_EQ(at[1], 5);
    cas_pair(at, expected, value);
    CHECK_EQ(expected[0], 1);
    CHECK_EQ(expected[1], 5);
    CHECK_EQ(at[0], 3);
    CHECK_EQ(at[1], 4);
}

TEST(amocas_q_needs_even_registers)
{
    u64 at = (u64)data_page(0);

    CHECK_EQ(run_insn(M, R_TYPE(0x2f, 4, 5 << 2, A1, A0, 12), at, 0), ILLEGAL);
    CHECK_EQ(run_insn(M, R_TYPE(0x2f, 4, 5 << 2, 12, A0, A1), at, 0), ILLEGAL);
}

/* ---- Zicbom, Zicboz, Zawrs ---- */

#define CBO_INSN(number) I_TYPE(0x0f, 2, 0, A0, number)
#define CBO(number, at) asm volatile(".insn i 0x0f, 2, x0, %0, " #number ::"r"(at) : "memory")

TEST(cbo_zero_clears_its_block)
{
    unsigned char *page = (unsigned char *)data_page(0);

    for (int i = 0; i < 4 * BLOCK; i++)
        page[i] = 0xee;
    CBO(4, page + BLOCK + 13);
    for (int i = 0; i < 4 * BLOCK; i++)
        CHECK_EQ(page[i], i / BLOCK == 1 ? 0 : 0xee);
}

TEST(cbo_management_keeps_memory)
{
    u64 *page = (u64 *)data_page(0);

    page[0] = 42;
    CBO(0, page);
    CBO(1, page);
    CBO(2, page);
    CHECK_EQ(page[0], 42);
}

TEST(cbo_zero_of_a_device_faults)
{
    CHECK_EQ(run_insn(M, CBO_INSN(4), 0x10000005, 0), STORE_ACCESS);
    CHECK_EQ(m_trap.tval, 0x10000005);
}

/* What each level gets with the fields of menvcfg, henvcfg and senvcfg on or off. */
static void check_permission(u32 insn, u64 field)
{
    static const enum level levels[] = {M, S, U, VS, VU};
    u64 at = (u64)data_page(0);

    for (int bits = 0; bits < 8; bits++) {
        int m = bits & 1, h = bits >> 1 & 1, s = bits >> 2 & 1;
        for (int i = 0; i < 5; i++) {
            enum level level = levels[i];
            int user = level == U || level == VU, v = level >= VU;
            u64 want = ecall_of(level);

            if (level != M && (!m || (level == U && !s)))
                want = ILLEGAL;
            else if (v && (!h || (user && !s)))
                want = VIRTUAL;
            csr_write(MENVCFG, m ? field : 0);
            csr_write(HENVCFG, h ? field : 0);
            csr_write(SENVCFG, s ? field : 0);
            note("bits and level", (u64)(bits << 4 | level));
            CHECK_EQ(run_insn(level, insn, at, 0), want);
            if (want == ILLEGAL || want == VIRTUAL)
                CHECK_EQ(m_trap.tval, insn);
        }
    }
}

TEST(cbo_inval_needs_cbie)
{
    check_permission(CBO_INSN(0), 1 << 4);
    check_permission(CBO_INSN(0), CBIE);
}

TEST(cbo_clean_and_flush_need_cbcfe)
{
    check_permission(CBO_INSN(1), CBCFE);
    check_permission(CBO_INSN(2), CBCFE);
}

TEST(cbo_zero_needs_cbze)
{
    check_permission(CBO_INSN(4), CBZE);
}

/* A page that S may only read: managing it is allowed, clearing it is not; of a page that is not
 * there both are store faults. */
TEST(cbo_faults_are_those_of_stores)
{
    u64 *root = table_new(0), va = 0x40000000000 >> 5;

    map_image(root, SV39);
    map(root, SV39, va, (u64)data_page(0), 0, PTE_V | PTE_R | PTE_A);
    csr_write(MENVCFG, CBIE | CBCFE | CBZE);
    csr_write(SATP, atp_value(root, SV39, 0));
    fence_all();
    CHECK_EQ(run_insn(S, CBO_INSN(1), va + 70, 0), ecall_of(S));
    CHECK_EQ(run_insn(S, CBO_INSN(4), va + 70, 0), STORE_PAGE);
    CHECK_EQ(m_trap.tval, va + 70);
    CHECK_EQ(run_insn(S, CBO_INSN(1), va + 4096 + 70, 0), STORE_PAGE);
    CHECK_EQ(m_trap.tval, va + 4096 + 70);
}

TEST(menvcfg_has_the_cbo_fields)
{
    csr_write(MENVCFG, CBIE | CBCFE | CBZE);
    CHECK_EQ(csr_read(MENVCFG) & 0xff, CBIE | CBCFE | CBZE);
    csr_write(MENVCFG, 2 << 4); /* reserved: it stays */
    CHECK_EQ(csr_read(MENVCFG) & CBIE, CBIE);
    csr_write(MENVCFG, 0);
}

/* The transformed instruction has the operation and funct3, and no register (CMO, "Hypervisor
 * Extension"); the block's address is not aligned for it. */
TEST(cbo_guest_page_faults_are_transformed)
{
    u64 *g = table_new(1), gpa = 0x40000000;

    for (u64 at = 0x80000000; at < 0x80400000; at += 0x200000)
        map(g, SV39, at, at, 1, PTE_LEAF | PTE_U);
    csr_write(MENVCFG, CBIE | CBCFE | CBZE);
    csr_write(HENVCFG, CBIE | CBCFE | CBZE);
    csr_write(VSATP, 0);
    csr_write(HGATP, gatp_value(g, SV39, 1));
    fence_all();
    for (int i = 0; i < 5; i++) {
        if (i == 3)
            continue;
        CHECK_EQ(run_insn(VS, CBO_INSN(i), gpa + 77, 0), STORE_GUEST_PAGE);
        CHECK_EQ(m_trap.tval, gpa + 77);
        CHECK_EQ(m_trap.tval2, (gpa + 77) >> 2);
        CHECK_EQ(m_trap.tinst, CBO_INSN(i) & ~(31u << 15));
    }
}

/* Without a reservation, and with one whose datum nobody changes. */
TEST(wrs_ends)
{
    static u32 word = 7;
    u64 begin, now;
    u32 seen;

    asm volatile(".word 0x00d00073; .word 0x01d00073");
    asm volatile("rdtime %0" : "=r"(begin));
    do {
        asm volatile("lr.w %0, (%1); .word 0x00d00073; .word 0x01d00073; "
                     ".word 0x0100000f"
                     : "=r"(seen)
                     : "r"(&word)
                     : "memory");
        CHECK_EQ(seen, 7);
        asm volatile("rdtime %0" : "=r"(now));
    } while (now - begin < 1000);
}
