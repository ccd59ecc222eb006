/* SPDX-License-Identifier: MIT */
/* Calls to the machine's own SBI firmware. */
#ifndef HYPERVISOR_FIRMWARE_H
#define HYPERVISOR_FIRMWARE_H

#include "hv.h"

/** Write a character to the firmware's console. */
void firmware_putchar(char c);

/** Start the hart with @hartid at @entry (physical), a1 = @arg. Returns 0 or an SBI error. */
int64_t firmware_start_hart(uint64_t hartid, uint64_t entry, uint64_t arg);

/** Raise a supervisor software interrupt on @hart. */
void firmware_send_ipi(const struct hart *hart);

/** Program the supervisor timer interrupt of the calling hart for @time. */
void firmware_set_timer(uint64_t time);

/**
 * Drop VS-stage translations on the harts of @harts (bits are indices into hv->harts): those of the
 * calling hart's current VMID in [@start, @start + @size), of @asid or, when it is negative, of
 * all.
 */
void firmware_hfence_vvma(struct hv *hv, uint64_t harts, uint64_t start, uint64_t size,
                          int64_t asid);

/** Drop G-stage translations of @vmid on all harts. */
void firmware_hfence_gvma(struct hv *hv, uint64_t vmid);

/** FENCE.I on the harts of @harts. */
void firmware_fence_i(struct hv *hv, uint64_t harts);

/** Power the machine off; @failed sets its exit status. Does not return. */
_Noreturn void firmware_power_off(bool failed);

#endif
