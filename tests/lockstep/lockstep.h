/* SPDX-License-Identifier: MIT */
/*
 * Lock-step: the same machine twice, one interpreting and one translating, which must agree at
 * every look: all registers and CSRs of all harts, what they print, and RAM.
 *
 * Both are deterministic, so an instruction count names one moment of the run, and any difference
 * is a fault of one of them. Only isthmus.h is used.
 */
#ifndef TESTS_LOCKSTEP_H
#define TESTS_LOCKSTEP_H

#include "isthmus.h"

enum { LOCKSTEP_WHY_MAX = 1024, LOCKSTEP_OUTPUT_MAX = 1 << 16 };

/* What one of the machines printed since the last look. */
struct lockstep_output {
    char text[LOCKSTEP_OUTPUT_MAX];
    size_t n;
};

struct lockstep {
    struct isthmus *m[2]; /* interpreting, translating */
    unsigned harts;
    uint64_t memory;
    uint16_t csrs[4096]; /* the numbers of those that there are */
    unsigned csrs_n;
    struct lockstep_output output[2];
    bool echo;  /* hand on to stdout what is printed */
    bool quiet; /* no messages */
    uint64_t done;              /* instructions, as limits count them */
    char why[LOCKSTEP_WHY_MAX]; /* the difference */
};

/* Two machines of config, in which deterministic, interpret and the hooks are set here. NULL where
 * one cannot be made: the reason went to stderr. */
struct lockstep *lockstep_new(const struct isthmus_config *config);
void lockstep_free(struct lockstep *l);

enum lockstep_result {
    LOCKSTEP_AGREE,
    LOCKSTEP_ENDED,   /* both stopped for the same reason, which was not the limit, and agree */
    LOCKSTEP_DIFFER,  /* l->why says how */
};

/* Run n instructions on both, then compare all but RAM. */
enum lockstep_result lockstep_run(struct lockstep *l, uint64_t n);
/* The same by isthmus_step on one hart. */
enum lockstep_result lockstep_step(struct lockstep *l, unsigned hart, uint64_t n);
/* Compare RAM. Result: false with l->why. */
bool lockstep_same_ram(struct lockstep *l);

/* The same write to both; a read of the translating one. */
void lockstep_write(struct lockstep *l, uint64_t pa, const void *from, size_t n);
void lockstep_read(struct lockstep *l, uint64_t pa, void *to, size_t n);
void lockstep_set(struct lockstep *l, unsigned hart, unsigned reg, uint64_t value);
/* A register that both agree on; a counter of the translating one. */
uint64_t lockstep_reg(struct lockstep *l, unsigned hart, unsigned reg);
uint64_t lockstep_counter(struct lockstep *l, const char *name);

#endif
