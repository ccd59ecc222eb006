/* SPDX-License-Identifier: MIT */
#include "machine/virtio.h"

#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/entropy.h"
#include "dev/virtio/net.h"
#include "dev/virtio/p9.h"
#include "machine/machine.h"
#include "machine/memmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Put a device that was just made into the next slot; NULL: it could not be made, and *err says
 * why (a pointer: the call that makes v, and sets it, is an argument, too). */
static int add(struct machine *m, struct virtio *v, const int *err)
{
    struct virtio_slots *s = &m->virtio;

    if (!v)
        return *err;
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
        if (!config->disks[i].path) {
            log_error(&m->log, "disk %u: NULL; expected a file", i);
            return -EINVAL;
        }
        const struct blk_setup blk = {
            .path = config->disks[i].path,
            .readonly = config->disks[i].readonly,
            .queues = m->harts_n < BLK_QUEUES_MAX ? m->harts_n : BLK_QUEUES_MAX,
            .number = i,
        };
        err = add(m, blk_new(&blk, setup, &err), &err);
    }
    return err;
}

static struct net_backend *make_user(struct machine *m, const struct isthmus_net *net, int *error)
{
    struct net_forward *forwards = calloc(net->forwards_n + 1, sizeof(*forwards));
    struct net_backend *b;

    *error = -ENOMEM;
    if (!forwards) {
        log_error(&m->log, "network: not enough memory");
        return NULL;
    }
    for (uint32_t i = 0; i < net->forwards_n; i++) {
        const struct isthmus_forward *f = &net->forwards[i];
        forwards[i] =
            (struct net_forward){f->udp, f->host, f->guest, f->host_port, f->guest_port};
    }
    b = net_user_new(forwards, net->forwards_n, &m->log, error);
    free(forwards);
    return b;
}

static int add_net(struct machine *m, const struct isthmus_net *net,
                   const struct virtio_setup *setup)
{
    static const uint8_t none[MAC_BYTES], mac[MAC_BYTES] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    struct net_backend *b;
    int err;

    if (net->kind == ISTHMUS_NET_NONE)
        return 0;
    if (m->deterministic) {
        log_error(&m->log, "net: no two runs with a network are the same; expected none, or no "
                           "deterministic machine");
        return -EINVAL;
    }
    if (net->kind != ISTHMUS_NET_USER && (net->kind != ISTHMUS_NET_TAP || !net->ifname)) {
        log_error(&m->log, "net: expected none, user, or tap with ifname");
        return -EINVAL;
    }
    b = net->kind == ISTHMUS_NET_USER ? make_user(m, net, &err)
                                      : net_tap_new(net->ifname, &m->log, &err);
    if (!b)
        return err;
    return add(m,
               virtio_net_new(b, memcmp(net->mac, none, MAC_BYTES) ? net->mac : mac, setup, &err),
               &err);
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
        err = add_net(m, &config->net, &setup);
    if (!err && config->share)
        err = add(m, virtio_p9_new(config->share, "share", &setup, &err), &err);
    if (!err && config->virtio_console)
        err = add(m, virtio_console_new(&m->hvc, &setup, &err), &err);
    if (!err)
        err = add(m, entropy_new(m->deterministic, &setup, &err), &err);
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
