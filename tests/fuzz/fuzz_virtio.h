/* SPDX-License-Identifier: MIT */
/*
 * Any driver: the input is a program of register accesses, stores to memory and buffers, run
 * against one device, which works on this thread. What must hold: the device touches no host memory
 * but the guest's RAM (the sanitizers look), ends each request, and after a reset serves again.
 */
#ifndef TESTS_FUZZ_FUZZ_VIRTIO_H
#define TESTS_FUZZ_FUZZ_VIRTIO_H

#include "dev/virtio/mmio.h"

#include <stdlib.h>
#include <string.h>

#define RAM UINT64_C(0x80000000)
enum { RAM_BYTES = 1 << 18, AREA = 0x4000, DRIVER_PART = 0x1000, DEVICE_PART = 0x2000 };

struct input {
    const uint8_t *bytes;
    size_t n;
};

static inline uint64_t take(struct input *in, unsigned n)
{
    uint64_t value = 0;

    for (; n && in->n; n--, in->n--)
        value = value << 8 | *in->bytes++;
    return value;
}

static inline void reg(struct virtio_slot *slot, uint64_t off, uint64_t value)
{
    virtio_mmio_ops.write(slot, off, 4, (uint32_t)value);
}

static inline void address(struct virtio_slot *slot, uint64_t off, uint64_t pa)
{
    reg(slot, off, pa);
    reg(slot, off + 4, pa >> 32);
}

/* A sound driver's start, but for the features' choice, the size and the place of the rings. */
static inline void start(struct virtio_slot *slot, struct input *in)
{
    uint64_t features = (slot->device->offered & ~take(in, 8)) | VIRTIO_F_VERSION_1;
    unsigned size_log2 = take(in, 1) % 9;

    reg(slot, VIRTIO_MMIO_STATUS, 0);
    reg(slot, VIRTIO_MMIO_STATUS, 3);
    for (uint32_t i = 0; i < 2; i++) {
        reg(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
        reg(slot, VIRTIO_MMIO_DRIVER_FEATURES, features >> (32 * i));
    }
    reg(slot, VIRTIO_MMIO_STATUS, 11);
    for (uint32_t q = 0; q < slot->device->queues_n; q++) {
        reg(slot, VIRTIO_MMIO_QUEUE_SEL, q);
        reg(slot, VIRTIO_MMIO_QUEUE_SIZE, 1u << size_log2);
        address(slot, VIRTIO_MMIO_QUEUE_DESC, RAM + q * AREA);
        address(slot, VIRTIO_MMIO_QUEUE_DRIVER, RAM + q * AREA + DRIVER_PART);
        address(slot, VIRTIO_MMIO_QUEUE_DEVICE, RAM + q * AREA + DEVICE_PART);
        reg(slot, VIRTIO_MMIO_QUEUE_READY, 1);
    }
    reg(slot, VIRTIO_MMIO_STATUS, 15);
}

/* Store some bytes of the input at an address that it names. */
static inline void store(const struct mem *mem, struct input *in)
{
    uint64_t off = take(in, 3) % RAM_BYTES, n = take(in, 1);

    n = min_u64(min_u64(n, in->n), RAM_BYTES - off);
    memcpy(mem->ram + off, in->bytes, n);
    in->bytes += n;
    in->n -= n;
}

/* Store a descriptor, and an index to the available ring, of a queue. */
static inline void descriptor(const struct mem *mem, struct input *in)
{
    unsigned queue = take(in, 1) % 3, slot = take(in, 1), at = take(in, 1);
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t a, b;
    } d = {RAM + take(in, 3), (uint32_t)take(in, 2), (uint16_t)take(in, 2), (uint16_t)take(in, 2)};
    uint16_t idx = (uint16_t)take(in, 2), head = (uint16_t)slot;
    uint8_t *area = mem->ram + queue * AREA;

    memcpy(area + 16 * slot, &d, sizeof(d));
    memcpy(area + DRIVER_PART + 4 + 2 * at, &head, 2);
    memcpy(area + DRIVER_PART + 2, &idx, 2);
}

static inline void no_log(void *opaque, enum log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    (void)text;
}

/* Run the program against the device v, over mem. */
static inline void drive(struct virtio *v, const struct mem *mem, const uint8_t *bytes, size_t n)
{
    struct input in = {bytes, n};
    struct virtio_slot slot = {v};
    uint64_t value;

    memset(mem->ram, 0, RAM_BYTES);
    worker_resume(&v->worker);
    while (in.n) {
        switch (take(&in, 1) % 8) {
        case 0:
            start(&slot, &in);
            break;
        case 1:
        case 2:
            store(mem, &in);
            break;
        case 3:
        case 4:
            descriptor(mem, &in);
            break;
        case 5:
        case 6:
            reg(&slot, VIRTIO_MMIO_QUEUE_NOTIFY, take(&in, 1) % 4);
            break;
        default:
            value = take(&in, 2);
            if (value & 0x8000)
                virtio_mmio_ops.read(&slot, value & 0x1fc, 4, &value);
            else
                reg(&slot, value & 0x1fc, take(&in, 4));
        }
        worker_poll(&v->worker);
    }
    worker_pause(&v->worker);
    virtio_reset(v);
}

static inline void mem_once(struct mem *mem)
{
    if (!mem->ram && mem_init(mem, RAM, RAM_BYTES, 0x1000, 0x1000, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
