/* SPDX-License-Identifier: MIT */
/*
 * Firmware that starts a hart where the payload begins, whatever address it is told: what OpenSBI
 * up to 1.2 does when the hart looks before that address is written. Just enough SBI for the
 * reference hypervisor on a machine of two harts with Sstc: HSM start, IPI, SRST; fences do
 * nothing. It says to nobody that its memory is taken: it lies where the hypervisor, which begins
 * in front, comes last.
 */
#define PAYLOAD 0x80200000
#define MSIP 0x2000000
#define FINISHER 0x100000
#define FINISH_PASS 0x5555
#define FINISH_FAIL 0x13333
#define EID_HSM 0x48534D
#define EID_IPI 0x735049
#define EID_SRST 0x53525354
#define CAUSE_ECALL_S 9

    .section .text
    .globl _start
_start:
    la t0, trap
    csrw mtvec, t0
    li t0, -1
    csrw 0x3B0, t0                      /* pmpaddr0: all, for S */
    li t0, 0x1F
    csrw 0x3A0, t0
    li t0, 0xF0B50D
    csrw medeleg, t0
    li t0, 0x1666
    csrw mideleg, t0
    li t0, -1
    csrw mcounteren, t0
    csrw 0x30A, t0                      /* menvcfg */
    csrw 0x30C, t0                      /* mstateen0 */
    li t0, 8                            /* MSIE */
    csrw mie, t0
    csrr a0, mhartid
    la t0, saved
    slli t1, a0, 5
    add t0, t0, t1
    csrw mscratch, t0
    la t0, tree
    beqz a0, first
1:  wfi                                 /* hart 1, until HSM start; IPIs trap only below M */
    lw t1, started
    beqz t1, 1b
    ld a1, (t0)
    j go
first:
    sd a1, (t0)
go: li t0, PAYLOAD
    csrw mepc, t0
    li t0, 0x1800
    csrc mstatus, t0
    li t0, 0x800
    csrs mstatus, t0
    mret

/* mscratch: a place of this hart's for three registers. */
    .balign 4
trap:
    csrrw sp, mscratch, sp
    sd t0, 0(sp)
    sd t1, 8(sp)
    sd t2, 16(sp)
    csrr t0, mcause
    bltz t0, interrupt
    li t1, CAUSE_ECALL_S
    bne t0, t1, .
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    li t0, EID_HSM
    beq a7, t0, hsm
    li t0, EID_IPI
    beq a7, t0, ipi
    li t0, EID_SRST
    beq a7, t0, srst
answer:
    li a0, 0
    li a1, 0
leave:
    ld t0, 0(sp)
    ld t1, 8(sp)
    ld t2, 16(sp)
    csrrw sp, mscratch, sp
    mret
hsm:                                    /* hart 1 starts: where it likes */
    li t1, 1
    la t0, started
    sw t1, (t0)
    li a0, 2
    li a1, 0
ipi:                                    /* mask a0 of harts from hart a1 on */
    sll a0, a0, a1
    li t1, 1
    li t0, MSIP
    andi t2, a0, 1
    beqz t2, 1f
    sw t1, (t0)
1:  andi t2, a0, 2
    beqz t2, answer
    sw t1, 4(t0)
    j answer
srst:
    li t0, FINISHER
    li t1, FINISH_PASS
    beqz a1, 1f
    li t1, FINISH_FAIL
1:  sw t1, (t0)
    j .
interrupt:                              /* a software interrupt, handed on to S */
    csrr t0, mhartid
    slli t0, t0, 2
    li t1, MSIP
    add t0, t0, t1
    sw zero, (t0)
    csrsi mip, 2                        /* SSIP */
    j leave

    .balign 8
tree:
    .dword 0
started:
    .word 0
    .balign 8
saved:
    .zero 64
