/* SPDX-License-Identifier: MIT */
/*
 * The outer end of the console: where a guest's characters go and where they come from.
 *
 * Output is gathered in a small buffer and written out when it is full or when somebody flushes:
 * the run loop does so between quanta, which is soon enough for a reader and saves a system call
 * a character. Input waits in a ring until the guest takes it. Both ends may be used from any
 * thread.
 *
 * Nobody has to read the output: a write waits for room, but not once the machine ends. For that
 * pipes and terminals are opened anew without blocking, which leaves the streams of others as they
 * are. A console that was closed is not a reason to go on unseen: the machine is told.
 *
 * On a terminal, input is raw (all keys go to the guest) but for the escapes behind Ctrl-A that
 * QEMU's users know.
 */
#ifndef DEV_CHARDEV_H
#define DEV_CHARDEV_H

#include "base/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

enum { CHARDEV_OUT = 4096, CHARDEV_IN = 4096 };
enum { CHARDEV_BREAK = 0x100 }; /* in the input ring: a line break instead of a character */

struct chardev {
    const struct log *log;
    char *name; /* what it is and how it was opened, for messages */

    pthread_mutex_t out_lock;
    unsigned out_n;  /* atomic where read without the lock */
    int out_fd;      /* -1: none */
    unsigned grace;  /* how often it may wait for room yet while the machine ends */
    bool out_close;  /* out_fd is its own */
    bool out_socket, out_terminal, out_failed, stamps, at_line_start;
    bool lost;       /* output was lost. Read between runs */
    uint64_t start_ns;
    void (*hook)(void *opaque, const void *bytes, size_t n); /* sees all output, under out_lock */
    void *hook_opaque;
    uint8_t out[CHARDEV_OUT];

    pthread_mutex_t in_lock;
    unsigned in_head, in_n;
    uint16_t in[CHARDEV_IN];
    void (*ready)(void *opaque); /* input came */
    void *ready_opaque;

    int in_fd; /* to be polled for input; -1: none */
    bool escape, raw;
    struct termios saved;
    void (*quit)(void *opaque);   /* Ctrl-A x */
    void (*closed)(void *opaque); /* nobody can read the output any more */
    bool (*ending)(void *opaque); /* whether the machine ends, so that a write may not wait */
    void *machine;                /* the opaque of these */
};

/* Open spec: "stdio", "file:PATH" (output only) or "none". what: "console", for messages. input:
 * take input from stdio too. Result: 0, -EINVAL for another spec, or another negative errno, after
 * logging why. */
int chardev_open(struct chardev *c, const char *what, const char *spec, bool input,
                 const struct log *log);
/* Flush, restore the terminal, close. */
void chardev_close(struct chardev *c);

/* A run begins and ends: the terminal, if that is where input comes from, is raw in between. */
void chardev_begin(struct chardev *c);
void chardev_end(struct chardev *c);

/* One character from the guest. */
void chardev_put(struct chardev *c, uint8_t byte);
void chardev_flush(struct chardev *c);

/* Input for the guest. Result: how many of the n bytes were taken; the rest finds no room now. */
size_t chardev_input(struct chardev *c, const void *bytes, size_t n);
/* How many bytes there is room for. */
size_t chardev_room(struct chardev *c);
/* Read in_fd, of which poll said that it is readable. At its end in_fd becomes -1. */
void chardev_readable(struct chardev *c);
/* True where the guest has input to take. */
bool chardev_has_input(struct chardev *c);
/* Take the next character or CHARDEV_BREAK; -1: none. */
int chardev_take(struct chardev *c);

#endif
