/* SPDX-License-Identifier: MIT */
/*
 * The board's eight virtio-mmio slots and what is in them: disks first, in their order, so that
 * the first is the guest's vda; then network, shared directory and hvc console, where there are
 * any; the entropy device last.
 */
#ifndef MACHINE_VIRTIO_H
#define MACHINE_VIRTIO_H

#include "dev/virtio/mmio.h"
#include "isthmus.h"

enum { VIRTIO_SLOTS = 8 };

struct machine;

struct virtio_slots {
    struct virtio_slot slots[VIRTIO_SLOTS];
    unsigned n; /* that have devices */
};

/* Make the devices that config names, and put the slots on the bus. They are paused. Result: 0, or
 * a negative errno after logging why. */
int virtio_slots_init(struct machine *m, const struct isthmus_config *config);
void virtio_slots_free(struct machine *m);

/* All devices as after reset. */
void virtio_slots_reset(struct machine *m);

/* While harts run, devices do; when virtio_slots_pause has returned, nothing in the machine
 * changes. */
void virtio_slots_pause(struct machine *m);
void virtio_slots_resume(struct machine *m);

/* Deterministic machines: do what devices have left over. Result: whether there was anything. */
bool virtio_slots_poll(struct machine *m);

#endif
