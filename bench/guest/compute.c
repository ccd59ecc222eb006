/* SPDX-License-Identifier: MIT */
/* Runs the compute kernels and prints a line for each:
 *   compute NAME INSTRUCTIONS TICKS CHECKSUM
 * Instructions come from the instret CSR, ticks of 100 ns from the time CSR. */
#include "bench/guest/bare.h"
#include "bench/kernels.h"

void bare_main(void)
{
    for (size_t i = 0; i < bench_kernels_n; i++) {
        const struct kernel *k = &bench_kernels[i];
        u64 instret = 0, best = UINT64_MAX, sum = 0;

        for (int run = 0; run < KERNEL_RUNS; run++) {
            u64 retired = csr_read("instret"), begin = csr_read("time"), ticks;

            sum = k->run(k->rounds);
            ticks = csr_read("time") - begin;
            instret = csr_read("instret") - retired;
            best = ticks < best ? ticks : best;
        }
        print("compute ");
        print(k->name);
        print(" ");
        print_dec(instret);
        print(" ");
        print_dec(best);
        print(" ");
        print_hex(sum);
        print("\n");
    }
}
