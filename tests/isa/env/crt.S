/* SPDX-License-Identifier: MIT */
/*
 * The assembly half of the test environment: reset, the trap entries of the three levels, and
 * `enter`, which runs code at a level until the first trap into M.
 *
 * Each entry records its trap CSRs and all registers in a struct trap (isa.h). The M entry then
 * does what m_policy says:
 *   POLICY_FATAL   no trap is expected: unexpected_trap() ends the case as failed;
 *   POLICY_RETURN  go back to the caller of enter();
 *   POLICY_SKIP    go on behind the instruction that trapped (for code running in M).
 * The HS and VS entries record and then ECALL, which ends in M as the tests leave ECALL from
 * S and VS undelegated, unless a test says otherwise.
 */
#define POLICY_FATAL 0
#define POLICY_RETURN 1
#define POLICY_SKIP 2

/* Offsets in struct trap. */
#define T_COUNT 0
#define T_CAUSE 8
#define T_TVAL 16
#define T_EPC 24
#define T_STATUS 32
#define T_TVAL2 40
#define T_TINST 48
#define T_HSTATUS 56
#define T_X 64

    .section .text.start, "ax"
    .globl _start
_start:
    csrr t0, mhartid
    bnez t0, park
    la t0, bss_begin
    la t1, bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    .option push
    .option norelax
    la sp, stack_top
    .option pop
    la t0, m_entry
    csrw mtvec, t0
    la t0, m_trap
    csrw mscratch, t0
    call isa_main
    /* a0: 0 passed, else the exit code. */
    .globl finish
finish:
    li t0, 0x100000
    li t1, 0x5555
    beqz a0, 1f
    slli t1, a0, 16
    li t2, 0x3333
    or t1, t1, t2
1:  sw t1, 0(t0)
park:
    wfi
    j park

.macro save_registers scratch
    /* The level's scratch CSR holds the struct trap; t6 is swapped with it. */
    csrrw t6, \scratch, t6
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    sd x\n, T_X + 8 * \n(t6)
    .endr
    csrr t0, \scratch
    sd t0, T_X + 8 * 31(t6)
    csrw \scratch, t6
    ld t0, T_COUNT(t6)
    addi t0, t0, 1
    sd t0, T_COUNT(t6)
.endm

.macro save_csr name, offset
    csrr t0, \name
    sd t0, \offset(t6)
.endm

    .text
    .balign 4
    .globl m_entry
m_entry:
    save_registers mscratch
    save_csr mcause, T_CAUSE
    save_csr mtval, T_TVAL
    save_csr mepc, T_EPC
    save_csr mstatus, T_STATUS
    csrr t0, misa
    srli t0, t0, 7
    andi t0, t0, 1
    beqz t0, 1f
    save_csr 0x34b, T_TVAL2 /* mtval2 */
    save_csr 0x34a, T_TINST /* mtinst */
1:  lw t0, m_policy
    li t1, POLICY_RETURN
    beq t0, t1, leave
    li t1, POLICY_SKIP
    beq t0, t1, skip
    la sp, trap_stack_top /* the case's own stack is still needed: case_leave() returns there */
    call unexpected_trap

skip:
    csrr t0, mepc
    lhu t1, 0(t0)
    andi t1, t1, 3
    addi t1, t1, -3
    addi t0, t0, 4
    beqz t1, 1f
    addi t0, t0, -2
1:  csrw mepc, t0
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    ld x\n, T_X + 8 * \n(t6)
    .endr
    ld t6, T_X + 8 * 31(t6)
    mret

    .balign 4
    .globl s_entry
s_entry:
    save_registers sscratch
    save_csr scause, T_CAUSE
    save_csr stval, T_TVAL
    save_csr sepc, T_EPC
    save_csr sstatus, T_STATUS
    lw t0, have_h
    beqz t0, 1f
    save_csr 0x643, T_TVAL2 /* htval */
    save_csr 0x64a, T_TINST /* htinst */
    save_csr 0x600, T_HSTATUS
1:  ecall
    j 1b

    .balign 4
    .globl vs_entry
vs_entry:
    save_registers sscratch
    save_csr scause, T_CAUSE
    save_csr stval, T_TVAL
    save_csr sepc, T_EPC
    save_csr sstatus, T_STATUS
1:  ecall
    j 1b

    /* Vectored mode: entry n, at base + 4n, leaves n in vector_taken. */
.macro vectors level
    .globl \level\()_vectors
    .balign 256
\level\()_vectors:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    .option push
    .option norvc
    j \level\()_vector_\n
    .option pop
    .endr
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
\level\()_vector_\n:
    sd t5, -8(sp)
    sd t6, -16(sp)
    la t6, vector_taken
    li t5, \n
    sd t5, 0(t6)
    ld t6, -16(sp)
    ld t5, -8(sp)
    j \level\()_entry
    .endr
.endm
    vectors m
    vectors s
    vectors vs

/*
 * void enter(u64 pc, const u64 args[8], u64 sp, u64 ra)
 * MRETs to pc with a0..a7 from args; returns after the first trap into M.
 */
    .globl enter
enter:
    la t0, context
    sd ra, 0(t0)
    sd sp, 8(t0)
    sd gp, 16(t0)
    sd tp, 24(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 32 + 8 * \n(t0)
    .endr
    li t1, POLICY_RETURN
    la t2, m_policy
    sw t1, 0(t2)
    csrw mepc, a0
    mv t0, a1
    mv sp, a2
    mv ra, a3
    .irp n, 0,1,2,3,4,5,6,7
    ld a\n, 8 * \n(t0)
    .endr
    mret

leave:
    la t0, context
    ld ra, 0(t0)
    ld sp, 8(t0)
    ld gp, 16(t0)
    ld tp, 24(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 32 + 8 * \n(t0)
    .endr
    la t2, m_policy
    sw zero, 0(t2)
    ret

    .globl return_stub
return_stub:
    ecall
    j return_stub

/* int case_enter(void (*fn)(void)): 0 when fn returns, 1 when case_leave() ended it. */
    .globl case_enter, case_leave
case_enter:
    la t0, case_context
    sd ra, 0(t0)
    sd sp, 8(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, 16 + 8 * \n(t0)
    .endr
    addi sp, sp, -16
    sd ra, 8(sp)
    jalr a0
    ld ra, 8(sp)
    addi sp, sp, 16
    li a0, 0
    ret
case_leave:
    la t0, case_context
    ld ra, 0(t0)
    ld sp, 8(t0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, 16 + 8 * \n(t0)
    .endr
    li a0, 1
    ret

    .bss
    .balign 8
context:
    .skip 16 * 8
case_context:
    .skip 14 * 8
    .globl m_policy, vector_taken, have_h
vector_taken:
    .skip 8
m_policy:
    .skip 4
have_h:
    .skip 4
    .globl m_trap, s_trap, vs_trap
m_trap:
    .skip T_X + 8 * 32
s_trap:
    .skip T_X + 8 * 32
vs_trap:
    .skip T_X + 8 * 32
