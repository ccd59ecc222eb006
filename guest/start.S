/* SPDX-License-Identifier: MIT */
/*
 * Entry of a guest as SBI firmware enters a kernel, its traps, and the way to user mode and back.
 * tp points at the running hart's struct cpu (kernel.h); sscratch holds it while user mode runs and
 * is 0 in the kernel.
 */
#include "csr.h"
#include "kernel_offsets.h"

    .section .text.start, "ax"
    .globl _start
_start:
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la sp, boot_stack_top
    la t0, trap_entry
    csrw CSR_STVEC, t0
    csrw CSR_SSCRATCH, zero
    li t0, SSTATUS_FS_INITIAL
    csrs CSR_SSTATUS, t0
    call kernel_start
    j .

/* A hart started by SBI HSM: a1 = struct cpu. */
    .globl hart_entry
hart_entry:
    mv tp, a1
    ld sp, CPU_STACK_TOP(tp)
    la t0, trap_entry
    csrw CSR_STVEC, t0
    csrw CSR_SSCRATCH, zero
    li t0, SSTATUS_FS_INITIAL
    csrs CSR_SSTATUS, t0
    mv a0, tp
    call kernel_hart
    j .

    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw tp, CSR_SSCRATCH, tp
    bnez tp, 1f
    csrrw tp, CSR_SSCRATCH, zero
    addi sp, sp, -FRAME_SIZE
    sd t0, FRAME_REG(5)(sp)
    addi t0, sp, FRAME_SIZE
    sd t0, FRAME_REG(2)(sp)
    sd tp, FRAME_REG(4)(sp)
    j 2f
1:  sd sp, CPU_USER_SP(tp)
    ld sp, CPU_KERNEL_SP(tp)
    addi sp, sp, -FRAME_SIZE
    sd t0, FRAME_REG(5)(sp)
    ld t0, CPU_USER_SP(tp)
    sd t0, FRAME_REG(2)(sp)
    csrrw t0, CSR_SSCRATCH, zero
    sd t0, FRAME_REG(4)(sp)
2:  sd x1, FRAME_REG(1)(sp)
    sd x3, FRAME_REG(3)(sp)
    .irp n, 6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\n, FRAME_REG(\n)(sp)
    .endr
    csrr t0, CSR_SEPC
    sd t0, FRAME_SEPC(sp)
    csrr t0, CSR_SSTATUS
    sd t0, FRAME_SSTATUS(sp)
    mv a0, sp
    call kernel_trap
    ld t0, FRAME_SEPC(sp)
    csrw CSR_SEPC, t0
    ld t0, FRAME_SSTATUS(sp)
    csrw CSR_SSTATUS, t0
    andi t0, t0, SSTATUS_SPP
    bnez t0, 3f
    csrw CSR_SSCRATCH, tp
3:  .irp n, 1,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, FRAME_REG(\n)(sp)
    .endr
    ld tp, FRAME_REG(4)(sp)
    ld sp, FRAME_REG(2)(sp)
    sret

/* int64_t user_enter(entry, stack, argument): until user_leave(value), which it returns. */
    .globl user_enter
user_enter:
    addi sp, sp, -112
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 8*\n(sp)
    .endr
    sd ra, 96(sp)
    sd sp, CPU_KERNEL_SP(tp)
    csrw CSR_SEPC, a0
    li t0, SSTATUS_SPP
    csrc CSR_SSTATUS, t0
    mv sp, a1
    mv a0, a2
    csrw CSR_SSCRATCH, tp
    sret

    .globl user_leave
user_leave:
    ld sp, CPU_KERNEL_SP(tp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 8*\n(sp)
    .endr
    ld ra, 96(sp)
    addi sp, sp, 112
    ret
