/* SPDX-License-Identifier: MIT */
/*
 * Where a device's work is done: on a thread of its own, so that harts go on meanwhile, or at once
 * on the thread that kicks, where every run is to be the same.
 *
 * Kicks are bits, one a queue; a bit that is set again before it was served is served once. While
 * a worker is paused no work is under way and none begins: then the guest's memory and the device's
 * set-up may be changed. Pauses nest.
 */
#ifndef DEV_VIRTIO_WORKER_H
#define DEV_VIRTIO_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { WORKER_FDS_MAX = 256 };

struct worker_ops {
    /* Serve the kicks. */
    void (*work)(void *opaque, uint64_t kicks);
    /* Where the device waits for more than kicks (else NULL): say for what, in up to max entries at
     * fds, and how long at most (*timeout_ms, -1: for ever). Result: the number of entries. */
    unsigned (*prepare)(void *opaque, struct pollfd *fds, unsigned max, int *timeout_ms);
    /* The wait is over. */
    void (*polled)(void *opaque, struct pollfd *fds, unsigned n);
};

struct worker {
    const struct worker_ops *ops;
    void *opaque;
    bool threaded;
    pthread_t thread;
    int wake; /* eventfd */

    pthread_mutex_t lock;
    pthread_cond_t idle;
    uint64_t kicks;
    unsigned paused;
    bool busy, quit;
};

/* Start a worker, paused once. name: at most 15 bytes. Result: 0 or a negative errno. */
int worker_init(struct worker *w, const char *name, bool threaded, const struct worker_ops *ops,
                void *opaque);
void worker_free(struct worker *w);

/* Any thread. */
void worker_kick(struct worker *w, uint64_t kicks);
/* Any thread but the worker's. */
void worker_pause(struct worker *w);
void worker_resume(struct worker *w);
/* Not threaded: serve what is left over of earlier kicks. Result: whether there was any. */
bool worker_poll(struct worker *w);
/* From work: whether somebody waits for a pause, so that work should end soon. */
bool worker_should_yield(struct worker *w);

#endif
