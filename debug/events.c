/* SPDX-License-Identifier: MIT */
/*
 * Each hart has a table of the guests that it ran, so that counting takes no lock; the tables are
 * added up when somebody asks. A line of the trace is made whole in a buffer and written by one
 * call: lines of different harts never mix.
 */
#include "debug/events.h"

#include "debug/counters.h"
#include "debug/explain.h"
#include "hart/csr.h"
#include "window/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a hart counts anyway and guests are told apart in. */
enum { TALLY_MISSES, TALLY_WALKS, TALLY_GSTAGE_WALKS, TALLY_PUT, TALLY_GOT, TALLIES };
static const char *const tally_names[] = {
    [TALLY_MISSES] = "tlb_misses",       [TALLY_WALKS] = "walks",
    [TALLY_GSTAGE_WALKS] = "gstage_walks", [TALLY_PUT] = "windows.bytes_put",
    [TALLY_GOT] = "windows.bytes_got",
};

enum { EXIT_CODES = 64, EXIT_INTERRUPT = 63 };

struct guest {
    uint64_t root; /* hgatp.PPN */
    uint64_t world_switches, exits[EXIT_CODES], tallies[TALLIES];
};

/* What looks on at one hart. */
struct watcher {
    struct hart_hooks hooks;
    struct mmu_hooks mmu_hooks;
    struct events *events;
    struct hart *h;
    struct guest *guests; /* in the order in which they came */
    size_t guests_n, guests_room;
    size_t now;           /* the guest that runs, by index; NOBODY: V=0 */
    uint64_t since[TALLIES];
    bool faulted;         /* the following is the last miss of this hart, which faulted */
    struct mmu_ctx fault_ctx;
    enum mmu_access fault_access;
    struct mmu_fault fault;
};
#define NOBODY SIZE_MAX

struct events {
    struct watcher *watchers;
    unsigned n, kinds;
    bool count;
    FILE *file;
    bool failed; /* to write it, which was told */
    char *explanation; /* of the last fault; taken with the lock */
    pthread_mutex_t lock;
};

static const char *const kind_names[] = {"exits", "switch", "ig", "irq", "mmu"};

unsigned events_kinds(const char *text, size_t n)
{
    unsigned kinds = 0;

    while (n) {
        const char *comma = memchr(text, ',', n);
        size_t length = comma ? (size_t)(comma - text) : n;
        unsigned i = 0;

        while (i < ARRAY_SIZE(kind_names) &&
               (strlen(kind_names[i]) != length || memcmp(kind_names[i], text, length)))
            i++;
        if (i == ARRAY_SIZE(kind_names))
            return 0;
        kinds |= 1u << i;
        n -= length + (comma != NULL);
        text += length + 1;
        if (comma && !n)
            return 0;
    }
    return kinds;
}

/* --- Lines --- */

static const char *level_name(enum trap_to to)
{
    return to == TO_M ? "M" : to == TO_HS ? "HS" : "VS";
}

static bool traced(const struct watcher *w, enum trace_kind kind)
{
    return w->events->kinds & kind;
}

/* Write one line: time, hart, kind, whose guest it is about (v: the one of hgatp), and the rest. */
static void line(struct watcher *w, const char *kind, bool v, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void line(struct watcher *w, const char *kind, bool v, const char *fmt, ...)
{
    uint64_t time = hart_time(w->h), hgatp = w->h->csr.hgatp;
    char buffer[512];
    struct text t;
    va_list ap;

    text_init(&t, buffer, sizeof(buffer) - 1);
    text_add(&t, "%" PRIu64 ".%07u hart=%u %s ", time / 10000000, (unsigned)(time % 10000000),
             w->h->index, kind);
    if (v)
        text_add(&t, "guest=0x%" PRIx64 " vmid=%u ", ATP_PPN(hgatp), HGATP_VMID(hgatp));
    else
        text_add(&t, "guest=host ");
    va_start(ap, fmt);
    t.n += (size_t)vsnprintf(t.at + t.n, t.size - t.n, fmt, ap);
    va_end(ap);
    if (t.n > t.size - 1)
        t.n = t.size - 1;
    t.at[t.n++] = '\n';
    fwrite(buffer, 1, t.n, w->events->file);
}

static void trace_exit(struct watcher *w, const struct trap *t, enum trap_to to)
{
    const struct hart *h = w->h;
    uint64_t code = t->cause & ~CAUSE_INTERRUPT;

    if (t->cause == EXC_ECALL_VS)
        line(w, "exit", true, "cause=%s to=%s pc=0x%" PRIx64 " a7=0x%" PRIx64 " a6=0x%" PRIx64,
             counters_cause_name(t->cause), level_name(to), h->pc, h->x[17], h->x[16]);
    else
        line(w, "exit", true, "cause=%s%s to=%s pc=0x%" PRIx64 " tval=0x%" PRIx64 " gpa=0x%" PRIx64,
             t->cause & CAUSE_INTERRUPT ? "interrupt:" : "",
             counters_cause_name(t->cause & CAUSE_INTERRUPT ? CAUSE_INTERRUPT | code : code),
             level_name(to), h->pc, t->tval, t->gpa);
}

/* The explanation of the fault that was just met, where the trap is it. */
static void trace_explanation(struct watcher *w, const struct trap *t)
{
    struct events *e = w->events;
    struct text text;

    if (!w->faulted || w->fault.cause != t->cause || w->fault.va != t->tval)
        return;
    pthread_mutex_lock(&e->lock);
    text_init(&text, e->explanation, EXPLAIN_SIZE);
    explain(w->h, &w->fault_ctx, w->fault.va, w->fault_access, &text);
    flockfile(e->file);
    for (char *at = text.at; *at; at += strcspn(at, "\n") + 1)
        fprintf(e->file, "  | %.*s\n", (int)strcspn(at, "\n"), at);
    funlockfile(e->file);
    pthread_mutex_unlock(&e->lock);
}

/* --- Counts --- */

static uint64_t tally(const struct hart *h, unsigned i)
{
    const struct window_counters *c = h->window ? window_hart_counters(h->window) : NULL;

    switch (i) {
    case TALLY_MISSES:
        return h->mmu.counters.tlb_misses;
    case TALLY_WALKS:
        return h->mmu.counters.walks;
    case TALLY_GSTAGE_WALKS:
        return h->mmu.counters.gstage_walks;
    case TALLY_PUT:
        return c ? c->bytes_put : 0;
    default:
        return c ? c->bytes_got : 0;
    }
}

/* What the hart counted since the guest was entered, or since the last time, is the guest's. */
static void settle(struct watcher *w)
{
    for (unsigned i = 0; i < TALLIES; i++) {
        uint64_t now = tally(w->h, i);

        if (w->now != NOBODY)
            w->guests[w->now].tallies[i] += now - w->since[i];
        w->since[i] = now;
    }
}

/* The place of the guest with this root in the hart's table; NOBODY: no memory for another. */
static size_t guest_at(struct watcher *w, uint64_t root)
{
    struct guest *more;

    for (size_t i = w->guests_n; i-- > 0;)
        if (w->guests[i].root == root)
            return i;
    if (w->guests_n == w->guests_room) {
        size_t room = w->guests_room ? 2 * w->guests_room : 16;

        more = realloc(w->guests, room * sizeof(*more));
        if (!more)
            return NOBODY;
        w->guests = more;
        w->guests_room = room;
    }
    w->guests[w->guests_n] = (struct guest){.root = root};
    return w->guests_n++;
}

/* --- Hooks --- */

static struct watcher *watcher_of(struct hart *h)
{
    return (struct watcher *)((char *)h->hooks - offsetof(struct watcher, hooks));
}

static void on_trap(struct hart *h, const struct trap *t, enum trap_to to)
{
    struct watcher *w = watcher_of(h);
    bool interrupt = t->cause & CAUSE_INTERRUPT, leaves = h->v && to != TO_VS;

    if (leaves && w->now != NOBODY)
        w->guests[w->now].exits[interrupt ? EXIT_INTERRUPT : t->cause & 63]++;
    if (interrupt && traced(w, TRACE_IRQ))
        line(w, "irq", h->v, "cause=%s to=%s from=%s pc=0x%" PRIx64, counters_cause_name(t->cause),
             level_name(to), explain_mode(h->priv, h->v), h->pc);
    if (leaves && traced(w, TRACE_EXITS))
        trace_exit(w, t, to);
    if (to != TO_VS && traced(w, TRACE_MMU))
        trace_explanation(w, t);
    w->faulted = false;
}

static void on_switch(struct hart *h)
{
    struct watcher *w = watcher_of(h);

    if (traced(w, TRACE_SWITCH))
        line(w, "switch", true, "to=%s mode=%s pc=0x%" PRIx64, h->v ? "guest" : "host",
             explain_mode(h->priv, h->v), h->pc);
    if (!w->events->count)
        return;
    settle(w);
    if (w->now != NOBODY)
        w->guests[w->now].world_switches++;
    w->now = h->v ? guest_at(w, ATP_PPN(h->csr.hgatp)) : NOBODY;
    if (w->now != NOBODY)
        w->guests[w->now].world_switches++;
}

static void on_window(struct hart *h, const struct op *op, const uint64_t operands[3],
                      const struct window_result *result)
{
    static const char *const outcomes[] = {[WINDOW_LOCAL_FAULT] = "local-fault",
                                           [WINDOW_ILLEGAL] = "illegal",
                                           [WINDOW_VIRTUAL] = "virtual"};
    struct watcher *w = watcher_of(h);
    char rd[32], name[32] = "";

    if (!traced(w, TRACE_IG))
        return;
    if (result->outcome == WINDOW_DONE)
        snprintf(rd, sizeof(rd), "%" PRId64, result->rd);
    else
        snprintf(rd, sizeof(rd), "%s", outcomes[result->outcome]);
    isa_disassemble(h->isa, hart_pc(h, op), op->raw, name, sizeof(name));
    name[strcspn(name, " \t")] = 0;
    line(w, name, h->v, "mode=%s pc=0x%" PRIx64 " rs1=0x%" PRIx64 " rs2=0x%" PRIx64 " rs3=0x%"
         PRIx64 " rd=%s", explain_mode(h->priv, h->v), hart_pc(h, op), operands[0], operands[1],
         operands[2], rd);
}

static void on_miss(struct mmu_hooks *hooks, const struct mmu_ctx *ctx, uint64_t va,
                    enum mmu_access access, const struct mmu_page *page,
                    const struct mmu_fault *fault)
{
    struct watcher *w = (struct watcher *)((char *)hooks - offsetof(struct watcher, mmu_hooks));
    bool v = ctx->mode & CTX_V;
    const char *name = access == MMU_STORE ? "store" : access == MMU_FETCH ? "fetch" : "load";
    const char *mode = explain_mode(ctx->mode & CTX_PRIV, v);

    w->faulted = !page;
    if (page && !page->host)
        return; /* a device: no TLB ever has it */
    if (page) {
        line(w, "miss", v, "access=%s mode=%s va=0x%" PRIx64 " gpa=0x%" PRIx64 " pa=0x%" PRIx64
             " size=%" PRIu64 " gsize=%" PRIu64, name, mode, va, page->gpa, page->pa, page->size,
             page->gsize);
        return;
    }
    w->fault_ctx = *ctx;
    w->fault_access = access;
    w->fault = *fault;
    line(w, "fault", v, "access=%s mode=%s va=0x%" PRIx64 " cause=%s gpa=0x%" PRIx64, name, mode,
         va, counters_cause_name(fault->cause), fault->gpa);
}

/* --- A machine's events --- */

struct events *events_new(struct hart *harts, unsigned n)
{
    struct events *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->watchers = calloc(n, sizeof(*e->watchers));
    e->explanation = malloc(EXPLAIN_SIZE);
    if (!e->watchers || !e->explanation) {
        free(e->watchers);
        free(e->explanation);
        free(e);
        return NULL;
    }
    e->n = n;
    pthread_mutex_init(&e->lock, NULL);
    for (unsigned i = 0; i < n; i++)
        e->watchers[i] = (struct watcher){.hooks = {on_trap, on_switch, on_window},
                                          .mmu_hooks = {on_miss},
                                          .events = e,
                                          .h = &harts[i],
                                          .now = NOBODY};
    return e;
}

static void close_file(struct events *e)
{
    if (e->file && e->file != stderr)
        fclose(e->file);
    e->file = NULL;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    for (unsigned i = 0; i < e->n; i++) {
        e->watchers[i].h->hooks = NULL;
        e->watchers[i].h->mmu.hooks = NULL;
        free(e->watchers[i].guests);
    }
    close_file(e);
    pthread_mutex_destroy(&e->lock);
    free(e->watchers);
    free(e->explanation);
    free(e);
}

/* Look on where there is something to do. */
static void hook(struct events *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        struct watcher *w = &e->watchers[i];

        w->h->hooks = e->kinds || e->count ? &w->hooks : NULL;
        w->h->mmu.hooks = e->kinds & TRACE_MMU ? &w->mmu_hooks : NULL;
        w->faulted = false;
    }
}

int events_trace(struct events *e, unsigned kinds, const char *path, const struct log *log)
{
    FILE *file = NULL;

    if (kinds) {
        file = strcmp(path, "-") ? fopen(path, "we") : stderr;
        if (!file) {
            int err = -errno;

            log_error(log, "cannot write the trace to %s: %s", path, strerror(errno));
            return err;
        }
    }
    close_file(e);
    e->file = file;
    e->failed = false;
    e->kinds = kinds;
    hook(e);
    return 0;
}

unsigned events_traced(const struct events *e)
{
    return e->kinds;
}

void events_count_guests(struct events *e)
{
    e->count = true;
    hook(e);
}

void events_reset(struct events *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        settle(&e->watchers[i]);
        e->watchers[i].now = NOBODY;
        e->watchers[i].faulted = false;
    }
}

bool events_flush(struct events *e, const struct log *log)
{
    errno = 0;
    if (e->file && !e->failed && (fflush(e->file) || ferror(e->file))) {
        e->failed = true;
        log_error(log, "trace: cannot write the file: %s; lines of it are lost",
                  errno ? strerror(errno) : "an earlier error");
    }
    return !e->failed;
}

/* --- Telling the counts --- */

static void add_guest(struct guest *sum, const struct guest *g)
{
    sum->world_switches += g->world_switches;
    for (unsigned i = 0; i < EXIT_CODES; i++)
        sum->exits[i] += g->exits[i];
    for (unsigned i = 0; i < TALLIES; i++)
        sum->tallies[i] += g->tallies[i];
}

/* This hart is the first whose table has the guest. */
static bool first_with(const struct events *e, unsigned hart, uint64_t root)
{
    for (unsigned i = 0; i < hart; i++)
        for (size_t k = 0; k < e->watchers[i].guests_n; k++)
            if (e->watchers[i].guests[k].root == root)
                return false;
    return true;
}

static void tell_guest(const struct guest *g,
                       void (*each)(void *opaque, const char *name, uint64_t value), void *opaque)
{
    uint64_t all = 0;
    char name[96];
    int n = snprintf(name, sizeof(name), "guests.0x%" PRIx64 ".", g->root);
    size_t room = sizeof(name) - (size_t)n;

    snprintf(name + n, room, "world_switches");
    each(opaque, name, g->world_switches);
    for (unsigned i = 0; i < TALLIES; i++) {
        snprintf(name + n, room, "%s", tally_names[i]);
        each(opaque, name, g->tallies[i]);
    }
    for (unsigned i = 0; i < EXIT_CODES; i++) {
        all += g->exits[i];
        if (!g->exits[i])
            continue;
        snprintf(name + n, room, "exits.%s",
                 i == EXIT_INTERRUPT ? "interrupt" : counters_cause_name(i));
        each(opaque, name, g->exits[i]);
    }
    snprintf(name + n, room, "exits.all");
    each(opaque, name, all);
}

void events_walk(struct events *e, void (*each)(void *opaque, const char *name, uint64_t value),
                 void *opaque)
{
    for (unsigned i = 0; i < e->n; i++)
        settle(&e->watchers[i]);
    for (unsigned i = 0; i < e->n; i++) {
        for (size_t k = 0; k < e->watchers[i].guests_n; k++) {
            struct guest sum = e->watchers[i].guests[k];

            if (!first_with(e, i, sum.root))
                continue;
            for (unsigned j = i + 1; j < e->n; j++)
                for (size_t l = 0; l < e->watchers[j].guests_n; l++)
                    if (e->watchers[j].guests[l].root == sum.root)
                        add_guest(&sum, &e->watchers[j].guests[l]);
            tell_guest(&sum, each, opaque);
        }
    }
}
