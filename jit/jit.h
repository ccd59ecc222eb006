/* SPDX-License-Identifier: MIT */
/*
 * The translator: hot blocks of decoded code to the host's instructions.
 *
 * It stands on the seam in hart/code.h. A translation does what the interpreter does with the same
 * block, instruction for instruction: the same charge of instructions at a block's entry, the same
 * precise state at every trap, the same look at events. So the two may take turns at any block,
 * and a deterministic run is the same with and without it.
 *
 * Hosts: x86-64 with BMI2. Elsewhere the interpreter does all.
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include "hart/code.h"

struct jit;

struct jit_counters {
    uint64_t blocks, paths, bytes; /* translated, and all their code */
    uint64_t resets;        /* how often the buffer was emptied */
};

/* True where this host can run translations. */
bool jit_supported(void);
struct jit_options {
    size_t bytes;  /* of the code buffer: a multiple of 4096, at least JIT_BUFFER_MIN */
    unsigned hot;  /* translate a block that is entered so often, 1 to CODE_HOT_MAX; 0: CODE_HOT */
    bool perf_map; /* write /tmp/perf-PID.map, so that perf names translated blocks */
};
enum { JIT_BUFFER_MIN = 64 * 1024 };

/* A translator for guests that isa decodes. NULL after logging why. */
struct jit *jit_new(const struct isa *isa, const struct jit_options *options,
                    const struct log *log);
void jit_free(struct jit *jit);
const struct translator *jit_translator(struct jit *jit);
struct jit_counters jit_counters(const struct jit *jit);

#endif
