/* SPDX-License-Identifier: MIT */
/*
 * virtio-console (virtio 1.2, 5.3): port 0 alone. What the driver sends goes to the outer end at
 * once; input waits there until the driver has given a buffer for it, so that nothing is lost.
 */
#include "dev/virtio/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { RX, TX, QUEUES }; /* 5.3.2 */
enum { PIECE = 256 };    /* bytes */
#define F_SIZE BIT(0)    /* 5.3.3 */

/* 5.3.4; little-endian, as the hosts are */
struct console_config {
    uint16_t columns, rows;
    uint32_t max_ports, emergency_write;
};

struct console {
    struct virtio v;
    struct chardev *c;
    struct console_config config;
    struct virtq_chain tx, rx; /* the queues' own: serving the one may not disturb the other */
};

static void send(struct virtio *v, unsigned n, struct virtq_chain *chain)
{
    struct console *console = (struct console *)v;
    uint8_t piece[PIECE];

    while (chain->out.bytes) {
        size_t size = min_u64(chain->out.bytes, PIECE);

        if (!virtq_read(&chain->out, piece, size))
            break;
        for (size_t i = 0; i < size; i++)
            chardev_put(console->c, piece[i]);
    }
    virtio_push(v, n, chain, 0);
}

/* Move input into the buffer. Result: bytes. */
static uint64_t fill(struct console *console)
{
    uint64_t done = 0;
    int value;

    while (console->rx.in.bytes && (value = chardev_take(console->c)) >= 0) {
        uint8_t byte = (uint8_t)value;

        if (value == CHARDEV_BREAK) /* there is none on this line */
            continue;
        if (!virtq_write(&console->rx.in, &byte, 1))
            break;
        done++;
    }
    return done;
}

static void receive(struct console *console)
{
    struct virtio *v = &console->v;

    while (virtio_usable(v, RX) && chardev_has_input(console->c)) {
        if (!virtio_pop(v, RX, &console->rx)) {
            /* The driver says when it has one; it may have had one just now. */
            if (!virtio_usable(v, RX))
                return;
            virtq_want_notify(&v->queues[RX], true);
            if (!virtio_pop(v, RX, &console->rx))
                return;
        }
        virtio_push(v, RX, &console->rx, fill(console));
    }
}

static void serve(struct virtio *v, unsigned queue)
{
    struct console *console = (struct console *)v;

    if (queue == TX) {
        virtio_serve_all(v, TX, &console->tx, send);
        chardev_flush(console->c);
    } else if (queue == RX) {
        receive(console);
    }
}

static void input_came(void *opaque)
{
    worker_kick(&((struct console *)opaque)->v.worker, BIT(RX));
}

/* The terminal's size, where the outer end is one. */
static void look_at_size(struct console *console)
{
    struct winsize size;

    if (console->c->out_fd < 0 || ioctl(console->c->out_fd, TIOCGWINSZ, &size) || !size.ws_col)
        return;
    console->v.offered |= F_SIZE;
    console->config.columns = size.ws_col;
    console->config.rows = size.ws_row;
}

static void console_free(struct virtio *v)
{
    ((struct console *)v)->c->ready = NULL;
    free(v);
}

static const struct virtio_ops console_ops = {
    .id = VIRTIO_ID_CONSOLE,
    .what = "console",
    .serve = serve,
    .free = console_free,
};

struct virtio *virtio_console_new(struct chardev *c, const struct virtio_setup *setup, int *error)
{
    struct console *console = calloc(1, sizeof(*console));

    *error = -ENOMEM;
    if (!console) {
        log_error(setup->log, "virtio console: not enough memory");
        return NULL;
    }
    console->c = c;
    console->v.ops = &console_ops;
    console->v.queues_n = QUEUES;
    console->v.config = &console->config;
    console->v.config_size = sizeof(console->config);
    console->config.max_ports = 1;
    look_at_size(console);
    snprintf(console->v.name, sizeof(console->v.name), "hvc0");
    *error = virtio_init(&console->v, setup);
    if (*error) {
        free(console);
        return NULL;
    }
    c->ready = input_came;
    c->ready_opaque = console;
    return &console->v;
}
