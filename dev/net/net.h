/* SPDX-License-Identifier: MIT */
/*
 * What is at the other end of a network card: a backend that takes Ethernet frames from the guest
 * and hands it others. A card and its backend work on one thread, the card's worker.
 *
 * Frames carry the header of virtio-net (virtio 1.2, 5.1.6), by which checksums and the cutting of
 * large TCP segments are left to whoever is next.
 */
#ifndef DEV_NET_NET_H
#define DEV_NET_NET_H

#include "base/bits.h"
#include "base/log.h"

#include <poll.h>

enum { NET_NEEDS_CSUM = 1, NET_DATA_VALID = 2 };                            /* flags */
enum { NET_GSO_NONE = 0, NET_GSO_TCPV4 = 1, NET_GSO_TCPV6 = 4, NET_GSO_ECN = 0x80 };

struct net_header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

enum { NET_FRAME_MAX = 65536 + 14 + 4 }; /* bytes, with offload */

/* Features of virtio-net that depend on the backend (5.1.3). */
#define NET_F_CSUM BIT(0)
#define NET_F_GUEST_CSUM BIT(1)
#define NET_F_GUEST_TSO4 BIT(7)
#define NET_F_GUEST_TSO6 BIT(8)
#define NET_F_GUEST_ECN BIT(9)
#define NET_F_HOST_TSO4 BIT(11)
#define NET_F_HOST_TSO6 BIT(12)
#define NET_F_HOST_ECN BIT(13)

struct net_backend;
struct net_backend_ops {
    /* A frame of n bytes from the guest, with the work that the header leaves over. */
    void (*send)(struct net_backend *b, const struct net_header *header, uint8_t *frame, size_t n);
    /* The driver's choice among `features`. May be NULL. */
    void (*choose)(struct net_backend *b, uint64_t features);
    /* As of struct worker_ops. room: there is room for frames for the guest. */
    unsigned (*prepare)(struct net_backend *b, struct pollfd *fds, unsigned max, int *timeout_ms,
                        bool room);
    void (*polled)(struct net_backend *b, struct pollfd *fds, unsigned n);
    void (*free)(struct net_backend *b);
};

struct net_backend {
    const struct net_backend_ops *ops;
    const struct log *log;
    uint64_t features; /* that it can do */
    /* Set by the card: takes a frame for the guest. */
    void (*receive)(void *card, const struct net_header *header, const uint8_t *frame, size_t n);
    void *card;
};

/* --- Backends --- */

/* A port of the host that leads to one of the guest. Addresses are dotted IPv4, or NULL for
 * 127.0.0.1 and for the guest's first address, 10.0.2.15. */
struct net_forward {
    bool udp;
    const char *host, *guest;
    uint16_t host_port, guest_port;
};

/* User mode: a network of its own, 10.0.2.0/24, whose gateway 10.0.2.2 is the host, and from which
 * connections go out as the host process's own. NULL with *error after logging why. */
struct net_backend *net_user_new(const struct net_forward *forwards, unsigned n,
                                 const struct log *log, int *error);

/* A TAP interface of the host, by name; it is made if need be and allowed. */
struct net_backend *net_tap_new(const char *ifname, const struct log *log, int *error);

/* --- Work that headers leave over --- */

/* Fill in the checksum that the header asks for. False where it asks for what cannot be. */
bool net_checksum(const struct net_header *header, uint8_t *frame, size_t n);

/* Cut a large TCP frame into segments with checksums, and call emit for each; frames that are not
 * large, too. False where header and frame do not fit together; nothing is emitted then. */
bool net_segment(const struct net_header *header, uint8_t *frame, size_t n,
                 void (*emit)(void *opaque, const uint8_t *frame, size_t n), void *opaque);

#endif
