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
#include "hart/aia.h"

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
    if (h->csr.mvien & BIT(IRQ_SEI))
        soft &= ~BIT(IRQ_SEI); /* it is mvip's alone */
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

/* What is pending and enabled, with timers_due brought up to date as far as it matters. */
static struct aia_pending pending_enabled(struct hart *h)
{
    if (h->csr.mie & IRQS_TIMERS)
        h->timers_due = timers_due_at(h, hart_time(h));
    return aia_pending(h, mip_with(h, h->timers_due));
}

/* --- What is taken --- */

/* The highest level that takes any of what is pending now; TO_DELEGATED: none does. */
static enum trap_to takes(const struct hart *h, const struct aia_pending *p)
{
    if (p->m && (h->priv < PRV_M || (h->csr.mstatus & MSTATUS_MIE)))
        return TO_M;
    if (h->priv == PRV_M)
        return TO_DELEGATED;
    if (p->hs && (h->v || h->priv < PRV_S || (h->csr.mstatus & MSTATUS_SIE)))
        return TO_HS;
    if ((p->vs || p->injected) && h->v && (h->priv < PRV_S || (h->csr.vsstatus & MSTATUS_SIE)))
        return TO_VS;
    return TO_DELEGATED;
}

/* The code by which the hart as a whole knows an interrupt of VS level. */
static unsigned code_of_vs(unsigned iid)
{
    return iid < IRQ_LCOF && IRQS_S >> iid & 1 ? iid + 1 : iid;
}

bool hart_pending_interrupt(struct hart *h, struct trap *t)
{
    struct aia_pending p = pending_enabled(h);
    unsigned iid;

    t->to = takes(h, &p);
    switch ((enum trap_to)t->to) {
    case TO_M:
        iid = aia_mtopi(h, &p) >> 16;
        break;
    case TO_HS:
        iid = aia_stopi(h, &p) >> 16;
        break;
    case TO_VS:
        iid = aia_vstopi(h, &p) >> 16;
        break;
    default:
        return false;
    }
    t->iid = iid;
    t->cause = CAUSE_INTERRUPT | (t->to == TO_VS ? code_of_vs(iid) : iid);
    return true;
}

bool hart_wakeup_pending(struct hart *h)
{
    struct aia_pending p = pending_enabled(h);
    return p.m || p.hs || p.vs || p.injected;
}

void hart_irq_changed(struct hart *h)
{
    struct aia_pending p = aia_pending(h, mip_with(h, h->timers_due));

    if (takes(h, &p) != TO_DELEGATED)
        __atomic_fetch_or(&h->wait_event, EVENT_IRQ, __ATOMIC_RELAXED);
}
