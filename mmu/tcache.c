/* SPDX-License-Identifier: MIT */
#include "mmu/tcache.h"

#include <stdlib.h>

struct table_cache *tcache_new(void)
{
    struct table_cache *c = calloc(1, sizeof(*c));

    if (c)
        tcache_drop_all(c);
    return c;
}

void tcache_free(struct table_cache *c)
{
    free(c);
}
