/* SPDX-License-Identifier: MIT */
/*
 * APLIC: the advanced platform-level interrupt controller (AIA, "Advanced PLIC"), with the two
 * domains of QEMU's virt board: a machine-level root, and one supervisor-level child to which the
 * root may delegate sources. A domain delivers to harts directly, or forwards as MSIs.
 *
 * A source is active in at most one domain. Its pending and enable bits, mode and target are kept
 * there; the wires are common.
 */
#ifndef DEV_APLIC_H
#define DEV_APLIC_H

#include "mem/mem.h"

#include <pthread.h>

enum {
    APLIC_SOURCES = 96, /* numbered 1..96 */
    APLIC_WORDS = (APLIC_SOURCES + 1 + 31) / 32,
    APLIC_HARTS_MAX = 64,
};
#define APLIC_SIZE UINT64_C(0x8000)
enum aplic_level { APLIC_M, APLIC_S, APLIC_DOMAINS };

/* Where interrupts go. */
struct aplic_sink {
    /* Direct mode: the output to a hart changed; priority is that of its first interrupt. */
    void (*drive)(void *opaque, enum aplic_level level, unsigned hart, bool on, uint8_t priority);
    /* MSI mode: write data to physical address pa. */
    void (*msi)(void *opaque, uint64_t pa, uint32_t data);
    void *opaque;
};

struct aplic;

struct aplic_domain {
    struct aplic *aplic;
    enum aplic_level level;
    bool enabled, msi; /* domaincfg.IE, DM */
    uint16_t sourcecfg[APLIC_SOURCES + 1];
    uint32_t target[APLIC_SOURCES + 1];
    uint32_t pending[APLIC_WORDS], enable[APLIC_WORDS];
    uint32_t genmsi;
    struct aplic_idc {
        bool delivers, force;
        uint8_t threshold;
        bool output; /* as last driven, */
        uint8_t priority;
    } idc[APLIC_HARTS_MAX];
};

struct aplic {
    pthread_mutex_t lock;
    struct aplic_domain domains[APLIC_DOMAINS];
    uint32_t wires[APLIC_WORDS];
    uint32_t msiaddr[4]; /* mmsiaddrcfg, mmsiaddrcfgh, smsiaddrcfg, smsiaddrcfgh */
    unsigned harts;
    bool has_msi; /* harts have IMSICs: domains may be in MSI mode */
    struct aplic_sink sink;
};

void aplic_init(struct aplic *a, unsigned harts, bool has_msi, struct aplic_sink sink);
void aplic_free(struct aplic *a);
void aplic_reset(struct aplic *a);

/* From any thread: the wire of source 1..96; the set function of a struct irq_wire whose sink is
 * the APLIC. */
void aplic_set(void *aplic, unsigned source, bool level);

extern const struct device_ops aplic_ops; /* dev: struct aplic_domain */

#endif
