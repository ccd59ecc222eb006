/* SPDX-License-Identifier: MIT */
/* A vCPU's VS-level state, in memory and in the hart. */
#ifndef HYPERVISOR_VCPU_H
#define HYPERVISOR_VCPU_H

#include "hv.h"

/** Make @v start at GPA @pc in VS-mode as SBI firmware would: a0 = its id, a1 = @arg, vsatp 0. */
void vcpu_reset(struct vcpu *v, uint64_t pc, uint64_t arg);

/** Store the hart's VS-level state in @v. */
void vcpu_save(struct vcpu *v);

/** Bring @v's state into @hart, and drop TLB entries that are not its own. */
void vcpu_load(struct vcpu *v, struct hart *hart);

/** When the guest's timer fires, in time units, for a vCPU whose state is saved. */
uint64_t vcpu_deadline(const struct hv *hv, const struct vcpu *v);

/** Whether a vCPU with saved state has an interrupt that ends a WFI. */
bool vcpu_has_interrupt(const struct hv *hv, const struct vcpu *v, uint64_t now);

/** Let the hart of the running vCPU @v show whether the PLIC interrupts it. */
void vcpu_show_external(const struct vcpu *v);

/** Raise an exception in the running guest, as if its own hart had taken it to VS-mode. */
void vcpu_raise(uint64_t cause, uint64_t tval);

#endif
