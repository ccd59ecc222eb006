/* SPDX-License-Identifier: MIT */
/*
 * The SBI extension of the reference hypervisor: what it offers its guests beside the standard
 * ones. docs/hypervisor.md describes each function. The number lies in the vendor range of the SBI
 * specification (0x09000000 to 0x09FFFFFF).
 *
 * The copy functions take the same arguments as the ig.* instruction of that name and return the
 * instruction's rd in sbiret.value, with sbiret.error 0. A fault on the local address is raised in
 * the caller as the instruction would raise it, with sepc at the ECALL.
 */
#ifndef ISTHMUS_SBI_H
#define ISTHMUS_SBI_H

#define ISTHMUS_EID 0x09697374

#define ISTHMUS_NULL 0     /* nothing: the cost of a world switch */
#define ISTHMUS_FEATURES 1 /* value: the bits below */
#define ISTHMUS_YIELD 2    /* let another vCPU run, if one is ready */
#define ISTHMUS_EXITS 3    /* (class): how often this vCPU entered the hypervisor */
#define ISTHMUS_RESIDENT 4 /* (handle, remote, bytes): bring the owner's pages in; a status */

#define ISTHMUS_PUT 0x10   /* (remote, local, handle << 32 | bytes) */
#define ISTHMUS_GET 0x11   /* (remote, local, handle << 32 | bytes) */
#define ISTHMUS_RING 0x12  /* (remote, handle) */
#define ISTHMUS_STORE 0x13 /* (base, bytes, handle | IGS_*) */
#define ISTHMUS_DROP 0x14  /* (handle) */
#define ISTHMUS_BIND 0x15  /* (handle, 1 or 0) */
#define ISTHMUS_QUERY 0x16 /* (index, field) */
#define ISTHMUS_FENCE 0x17 /* (handle or 0) */
/* Added to PUT, GET, RING and QUERY: the guest's kernel asks on behalf of its user mode. */
#define ISTHMUS_AS_USER 0x100

/* Bits of ISTHMUS_FEATURES. */
#define ISTHMUS_HAS_INSTRUCTIONS 1 /* the ig.* instructions work */
#define ISTHMUS_HAS_HYPERCALLS 2   /* the functions from ISTHMUS_PUT on work */

/* Classes of ISTHMUS_EXITS. */
#define ISTHMUS_EXITS_ALL 0
#define ISTHMUS_EXITS_ECALL 1
#define ISTHMUS_EXITS_TIMER 2   /* the host's time slices */
#define ISTHMUS_EXITS_IPI 3     /* the host's inter-processor interrupts */
#define ISTHMUS_EXITS_MEMORY 4  /* guest-page faults: memory brought in on demand */
#define ISTHMUS_EXITS_VIRTUAL 5 /* virtual-instruction exceptions */
#define ISTHMUS_EXITS_WFI 6     /* WFI, not among these */
#define ISTHMUS_EXITS_OTHER 7
#define ISTHMUS_EXITS_DEVICE 8 /* accesses to the UART and the PLIC */
#define ISTHMUS_EXITS_CLASSES 9

#endif
