/* SPDX-License-Identifier: MIT */
/*
 * See aia.h. Section names are those of the AIA specification.
 *
 * A level's interrupts are ordered by a key: first the priority number, where 0 means before or
 * behind all of 1..256 and up, as the interrupt by default comes before or behind the level's
 * external interrupt; then the default order.
 */
#include "hart/aia.h"

#include "hart/csr_table.h"
#include "hart/imsic.h"

/* Default order ("Default priority order"). Interrupts that are not in it come last. */
static const uint8_t order[] = {
    47,       23,       46,       45,       22,       44,      43,      21,      42,
    41,       20,       40,       IRQ_MEI,  IRQ_MSI,  IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI,
    IRQ_SGEI, IRQ_VSEI, IRQ_VSSI, IRQ_VSTI, IRQ_LCOF, 39,      19,      38,      37,
    18,       36,       35,       17,       34,       33,      16,      32,
};
enum { SOFTWARE_PRIORITY = 256, LOWEST_PRIORITY = 255, BEHIND_ALL = 0xffff, VS_SHIFT = 1 };

/* --- What is pending, level by level --- */

/* Bits that sip may show: not those of M, nor of VS level, which are in hip. */
#define S_BITS (IRQS_S | IRQS_LOCAL)

/* mvip as the virtual interrupts of S level see it: SEIP is mip's software-writable one. */
static uint64_t mvip_now(const struct hart *h)
{
    uint64_t soft = __atomic_load_n(&h->csr.mip, __ATOMIC_RELAXED);
    return (h->csr.mvip & ~BIT(IRQ_SEI)) | (soft & BIT(IRQ_SEI));
}

uint64_t aia_sip(const struct hart *h, uint64_t mip)
{
    uint64_t mideleg = h->csr.mideleg & S_BITS;
    return (mip & mideleg) | (mvip_now(h) & h->csr.mvien & ~mideleg);
}

uint64_t aia_sie(const struct hart *h)
{
    uint64_t mideleg = h->csr.mideleg & S_BITS;
    return (h->csr.mie & mideleg) | (h->csr.virtual_sie & h->csr.mvien & ~mideleg);
}

uint64_t aia_vsip(const struct hart *h, uint64_t mip)
{
    uint64_t hideleg = h->csr.hideleg;
    return (mip & hideleg & IRQS_VS) >> VS_SHIFT | (aia_sip(h, mip) & hideleg & IRQS_LOCAL) |
           (h->csr.hvip_local & h->csr.hvien & ~hideleg);
}

uint64_t aia_vsie(const struct hart *h)
{
    uint64_t hideleg = h->csr.hideleg;
    return (h->csr.mie & hideleg & IRQS_VS) >> VS_SHIFT | (aia_sie(h) & hideleg & IRQS_LOCAL) |
           (h->csr.virtual_vsie & h->csr.hvien & ~hideleg);
}

struct aia_pending aia_pending(const struct hart *h, uint64_t mip)
{
    uint64_t on = mip & h->csr.mie, mideleg = h->csr.mideleg, hideleg = h->csr.hideleg;
    struct aia_pending p = {.m = on & ~mideleg, .hs = on & mideleg & ~hideleg};
    uint64_t vs = on & mideleg & hideleg;

    p.vs = (vs & IRQS_VS) >> VS_SHIFT | (vs & IRQS_LOCAL);
    if (likely(!h->virtual_irqs))
        return p;
    p.hs |= aia_sip(h, mip) & aia_sie(h) & ~hideleg;
    p.vs = aia_vsip(h, mip) & aia_vsie(h);
    if (h->csr.hvictl & HVICTL_VTI) {
        p.vs &= BIT(IRQ_SEI);
        p.injected = field_get(h->csr.hvictl, HVICTL_IID) != IRQ_SEI;
    }
    return p;
}

/* --- Which comes first --- */

static unsigned rank_of(unsigned irq)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(order); i++)
        if (order[i] == irq)
            return i;
    return i + irq;
}

/* One candidate: its number, its key, and the priority number from which that was made. */
struct candidate {
    unsigned iid, key;
};

enum { RANK_BITS = 8 };

static struct candidate candidate(unsigned iid, unsigned priority, unsigned rank, bool before)
{
    if (!priority && !before)
        priority = BEHIND_ALL;
    return (struct candidate){iid, priority << RANK_BITS | rank};
}

/* The value of *topi: what is above 255 is reported as 255. */
static uint64_t report(struct candidate c)
{
    unsigned priority = c.key >> RANK_BITS;

    if (priority > LOWEST_PRIORITY)
        priority = LOWEST_PRIORITY;
    return (uint64_t)c.iid << 16 | priority;
}

/* The first of set, where external is the level's external interrupt, of priority ext_priority,
 * and numbers has the others' priority numbers. set is not 0. */
static struct candidate first(uint64_t set, unsigned external, unsigned ext_priority,
                              const uint8_t *numbers)
{
    unsigned ext_rank = rank_of(external);
    struct candidate best = {.key = UINT32_MAX};

    for (; set; set &= set - 1) {
        unsigned irq = (unsigned)__builtin_ctzll(set), rank = rank_of(irq);
        unsigned priority = irq == external ? ext_priority : numbers[irq];
        struct candidate c = candidate(irq, priority, rank, rank < ext_rank);

        if (c.key < best.key)
            best = c;
    }
    return best;
}

/* Priority number of MEI or SEI: the interrupt controller's, or where software alone made it
 * pending, 256. */
static unsigned external_priority(const struct hart *h, unsigned file, unsigned irq)
{
    uint64_t lines = __atomic_load_n(&h->irq_lines, __ATOMIC_RELAXED);

    if (!(lines >> irq & 1))
        return SOFTWARE_PRIORITY;
    if (h->imsic)
        return imsic_top(h->imsic, file, false);
    return __atomic_load_n(&h->external_priority[file], __ATOMIC_RELAXED);
}

uint64_t aia_mtopi(const struct hart *h, const struct aia_pending *p)
{
    if (!p->m)
        return 0;
    return report(first(p->m, IRQ_MEI, external_priority(h, IMSIC_M, IRQ_MEI), h->csr.miprio));
}

uint64_t aia_stopi(const struct hart *h, const struct aia_pending *p)
{
    if (!p->hs)
        return 0;
    return report(first(p->hs, IRQ_SEI, external_priority(h, IMSIC_S, IRQ_SEI), h->csr.siprio));
}

bool aia_has_guest_file(const struct hart *h)
{
    unsigned vgein = field_get(h->csr.hstatus, HSTATUS_VGEIN);
    return h->imsic && vgein && vgein <= h->geilen;
}

/* "Virtual supervisor top interrupt CSR (vstopi)": what the priority of SEI is. */
static unsigned guest_external_priority(const struct hart *h)
{
    unsigned vgein = field_get(h->csr.hstatus, HSTATUS_VGEIN), id = 0;
    uint64_t hvictl = h->csr.hvictl;

    if (aia_has_guest_file(h))
        id = imsic_top(h->imsic, IMSIC_S + vgein, false);
    else if (!vgein && field_get(hvictl, HVICTL_IID) == IRQ_SEI)
        id = field_get(hvictl, HVICTL_IPRIO);
    return id ? id : SOFTWARE_PRIORITY;
}

/* hviprio1 and hviprio2 as an array by interrupt number. */
static void vs_priorities(const struct hart *h, uint8_t *numbers)
{
    static const uint8_t byte_of[16] = {0, 1, 4, 5, 8, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

    for (unsigned i = 0; i < 64; i++)
        numbers[i] = 0;
    for (unsigned i = 0; i < 16; i++)
        numbers[byte_of[i]] = (uint8_t)((i < 8 ? h->csr.hviprio1 : h->csr.hviprio2) >> 8 * (i % 8));
}

/* Of SEI and what hvictl names, DPR says which comes first by default. */
static struct candidate injected(const struct hart *h)
{
    uint64_t hvictl = h->csr.hvictl;
    bool before = !(hvictl & HVICTL_DPR);
    unsigned rank = before ? 0 : rank_of(IRQ_SEI) + 1;

    return candidate(field_get(hvictl, HVICTL_IID), field_get(hvictl, HVICTL_IPRIO), rank, before);
}

uint64_t aia_vstopi(const struct hart *h, const struct aia_pending *p)
{
    struct candidate best = {.key = UINT32_MAX};
    uint8_t numbers[64];
    uint64_t value;

    if (!p->vs && !p->injected)
        return 0;
    vs_priorities(h, numbers);
    if (p->vs)
        best = first(p->vs, IRQ_SEI, guest_external_priority(h), numbers);
    if (p->injected) {
        struct candidate c = injected(h);
        if (c.key < best.key)
            best = c;
    }
    value = report(best);
    if (!(h->csr.hvictl & HVICTL_IPRIOM))
        value = field_set(value, HVICTL_IPRIO, 1);
    return value;
}

/* --- CSRs: virtual interrupts --- */

/* Virtual interrupts that may be enabled. */
#define MVIEN_MASK (BIT(IRQ_SSI) | BIT(IRQ_SEI) | IRQS_LOCAL)

static void virtual_changed(struct hart *h)
{
    h->virtual_irqs = h->csr.mvien || h->csr.hvien || (h->csr.hvictl & HVICTL_VTI);
    csr_look_for_interrupts(h);
}

CSR_GET(mvien)
{
    return h->csr.mvien;
}

CSR_SET(mvien)
{
    h->csr.mvien = w->value & MVIEN_MASK;
    h->csr.hideleg &= IRQS_VS | h->csr.mideleg | h->csr.mvien;
    virtual_changed(h);
}

/* Bits 1, 5 and 9 are aliases of mip's while mvien has no say ("Interrupt filtering and virtual
 * interrupts for supervisor level"). */
static uint64_t mvip_aliases(const struct hart *h)
{
    uint64_t aliases = BIT(IRQ_SEI);

    if (!(h->csr.mvien & BIT(IRQ_SSI)))
        aliases |= BIT(IRQ_SSI);
    if (!(h->csr.menvcfg & ENVCFG_STCE))
        aliases |= BIT(IRQ_STI);
    return aliases;
}

CSR_GET(mvip)
{
    uint64_t aliases = mvip_aliases(h), soft = __atomic_load_n(&h->csr.mip, __ATOMIC_RELAXED);
    uint64_t own = (h->csr.mvien & BIT(IRQ_SSI)) | IRQS_LOCAL;

    return (soft & aliases) | (h->csr.mvip & own);
}

CSR_SET(mvip)
{
    uint64_t own = (h->csr.mvien & BIT(IRQ_SSI)) | IRQS_LOCAL;

    csr_change_mip(h, w, mvip_aliases(h), 0);
    h->csr.mvip = (h->csr.mvip & ~own) | (w->value & own);
    csr_look_for_interrupts(h);
}

CSR_GET(hvien)
{
    return h->csr.hvien;
}

CSR_SET(hvien)
{
    h->csr.hvien = w->value & IRQS_LOCAL;
    virtual_changed(h);
}

CSR_GET(hvictl)
{
    return h->csr.hvictl;
}

CSR_SET(hvictl)
{
    h->csr.hvictl =
        w->value & (HVICTL_VTI | HVICTL_IID | HVICTL_DPR | HVICTL_IPRIOM | HVICTL_IPRIO);
    virtual_changed(h);
}

CSR_GET(mtopi)
{
    struct aia_pending p = aia_pending(h, hart_mip(h));
    return aia_mtopi(h, &p);
}

CSR_GET(stopi)
{
    struct aia_pending p = aia_pending(h, hart_mip(h));
    return aia_stopi(h, &p);
}

CSR_GET(vstopi)
{
    struct aia_pending p = aia_pending(h, hart_mip(h));
    return aia_vstopi(h, &p);
}

/* --- CSRs: the windows --- */

enum { SELECT_MASK = 0x1ff, IPRIO = 0x30, IPRIO_END = 0x40, FILES = 0x70 };

/* The guest file that VGEIN chooses. */
static unsigned guest_file(const struct hart *h)
{
    return IMSIC_S + (unsigned)field_get(h->csr.hstatus, HSTATUS_VGEIN);
}

#define SELECT(name)                                                                               \
    CSR_GET(name)                                                                                  \
    {                                                                                              \
        return h->csr.name;                                                                        \
    }                                                                                              \
    CSR_SET(name)                                                                                  \
    {                                                                                              \
        h->csr.name = w->value & SELECT_MASK;                                                      \
    }
SELECT(miselect)
SELECT(siselect)
SELECT(vsiselect)

/* Eight priority numbers from `numbers`, as register 0x30 + 2 n has them. */
static uint64_t iprio_get(const uint8_t *numbers, unsigned select)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)numbers[(select - IPRIO) * 4 + i] << 8 * i;
    return value;
}

/* Numbers of interrupts that do not exist at the level, and of its external one, stay zero. */
static void iprio_set(struct hart *h, uint8_t *numbers, unsigned select, uint64_t value,
                      uint64_t settable)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned irq = (select - IPRIO) * 4 + i;
        if (settable >> irq & 1)
            numbers[irq] = (uint8_t)(value >> 8 * i);
    }
    hart_irq_changed(h);
}

#define M_NUMBERS (BIT(IRQ_MSI) | BIT(IRQ_MTI) | IRQS_S | BIT(IRQ_LCOF))
#define S_NUMBERS (BIT(IRQ_SSI) | BIT(IRQ_STI) | IRQS_H | IRQS_LOCAL)

/* The gates (csr.c) have let through only what exists. */
CSR_GET(mireg)
{
    unsigned select = (unsigned)h->csr.miselect;
    return select < FILES ? iprio_get(h->csr.miprio, select)
                          : imsic_read(h->imsic, IMSIC_M, select);
}

CSR_SET(mireg)
{
    unsigned select = (unsigned)h->csr.miselect;

    if (select < FILES)
        iprio_set(h, h->csr.miprio, select, w->value, M_NUMBERS);
    else
        imsic_write(h->imsic, IMSIC_M, select, w->value, w->bits);
}

CSR_GET(sireg)
{
    unsigned select = (unsigned)h->csr.siselect;
    return select < FILES ? iprio_get(h->csr.siprio, select)
                          : imsic_read(h->imsic, IMSIC_S, select);
}

CSR_SET(sireg)
{
    unsigned select = (unsigned)h->csr.siselect;

    if (select < FILES)
        iprio_set(h, h->csr.siprio, select, w->value, S_NUMBERS);
    else
        imsic_write(h->imsic, IMSIC_S, select, w->value, w->bits);
}

CSR_GET(vsireg)
{
    return imsic_read(h->imsic, guest_file(h), (unsigned)h->csr.vsiselect);
}

CSR_SET(vsireg)
{
    imsic_write(h->imsic, guest_file(h), (unsigned)h->csr.vsiselect, w->value, w->bits);
}

/* "Top external interrupt CSRs": a write claims. Reading and claiming in one instruction concern
 * one interrupt, since only MSIs, which add, come in between: the claim is of what csr_write.old
 * says. */
static uint64_t topei(struct hart *h, unsigned file)
{
    unsigned id = imsic_top(h->imsic, file, false);
    return (uint64_t)id << 16 | id;
}

static void claim(struct hart *h, unsigned file, const struct csr_write *w)
{
    enum { EIP = 0x80 };
    unsigned id = (unsigned)(w->old >> 16);

    if (!w->read)
        imsic_top(h->imsic, file, true);
    else if (id)
        imsic_write(h->imsic, file, EIP + id / 64 * 2, 0, BIT(id % 64));
}

CSR_GET(mtopei)
{
    return topei(h, IMSIC_M);
}

CSR_SET(mtopei)
{
    claim(h, IMSIC_M, w);
}

CSR_GET(stopei)
{
    return topei(h, IMSIC_S);
}

CSR_SET(stopei)
{
    claim(h, IMSIC_S, w);
}

CSR_GET(vstopei)
{
    return topei(h, guest_file(h));
}

CSR_SET(vstopei)
{
    claim(h, guest_file(h), w);
}
