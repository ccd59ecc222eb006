/* SPDX-License-Identifier: MIT */
/*
 * u64 levels_enter(u64 a..e, void *fn, struct hs *hs): from M-mode, call fn(a..e) in VS-mode under
 * hs_trap in HS-mode. Result: what fn returns. See levels.h.
 */
#define MSTATUS_MPP_S (1 << 11)
#define MSTATUS_MPP (3 << 11)
#define MSTATUS_MPV (1 << 39)
#define CSR_VSATP 0x280 /* by number: not every assembler knows the names */
#define CSR_HGATP 0x680
#define CALL_END 1 /* in a7; 0: a turn */
#define CAUSE_ECALL_HS 9
#define CAUSE_ECALL_VS 10

    .text
    .globl levels_enter
levels_enter:
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
    csrw sscratch, a6
    li t0, MSTATUS_MPP
    csrc mstatus, t0
    li t0, MSTATUS_MPP_S
    csrs mstatus, t0
    li t0, MSTATUS_MPV
    csrs mstatus, t0
    csrw mepc, a5
    .option push
    .option norelax
    la ra, vs_return
    .option pop
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
    /* The end; anything but a call of the guest goes to M as a breakpoint, which it reports. */
    bnez t5, 1f
    ecall
1:  csrr t5, scause
    ebreak

vs_return:
    li a7, CALL_END
    ecall
