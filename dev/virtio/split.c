/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (virtio 1.2, 2.7). The driver's part is the available ring: flags, idx,
 * ring[size], used_event, words of 16 bits. The device's part is the used ring: flags, idx, then
 * size elements of id and len (32 bits each), then avail_event.
 */
#include "dev/virtio/ring.h"

enum { FLAGS = 0, IDX = 2, RING = 4, USED_ELEMENT = 8 };
enum { NO_INTERRUPT = 1, NO_NOTIFY = 1 };

const char *split_enable(struct virtq *q)
{
    if (q->size & (q->size - 1))
        return "the queue's size is not a power of 2";
    if (q->driver_pa % 2 || q->device_pa % 4)
        return "a ring is not aligned";
    q->driver = mem_ram(q->mem, q->driver_pa, RING + 2 * (uint64_t)q->size + 2);
    q->device = mem_ram(q->mem, q->device_pa, RING + USED_ELEMENT * (uint64_t)q->size + 2);
    if (!q->driver || !q->device)
        return "a ring is not in RAM";
    q->avail = (struct virtq_place){0};
    q->used = (struct virtq_place){0};
    return NULL;
}

/* Follow a chain through a table of n descriptors from entry i on. In a table that is indirect
 * itself another indirect one is wrong. */
static const char *follow(struct virtq *q, struct virtq_chain *chain, const uint8_t *table,
                          unsigned n, unsigned i, bool indirect)
{
    for (unsigned seen = 0; seen < n; seen++) {
        struct ring_desc d;
        const char *why;
        uint16_t flags;

        if (i >= n)
            return "a descriptor's number is too large";
        d = ring_read_desc(table, i);
        flags = d.word[0];
        if (flags & DESC_INDIRECT) {
            if (indirect || (flags & DESC_NEXT))
                return "an indirect descriptor where none may be";
            why = ring_table(q, &d, &table, &n);
            return why ? why : follow(q, chain, table, n, 0, true);
        }
        why = ring_add(q, chain, d.addr, d.len, flags & DESC_WRITE);
        if (why || !(flags & DESC_NEXT))
            return why;
        i = d.word[1];
    }
    return "a chain does not end";
}

int split_pop(struct virtq *q, struct virtq_chain *chain, const char **why)
{
    uint16_t idx = ring_load16(q->driver + IDX, __ATOMIC_ACQUIRE);
    uint16_t waiting = (uint16_t)(idx - q->avail.at), head;

    if (waiting == 0)
        return 0;
    *why = "more buffers are available than the queue holds";
    if (waiting > q->size)
        return -1;
    head = ring_load16(q->driver + RING + 2 * (size_t)(q->avail.at % q->size), __ATOMIC_RELAXED);
    *why = follow(q, chain, q->desc, q->size, head, false);
    if (*why)
        return -1;
    chain->id = head;
    q->avail.at++;
    return 1;
}

void split_fill(struct virtq *q, const struct virtq_chain *chain, uint32_t written)
{
    uint8_t *element = q->device + RING + USED_ELEMENT * (size_t)(q->used.at % q->size);

    ring_store32(element, chain->id);
    ring_store32(element + 4, written);
    q->used.at++;
}

void split_publish(struct virtq *q)
{
    ring_store16(q->device + IDX, q->used.at, __ATOMIC_RELEASE);
}

bool split_should_tell(struct virtq *q)
{
    uint16_t before = q->told.at, now = q->used.at, event;
    bool first = !q->told_valid;

    /* The driver stores its wish and then looks at our index; we the other way round (2.7.8.2). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    q->told = q->used;
    q->told_valid = true;
    if (!q->event_index)
        return !(ring_load16(q->driver + FLAGS, __ATOMIC_RELAXED) & NO_INTERRUPT);
    event = ring_load16(q->driver + RING + 2 * (size_t)q->size, __ATOMIC_RELAXED);
    return first || (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

void split_want_notify(struct virtq *q, bool on)
{
    if (q->event_index) { /* else the index stays behind, where it is never reached soon */
        if (on)
            ring_store16(q->device + RING + USED_ELEMENT * (size_t)q->size, q->avail.at,
                         __ATOMIC_RELAXED);
    } else {
        ring_store16(q->device + FLAGS, on ? 0 : NO_NOTIFY, __ATOMIC_RELAXED);
    }
}
