/* SPDX-License-Identifier: MIT */
/*
 * A TAP interface. The kernel takes and gives the header of virtio-net in front of each frame,
 * so that checksums and segmentation are left to it, or to the guest at the other end.
 */
#include "dev/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAMES_A_POLL = 64 };

struct tap {
    struct net_backend b;
    int fd;
    uint8_t frame[NET_FRAME_MAX];
};

static void tap_send(struct net_backend *b, const struct net_header *header, uint8_t *frame,
                     size_t n)
{
    struct tap *t = (struct tap *)b;
    struct iovec iov[] = {{(void *)header, sizeof(*header)}, {frame, n}};

    /* A frame that the interface does not take is lost, as on a wire. */
    if (writev(t->fd, iov, ARRAY_SIZE(iov)) < 0)
        return;
}

/* What the kernel may leave to the guest. */
static void tap_choose(struct net_backend *b, uint64_t features)
{
    static const struct {
        uint64_t feature;
        unsigned offload;
    } table[] = {
        {NET_F_GUEST_CSUM, TUN_F_CSUM},
        {NET_F_GUEST_TSO4, TUN_F_TSO4},
        {NET_F_GUEST_TSO6, TUN_F_TSO6},
        {NET_F_GUEST_ECN, TUN_F_TSO_ECN},
    };
    unsigned offloads = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (features & table[i].feature)
            offloads |= table[i].offload;
    if (!(offloads & TUN_F_CSUM))
        offloads = 0;
    if (ioctl(((struct tap *)b)->fd, TUNSETOFFLOAD, offloads))
        log_warn(b->log, "tap: the host refuses offloads %#x: %s", offloads, strerror(errno));
}

static unsigned tap_prepare(struct net_backend *b, struct pollfd *fds, unsigned max,
                            int *timeout_ms, bool room)
{
    (void)max;
    (void)timeout_ms;
    fds[0] = (struct pollfd){.fd = ((struct tap *)b)->fd, .events = POLLIN};
    return room ? 1 : 0;
}

static void tap_polled(struct net_backend *b, struct pollfd *fds, unsigned n)
{
    struct tap *t = (struct tap *)b;
    struct net_header header;
    struct iovec iov[] = {{&header, sizeof(header)}, {t->frame, sizeof(t->frame)}};

    if (n == 0 || !fds[0].revents)
        return;
    for (unsigned i = 0; i < FRAMES_A_POLL; i++) {
        ssize_t got = readv(t->fd, iov, ARRAY_SIZE(iov));
        if (got <= (ssize_t)sizeof(header))
            return;
        b->receive(b->card, &header, t->frame, (size_t)got - sizeof(header));
    }
}

static void tap_free(struct net_backend *b)
{
    struct tap *t = (struct tap *)b;

    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

static const struct net_backend_ops tap_ops = {
    .send = tap_send,
    .choose = tap_choose,
    .prepare = tap_prepare,
    .polled = tap_polled,
    .free = tap_free,
};

static int open_tap(struct tap *t, const char *ifname)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int header = sizeof(struct net_header);

    if (strlen(ifname) >= sizeof(request.ifr_name)) {
        log_error(t->b.log, "tap: %s: expected a name of at most %zu bytes", ifname,
                  sizeof(request.ifr_name) - 1);
        return -EINVAL;
    }
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
    t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &request) || ioctl(t->fd, TUNSETVNETHDRSZ, &header)) {
        int err = errno;
        log_error(t->b.log, "tap: cannot use interface %s: %s", ifname, strerror(err));
        return -err;
    }
    return 0;
}

struct net_backend *net_tap_new(const char *ifname, const struct log *log, int *error)
{
    struct tap *t = calloc(1, sizeof(*t));

    *error = -ENOMEM;
    if (!t) {
        log_error(log, "tap: not enough memory");
        return NULL;
    }
    t->fd = -1;
    t->b = (struct net_backend){.ops = &tap_ops, .log = log};
    t->b.features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 |
                    NET_F_GUEST_ECN | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN;
    *error = open_tap(t, ifname);
    if (!*error)
        return &t->b;
    tap_free(&t->b);
    return NULL;
}
