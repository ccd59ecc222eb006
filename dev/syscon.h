/* SPDX-License-Identifier: MIT */
/*
 * The test finisher of the virt board: a guest ends or resets the machine by one 32-bit store.
 * 0x5555: power off, success; 0x3333 | code << 16: power off, failure with an exit code; 0x7777:
 * reset.
 */
#ifndef DEV_SYSCON_H
#define DEV_SYSCON_H

#include "mem/mem.h"

struct syscon {
    void (*power_off)(void *opaque, unsigned code); /* from a hart's thread */
    void (*reset)(void *opaque);
    void *opaque;
};

extern const struct device_ops syscon_ops;

#endif
