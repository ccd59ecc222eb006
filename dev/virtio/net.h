/* SPDX-License-Identifier: MIT */
/* virtio-net (virtio 1.2, 5.1): one pair of queues, mergeable receive buffers, offloads as the
 * backend has them. */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include "dev/net/net.h"
#include "dev/virtio/device.h"

enum { MAC_BYTES = 6 };

/* Make a card in front of backend, which then belongs to it (it is freed on failure, too). Result:
 * the device, or NULL with *error after logging why. */
struct virtio *virtio_net_new(struct net_backend *backend, const uint8_t mac[MAC_BYTES],
                              const struct virtio_setup *setup, int *error);

#endif
