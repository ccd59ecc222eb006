/* SPDX-License-Identifier: MIT */
/*
 * The world switch. While a guest runs, sscratch holds its struct vcpu; while the hypervisor runs,
 * sscratch is 0, which tells a trap out of a guest from a defect.
 *
 * A trap out of a guest saves the registers that a C function may change, and calls vcpu_exit().
 * gp and s0 to s11 stay where they are: the hypervisor never uses gp, and the C code keeps the
 * others. So an exit that goes back to the same vCPU, which nearly all do, moves 18 registers each
 * way and no CSR but sscratch. vcpu_exit() returns 0 to ask for the scheduler; only then the
 * rest is saved, and vcpu_left() brings back the vCPU that is to run: another one, or the same
 * after an access to a device, which may be to any register.
 */
#include "asm_offsets.h"
#include "csr.h"

#define R(n) (VCPU_REGS + 8 * (n))

    .section .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw a0, CSR_SSCRATCH, a0
    beqz a0, from_host
    sd x1, R(1)(a0)
    sd x2, R(2)(a0)
    sd x4, R(4)(a0)
    sd x5, R(5)(a0)
    sd x6, R(6)(a0)
    sd x7, R(7)(a0)
    sd x11, R(11)(a0)
    sd x12, R(12)(a0)
    sd x13, R(13)(a0)
    sd x14, R(14)(a0)
    sd x15, R(15)(a0)
    sd x16, R(16)(a0)
    sd x17, R(17)(a0)
    sd x28, R(28)(a0)
    sd x29, R(29)(a0)
    sd x30, R(30)(a0)
    sd x31, R(31)(a0)
    csrrw t0, CSR_SSCRATCH, zero
    sd t0, R(10)(a0)
    ld tp, VCPU_HART(a0)
    ld sp, HART_STACK_TOP(tp)
    call vcpu_exit
    beqz a0, reschedule

resume:
    csrw CSR_SSCRATCH, a0
    ld x1, R(1)(a0)
    ld x2, R(2)(a0)
    ld x4, R(4)(a0)
    ld x5, R(5)(a0)
    ld x6, R(6)(a0)
    ld x7, R(7)(a0)
    ld x11, R(11)(a0)
    ld x12, R(12)(a0)
    ld x13, R(13)(a0)
    ld x14, R(14)(a0)
    ld x15, R(15)(a0)
    ld x16, R(16)(a0)
    ld x17, R(17)(a0)
    ld x28, R(28)(a0)
    ld x29, R(29)(a0)
    ld x30, R(30)(a0)
    ld x31, R(31)(a0)
    ld x10, R(10)(a0)
    sret

reschedule:
    ld a0, HART_CURRENT(tp)
    sd x3, R(3)(a0)
    sd x8, R(8)(a0)
    sd x9, R(9)(a0)
    sd x18, R(18)(a0)
    sd x19, R(19)(a0)
    sd x20, R(20)(a0)
    sd x21, R(21)(a0)
    sd x22, R(22)(a0)
    sd x23, R(23)(a0)
    sd x24, R(24)(a0)
    sd x25, R(25)(a0)
    sd x26, R(26)(a0)
    sd x27, R(27)(a0)
    /* Entered with a0 = 0 by hart_main() when the hart is ready for its first vCPU. */
    .globl sched_enter
sched_enter:
    call vcpu_left
    ld x3, R(3)(a0)
    ld x8, R(8)(a0)
    ld x9, R(9)(a0)
    ld x18, R(18)(a0)
    ld x19, R(19)(a0)
    ld x20, R(20)(a0)
    ld x21, R(21)(a0)
    ld x22, R(22)(a0)
    ld x23, R(23)(a0)
    ld x24, R(24)(a0)
    ld x25, R(25)(a0)
    ld x26, R(26)(a0)
    ld x27, R(27)(a0)
    j resume

/* A trap out of the hypervisor: expected from a probe, which goes on at the next instruction. */
from_host:
    csrrw a0, CSR_SSCRATCH, zero
    addi sp, sp, -144
    sd ra, 0(sp)
    sd t0, 8(sp)
    sd t1, 16(sp)
    sd t2, 24(sp)
    sd a0, 32(sp)
    sd a1, 40(sp)
    sd a2, 48(sp)
    sd a3, 56(sp)
    sd a4, 64(sp)
    sd a5, 72(sp)
    sd a6, 80(sp)
    sd a7, 88(sp)
    sd t3, 96(sp)
    sd t4, 104(sp)
    sd t5, 112(sp)
    sd t6, 120(sp)
    call host_trap
    ld ra, 0(sp)
    ld t0, 8(sp)
    ld t1, 16(sp)
    ld t2, 24(sp)
    ld a0, 32(sp)
    ld a1, 40(sp)
    ld a2, 48(sp)
    ld a3, 56(sp)
    ld a4, 64(sp)
    ld a5, 72(sp)
    ld a6, 80(sp)
    ld a7, 88(sp)
    ld t3, 96(sp)
    ld t4, 104(sp)
    ld t5, 112(sp)
    ld t6, 120(sp)
    addi sp, sp, 144
    sret

/*
 * void fp_save(uint64_t fregs[33]); void fp_load(const uint64_t fregs[33]): [32] is fcsr. With
 * _single for harts that have F without D. The hypervisor is assembled without both: fsd, fld, fsw,
 * flw and fcsr are spelled by number.
 */
#define ALL_32 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
#define CSR_FCSR 3
.macro fp_functions suffix, width
    .globl fp_save\suffix
fp_save\suffix:
    .irp n, ALL_32
    .insn s 0x27, \width, x\n, 8*\n(a0)
    .endr
    csrr t0, CSR_FCSR
    sd t0, 256(a0)
    ret
    .globl fp_load\suffix
fp_load\suffix:
    .irp n, ALL_32
    .insn i 0x07, \width, x\n, 8*\n(a0)
    .endr
    ld t0, 256(a0)
    csrw CSR_FCSR, t0
    ret
.endm
    fp_functions "", 3
    fp_functions _single, 2
