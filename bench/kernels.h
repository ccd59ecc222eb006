/* SPDX-License-Identifier: MIT */
/*
 * Kernels of the compute bench: plain C with no library, so that the same source runs bare-metal
 * on a RISC-V machine and natively on the host. Each returns a checksum of its work, which must
 * be the same everywhere.
 */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct kernel {
    const char *name;
    uint64_t (*run)(unsigned rounds);
    unsigned rounds; /* about 6 million RISC-V instructions */
};

/* How often each runs; the quickest counts. */
enum { KERNEL_RUNS = 8 };

extern const struct kernel bench_kernels[];
extern const size_t bench_kernels_n;

#endif
