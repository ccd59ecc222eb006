/* SPDX-License-Identifier: MIT */
/*
 * A guest's interrupt controller: the RISC-V PLIC with 31 sources and a context a vCPU, for its
 * supervisor level (RISC-V Platform-Level Interrupt Controller Specification 1.0). All functions
 * are called with the guest's device lock held.
 */
#ifndef HYPERVISOR_PLIC_H
#define HYPERVISOR_PLIC_H

#include <stdbool.h>
#include <stdint.h>

#define PLIC_SOURCES 32 /* 0 is none */
#define PLIC_CONTEXTS 8 /* MAX_VCPUS */

struct vm;

/** Bits of the masks are sources. */
struct plic {
    uint32_t level; /* the sources' lines */
    uint32_t pending;
    uint32_t claimed; /* claimed and not completed: the gateway is shut */
    uint32_t priority[PLIC_SOURCES];
    uint32_t enable[PLIC_CONTEXTS];
    uint32_t threshold[PLIC_CONTEXTS];
    uint32_t raised; /* bits are contexts: what the vCPUs were told */
};

/** As it is after a reset. */
void plic_reset(struct vm *vm);

/** Read or write the 32-bit register at @offset. */
uint32_t plic_read(struct vm *vm, uint64_t offset);
void plic_write(struct vm *vm, uint64_t offset, uint32_t value);

/** Set the line of @source. */
void plic_set(struct vm *vm, unsigned source, bool level);

#endif
