/* SPDX-License-Identifier: MIT */
/*
 * compute: the kernels of kernels.c on isthmus, on QEMU, and natively from the same source with
 * the same compiler options. A rate is RISC-V instructions (counted by isthmus) by time, for the
 * other sides too, which do the same work.
 */
#include "bench/bench.h"
#include "bench/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static bool line(struct bench_samples *s, enum bench_side side, const char *text)
{
    uint64_t instructions, ticks, sum;
    char name[16];

    if (sscanf(text, "compute %15s %" SCNu64 " %" SCNu64 " %" SCNx64, name, &instructions, &ticks,
               &sum) != 4)
        return false;
    bench_check(s, sum, name);
    bench_add(s, side, (double)ticks * 1e-7, "%s", name);
    if (side == BENCH_ISTHMUS)
        bench_add(s, side, (double)instructions, "%s instructions", name);
    return true;
}

static void host(struct bench_samples *s)
{
    for (size_t i = 0; i < bench_kernels_n; i++) {
        const struct kernel *k = &bench_kernels[i];
        double best = INFINITY;

        for (int run = 0; run < KERNEL_RUNS; run++) {
            double begin = bench_seconds();

            bench_check(s, k->run(k->rounds), k->name);
            best = fmin(best, bench_seconds() - begin);
        }
        bench_add(s, BENCH_HOST, best, "%s", k->name);
    }
}

static void rows(const struct bench_samples *s, struct bench_report *r)
{
    static const struct {
        enum bench_side side;
        const char *name;
    } peers[] = {{BENCH_QEMU, "qemu"}, {BENCH_HOST, "native"}};

    for (size_t p = 0; p < sizeof(peers) / sizeof(peers[0]); p++) {
        double ours = 0, theirs = 0;

        for (size_t i = 0; i < bench_kernels_n; i++) {
            const char *name = bench_kernels[i].name;
            double millions = bench_median(s, BENCH_ISTHMUS, "%s instructions", name) * 1e-6;
            double value = millions / bench_median(s, BENCH_ISTHMUS, "%s", name);
            double peer = millions / bench_median(s, peers[p].side, "%s", name);

            bench_row(r, (struct bench_row){name, (uint64_t)(millions * 1e6), value, "MIPS", false,
                                            peers[p].name, peer});
            ours += log(value);
            theirs += log(peer);
        }
        bench_row(r, (struct bench_row){"geometric mean", bench_kernels_n,
                                        exp(ours / (double)bench_kernels_n), "MIPS", false,
                                        peers[p].name, exp(theirs / (double)bench_kernels_n)});
    }
}

const struct bench bench_compute = {
    .name = "compute",
    .help = "instructions a second; size: instructions",
    .image = "bench/bench_compute.elf",
    .memory = UINT64_C(128) << 20,
    .line = line,
    .host = host,
    .rows = rows,
};
