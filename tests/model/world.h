/* SPDX-License-Identifier: MIT */
/*
 * A small machine for testing the window engine: RAM, a host and three guests, page tables that
 * are plain arrays. It answers the engine's questions (world_env) and the model's (world_translate)
 * from the same tables, over two separate copies of RAM, so that the two can be compared.
 *
 * Every domain has two address spaces and Bare. An address space maps LOW_PAGES pages from LOW_VA
 * on and the last HIGH_PAGES pages of the 64-bit space.
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "window/window.h"

#include <xisthmus.h>

enum {
    DOMAINS = 4, /* 0 is the host */
    SPACES = 2,
    RAM_PAGES = 100,
    TABLE_PAGE = 0,
    WINDOWS_LOG2 = 4,
    GPA_PAGES = 40,
    LOW_PAGES = 40,
    HIGH_PAGES = 4,
    WORLD_HARTS = 4,
    WORLD_PAGE = 4096,
};
#define RAM_BASE UINT64_C(0x80000000)
#define RAM_BYTES ((uint64_t)RAM_PAGES * WORLD_PAGE)
#define TABLE_PA (RAM_BASE + TABLE_PAGE * WORLD_PAGE)
#define LOW_VA UINT64_C(0x10000)
#define HIGH_VA (-(uint64_t)HIGH_PAGES * WORLD_PAGE)

enum kind { KIND_NONE, KIND_RAM, KIND_DEVICE };

/* A page of a G-stage, or of the host's physical space as PMP leaves it. */
struct gpage {
    enum kind kind;
    bool writable;
    unsigned ram; /* RAM page */
};

/* A page of an address space. */
struct vpage {
    bool mapped, readable, writable, user;
    unsigned gpage; /* guest-physical page number; of the host: RAM page number */
};

struct domain {
    struct gpage gpages[GPA_PAGES]; /* guests; GPA 0 on */
    struct vpage low[SPACES][LOW_PAGES], high[SPACES][HIGH_PAGES];
};

enum fault { FAULT_NONE, FAULT_PAGE, FAULT_GUEST_PAGE, FAULT_ACCESS };

/* Who runs on a hart, with what the engine is not told. */
struct context {
    struct window_caller caller;
    bool sum;
};

struct notice {
    uint64_t pa, count;
    uint32_t data;
};

struct world {
    struct domain domains[DOMAINS];
    struct gpage physical[RAM_PAGES]; /* what PMP lets HS do; the table's page included */
    uint8_t *ram;                     /* the engine's copy */
    struct context context[WORLD_HARTS];
    /* What the env noted of the engine's last instruction. */
    uint64_t fault_va;
    enum fault fault;
    struct notice notice;
};

/* hgatp of a domain with some VMID; atp of address space s (SPACES: Bare) with some ASID. */
uint64_t world_hgatp(unsigned domain, unsigned vmid);
uint64_t world_atp(unsigned domain, unsigned space, unsigned asid);

/* Domain whose root is hgatp's, or -1. */
int world_domain(uint64_t hgatp);

/* All domains mapped, whole windows of RAM each. Result: 0 or -ENOMEM. */
int world_init(struct world *w);
void world_free(struct world *w);

/* One byte's translation, as a walk of the tables would: hgatp 0 is the host. user: checked as from
 * user mode; sum: S may access user pages. */
enum fault world_translate(const struct world *w, uint64_t hgatp, uint64_t atp, uint64_t va,
                           bool user, bool sum, bool write, uint64_t *pa);

/* Where a descriptor is reachable for HS. */
bool world_descriptor_ok(const struct world *w, uint64_t pa);

/* The env of a hart over w and its copy of RAM. opaque is a struct world_hart. */
struct world_hart {
    struct world *world;
    unsigned id;
};
struct window_env world_env(struct world_hart *wh);

#endif
