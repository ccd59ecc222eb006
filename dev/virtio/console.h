/* SPDX-License-Identifier: MIT */
/* virtio-console (virtio 1.2, 5.3): one port, hvc0 under Linux. */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include "dev/chardev.h"
#include "dev/virtio/device.h"

/* A console whose outer end is c; c tells it of input from now on, and outlives it. Result: the
 * device, or NULL with *error after logging why. */
struct virtio *virtio_console_new(struct chardev *c, const struct virtio_setup *setup, int *error);

#endif
