/* SPDX-License-Identifier: MIT */
/* The machine's consoles as those see them who wait for the world: the serial one and hvc. */
#ifndef MACHINE_CONSOLE_H
#define MACHINE_CONSOLE_H

#include <poll.h>
#include <stdint.h>

struct machine;

enum { CONSOLES = 2 };

/* What to poll for input, in fds[CONSOLES]. Result: how many ns it is until one should look again
 * whether there is room for more, UINT64_MAX: that is not needed. */
uint64_t consoles_prepare(struct machine *m, struct pollfd *fds);
/* After the poll. */
void consoles_polled(struct machine *m, const struct pollfd *fds);
void consoles_flush(struct machine *m);
/* A run begins: the terminal is the guest's. It ends: it is the user's again. */
void consoles_begin(struct machine *m);
void consoles_end(struct machine *m);

#endif
