/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks. Zeroed memory is an open lock. Whoever comes first after a release gets the lock: an
 * emulator's harts are threads that their host preempts, and a queue would wait for one that is not
 * running.
 */
#ifndef HYPERVISOR_LOCK_H
#define HYPERVISOR_LOCK_H

#include <stdint.h>

struct lock {
    uint32_t taken;
};

/** Wait for the lock. Interrupts are always off in the hypervisor. */
static inline void lock(struct lock *l)
{
    while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
            __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010"); /* pause */
}

static inline void unlock(struct lock *l)
{
    __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

#endif
