/* SPDX-License-Identifier: MIT */
/* Start and end of a bare-metal bench program: hart 0 runs bare_main, the others sleep. */
    .section .text.start, "ax"
    .globl _start
_start:
    csrr t0, mhartid
    bnez t0, sleep
    la t0, unexpected
    csrw mtvec, t0
    .option push
    .option norelax
    la sp, stack_top
    .option pop
    li t0, 0x6000 /* mstatus.FS */
    csrs mstatus, t0
    la t0, bss_begin
    la t1, bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    call bare_main
    li t1, 0x5555 /* test finisher: pass */
finish:
    li t0, 0x100000
    sw t1, 0(t0)
sleep:
    wfi
    j sleep

    /* A trap that nobody asked for: mcause and mepc, then exit code 1. */
    .balign 4
    .globl unexpected
unexpected:
    .option push
    .option norelax
    la sp, stack_top
    .option pop
    la a0, message
    call print
    csrr a0, mcause
    call print_hex
    la a0, at
    call print
    csrr a0, mepc
    call print_hex
    la a0, line_end
    call print
    li t1, 0x13333
    j finish

    .section .rodata
message:
    .string "unexpected trap "
at:
    .string " at "
line_end:
    .string "\n"

    .bss
    .balign 16
    .skip 16384
stack_top:
