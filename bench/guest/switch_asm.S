/* SPDX-License-Identifier: MIT */
/*
 * The three levels of the switch bench. In C:
 *
 * struct guest { u64 hgatp, vsatp; struct guest *next; };
 * struct hs { u64 saved[2]; struct guest *next; };
 * u64 run_guest(u64 turns, u64 pages, u64 base, u64 stride, u64 calls, struct hs *hs);
 *
 * From M-mode, run vs_loop in VS-mode under hs_trap in HS-mode. Result: ticks that it took.
 */
#define MSTATUS_MPP_S (1 << 11)
#define MSTATUS_MPP (3 << 11)
#define MSTATUS_MPV (1 << 39)
#define CALL_TURN 0
#define CALL_END 1
#define CSR_VSATP 0x280 /* by number: not every assembler knows the names */
#define CSR_HGATP 0x680
#define CAUSE_ECALL_HS 9
#define CAUSE_ECALL_VS 10

    .text
    .globl run_guest
run_guest:
    addi sp, sp, -112
    sd ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 8 + 8 * \n(sp)
    .endr
    la t0, back_in_m
    csrrw t0, mtvec, t0
    sd t0, 104(sp)
    csrw mscratch, sp
    la t0, hs_trap
    csrw stvec, t0
    csrw sscratch, a5
    li t0, MSTATUS_MPP
    csrc mstatus, t0
    li t0, MSTATUS_MPP_S
    csrs mstatus, t0
    li t0, MSTATUS_MPV
    csrs mstatus, t0
    la t0, vs_loop
    csrw mepc, t0
    mret

    .balign 4
back_in_m:
    csrr t0, mcause
    addi t0, t0, -CAUSE_ECALL_HS
    bnez t0, 1f
    csrr sp, mscratch
    ld t0, 104(sp)
    csrw mtvec, t0
    ld ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 8 + 8 * \n(sp)
    .endr
    addi sp, sp, 112
    ret
1:  tail unexpected

    /* HS: a call goes back to the next guest of the ring, or, where there is no ring, to the same
     * one. The guests run the same code with the same registers. */
    .balign 4
hs_trap:
    csrrw sp, sscratch, sp
    sd t5, 0(sp)
    sd t6, 8(sp)
    csrr t5, scause
    addi t5, t5, -CAUSE_ECALL_VS
    bnez t5, hs_leave
    bnez a7, hs_leave
    csrr t5, sepc
    addi t5, t5, 4
    csrw sepc, t5
    ld t5, 16(sp)
    beqz t5, 1f
    ld t6, 0(t5)
    csrw CSR_HGATP, t6
    ld t6, 8(t5)
    csrw CSR_VSATP, t6
    ld t5, 16(t5)
    sd t5, 16(sp)
1:  ld t5, 0(sp)
    ld t6, 8(sp)
    csrrw sp, sscratch, sp
    sret
hs_leave:
    /* The guest's end; anything else goes to M as a breakpoint, which it does not expect. */
    bnez t5, 1f
    ecall
1:  csrr t5, scause
    ebreak

    /* VS: touch `pages` pages, call, again. */
    .balign 64
vs_loop:
    rdtime t3
1:  mv t0, a1
    mv t1, a2
    beqz t0, 3f
2:  ld t2, 0(t1)
    add t1, t1, a3
    addi t0, t0, -1
    bnez t0, 2b
3:  beqz a4, 4f
    li a7, CALL_TURN
    ecall
4:  addi a0, a0, -1
    bnez a0, 1b
    rdtime t4
    sub a0, t4, t3
    li a7, CALL_END
    ecall
