/* SPDX-License-Identifier: MIT */
/*
 * Code that another hart had translated. Hart 0 makes a block hot, round for round, and hart 1,
 * which runs a loop of translations all the time, then jumps into it. The block's loads share a
 * look-up, but are a device's, so that the interpreter does the rest of it: with ops that hart 1
 * has by no other way than translated code, which ThreadSanitizer must be told of.
 */
    .equ FINISHER, 0x100000
    .equ MTIME, 0x200bff8
    .equ ROUNDS, 100
    .equ CALLS, 64
    .equ SIZE, 7 * 4

    .section .text.start, "ax"
    .globl _start
_start:
    csrr s0, mhartid
    la s1, turn
    la s2, ack
    la s3, blocks
    li s4, MTIME
    li s5, SIZE
    li s7, 1 /* the round */
    bnez s0, other

round:
    li s8, CALLS
1:  jalr s3
    addi s8, s8, -1
    bnez s8, 1b
    fence rw, rw
    sw s7, 0(s1)
2:  lw t0, 0(s2)
    bne t0, s7, 2b
    add s3, s3, s5
    addi s7, s7, 1
    li t0, ROUNDS
    bleu s7, t0, round
    li a0, 0x5555
finish:
    li t0, FINISHER
    sw a0, 0(t0)
3:  j 3b

other:
    lw t0, 0(s1)
    bne t0, s7, other
    fence rw, rw
    li a0, 0
    jalr s3
    li t0, 3
    bne a0, t0, wrong
    sw s7, 0(s2)
    add s3, s3, s5
    addi s7, s7, 1
    j other
wrong:
    li a0, 0x23333
    j finish

    .balign 4096
    .option norvc
blocks:
    .rept ROUNDS
    ld t0, 0(s4)
    ld t1, 0(s4)
    ld t2, 0(s4)
    addi a0, a0, 3
    sltu t0, t2, t0
    sub a0, a0, t0 /* time goes on */
    ret
    .endr

    .data
    .balign 64
turn:
    .word 0
    .balign 64
ack:
    .word 0
