/* SPDX-License-Identifier: MIT */
/* Commands of the debugger's user: "monitor COMMAND". */
#include "debug/events.h"
#include "debug/explain.h"
#include "debug/gdb_internal.h"
#include "hart/csr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, WORDS_MAX = 5 };

static void say(struct gdb *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct gdb *g, const char *fmt, ...)
{
    char text[LINE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    gdb_print(g, text);
}

/* --- walk --- */

/* A number as C writes it. */
static bool number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return end != text && !*end && !errno && *text != '-';
}

/* An address: a number, or the contents of $pc or of a CSR. */
static bool address(struct hart *h, const char *text, uint64_t *value)
{
    if (*text != '$')
        return number(text, value);
    if (!strcmp(text, "$pc")) {
        *value = h->pc;
        return true;
    }
    for (unsigned i = 0; i < 4096; i++)
        if (csr_name(i) && !strcmp(csr_name(i), text + 1))
            return csr_peek(h, i, value);
    return false;
}

/* The context that a mode's name means on h, where it is not the current one. */
static bool mode_context(const struct hart *h, const char *name, struct mmu_ctx *ctx)
{
    static const struct {
        const char *name;
        uint8_t priv;
        bool v;
    } modes[] = {{"m", PRV_M, false}, {"hs", PRV_S, false}, {"s", PRV_S, false},
                 {"u", PRV_U, false}, {"vs", PRV_S, true},  {"vu", PRV_U, true}};

    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        if (strcmp(modes[i].name, name))
            continue;
        *ctx = hart_context(h, modes[i].priv, modes[i].v);
        return true;
    }
    return false;
}

static void walk(struct gdb *g, char **words, unsigned n)
{
    static const struct {
        const char *name;
        enum mmu_access access;
    } accesses[] = {{"r", MMU_LOAD}, {"w", MMU_STORE}, {"x", MMU_FETCH}};
    struct hart *h = &g->m.harts[g->hart];
    enum mmu_access access = MMU_LOAD;
    struct mmu_ctx ctx = h->dbank->ctx;
    char *buffer = NULL;
    struct text t;
    uint64_t va;
    unsigned i;

    if (n < 2 || !address(h, words[1], &va))
        goto wrong;
    if (n > 2) {
        for (i = 0; i < ARRAY_SIZE(accesses) && strcmp(accesses[i].name, words[2]); i++)
            ;
        if (i == ARRAY_SIZE(accesses))
            goto wrong;
        access = accesses[i].access;
    }
    if (access == MMU_FETCH)
        ctx = h->xbank->ctx;
    if (n > 3 && !mode_context(h, words[3], &ctx))
        goto wrong;
    buffer = malloc(EXPLAIN_SIZE);
    if (!buffer)
        return;
    text_init(&t, buffer, EXPLAIN_SIZE);
    explain(h, &ctx, va, access, &t);
    gdb_print(g, buffer);
    free(buffer);
    return;
wrong:
    say(g, "usage: monitor walk ADDRESS|$pc|$CSR [r|w|x [m|hs|u|vs|vu]]\n");
}

/* --- info --- */

static void info(struct gdb *g, char **words, unsigned n)
{
    for (unsigned i = 0; i < g->m.harts_n; i++) {
        struct hart *h = &g->m.harts[i];
        char buffer[128];
        struct text t;

        text_init(&t, buffer, sizeof(buffer));
        gdb_describe_hart(h, &t);
        say(g, "%chart %u: pc 0x%" PRIx64 ", %s\n", i == g->hart ? '*' : ' ', i, h->pc, buffer);
        say(g, "   satp 0x%" PRIx64 ", hgatp 0x%" PRIx64 ", vsatp 0x%" PRIx64 "\n", h->csr.satp,
            h->csr.hgatp, h->csr.vsatp);
        say(g, "   %" PRIu64 " instructions, mip 0x%" PRIx64 ", mie 0x%" PRIx64 "\n",
            hart_retired(h), hart_mip(h), h->csr.mie);
    }
}

/* --- space, scope, interrupts --- */

static void space(struct gdb *g, char **words, unsigned n)
{
    unsigned i = 0;

    if (n == 2) {
        while (i < SPACES && strcmp(gdb_space_names[i], words[1]))
            i++;
        if (i < SPACES)
            g->space = (enum gdb_space)i;
    }
    if (n > 2 || i == SPACES)
        say(g, "usage: monitor space [current|physical|supervisor|guest|guest-physical]\n");
    else
        say(g, "Addresses are %s ones.\n", gdb_space_names[g->space]);
}

static void scope(struct gdb *g, char **words, unsigned n)
{
    struct mmu_scope s = g->breaks.scope;
    bool good = n <= 2;

    if (n >= 2 && !strcmp(words[1], "any"))
        s = (struct mmu_scope){WORLD_ANY, 0};
    else if (n >= 2 && !strcmp(words[1], "host"))
        s = (struct mmu_scope){WORLD_HOST, 0};
    else if (n >= 2 && !strcmp(words[1], "guest"))
        s = (struct mmu_scope){WORLD_GUEST, 0};
    else
        good = n == 1;
    if (n == 3 && s.world == WORLD_GUEST && number(words[2], &s.root))
        good = true;
    if (!good) {
        say(g, "usage: monitor scope [any|host|guest [ROOT]]\n");
        return;
    }
    g->breaks.scope = g->wanted.scope = s;
    if (s.world == WORLD_ANY)
        say(g, "Breakpoints and watchpoints are for every world.\n");
    else if (s.world == WORLD_HOST)
        say(g, "Breakpoints and watchpoints are for V=0.\n");
    else if (!s.root)
        say(g, "Breakpoints and watchpoints are for all guests.\n");
    else
        say(g, "Breakpoints and watchpoints are for the guest with G-stage root 0x%" PRIx64 ".\n",
            s.root);
}

static void interrupts(struct gdb *g, char **words, unsigned n)
{
    if (n > 2 || (n == 2 && strcmp(words[1], "on") && strcmp(words[1], "off"))) {
        say(g, "usage: monitor interrupts [on|off]\n");
        return;
    }
    if (n == 2)
        g->take_interrupts = !strcmp(words[1], "on");
    say(g, "Interrupts %s while stepping.\n", g->take_interrupts ? "are taken" : "wait");
}

/* --- trace, reset --- */

static void trace(struct gdb *g, char **words, unsigned n)
{
    const char *colon = n == 2 ? strchr(words[1], ':') : NULL;
    unsigned kinds = colon ? events_kinds(words[1], (size_t)(colon - words[1])) : 0;
    bool off = n == 2 && !strcmp(words[1], "off");
    struct events *e;

    if (!off && (!kinds || !colon[1])) {
        say(g, "usage: monitor trace KIND[,KIND]...:FILE|off, with kinds exits, switch, ig, irq, "
               "mmu\n");
        return;
    }
    e = g->m.events(g->m.opaque);
    if (!e || events_trace(e, kinds, off ? "" : colon + 1, g->m.log))
        say(g, "It cannot be traced to there.\n");
}

static void reset(struct gdb *g, char **words, unsigned n)
{
    g->m.reset(g->m.opaque);
    say(g, "The machine is reset; GDB learns so by: maintenance flush register-cache\n");
}

static void help(struct gdb *g, char **words, unsigned n);

static const struct {
    const char *name;
    void (*run)(struct gdb *g, char **words, unsigned n);
    const char *usage, *what;
} commands[] = {
    {"walk", walk, " ADDRESS [r|w|x [MODE]]", "explain what an access would meet, and why"},
    {"info", info, "", "where harts are"},
    {"space", space, " [SPACE]", "which addresses GDB's are: current, physical, supervisor,\n"
                                 "      guest or guest-physical"},
    {"scope", scope, " [any|host|guest [ROOT]]",
     "in which world breakpoints and watchpoints count"},
    {"interrupts", interrupts, " [on|off]", "whether they are taken while stepping"},
    {"trace", trace, " KINDS:FILE|off", "trace as --trace does, or no longer"},
    {"reset", reset, "", "reset the machine"},
    {"help", help, "", "this"},
};

static void help(struct gdb *g, char **words, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        say(g, "monitor %s%s\n      %s\n", commands[i].name, commands[i].usage, commands[i].what);
}

void gdb_monitor(struct gdb *g, char *command)
{
    char *words[WORDS_MAX], *rest = NULL;
    unsigned n = 0;

    for (char *w = strtok_r(command, " \t\n", &rest); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \t\n", &rest))
        words[n++] = w;
    for (unsigned i = 0; n && i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, words[0]))
            continue;
        commands[i].run(g, words, n);
        return;
    }
    if (n)
        say(g, "There is no command %s.\n", words[0]);
    help(g, NULL, 0);
}
