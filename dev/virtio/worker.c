/* SPDX-License-Identifier: MIT */
#include "dev/virtio/worker.h"

#include "base/thread.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(struct worker *w)
{
    uint64_t one = 1;
    ssize_t n = write(w->wake, &one, sizeof(one));

    (void)n; /* it fails only where the counter is full: then it wakes as well */
}

/* Begin something, unless paused. */
static bool enter(struct worker *w, uint64_t *kicks)
{
    pthread_mutex_lock(&w->lock);
    w->busy = !w->paused;
    *kicks = w->busy ? w->kicks : 0;
    w->kicks &= ~*kicks;
    pthread_mutex_unlock(&w->lock);
    return w->busy;
}

/* End it. Result: whether there is more to do at once. */
static bool leave(struct worker *w)
{
    bool more;

    pthread_mutex_lock(&w->lock);
    w->busy = false;
    more = w->kicks && !w->paused;
    pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->lock);
    return more;
}

static bool should_quit(struct worker *w)
{
    bool quit;

    pthread_mutex_lock(&w->lock);
    quit = w->quit;
    pthread_mutex_unlock(&w->lock);
    return quit;
}

/* One turn: serve kicks, then wait for more or for what the device waits for. */
static void turn(struct worker *w)
{
    struct pollfd fds[1 + WORKER_FDS_MAX] = {{.fd = w->wake, .events = POLLIN}};
    unsigned n = 0;
    int timeout = -1;
    uint64_t kicks, woken;
    bool more = false;

    if (enter(w, &kicks)) {
        if (kicks)
            w->ops->work(w->opaque, kicks);
        if (w->ops->prepare)
            n = w->ops->prepare(w->opaque, fds + 1, WORKER_FDS_MAX, &timeout);
        more = leave(w);
    }
    if (poll(fds, 1 + n, more ? 0 : timeout) < 0)
        return;
    if (fds[0].revents && read(w->wake, &woken, sizeof(woken)) < 0)
        return;
    if (w->ops->polled && enter(w, &kicks)) {
        if (kicks)
            w->ops->work(w->opaque, kicks);
        w->ops->polled(w->opaque, fds + 1, n);
        if (leave(w))
            wake(w);
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    while (!should_quit(w))
        turn(w);
    return NULL;
}

int worker_init(struct worker *w, const char *name, bool threaded, const struct worker_ops *ops,
                void *opaque)
{
    int err = 0;

    *w = (struct worker){.ops = ops, .opaque = opaque, .threaded = threaded, .paused = 1};
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0)
        return -errno;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->idle, NULL);
    if (threaded)
        err = thread_start(&w->thread, name, worker_main, w);
    if (err) {
        w->threaded = false;
        worker_free(w);
    }
    return err;
}

void worker_free(struct worker *w)
{
    if (w->threaded) {
        pthread_mutex_lock(&w->lock);
        w->quit = true;
        pthread_mutex_unlock(&w->lock);
        wake(w);
        pthread_join(w->thread, NULL);
    }
    close(w->wake);
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->lock);
}

/* Not threaded: serve kicks here, unless that is what the caller does already. What is kicked
 * meanwhile waits for worker_poll, so that no driver can hold the thread for ever. */
static void serve_here(struct worker *w)
{
    uint64_t kicks;

    if (w->busy || !w->kicks || !enter(w, &kicks))
        return;
    w->ops->work(w->opaque, kicks);
    leave(w);
}

bool worker_poll(struct worker *w)
{
    bool due = !w->threaded && w->kicks && !w->paused;

    if (due)
        serve_here(w);
    return due;
}

void worker_kick(struct worker *w, uint64_t kicks)
{
    bool first;

    pthread_mutex_lock(&w->lock);
    first = !(w->kicks & kicks);
    w->kicks |= kicks;
    pthread_mutex_unlock(&w->lock);
    if (!w->threaded)
        serve_here(w);
    else if (first)
        wake(w);
}

void worker_pause(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->paused++;
    while (w->busy)
        pthread_cond_wait(&w->idle, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void worker_resume(struct worker *w)
{
    bool go;

    pthread_mutex_lock(&w->lock);
    go = --w->paused == 0;
    pthread_mutex_unlock(&w->lock);
    if (go && w->threaded)
        wake(w);
    else if (go)
        serve_here(w);
}

bool worker_should_yield(struct worker *w)
{
    bool yield;

    pthread_mutex_lock(&w->lock);
    yield = w->paused;
    pthread_mutex_unlock(&w->lock);
    return yield;
}
