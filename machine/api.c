/* SPDX-License-Identifier: MIT */
/* include/isthmus.h over struct machine. A struct isthmus is a struct machine, seen from outside.
 */
#include "isthmus.h"

#include "debug/counters.h"
#include "debug/events.h"
#include "debug/explain.h"
#include "hart/csr.h"
#include "jit/jit.h"
#include "machine/console.h"
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct machine *inside(struct isthmus *m)
{
    return (struct machine *)m;
}

unsigned isthmus_abi(void)
{
    return ISTHMUS_ABI;
}

const char *isthmus_version(void)
{
    return ISTHMUS_VERSION;
}

struct isthmus *isthmus_new(const struct isthmus_config *config, int *error)
{
    int err;

    return (struct isthmus *)machine_new(config, error ? error : &err);
}

void isthmus_free(struct isthmus *m)
{
    machine_free(inside(m));
}

int isthmus_reset(struct isthmus *m)
{
    return machine_reset(inside(m));
}

enum isthmus_stop isthmus_run(struct isthmus *m, const struct isthmus_limits *limits)
{
    return machine_run(inside(m), limits);
}

void isthmus_stop(struct isthmus *m)
{
    machine_stop(inside(m));
}

int isthmus_exit_code(const struct isthmus *m)
{
    return machine_exit_code((const struct machine *)m);
}

bool isthmus_output_lost(const struct isthmus *isthmus)
{
    const struct machine *m = (const struct machine *)isthmus;

    return m->console.lost || m->hvc.lost || m->trace_lost;
}

/* Hart number n, or NULL after saying that there is none. */
static struct hart *hart_number(struct machine *m, unsigned n)
{
    if (n < m->harts_n)
        return &m->harts[n];
    log_error(&m->log, "there is no hart %u; expected 0 to %u", n, m->harts_n - 1);
    return NULL;
}

int isthmus_step(struct isthmus *m, unsigned hart, uint64_t n)
{
    struct hart *h = hart_number(inside(m), hart);

    return h ? machine_step(inside(m), h, n) : -EINVAL;
}

/* --- Registers --- */

static const char *const x_names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
static const char *const f_names[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4",  "ft5",  "ft6", "ft7", "fs0",  "fs1",  "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5",  "fa6",  "fa7", "fs2", "fs3",  "fs4",  "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};
static const struct {
    const char *name;
    int number;
} other_names[] = {
    {"pc", ISTHMUS_REG_PC},
    {"priv", ISTHMUS_REG_PRIV},
    {"v", ISTHMUS_REG_V},
    {"fp", ISTHMUS_REG_X + 8},
};
enum { CSRS = 4096 };

/* The n of "xn" or "fn", 0 to 31, or -1. */
static int numbered(const char *name, char letter)
{
    char *end;
    long n;

    if (name[0] != letter || name[1] < '0' || name[1] > '9')
        return -1;
    n = strtol(name + 1, &end, 10);
    return *end == 0 && n < 32 && strlen(name) == (n < 10 ? 2 : 3) ? (int)n : -1;
}

static int in_table(const char *const *table, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(table[i], name))
            return i;
    return -1;
}

int isthmus_reg_number(const char *name)
{
    int n;

    if ((n = numbered(name, 'x')) >= 0 || (n = in_table(x_names, 32, name)) >= 0)
        return ISTHMUS_REG_X + n;
    if ((n = numbered(name, 'f')) >= 0 || (n = in_table(f_names, 32, name)) >= 0)
        return ISTHMUS_REG_F + n;
    for (unsigned i = 0; i < ARRAY_SIZE(other_names); i++)
        if (!strcmp(other_names[i].name, name))
            return other_names[i].number;
    for (unsigned i = 0; i < CSRS; i++) {
        const char *csr = csr_name(i);
        if (csr && !strcmp(csr, name))
            return ISTHMUS_REG_CSR + (int)i;
    }
    return -ENOENT;
}

static int no_register(struct machine *m, unsigned reg)
{
    log_error(&m->log, "there is no register number %u, or it is read-only", reg);
    return -EINVAL;
}

int isthmus_reg_read(struct isthmus *isthmus, unsigned hart, unsigned reg, uint64_t *value)
{
    struct machine *m = inside(isthmus);
    struct hart *h = hart_number(m, hart);

    if (!h)
        return -EINVAL;
    if (reg < ISTHMUS_REG_F)
        *value = h->x[reg];
    else if (reg < ISTHMUS_REG_PC)
        *value = h->f[reg - ISTHMUS_REG_F];
    else if (reg == ISTHMUS_REG_PC)
        *value = h->pc;
    else if (reg == ISTHMUS_REG_PRIV)
        *value = h->priv;
    else if (reg == ISTHMUS_REG_V)
        *value = h->v;
    else if (reg < ISTHMUS_REG_CSR || !csr_peek(h, reg - ISTHMUS_REG_CSR, value))
        return no_register(m, reg);
    return 0;
}

/* Privilege and V are one state: V is 0 in M-mode. */
static int set_mode(struct machine *m, struct hart *h, uint64_t priv, uint64_t v)
{
    if ((priv != PRV_U && priv != PRV_S && priv != PRV_M) || v > 1 || (priv == PRV_M && v)) {
        log_error(&m->log, "there is no privilege %u with V=%u", (unsigned)priv, (unsigned)v);
        return -EINVAL;
    }
    h->priv = (uint8_t)priv;
    h->v = v;
    hart_update_context(h);
    return 0;
}

int isthmus_reg_write(struct isthmus *isthmus, unsigned hart, unsigned reg, uint64_t value)
{
    struct machine *m = inside(isthmus);
    struct hart *h = hart_number(m, hart);

    if (!h)
        return -EINVAL;
    if (reg == ISTHMUS_REG_X)
        return 0;
    if (reg < ISTHMUS_REG_F) {
        h->x[reg] = value;
    } else if (reg < ISTHMUS_REG_PC) {
        h->f[reg - ISTHMUS_REG_F] = value;
    } else if (reg == ISTHMUS_REG_PC) {
        h->pc = value & ~UINT64_C(1);
        h->waiting = false;
    } else if (reg == ISTHMUS_REG_PRIV) {
        return set_mode(m, h, value, value == PRV_M ? 0 : h->v);
    } else if (reg == ISTHMUS_REG_V) {
        return set_mode(m, h, h->priv, value);
    } else if (reg < ISTHMUS_REG_CSR || !csr_poke(h, reg - ISTHMUS_REG_CSR, value)) {
        return no_register(m, reg);
    }
    return 0;
}

/* --- Memory --- */

int isthmus_mem_read(struct isthmus *m, uint64_t pa, void *to, size_t n)
{
    return mem_copy_out(&inside(m)->mem, pa, to, n);
}

int isthmus_mem_write(struct isthmus *isthmus, uint64_t pa, const void *from, size_t n)
{
    struct machine *m = inside(isthmus);
    int err = mem_copy_in(&m->mem, pa, from, n);

    /* It may have been code. */
    for (unsigned i = 0; !err && i < m->harts_n; i++)
        mmu_drop_exec(&m->harts[i].mmu);
    return err;
}

/* Host address of va as hart h would access it now, or NULL; *n becomes the bytes of [va, va + n)
 * on that page. */
static uint8_t *virtual_bytes(struct hart *h, uint64_t va, enum mmu_access access, size_t *n)
{
    struct mmu_page page;
    struct mmu_fault fault;

    *n = min_u64(*n, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
    if (!mmu_translate(&h->mmu, &h->dbank->ctx, va, 1, access, &page, &fault))
        return NULL;
    return page.host;
}

int isthmus_virt_read(struct isthmus *m, unsigned hart, uint64_t va, void *to, size_t n)
{
    struct hart *h = hart_number(inside(m), hart);
    size_t piece;

    if (!h)
        return -EINVAL;
    for (; n; n -= piece, va += piece, to = (uint8_t *)to + piece) {
        const uint8_t *from;

        piece = n;
        from = virtual_bytes(h, va, MMU_LOAD, &piece);
        if (!from)
            return -EFAULT;
        memcpy(to, from, piece);
    }
    return 0;
}

int isthmus_virt_write(struct isthmus *isthmus, unsigned hart, uint64_t va, const void *from,
                       size_t n)
{
    struct machine *m = inside(isthmus);
    struct hart *h = hart_number(m, hart);
    size_t piece;

    if (!h)
        return -EINVAL;
    for (; n; n -= piece, va += piece, from = (const uint8_t *)from + piece) {
        uint8_t *to;

        piece = n;
        to = virtual_bytes(h, va, MMU_STORE, &piece);
        if (!to)
            return -EFAULT;
        memcpy(to, from, piece);
    }
    for (unsigned i = 0; i < m->harts_n; i++)
        mmu_drop_exec(&m->harts[i].mmu);
    return 0;
}

int isthmus_explain(struct isthmus *m, unsigned hart, uint64_t va, enum isthmus_access access,
                    char *text, size_t size)
{
    static const enum mmu_access kinds[] = {
        [ISTHMUS_LOAD] = MMU_LOAD, [ISTHMUS_STORE] = MMU_STORE, [ISTHMUS_FETCH] = MMU_FETCH};
    struct hart *h = hart_number(inside(m), hart);
    struct mmu_ctx ctx;
    struct text t;

    if (!h || !size || (unsigned)access >= ARRAY_SIZE(kinds))
        return -EINVAL;
    ctx = access == ISTHMUS_FETCH ? h->xbank->ctx : h->dbank->ctx;
    text_init(&t, text, size);
    return (int)explain(h, &ctx, va, kinds[access], &t);
}

/* --- Console and counters --- */

size_t isthmus_input(struct isthmus *m, const void *bytes, size_t n)
{
    return chardev_input(&inside(m)->console, bytes, n);
}

void isthmus_output_flush(struct isthmus *m)
{
    consoles_flush(inside(m));
}

void isthmus_counters(struct isthmus *isthmus,
                      void (*each)(void *opaque, const char *name, uint64_t value), void *opaque)
{
    struct machine *m = inside(isthmus);
    uint64_t retired[ISTHMUS_HARTS_MAX];

    for (unsigned i = 0; i < m->harts_n; i++)
        retired[i] = machine_retired(m, i);
    counters_walk(m->harts, m->harts_n, retired, each, opaque);
    if (m->jit) {
        struct jit_counters c = jit_counters(m->jit);

        each(opaque, "translator.blocks", c.blocks);
        each(opaque, "translator.paths", c.paths);
        each(opaque, "translator.bytes", c.bytes);
        each(opaque, "translator.resets", c.resets);
    }
    if (m->events)
        events_walk(m->events, each, opaque);
}

struct wanted {
    const char *name;
    uint64_t *value;
    int result;
};

static void pick(void *opaque, const char *name, uint64_t value)
{
    struct wanted *w = opaque;

    if (!strcmp(name, w->name)) {
        *w->value = value;
        w->result = 0;
    }
}

int isthmus_counter(struct isthmus *m, const char *name, uint64_t *value)
{
    struct wanted w = {name, value, -ENOENT};

    isthmus_counters(m, pick, &w);
    return w.result;
}
