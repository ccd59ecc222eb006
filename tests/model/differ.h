/* SPDX-License-Identifier: MIT */
/*
 * Differential test of the window engine against the model: a stream of numbers chooses
 * instructions, their operands (near the edges of windows, pages and the address space), who
 * executes them on which hart, and what the host and the owners change in between, with the fences
 * that the spec asks for. After each step results, faults, notifications and all memory must be the
 * same.
 */
#ifndef TESTS_MODEL_DIFFER_H
#define TESTS_MODEL_DIFFER_H

#include "tests/model/model.h"

struct differ {
    uint64_t (*next)(void *entropy); /* any 64-bit number */
    void *entropy;
    struct world world;
    struct model model;
    struct window_engine *engine;
    struct window_hart *harts[WORLD_HARTS];
    struct world_hart envs[WORLD_HARTS];
    uint64_t steps;
    unsigned aim_domain; /* owner and remote address of the last transfer: worth changing */
    uint64_t aim_va;
    uint64_t outcomes[4], statuses[7]; /* how often each came back */
    char last[512];                    /* the last instruction and what differed */
};

/* Result: 0 or -ENOMEM. */
int differ_init(struct differ *d, uint64_t (*next)(void *), void *entropy);
void differ_free(struct differ *d);

/* One step. Result: false where engine and model differ; d->last says how. */
bool differ_step(struct differ *d);

/* A generator of numbers for differ_init: entropy is a uint64_t, the seed at first. */
uint64_t differ_random(void *entropy);

#endif
