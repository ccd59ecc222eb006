/* SPDX-License-Identifier: MIT */
/* What guests and defects enter the hypervisor for. */
#ifndef HYPERVISOR_EXIT_H
#define HYPERVISOR_EXIT_H

#include "hv.h"

/**
 * trap.S: a trap out of guest vCPU @v. Returns @v when it goes on, NULL when it must leave the
 * hart. sepc, sstatus and hstatus are still in the hart's registers.
 */
struct vcpu *vcpu_exit(struct vcpu *v);

/** trap.S: a trap out of the hypervisor: an expected one from a probe, or the end. */
void host_trap(void);

/** trap.S: guest vCPU @v cannot go on as it is; its general registers are saved. Returns the vCPU
 * that runs next. @v is NULL when the hart comes to its first. */
struct vcpu *vcpu_left(struct vcpu *v);

/** Read the instruction at sepc through the guest's own tables; false when it cannot be fetched. */
bool guest_fetch(struct vcpu *v, uint32_t *insn);

/**
 * Stop the guest of @v for something it did: one line says what (@what), at which guest-physical
 * address (NEVER: none), and where it was. Sets v->park.
 */
void guest_misbehaved(struct vcpu *v, const char *what, uint64_t gpa);

#endif
