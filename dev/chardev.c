/* SPDX-License-Identifier: MIT */
#include "dev/chardev.h"

#include "base/bits.h"
#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CTRL_A = 1 };
/* Waiting for room: how often to look around, how often at the end. */
enum { LOOK_MS = 50, GRACE = 10 };

/* Standard output, so that writing to it never blocks: a pipe or a terminal is opened anew. */
static void open_stdout(struct chardev *c)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    char path[32];
    struct stat st;

    c->out_fd = STDOUT_FILENO;
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(STDOUT_FILENO, &st))
        return;
    c->out_socket = S_ISSOCK(st.st_mode);
    c->out_terminal = isatty(STDOUT_FILENO);
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", STDOUT_FILENO);
    c->out_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    c->out_close = c->out_fd >= 0;
    if (!c->out_close)
        c->out_fd = STDOUT_FILENO;
}

static int open_file(struct chardev *c, const char *what, const char *path)
{
    int err;

    c->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (c->out_fd >= 0) {
        c->out_close = true;
        fcntl(c->out_fd, F_SETFL, O_NONBLOCK);
        return 0;
    }
    err = errno;
    log_error(c->log, "%s file:%s: cannot write the file: %s", what, path, strerror(err));
    return -err;
}

int chardev_open(struct chardev *c, const char *what, const char *spec, bool input,
                 const struct log *log)
{
    static const char file[] = "file:";
    int err = 0;

    memset(c, 0, sizeof(*c));
    c->log = log;
    c->out_fd = c->in_fd = -1;
    c->start_ns = host_ns();
    c->at_line_start = true;
    if (!strcmp(spec, "stdio")) {
        open_stdout(c);
        c->in_fd = input ? STDIN_FILENO : -1;
    } else if (!strncmp(spec, file, strlen(file))) {
        err = open_file(c, what, spec + strlen(file));
    } else if (strcmp(spec, "none")) {
        log_error(log, "%s %s: expected stdio, file:PATH or none", what, spec);
        return -EINVAL;
    }
    if (err)
        return err;
    if (asprintf(&c->name, "%s %s", what, spec) < 0) {
        log_error(log, "%s %s: not enough memory", what, spec);
        if (c->out_close)
            close(c->out_fd);
        return -ENOMEM;
    }
    pthread_mutex_init(&c->out_lock, NULL);
    pthread_mutex_init(&c->in_lock, NULL);
    return 0;
}

void chardev_close(struct chardev *c)
{
    chardev_flush(c);
    chardev_end(c);
    if (c->out_close)
        close(c->out_fd);
    free(c->name);
    pthread_mutex_destroy(&c->out_lock);
    pthread_mutex_destroy(&c->in_lock);
}

/* Whether another process group has the terminal now: then a change of it would stop us (SIGTTOU),
 * and disturb that one. */
static bool in_background(int fd)
{
    pid_t group = tcgetpgrp(fd);

    return group >= 0 && group != getpgrp();
}

void chardev_begin(struct chardev *c)
{
    struct termios raw;

    c->grace = GRACE;
    if (c->raw || c->in_fd < 0 || tcgetattr(c->in_fd, &c->saved) || in_background(c->in_fd))
        return;
    raw = c->saved;
    cfmakeraw(&raw);
    raw.c_oflag = c->saved.c_oflag; /* newlines of the guest and of our messages look right */
    c->raw = tcsetattr(c->in_fd, TCSANOW, &raw) == 0;
}

void chardev_end(struct chardev *c)
{
    if (c->raw && !in_background(STDIN_FILENO))
        tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
    c->raw = false;
}

/* Wait until something can be written. Result: false where the machine ends and nobody reads. */
static bool wait_for_room(struct chardev *c)
{
    struct pollfd fd = {.fd = c->out_fd, .events = POLLOUT};

    while (poll(&fd, 1, LOOK_MS) == 0)
        if (c->ending && c->ending(c->machine) && c->grace-- == 0) {
            c->grace = 0;
            return false;
        }
    return true;
}

/* Output cannot be written: say so once. */
static void output_failed(struct chardev *c, int err)
{
    bool closed = err == EPIPE || err == ECONNRESET || (err == EIO && c->out_terminal);

    c->out_failed = true;
    c->lost |= err != EBADF; /* that stream was closed from the beginning */
    if (closed && c->closed) {
        log_error(c->log, "%s: it was closed (%s); the machine stops", c->name,
                  strerror(err));
        c->closed(c->machine);
    } else {
        log_error(c->log, "%s: cannot write the guest's output: %s; the rest is lost",
                  c->name, strerror(err));
    }
}

/* Write all of it, whatever pieces the file takes it in. */
static void write_all(struct chardev *c, const uint8_t *bytes, size_t n)
{
    struct thread_hold hold = thread_hold_write_signals();

    while (n && c->out_fd >= 0 && !c->out_failed) {
        ssize_t done = c->out_socket ? send(c->out_fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : write(c->out_fd, bytes, n);
        if (done >= 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            if (wait_for_room(c))
                continue;
            if (!c->lost)
                log_error(c->log, "%s: nobody reads the guest's output; what is left of "
                                  "it is lost", c->name);
            c->lost = true;
            break;
        } else if (errno != EINTR) {
            output_failed(c, errno);
        }
    }
    thread_release_signals(&hold);
}

static void flush_locked(struct chardev *c)
{
    unsigned n = c->out_n;

    if (!n)
        return;
    __atomic_store_n(&c->out_n, 0, __ATOMIC_RELAXED);
    if (c->hook)
        c->hook(c->hook_opaque, c->out, n);
    write_all(c, c->out, n);
}

static void put_locked(struct chardev *c, uint8_t byte)
{
    c->out[c->out_n] = byte;
    __atomic_store_n(&c->out_n, c->out_n + 1, __ATOMIC_RELAXED);
    if (c->out_n == CHARDEV_OUT)
        flush_locked(c);
}

static void put_text(struct chardev *c, const char *text)
{
    while (*text)
        put_locked(c, (uint8_t)*text++);
}

static void put_stamp(struct chardev *c)
{
    uint64_t ms = (host_ns() - c->start_ns) / 1000000;
    char text[32];

    snprintf(text, sizeof(text), "[%02u:%02u:%02u.%03u] ", (unsigned)(ms / 3600000),
             (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    put_text(c, text);
}

void chardev_put(struct chardev *c, uint8_t byte)
{
    pthread_mutex_lock(&c->out_lock);
    if (c->stamps && c->at_line_start)
        put_stamp(c);
    c->at_line_start = byte == '\n';
    put_locked(c, byte);
    pthread_mutex_unlock(&c->out_lock);
}

void chardev_flush(struct chardev *c)
{
    if (!__atomic_load_n(&c->out_n, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&c->out_lock);
    flush_locked(c);
    pthread_mutex_unlock(&c->out_lock);
}

static bool push(struct chardev *c, uint16_t value)
{
    bool room;

    pthread_mutex_lock(&c->in_lock);
    room = c->in_n < CHARDEV_IN;
    if (room)
        c->in[(c->in_head + c->in_n++) % CHARDEV_IN] = value;
    pthread_mutex_unlock(&c->in_lock);
    return room;
}

static void tell_ready(struct chardev *c)
{
    if (c->ready)
        c->ready(c->ready_opaque);
}

size_t chardev_input(struct chardev *c, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    size_t done = 0;

    while (done < n && push(c, b[done]))
        done++;
    if (done)
        tell_ready(c);
    return done;
}

size_t chardev_room(struct chardev *c)
{
    size_t room;

    pthread_mutex_lock(&c->in_lock);
    room = CHARDEV_IN - c->in_n;
    pthread_mutex_unlock(&c->in_lock);
    return room;
}

bool chardev_has_input(struct chardev *c)
{
    return chardev_room(c) < CHARDEV_IN;
}

int chardev_take(struct chardev *c)
{
    int value = -1;

    pthread_mutex_lock(&c->in_lock);
    if (c->in_n) {
        value = c->in[c->in_head];
        c->in_head = (c->in_head + 1) % CHARDEV_IN;
        c->in_n--;
    }
    pthread_mutex_unlock(&c->in_lock);
    return value;
}

/* The key behind Ctrl-A. */
static void escape_key(struct chardev *c, uint8_t key)
{
    static const char help[] = "\n\r"
                               "Ctrl-A h    print this help\n\r"
                               "Ctrl-A x    leave the emulator\n\r"
                               "Ctrl-A t    toggle timestamps\n\r"
                               "Ctrl-A b    send a break\n\r"
                               "Ctrl-A Ctrl-A  send Ctrl-A\n\r";

    switch (key) {
    case 'h':
    case '?':
        pthread_mutex_lock(&c->out_lock);
        flush_locked(c);
        write_all(c, (const uint8_t *)help, strlen(help));
        pthread_mutex_unlock(&c->out_lock);
        break;
    case 'x':
        if (c->quit)
            c->quit(c->machine);
        break;
    case 't':
        pthread_mutex_lock(&c->out_lock);
        c->stamps = !c->stamps;
        pthread_mutex_unlock(&c->out_lock);
        break;
    case 'b':
        push(c, CHARDEV_BREAK);
        break;
    case CTRL_A:
        push(c, CTRL_A);
        break;
    }
}

void chardev_readable(struct chardev *c)
{
    uint8_t buf[256];
    size_t room = min_u64(chardev_room(c), sizeof(buf));
    ssize_t n = room ? read(c->in_fd, buf, room) : 0;

    if (!room || (n < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    if (n <= 0) {
        chardev_end(c);
        c->in_fd = -1;
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (c->escape) {
            c->escape = false;
            escape_key(c, buf[i]);
        } else if (buf[i] == CTRL_A) {
            c->escape = true;
        } else {
            push(c, buf[i]);
        }
    }
    tell_ready(c);
}
