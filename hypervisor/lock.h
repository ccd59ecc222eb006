/* SPDX-License-Identifier: MIT */
/* Ticket spinlocks. Zeroed memory is an open lock. */
#ifndef HYPERVISOR_LOCK_H
#define HYPERVISOR_LOCK_H

#include <stdint.h>

struct lock {
    uint32_t next;
    uint32_t serving;
};

/** Wait one's turn. Interrupts are always off in the hypervisor, so holders are never preempted. */
static inline void lock(struct lock *l)
{
    uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
        __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010"); /* pause */
}

static inline void unlock(struct lock *l)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

#endif
