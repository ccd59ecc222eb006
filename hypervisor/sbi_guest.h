/* SPDX-License-Identifier: MIT */
/*
 * The SBI that guests see (SBI specification 2.0): base, TIME, IPI, RFENCE, HSM, SRST, DBCN, the
 * legacy extensions, and this hypervisor's own (isthmus_sbi.h).
 */
#ifndef HYPERVISOR_SBI_GUEST_H
#define HYPERVISOR_SBI_GUEST_H

#include "hv.h"
#include "sbi.h"

/* In sbiret.error: an exception was raised in the guest instead; leave its registers alone. */
#define SBI_RAISED INT64_MIN

/** Serve an ECALL of the running vCPU. False when it must leave its hart (park says how). */
bool sbi_guest_call(struct vcpu *v);

/** The functions of isthmus_sbi.h; a result goes to @ret. False as above. */
bool sbi_isthmus(struct vcpu *v, struct sbiret *ret);

#endif
