# SPDX-License-Identifier: MIT
# Programs in M-mode for the tests of the board; CASE says which. Each ends by the test finisher.
#define UART 0x10000000
#define TEST 0x00100000
#define CLINT 0x02000000
#define MTIME (CLINT + 0xbff8)
#define RTC 0x00101000
#define PASS 0x5555
#define RESET 0x7777

        .globl _start
        .text
_start:
        li      s0, UART
        li      s1, TEST

#if CASE == 1 // hello: print a0 (hartid) and a line; only hart 0
        csrr    t0, mhartid
        bnez    t0, park
        la      a1, text
        call    puts
        li      t0, PASS
        sw      t0, 0(s1)
        j       park

#elif CASE == 2 // fail with code CODE
        li      t0, 0x3333 | CODE << 16
        sw      t0, 0(s1)
        j       park

#elif CASE == 3 // loop for ever
        j       .

#elif CASE == 4 // reset once: the second time, time has passed and RAM is as it was loaded
        csrr    t0, mhartid
        bnez    t0, park
        la      t2, word
        ld      t3, 0(t2)
        bnez    t3, bad
        li      t3, 1
        sd      t3, 0(t2)
        li      t0, MTIME
        ld      t1, 0(t0)
        li      t2, 50000
        bgtu    t1, t2, good
1:      ld      t1, 0(t0)
        bleu    t1, t2, 1b
        li      t0, RESET
        sw      t0, 0(s1)
        j       park

#elif CASE == 5 // echo input, in upper case, until q
1:      lbu     t0, 5(s0)
        andi    t0, t0, 1
        beqz    t0, 1b
        lbu     t0, 0(s0)
        li      t1, 'q'
        beq     t0, t1, good
        addi    t0, t0, -32
        sb      t0, 0(s0)
        j       1b

#elif CASE == 6 // wait with nothing enabled
        csrw    mie, zero
1:      wfi
        j       1b

#elif CASE == 7 // every hart counts; hart 0 wakes the others by msip and waits for them
        csrr    t0, mhartid
        bnez    t0, other
        li      t1, 1 // hart
        li      t2, CLINT
1:      li      t3, HARTS
        beq     t1, t3, 2f
        slli    t4, t1, 2
        add     t4, t4, t2
        li      t5, 1
        sw      t5, 0(t4)
        addi    t1, t1, 1
        j       1b
2:      la      t2, word
3:      ld      t4, 0(t2)
        li      t3, (HARTS - 1) * 1000
        bne     t4, t3, 3b
        j       good
other:  csrwi   mie, 8
1:      wfi
        csrr    t0, mip
        andi    t0, t0, 8
        beqz    t0, 1b
        la      t2, word
        li      t3, 1000
        li      t4, 1
2:      amoadd.d zero, t4, (t2)
        addi    t3, t3, -1
        bnez    t3, 2b
        j       park

#elif CASE == 8 // sleep one tenth of a second by mtimecmp, then look at the RTC
        li      s2, RTC
        lwu     s3, 0(s2)
        li      t0, MTIME
        ld      t1, 0(t0)
        li      t2, 1000000
        add     t1, t1, t2
        li      t0, CLINT + 0x4000
        sd      t1, 0(t0)
        li      t0, 0x80
        csrw    mie, t0
        wfi
        lwu     s4, 0(s2)
        subw    s4, s4, s3
        li      t0, 100000000
        bltu    s4, t0, bad
        j       good

#elif CASE == 9 // HTIF: print by the console device and by a proxied write, exit 5
        la      s2, tohost
        la      s3, fromhost
        li      t0, 0x0101000000000000 | 'H'
        sd      t0, 0(s2)
1:      ld      t1, 0(s2)
        bnez    t1, 1b
        la      t0, call
        sd      t0, 0(s2)
2:      ld      t1, 0(s3)
        beqz    t1, 2b
        sd      zero, 0(s3)
        li      t0, 5 << 1 | 1
        sd      t0, 0(s2)
        j       park
        .data
        .align  6
        .globl  tohost, fromhost
tohost: .dword  0
fromhost: .dword 0
        .align  6
call:   .dword  64, 1, tif, 4, 0, 0, 0, 0
tif:    .ascii  "TIF\n"
        .text

#elif CASE == 10 // UART interrupt through the PLIC: echo by interrupts until q
        la      t0, handler
        csrw    mtvec, t0
        li      t0, 0x0c000000 + 4 * 10
        li      t1, 1
        sw      t1, 0(t0)
        li      t0, 0x0c002000
        li      t1, 1 << 10
        sw      t1, 0(t0)
        li      t1, 1
        sb      t1, 1(s0) // IER: received data
        li      t0, 0x800
        csrw    mie, t0
        csrsi   mstatus, 8
1:      wfi
        j       1b
        .align  2
handler:
        li      s4, 0x0c200004
        lw      s5, 0(s4)
        li      t0, 10
        bne     s5, t0, bad
        lbu     t0, 0(s0)
        li      t1, 'q'
        beq     t0, t1, good
        sb      t0, 0(s0)
        sw      s5, 0(s4)
        mret

#elif CASE == 12 // wait for the end of time
        li      t0, CLINT + 0x4000
        li      t1, -2
        sd      t1, 0(t0)
        li      t0, 0x80
        csrw    mie, t0
1:      wfi
        j       1b

#elif CASE == 13 // hart 1 polls, by a WFI that does not wait, for hart 0, which works; both by a
        // protocol with a gap: hart 0 says that something is there before it is (OpenSBI before
        // 1.3, hart start)
        csrr    t0, mhartid
        la      s2, word
        bnez    t0, 2f
        li      t0, 30000000
1:      addi    t0, t0, -1
        bnez    t0, 1b
        li      t0, 1
        sw      t0, 0(s2)
        li      t0, 7000
1:      addi    t0, t0, -1
        bnez    t0, 1b
        li      t0, 1
        sw      t0, 4(s2)
        j       park
2:      li      t0, CLINT + 4
        li      t1, 1
        sw      t1, 0(t0) // pending from now on, and not taken
        csrwi   mie, 8
3:      wfi
        lw      t0, 0(s2)
        beqz    t0, 3b
        li      t0, 600
4:      addi    t0, t0, -1
        bnez    t0, 4b
        lw      t0, 4(s2)
        beqz    t0, bad
        j       good

#elif CASE == 11 // print for ever
        li      t0, 'x'
1:      sb      t0, 0(s0)
        j       1b
#endif

puts:   lbu     t0, 0(a1)
        beqz    t0, 1f
        sb      t0, 0(s0)
        addi    a1, a1, 1
        j       puts
1:      ret
good:   li      t0, PASS
        sw      t0, 0(s1)
        j       park
bad:    li      t0, 0x3333 | 99 << 16
        sw      t0, 0(s1)
park:   wfi
        j       park
        .align  3
word:   .dword  0
text:   .asciz  "hello from M-mode\n"
