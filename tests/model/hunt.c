/* SPDX-License-Identifier: MIT */
/* Looks for a difference between the model and a broken window engine, which it is linked with.
 * Exit status 0: found, as it should be. */
#include "tests/model/differ.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    enum { SEEDS = 8, STEPS = 40000 };

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct differ *d = malloc(sizeof(*d));
        uint64_t entropy = seed;
        bool same = true;

        if (!d || differ_init(d, differ_random, &entropy) != 0)
            return 2;
        while (same && d->steps < STEPS)
            same = differ_step(d);
        if (!same) {
            printf("found: seed %llu, %s\n", (unsigned long long)seed, d->last);
            differ_free(d);
            free(d);
            return 0;
        }
        differ_free(d);
        free(d);
    }
    printf("not found in %d runs of %d steps\n", SEEDS, STEPS);
    return 1;
}
