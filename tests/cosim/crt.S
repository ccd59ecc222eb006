/* SPDX-License-Identifier: MIT */
/*
 * Runtime of the random programs, assembly half: reset, trap entries, and segment_enter().
 *
 * Every trap at M, HS or VS appends a record to the log and goes on: behind the instruction that
 * trapped, or, when the fetch itself failed, at ra (the probes call what they fetch). EBREAK is
 * never delegated and ends the segment. The image is mapped for S by identity and for U at an alias
 * with the same low 21 bits, so each handler can read the instruction at IMAGE | low bits of epc.
 */
#define IMAGE 0x80000000
#define LOG_MAX 128
#define LOG_BYTES 64

    .section .text.start, "ax"
    .globl _start
_start:
    csrr t0, mhartid
1:  bnez t0, 1b
    la t0, bss_begin
    la t1, bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    la sp, stack_top
    la t0, m_entry
    csrw mtvec, t0
    call cosim_main
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
#ifdef HTIF /* Spike ends by a word of memory */
    la t0, tohost
    li t1, 1
    sd t1, 0(t0)
#endif
1:  wfi
    j 1b

    .globl segment_enter, m_entry, s_entry, vs_entry
/* void segment_enter(u64 pc, const u64 x[32], const u64 f[32], u64 fcsr) */
segment_enter:
    la t0, context
    sd ra, 0(t0)
    sd sp, 8(t0)
    sd gp, 16(t0)
    sd tp, 24(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 32 + 8 * \n(t0)
    .endr
    csrw mepc, a0
    la t0, m_save
    csrw mscratch, t0
    la t0, s_save
    csrw sscratch, t0
    la t0, vs_save
    csrw 0x240, t0
    csrw fcsr, a3
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, 8 * \n(a2)
    .endr
    csrr t0, mstatus /* all FP loads done: the segment starts with FS as the program set it */
    la t1, segment_fs
    ld t1, 0(t1)
    li t2, 3 << 13
    not t2, t2
    and t0, t0, t2
    or t0, t0, t1
    csrw mstatus, t0
    mv x31, a1
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    ld x\n, 8 * \n(x31)
    .endr
    ld x31, 8 * 31(x31)
    mret

/* Appends {level, cause, tval, epc, status, tval2, tinst, hstatus or 0} and steps epc. */
.macro trap_entry level, prefix, scratch, epc, cause, tval, status, tval2, tinst, extra
    .balign 4
\prefix\()_entry:
    csrrw t6, \scratch, t6
    sd t0, 0(t6)
    sd t1, 8(t6)
    sd t2, 16(t6)
    la t0, log_count
    lw t1, 0(t0)
    li t2, LOG_MAX
    bgeu t1, t2, \prefix\()_full
    addi t2, t1, 1
    sw t2, 0(t0)
    la t0, log
    slli t1, t1, 6
    add t0, t0, t1
    li t1, \level
    sd t1, 0(t0)
    csrr t1, \cause
    sd t1, 8(t0)
    csrr t1, \tval
    sd t1, 16(t0)
    csrr t1, \epc
    sd t1, 24(t0)
    csrr t1, \status
    sd t1, 32(t0)
    .ifnb \tval2
    csrr t1, \tval2
    sd t1, 40(t0)
    csrr t1, \tinst
    sd t1, 48(t0)
    .else
    sd zero, 40(t0)
    sd zero, 48(t0)
    .endif
    .ifnb \extra
    csrr t1, \extra
    sd t1, 56(t0)
    .else
    sd zero, 56(t0)
    .endif
    csrr t0, \cause
    .ifc \prefix, m
    li t1, 3 /* breakpoint */
    beq t0, t1, segment_leave
    .endif
    bltz t0, \prefix\()_interrupt
    /* The fetch itself failed when tval is epc, or its second half. */
    csrr t0, \tval
    csrr t1, \epc
    sub t0, t0, t1
    beqz t0, \prefix\()_fetch
    addi t0, t0, -2
    beqz t0, \prefix\()_fetch
    csrr t0, \epc
    slli t1, t0, 43
    srli t1, t1, 43
    li t2, IMAGE
    or t1, t1, t2
    lhu t1, 0(t1)
    andi t1, t1, 3
    li t2, 3
    addi t0, t0, 2
    bne t1, t2, \prefix\()_resume
    addi t0, t0, 2
    j \prefix\()_resume
\prefix\()_fetch:
    andi t0, ra, -2 /* QEMU 7.2 keeps bit 0 of the epc registers */
\prefix\()_resume:
    csrw \epc, t0
    j \prefix\()_out
\prefix\()_interrupt:
    /* Masks what was taken: each interrupt is seen once a segment. */
    li t1, 1
    sll t1, t1, t0
    .ifc \prefix, m
    csrc mie, t1
    .else
    csrc sie, t1
    .ifc \prefix, s
    csrc 0x604, t1 /* hie */
    .endif
    .endif
\prefix\()_out:
    ld t0, 0(t6)
    ld t1, 8(t6)
    ld t2, 16(t6)
    csrrw t6, \scratch, t6
    .ifc \prefix, m
    mret
    .else
    sret
    .endif
\prefix\()_full:
    .ifc \prefix, m
    j segment_leave
    .else
    ebreak
    .endif
.endm
    .text
    trap_entry 3, m, mscratch, mepc, mcause, mtval, mstatus, 0x34b, 0x34a
    trap_entry 1, s, sscratch, sepc, scause, stval, sstatus, 0x643, 0x64a, 0x600
    trap_entry 2, vs, sscratch, sepc, scause, stval, sstatus

/* The program's EBREAK: keeps all registers in final_*, goes back to C. */
segment_leave:
    la t0, final_x
    .irp n, 1,2,3,4,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    sd x\n, 8 * \n(t0)
    .endr
    .irp n, 0,1,2
    ld t1, 8 * \n(t6)
    sd t1, 8 * (5 + \n)(t0)
    .endr
    csrr t1, mscratch
    sd t1, 8 * 31(t0)
    li t1, 3 << 13
    csrs mstatus, t1
    la t0, final_f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, 8 * \n(t0)
    .endr
    csrr t1, fcsr
    sd t1, 256(t0)
    la t0, context
    ld ra, 0(t0)
    ld sp, 8(t0)
    ld gp, 16(t0)
    ld tp, 24(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 32 + 8 * \n(t0)
    .endr
    ret

#ifdef HTIF
    .data
    .balign 64
    .globl tohost, fromhost
tohost:
    .dword 0
    .balign 64
fromhost:
    .dword 0
#endif

    .bss
    .balign 64
    .globl m_save, log, log_count, final_x, final_f, segment_fs
log:
    .skip LOG_MAX * LOG_BYTES
context:
    .skip 16 * 8
m_save:
    .skip 32
s_save:
    .skip 32
vs_save:
    .skip 32
final_x:
    .skip 32 * 8
final_f:
    .skip 33 * 8
segment_fs:
    .skip 8
log_count:
    .skip 8
