/* SPDX-License-Identifier: MIT */
/* A buffer holds a request to read and room for the reply. Both are copied as a whole: so what the
 * server looks at does not change under it. */
#include "dev/virtio/p9.h"

#include "dev/p9/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F_MOUNT_TAG BIT(0)

enum { TAG_MAX = 31 };

struct p9_config {
    uint16_t tag_len;
    char tag[TAG_MAX + 1];
} __attribute__((packed));

struct p9 {
    struct virtio v;
    struct p9_config config;
    struct p9_server server;
    struct virtq_chain chain;
    uint8_t request[P9_MSIZE_MAX], reply[P9_MSIZE_MAX];
};

static struct p9 *p9_of(struct virtio *v)
{
    return (struct p9 *)v;
}

static void request(struct virtio *v, unsigned n, struct virtq_chain *c)
{
    struct p9 *p = p9_of(v);
    size_t bytes = c->out.bytes, room = min_u64(c->in.bytes, sizeof(p->reply));

    if (bytes > sizeof(p->request) || room < P9_REPLY_MIN) {
        virtio_fail(v, bytes > sizeof(p->request) ? "a request that is too long"
                                                  : "a request without room for the reply");
        return;
    }
    virtq_read(&c->out, p->request, bytes);
    bytes = p9_server_answer(&p->server, p->request, bytes, p->reply, room);
    virtq_write(&c->in, p->reply, bytes);
    virtio_push(v, n, c, bytes);
}

static void serve(struct virtio *v, unsigned queue)
{
    virtio_serve_all(v, queue, &p9_of(v)->chain, request);
}

static void reset(struct virtio *v)
{
    p9_server_reset(&p9_of(v)->server);
}

static void p9_free(struct virtio *v)
{
    p9_server_free(&p9_of(v)->server);
    free(v);
}

static const struct virtio_ops p9_ops = {
    .id = VIRTIO_ID_9P,
    .what = "9p",
    .serve = serve,
    .reset = reset,
    .free = p9_free,
};

struct virtio *virtio_p9_new(const char *dir, const char *tag, const struct virtio_setup *setup,
                             int *error)
{
    struct p9 *p = calloc(1, sizeof(*p));

    *error = p ? p9_server_init(&p->server, dir) : -ENOMEM;
    if (*error) {
        log_error(setup->log, "share %s: cannot open the directory: %s", dir, strerror(-*error));
        free(p);
        return NULL;
    }
    p->v.ops = &p9_ops;
    p->v.queues_n = 1;
    p->v.offered = F_MOUNT_TAG;
    p->v.config = &p->config;
    p->v.config_size = sizeof(p->config.tag_len) + strlen(tag);
    p->config.tag_len = (uint16_t)strlen(tag);
    snprintf(p->config.tag, sizeof(p->config.tag), "%s", tag);
    snprintf(p->v.name, sizeof(p->v.name), "share");
    *error = virtio_init(&p->v, setup);
    if (*error) {
        p9_free(&p->v);
        return NULL;
    }
    return &p->v;
}
