/* SPDX-License-Identifier: MIT */
/* Offsets that the assembly files use; hv.h checks them against the structures. */
#ifndef HYPERVISOR_ASM_OFFSETS_H
#define HYPERVISOR_ASM_OFFSETS_H

#define VCPU_REGS 0
#define VCPU_HART 256
#define HART_CURRENT 0
#define HART_STACK_TOP 8
#define HART_ID 24

#endif
