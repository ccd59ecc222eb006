/* SPDX-License-Identifier: MIT */
/*
 * The table of CSRs and who may access which.
 *
 * An access passes three tests, in this order: the register exists (and can be written); its gate
 * would let HS-mode through (else illegal-instruction, from any mode below M); the mode has the
 * privilege that the number asks for. The gate's answer also has what withholds the register from
 * VS-mode and VU-mode alone (virtual-instruction). That order is the rule of the Hypervisor
 * chapter, "Trap Cause Codes": V=1 gets virtual-instruction only where HS-mode would be allowed
 * the same access, mstatus.TVM aside.
 */
#include "hart/csr_table.h"

#include <string.h>

/* --- Gates: CSR_ILLEGAL where HS-mode is refused, CSR_VIRTUAL where only V=1 is --- */

/* Floating-point registers need FS on, at both levels where V; M-mode is no exception, and the
 * exception is illegal-instruction always (Hypervisor, "Trap Cause Codes"). */
static enum csr_result gate_fp(const struct hart *h, const struct csr_row *row)
{
    return h->fp_on ? CSR_OK : CSR_ILLEGAL;
}

static enum csr_result gate_counter(const struct hart *h, const struct csr_row *row)
{
    uint64_t bit = BIT(row->number & 31);

    if (h->priv == PRV_M)
        return CSR_OK;
    if (!(h->csr.mcounteren & bit))
        return CSR_ILLEGAL;
    if (h->v && !(h->csr.hcounteren & bit))
        return CSR_VIRTUAL;
    if (h->priv == PRV_U && !(h->csr.scounteren & bit))
        return h->v ? CSR_VIRTUAL : CSR_ILLEGAL;
    return CSR_OK;
}

/* vstimecmp by its own number (Privileged, "mcounteren" and "menvcfg"). */
static enum csr_result gate_vstimecmp(const struct hart *h, const struct csr_row *row)
{
    bool on = (h->csr.mcounteren & COUNTER_TM) && (h->csr.menvcfg & ENVCFG_STCE);
    return on || h->priv == PRV_M ? CSR_OK : CSR_ILLEGAL;
}

/* stimecmp, and vstimecmp through it (Hypervisor, "hcounteren" and "henvcfg"). */
static enum csr_result gate_stimecmp(const struct hart *h, const struct csr_row *row)
{
    bool on = (h->csr.hcounteren & COUNTER_TM) && (h->csr.henvcfg & ENVCFG_STCE);
    enum csr_result hs = gate_vstimecmp(h, row);
    return hs == CSR_OK && h->v && !on ? CSR_VIRTUAL : hs;
}

/* State enables (Smstateen): bit of mstateen[n] for HS-mode, of hstateen[n] for V=1. */
static enum csr_result gate_stateen(const struct hart *h, unsigned n, uint64_t bit)
{
    if (h->priv == PRV_M)
        return CSR_OK;
    if (!(h->csr.mstateen[n] & bit))
        return CSR_ILLEGAL;
    return h->v && !(h->csr.hstateen[n] & bit) ? CSR_VIRTUAL : CSR_OK;
}

static enum csr_result gate_sstateen(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, row->number & 3, STATEEN_SE);
}

static enum csr_result gate_hstateen(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, row->number & 3, STATEEN_SE);
}

static enum csr_result gate_senvcfg(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_ENVCFG);
}

static enum csr_result gate_henvcfg(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_ENVCFG);
}

/* satp: mstatus.TVM is for HS-mode alone, hstatus.VTVM for VS-mode. */
static enum csr_result gate_satp(const struct hart *h, const struct csr_row *row)
{
    if (h->priv == PRV_M)
        return CSR_OK;
    if (h->v)
        return h->csr.hstatus & HSTATUS_VTVM ? CSR_VIRTUAL : CSR_OK;
    return h->csr.mstatus & MSTATUS_TVM ? CSR_ILLEGAL : CSR_OK;
}

static enum csr_result gate_hgatp(const struct hart *h, const struct csr_row *row)
{
    bool refused = h->priv == PRV_S && !h->v && (h->csr.mstatus & MSTATUS_TVM);
    return refused ? CSR_ILLEGAL : CSR_OK;
}

/* --- What the generic kinds of row do --- */

static uint64_t *field_of(struct hart *h, const struct csr_row *row)
{
    return (uint64_t *)((char *)h + row->offset);
}

static uint64_t get_field(struct hart *h, const struct csr_row *row, uint64_t retired)
{
    return *field_of(h, row);
}

static void set_field(struct hart *h, const struct csr_row *row, const struct csr_write *w)
{
    uint64_t *field = field_of(h, row);

    *field = (*field & ~row->mask) | (w->value & row->mask);
    if (row->after)
        row->after(h);
}

static uint64_t get_const(struct hart *h, const struct csr_row *row, uint64_t retired)
{
    return row->mask;
}

static void set_ignored(struct hart *h, const struct csr_row *row, const struct csr_write *w)
{
}

#define gate_none NULL
#define after_nothing NULL
#define after_irq csr_look_for_interrupts

#define CSR_FIELD(n, name, g, mask_, a)                                                            \
    [n] = {.get = get_field,                                                                       \
           .set = set_field,                                                                       \
           .gate = gate_##g,                                                                       \
           .after = after_##a,                                                                     \
           .mask = mask_,                                                                          \
           .offset = offsetof(struct hart, csr.name),                                              \
           .number = n},
#define CSR_FAMILY(n, name, g, family)                                                             \
    [n] = {.get = csr_get_##family, .set = csr_set_##family, .gate = gate_##g, .number = n},
#define CSR_VIEW(n, name, g) CSR_FAMILY(n, name, g, name)
#define CSR_READ(n, name, g)                                                                       \
    [n] = {.get = csr_get_##name, .set = set_ignored, .gate = gate_##g, .number = n},
#define CSR_CONST(n, name, g, value)                                                               \
    [n] = {.get = get_const, .set = set_ignored, .gate = gate_##g, .mask = value, .number = n},
enum { CSR_COUNT = 4096 };
static const struct csr_row table[CSR_COUNT] = {
#include "isa/csr.def"
};

#define CSR_REPLICA(name) [CSR_##name & 0xff] = true,
static const bool replicated[256] = {
#include "isa/csr.def"
};

enum { REPLICA_DISTANCE = 0x100 };

/* Level of a mode as CSR numbers count it: 0 U and VU, 1 VS, 2 HS, 3 M. */
static unsigned level_of(const struct hart *h)
{
    if (h->priv == PRV_M)
        return 3;
    return h->priv == PRV_U ? 0 : h->v ? 1 : 2;
}

enum csr_result csr_find(const struct hart *h, unsigned num, bool write, const struct csr_row **row)
{
    const struct csr_row *r = &table[num % CSR_COUNT];
    unsigned level = bits(num, 9, 8);
    enum csr_result gated;

    if (!r->get || (write && bits(num, 11, 10) == 3))
        return CSR_ILLEGAL;
    gated = r->gate ? r->gate(h, r) : CSR_OK;
    if (gated == CSR_ILLEGAL)
        return CSR_ILLEGAL;
    if (level_of(h) < level)
        return h->v && level != 3 ? CSR_VIRTUAL : CSR_ILLEGAL;
    *row = h->v && level == 1 && replicated[num & 0xff] ? r + REPLICA_DISTANCE : r;
    return gated;
}

bool csr_peek(struct hart *h, unsigned num, uint64_t *value)
{
    const struct csr_row *r = &table[num % CSR_COUNT];

    if (!r->get || num >= CSR_COUNT)
        return false;
    *value = r->get(h, r, hart_retired(h));
    return true;
}

bool csr_poke(struct hart *h, unsigned num, uint64_t value)
{
    const struct csr_row *r = &table[num % CSR_COUNT];
    struct csr_write w = {.value = value, .bits = UINT64_MAX, .retired = hart_retired(h)};

    if (!r->get || num >= CSR_COUNT || bits(num, 11, 10) == 3)
        return false;
    r->set(h, r, &w);
    return true;
}

/* Where the manual leaves a value open, hardware A/D updating and Svpbmt are on, as on boards
 * whose firmware knows nothing of the bits: software that does not set A and D itself runs. */
void csr_reset(struct hart *h)
{
    memset(&h->csr, 0, sizeof(h->csr));
    h->csr.mideleg = IRQS_H;
    h->csr.menvcfg = h->csr.henvcfg = ENVCFG_PBMTE | ENVCFG_ADUE;
    h->csr.stimecmp = h->csr.vstimecmp = UINT64_MAX;
    h->timers_due = 0;
    h->mmu.pbmte = h->mmu.vpbmte = true;
    h->mmu.adue = h->mmu.vadue = true;
}
