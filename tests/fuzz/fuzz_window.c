/* SPDX-License-Identifier: MIT */
/*
 * Window instructions, for libFuzzer: the bytes of the input choose instructions, operands and
 * table changes; the engine must do what the model does.
 */
#include "tests/model/differ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *at, *end;
};

/* Two bytes a number: most choices are small. A number that is asked for in full is made of them by
 * the same mixing as the random test's. */
static uint64_t next(void *entropy)
{
    struct bytes *b = entropy;
    uint64_t state = 0;

    for (unsigned i = 0; i < 2 && b->at < b->end; i++)
        state = state << 8 | *b->at++;
    return differ_random(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {.at = data, .end = data + size};
    struct differ *d = malloc(sizeof(*d));

    if (!d || differ_init(d, next, &bytes) != 0)
        abort();
    while (bytes.at < bytes.end) {
        if (!differ_step(d)) {
            fprintf(stderr, "%s\n", d->last);
            abort();
        }
    }
    differ_free(d);
    free(d);
    return 0;
}
