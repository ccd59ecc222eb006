/* SPDX-License-Identifier: MIT */
/* virtio-9p (virtio 1.2, 5.15; the device's part is 9P's own): a directory of the host. */
#ifndef DEV_VIRTIO_P9_H
#define DEV_VIRTIO_P9_H

#include "dev/virtio/device.h"

/* Share directory dir under the mount tag `tag` (at most 31 bytes). Result: the device, or NULL
 * with *error after logging why. */
struct virtio *virtio_p9_new(const char *dir, const char *tag, const struct virtio_setup *setup,
                             int *error);

#endif
