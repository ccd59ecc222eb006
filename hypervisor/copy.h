/* SPDX-License-Identifier: MIT */
/*
 * Xisthmus in software: each ig.* operation on the same descriptors, with the same checks in the
 * same order, for guests of a machine without the instructions (and, where the device tree asks for
 * it, beside them for comparison). Guests reach it through isthmus_sbi.h.
 *
 * Revocation: a copy first counts itself in window.users and then looks at ctl; whoever closes a
 * window first changes ctl and then waits until users is 0. A copy is a bounded piece, so the wait
 * is short and never on a guest.
 */
#ifndef HYPERVISOR_COPY_H
#define HYPERVISOR_COPY_H

#include "hv.h"

/** The host's side: ig.alloc, whose result is the handle, and ig.free less its wait. */
uint32_t copy_alloc(struct hv *hv, unsigned index);
void copy_free(struct hv *hv, unsigned index);

/** Wait until nobody works on the window in software who saw an earlier state of its descriptor. */
void copy_wait(const struct window *win);

/** A local fault, for the caller to raise in the guest. */
struct copy_fault {
    uint64_t cause; /* an exception code; 0: none */
    uint64_t va;
    uint64_t gpa; /* for a guest-page fault */
};

/** ig.put (@put) and ig.get of the running vCPU, of its user mode when @user. */
int64_t copy_transfer(struct vcpu *v, bool put, bool user, uint64_t remote, uint64_t local,
                      uint64_t xfer, struct copy_fault *fault);

/** The other instructions, arguments and result as theirs. */
int64_t copy_ring(struct vcpu *v, bool user, uint64_t remote, uint32_t handle);
int64_t copy_store(struct vcpu *v, uint64_t base, uint64_t len, uint64_t handle_flags);
int64_t copy_drop(struct vcpu *v, uint32_t handle);
int64_t copy_bind(struct vcpu *v, uint32_t handle, uint64_t bind);
uint64_t copy_query(struct vcpu *v, bool user, uint64_t index, uint64_t field);

/** Bring the owner's pages of [@remote, @remote + @len) in, for its peer or itself. */
int64_t copy_make_resident(struct vcpu *v, uint32_t handle, uint64_t remote, uint64_t len);

#endif
