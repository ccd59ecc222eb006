/* SPDX-License-Identifier: MIT */
/*
 * The registers. Reads and most writes only look at or change them under the device's lock. What
 * changes things that the worker uses (status, a queue's readiness) pauses the worker first.
 */
#include "dev/virtio/mmio.h"

#include <string.h>

/* The vendor is QEMU, as on the board that this one is: xv6 drives no other vendor's disk. */
enum { MAGIC = 0x74726976, VERSION = 2, VENDOR = 0x554d4551 };

/* --- Reading --- */

static const struct virtq *selected(const struct virtio *v)
{
    return v->queue_sel < v->queues_n ? &v->queues[v->queue_sel] : NULL;
}

static uint32_t half(uint64_t value, uint32_t sel)
{
    return sel < 2 ? (uint32_t)(value >> (32 * sel)) : 0;
}

static uint32_t read_register(const struct virtio *v, uint64_t off)
{
    const struct virtq *q = selected(v);

    switch (off) {
    case VIRTIO_MMIO_DEVICE_ID:
        return v->ops->id;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return half(v->offered, v->offered_sel);
    case VIRTIO_MMIO_QUEUE_SIZE_MAX:
        return q ? VIRTQ_SIZE_MAX : 0;
    case VIRTIO_MMIO_QUEUE_READY:
        return q && q->ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return v->interrupts;
    case VIRTIO_MMIO_STATUS:
        return v->status;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return v->generation;
    default:
        return off >= VIRTIO_MMIO_SHM_LEN && off < VIRTIO_MMIO_SHM_END ? UINT32_MAX : 0;
    }
}

static uint64_t read_config(const struct virtio *v, uint64_t off, unsigned size)
{
    uint64_t value = 0;

    if (off < v->config_size)
        memcpy(&value, (const uint8_t *)v->config + off, min_u64(size, v->config_size - off));
    return value;
}

static bool mmio_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct virtio *v = ((struct virtio_slot *)dev)->device;

    *value = 0;
    if (off < VIRTIO_MMIO_CONFIG && size != 4)
        return false;
    if (off == VIRTIO_MMIO_MAGIC) {
        *value = MAGIC;
    } else if (off == VIRTIO_MMIO_VERSION) {
        *value = VERSION;
    } else if (off == VIRTIO_MMIO_VENDOR_ID) {
        *value = VENDOR;
    } else if (v) {
        pthread_mutex_lock(&v->lock);
        *value = off < VIRTIO_MMIO_CONFIG ? read_register(v, off)
                                          : read_config(v, off - VIRTIO_MMIO_CONFIG, size);
        pthread_mutex_unlock(&v->lock);
    }
    return true;
}

/* --- Writing --- */

/* Features may be chosen once the driver knows the device and until it says FEATURES_OK. */
static void write_features(struct virtio *v, uint32_t value)
{
    unsigned shift = 32 * v->features_sel;

    if (v->features_sel < 2 && !(v->status & VIRTIO_STATUS_FEATURES_OK))
        v->features = (v->features & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void set_half(uint64_t *address, unsigned high, uint32_t value)
{
    *address = high ? (*address & UINT32_MAX) | (uint64_t)value << 32
                    : (*address & ~(uint64_t)UINT32_MAX) | value;
}

/* What describes a queue stays as it is while the queue is in use. */
static void write_queue(struct virtio *v, uint64_t off, uint32_t value)
{
    struct virtq *q = v->queue_sel < v->queues_n ? &v->queues[v->queue_sel] : NULL;

    if (!q || q->ready)
        return;
    switch (off & ~UINT64_C(4)) {
    case VIRTIO_MMIO_QUEUE_DESC:
        set_half(&q->desc_pa, off & 4, value);
        break;
    case VIRTIO_MMIO_QUEUE_DRIVER:
        set_half(&q->driver_pa, off & 4, value);
        break;
    case VIRTIO_MMIO_QUEUE_DEVICE:
        set_half(&q->device_pa, off & 4, value);
        break;
    default:
        q->size = value > VIRTQ_SIZE_MAX ? 0 : (uint16_t)value;
        break;
    }
}

static void write_register(struct virtio *v, uint64_t off, uint32_t value)
{
    switch (off) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        v->offered_sel = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        write_features(v, value);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        v->features_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        v->queue_sel = value;
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        v->interrupts &= ~value;
        irq_drive(&v->irq, v->interrupts != 0);
        break;
    case VIRTIO_MMIO_QUEUE_SIZE:
    case VIRTIO_MMIO_QUEUE_DESC:
    case VIRTIO_MMIO_QUEUE_DESC + 4:
    case VIRTIO_MMIO_QUEUE_DRIVER:
    case VIRTIO_MMIO_QUEUE_DRIVER + 4:
    case VIRTIO_MMIO_QUEUE_DEVICE:
    case VIRTIO_MMIO_QUEUE_DEVICE + 4:
        write_queue(v, off, value);
        break;
    }
}

/* --- Writing what the worker depends on: it is paused --- */

/* Whether the device can do what the driver chose. A device may go on without VERSION_1 (6.2),
 * which xv6 for one never asks for; only a network card's header depends on it. */
static bool features_fit(const struct virtio *v)
{
    return !(v->features & ~v->offered) &&
           ((v->features & VIRTIO_F_VERSION_1) || v->ops->id != VIRTIO_ID_NET);
}

/* Status bits are only ever set; FEATURES_OK stays clear where the choice is not possible (3.1.1).
 * Result: whether the driver became ready. */
static bool write_status(struct virtio *v, uint32_t value)
{
    bool was_running = v->status & VIRTIO_STATUS_DRIVER_OK;

    value &= ~(uint32_t)VIRTIO_STATUS_NEEDS_RESET;
    if (!features_fit(v))
        value &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK;
    if (!((v->status | value) & VIRTIO_STATUS_FEATURES_OK))
        value &= ~(uint32_t)VIRTIO_STATUS_DRIVER_OK;
    v->status |= value & 0xff;
    v->running = v->status & VIRTIO_STATUS_DRIVER_OK;
    return v->running && !was_running;
}

static void change_status(struct virtio *v, uint32_t value)
{
    bool starts;

    if (value == 0) {
        virtio_reset(v);
        return;
    }
    worker_pause(&v->worker);
    pthread_mutex_lock(&v->lock);
    starts = write_status(v, value);
    pthread_mutex_unlock(&v->lock);
    if (starts && v->ops->start)
        v->ops->start(v);
    worker_resume(&v->worker);
    if (starts)
        worker_kick(&v->worker, BIT(v->queues_n) - 1);
}

/* Result: what is wrong with the queue, or NULL. */
static const char *set_ready(struct virtio *v, bool ready)
{
    struct virtq *q = v->queue_sel < v->queues_n ? &v->queues[v->queue_sel] : NULL;

    if (!q || q->ready == ready)
        return NULL;
    if (!ready) {
        q->ready = false;
        return NULL;
    }
    if (!(v->status & VIRTIO_STATUS_FEATURES_OK))
        return "a queue before features were settled";
    q->packed = virtio_has(v, VIRTIO_F_RING_PACKED);
    q->indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC);
    q->event_index = virtio_has(v, VIRTIO_F_EVENT_IDX);
    return virtq_enable(q);
}

static void change_ready(struct virtio *v, uint32_t value)
{
    const char *why;
    unsigned n;

    worker_pause(&v->worker);
    pthread_mutex_lock(&v->lock);
    n = v->queue_sel;
    why = set_ready(v, value & 1);
    pthread_mutex_unlock(&v->lock);
    worker_resume(&v->worker);
    if (why)
        virtio_fail(v, why);
    else if (n < v->queues_n)
        worker_kick(&v->worker, BIT(n));
}

/* A queue alone is reset (2.6.1): it is done when this returns, and the register reads 0. */
static void reset_queue(struct virtio *v, uint32_t value)
{
    worker_pause(&v->worker);
    pthread_mutex_lock(&v->lock);
    if ((value & 1) && v->queue_sel < v->queues_n && virtio_has(v, VIRTIO_F_RING_RESET))
        virtq_clear(&v->queues[v->queue_sel], v->mem);
    pthread_mutex_unlock(&v->lock);
    worker_resume(&v->worker);
}

static bool mmio_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct virtio *v = ((struct virtio_slot *)dev)->device;

    if (off < VIRTIO_MMIO_CONFIG && size != 4)
        return false;
    if (!v)
        return true;
    switch (off) {
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        if (value < v->queues_n)
            worker_kick(&v->worker, BIT(value));
        break;
    case VIRTIO_MMIO_STATUS:
        change_status(v, (uint32_t)value);
        break;
    case VIRTIO_MMIO_QUEUE_READY:
        change_ready(v, (uint32_t)value);
        break;
    case VIRTIO_MMIO_QUEUE_RESET:
        reset_queue(v, (uint32_t)value);
        break;
    default:
        pthread_mutex_lock(&v->lock);
        write_register(v, off, (uint32_t)value);
        pthread_mutex_unlock(&v->lock);
        break;
    }
    return true;
}

const struct device_ops virtio_mmio_ops = {"virtio", mmio_read, mmio_write};
