/* SPDX-License-Identifier: MIT */
#include "dev/virtio/device.h"

#include <string.h>

enum { BATCH = 2 * VIRTQ_SIZE_MAX }; /* buffers that are served before others get their turn */

static void work(void *opaque, uint64_t kicks)
{
    struct virtio *v = opaque;

    for (unsigned n = 0; n < v->queues_n; n++)
        if ((kicks & BIT(n)) && virtio_usable(v, n))
            v->ops->serve(v, n);
}

static unsigned prepare(void *opaque, struct pollfd *fds, unsigned max, int *timeout_ms)
{
    struct virtio *v = opaque;

    return v->ops->prepare(v, fds, max, timeout_ms);
}

static void polled(void *opaque, struct pollfd *fds, unsigned n)
{
    struct virtio *v = opaque;

    v->ops->polled(v, fds, n);
}

static void clear(struct virtio *v)
{
    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++)
        virtq_clear(&v->queues[n], v->mem);
    v->features = 0;
    v->offered_sel = v->features_sel = v->queue_sel = 0;
    v->status = v->interrupts = 0;
    v->running = false;
    __atomic_store_n(&v->broken, false, __ATOMIC_RELAXED);
}

int virtio_init(struct virtio *v, const struct virtio_setup *setup)
{
    static const struct worker_ops plain = {work, NULL, NULL}, polling = {work, prepare, polled};
    int err;

    v->mem = setup->mem;
    v->log = setup->log;
    v->offered |= VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
                  VIRTIO_F_RING_PACKED | VIRTIO_F_RING_RESET;
    v->offered &= ~setup->without;
    clear(v);
    err = worker_init(&v->worker, v->name, setup->threaded, v->ops->prepare ? &polling : &plain, v);
    if (err) {
        log_error(v->log, "%s: cannot start its thread: %s", v->name, strerror(-err));
        return err;
    }
    pthread_mutex_init(&v->lock, NULL);
    return 0;
}

void virtio_free(struct virtio *v)
{
    if (!v)
        return;
    worker_free(&v->worker);
    pthread_mutex_destroy(&v->lock);
    v->ops->free(v);
}

void virtio_reset(struct virtio *v)
{
    worker_pause(&v->worker);
    pthread_mutex_lock(&v->lock);
    clear(v);
    irq_drive(&v->irq, false);
    pthread_mutex_unlock(&v->lock);
    if (v->ops->reset)
        v->ops->reset(v);
    worker_resume(&v->worker);
}

static void raise_locked(struct virtio *v, uint32_t interrupts)
{
    v->interrupts |= interrupts;
    irq_drive(&v->irq, v->interrupts != 0);
}

void virtio_interrupt(struct virtio *v, uint32_t interrupts)
{
    pthread_mutex_lock(&v->lock);
    raise_locked(v, interrupts);
    pthread_mutex_unlock(&v->lock);
}

void virtio_fail(struct virtio *v, const char *why)
{
    bool first;

    pthread_mutex_lock(&v->lock);
    first = !v->broken;
    __atomic_store_n(&v->broken, true, __ATOMIC_RELAXED);
    v->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (first && (v->status & VIRTIO_STATUS_DRIVER_OK))
        raise_locked(v, VIRTIO_INTERRUPT_CONFIG);
    pthread_mutex_unlock(&v->lock);
    if (first)
        log_warn(v->log, "virtio %s %s: the driver broke the rules: %s; the device needs a reset",
                 v->ops->what, v->name, why);
}

bool virtio_pop(struct virtio *v, unsigned n, struct virtq_chain *chain)
{
    const char *why;
    int got;

    if (!virtio_usable(v, n))
        return false;
    got = virtq_pop(&v->queues[n], chain, &why);
    if (got < 0)
        virtio_fail(v, why);
    return got > 0;
}

void virtio_publish(struct virtio *v, unsigned n)
{
    virtq_publish(&v->queues[n]);
    if (virtq_should_tell(&v->queues[n]))
        virtio_interrupt(v, VIRTIO_INTERRUPT_USED);
}

void virtio_push(struct virtio *v, unsigned n, const struct virtq_chain *chain, uint64_t written)
{
    virtq_fill(&v->queues[n], chain, written);
    virtio_publish(v, n);
}

void virtio_serve_all(struct virtio *v, unsigned n, struct virtq_chain *chain,
                      void (*request)(struct virtio *v, unsigned n, struct virtq_chain *chain))
{
    struct virtq *q = &v->queues[n];
    unsigned served = 0;

    virtq_want_notify(q, false);
    for (;;) {
        while (virtio_pop(v, n, chain)) {
            request(v, n, chain);
            if (++served == BATCH || worker_should_yield(&v->worker)) {
                worker_kick(&v->worker, BIT(n));
                return;
            }
        }
        if (!virtio_usable(v, n))
            return;
        virtq_want_notify(q, true);
        if (!virtio_pop(v, n, chain))
            return;
        virtq_want_notify(q, false);
        request(v, n, chain);
        served++;
    }
}
