/* SPDX-License-Identifier: MIT */
/*
 * Something to debug: a bare-metal program in M-mode with functions that call each other, a global
 * that changes, harts that count, and an end. Hart 0 works; the others count for ever.
 */
typedef unsigned long ulong;

volatile ulong counts[8], result, quiet, watched[2];

__asm__(".section .start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    csrr t0, mhartid\n"
        "    la sp, stacks\n"
        "    addi t1, t0, 1\n"
        "    slli t1, t1, 12\n"
        "    add sp, sp, t1\n"
        "    li t1, 1 << 13\n"
        "    csrs mstatus, t1\n"
        "    mv a0, t0\n"
        "    bnez t0, count\n"
        "    call main\n"
        "1:  j 1b\n"
        ".text\n");
char stacks[8 << 12] __attribute__((aligned(4096)));

void count(ulong hart);
int main(void);

void count(ulong hart)
{
    for (;;)
        counts[hart]++;
}

static __attribute__((noinline)) ulong leaf(ulong n)
{
    result += n;
    return result;
}

static __attribute__((noinline)) ulong middle(ulong n)
{
    return leaf(n + 1) + 1;
}

static __attribute__((noinline)) ulong outer(ulong n)
{
    return middle(n + 1) + 1;
}

int main(void)
{
    for (ulong i = 0; i < 10; i++) {
        quiet = watched[1];
        outer(i);
        watched[0] = i;
    }
    *(volatile unsigned *)0x100000 = 7 << 16 | 0x3333;
    return 0;
}
