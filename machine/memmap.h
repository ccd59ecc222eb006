/* SPDX-License-Identifier: MIT */
/* Where things are: the map of QEMU's virt board, of what this board has of it. */
#ifndef MACHINE_MEMMAP_H
#define MACHINE_MEMMAP_H

#include <stdint.h>

#define ROM_BASE UINT64_C(0x1000)
#define ROM_SIZE UINT64_C(0xf000)
#define TEST_BASE UINT64_C(0x100000)
#define TEST_SIZE UINT64_C(0x1000)
#define RTC_BASE UINT64_C(0x101000)
#define CLINT_BASE UINT64_C(0x02000000)
#define SSWI_BASE UINT64_C(0x02f00000)
#define PLIC_BASE UINT64_C(0x0c000000)
#define APLIC_M_BASE UINT64_C(0x0c000000) /* in the PLIC's place */
#define APLIC_S_BASE UINT64_C(0x0d000000)
#define IMSIC_M_BASE UINT64_C(0x24000000)
#define IMSIC_S_BASE UINT64_C(0x28000000)
#define UART_BASE UINT64_C(0x10000000)
#define VIRTIO_BASE UINT64_C(0x10001000) /* eight slots */
#define VIRTIO_STRIDE UINT64_C(0x1000)
#define RAM_BASE UINT64_C(0x80000000)

/* Interrupt sources of the PLIC or APLIC. */
enum { VIRTIO_IRQ = 1 /* of slot 0 */, UART_IRQ = 10, RTC_IRQ = 11 };

#endif
