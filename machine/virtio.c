/* SPDX-License-Identifier: MIT */
#include "machine/virtio.h"

#include "dev/virtio/blk.h"
#include "dev/virtio/entropy.h"
#include "machine/machine.h"
#include "machine/memmap.h"

#include <errno.h>

/* Put a device that was just made into the next slot; NULL: it could not be made. */
static int add(struct machine *m, struct virtio *v, int err)
{
    struct virtio_slots *s = &m->virtio;

    if (!v)
        return err;
    if (s->n == VIRTIO_SLOTS) {
        log_error(&m->log, "too many disks and other devices; the board has %d virtio slots, and "
                           "one is the entropy device's", VIRTIO_SLOTS);
        virtio_free(v);
        return -EINVAL;
    }
    v->irq = machine_wire(m, VIRTIO_IRQ + s->n);
    s->slots[s->n++].device = v;
    return 0;
}

static int add_disks(struct machine *m, const struct isthmus_config *config,
                     const struct virtio_setup *setup)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < config->disks_n; i++) {
        const struct blk_setup blk = {
            .path = config->disks[i].path,
            .readonly = config->disks[i].readonly,
            .queues = m->harts_n < BLK_QUEUES_MAX ? m->harts_n : BLK_QUEUES_MAX,
            .number = i,
        };
        err = add(m, blk_new(&blk, setup, &err), err);
    }
    return err;
}

int virtio_slots_init(struct machine *m, const struct isthmus_config *config)
{
    const struct virtio_setup setup = {
        .mem = &m->mem,
        .log = &m->log,
        .threaded = !m->deterministic,
    };
    int err = add_disks(m, config, &setup);

    if (!err)
        err = add(m, entropy_new(m->deterministic, &setup, &err), err);
    if (err) {
        virtio_slots_free(m);
        return err;
    }
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        mem_add_device(&m->mem, VIRTIO_BASE + i * VIRTIO_STRIDE, VIRTIO_MMIO_SIZE,
                       &virtio_mmio_ops, &m->virtio.slots[i]);
    return 0;
}

void virtio_slots_free(struct machine *m)
{
    while (m->virtio.n > 0)
        virtio_free(m->virtio.slots[--m->virtio.n].device);
}

void virtio_slots_reset(struct machine *m)
{
    for (unsigned i = 0; i < m->virtio.n; i++)
        virtio_reset(m->virtio.slots[i].device);
}

void virtio_slots_pause(struct machine *m)
{
    for (unsigned i = 0; i < m->virtio.n; i++)
        worker_pause(&m->virtio.slots[i].device->worker);
}

void virtio_slots_resume(struct machine *m)
{
    for (unsigned i = 0; i < m->virtio.n; i++)
        worker_resume(&m->virtio.slots[i].device->worker);
}

bool virtio_slots_poll(struct machine *m)
{
    bool any = false;

    for (unsigned i = 0; i < m->virtio.n; i++)
        any |= worker_poll(&m->virtio.slots[i].device->worker);
    return any;
}
