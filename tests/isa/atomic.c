/* SPDX-License-Identifier: MIT */
/* The A extension: AMOs, load-reserved and store-conditional (Unprivileged, "A"). */
#include "isa.h"

#define AMO(op, at, value)                                                                         \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile(op " %0, %1, (%2)" : "=&r"(v_) : "r"((u64)(value)), "r"(at) : "memory");      \
        v_;                                                                                        \
    })

static const u64 values[] = {0, 1, 5, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                             0x8000000000000000, 0xffffffffffffffff, 0x123456789abcdef0,
                             0xffffffff80000000, 0xfedcba9812345678};
#define VALUES (int)(sizeof values / sizeof *values)

static i64 w(u64 x)
{
    return (i32)x;
}

static u64 min_s(u64 a, u64 b)
{
    return (i64)a < (i64)b ? a : b;
}

static u64 max_s(u64 a, u64 b)
{
    return (i64)a > (i64)b ? a : b;
}

static u64 min_u(u64 a, u64 b)
{
    return a < b ? a : b;
}

static u64 max_u(u64 a, u64 b)
{
    return a > b ? a : b;
}

/* Runs one AMO over all pairs: rd is the old value, sign-extended; the neighbours stay. */
#define CASE(name, op, w_result, d_result)                                                         \
    TEST(name)                                                                                     \
    {                                                                                              \
        u64 *at = (u64 *)data_page(0);                                                             \
        for (int i = 0; i < VALUES; i++)                                                           \
            for (int j = 0; j < VALUES; j++) {                                                     \
                u64 a = values[i], b = values[j];                                                  \
                note("pair", (u64)(i * 16 + j));                                                   \
                at[0] = at[2] = 0x5555555555555555;                                                \
                at[1] = a;                                                                         \
                CHECK_EQ(AMO(op ".d", &at[1], b), a);                                              \
                CHECK_EQ(at[1], d_result);                                                         \
                at[1] = a;                                                                         \
                CHECK_EQ(AMO(op ".d.aqrl", &at[1], b), a);                                         \
                CHECK_EQ(at[1], d_result);                                                         \
                at[1] = a;                                                                         \
                CHECK_EQ(AMO(op ".w", &at[1], b), w(a));                                           \
                CHECK_EQ(at[1], (a & ~0xffffffffUL) | (u32)(w_result));                            \
                at[1] = a;                                                                         \
                a = a >> 32;                                                                       \
                CHECK_EQ(AMO(op ".w.rl", (u8 *)&at[1] + 4, b), w(a));                              \
                CHECK_EQ((u32)(at[1] >> 32), (u32)(w_result));                                     \
                CHECK_EQ((u32)at[1], (u32)values[i]);                                              \
                CHECK_EQ(at[0] & at[2], 0x5555555555555555);                                       \
            }                                                                                      \
    }

CASE(amoswap, "amoswap", b, b)
CASE(amoadd, "amoadd", a + b, a + b)
CASE(amoxor, "amoxor", a ^ b, a ^ b)
CASE(amoand, "amoand", a & b, a & b)
CASE(amoor, "amoor", a | b, a | b)
CASE(amomin, "amomin", min_s((u64)w(a), (u64)w(b)), min_s(a, b))
CASE(amomax, "amomax", max_s((u64)w(a), (u64)w(b)), max_s(a, b))
CASE(amominu, "amominu", min_u((u32)a, (u32)b), min_u(a, b))
CASE(amomaxu, "amomaxu", max_u((u32)a, (u32)b), max_u(a, b))

TEST(amo_with_rd_equal_to_a_source)
{
    u64 *at = (u64 *)data_page(0);
    at[0] = 100;
    register u64 v asm("a0") = 7;
    asm volatile("amoadd.d a0, a0, (%1)" : "+r"(v) : "r"(at) : "memory");
    CHECK_EQ(v, 100);
    CHECK_EQ(at[0], 107);
    register u64 *p asm("a1") = at;
    asm volatile("amoadd.d a1, %1, (a1)" : "+r"(p) : "r"(1UL) : "memory");
    CHECK_EQ(p, 107);
    CHECK_EQ(at[0], 108);
    asm volatile("amoadd.d x0, %0, (%1)" ::"r"(1UL), "r"(at) : "memory");
    CHECK_EQ(at[0], 109);
}

static u64 lr_sc(u64 *lr_at, u64 *sc_at, u64 value, u64 *old)
{
    u64 fail;
    asm volatile("lr.d %1, (%2)\n\tsc.d %0, %3, (%4)"
                 : "=&r"(fail), "=&r"(*old)
                 : "r"(lr_at), "r"(value), "r"(sc_at)
                 : "memory");
    return fail;
}

TEST(sc_after_lr_of_the_same_address_succeeds)
{
    u64 *at = (u64 *)data_page(0), old;
    at[0] = 11;
    CHECK_EQ(lr_sc(at, at, 22, &old), 0);
    CHECK_EQ(old, 11);
    CHECK_EQ(at[0], 22);
}

TEST(sc_without_reservation_fails)
{
    u64 *at = (u64 *)data_page(0), old, fail;
    at[0] = 11;
    CHECK_EQ(lr_sc(at, at, 22, &old), 0);
    asm volatile("sc.d %0, %1, (%2)" : "=&r"(fail) : "r"(33UL), "r"(at) : "memory");
    CHECK(fail != 0); /* the first SC used the reservation up */
    CHECK_EQ(at[0], 22);
}

TEST(sc_to_another_address_fails_and_clears)
{
    u64 *at = (u64 *)data_page(0), old, fail;
    at[0] = 1;
    at[256] = 2;
    CHECK(lr_sc(at, at + 256, 33, &old) != 0);
    CHECK_EQ(at[256], 2);
    asm volatile("sc.d %0, %1, (%2)" : "=&r"(fail) : "r"(44UL), "r"(at) : "memory");
    CHECK(fail != 0);
    CHECK_EQ(at[0], 1);
}

TEST(lr_sc_word_sign_extends_and_leaves_the_neighbour)
{
    u64 *at = (u64 *)data_page(0), old, fail;
    at[0] = 0x11223344aabbccdd;
    asm volatile("lr.w.aq %1, (%2)\n\tsc.w.rl %0, %3, (%2)"
                 : "=&r"(fail), "=&r"(old)
                 : "r"(at), "r"(0x5555555501020304UL)
                 : "memory");
    CHECK_EQ(fail, 0);
    CHECK_EQ(old, 0xffffffffaabbccdd);
    CHECK_EQ(at[0], 0x1122334401020304);
}

TEST(sc_fails_after_a_store_to_the_reserved_bytes_of_another_value)
{
    u64 *at = (u64 *)data_page(0), fail;
    at[0] = 5;
    asm volatile("lr.d t0, (%1)\n\tsd %2, 0(%1)\n\tsc.d %0, %3, (%1)"
                 : "=&r"(fail)
                 : "r"(at), "r"(6UL), "r"(7UL)
                 : "t0", "memory");
    /* A store by this hart need not break its own reservation: either way memory agrees. */
    CHECK_EQ(at[0], fail ? 6 : 7);
}

TEST_QEMU_DEVIATES(misaligned_atomics_raise_an_exception, "reports AMOs as loads")
{
    u64 at = (u64)data_page(0);
    i64 cause;
    for (u64 by = 1; by < 8; by++) {
        u32 amo = AMOADD_D(A0, A1, A0), lr = LR_D(A0, A0);
        note("offset", by);
        try_words(&amo, 1, at + by, 1, &cause);
        CHECK(cause == STORE_MISALIGNED || cause == STORE_ACCESS);
        CHECK_EQ(m_trap.tval, at + by);
        try_words(&lr, 1, at + by, 1, &cause);
        CHECK(cause == LOAD_MISALIGNED || cause == LOAD_ACCESS);
        CHECK_EQ(m_trap.tval, at + by);
    }
    CHECK_EQ(*(u64 *)at, 0);
}

/* AMOs report store faults even where the load alone would have failed. */
TEST_QEMU_DEVIATES(amo_to_nowhere_is_a_store_fault, "reports AMOs as loads")
{
    u32 amo = AMOADD_D(A0, A1, A0), lr = LR_D(A0, A0);
    i64 cause;
    try_words(&amo, 1, 8, 1, &cause);
    CHECK_EQ(cause, STORE_ACCESS);
    CHECK_EQ(m_trap.tval, 8);
    try_words(&lr, 1, 8, 1, &cause);
    CHECK_EQ(cause, LOAD_ACCESS);
}
