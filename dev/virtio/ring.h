/* SPDX-License-Identifier: MIT */
/* What the two ring formats and queue.c share. */
#ifndef DEV_VIRTIO_RING_H
#define DEV_VIRTIO_RING_H

#include "dev/virtio/queue.h"

#include <string.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { DESC_BYTES = 16 };

/* A descriptor as it was read. The last two words are flags and next (split), id and flags
 * (packed). */
struct ring_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t word[2];
};

/* Read a descriptor once: what the guest stores there later changes nothing. */
static inline struct ring_desc ring_read_desc(const uint8_t *table, unsigned i)
{
    struct ring_desc d;

    memcpy(&d, table + (size_t)i * DESC_BYTES, sizeof(d));
    __asm__ volatile("" : : : "memory"); /* d is not read again from the table */
    return d;
}

static inline uint16_t ring_load16(const uint8_t *p, int order)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, order);
}

static inline void ring_store16(uint8_t *p, uint16_t value, int order)
{
    __atomic_store_n((uint16_t *)(void *)p, value, order);
}

static inline void ring_store32(uint8_t *p, uint32_t value)
{
    __atomic_store_n((uint32_t *)(void *)p, value, __ATOMIC_RELAXED);
}

/* Add the memory of a descriptor to the chain. Result: NULL, or what is wrong. */
const char *ring_add(const struct virtq *q, struct virtq_chain *chain, uint64_t addr, uint32_t len,
                     bool write);
/* Find the table of an indirect descriptor. Result: NULL with *table of *n entries, or what is
 * wrong. */
const char *ring_table(const struct virtq *q, const struct ring_desc *d, const uint8_t **table,
                       unsigned *n);

/* The formats. Results as those of the functions of queue.h. */
const char *split_enable(struct virtq *q);
int split_pop(struct virtq *q, struct virtq_chain *chain, const char **why);
void split_fill(struct virtq *q, const struct virtq_chain *chain, uint32_t written);
void split_publish(struct virtq *q);
bool split_should_tell(struct virtq *q);
void split_want_notify(struct virtq *q, bool on);

const char *packed_enable(struct virtq *q);
int packed_pop(struct virtq *q, struct virtq_chain *chain, const char **why);
void packed_fill(struct virtq *q, const struct virtq_chain *chain, uint32_t written);
void packed_publish(struct virtq *q);
bool packed_should_tell(struct virtq *q);
void packed_want_notify(struct virtq *q, bool on);

#endif
