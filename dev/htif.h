/* SPDX-License-Identifier: MIT */
/*
 * HTIF, the host-target interface of bare-metal tests: a program stores a command into its 64-bit
 * variable tohost and finds answers in fromhost. It is polled by the run loop between quanta, so
 * that ordinary stores cost nothing: a command is seen some thousand instructions late, and
 * programs wait for tohost to become 0 before they store the next.
 *
 * Served: exit (device 0, payload odd: code << 1 | 1), the proxied system calls write (to the
 * console) and exit, and the console (device 1: 0 getchar, 1 putchar).
 */
#ifndef DEV_HTIF_H
#define DEV_HTIF_H

#include "dev/chardev.h"
#include "mem/mem.h"

struct htif {
    pthread_mutex_t lock;
    struct mem *mem;
    struct chardev *chardev;
    uint64_t *tohost, *fromhost; /* in RAM, aligned; fromhost may be NULL */
    bool reading;                /* a getchar waits for input */
    void (*power_off)(void *opaque, unsigned code);
    void *opaque;
};

/* Prepare for the variables at these physical addresses; fromhost 0: there is none. Result: 0, or
 * -EFAULT where one is not aligned RAM. */
int htif_init(struct htif *h, struct mem *mem, uint64_t tohost, uint64_t fromhost,
              struct chardev *chardev, void (*power_off)(void *opaque, unsigned code),
              void *opaque);
void htif_free(struct htif *h);
void htif_reset(struct htif *h);

/* Serve what there is to serve. Result: there was something. From any hart's thread. */
bool htif_poll(struct htif *h);

#endif
