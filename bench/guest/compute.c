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
        u64 instret, ticks, sum;

        k->run(1); /* touch its code and data */
        ticks = csr_read("time");
        instret = csr_read("instret");
        sum = k->run(k->rounds);
        instret = csr_read("instret") - instret;
        ticks = csr_read("time") - ticks;
        print("compute ");
        print(k->name);
        print(" ");
        print_dec(instret);
        print(" ");
        print_dec(ticks);
        print(" ");
        print_hex(sum);
        print("\n");
    }
}
