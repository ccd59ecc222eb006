/* SPDX-License-Identifier: MIT */
/*
 * PLIC: the platform-level interrupt controller (RISC-V PLIC specification 1.0), laid out as on
 * QEMU's virt board: 96 sources, and for each hart a context for M and one for S, in this order.
 *
 * Sources are level-triggered. A source's gateway passes one request on and then waits for its
 * completion before it looks at the wire again.
 */
#ifndef DEV_PLIC_H
#define DEV_PLIC_H

#include "mem/mem.h"

#include <pthread.h>

enum {
    PLIC_SOURCES = 96, /* numbered 1..96; 0 is "no interrupt" */
    PLIC_WORDS = (PLIC_SOURCES + 1 + 31) / 32,
    PLIC_CONTEXTS_MAX = 128,
    PLIC_PRIORITY_MAX = 7,
};
#define PLIC_SIZE UINT64_C(0x600000)

struct plic {
    pthread_mutex_t lock;
    uint8_t priority[PLIC_SOURCES + 1];
    uint32_t level[PLIC_WORDS];   /* the wires */
    uint32_t pending[PLIC_WORDS]; /* requests that wait for a claim */
    uint32_t claimed[PLIC_WORDS]; /* requests that wait for a completion */
    uint32_t enable[PLIC_CONTEXTS_MAX][PLIC_WORDS];
    uint8_t threshold[PLIC_CONTEXTS_MAX];
    bool output[PLIC_CONTEXTS_MAX]; /* as last driven */
    unsigned contexts;
    void (*drive)(void *opaque, unsigned context, bool level);
    void *opaque;
};

/* Prepare a PLIC of `contexts` contexts; drive is told each change of a context's output. */
void plic_init(struct plic *p, unsigned contexts,
               void (*drive)(void *opaque, unsigned context, bool level), void *opaque);
void plic_free(struct plic *p);
void plic_reset(struct plic *p);

/* From any thread: the wire of source 1..96; the set function of a struct irq_wire whose sink is
 * the PLIC. */
void plic_set(void *plic, unsigned source, bool level);

extern const struct device_ops plic_ops;

#endif
