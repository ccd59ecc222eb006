/* SPDX-License-Identifier: MIT */
#include "machine/console.h"

#include "base/bits.h"
#include "machine/machine.h"

enum { FULL_POLL_NS = 10000000 }; /* how often to look again whether a console has room */

static struct chardev *console_of(struct machine *m, unsigned i)
{
    return i ? &m->hvc : &m->console;
}

uint64_t consoles_prepare(struct machine *m, struct pollfd *fds)
{
    uint64_t wait = UINT64_MAX;

    for (unsigned i = 0; i < CONSOLES; i++) {
        struct chardev *c = console_of(m, i);

        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (c->in_fd >= 0 && chardev_room(c))
            fds[i].fd = c->in_fd;
        else if (c->in_fd >= 0)
            wait = FULL_POLL_NS;
    }
    return wait;
}

void consoles_polled(struct machine *m, const struct pollfd *fds)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        if (fds[i].revents)
            chardev_readable(console_of(m, i));
}

void consoles_flush(struct machine *m)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        chardev_flush(console_of(m, i));
}

void consoles_begin(struct machine *m)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        chardev_begin(console_of(m, i));
}

void consoles_end(struct machine *m)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        chardev_end(console_of(m, i));
}
