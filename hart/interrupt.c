/* SPDX-License-Identifier: MIT */
/*
 * Which interrupts are pending, and which is taken (Privileged, "Machine Interrupt Registers";
 * Hypervisor, "Hypervisor Interrupt Registers").
 *
 * mip is made of the bits that software set (csr.mip, where hvip is too), the lines that devices
 * drive (irq_lines, hgeip) and the timers' comparisons. Reading the clock costs more than the
 * rest, so that changes of enables are checked against the timers as they were when the run loop
 * last looked (timers_due): it looks again, with the clock, once a run and on EVENT_IRQ.
 */
#include "hart/csr.h"

uint64_t hart_time(const struct hart *h)
{
    return h->clock.now(h->clock.opaque, h);
}

/* --- Timers: MTIP, and STIP and VSTIP by Sstc --- */

static bool stimecmp_on(const struct hart *h)
{
    return h->csr.menvcfg & ENVCFG_STCE;
}

static bool vstimecmp_on(const struct hart *h)
{
    return h->csr.menvcfg & h->csr.henvcfg & ENVCFG_STCE;
}

static uint64_t mtimecmp(const struct hart *h)
{
    return __atomic_load_n(&h->mtimecmp, __ATOMIC_RELAXED);
}

static uint64_t timers_due_at(const struct hart *h, uint64_t now)
{
    uint64_t due = 0;

    if (now >= mtimecmp(h))
        due |= BIT(IRQ_MTI);
    if (stimecmp_on(h) && now >= h->csr.stimecmp)
        due |= BIT(IRQ_STI);
    if (vstimecmp_on(h) && now + h->csr.htimedelta >= h->csr.vstimecmp)
        due |= BIT(IRQ_VSTI);
    return due;
}

/* The earlier of deadline and the time at which a clock that shows `shows` at `now` gets to cmp;
 * deadline where it is past that, or never gets there. */
static uint64_t earlier(uint64_t deadline, uint64_t now, uint64_t shows, uint64_t cmp)
{
    if (shows >= cmp || cmp - shows > UINT64_MAX - now)
        return deadline;
    return min_u64(deadline, now + (cmp - shows));
}

uint64_t hart_deadline(const struct hart *h)
{
    uint64_t now = hart_time(h), deadline = UINT64_MAX;

    deadline = earlier(deadline, now, now, mtimecmp(h));
    if (stimecmp_on(h))
        deadline = earlier(deadline, now, now, h->csr.stimecmp);
    if (vstimecmp_on(h))
        deadline = earlier(deadline, now, now + h->csr.htimedelta, h->csr.vstimecmp);
    return deadline;
}

/* --- mip --- */

/* mip with the timers given. STIP that software set counts only while stimecmp is not in use. */
static uint64_t mip_with(const struct hart *h, uint64_t timers)
{
    uint64_t soft = __atomic_load_n(&h->csr.mip, __ATOMIC_RELAXED);
    uint64_t lines = __atomic_load_n(&h->irq_lines, __ATOMIC_RELAXED);
    uint64_t guest = __atomic_load_n(&h->hgeip, __ATOMIC_RELAXED);
    unsigned vgein = field_get(h->csr.hstatus, HSTATUS_VGEIN);
    uint64_t mip;

    if (stimecmp_on(h))
        soft &= ~BIT(IRQ_STI);
    mip = soft | lines | timers;
    if (vgein && (guest >> vgein & 1))
        mip |= BIT(IRQ_VSEI);
    if (guest & h->csr.hgeie)
        mip |= BIT(IRQ_SGEI);
    return mip;
}

uint64_t hart_mip(const struct hart *h)
{
    return mip_with(h, timers_due_at(h, hart_time(h)));
}

/* mie & mip, with timers_due brought up to date as far as it matters. */
static uint64_t pending_enabled(struct hart *h)
{
    if (h->csr.mie & IRQS_TIMERS)
        h->timers_due = timers_due_at(h, hart_time(h));
    return mip_with(h, h->timers_due) & h->csr.mie;
}

/* --- What is taken --- */

/* Of the interrupts in pending, those for the highest level that takes any of them now. */
static uint64_t takeable(const struct hart *h, uint64_t pending)
{
    uint64_t mideleg = h->csr.mideleg, hideleg = h->csr.hideleg & mideleg;
    uint64_t to_m = pending & ~mideleg, to_hs = pending & mideleg & ~hideleg;
    uint64_t to_vs = pending & hideleg;

    if (to_m && (h->priv < PRV_M || (h->csr.mstatus & MSTATUS_MIE)))
        return to_m;
    if (h->priv == PRV_M)
        return 0;
    if (to_hs && (h->v || h->priv < PRV_S || (h->csr.mstatus & MSTATUS_SIE)))
        return to_hs;
    if (to_vs && h->v && (h->priv < PRV_S || (h->csr.vsstatus & MSTATUS_SIE)))
        return to_vs;
    return 0;
}

/* Decreasing priority within a level. */
static const uint8_t priority[] = {
    IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI, IRQ_SGEI, IRQ_VSEI, IRQ_VSSI, IRQ_VSTI,
};

bool hart_pending_interrupt(struct hart *h, uint64_t *cause)
{
    uint64_t set = takeable(h, pending_enabled(h));

    for (unsigned i = 0; set && i < ARRAY_SIZE(priority); i++) {
        if (set & BIT(priority[i])) {
            *cause = CAUSE_INTERRUPT | priority[i];
            return true;
        }
    }
    return false;
}

bool hart_wakeup_pending(struct hart *h)
{
    return pending_enabled(h) != 0;
}

void hart_irq_changed(struct hart *h)
{
    if (takeable(h, mip_with(h, h->timers_due) & h->csr.mie))
        __atomic_fetch_or(&h->wait_event, EVENT_IRQ, __ATOMIC_RELAXED);
}
