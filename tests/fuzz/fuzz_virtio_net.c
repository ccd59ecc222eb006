/* SPDX-License-Identifier: MIT */
/* virtio-net before a backend that cuts each frame and sends the pieces back. */
#include "fuzz_virtio.h"

#include "dev/virtio/net.h"

static void back(void *opaque, const uint8_t *frame, size_t n)
{
    struct net_backend *b = opaque;
    const struct net_header header = {.flags = NET_DATA_VALID};

    b->receive(b->card, &header, frame, n);
}

static void send(struct net_backend *b, const struct net_header *header, uint8_t *frame, size_t n)
{
    net_segment(header, frame, n, back, b);
}

static unsigned prepare(struct net_backend *b, struct pollfd *fds, unsigned max, int *timeout_ms,
                        bool room)
{
    (void)b;
    (void)fds;
    (void)max;
    (void)timeout_ms;
    (void)room;
    return 0;
}

static void polled(struct net_backend *b, struct pollfd *fds, unsigned n)
{
    (void)b;
    (void)fds;
    (void)n;
}

static void nothing(struct net_backend *b)
{
    (void)b;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct net_backend_ops ops = {
        .send = send, .prepare = prepare, .polled = polled, .free = nothing};
    static struct net_backend backend = {
        .ops = &ops,
        .features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6,
    };
    static const uint8_t mac[MAC_BYTES] = {2};
    static struct mem mem;
    static struct virtio *v;
    struct log log = {no_log, NULL};
    struct virtio_setup setup = {.mem = &mem, .log = &log};
    int err;

    mem_once(&mem);
    if (!v && !(v = virtio_net_new(&backend, mac, &setup, &err)))
        abort();
    v->log = &log;
    drive(v, &mem, bytes, n);
    return 0;
}
