/* SPDX-License-Identifier: MIT */
#include "hart/hpm.h"

#include "hart/csr_table.h"

/* mhpmevent. */
#define EVENT_OF BIT(63)
#define EVENT_MINH BIT(62)
#define EVENT_SINH BIT(61)
#define EVENT_UINH BIT(60)
#define EVENT_VSINH BIT(59)
#define EVENT_VUINH BIT(58)
#define EVENT_FILTERS (EVENT_MINH | EVENT_SINH | EVENT_UINH | EVENT_VSINH | EVENT_VUINH)
#define EVENT_SELECT UINT64_C(0xfffff)

static uint64_t sum(const uint64_t *counts, unsigned n)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++)
        total += counts[i];
    return total;
}

/* How often the event happened since the machine was made. */
static uint64_t count(const struct hart *h, uint64_t event, uint64_t retired)
{
    switch ((enum hpm_event)(event & EVENT_SELECT)) {
    case HPM_CYCLES:
    case HPM_INSTRUCTIONS:
        return retired;
    case HPM_DTLB_MISSES:
        return h->mmu.counters.tlb_misses;
    case HPM_WALKS:
        return h->mmu.counters.walks;
    case HPM_GSTAGE_WALKS:
        return h->mmu.counters.gstage_walks;
    case HPM_EXCEPTIONS:
        return sum(h->counters.exceptions, ARRAY_SIZE(h->counters.exceptions));
    case HPM_INTERRUPTS:
        return sum(h->counters.interrupts, ARRAY_SIZE(h->counters.interrupts));
    case HPM_WORLD_SWITCHES:
        return h->counters.world_switches;
    case HPM_BANK_SWITCHES:
        return h->mmu.counters.bank_switches;
    case HPM_FENCES:
        return h->mmu.counters.fences;
    case HPM_NONE:
        break;
    }
    return 0;
}

/* The bit of mhpmevent that stops a counter in the hart's mode. */
static uint64_t filter_of(const struct hart *h)
{
    if (h->priv == PRV_M)
        return EVENT_MINH;
    if (h->v)
        return h->priv == PRV_S ? EVENT_VSINH : EVENT_VUINH;
    return h->priv == PRV_S ? EVENT_SINH : EVENT_UINH;
}

static bool exists(unsigned n)
{
    return HPM_MASK >> n & 1;
}

static uint64_t value(const struct hart *h, unsigned n, uint64_t retired)
{
    uint64_t base = h->csr.hpm_base[n];
    return h->hpm_running >> n & 1 ? base + count(h, h->csr.mhpmevent[n], retired) : base;
}

static void overflow(struct hart *h, unsigned n, uint64_t retired)
{
    uint64_t now = value(h, n, retired);
    bool wrapped = now < h->csr.hpm_seen[n];

    h->csr.hpm_seen[n] = now;
    if (!wrapped || (h->csr.mhpmevent[n] & EVENT_OF) || !cpu_has(&h->isa->cpu, EXT_SSCOFPMF))
        return;
    h->csr.mhpmevent[n] |= EVENT_OF;
    __atomic_fetch_or(&h->csr.mip, BIT(IRQ_LCOF), __ATOMIC_SEQ_CST);
    hart_irq_changed(h);
}

static void look(struct hart *h, uint64_t retired)
{
    for (unsigned n = HPM_FIRST; n < HPM_FIRST + HPM_N; n++)
        if (h->hpm_running >> n & 1)
            overflow(h, n, retired);
}

void hpm_look_for_overflow(struct hart *h)
{
    look(h, hart_retired(h));
}

void hpm_hold_at(struct hart *h, uint64_t retired)
{
    look(h, retired);
    for (unsigned n = HPM_FIRST; n < HPM_FIRST + HPM_N; n++)
        h->csr.hpm_base[n] = value(h, n, retired);
    h->hpm_running = 0;
}

uint64_t hpm_hold(struct hart *h)
{
    uint64_t retired = hart_retired(h);

    hpm_hold_at(h, retired);
    return retired;
}

void hpm_go_on(struct hart *h, uint64_t retired)
{
    h->hpm_filtered = h->hpm_watched = false;
    for (unsigned n = HPM_FIRST; n < HPM_FIRST + HPM_N; n++) {
        uint64_t event = h->csr.mhpmevent[n];

        h->csr.hpm_seen[n] = h->csr.hpm_base[n];
        if (!(event & EVENT_SELECT) || (h->csr.mcountinhibit >> n & 1))
            continue;
        h->hpm_filtered |= (event & EVENT_FILTERS) != 0;
        h->hpm_watched |= !(event & EVENT_OF);
        if (event & filter_of(h))
            continue;
        h->hpm_running |= 1u << n;
        h->csr.hpm_base[n] -= count(h, event, retired);
    }
}

/* --- CSRs --- */

CSR_GET(mhpmcounter)
{
    return value(h, row->number & 31, retired);
}

CSR_SET(mhpmcounter)
{
    unsigned n = row->number & 31;

    if (!exists(n))
        return;
    hpm_hold_at(h, w->retired);
    h->csr.hpm_base[n] = w->value;
    hpm_go_on(h, w->retired);
}

CSR_GET(hpmcounter)
{
    return value(h, row->number & 31, retired);
}

CSR_SET(hpmcounter)
{
    /* Read-only by its number. */
}

CSR_GET(mhpmevent)
{
    look(h, retired);
    return h->csr.mhpmevent[row->number & 31];
}

CSR_SET(mhpmevent)
{
    unsigned n = row->number & 31;
    uint64_t mask = EVENT_SELECT;

    if (!exists(n))
        return;
    if (cpu_has(&h->isa->cpu, EXT_SSCOFPMF))
        mask |= EVENT_OF | EVENT_MINH | EVENT_SINH | EVENT_UINH;
    if (cpu_has(&h->isa->cpu, EXT_SSCOFPMF) && cpu_has(&h->isa->cpu, EXT_H))
        mask |= EVENT_VSINH | EVENT_VUINH;
    hpm_hold_at(h, w->retired);
    h->csr.mhpmevent[n] = w->value & mask;
    hpm_go_on(h, w->retired);
}

/* OF of the counters that the mode may read; M-mode sees all (Sscofpmf, "scountovf"). */
CSR_GET(scountovf)
{
    uint64_t may = UINT64_MAX, set = 0;

    look(h, retired);
    if (h->priv != PRV_M)
        may &= h->csr.mcounteren;
    if (h->v)
        may &= h->csr.hcounteren;
    for (unsigned n = HPM_FIRST; n < HPM_FIRST + HPM_N; n++)
        if (h->csr.mhpmevent[n] & EVENT_OF)
            set |= BIT(n);
    return set & may;
}
