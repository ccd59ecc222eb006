/* SPDX-License-Identifier: MIT */
#include "tests/lockstep/lockstep.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERPRETING, TRANSLATING, MACHINES };
#define RAM_BASE UINT64_C(0x80000000)
enum { PIECE = 1 << 16 };

static const char *const names[MACHINES] = {"interpreter", "translator"};

static void on_output(void *opaque, const void *bytes, size_t n)
{
    struct lockstep_output *o = opaque;

    if (n > sizeof(o->text) - o->n)
        n = sizeof(o->text) - o->n;
    memcpy(o->text + o->n, bytes, n);
    o->n += n;
}

static void on_log(void *opaque, enum isthmus_log_level level, const char *text)
{
    const struct lockstep *l = opaque;

    if (level == ISTHMUS_LOG_ERROR && !l->quiet)
        fprintf(stderr, "%s\n", text);
}

static void find_csrs(struct lockstep *l)
{
    l->quiet = true; /* to ask for what does not exist is no error here */
    for (unsigned i = 0; i < 4096; i++) {
        uint64_t value;

        if (isthmus_reg_read(l->m[INTERPRETING], 0, ISTHMUS_REG_CSR + i, &value) == 0)
            l->csrs[l->csrs_n++] = (uint16_t)i;
    }
    l->quiet = false;
}

struct lockstep *lockstep_new(const struct isthmus_config *config)
{
    struct lockstep *l = calloc(1, sizeof(*l));
    struct isthmus_config c = *config;

    if (!l)
        return NULL;
    c.abi = ISTHMUS_ABI;
    c.deterministic = true;
    c.output = on_output;
    c.log = on_log;
    c.log_opaque = l;
    for (unsigned i = 0; i < MACHINES; i++) {
        c.interpret = i == INTERPRETING;
        c.output_opaque = &l->output[i];
        l->m[i] = isthmus_new(&c, NULL);
        if (!l->m[i]) {
            lockstep_free(l);
            return NULL;
        }
    }
    l->harts = c.harts ? c.harts : 1;
    l->memory = c.memory ? c.memory : UINT64_C(128) << 20;
    find_csrs(l);
    return l;
}

void lockstep_free(struct lockstep *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < MACHINES; i++)
        isthmus_free(l->m[i]);
    free(l);
}

/* Add to the difference. */
static void say(struct lockstep *l, const char *fmt, ...)
{
    size_t used = strlen(l->why);
    va_list args;

    va_start(args, fmt);
    vsnprintf(l->why + used, sizeof(l->why) - used, fmt, args);
    va_end(args);
}

static void compare_register(struct lockstep *l, unsigned hart, unsigned reg, const char *kind,
                             unsigned number)
{
    uint64_t v[MACHINES] = {0};

    for (unsigned i = 0; i < MACHINES; i++)
        isthmus_reg_read(l->m[i], hart, reg, &v[i]);
    if (v[0] != v[1])
        say(l, "hart %u %s%x: %s %#" PRIx64 ", %s %#" PRIx64 "\n", hart, kind, number, names[0],
            v[0], names[1], v[1]);
}

static void compare_hart(struct lockstep *l, unsigned hart)
{
    compare_register(l, hart, ISTHMUS_REG_PC, "pc ", 0);
    compare_register(l, hart, ISTHMUS_REG_PRIV, "privilege ", 0);
    compare_register(l, hart, ISTHMUS_REG_V, "V ", 0);
    for (unsigned i = 0; i < 32; i++)
        compare_register(l, hart, ISTHMUS_REG_X + i, "x 0x", i);
    for (unsigned i = 0; i < 32; i++)
        compare_register(l, hart, ISTHMUS_REG_F + i, "f 0x", i);
    for (unsigned i = 0; i < l->csrs_n; i++)
        compare_register(l, hart, ISTHMUS_REG_CSR + l->csrs[i], "csr 0x", l->csrs[i]);
}

static void compare_output(struct lockstep *l)
{
    const struct lockstep_output *a = &l->output[0], *b = &l->output[1];

    for (unsigned i = 0; i < MACHINES; i++)
        isthmus_output_flush(l->m[i]);
    if (a->n != b->n || memcmp(a->text, b->text, a->n))
        say(l, "console: %s \"%.*s\", %s \"%.*s\"\n", names[0], (int)a->n, a->text, names[1],
            (int)b->n, b->text);
    else if (l->echo)
        fwrite(a->text, 1, a->n, stdout);
    l->output[0].n = l->output[1].n = 0;
}

static bool same(struct lockstep *l)
{
    l->why[0] = 0;
    compare_output(l);
    for (unsigned hart = 0; hart < l->harts; hart++)
        compare_hart(l, hart);
    return !l->why[0];
}

enum lockstep_result lockstep_run(struct lockstep *l, uint64_t n)
{
    struct isthmus_limits limits = {.instructions = n};
    enum isthmus_stop stop[MACHINES];
    uint64_t pc = lockstep_reg(l, 0, ISTHMUS_REG_PC);
    int code[MACHINES];
    bool ok;

    for (unsigned i = 0; i < MACHINES; i++) {
        stop[i] = isthmus_run(l->m[i], &limits);
        code[i] = isthmus_exit_code(l->m[i]);
    }
    ok = same(l);
    if (stop[0] != stop[1] || code[0] != code[1]) {
        say(l, "stop: %s %d (%d), %s %d (%d)\n", names[0], stop[0], code[0], names[1], stop[1],
            code[1]);
        ok = false;
    }
    if (!ok) {
        say(l, "after %" PRIu64 " instructions; they agreed %" PRIu64 " earlier, hart 0 at %#"
            PRIx64, l->done + n, n, pc);
        return LOCKSTEP_DIFFER;
    }
    l->done += n;
    return stop[0] == ISTHMUS_STOP_LIMIT ? LOCKSTEP_AGREE : LOCKSTEP_ENDED;
}

enum lockstep_result lockstep_step(struct lockstep *l, unsigned hart, uint64_t n)
{
    int result[MACHINES];
    bool ok;

    for (unsigned i = 0; i < MACHINES; i++)
        result[i] = isthmus_step(l->m[i], hart, n);
    ok = same(l);
    if (result[0] != result[1]) {
        say(l, "step: %s %d, %s %d\n", names[0], result[0], names[1], result[1]);
        ok = false;
    }
    return !ok ? LOCKSTEP_DIFFER : result[0] ? LOCKSTEP_ENDED : LOCKSTEP_AGREE;
}

bool lockstep_same_ram(struct lockstep *l)
{
    static const size_t word = sizeof(uint64_t);
    uint64_t *piece[MACHINES] = {malloc(PIECE), malloc(PIECE)};
    bool ok = piece[0] && piece[1];

    for (uint64_t at = 0; ok && at < l->memory; at += PIECE) {
        size_t n = l->memory - at < PIECE ? (size_t)(l->memory - at) : PIECE;

        for (unsigned i = 0; i < MACHINES; i++)
            isthmus_mem_read(l->m[i], RAM_BASE + at, piece[i], n);
        if (!memcmp(piece[0], piece[1], n))
            continue;
        for (size_t i = 0; ok && i < n / word; i++) {
            if (piece[0][i] == piece[1][i])
                continue;
            say(l, "RAM at %#" PRIx64 ": %s %#" PRIx64 ", %s %#" PRIx64 "\n",
                RAM_BASE + at + i * word, names[0], piece[0][i], names[1], piece[1][i]);
            ok = false;
        }
    }
    free(piece[0]);
    free(piece[1]);
    return ok;
}

void lockstep_write(struct lockstep *l, uint64_t pa, const void *from, size_t n)
{
    for (unsigned i = 0; i < MACHINES; i++)
        isthmus_mem_write(l->m[i], pa, from, n);
}

void lockstep_read(struct lockstep *l, uint64_t pa, void *to, size_t n)
{
    isthmus_mem_read(l->m[MACHINES - 1], pa, to, n);
}

void lockstep_set(struct lockstep *l, unsigned hart, unsigned reg, uint64_t value)
{
    for (unsigned i = 0; i < MACHINES; i++)
        isthmus_reg_write(l->m[i], hart, reg, value);
}

uint64_t lockstep_reg(struct lockstep *l, unsigned hart, unsigned reg)
{
    uint64_t value = 0;

    isthmus_reg_read(l->m[TRANSLATING], hart, reg, &value);
    return value;
}

uint64_t lockstep_counter(struct lockstep *l, const char *name)
{
    uint64_t value = 0;

    isthmus_counter(l->m[TRANSLATING], name, &value);
    return value;
}
