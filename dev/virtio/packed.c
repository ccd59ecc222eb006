/* SPDX-License-Identifier: MIT */
/*
 * Packed virtqueues (virtio 1.2, 2.8). One ring of descriptors is for both directions; two flags of
 * a descriptor, compared with a wrap counter, say whose it is. The driver's and the device's part
 * are event suppression structures: offset and wrap bit (16 bits), flags (16 bits).
 */
#include "dev/virtio/ring.h"

enum { DESC_LEN = 8, DESC_ID = 12, DESC_FLAGS = 14 };
enum { EVENT_OFFSET = 0, EVENT_FLAGS = 2, EVENT_BYTES = 4, EVENT_WRAP = 1 << 15 };
enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC, EVENT_MASK = 3 };

const char *packed_enable(struct virtq *q)
{
    if (q->driver_pa % 4 || q->device_pa % 4)
        return "an event suppression structure is not aligned";
    q->driver = mem_ram(q->mem, q->driver_pa, EVENT_BYTES);
    q->device = mem_ram(q->mem, q->device_pa, EVENT_BYTES);
    if (!q->driver || !q->device)
        return "an event suppression structure is not in RAM";
    q->avail = q->used = (struct virtq_place){.wrap = true};
    return NULL;
}

static void advance(const struct virtq *q, struct virtq_place *p, unsigned n)
{
    unsigned at = p->at + n;

    if (at >= q->size) {
        at -= q->size;
        p->wrap = !p->wrap;
    }
    p->at = (uint16_t)at;
}

static bool is_available(uint16_t flags, bool wrap)
{
    return !(flags & DESC_AVAIL) == !wrap && !(flags & DESC_USED) == wrap;
}

/* All of an indirect table belongs to the buffer; of the flags only WRITE counts there. */
static const char *add_table(struct virtq *q, struct virtq_chain *chain, const struct ring_desc *d)
{
    const uint8_t *table;
    unsigned n;
    const char *why = ring_table(q, d, &table, &n);

    for (unsigned i = 0; !why && i < n; i++) {
        struct ring_desc e = ring_read_desc(table, i);
        why = ring_add(q, chain, e.addr, e.len, e.word[1] & DESC_WRITE);
    }
    return why;
}

/* The descriptors of a chain follow each other in the ring; the last has the buffer's id. */
static const char *collect(struct virtq *q, struct virtq_chain *chain)
{
    struct virtq_place p = q->avail;

    for (unsigned seen = 1; seen <= q->size; seen++) {
        struct ring_desc d = ring_read_desc(q->desc, p.at);
        uint16_t flags = d.word[1];
        const char *why;

        if (flags & DESC_INDIRECT)
            why = seen > 1 || (flags & DESC_NEXT) ? "an indirect descriptor where none may be"
                                                   : add_table(q, chain, &d);
        else
            why = ring_add(q, chain, d.addr, d.len, flags & DESC_WRITE);
        if (why)
            return why;
        if (!(flags & DESC_NEXT)) {
            chain->id = d.word[0];
            chain->slots = (uint16_t)seen;
            return NULL;
        }
        advance(q, &p, 1);
    }
    return "a chain does not end";
}

int packed_pop(struct virtq *q, struct virtq_chain *chain, const char **why)
{
    const uint8_t *flags = q->desc + (size_t)q->avail.at * DESC_BYTES + DESC_FLAGS;

    if (!is_available(ring_load16(flags, __ATOMIC_ACQUIRE), q->avail.wrap))
        return 0;
    *why = collect(q, chain);
    if (*why)
        return -1;
    advance(q, &q->avail, chain->slots);
    return 1;
}

void packed_fill(struct virtq *q, const struct virtq_chain *chain, uint32_t written)
{
    uint8_t *entry = q->desc + (size_t)q->used.at * DESC_BYTES;
    uint16_t flags = q->used.wrap ? DESC_AVAIL | DESC_USED : 0;

    if (written)
        flags |= DESC_WRITE;
    ring_store32(entry + DESC_LEN, written);
    ring_store16(entry + DESC_ID, chain->id, __ATOMIC_RELAXED);
    if (q->held) {
        ring_store16(entry + DESC_FLAGS, flags, __ATOMIC_RELEASE);
    } else {
        q->held = true;
        q->held_at = q->used.at;
        q->held_flags = flags;
    }
    advance(q, &q->used, chain->slots);
}

void packed_publish(struct virtq *q)
{
    if (q->held)
        ring_store16(q->desc + (size_t)q->held_at * DESC_BYTES + DESC_FLAGS, q->held_flags,
                     __ATOMIC_RELEASE);
    q->held = false;
}

bool packed_should_tell(struct virtq *q)
{
    struct virtq_place before = q->told;
    bool first = !q->told_valid;
    uint16_t word, flags, event, now;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    q->told = q->used;
    q->told_valid = true;
    flags = ring_load16(q->driver + EVENT_FLAGS, __ATOMIC_ACQUIRE) & EVENT_MASK;
    if (flags != EVENT_DESC || !q->event_index)
        return flags != EVENT_DISABLE;
    if (first)
        return true;
    /* Entries since `before`, counted from the start of the present turn of the ring. */
    word = ring_load16(q->driver + EVENT_OFFSET, __ATOMIC_RELAXED);
    event = word & ~EVENT_WRAP;
    now = q->used.at;
    if (!(word & EVENT_WRAP) == q->used.wrap)
        event -= q->size;
    if (before.wrap != q->used.wrap)
        before.at -= q->size;
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before.at);
}

void packed_want_notify(struct virtq *q, bool on)
{
    uint16_t flags = on ? EVENT_ENABLE : EVENT_DISABLE;

    if (on && q->event_index) {
        ring_store16(q->device + EVENT_OFFSET,
                     (uint16_t)(q->avail.at | (q->avail.wrap ? EVENT_WRAP : 0)), __ATOMIC_RELAXED);
        flags = EVENT_DESC;
    }
    ring_store16(q->device + EVENT_FLAGS, flags, __ATOMIC_RELEASE);
}
