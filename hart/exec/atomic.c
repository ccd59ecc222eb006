/* SPDX-License-Identifier: MIT */
/*
 * A, Zabha and Zacas: LR/SC and AMOs (Unprivileged, "A" Extension), as host atomics on main
 * memory. All are
 * sequentially consistent whatever aq and rl say. SC is a compare-and-swap of the reserved datum
 * with the value that LR read: it may succeed where the value was changed and changed back, which
 * no program that keeps to LR/SC or AMO can tell from success before the change.
 * A misaligned one raises an address-misaligned exception; outside main memory, an access fault.
 */
#include "hart/exec/memory.h"

/* The host address of the datum, or NULL with the exception taken. */
static void *datum(struct hart *h, const struct op *op, unsigned size, enum mmu_access access)
{
    uint64_t va = RS1;
    void *host = access == MMU_LOAD ? tlb_read(h->dbank, va, size) : tlb_write(h->dbank, va, size);
    struct mmu_fault fault;

    if (likely(host))
        return host;
    if (va & (size - 1)) {
        struct mmu_fault misaligned = {
            .cause = access == MMU_LOAD ? EXC_LOAD_MISALIGNED : EXC_STORE_MISALIGNED, .va = va};
        hart_raise_fault(h, op, &misaligned, va, memory_is_virtual(h));
        return NULL;
    }
    host = mmu_atomic(&h->mmu, h->dbank, va, size, access, &fault);
    if (!host)
        hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));
    return host;
}

#define LR(id, type, stype)                                                                        \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type *p = datum(h, op, sizeof(type), MMU_LOAD);                                            \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            return NULL;                                                                           \
        h->reserved = (uint8_t *)p;                                                                \
        h->reserved_size = sizeof(type);                                                           \
        h->reserved_value = __atomic_load_n(p, __ATOMIC_SEQ_CST);                                  \
        RD = (uint64_t)(int64_t)(stype)h->reserved_value;                                          \
        NEXT;                                                                                      \
    }

#define SC(id, type)                                                                               \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type *p = datum(h, op, sizeof(type), MMU_STORE), expected = (type)h->reserved_value;       \
        bool ok;                                                                                   \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            return NULL;                                                                           \
        ok = h->reserved == (uint8_t *)p && h->reserved_size == sizeof(type) &&                    \
             __atomic_compare_exchange_n(p, &expected, (type)RS2, false, __ATOMIC_SEQ_CST,         \
                                         __ATOMIC_SEQ_CST);                                        \
        h->reserved = NULL;                                                                        \
        RD = !ok;                                                                                  \
        NEXT;                                                                                      \
    }

#define AMO(id, type, stype, old)                                                                  \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type *p = datum(h, op, sizeof(type), MMU_STORE);                                           \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            return NULL;                                                                           \
        RD = (uint64_t)(int64_t)(stype)(old);                                                      \
        NEXT;                                                                                      \
    }

/* min and max: compare-and-swap until nobody interfered. */
#define SELECT(name, type, better)                                                                 \
    static type name(type *p, type operand)                                                        \
    {                                                                                              \
        type seen = __atomic_load_n(p, __ATOMIC_RELAXED);                                          \
                                                                                                   \
        while (!__atomic_compare_exchange_n(p, &seen, seen better operand ? seen : operand, false, \
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))                   \
            ;                                                                                      \
        return seen;                                                                               \
    }
SELECT(min32, int32_t, <)
SELECT(max32, int32_t, >)
SELECT(minu32, uint32_t, <)
SELECT(maxu32, uint32_t, >)
SELECT(min64, int64_t, <)
SELECT(max64, int64_t, >)
SELECT(minu64, uint64_t, <)
SELECT(maxu64, uint64_t, >)

SELECT(min8, int8_t, <)
SELECT(max8, int8_t, >)
SELECT(minu8, uint8_t, <)
SELECT(maxu8, uint8_t, >)
SELECT(min16, int16_t, <)
SELECT(max16, int16_t, >)
SELECT(minu16, uint16_t, <)
SELECT(maxu16, uint16_t, >)

#define FAMILY(s, type, stype, n)                                                                  \
    AMO(amoswap_##s, type, stype, __atomic_exchange_n(p, (type)RS2, __ATOMIC_SEQ_CST))             \
    AMO(amoadd_##s, type, stype, __atomic_fetch_add(p, (type)RS2, __ATOMIC_SEQ_CST))               \
    AMO(amoxor_##s, type, stype, __atomic_fetch_xor(p, (type)RS2, __ATOMIC_SEQ_CST))               \
    AMO(amoand_##s, type, stype, __atomic_fetch_and(p, (type)RS2, __ATOMIC_SEQ_CST))               \
    AMO(amoor_##s, type, stype, __atomic_fetch_or(p, (type)RS2, __ATOMIC_SEQ_CST))                 \
    AMO(amomin_##s, type, stype, min##n((stype *)p, (stype)RS2))                                   \
    AMO(amomax_##s, type, stype, max##n((stype *)p, (stype)RS2))                                   \
    AMO(amominu_##s, type, stype, minu##n(p, (type)RS2))                                           \
    AMO(amomaxu_##s, type, stype, maxu##n(p, (type)RS2))

LR(lr_w, uint32_t, int32_t)
LR(lr_d, uint64_t, int64_t)
SC(sc_w, uint32_t)
SC(sc_d, uint64_t)
FAMILY(w, uint32_t, int32_t, 32)
FAMILY(d, uint64_t, int64_t, 64)
FAMILY(b, uint8_t, int8_t, 8)   /* Zabha */
FAMILY(h, uint16_t, int16_t, 16)

/* Zacas: rd has what is expected, and gets what was there. x0 reads as zero and stays it. */
#define AMOCAS(id, type, stype)                                                                    \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type *p = datum(h, op, sizeof(type), MMU_STORE);                                           \
        type seen = op->rd == REG_SINK ? 0 : (type)RD;                                             \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            return NULL;                                                                           \
        __atomic_compare_exchange_n(p, &seen, (type)RS2, false, __ATOMIC_SEQ_CST,                  \
                                    __ATOMIC_SEQ_CST);                                             \
        RD = (uint64_t)(int64_t)(stype)seen;                                                       \
        return op + 1;                                                                             \
    }

AMOCAS(amocas_w, uint32_t, int32_t)
AMOCAS(amocas_d, uint64_t, int64_t)
AMOCAS(amocas_b, uint8_t, int8_t)
AMOCAS(amocas_h, uint16_t, int16_t)

typedef unsigned __int128 u128;

/* A compare-and-swap of 16 bytes; what was there. On x86-64 compilers do not take it for granted,
 * and would call a library that there may not be. */
static u128 swap_pair(u128 *p, u128 expected, u128 value)
{
#ifdef __x86_64__
    uint64_t low = (uint64_t)expected, high = (uint64_t)(expected >> 64);

    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(*p), "+a"(low), "+d"(high)
                     : "b"((uint64_t)value), "c"((uint64_t)(value >> 64))
                     : "cc", "memory");
    return (u128)high << 64 | low;
#else
    return __sync_val_compare_and_swap(p, expected, value);
#endif
}

static u128 pair(const struct hart *h, unsigned r)
{
    return r == 0 || r == REG_SINK ? 0 : (u128)h->x[r + 1] << 64 | h->x[r];
}

/* Register pairs, each named by its even register; a pair of x0 is zero and not written. */
EXEC(amocas_q)
{
    u128 *p = datum(h, op, sizeof(u128), MMU_STORE), seen;

    if (unlikely(!p))
        return NULL;
    seen = swap_pair(p, pair(h, op->rd), pair(h, op->rs2));
    if (op->rd != REG_SINK) {
        h->x[op->rd] = (uint64_t)seen;
        h->x[op->rd + 1] = (uint64_t)(seen >> 64);
    }
    NEXT;
}
