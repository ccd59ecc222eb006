/* SPDX-License-Identifier: MIT */
/* Loads and stores, shared by the families that access memory. */
#ifndef HART_EXEC_MEMORY_H
#define HART_EXEC_MEMORY_H

#include "hart/exec/exec.h"

/* True where an explicit access of the running instruction is to a guest virtual address (V, or
 * MPRV with MPV): decides GVA. */
static inline bool memory_is_virtual(const struct hart *h)
{
    return h->dbank->ctx.mode & CTX_V;
}

/* Host memory of a guest may change under us by other harts: access it as relaxed atomics, which
 * cost nothing and make each aligned access whole (Unprivileged, "RVWMO", single-copy
 * atomicity). */
#define HOST_LOAD(type, p) __atomic_load_n((const type *)(p), __ATOMIC_RELAXED)
#define HOST_STORE(type, p, v) __atomic_store_n((type *)(p), (type)(v), __ATOMIC_RELAXED)

/* A load of `type` at va into the lvalue `into`; on a fault the trap is taken and the exec function
 * returns. */
#define LOAD(type, va, into)                                                                       \
    do {                                                                                           \
        uint64_t va_ = (va), value_;                                                               \
        const void *host_ = tlb_read(h->dbank, va_, sizeof(type));                                 \
        if (likely(host_)) {                                                                       \
            (into) = HOST_LOAD(type, host_);                                                       \
            break;                                                                                 \
        }                                                                                          \
        struct mmu_fault fault_;                                                                   \
        if (!mmu_load(&h->mmu, h->dbank, va_, sizeof(type), &value_, &fault_))                     \
            return hart_raise_fault(h, op, &fault_, va_, memory_is_virtual(h));                    \
        (into) = (type)value_;                                                                     \
    } while (0)

#define STORE(type, va, value)                                                                     \
    do {                                                                                           \
        uint64_t va_ = (va);                                                                       \
        void *host_ = tlb_write(h->dbank, va_, sizeof(type));                                      \
        if (likely(host_)) {                                                                       \
            HOST_STORE(type, host_, value);                                                        \
            break;                                                                                 \
        }                                                                                          \
        struct mmu_fault fault_;                                                                   \
        if (!mmu_store(&h->mmu, h->dbank, va_, sizeof(type), (value), &fault_))                    \
            return hart_raise_fault(h, op, &fault_, va_, memory_is_virtual(h));                    \
    } while (0)

#endif
