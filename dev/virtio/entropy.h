/* SPDX-License-Identifier: MIT */
/* virtio-entropy (virtio 1.2, 5.4): random bytes. */
#ifndef DEV_VIRTIO_ENTROPY_H
#define DEV_VIRTIO_ENTROPY_H

#include "dev/virtio/device.h"

/* fixed: the same bytes in every run, for machines whose runs are to be the same; else the host's
 * getrandom. Result: the device, or NULL with *error after logging why. */
struct virtio *entropy_new(bool fixed, const struct virtio_setup *setup, int *error);

#endif
