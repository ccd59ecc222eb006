/* SPDX-License-Identifier: MIT */
/* The translator on the seam of hart/code.h: what it is made of, how blocks come to it and how the
 * interpreter enters what it made of them. */
#include "jit/jit_internal.h"

#include "hart/exec/exec.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>

enum { HOT_SHARE = 6 }; /* sixteenths of the buffer for hot code */
/* One in so many instructions of a block may be a fallback of CLASS_SYSTEM. */
enum { SYSTEM_SHARE = 4 };

/* Only a block's first op is at its start. */
static struct block *block_of(const struct op *op)
{
    while (op->off)
        op--;
    return (struct block *)((char *)op - offsetof(struct block, ops));
}

/* The interpreter enters a translated block by this function of its first op. */
static const struct op *exec_native(struct hart *h, const struct op *op)
{
    struct block *b = block_of(op);
    const struct jit *jit = code_translator(h->code)->opaque;
    const struct op *next;

    h->counters.native_entries++;
    h->left += b->n; /* the translation charges itself */
    h->vpage = h->pc & PAGE_MASK;
    next = jit->thunks.enter(h, __atomic_load_n(&b->native, __ATOMIC_ACQUIRE));
    if (likely(!next))
        return NULL;
    jit_see_code(jit);
    if (h->split) {
        jit_note_split(h, h->split, block_of(next), next);
        h->split = NULL;
    }
    /* Not the first op of its block, so it is as it was decoded. */
    return OP_FN(next)(h, next);
}

/* The fallback of an instruction spills and loads all registers. A block with many of them, such as
 * a hypervisor's switch of worlds, is quicker interpreted. */
static bool mostly_system(const struct jit *jit, const struct block *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->n; i++) {
        struct insn in;

        isa_decode(jit->isa, b->ops[i].raw, &in);
        n += in.class == CLASS_SYSTEM && !jit_emitter_of(jit->isa, &in);
    }
    return n * SYSTEM_SHARE > b->n;
}

static void translate(void *opaque, struct block *b)
{
    struct jit *jit = opaque;
    uint8_t *entry;

    if (mostly_system(jit, b)) {
        __atomic_store_n(&b->ops[0].fn, b->first, __ATOMIC_RELEASE);
        return;
    }
    pthread_mutex_lock(&jit->lock);
    entry = jit_translate(jit, b, OF_BLOCK, NULL);
    if (entry) {
        jit_link_jumps_to(jit, b, entry);
        __atomic_store_n(&b->native, entry, __ATOMIC_RELEASE);
        __atomic_store_n(&b->ops[0].fn, exec_native, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&jit->lock);
}

static void reset(void *opaque)
{
    struct jit *jit = opaque;

    jit->counters.bytes += jit_bytes_used(jit);
    jit->counters.resets += jit->code != jit->code_start;
    jit->code = jit->code_start;
    jit->rare = jit->rare_start;
    jit->data = jit->size;
    memset(jit->jumps, 0, sizeof(jit->jumps));
    __atomic_store_n(&jit->full, false, __ATOMIC_RELAXED);
}

static bool full(void *opaque)
{
    const struct jit *jit = opaque;

    return __atomic_load_n(&jit->full, __ATOMIC_RELAXED);
}

bool jit_supported(void)
{
#ifdef __x86_64__
    unsigned a, b, c = 0, d;
    bool lzcnt = __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);

    return lzcnt && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
#else
    return false;
#endif
}

struct jit *jit_new(const struct isa *isa, const struct jit_options *options, const struct log *log)
{
    struct jit *jit = calloc(1, sizeof(*jit));
    struct asm_ a;
    int err;

    if (!jit)
        return NULL;
    jit->isa = isa;
    jit->log = log;
    jit->size = options->bytes;
#ifdef __x86_64__
    jit->has_fma = __builtin_cpu_supports("fma");
#endif
    pthread_mutex_init(&jit->lock, NULL);
    err = jit_map_buffer(jit);
    if (err) {
        log_error(log, "cannot map %zu bytes for translated code: %s", jit->size, strerror(-err));
        jit_free(jit);
        return NULL;
    }
    jit_set_tiers(jit, options->hot && options->hot < CODE_HOT);
    a = (struct asm_){
        .at = jit->write, .end = jit->write + jit->size, .to_exec = jit->exec - jit->write};
    jit_make_thunks(jit, &a);
    jit->code_start = (size_t)(a.at - jit->write);
    jit->rare_start = jit->code_start + (jit->size - jit->code_start) / 16 * HOT_SHARE;
    jit->code = jit->code_start;
    jit->rare = jit->rare_start;
    jit->data = jit->size;
    jit->seam = (struct translator){.opaque = jit,
                                    .cold = jit->thunks.cold,
                                    .hot = options->hot ? options->hot : CODE_HOT,
                                    .translate = translate,
                                    .reset = reset,
                                    .full = full};
    if (options->perf_map)
        jit_open_perf_map(jit);
    return jit;
}

void jit_free(struct jit *jit)
{
    if (!jit)
        return;
    jit_unmap_buffer(jit);
    pthread_mutex_destroy(&jit->lock);
    free(jit);
}

const struct translator *jit_translator(struct jit *jit)
{
    return &jit->seam;
}

struct jit_counters jit_counters(const struct jit *jit)
{
    struct jit_counters c = jit->counters;

    c.bytes += jit_bytes_used(jit);
    return c;
}
