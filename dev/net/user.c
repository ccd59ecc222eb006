/* SPDX-License-Identifier: MIT */
/*
 * User-mode network: libslirp plays the gateway, DHCP and DNS server of 10.0.2.0/24, and makes the
 * guest's connections by sockets of this process. No privilege is needed.
 *
 * Nothing between the card and libslirp can corrupt a frame, so checksums need not be computed by
 * the guest: those that it leaves open are filled in here, and frames for it are marked as valid.
 */
#include "dev/net/net.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_VERSION = 1, NS_A_MS = 1000000 };

struct user_timer {
    SlirpTimerCb fire;
    void *opaque;
    int64_t deadline_ms; /* -1: not set */
    struct user_timer *next;
};

struct user {
    struct net_backend b;
    Slirp *slirp;
    struct user_timer *timers;
    /* while fds are gathered or looked at */
    struct pollfd *fds;
    unsigned fds_n, fds_max;
};

/* --- What libslirp asks of us --- */

static ssize_t to_guest(const void *frame, size_t n, void *opaque)
{
    struct user *u = opaque;
    const struct net_header header = {.flags = NET_DATA_VALID};

    u->b.receive(u->b.card, &header, frame, n);
    return (ssize_t)n;
}

static void guest_error(const char *text, void *opaque)
{
    (void)text; /* a guest may send what it likes */
    (void)opaque;
}

static int64_t clock_ns(void *opaque)
{
    (void)opaque;
    return (int64_t)host_ns();
}

static void *timer_new(SlirpTimerCb fire, void *fire_opaque, void *opaque)
{
    struct user *u = opaque;
    struct user_timer *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    *t = (struct user_timer){fire, fire_opaque, -1, u->timers};
    u->timers = t;
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct user *u = opaque;
    struct user_timer **at = &u->timers;

    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    free(timer);
}

static void timer_mod(void *timer, int64_t deadline_ms, void *opaque)
{
    struct user_timer *t = timer;

    (void)opaque;
    if (t)
        t->deadline_ms = deadline_ms;
}

static void ignore_fd(int fd, void *opaque)
{
    (void)fd;
    (void)opaque;
}

static void ignore_notify(void *opaque)
{
    (void)opaque; /* all calls come from the thread that polls next */
}

static const SlirpCb callbacks = {
    .send_packet = to_guest,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = ignore_fd,
    .unregister_poll_fd = ignore_fd,
    .notify = ignore_notify,
};

/* --- What the card asks of us --- */

static void into_slirp(void *opaque, const uint8_t *frame, size_t n)
{
    struct user *u = opaque;

    slirp_input(u->slirp, frame, (int)n);
}

static void user_send(struct net_backend *b, const struct net_header *header, uint8_t *frame,
                      size_t n)
{
    net_segment(header, frame, n, into_slirp, b);
}

static const struct {
    int slirp;
    short poll;
} event_names[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *opaque)
{
    struct user *u = opaque;
    short wanted = 0;

    if (u->fds_n == u->fds_max)
        return -1;
    for (unsigned i = 0; i < ARRAY_SIZE(event_names); i++)
        wanted |= events & event_names[i].slirp ? event_names[i].poll : 0;
    u->fds[u->fds_n] = (struct pollfd){.fd = fd, .events = wanted};
    return (int)u->fds_n++;
}

static int get_revents(int at, void *opaque)
{
    struct user *u = opaque;
    int events = 0;

    if (at < 0 || (unsigned)at >= u->fds_n)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(event_names); i++)
        events |= u->fds[at].revents & event_names[i].poll ? event_names[i].slirp : 0;
    return events;
}

/* Without room for frames libslirp's sockets wait, but its timers go on. */
static unsigned user_prepare(struct net_backend *b, struct pollfd *fds, unsigned max,
                             int *timeout_ms, bool room)
{
    struct user *u = (struct user *)b;
    int64_t now = (int64_t)host_ns() / NS_A_MS;
    uint32_t timeout = UINT32_MAX;

    u->fds = fds;
    u->fds_n = 0;
    u->fds_max = room ? max : 0;
    slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
    for (struct user_timer *t = u->timers; t; t = t->next) {
        int64_t left = t->deadline_ms - now;
        if (t->deadline_ms >= 0 && left < (int64_t)timeout)
            timeout = left < 0 ? 0 : (uint32_t)left;
    }
    *timeout_ms = timeout > INT32_MAX ? -1 : (int)timeout;
    return u->fds_n;
}

static void fire_timers(struct user *u)
{
    int64_t now = (int64_t)host_ns() / NS_A_MS;

    for (struct user_timer *t = u->timers, *next; t; t = next) {
        next = t->next;
        if (t->deadline_ms >= 0 && t->deadline_ms <= now) {
            t->deadline_ms = -1;
            t->fire(t->opaque);
        }
    }
}

static void user_polled(struct net_backend *b, struct pollfd *fds, unsigned n)
{
    struct user *u = (struct user *)b;

    u->fds = fds;
    u->fds_n = n;
    slirp_pollfds_poll(u->slirp, 0, get_revents, u);
    fire_timers(u);
}

static void user_free(struct net_backend *b)
{
    struct user *u = (struct user *)b;

    if (u->slirp)
        slirp_cleanup(u->slirp);
    while (u->timers)
        timer_free(u->timers, u);
    free(u);
}

static const struct net_backend_ops user_ops = {
    .send = user_send,
    .prepare = user_prepare,
    .polled = user_polled,
    .free = user_free,
};

/* --- Making --- */

static struct in_addr address(const char *text)
{
    struct in_addr a = {0};

    inet_pton(AF_INET, text, &a);
    return a;
}

static int add_forward(struct user *u, const struct net_forward *f)
{
    const char *host = f->host ? f->host : "127.0.0.1", *guest = f->guest ? f->guest : "10.0.2.15";
    struct in_addr from, to;

    if (inet_pton(AF_INET, host, &from) != 1 || inet_pton(AF_INET, guest, &to) != 1) {
        log_error(u->b.log, "hostfwd %s:%u-%s:%u: expected IPv4 addresses", host, f->host_port,
                  guest, f->guest_port);
        return -EINVAL;
    }
    if (!slirp_add_hostfwd(u->slirp, f->udp, from, f->host_port, to, f->guest_port))
        return 0;
    log_error(u->b.log, "hostfwd %s:%u: cannot listen there: %s", host, f->host_port,
              strerror(errno));
    return -EADDRINUSE;
}

static SlirpConfig configuration(void)
{
    SlirpConfig c = {
        .version = CONFIG_VERSION,
        .in_enabled = true,
        .vnetwork = address("10.0.2.0"),
        .vnetmask = address("255.255.255.0"),
        .vhost = address("10.0.2.2"),
        .vdhcp_start = address("10.0.2.15"),
        .vnameserver = address("10.0.2.3"),
        .in6_enabled = true,
        .vprefix_len = 64,
        .vhostname = "isthmus",
    };

    inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &c.vhost6);
    inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
    return c;
}

struct net_backend *net_user_new(const struct net_forward *forwards, unsigned n,
                                 const struct log *log, int *error)
{
    SlirpConfig config = configuration();
    struct user *u = calloc(1, sizeof(*u));

    *error = -ENOMEM;
    if (u) {
        u->b = (struct net_backend){.ops = &user_ops, .log = log};
        u->b.features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 |
                        NET_F_HOST_ECN;
        u->slirp = slirp_new(&config, &callbacks, u);
    }
    if (!u || !u->slirp) {
        log_error(log, "cannot set up the user-mode network");
        free(u);
        return NULL;
    }
    *error = 0;
    for (unsigned i = 0; !*error && i < n; i++)
        *error = add_forward(u, &forwards[i]);
    if (!*error)
        return &u->b;
    user_free(&u->b);
    return NULL;
}
