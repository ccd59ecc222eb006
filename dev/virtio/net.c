/* SPDX-License-Identifier: MIT */
/*
 * Frames for the guest are copied into its buffers as they come; while it has none they wait in a
 * short list, and the backend is asked for no more. A frame larger than one buffer takes
 * several, where that was negotiated: their number is found out before anything is written.
 */
#include "dev/virtio/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F_MAC BIT(5)
#define F_MRG_RXBUF BIT(15)
#define F_STATUS BIT(16)

enum { RX, TX, QUEUES };
enum { LINK_UP = 1, WAITING_MAX = 4 << 20 /* bytes */, FRAME_MIN = 14 };

struct net_config {
    uint8_t mac[MAC_BYTES];
    uint16_t status;
} __attribute__((packed));

/* A frame that waits for a buffer. */
struct waiting {
    struct waiting *next;
    struct net_header header;
    size_t n;
    uint8_t frame[];
};

struct net {
    struct virtio v;
    struct net_config config;
    struct net_backend *backend;
    struct waiting *first, **last;
    size_t waiting_bytes;
    bool filled; /* receive buffers were filled and not published */
    struct virtq_chain rx, tx;
    uint8_t frame[NET_FRAME_MAX];
};

static struct net *net_of(struct virtio *v)
{
    return (struct net *)v;
}

/* --- To the guest --- */

/* How many buffers `bytes` bytes take; 0: there are not enough now. Takes none. */
static unsigned count_buffers(struct net *net, uint64_t bytes)
{
    struct virtq_place start = net->v.queues[RX].avail;
    uint64_t room = 0;
    unsigned n = 0;

    while (room < bytes && n < VIRTQ_SIZE_MAX && virtio_pop(&net->v, RX, &net->rx)) {
        room += net->rx.in.bytes;
        n++;
    }
    virtq_rewind(&net->v.queues[RX], start);
    return room >= bytes ? n : 0;
}

/* Write header and frame into the next n buffers. What they hold is looked at anew: the driver may
 * have changed them since they were counted. */
static void write_buffers(struct net *net, struct net_header header, const uint8_t *frame, size_t n,
                          unsigned buffers)
{
    header.num_buffers = (uint16_t)buffers;
    for (unsigned i = 0; i < buffers; i++) {
        uint64_t written = 0;
        size_t piece;

        if (!virtio_pop(&net->v, RX, &net->rx))
            return;
        if (i == 0 && !virtq_write(&net->rx.in, &header, sizeof(header))) {
            virtio_fail(&net->v, "a receive buffer without room for the header");
            return;
        }
        written = i == 0 ? sizeof(header) : 0;
        piece = min_u64(n, net->rx.in.bytes);
        virtq_write(&net->rx.in, frame, piece);
        frame += piece;
        n -= piece;
        virtq_fill(&net->v.queues[RX], &net->rx, written + piece);
        net->filled = true;
    }
}

/* Result: false where the frame has to wait. */
static bool deliver(struct net *net, const struct net_header *header, const uint8_t *frame,
                    size_t n)
{
    uint64_t bytes = sizeof(*header) + n;
    unsigned buffers;

    if (!virtio_usable(&net->v, RX))
        return true; /* nobody listens */
    buffers = count_buffers(net, bytes);
    if (buffers == 0) {
        virtq_want_notify(&net->v.queues[RX], true);
        buffers = count_buffers(net, bytes);
    }
    if (!virtio_usable(&net->v, RX))
        return true;
    if (buffers == 0)
        return false;
    if (buffers == 1 || virtio_has(&net->v, F_MRG_RXBUF))
        write_buffers(net, *header, frame, n, buffers);
    return true; /* or too large for the buffers that there are: dropped */
}

static void publish(struct net *net)
{
    if (net->filled && virtio_usable(&net->v, RX))
        virtio_publish(&net->v, RX);
    net->filled = false;
}

static void let_wait(struct net *net, const struct net_header *header, const uint8_t *frame,
                     size_t n)
{
    struct waiting *w;

    if (net->waiting_bytes + n > WAITING_MAX || !(w = malloc(sizeof(*w) + n)))
        return; /* it is lost, as on a wire */
    w->next = NULL;
    w->header = *header;
    w->n = n;
    memcpy(w->frame, frame, n);
    net->waiting_bytes += n;
    *net->last = w;
    net->last = &w->next;
}

static void drop_first(struct net *net)
{
    struct waiting *w = net->first;

    net->first = w->next;
    if (!net->first)
        net->last = &net->first;
    net->waiting_bytes -= w->n;
    free(w);
}

/* The header as this guest may see it: only what it agreed to. */
static struct net_header guest_header(const struct net *net, const struct net_header *from)
{
    struct net_header h = *from;

    if (!virtio_has(&net->v, NET_F_GUEST_CSUM))
        h.flags = 0;
    return h;
}

static void receive(void *card, const struct net_header *from, const uint8_t *frame, size_t n)
{
    struct net *net = card;
    struct net_header header = guest_header(net, from);

    if (n > NET_FRAME_MAX || !net->v.running)
        return;
    if (net->first || !deliver(net, &header, frame, n))
        let_wait(net, &header, frame, n);
}

static void serve_rx(struct net *net)
{
    virtq_want_notify(&net->v.queues[RX], false);
    while (net->first && deliver(net, &net->first->header, net->first->frame, net->first->n))
        drop_first(net);
}

/* --- From the guest --- */

static void send(struct virtio *v, unsigned n, struct virtq_chain *c)
{
    struct net *net = net_of(v);
    struct net_header header;
    size_t bytes;

    if (!virtq_read(&c->out, &header, sizeof(header))) {
        virtio_fail(v, "a frame to send without a header");
        return;
    }
    bytes = c->out.bytes;
    if (bytes >= FRAME_MIN && bytes <= sizeof(net->frame)) {
        virtq_read(&c->out, net->frame, bytes);
        net->backend->ops->send(net->backend, &header, net->frame, bytes);
    }
    virtio_push(v, n, c, 0);
}

static void serve(struct virtio *v, unsigned queue)
{
    struct net *net = net_of(v);

    if (queue == TX)
        virtio_serve_all(v, TX, &net->tx, send);
    else
        serve_rx(net);
    publish(net); /* answers may have come at once */
}

/* --- The rest --- */

static unsigned prepare(struct virtio *v, struct pollfd *fds, unsigned max, int *timeout_ms)
{
    struct net *net = net_of(v);

    return net->backend->ops->prepare(net->backend, fds, max, timeout_ms, !net->first);
}

static void polled(struct virtio *v, struct pollfd *fds, unsigned n)
{
    struct net *net = net_of(v);

    net->backend->ops->polled(net->backend, fds, n);
    publish(net);
}

static void start(struct virtio *v)
{
    struct net *net = net_of(v);

    if (net->backend->ops->choose)
        net->backend->ops->choose(net->backend, v->features);
}

static void reset(struct virtio *v)
{
    struct net *net = net_of(v);

    while (net->first)
        drop_first(net);
    net->filled = false;
}

static void net_free(struct virtio *v)
{
    struct net *net = net_of(v);

    reset(v);
    net->backend->ops->free(net->backend);
    free(net);
}

static const struct virtio_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .what = "network",
    .serve = serve,
    .start = start,
    .reset = reset,
    .prepare = prepare,
    .polled = polled,
    .free = net_free,
};

struct virtio *virtio_net_new(struct net_backend *backend, const uint8_t mac[MAC_BYTES],
                              const struct virtio_setup *setup, int *error)
{
    struct net *net = calloc(1, sizeof(*net));

    *error = -ENOMEM;
    if (!net) {
        log_error(setup->log, "network: not enough memory");
        backend->ops->free(backend);
        return NULL;
    }
    net->v.ops = &net_ops;
    net->v.queues_n = QUEUES;
    net->v.offered = F_MAC | F_MRG_RXBUF | F_STATUS | backend->features;
    net->v.config = &net->config;
    net->v.config_size = sizeof(net->config);
    memcpy(net->config.mac, mac, MAC_BYTES);
    net->config.status = LINK_UP;
    net->last = &net->first;
    net->backend = backend;
    backend->receive = receive;
    backend->card = net;
    snprintf(net->v.name, sizeof(net->v.name), "net0");
    *error = virtio_init(&net->v, setup);
    if (*error) {
        net_free(&net->v);
        return NULL;
    }
    return &net->v;
}
