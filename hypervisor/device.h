/* SPDX-License-Identifier: MIT */
/*
 * The devices that guests see, at the addresses of QEMU's virt board: a PLIC and a 16550. Their
 * pages are mapped nowhere, so that an access is a guest-page fault; the hypervisor looks at the
 * instruction and does what it says.
 */
#ifndef HYPERVISOR_DEVICE_H
#define HYPERVISOR_DEVICE_H

#include "hv.h"

#define DEVICE_PLIC_BASE 0x0C000000ull
#define DEVICE_PLIC_SIZE 0x00600000ull
#define DEVICE_UART_BASE 0x10000000ull
#define DEVICE_UART_SIZE 0x100ull
#define DEVICE_UART_IRQ 10

/** Whether a device is at @gpa. */
bool device_at(uint64_t gpa);

/** As after a reset. */
void device_reset(struct vm *vm);

/**
 * Do the access for which @v trapped, all of whose general registers are in v->regs. False when it
 * is none that devices know: the guest is stopped.
 */
bool device_access(struct vcpu *v);

#endif
