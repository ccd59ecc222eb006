/* SPDX-License-Identifier: MIT */
/*
 * Messages through a window, with one copy each.
 *
 * A channel is a ring of slots in the window owner's memory, in one direction. Two counters say how
 * far each side is: `bell` counts the messages sent, `taken` those received. The side that owns
 * the window reads and writes the ring in place; the other one by put and get:
 *
 * - peer to owner: channel_send() puts the message into a slot and rings; the owner reads it where
 *   it is (channel_receive(), channel_release()).
 * - owner to peer: channel_post() writes a slot; the peer gets it (channel_fetch()).
 *
 * One sender and one receiver; a full ring is reported, never waited for.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "ig.h"

/** No message, or no room; statuses of ig.* are returned as they are. */
#define CHANNEL_WOULD_BLOCK (-100)
/** The message is longer than a slot or than the receiver's buffer. */
#define CHANNEL_TOO_LONG (-101)

/** The start of a channel in memory; slots follow, each an 8-byte length and the bytes. */
struct channel {
    uint64_t bell;
    uint64_t taken;
    uint32_t slots;
    uint32_t slot_bytes; /* of a message, a multiple of 8 */
};

static inline uint64_t channel_slot_offset(const struct channel *c, uint64_t n)
{
    return sizeof(*c) + (n % c->slots) * (8 + (uint64_t)c->slot_bytes);
}

/** Bytes that a channel occupies. */
static inline uint64_t channel_size(uint32_t slots, uint32_t slot_bytes)
{
    return sizeof(struct channel) + (uint64_t)slots * (8 + (uint64_t)slot_bytes);
}

/** The other side's view: where the ring is in the window, and what is known of it. */
struct channel_remote {
    const struct ig_ops *ops;
    uint32_t handle;
    uint64_t at; /* remote address of the struct channel */
    struct channel ring;
};

/** Owner: make a channel of zeroed memory. */
static inline void channel_init(struct channel *c, uint32_t slots, uint32_t slot_bytes)
{
    c->bell = c->taken = 0;
    c->slots = slots;
    c->slot_bytes = slot_bytes;
}

/** Peer: attach to the channel at remote address @at. 0, CHANNEL_WOULD_BLOCK before it is
 * initialized, or a status. */
static inline int64_t channel_attach(struct channel_remote *r, const struct ig_ops *ops,
                                     uint32_t handle, uint64_t at)
{
    int64_t n;

    r->ops = ops;
    r->handle = handle;
    r->at = at;
    n = ig_get_all(ops, handle, at, &r->ring, sizeof(r->ring));
    if (n < 0)
        return n;
    return r->ring.slots && r->ring.slot_bytes % 8 == 0 ? 0 : CHANNEL_WOULD_BLOCK;
}

/** Peer: send @len bytes. 0, CHANNEL_WOULD_BLOCK when the ring is full, or a status. */
static inline int64_t channel_send(struct channel_remote *r, const void *data, uint32_t len)
{
    uint64_t slot = r->at + channel_slot_offset(&r->ring, r->ring.bell);
    uint64_t length = len;
    int64_t n;

    if (len > r->ring.slot_bytes)
        return CHANNEL_TOO_LONG;
    if (r->ring.bell - r->ring.taken >= r->ring.slots) {
        n = ig_get_all(r->ops, r->handle, r->at + 8, &r->ring.taken, 8);
        if (n < 0)
            return n;
        if (r->ring.bell - r->ring.taken >= r->ring.slots)
            return CHANNEL_WOULD_BLOCK;
    }
    n = ig_put_all(r->ops, r->handle, slot + 8, data, len);
    if (n >= 0)
        n = ig_put_all(r->ops, r->handle, slot, &length, 8);
    if (n >= 0)
        n = r->ops->ring(r->handle, r->at);
    if (n < 0)
        return n;
    r->ring.bell++;
    return 0;
}

/** Owner: the next message in place with its length, or NULL. It stays until channel_release(). */
static inline const void *channel_receive(struct channel *c, uint32_t *len)
{
    const char *slot = (const char *)c + channel_slot_offset(c, c->taken);

    if (__atomic_load_n(&c->bell, __ATOMIC_ACQUIRE) == c->taken)
        return 0;
    *len = (uint32_t) * (const volatile uint64_t *)slot;
    if (*len > c->slot_bytes)
        *len = c->slot_bytes; /* the peer is not trusted */
    return slot + 8;
}

static inline void channel_release(struct channel *c)
{
    __atomic_store_n(&c->taken, c->taken + 1, __ATOMIC_RELEASE);
}

/** Owner: post @len bytes for the peer to fetch. 0, CHANNEL_WOULD_BLOCK or CHANNEL_TOO_LONG. */
static inline int64_t channel_post(struct channel *c, const void *data, uint32_t len)
{
    char *slot = (char *)c + channel_slot_offset(c, c->bell);

    if (len > c->slot_bytes)
        return CHANNEL_TOO_LONG;
    if (c->bell - __atomic_load_n(&c->taken, __ATOMIC_ACQUIRE) >= c->slots)
        return CHANNEL_WOULD_BLOCK;
    *(volatile uint64_t *)slot = len;
    for (uint32_t i = 0; i < len; i++)
        slot[8 + i] = ((const char *)data)[i];
    __atomic_store_n(&c->bell, c->bell + 1, __ATOMIC_RELEASE);
    return 0;
}

/** Peer: fetch a posted message into @data of @size bytes. Its length, or as channel_send(). */
static inline int64_t channel_fetch(struct channel_remote *r, void *data, uint32_t size)
{
    uint64_t slot = r->at + channel_slot_offset(&r->ring, r->ring.taken);
    uint64_t length;
    uint64_t taken;
    int64_t n;

    if (r->ring.bell == r->ring.taken) {
        n = ig_get_all(r->ops, r->handle, r->at, &r->ring.bell, 8);
        if (n < 0)
            return n;
        if (r->ring.bell == r->ring.taken)
            return CHANNEL_WOULD_BLOCK;
    }
    n = ig_get_all(r->ops, r->handle, slot, &length, 8);
    if (n < 0)
        return n;
    if (length > size || length > r->ring.slot_bytes)
        return CHANNEL_TOO_LONG;
    n = ig_get_all(r->ops, r->handle, slot + 8, data, length);
    if (n < 0)
        return n;
    taken = r->ring.taken + 1;
    n = ig_put_all(r->ops, r->handle, r->at + 8, &taken, 8);
    if (n < 0)
        return n;
    r->ring.taken = taken;
    return (int64_t)length;
}

#endif
