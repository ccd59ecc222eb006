/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control logic: every change of privilege and of V (Privileged, "Machine-Level
 * ISA" on traps; Hypervisor, "Traps").
 *
 * A trap goes to M-mode, unless medeleg or mideleg sends it to HS-mode, unless V=1 and hedeleg or
 * hideleg sends it on to VS-mode; never to less privilege than it came from.
 */
#include "hart/csr.h"
#include "hart/hpm.h"

/* Faults whose tval is an address: a guest virtual one where V=1. */
#define ADDRESS_FAULTS                                                                             \
    (BIT(EXC_FETCH_MISALIGNED) | BIT(EXC_FETCH_ACCESS) | BIT(EXC_BREAKPOINT) |                     \
     BIT(EXC_LOAD_MISALIGNED) | BIT(EXC_LOAD_ACCESS) | BIT(EXC_STORE_MISALIGNED) |                 \
     BIT(EXC_STORE_ACCESS) | BIT(EXC_FETCH_PAGE) | BIT(EXC_LOAD_PAGE) | BIT(EXC_STORE_PAGE) |      \
     BIT(EXC_FETCH_GUEST_PAGE) | BIT(EXC_LOAD_GUEST_PAGE) | BIT(EXC_STORE_GUEST_PAGE))

enum { EXIT_INTERRUPT = 63 }; /* in counters.exits */

static void enter_mode(struct hart *h, unsigned priv, bool v)
{
    bool switches = h->v != v;
    uint64_t retired = 0;

    if (switches)
        h->counters.world_switches++;
    if (unlikely(h->hpm_filtered))
        retired = hpm_hold(h);
    h->priv = priv;
    h->v = v;
    if (unlikely(h->hpm_filtered))
        hpm_go_on(h, retired);
    hart_update_context(h);
    if (unlikely(h->hooks) && switches)
        h->hooks->switched(h);
}

/* status with xIE moved to xPIE, or back, as a trap to and a return from level x do. */
static uint64_t stack_ie(uint64_t status, uint64_t ie, uint64_t pie)
{
    return (status & ~(ie | pie)) | (status & ie ? pie : 0);
}

static uint64_t unstack_ie(uint64_t status, uint64_t ie, uint64_t pie)
{
    return (status & ~ie) | (status & pie ? ie : 0) | pie;
}

static uint64_t vector(uint64_t tvec, uint64_t cause)
{
    bool vectored = (tvec & 3) == 1 && (cause & CAUSE_INTERRUPT);
    return (tvec & ~UINT64_C(3)) + (vectored ? 4 * (cause & ~CAUSE_INTERRUPT) : 0);
}

static void trap_to_m(struct hart *h, const struct trap *t, bool gva)
{
    struct csrs *c = &h->csr;

    c->mstatus = stack_ie(c->mstatus, MSTATUS_MIE, MSTATUS_MPIE);
    c->mstatus = field_set(c->mstatus, MSTATUS_MPP, h->priv);
    c->mstatus = field_set(c->mstatus, MSTATUS_MPV, h->v);
    c->mstatus = field_set(c->mstatus, MSTATUS_GVA, gva);
    c->mepc = h->pc;
    c->mcause = t->cause;
    c->mtval = t->tval;
    c->mtval2 = t->gpa >> 2;
    c->mtinst = t->tinst;
    h->pc = vector(c->mtvec, t->cause);
    enter_mode(h, PRV_M, false);
}

static void trap_to_hs(struct hart *h, const struct trap *t, bool gva)
{
    struct csrs *c = &h->csr;

    c->mstatus = stack_ie(c->mstatus, MSTATUS_SIE, MSTATUS_SPIE);
    c->mstatus = field_set(c->mstatus, MSTATUS_SPP, h->priv);
    c->hstatus = field_set(c->hstatus, HSTATUS_SPV, h->v);
    if (h->v)
        c->hstatus = field_set(c->hstatus, HSTATUS_SPVP, h->priv);
    c->hstatus = field_set(c->hstatus, HSTATUS_GVA, gva);
    c->sepc = h->pc;
    c->scause = t->cause;
    c->stval = t->tval;
    c->htval = t->gpa >> 2;
    c->htinst = t->tinst;
    h->pc = vector(c->stvec, t->cause);
    enter_mode(h, PRV_S, false);
}

/* VS-level interrupts 2, 6 and 10 are 1, 5 and 9 to the guest (Hypervisor, "hideleg"). */
static void trap_to_vs(struct hart *h, const struct trap *t)
{
    struct csrs *c = &h->csr;
    uint64_t code = t->cause & ~CAUSE_INTERRUPT, cause = t->cause;

    if (t->to == TO_VS)
        cause = CAUSE_INTERRUPT | t->iid;
    else if (cause & CAUSE_INTERRUPT && IRQS_VS >> code & 1)
        cause--;

    c->vsstatus = stack_ie(c->vsstatus, MSTATUS_SIE, MSTATUS_SPIE);
    c->vsstatus = field_set(c->vsstatus, MSTATUS_SPP, h->priv);
    c->vsepc = h->pc;
    c->vscause = cause;
    c->vstval = t->tval;
    h->pc = vector(c->vstvec, cause);
    enter_mode(h, PRV_S, true);
}

void hart_take_trap(struct hart *h, const struct trap *t)
{
    const struct csrs *c = &h->csr;
    bool interrupt = t->cause & CAUSE_INTERRUPT;
    uint64_t code = min_u64(t->cause & ~CAUSE_INTERRUPT, 63); /* what hvictl names may be more */
    bool to_s = h->priv < PRV_M && ((interrupt ? c->mideleg : c->medeleg) >> code & 1);
    bool to_vs = to_s && h->v && ((interrupt ? c->hideleg : c->hedeleg) >> code & 1);
    bool gva = t->gva || (h->v && !interrupt && (ADDRESS_FAULTS >> code & 1));

    if (t->to != TO_DELEGATED) {
        to_vs = t->to == TO_VS;
        to_s = t->to != TO_M;
    }
    if (interrupt)
        h->counters.interrupts[code]++;
    else
        h->counters.exceptions[code]++;
    if (h->v && !to_vs)
        h->counters.exits[interrupt ? EXIT_INTERRUPT : code]++;
    if (unlikely(h->hooks))
        h->hooks->trap(h, t, to_vs ? TO_VS : to_s ? TO_HS : TO_M);

    if (to_vs)
        trap_to_vs(h, t);
    else if (to_s)
        trap_to_hs(h, t, gva);
    else
        trap_to_m(h, t, gva);
}

/* A return may clear the LR reservation (Privileged, "Trap-Return Instructions"): it does, so that
 * no SC of one context pairs with an LR of another. */
static void return_to(struct hart *h, uint64_t pc, unsigned priv, bool v)
{
    h->reserved = NULL;
    h->pc = pc;
    if (priv != PRV_M)
        h->csr.mstatus &= ~MSTATUS_MPRV;
    enter_mode(h, priv, v);
    hart_irq_changed(h);
}

void hart_mret(struct hart *h)
{
    struct csrs *c = &h->csr;
    unsigned priv = field_get(c->mstatus, MSTATUS_MPP);
    bool v = priv != PRV_M && (c->mstatus & MSTATUS_MPV);

    c->mstatus = unstack_ie(c->mstatus, MSTATUS_MIE, MSTATUS_MPIE) & ~(MSTATUS_MPP | MSTATUS_MPV);
    return_to(h, c->mepc, priv, v);
}

void hart_sret(struct hart *h)
{
    struct csrs *c = &h->csr;
    uint64_t *status = h->v ? &c->vsstatus : &c->mstatus;
    unsigned priv = *status & MSTATUS_SPP ? PRV_S : PRV_U;
    bool v = h->v || (c->hstatus & HSTATUS_SPV);

    if (!h->v)
        c->hstatus &= ~HSTATUS_SPV;
    *status = unstack_ie(*status, MSTATUS_SIE, MSTATUS_SPIE) & ~MSTATUS_SPP;
    return_to(h, h->v ? c->vsepc : c->sepc, priv, v);
}
