/* SPDX-License-Identifier: MIT */
/*
 * What every virtio device has (virtio 1.2, 2): status, features, queues, an interrupt, a
 * configuration space. A device embeds struct virtio as its first member and brings a struct
 * virtio_ops; mmio.c is the transport through which the driver sees it.
 *
 * Two threads meet here. Harts come through the transport; they hold `lock` while they look at or
 * change registers. The worker serves queues; it takes `lock` only to raise an interrupt. What the
 * worker reads (queues in use, features, running) is changed only while it is paused.
 */
#ifndef DEV_VIRTIO_DEVICE_H
#define DEV_VIRTIO_DEVICE_H

#include "dev/irq.h"
#include "dev/virtio/queue.h"
#include "dev/virtio/worker.h"

enum { VIRTIO_QUEUES_MAX = 9, VIRTIO_NAME_MAX = 16 };

/* Device IDs (5). */
enum {
    VIRTIO_ID_NET = 1,
    VIRTIO_ID_BLOCK = 2,
    VIRTIO_ID_CONSOLE = 3,
    VIRTIO_ID_ENTROPY = 4,
    VIRTIO_ID_9P = 9,
};

/* Device status (2.1). */
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* Interrupt status (4.2.2). */
enum { VIRTIO_INTERRUPT_USED = 1, VIRTIO_INTERRUPT_CONFIG = 2 };

/* Features of all devices (6). */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX BIT(29)
#define VIRTIO_F_VERSION_1 BIT(32)
#define VIRTIO_F_RING_PACKED BIT(34)
#define VIRTIO_F_RING_RESET BIT(40)

struct virtio;

struct virtio_ops {
    uint32_t id;
    const char *what; /* "block", for messages */
    /* Serve a queue that the driver kicked. */
    void (*serve)(struct virtio *v, unsigned queue);
    /* The driver is ready, features are settled; or the device was reset. May be NULL. Worker
     * paused. */
    void (*start)(struct virtio *v);
    void (*reset)(struct virtio *v);
    /* As of struct worker_ops, or NULL. */
    unsigned (*prepare)(struct virtio *v, struct pollfd *fds, unsigned max, int *timeout_ms);
    void (*polled)(struct virtio *v, struct pollfd *fds, unsigned n);
    /* End the device and free it; its worker has ended. */
    void (*free)(struct virtio *v);
};

/* How devices are made. */
struct virtio_setup {
    const struct mem *mem;
    const struct log *log;
    bool threaded;    /* work on a thread of its own */
    uint64_t without; /* features that are not offered */
};

struct virtio {
    const struct virtio_ops *ops;
    const struct mem *mem;
    const struct log *log;
    char name[VIRTIO_NAME_MAX]; /* "disk0", for messages */
    struct worker worker;
    uint64_t offered;
    const void *config; /* configuration space; the driver reads it only */
    size_t config_size;
    unsigned queues_n;

    pthread_mutex_t lock;
    struct irq_wire irq;
    uint64_t features; /* the driver's choice */
    uint32_t offered_sel, features_sel, queue_sel;
    uint32_t status, interrupts, generation;

    struct virtq queues[VIRTIO_QUEUES_MAX];
    bool running; /* DRIVER_OK, and not broken */
    bool broken;  /* NEEDS_RESET; set by whoever holds the lock, read by the worker */
};

/* Prepare the common part; ops, name, offered (without the features of all devices), config and
 * queues_n are set. The worker starts, paused. Result: 0, or a negative errno after logging why. */
int virtio_init(struct virtio *v, const struct virtio_setup *setup);
/* End the worker and the device. v may be NULL. */
void virtio_free(struct virtio *v);
/* Reset as by the driver. The worker is paused, or will be meanwhile. */
void virtio_reset(struct virtio *v);

/* --- For devices, on the worker --- */

static inline bool virtio_has(const struct virtio *v, uint64_t feature)
{
    return (v->features & feature) == feature;
}

/* Whether queue n may be served. */
static inline bool virtio_usable(const struct virtio *v, unsigned n)
{
    return v->running && !__atomic_load_n(&v->broken, __ATOMIC_RELAXED) && v->queues[n].ready;
}

/* The driver broke the rules: one line to the log, DEVICE_NEEDS_RESET, and nothing more is done
 * before it resets the device. */
void virtio_fail(struct virtio *v, const char *why);

/* Take the next buffer of queue n. False where there is none, or none may be taken. */
bool virtio_pop(struct virtio *v, unsigned n, struct virtq_chain *chain);
/* Publish what was filled, and tell the driver if it wants to be told. */
void virtio_publish(struct virtio *v, unsigned n);
/* Give one buffer back. */
void virtio_push(struct virtio *v, unsigned n, const struct virtq_chain *chain, uint64_t written);

/* Serve queue n: `request` is called for each buffer, and gives it back by virtio_push. Meanwhile
 * the driver need not notify. Returns when no buffer is left, or after many: then the rest is
 * kicked again. */
void virtio_serve_all(struct virtio *v, unsigned n, struct virtq_chain *chain,
                      void (*request)(struct virtio *v, unsigned n, struct virtq_chain *chain));

/* Raise interrupts (VIRTIO_INTERRUPT_*). Any thread. */
void virtio_interrupt(struct virtio *v, uint32_t interrupts);

#endif
