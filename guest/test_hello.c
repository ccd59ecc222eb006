/* SPDX-License-Identifier: MIT */
/* Says hello a few times, with some computing in between. */
#include "kernel.h"

int guest_main(struct guest *g)
{
    for (int i = 0; i < 3; i++) {
        uint64_t end = time_now() + g->timebase / 20;

        say("hello %d from %s, %lu MiB, bootargs '%s'\n", i, g->name, g->ram_size >> 20,
            g->bootargs);
        while (time_now() < end)
            ;
    }
    return 0;
}
