/* SPDX-License-Identifier: MIT */
/* The host's time, in nanoseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Time since some moment in the past; never goes back. */
uint64_t host_ns(void);
/* Time since 1970-01-01 00:00 UTC. */
uint64_t host_epoch_ns(void);

#endif
