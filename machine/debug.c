/* SPDX-License-Identifier: MIT */
/*
 * Looking into a machine: what isthmus_config asks of debug/, and the debugger's connection.
 *
 * The stub is served by the thread that called machine_run, while no hart runs. While harts run,
 * that thread only waits for the connection to have something to read, and then halts them
 * (STOP_DEBUG). A hart that meets a breakpoint halts the others in the same way. Where one is to be
 * stepped, no threads are started: harts take turns here, the stepped one for one instruction and
 * the others, if they may run, for a few. A machine without --gdb has no struct debugger at all.
 *
 * Host time that passes while harts stand still does not pass for them.
 */
#include "base/clock.h"
#include "debug/events.h"
#include "debug/gdb.h"
#include "machine/console.h"
#include "machine/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_SECONDS = 10, STEP_OTHERS = 64, PIECE = 4096 };

struct debugger {
    struct machine *m;
    struct gdb *gdb;
    int listen_fd, fd; /* fd: the connection; -1: none */
    bool held;         /* harts wait for a debugger before they start */
    bool failed;       /* the connection does not take what is sent */
};

/* --- Events --- */

static struct events *get_events(struct machine *m)
{
    if (!m->events)
        m->events = events_new(m->harts, m->harts_n);
    return m->events;
}

/* trace is "KIND[,KIND]...:FILE", or NULL. */
static int make_events(struct machine *m, const char *trace, bool count_guests)
{
    const char *colon = trace ? strchr(trace, ':') : NULL;
    unsigned kinds = colon ? events_kinds(trace, (size_t)(colon - trace)) : 0;

    if (trace && (!kinds || !colon[1])) {
        log_error(&m->log,
                  "trace: %s: expected KIND[,KIND]...:FILE, with kinds exits, switch, ig, irq, mmu",
                  trace);
        return -EINVAL;
    }
    if (!trace && !count_guests)
        return 0;
    if (!get_events(m))
        return -ENOMEM;
    if (count_guests)
        events_count_guests(m->events);
    return trace ? events_trace(m->events, kinds, colon + 1, &m->log) : 0;
}

/* --- What the stub asks of the machine --- */

/* Wait until the debugger has read something. Result: false where it does not for long, or the
 * machine ends meanwhile. */
static bool wait_for_room(const struct debugger *d)
{
    enum { LOOK_MS = 50, LOOKS = SEND_SECONDS * 1000 / LOOK_MS };
    struct pollfd fd = {.fd = d->fd, .events = POLLOUT};

    for (unsigned i = 0; i < LOOKS && !machine_is_ending(d->m); i++)
        if (poll(&fd, 1, LOOK_MS))
            return true;
    return false;
}

static void send_to_debugger(void *opaque, const void *bytes, size_t n)
{
    struct debugger *d = opaque;
    const char *at = bytes;

    while (n && d->fd >= 0 && !d->failed) {
        ssize_t sent = send(d->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            at += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN) {
            d->failed = !wait_for_room(d);
        } else if (errno != EINTR) {
            d->failed = true;
        }
    }
}

static void reset_machine(void *opaque)
{
    struct debugger *d = opaque;

    machine_reset(d->m);
}

static struct events *events_for_debugger(void *opaque)
{
    struct debugger *d = opaque;

    return get_events(d->m);
}

/* --- The connection --- */

/* Listen on this port of the local host; 0: any. Result: the socket, or a negative errno. */
static int listen_on(const struct machine *m, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int one = 1, err, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1) ||
        getsockname(fd, (struct sockaddr *)&address, &length)) {
        err = -errno;
        log_error(&m->log, "gdb: cannot listen on port %u: %s", port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return err;
    }
    log_info(&m->log, "gdb: listening on 127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void hang_up(struct debugger *d)
{
    if (d->fd < 0)
        return;
    close(d->fd);
    d->fd = -1;
    d->failed = false;
    gdb_detach(d->gdb);
}

static void accept_debugger(struct debugger *d)
{
    int one = 1, fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    d->fd = fd;
    d->held = false;
    gdb_attach(d->gdb);
}

/* What there is to read now, if anything. */
static void read_debugger(struct debugger *d)
{
    char bytes[PIECE];
    ssize_t n;

    if (d->fd < 0) {
        accept_debugger(d);
        return;
    }
    n = recv(d->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        gdb_input(d->gdb, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        d->failed = true;
    if (d->failed || (n > 0 && !gdb_attached(d->gdb)))
        hang_up(d);
}

int machine_debug_fd(const struct machine *m)
{
    const struct debugger *d = m->debugger;

    if (!d)
        return -1;
    return d->fd >= 0 ? d->fd : d->listen_fd;
}

bool machine_debug_attached(const struct machine *m)
{
    return m->debugger && m->debugger->fd >= 0;
}

bool machine_debug_calls(const struct machine *m)
{
    struct pollfd fd = {.fd = machine_debug_fd(m), .events = POLLIN};

    return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

/* --- While harts stand still --- */

static bool stopping(const struct machine *m)
{
    return __atomic_load_n(&m->stop, __ATOMIC_SEQ_CST) != STOP_NONE;
}

/* Wait for the debugger, the console, somebody who stops the machine, or host time `limit`. */
static void wait_for_debugger(struct debugger *d, uint64_t limit)
{
    struct machine *m = d->m;
    struct pollfd fds[2 + CONSOLES] = {{.fd = machine_debug_fd(m), .events = POLLIN},
                                       {.fd = m->wake, .events = POLLIN}};
    uint64_t now = host_ns(), ns = limit - min_u64(now, limit), wakes;
    struct timespec wait;

    ns = min_u64(ns, consoles_prepare(m, fds + 2));
    wait = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    if (ppoll(fds, ARRAY_SIZE(fds), ns > UINT64_MAX / 2 ? NULL : &wait, NULL) > 0) {
        if (fds[1].revents)
            while (read(m->wake, &wakes, sizeof(wakes)) > 0)
                ;
        consoles_polled(m, fds + 2);
        if (fds[0].revents)
            read_debugger(d);
    }
    if (host_ns() >= limit)
        machine_request_stop(m, ISTHMUS_STOP_TIMEOUT);
}

/* Some hart is to be stepped. */
static bool steps(const struct debugger *d)
{
    for (unsigned i = 0; i < d->m->harts_n; i++)
        if (gdb_action(d->gdb, i) == GDB_STEP)
            return true;
    return false;
}

/* What was asked to leave its blocks does not need to any more. */
static void forget_kicks(struct machine *m)
{
    for (unsigned i = 0; i < m->harts_n; i++)
        __atomic_fetch_and(&m->harts[i].wait_event, ~(uint32_t)EVENT_STOP, __ATOMIC_SEQ_CST);
}

static void step(struct debugger *d)
{
    struct machine *m = d->m;

    for (unsigned i = 0; i < m->harts_n && !stopping(m); i++) {
        enum gdb_action action = gdb_action(d->gdb, i);

        forget_kicks(m);
        if (action == GDB_STEP)
            m->harts[i].waiting = false; /* WFI may end for any reason */
        if (action != GDB_HALT)
            machine_step(m, &m->harts[i], action == GDB_STEP ? 1 : STEP_OTHERS);
    }
    timers_fire(&m->timers, clock_ticks(&m->clock));
}

/* Serve the debugger until harts may run freely, or the machine stops. */
static void serve(struct debugger *d, uint64_t limit)
{
    gdb_stopped(d->gdb);
    if (machine_debug_calls(d->m))
        read_debugger(d);
    while (!stopping(d->m)) {
        if (gdb_killed(d->gdb)) {
            hang_up(d);
            machine_request_stop(d->m, ISTHMUS_STOP_QUIT);
        } else if (d->held || !gdb_running(d->gdb)) {
            wait_for_debugger(d, limit);
        } else if (steps(d)) {
            clock_release(&d->m->clock);
            step(d);
            clock_hold(&d->m->clock);
            gdb_stopped(d->gdb);
            if (d->failed)
                hang_up(d);
        } else {
            break;
        }
    }
}

void machine_debug_attend(struct machine *m, uint64_t limit)
{
    struct debugger *d = m->debugger;

    if (!d)
        return;
    forget_kicks(m);
    clock_hold(&m->clock);
    serve(d, limit);
    clock_release(&m->clock);
    for (unsigned i = 0; i < m->harts_n; i++)
        m->halted[i] = gdb_action(d->gdb, i) == GDB_HALT;
}

void machine_debug_ended(struct machine *m, uint32_t reason)
{
    struct debugger *d = m->debugger;

    if (!d || d->fd < 0 || reason == ISTHMUS_STOP_LIMIT)
        return;
    gdb_exited(d->gdb, reason == ISTHMUS_STOP_EXIT ? machine_exit_code(m) : -1);
    hang_up(d);
}

/* --- A debugger's life --- */

/* spec is "PORT[,wait]". */
static int make_debugger(struct machine *m, const char *spec)
{
    struct gdb_machine machine = {.harts = m->harts,
                                  .harts_n = m->harts_n,
                                  .mem = &m->mem,
                                  .code = m->code,
                                  .log = &m->log,
                                  .send = send_to_debugger,
                                  .reset = reset_machine,
                                  .events = events_for_debugger};
    struct debugger *d;
    unsigned long port;
    char *end;

    port = strtoul(spec, &end, 10);
    if (*spec < '0' || *spec > '9' || port > 65535 || (*end && strcmp(end, ",wait"))) {
        log_error(&m->log, "gdb: %s: expected PORT or PORT,wait, with a port from 0 (any) to 65535",
                  spec);
        return -EINVAL;
    }
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->m = m;
    d->fd = -1;
    d->held = *end;
    machine.opaque = d;
    d->gdb = gdb_new(&machine);
    d->listen_fd = d->gdb ? listen_on(m, (unsigned)port) : -ENOMEM;
    if (d->listen_fd < 0) {
        int err = d->listen_fd;

        gdb_free(d->gdb);
        free(d);
        return err;
    }
    m->debugger = d;
    return 0;
}

int machine_debug_init(struct machine *m, const struct isthmus_config *config)
{
    int err = make_events(m, config->trace, config->count_guests);

    return err || !config->gdb ? err : make_debugger(m, config->gdb);
}

void machine_debug_free(struct machine *m)
{
    struct debugger *d = m->debugger;

    if (d) {
        hang_up(d);
        close(d->listen_fd);
        gdb_free(d->gdb);
        free(d);
    }
    m->debugger = NULL;
    events_free(m->events);
}
