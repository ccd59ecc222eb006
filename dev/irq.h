/* SPDX-License-Identifier: MIT */
/* An interrupt wire: what a device drives, whoever listens at its other end. */
#ifndef DEV_IRQ_H
#define DEV_IRQ_H

#include <stdbool.h>

struct irq_wire {
    void (*set)(void *sink, unsigned number, bool level);
    void *sink;
    unsigned number; /* of the input at the sink */
};

static inline void irq_drive(const struct irq_wire *wire, bool level)
{
    if (wire->set)
        wire->set(wire->sink, wire->number, level);
}

#endif
