/* SPDX-License-Identifier: MIT */
/* The device tree that a guest sees. */
#ifndef HYPERVISOR_GUEST_DT_H
#define HYPERVISOR_GUEST_DT_H

#include "hv.h"

#define GUEST_DT_SIZE 65536

/**
 * Write the guest's device tree into @buf of GUEST_DT_SIZE bytes: its memory, vCPUs, bootargs,
 * initrd at GPA @initrd (0: none), windows and shared regions. Returns its size, 0 if it is too
 * big.
 */
size_t guest_dt_write(const struct vm *vm, uint64_t initrd, void *buf);

#endif
