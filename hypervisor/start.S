/* SPDX-License-Identifier: MIT */
/*
 * Entry from the firmware. The first hart arrives at _start with a0 = hartid and a1 = device tree;
 * the header before its code makes the flat binary a Linux "Image" for loaders that look for one.
 * Other harts arrive at secondary_start by SBI HSM with a1 = their struct hart; or at _start as
 * well: OpenSBI up to 1.2 tells a hart to start before it tells it where.
 */
#include "asm_offsets.h"
#include "csr.h"

    .section .text.start, "ax"
    .globl _start
_start:
    j boot
    .balign 8
    .dword 0x200000                     /* text_offset */
    .dword image_end - image_start      /* image_size */
    .dword 0                            /* flags: little-endian */
    .word 2                             /* version 0.2 */
    .word 0
    .dword 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .word 0

boot:
    la t0, boot_taken
    li t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez t1, another
    csrw CSR_SIE, zero
    csrw CSR_SATP, zero
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la sp, boot_stack_top
    csrw CSR_SSCRATCH, zero
    la t0, trap_entry
    csrw CSR_STVEC, t0
    li tp, 0
    call hv_main
    j .

/* Not the first: only the hart that is being started may come. */
another:
    la t0, hart_starting
1:  ld a1, (t0)
    beqz a1, 1b
    fence
    ld t1, HART_ID(a1)
    bne t1, a0, 1b
    /* fall through */

    .globl secondary_start
secondary_start:
    csrw CSR_SIE, zero
    csrw CSR_SATP, zero
    csrw CSR_SSCRATCH, zero
    la t0, trap_entry
    csrw CSR_STVEC, t0
    mv tp, a1
    ld sp, HART_STACK_TOP(tp)
    mv a0, tp
    call hart_main
    j .

/* Not in .bss, which the first hart clears. */
    .section .data
    .balign 8
    .globl hart_starting
hart_starting:
    .dword 0
boot_taken:
    .word 0
