/* SPDX-License-Identifier: MIT */
/* Integer loads and stores (Unprivileged, "Load and Store Instructions"). Misaligned ones work. */
#include "hart/exec/memory.h"

/* The slow path stands apart, so that the fast one needs no stack frame. */
#define LOAD_OP(id, type)                                                                          \
    static __attribute__((noinline)) const struct op *id##_slow(struct hart *h,                    \
                                                                const struct op *op)               \
    {                                                                                              \
        struct mmu_fault fault;                                                                    \
        uint64_t va = RS1 + IMM, value;                                                            \
                                                                                                   \
        if (!mmu_load(&h->mmu, h->dbank, va, sizeof(type), &value, &fault))                        \
            return hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));                      \
        RD = (uint64_t)(int64_t)(type)value;                                                       \
        return op + 1;                                                                             \
    }                                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        const void *host = tlb_read(h->dbank, RS1 + IMM, sizeof(type));                            \
                                                                                                   \
        if (unlikely(!host))                                                                       \
            return id##_slow(h, op);                                                               \
        RD = (uint64_t)(int64_t)HOST_LOAD(type, host);                                             \
        NEXT;                                                                                      \
    }

#define STORE_OP(id, type)                                                                         \
    static __attribute__((noinline)) const struct op *id##_slow(struct hart *h,                    \
                                                                const struct op *op)               \
    {                                                                                              \
        struct mmu_fault fault;                                                                    \
        uint64_t va = RS1 + IMM;                                                                   \
                                                                                                   \
        if (!mmu_store(&h->mmu, h->dbank, va, sizeof(type), RS2, &fault))                          \
            return hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));                      \
        return op + 1;                                                                             \
    }                                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        void *host = tlb_write(h->dbank, RS1 + IMM, sizeof(type));                                 \
                                                                                                   \
        if (unlikely(!host))                                                                       \
            return id##_slow(h, op);                                                               \
        HOST_STORE(type, host, RS2);                                                               \
        NEXT;                                                                                      \
    }

LOAD_OP(lb, int8_t)
LOAD_OP(lh, int16_t)
LOAD_OP(lw, int32_t)
LOAD_OP(ld, int64_t)
LOAD_OP(lbu, uint8_t)
LOAD_OP(lhu, uint16_t)
LOAD_OP(lwu, uint32_t)
STORE_OP(sb, uint8_t)
STORE_OP(sh, uint16_t)
STORE_OP(sw, uint32_t)
STORE_OP(sd, uint64_t)
