/* SPDX-License-Identifier: MIT */
#include "dev/plic.h"

#include <string.h>

/* Offsets of the register blocks. */
enum {
    PENDING = 0x1000,
    ENABLE = 0x2000,
    ENABLE_STRIDE = 0x80,
    CONTEXT = 0x200000,
    CONTEXT_STRIDE = 0x1000,
    CONTEXT_THRESHOLD = 0,
    CONTEXT_CLAIM = 4,
};

static bool bit_get(const uint32_t *map, unsigned n)
{
    return map[n / 32] >> (n % 32) & 1;
}

static void bit_set(uint32_t *map, unsigned n, bool value)
{
    map[n / 32] = (map[n / 32] & ~(UINT32_C(1) << (n % 32))) | (uint32_t)value << (n % 32);
}

/* The pending source that context c would claim above priority `above`: of the highest priority
 * the lowest number; 0: none. */
static unsigned best(const struct plic *p, unsigned c, unsigned above)
{
    unsigned found = 0;

    for (unsigned w = 0; w < PLIC_WORDS; w++) {
        for (uint32_t m = p->pending[w] & p->enable[c][w]; m; m &= m - 1) {
            unsigned n = w * 32 + (unsigned)__builtin_ctz(m);
            if (p->priority[n] > above) {
                above = p->priority[n];
                found = n;
            }
        }
    }
    return found;
}

static void update(struct plic *p)
{
    for (unsigned c = 0; c < p->contexts; c++) {
        bool level = best(p, c, p->threshold[c]) != 0;
        if (level != p->output[c]) {
            p->output[c] = level;
            p->drive(p->opaque, c, level);
        }
    }
}

/* Pass a request of source n on, if its wire is up and none is under way. */
static void gateway(struct plic *p, unsigned n)
{
    if (bit_get(p->level, n) && !bit_get(p->claimed, n))
        bit_set(p->pending, n, true);
}

static void clear(struct plic *p)
{
    memset(p->priority, 0, sizeof(p->priority));
    memset(p->level, 0, sizeof(p->level));
    memset(p->pending, 0, sizeof(p->pending));
    memset(p->claimed, 0, sizeof(p->claimed));
    memset(p->enable, 0, sizeof(p->enable));
    memset(p->threshold, 0, sizeof(p->threshold));
}

void plic_init(struct plic *p, unsigned contexts,
               void (*drive)(void *opaque, unsigned context, bool level), void *opaque)
{
    clear(p);
    pthread_mutex_init(&p->lock, NULL);
    memset(p->output, 0, sizeof(p->output));
    p->contexts = contexts;
    p->drive = drive;
    p->opaque = opaque;
}

void plic_free(struct plic *p)
{
    pthread_mutex_destroy(&p->lock);
}

void plic_reset(struct plic *p)
{
    pthread_mutex_lock(&p->lock);
    clear(p);
    update(p);
    pthread_mutex_unlock(&p->lock);
}

void plic_set(void *plic, unsigned source, bool level)
{
    struct plic *p = plic;

    pthread_mutex_lock(&p->lock);
    if (level != bit_get(p->level, source)) {
        bit_set(p->level, source, level);
        gateway(p, source);
        update(p);
    }
    pthread_mutex_unlock(&p->lock);
}

static uint32_t claim(struct plic *p, unsigned c)
{
    unsigned n = best(p, c, 0);

    if (n) {
        bit_set(p->pending, n, false);
        bit_set(p->claimed, n, true);
        update(p);
    }
    return n;
}

/* A completion of a source that the context does not enable is ignored. */
static void complete(struct plic *p, unsigned c, uint32_t n)
{
    if (n == 0 || n > PLIC_SOURCES || !bit_get(p->enable[c], n))
        return;
    bit_set(p->claimed, n, false);
    gateway(p, n);
    update(p);
}

static uint32_t read_context(struct plic *p, unsigned c, unsigned reg)
{
    switch (reg) {
    case CONTEXT_THRESHOLD:
        return p->threshold[c];
    case CONTEXT_CLAIM:
        return claim(p, c);
    default:
        return 0;
    }
}

static void write_context(struct plic *p, unsigned c, unsigned reg, uint32_t value)
{
    switch (reg) {
    case CONTEXT_THRESHOLD:
        p->threshold[c] = value & PLIC_PRIORITY_MAX;
        update(p);
        break;
    case CONTEXT_CLAIM:
        complete(p, c, value);
        break;
    }
}

/* Which register an offset names. */
struct place {
    enum { IS_PRIORITY, IS_PENDING, IS_ENABLE, IS_CONTEXT, IS_NOTHING } kind;
    unsigned context;
    unsigned index; /* source, word, or byte offset in the context's registers */
};

static struct place locate(const struct plic *p, uint64_t off)
{
    struct place at = {IS_NOTHING, 0, 0};

    if (off < PENDING) {
        at.kind = IS_PRIORITY;
        at.index = (unsigned)off / 4;
        if (at.index == 0 || at.index > PLIC_SOURCES)
            at.kind = IS_NOTHING;
    } else if (off < ENABLE) {
        at.kind = IS_PENDING;
        at.index = (unsigned)(off - PENDING) / 4;
        if (at.index >= PLIC_WORDS)
            at.kind = IS_NOTHING;
    } else if (off < CONTEXT) {
        at.kind = IS_ENABLE;
        at.context = (unsigned)(off - ENABLE) / ENABLE_STRIDE;
        at.index = (unsigned)(off - ENABLE) % ENABLE_STRIDE / 4;
        if (at.context >= p->contexts || at.index >= PLIC_WORDS)
            at.kind = IS_NOTHING;
    } else {
        at.kind = IS_CONTEXT;
        at.context = (unsigned)(off - CONTEXT) / CONTEXT_STRIDE;
        at.index = (unsigned)(off - CONTEXT) % CONTEXT_STRIDE;
        if (at.context >= p->contexts)
            at.kind = IS_NOTHING;
    }
    return at;
}

static bool plic_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct plic *p = dev;
    struct place at = locate(p, off);

    if (size != 4)
        return false;
    pthread_mutex_lock(&p->lock);
    switch (at.kind) {
    case IS_PRIORITY:
        *value = p->priority[at.index];
        break;
    case IS_PENDING:
        *value = p->pending[at.index];
        break;
    case IS_ENABLE:
        *value = p->enable[at.context][at.index];
        break;
    case IS_CONTEXT:
        *value = read_context(p, at.context, at.index);
        break;
    case IS_NOTHING:
        *value = 0;
        break;
    }
    pthread_mutex_unlock(&p->lock);
    return true;
}

/* The enable bits that exist in word w: source 0 does not, nor do those above the last. */
static uint32_t enable_mask(unsigned w)
{
    uint32_t mask = UINT32_MAX;

    if (w == 0)
        mask &= ~UINT32_C(1);
    if (w == PLIC_SOURCES / 32)
        mask &= (UINT32_C(2) << (PLIC_SOURCES % 32)) - 1;
    return mask;
}

static bool plic_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct plic *p = dev;
    struct place at = locate(p, off);

    if (size != 4)
        return false;
    pthread_mutex_lock(&p->lock);
    switch (at.kind) {
    case IS_PRIORITY:
        p->priority[at.index] = value & PLIC_PRIORITY_MAX;
        update(p);
        break;
    case IS_ENABLE:
        p->enable[at.context][at.index] = (uint32_t)value & enable_mask(at.index);
        update(p);
        break;
    case IS_CONTEXT:
        write_context(p, at.context, at.index, (uint32_t)value);
        break;
    case IS_PENDING: /* read-only */
    case IS_NOTHING:
        break;
    }
    pthread_mutex_unlock(&p->lock);
    return true;
}

const struct device_ops plic_ops = {"plic", plic_read, plic_write};
