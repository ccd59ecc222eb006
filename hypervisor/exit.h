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

/**
 * Stop the guest of @v for something it did: one line says what (@what), at which guest-physical
 * address (NEVER: none), and where it was. Sets v->park.
 */
void guest_misbehaved(struct vcpu *v, const char *what, uint64_t gpa);

#endif
