/* SPDX-License-Identifier: MIT */
/* Translation of a block: its frame (charge, body, slow ways) and the buffer that it goes to. */
#include "jit/jit_internal.h"

#include "hart/exec/exec.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


/* --- Stubs and fallbacks --- */

struct stub *stub_new(struct trans *t, const struct op *op)
{
    struct stub *s = &t->stubs[t->stubs_n++];

    *s = (struct stub){.op = op};
    return s;
}

void stub_from(struct stub *s, fixup from)
{
    s->from[s->from_n++] = from;
}

void stub_resume(struct trans *t, struct stub *s)
{
    s->resume = asm_here(&t->a);
}

/* Behind the copy of an op: come back with something that is not NULL. */
static const struct op *stop(struct hart *h, const struct op *op)
{
    return op;
}

/* Call the fallback thunk on a copy of op. */
static void call_fallback(struct trans *t, const struct op *op)
{
    struct fallback_op *copy;
    int32_t distance;

    t->data -= sizeof(*copy);
    copy = (struct fallback_op *)(t->jit->write + t->data);
    if ((uint8_t *)copy < t->a.at) {
        t->a.at = t->a.end; /* full */
        return;
    }
    copy->op = *op;
    if (op == t->block->ops)
        copy->op.fn = t->block->first;
    copy->stop = (struct op){.fn = stop};

    put_rex(&t->a, W, 0, 0, 0); /* lea rax, [rip + distance] */
    put8(&t->a, 0x8d);
    put8(&t->a, 0x05);
    distance = (int32_t)(t->jit->exec + t->data - (asm_here(&t->a) + 4));
    put32(&t->a, (uint32_t)distance);
    mov_ri(&t->a, RCX, t->block->off);
    patch(&t->a, call(&t->a), t->jit->thunks.fallback);
}

void emit_fallback(struct trans *t, const struct op *op)
{
    call_fallback(t, op);
}

static void write_stubs(struct trans *t)
{
    for (unsigned i = 0; i < t->stubs_n; i++) {
        struct stub *s = &t->stubs[i];
        if (s->site)
            emit_site_miss(t, s);
        for (unsigned k = 0; k < s->from_n; k++)
            patch_here(&t->a, s->from[k]);
        call_fallback(t, s->op);
        patch(&t->a, jmp(&t->a), s->resume);
    }
}

enum { SYSTEM_SHARE = 4 }; /* one in so many instructions of a block may be of CLASS_SYSTEM */

/* --- The block --- */

static emit_fn emitter_of(const struct insn *in)
{
    static const emit_fn *const tables[] = {jit_emit_int, jit_emit_mem, jit_emit_jump,
                                            jit_emit_fp};

    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
        if (tables[i][in->base])
            return tables[i][in->base];
    return NULL;
}

static void write_body(struct trans *t)
{
    const struct block *b = t->block;

    for (unsigned i = 0; i < b->n; i++) {
        const struct op *op = &b->ops[i];
        struct insn in;
        emit_fn emit;

        isa_decode(t->jit->isa, op->raw, &in);
        emit = emitter_of(&in);
        if (emit)
            emit(t, op, &in);
        else
            emit_fallback(t, op);
        if (!emit && code_looks(&in)) {
            /* The context may have changed: hart_run looks. */
            mov_ri(&t->a, RCX, b->off + op->off + op->len);
            patch(&t->a, jmp(&t->a), t->jit->thunks.exit_offset[NATIVE_EXIT_SYSTEM]);
            t->done = true;
        }
    }
    if (!t->done)
        emit_goto(t, b->off + b->ops[b->n].off);
}

static void write_block(struct trans *t)
{
    struct asm_ *a = &t->a;
    fixup broke;

    t->entry = asm_here(a);
    alu_ri(a, W, ALU_SUB, R15, t->block->n);
    broke = jcc(a, CC_S);
    write_body(t);
    emit_asides(t);
    write_stubs(t);
    patch_here(a, broke);
    alu_ri(a, W, ALU_ADD, R15, t->block->n);
    mov_ri(a, RCX, t->block->off);
    patch(a, jmp(a), t->jit->thunks.exit_offset[NATIVE_EXIT_BUDGET]);
}

/* The interpreter enters a translated block by this function of its first op. */
static const struct op *exec_native(struct hart *h, const struct op *op)
{
    struct block *b = (struct block *)((char *)op - offsetof(struct block, ops));
    const struct jit *jit = code_translator(b->cache)->opaque;

    h->counters.native_entries++;
    h->left += b->n; /* the translation charges itself */
    h->vpage = h->pc & PAGE_MASK;
    jit->thunks.enter(h, __atomic_load_n(&b->native, __ATOMIC_ACQUIRE));
    return NULL;
}

static void note_for_perf(struct jit *jit, const struct trans *t)
{
    if (!jit->perf_map)
        return;
    fprintf(jit->perf_map, "%lx %lx guest_%lx\n", (unsigned long)(uintptr_t)t->entry,
            (unsigned long)(asm_here(&t->a) - t->entry),
            (unsigned long)(t->block->page->ppn << PAGE_SHIFT | t->block->off));
    fflush(jit->perf_map);
}

/* The fallback of an instruction spills and loads all registers. A block with many accesses to CSRs,
 * such as the entry of a trap handler, which is mostly reached from hart_run anyway, is quicker
 * interpreted. */
static bool mostly_system(const struct jit *jit, const struct block *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->n; i++) {
        struct insn in;

        isa_decode(jit->isa, b->ops[i].raw, &in);
        n += in.class == CLASS_SYSTEM;
    }
    return n * SYSTEM_SHARE > b->n;
}

static void translate(void *opaque, struct code_cache *c, struct block *b)
{
    struct jit *jit = opaque;
    struct trans t = {.jit = jit, .cache = c, .block = b};

    if (mostly_system(jit, b)) {
        __atomic_store_n(&b->ops[0].fn, b->first, __ATOMIC_RELEASE);
        return;
    }
    pthread_mutex_lock(&jit->lock);
    t.data = jit->data;
    t.a = (struct asm_){.at = jit->write + jit->code,
                        .end = jit->write + jit->data,
                        .to_exec = jit->exec - jit->write};
    if (!jit->full) {
        write_block(&t);
        if (asm_full(&t.a) || t.a.at > jit->write + t.data) {
            __atomic_store_n(&jit->full, true, __ATOMIC_RELAXED);
        } else {
            note_for_perf(jit, &t);
            jit->code = (size_t)(t.a.at - jit->write);
            jit->data = t.data;
            jit->counters.blocks++;
            __atomic_store_n(&b->native, t.entry, __ATOMIC_RELEASE);
            __atomic_store_n(&b->ops[0].fn, exec_native, __ATOMIC_RELEASE);
        }
    }
    pthread_mutex_unlock(&jit->lock);
}

static size_t bytes_used(const struct jit *jit)
{
    return jit->code - jit->code_start + jit->size - jit->data;
}

static void reset(void *opaque)
{
    struct jit *jit = opaque;

    jit->counters.bytes += bytes_used(jit);
    jit->counters.resets += jit->code != jit->code_start;
    jit->code = jit->code_start;
    jit->data = jit->size;
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

/* The same memory twice: written through one view, executed through the other, so that no page is
 * ever both. It is anonymous: only there perf looks into its map of names. */
static int map_buffer(struct jit *jit)
{
    jit->write = mmap(NULL, jit->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jit->write == MAP_FAILED)
        return -errno;
    /* Of length 0: a second view of shared pages (mremap(2)). */
    jit->exec = mremap(jit->write, 0, jit->size, MREMAP_MAYMOVE);
    if (jit->exec == MAP_FAILED || mprotect(jit->exec, jit->size, PROT_READ | PROT_EXEC))
        return -errno;
    return 0;
}

static void open_perf_map(struct jit *jit)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
    jit->perf_map = fopen(path, "we");
    if (!jit->perf_map)
        log_warn(jit->log, "cannot write %s: %s", path, strerror(errno));
    else
        fprintf(jit->perf_map, "%lx %lx isthmus_thunks\n", (unsigned long)(uintptr_t)jit->exec,
                (unsigned long)jit->code_start);
}

struct jit *jit_new(const struct isa *isa, const struct jit_options *options,
                    const struct log *log)
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
    err = map_buffer(jit);
    if (err) {
        log_error(log, "cannot map %zu bytes for translated code: %s", jit->size, strerror(-err));
        jit_free(jit);
        return NULL;
    }
    a = (struct asm_){
        .at = jit->write, .end = jit->write + jit->size, .to_exec = jit->exec - jit->write};
    jit_make_thunks(jit, &a);
    jit->code_start = (size_t)(a.at - jit->write);
    jit->code = jit->code_start;
    jit->data = jit->size;
    jit->seam = (struct translator){.opaque = jit,
                                    .cold = jit->thunks.cold,
                                    .hot = options->hot ? options->hot : CODE_HOT,
                                    .translate = translate,
                                    .reset = reset,
                                    .full = full};
    if (options->perf_map)
        open_perf_map(jit);
    return jit;
}

void jit_free(struct jit *jit)
{
    if (!jit)
        return;
    if (jit->write && jit->write != MAP_FAILED)
        munmap(jit->write, jit->size);
    if (jit->exec && jit->exec != MAP_FAILED)
        munmap(jit->exec, jit->size);
    if (jit->perf_map)
        fclose(jit->perf_map);
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

    c.bytes += bytes_used(jit);
    return c;
}
