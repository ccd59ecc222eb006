/* SPDX-License-Identifier: MIT */
/*
 * A virtio driver to test devices with: sets them up through their MMIO face, and lays out rings of
 * either format in a little RAM. A buffer is described by a list of parts; it is made available,
 * the device notified, and what was used is looked up in the ring.
 *
 * The device works on the calling thread (not threaded), so that a notification returns when it
 * is served.
 */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include "dev/virtio/mmio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RAM UINT64_C(0x80000000)
enum {
    RAM_BYTES = 1 << 20,
    QUEUE_AREA = 0x4000, /* of each queue: descriptors, driver's part, device's part, tables */
    DRIVER_PART = 0x1000,
    DEVICE_PART = 0x2000,
    TABLE_PART = 0x3000,
    DATA = 0x40000, /* offset of free memory */
    RING = 8,       /* entries of each queue */
};
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };

struct driver {
    struct mem mem;
    struct log log;
    char logged[1024]; /* the last line */
    unsigned lines;
    struct virtio_slot slot;
    bool irq;
    bool packed;
    uint16_t at[VIRTIO_QUEUES_MAX], used_at[VIRTIO_QUEUES_MAX];
    bool wrap[VIRTIO_QUEUES_MAX], used_wrap[VIRTIO_QUEUES_MAX];
};

struct part {
    uint64_t pa;
    uint32_t len;
    bool write;
};

static inline void driver_irq(void *opaque, unsigned number, bool level)
{
    (void)number;
    ((struct driver *)opaque)->irq = level;
}

static inline void driver_log(void *opaque, enum log_level level, const char *text)
{
    struct driver *d = opaque;

    (void)level;
    snprintf(d->logged, sizeof(d->logged), "%s", text);
    d->lines++;
}

static inline void driver_init(struct driver *d)
{
    memset(d, 0, sizeof(*d));
    d->log = (struct log){driver_log, d};
    assert_int_equal(mem_init(&d->mem, RAM, RAM_BYTES, 0x1000, 0x1000, NULL), 0);
}

static inline struct virtio_setup driver_setup(struct driver *d)
{
    return (struct virtio_setup){.mem = &d->mem, .log = &d->log};
}

static inline void driver_attach(struct driver *d, struct virtio *v)
{
    d->slot.device = v;
    v->irq = (struct irq_wire){driver_irq, d, 1};
    worker_resume(&v->worker);
}

static inline void driver_end(struct driver *d)
{
    virtio_free(d->slot.device);
    mem_free(&d->mem);
}

/* --- Registers --- */

static inline uint32_t reg_read(struct driver *d, uint64_t off)
{
    uint64_t value;

    assert_true(virtio_mmio_ops.read(&d->slot, off, 4, &value));
    return (uint32_t)value;
}

static inline void reg_write(struct driver *d, uint64_t off, uint32_t value)
{
    assert_true(virtio_mmio_ops.write(&d->slot, off, 4, value));
}

static inline uint64_t offered(struct driver *d)
{
    uint64_t low;

    reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    low = reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES);
    reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static inline void set_address(struct driver *d, uint64_t off, uint64_t pa)
{
    reg_write(d, off, (uint32_t)pa);
    reg_write(d, off + 4, (uint32_t)(pa >> 32));
}

static inline uint64_t area(unsigned queue)
{
    return RAM + queue * QUEUE_AREA;
}

static inline uint8_t *ram(struct driver *d, uint64_t pa)
{
    return d->mem.ram + (pa - RAM);
}

/* Choose features; true where the device agrees. */
static inline bool negotiate(struct driver *d, uint64_t features)
{
    reg_write(d, VIRTIO_MMIO_STATUS, 0);
    reg_write(d, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t i = 0; i < 2; i++) {
        reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
        reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * i)));
    }
    reg_write(d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_STATUS_FEATURES_OK);
    return reg_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

static inline void queue_up(struct driver *d, unsigned queue, uint32_t size)
{
    memset(ram(d, area(queue)), 0, QUEUE_AREA);
    d->at[queue] = d->used_at[queue] = 0;
    d->wrap[queue] = d->used_wrap[queue] = true;
    reg_write(d, VIRTIO_MMIO_QUEUE_SEL, queue);
    reg_write(d, VIRTIO_MMIO_QUEUE_SIZE, size);
    set_address(d, VIRTIO_MMIO_QUEUE_DESC, area(queue));
    set_address(d, VIRTIO_MMIO_QUEUE_DRIVER, area(queue) + DRIVER_PART);
    set_address(d, VIRTIO_MMIO_QUEUE_DEVICE, area(queue) + DEVICE_PART);
    reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* All the way to DRIVER_OK, with `queues` queues of RING entries. */
static inline void driver_start(struct driver *d, uint64_t features, unsigned queues)
{
    d->packed = features & VIRTIO_F_RING_PACKED;
    assert_true(negotiate(d, features | VIRTIO_F_VERSION_1));
    for (unsigned q = 0; q < queues; q++)
        queue_up(d, q, RING);
    reg_write(d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

static inline void notify(struct driver *d, unsigned queue)
{
    reg_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* The device gave the driver up: with one line, and it stays quiet. */
static inline bool needs_reset(struct driver *d)
{
    return reg_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET;
}

/* --- Rings --- */

/* What the device's thread may look at meanwhile: indices and flags, behind what they speak of. */
static inline void put16(struct driver *d, uint64_t pa, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)ram(d, pa), value, __ATOMIC_RELEASE);
}

static inline uint16_t get16(struct driver *d, uint64_t pa)
{
    return __atomic_load_n((const uint16_t *)(const void *)ram(d, pa), __ATOMIC_ACQUIRE);
}

static inline uint32_t get32(struct driver *d, uint64_t pa)
{
    uint32_t value;

    memcpy(&value, ram(d, pa), 4);
    return value;
}

/* A descriptor at pa; a and b are its last two words. */
static inline void put_desc(struct driver *d, uint64_t pa, uint64_t addr, uint32_t len, uint16_t a,
                            uint16_t b)
{
    memcpy(ram(d, pa), &addr, 8);
    memcpy(ram(d, pa) + 8, &len, 4);
    put16(d, pa + 12, a);
    put16(d, pa + 14, b);
}

/* Make descriptor `head` available (split). */
static inline void make_available(struct driver *d, unsigned queue, uint16_t head)
{
    uint64_t ring = area(queue) + DRIVER_PART;

    put16(d, ring + 4 + 2 * (d->at[queue]++ % RING), head);
    put16(d, ring + 2, d->at[queue]);
}

static inline void offer_split(struct driver *d, unsigned queue, const struct part *parts,
                               unsigned n, bool indirect)
{
    uint64_t table = area(queue) + (indirect ? TABLE_PART : 0);
    unsigned first = indirect ? 0 : d->at[queue] % RING;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = indirect ? i : (first + i) % RING;
        put_desc(d, table + 16 * at, parts[i].pa, parts[i].len,
                 (uint16_t)((i + 1 < n ? NEXT : 0) | (parts[i].write ? WRITE : 0)),
                 (uint16_t)(indirect ? i + 1 : (at + 1) % RING));
    }
    if (indirect)
        put_desc(d, area(queue), table, 16 * n, INDIRECT, 0);
    make_available(d, queue, (uint16_t)first);
}

/* The flags that make an entry available now. */
static inline uint16_t packed_flags(bool wrap)
{
    return wrap ? AVAIL : USED;
}

static inline void packed_advance(struct driver *d, uint16_t *at, bool *wrap, unsigned n)
{
    (void)d;
    if ((*at = (uint16_t)(*at + n)) >= RING) {
        *at = (uint16_t)(*at - RING);
        *wrap = !*wrap;
    }
}

static inline void offer_packed(struct driver *d, unsigned queue, const struct part *parts,
                                unsigned n, bool indirect)
{
    uint64_t ring = area(queue), table = ring + TABLE_PART;

    if (indirect) {
        for (unsigned i = 0; i < n; i++)
            put_desc(d, table + 16 * i, parts[i].pa, parts[i].len, 0, parts[i].write ? WRITE : 0);
        put_desc(d, ring + 16 * d->at[queue], table, 16 * n, 7,
                 INDIRECT | packed_flags(d->wrap[queue]));
        packed_advance(d, &d->at[queue], &d->wrap[queue], 1);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        put_desc(d, ring + 16 * d->at[queue], parts[i].pa, parts[i].len, 7,
                 (uint16_t)((i + 1 < n ? NEXT : 0) | (parts[i].write ? WRITE : 0) |
                            packed_flags(d->wrap[queue])));
        packed_advance(d, &d->at[queue], &d->wrap[queue], 1);
    }
}

/* Make a buffer available, without telling the device. */
static inline void offer(struct driver *d, unsigned queue, const struct part *parts, unsigned n,
                         bool indirect)
{
    if (d->packed)
        offer_packed(d, queue, parts, n, indirect);
    else
        offer_split(d, queue, parts, n, indirect);
}

/* Take the next used buffer of `slots` entries. Result: bytes written, or -1: there is none. */
static inline int64_t take_used(struct driver *d, unsigned queue, unsigned slots)
{
    uint64_t entry;
    uint16_t flags;

    if (!d->packed) {
        uint64_t ring = area(queue) + DEVICE_PART;
        if (get16(d, ring + 2) == d->used_at[queue])
            return -1;
        return get32(d, ring + 4 + 8 * (d->used_at[queue]++ % RING) + 4);
    }
    entry = area(queue) + 16 * d->used_at[queue];
    flags = get16(d, entry + 14);
    if (!(flags & USED) != !(flags & AVAIL) || !(flags & USED) == d->used_wrap[queue])
        return -1;
    assert_int_equal(get16(d, entry + 12), 7);
    packed_advance(d, &d->used_at[queue], &d->used_wrap[queue], slots);
    return get32(d, entry + 8);
}

/* Offer, notify, take. */
static inline int64_t exchange(struct driver *d, unsigned queue, const struct part *parts,
                               unsigned n, bool indirect)
{
    offer(d, queue, parts, n, indirect);
    notify(d, queue);
    return take_used(d, queue, indirect ? 1 : n);
}

#endif
