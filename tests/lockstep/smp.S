/* SPDX-License-Identifier: MIT */
/*
 * Code that changes under running harts. Hart 0 changes it and publishes a new generation; the
 * others, which run the code all the time, fence when they see one, and must find the code as it is
 * since, many times. First its bytes are changed (FENCE.I), then the page that its address is
 * mapped to (SFENCE.VMA). All run in S-mode under Sv39: memory by gigapages where it is, the code
 * at PAGE. The code is of 128 blocks, so that a small buffer of translations fills again and again.
 * HARTS is given when it is assembled.
 */
    .equ FINISHER, 0x100000
    .equ PAGE, 0x2000001000
    .equ ROUNDS, 60
    .equ CALLS, 20
    .equ BLOCKS, 128

    .section .text.start, "ax"
    .globl _start
_start:
    csrr s0, mhartid
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    la t0, unexpected
    csrw mtvec, t0
    la s1, generation
    la s2, acks
    la s3, present
    bnez s0, 1f
    /* The page's tables. */
    la t0, root
    la t1, middle
    la t2, last
    la t3, body
    srli t4, t1, 12
    slli t4, t4, 10
    addi t4, t4, 1
    sd t4, 128 * 8(t0)
    srli t4, t2, 12
    slli t4, t4, 10
    addi t4, t4, 1
    sd t4, (t1)
    srli t4, t3, 12
    slli t4, t4, 10
    ori t4, t4, 0xcf /* D A X W R V */
    sd t4, 8(t2)
    fence rw, rw
1:  li t0, 1
    amoadd.w x0, t0, (s3)
2:  lw t0, 0(s3)
    li t1, HARTS
    bne t0, t1, 2b
    fence rw, rw
    la t0, root
    srli t0, t0, 12
    li t1, 8
    slli t1, t1, 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    li t0, 1 << 11
    csrs mstatus, t0
    li t0, 1 << 12
    csrc mstatus, t0 /* MPP = S */
    la t0, supervisor
    csrw mepc, t0
    li s5, PAGE
    mret

supervisor:
    bnez s0, other

    /* --- Hart 0 --- */
    li s6, HARTS - 1
    li s7, 1        /* generation */
    li s8, ROUNDS
change_bytes:
    /* addi a0, a0, generation & 0x3ff, in the last block */
    la t0, body_last
    andi t1, s7, 0x3ff
    slli t1, t1, 20
    li t2, 0x00050513
    or t1, t1, t2
    sw t1, 0(t0)
    call publish
    addi s7, s7, 1
    bleu s7, s8, change_bytes

    /* The second copy returns something else. */
    la t0, body_last
    li t1, 0x00150513 /* addi a0, a0, 1 */
    sw t1, 0(t0)
    la t0, other_last
    li t1, 0x00050513 /* addi a0, a0, 0 */
    sw t1, 0(t0)
    li s8, 2 * ROUNDS
change_mapping:
    /* Odd generations are mapped to `body`, even ones to `twin`. */
    la t0, body
    andi t1, s7, 1
    bnez t1, 2f
    la t0, twin
2:  srli t0, t0, 12
    slli t0, t0, 10
    ori t0, t0, 0xcf /* D A X W R V */
    la t1, last
    sd t0, 8(t1)     /* the entry of PAGE */
    sfence.vma
    call publish
    addi s7, s7, 1
    bleu s7, s8, change_mapping
    li a0, 0x5555
    j finish

/* Generation s7 is there; wait until all others have seen and tried it. */
publish:
    fence rw, rw
    sw s7, 0(s1)
    li t0, 0
    mv t1, s2
3:  lw t2, 4(t1)
    bne t2, s7, 3b
    addi t1, t1, 4
    addi t0, t0, 1
    bltu t0, s6, 3b
    fence rw, rw
    ret

    /* --- The others --- */
other:
    li s7, 0
    slli t0, s0, 2
    add s2, s2, t0
    li s8, ROUNDS
look:
    lw t0, 0(s1)
    bne t0, s7, 4f
    li a0, 0 /* running while it is changed: any of both is right */
    jalr s5
    j look
4:  fence r, rw
    mv s7, t0
    fence.i
    sfence.vma
    andi s9, s7, 0x3ff
    bleu s7, s8, 5f
    andi s9, s7, 1
5:  li s10, CALLS
6:  li a0, 0
    jalr s5
    bne a0, s9, wrong
    addi s10, s10, -1
    bnez s10, 6b
    fence rw, rw
    sw s7, 0(s2)
    j look

wrong:
    li a0, 0x23333
finish:
    li t0, FINISHER
    sw a0, 0(t0)
7:  j 7b

    .balign 4
unexpected:
    li a0, 0x33333
    li t0, FINISHER
    sw a0, 0(t0)
8:  j 8b

    .macro code last
    .option push
    .option norvc
    .rept BLOCKS
    addi a1, a1, 1
    j .+4
    .endr
\last:
    addi a0, a0, 0
    ret
    .option pop
    .endm
    .balign 4096
body:
    code body_last
    .balign 4096
twin:
    code other_last

    .data
    .balign 4096
root: /* 0: devices; 2: RAM; 128: PAGE */
    .dword 0xc7, 0, (0x80000000 >> 12 << 10) | 0xcf
    .skip 8 * 509
middle:
    .skip 4096
last:
    .skip 4096
    .balign 64
generation:
    .word 0
    .balign 64
acks:
    .skip 64 * 4
    .balign 64
present:
    .word 0
