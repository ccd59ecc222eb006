/* SPDX-License-Identifier: MIT */
/*
 * Virtqueues (virtio 1.2, 2.6 to 2.8), the device's side: split and packed rings, indirect
 * descriptors, event index.
 *
 * Rings and buffers are the guest's memory, and the guest may change them at any moment. So each
 * field is read once, what was read is checked and used, and it is not looked at again. Every
 * address goes through mem_ram with its length. Every loop ends after as many turns as the
 * queue or a chain may have descriptors. What a sound driver never does makes virtq_pop fail with a
 * text; the caller then puts the device into DEVICE_NEEDS_RESET.
 *
 * A queue is used by one thread at a time: the one that does the device's work, or, while that
 * is paused, the one that sets the queue up.
 */
#ifndef DEV_VIRTIO_QUEUE_H
#define DEV_VIRTIO_QUEUE_H

#include "mem/mem.h"

#include <sys/uio.h>

enum {
    VIRTQ_SIZE_MAX = 256,
    VIRTQ_CHAIN_MAX = 1024, /* descriptors of one buffer; also what the host's preadv takes */
};

/* One direction of a buffer: what of it was not yet consumed. */
struct virtq_side {
    struct iovec *iov;
    unsigned n;
    uint64_t bytes;
};

/* A buffer that the driver made available: what the device reads and what it writes. */
struct virtq_chain {
    uint16_t id;    /* what names it when it is used */
    uint16_t slots; /* packed: ring entries that it takes */
    struct virtq_side out, in;
    uint64_t in_size; /* bytes of `in` at first */
    unsigned iov_n;
    struct iovec iov[VIRTQ_CHAIN_MAX];
};

/* A place in a ring: an index modulo 2^16 (split), or an entry and its wrap counter (packed). */
struct virtq_place {
    uint16_t at;
    bool wrap;
};

struct virtq {
    const struct mem *mem;

    /* As the driver set it up. */
    uint16_t size;
    uint64_t desc_pa, driver_pa, device_pa;
    bool ready, packed, indirect, event_index;

    /* In use, while ready. */
    uint8_t *desc, *driver, *device; /* host addresses of the three parts */
    struct virtq_place avail, used;  /* next to be taken, next to be filled */
    struct virtq_place told;         /* `used` when the driver was last told or could have been */
    bool told_valid;
    bool held;                       /* packed: the first entry of a batch waits for its flags */
    uint16_t held_at, held_flags;
};

/* Start using the rings at the three addresses. Result: NULL, or what is wrong with them. */
const char *virtq_enable(struct virtq *q);
/* As after reset: not ready, no addresses. */
void virtq_clear(struct virtq *q, const struct mem *mem);

/* Take the next available buffer. Result: 1; 0: none is available; -1: the driver broke the rules,
 * in the way that *why says. */
int virtq_pop(struct virtq *q, struct virtq_chain *chain, const char **why);
/* Go back to a place that q->avail had: what was popped since is available again. */
static inline void virtq_rewind(struct virtq *q, struct virtq_place to)
{
    q->avail = to;
}

/* Give a buffer back, after writing `written` bytes of it. The driver sees all that was filled
 * at once when it is published. */
void virtq_fill(struct virtq *q, const struct virtq_chain *chain, uint64_t written);
void virtq_publish(struct virtq *q);
/* After publishing: whether the driver wants to be told. */
bool virtq_should_tell(struct virtq *q);

/* Whether the driver should notify when it makes buffers available. Having switched it on, look for
 * buffers once more: one may have slipped in. */
void virtq_want_notify(struct virtq *q, bool on);

/* --- Buffers --- */

/* Take n bytes from the front. Result: false where there are fewer; nothing is taken then. */
bool virtq_read(struct virtq_side *out, void *to, size_t n);
bool virtq_write(struct virtq_side *in, const void *from, size_t n);
/* Leave n bytes out of the front. */
bool virtq_skip(struct virtq_side *side, uint64_t n);
/* Write one byte to the end of the side, and take it off it. */
bool virtq_write_last(struct virtq_side *in, uint8_t value);

#endif
