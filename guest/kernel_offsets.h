/* SPDX-License-Identifier: MIT */
/* Offsets that start.S uses; kernel.h checks them. */
#ifndef GUEST_KERNEL_OFFSETS_H
#define GUEST_KERNEL_OFFSETS_H

#define CPU_STACK_TOP 0
#define CPU_KERNEL_SP 8
#define CPU_USER_SP 16

#define FRAME_REG(n) (8 * (n))
#define FRAME_SEPC 256
#define FRAME_SSTATUS 264
#define FRAME_SIZE 272

#endif
