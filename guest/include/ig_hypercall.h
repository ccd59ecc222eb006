/* SPDX-License-Identifier: MIT */
/*
 * The operations of ig.h through calls of the reference hypervisor (isthmus_sbi.h), for machines
 * without the instructions and for comparison; and both as tables of operations.
 */
#ifndef IG_HYPERCALL_H
#define IG_HYPERCALL_H

#include "ig.h"

/** By the instructions; pages of the owner that are not resident come in by a hypervisor call. */
extern const struct ig_ops IG_INSTRUCTIONS;

/** By hypervisor calls throughout. */
extern const struct ig_ops IG_HYPERCALLS;

/** As above on behalf of the guest's user mode. */
int64_t igh_put_as_user(uint32_t handle, uint64_t remote, const void *local, uint32_t len);

#endif
