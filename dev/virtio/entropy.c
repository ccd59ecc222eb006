/* SPDX-License-Identifier: MIT */
#include "dev/virtio/entropy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { PIECE = 256, REQUEST_MAX = 64 * 1024 }; /* bytes: more than that a driver asks again */

struct entropy {
    struct virtio v;
    bool fixed;
    uint64_t state; /* of the fixed sequence */
    struct virtq_chain chain;
};

/* The fixed sequence: SplitMix64. */
static uint64_t next_fixed(struct entropy *e)
{
    uint64_t z = e->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Result: how many of the n bytes were made. */
static size_t make_bytes(struct entropy *e, uint8_t *to, size_t n)
{
    if (!e->fixed) {
        ssize_t got = getrandom(to, n, 0);
        return got < 0 ? 0 : (size_t)got;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)next_fixed(e);
    return n;
}

static void request(struct virtio *v, unsigned n, struct virtq_chain *c)
{
    struct entropy *e = (struct entropy *)v;
    uint64_t want = min_u64(c->in.bytes, REQUEST_MAX), done = 0;
    uint8_t piece[PIECE];

    while (done < want) {
        size_t got = make_bytes(e, piece, min_u64(want - done, sizeof(piece)));
        if (!got || !virtq_write(&c->in, piece, got))
            break;
        done += got;
    }
    virtio_push(v, n, c, done);
}

static void serve(struct virtio *v, unsigned queue)
{
    virtio_serve_all(v, queue, &((struct entropy *)v)->chain, request);
}

static void entropy_free(struct virtio *v)
{
    free(v);
}

static const struct virtio_ops entropy_ops = {
    .id = VIRTIO_ID_ENTROPY,
    .what = "entropy",
    .serve = serve,
    .free = entropy_free,
};

struct virtio *entropy_new(bool fixed, const struct virtio_setup *setup, int *error)
{
    struct entropy *e = calloc(1, sizeof(*e));

    *error = -ENOMEM;
    if (!e) {
        log_error(setup->log, "entropy: not enough memory");
        return NULL;
    }
    e->v.ops = &entropy_ops;
    e->v.queues_n = 1;
    e->fixed = fixed;
    snprintf(e->v.name, sizeof(e->v.name), "entropy");
    *error = virtio_init(&e->v, setup);
    if (*error) {
        entropy_free(&e->v);
        return NULL;
    }
    return &e->v;
}
