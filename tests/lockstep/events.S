/* SPDX-License-Identifier: MIT */
/*
 * Interrupts that translated code raises itself, and timers, in the middle of loops: where each is
 * taken goes into a checksum. A software interrupt comes up in a store to the ACLINT, which is the
 * slow way of a store, and must be taken at the next block and no later; the code behind it is of
 * all kinds of block ends.
 */
    .equ ACLINT, 0x02000000
    .equ MTIMECMP, 0x4000
    .equ MTIME, 0xbff8
    .equ FINISHER, 0x100000
    .equ ROUNDS, 1000

    .section .text.start, "ax"
    .globl _start
_start:
    la t0, handler
    csrw mtvec, t0
    li t0, 1 << 3 | 1 << 7 /* MSIE, MTIE */
    csrw mie, t0
    li s0, 0      /* checksum */
    li s1, ROUNDS
    li s2, ACLINT
    li s3, 1
    li s4, 0      /* interrupts */
    li s5, ACLINT + MTIMECMP
    li s6, ACLINT + MTIME
    csrsi mstatus, 8 /* MIE */
round:
    /* Straight on, into a block that follows. */
    sw s3, 0(s2)
    addi a0, a0, 1
    j 1f
    addi a0, a0, 100
1:  addi a0, a0, 3
    xor a1, a1, a0
    /* A branch forward that is not taken, then one that is. */
    sw s3, 0(s2)
    addi a1, a1, 5
    bltz zero, 2f
    addi a2, a2, 7
    j 2f
2:  sw s3, 0(s2)
    beqz zero, 3f
    addi a2, a2, 9
3:  addi a3, a3, 11
    /* A call, of what does it again. */
    sw s3, 0(s2)
    addi a3, a3, 13
    jal ra, leaf
    /* A computed jump. */
    la t1, 4f
    sw s3, 0(s2)
    jr t1
4:  addi a4, a4, 17
    /* A timer that is due at once, or soon, and a tight loop till then. */
    ld t2, 0(s6)
    andi t3, s1, 7
    add t2, t2, t3
    mv s7, s4
    sd t2, 0(s5)
5:  addi a5, a5, 1
    beq s7, s4, 5b
    /* Disabled, and enabled in the middle. */
    csrci mstatus, 8
    sw s3, 0(s2)
    addi a6, a6, 1
    csrsi mstatus, 8
    addi a6, a6, 1
    addi s1, s1, -1
    bnez s1, round

    /* All went well where every interrupt was seen: 8 a round. */
    li t0, 8 * ROUNDS
    li a0, 0x5555
    beq s4, t0, 6f
    li a0, 0x13333
6:  li t0, FINISHER
    sw a0, 0(t0)
7:  j 7b

leaf:
    sw s3, 0(s2)
    addi a4, a4, 19
    ret

    .balign 4
handler:
    csrr t4, mepc
    csrr t5, mcause
    csrr t6, minstret
    slli s0, s0, 1
    xor s0, s0, t4
    add s0, s0, t5
    add s0, s0, t6
    sw zero, 0(s2)
    li t6, -1
    sd t6, 0(s5)
    addi s4, s4, 1
    mret
