/* SPDX-License-Identifier: MIT */
/* virtio-blk (virtio 1.2, 5.2) over a raw file or block device of the host. */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "dev/virtio/device.h"

struct blk_setup {
    const char *path;
    bool readonly;
    unsigned queues; /* 1 to BLK_QUEUES_MAX */
    unsigned number; /* of the disk: 0, 1, ... */
};

enum { BLK_QUEUES_MAX = 8 };

/* Open the file, lock it against other writers, and make the device. Result: the device, or NULL
 * with *error (a negative errno) after logging why. */
struct virtio *blk_new(const struct blk_setup *blk, const struct virtio_setup *setup, int *error);

#endif
