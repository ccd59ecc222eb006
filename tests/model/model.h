/* SPDX-License-Identifier: MIT */
/*
 * The naive model of the extension: each instruction as docs/spec/xisthmus.md tells it, one byte at
 * a time, with no cache, no lock and no shortcut. It keeps no state but the hiwt registers and its
 * own copy of the world's RAM.
 */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "tests/model/world.h"

struct model {
    const struct world *world;
    uint8_t *ram;
    uint64_t hiwt[WORLD_HARTS];
    /* Of the last instruction: */
    uint64_t fault_va;
    enum fault fault;
    struct notice notice;
    /* It copied between ranges that overlap: dst_pa[0..copied) may hold any mix. */
    bool overlap;
    uint64_t copied;
    uint64_t src_pa[IG_MAX_PIECE], dst_pa[IG_MAX_PIECE];
    uint8_t written[RAM_BYTES]; /* scratch */
};

/* A model of w as it is now. Result: 0 or -ENOMEM. */
int model_init(struct model *m, const struct world *w);
void model_free(struct model *m);

uint64_t model_set_hiwt(struct model *m, unsigned hart, uint64_t value);

/* The instructions, by the hart and as its context. */
struct window_result model_put(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                               uint64_t rs3);
struct window_result model_get(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                               uint64_t rs3);
struct window_result model_ring(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2);
struct window_result model_store(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                                 uint64_t rs3);
struct window_result model_drop(struct model *m, unsigned hart, uint64_t rs1);
struct window_result model_bind(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2);
struct window_result model_query(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2);
struct window_result model_alloc(struct model *m, unsigned hart, uint64_t rs1);
struct window_result model_free_window(struct model *m, unsigned hart, uint64_t rs1);
struct window_result model_fence(struct model *m, unsigned hart, bool all, uint64_t rs1);
struct window_result model_suspend(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2);

#endif
