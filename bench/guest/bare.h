/* SPDX-License-Identifier: MIT */
/*
 * The little that the bare-metal bench programs stand on: console, clock, end. They run in M-mode
 * from 0x80000000 on any machine with the virt board's UART and test finisher.
 */
#ifndef BENCH_GUEST_BARE_H
#define BENCH_GUEST_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;

enum { TICKS_PER_SECOND = 10000000 }; /* of the time CSR: the board's timebase-frequency */

/* The program; bare.S calls it with FS on, and powers off when it returns. */
void bare_main(void);

void print(const char *text);
void print_dec(u64 v);
void print_hex(u64 v);

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);

#define csr_read(name)                                                                             \
    ({                                                                                             \
        u64 csr_;                                                                                  \
        __asm__ volatile("csrr %0, " name : "=r"(csr_) : : "memory");                              \
        csr_;                                                                                      \
    })
#define csr_write(name, v) __asm__ volatile("csrw " name ", %0" : : "rK"((u64)(v)) : "memory")
#define csr_set(name, v) __asm__ volatile("csrs " name ", %0" : : "rK"((u64)(v)) : "memory")
#define csr_clear(name, v) __asm__ volatile("csrc " name ", %0" : : "rK"((u64)(v)) : "memory")

#endif
