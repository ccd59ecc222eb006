/* SPDX-License-Identifier: MIT */
/* Supervisor-level CSRs: views of the machine-level ones (Privileged, "Supervisor-Level ISA"). */
#include "hart/aia.h"
#include "hart/csr_table.h"

CSR_GET(sstatus)
{
    return csr_show_status(h->csr.mstatus & SSTATUS_MASK);
}

CSR_SET(sstatus)
{
    uint64_t old = h->csr.mstatus;

    h->csr.mstatus = (old & ~csr_status_mask(h)) | (w->value & csr_status_mask(h));
    csr_status_changed(h, old ^ h->csr.mstatus);
}

/* sie and sip show the interrupts that mideleg gives to supervisor level, VS-level ones excluded
 * (those are in hie and hip), and the virtual ones that mvien does (aia.c). */
static uint64_t delegated(const struct hart *h)
{
    return h->csr.mideleg & (IRQS_S | IRQS_LOCAL);
}

CSR_GET(sie)
{
    return aia_sie(h);
}

CSR_SET(sie)
{
    uint64_t own = h->csr.mvien & ~delegated(h);

    h->csr.virtual_sie = (h->csr.virtual_sie & ~own) | (w->value & own);
    csr_change_mie(h, w->value, delegated(h), 0);
}

CSR_GET(sip)
{
    return aia_sip(h, hart_mip(h));
}

CSR_SET(sip)
{
    csr_write_sip(h, w, UINT64_MAX);
}

void csr_write_sip(struct hart *h, const struct csr_write *w, uint64_t may)
{
    uint64_t writable = may & (BIT(IRQ_SSI) | IRQS_LOCAL);
    uint64_t own = h->csr.mvien & ~delegated(h) & writable;

    h->csr.mvip = (h->csr.mvip & ~own) | (w->value & own);
    if (w->value & own)
        hart_irq_changed(h);
    csr_change_mip(h, w, delegated(h) & writable, 0);
}

CSR_GET(senvcfg)
{
    return h->csr.senvcfg;
}

CSR_SET(senvcfg)
{
    uint64_t mask = csr_envcfg_mask(h) & (ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE);

    h->csr.senvcfg = csr_envcfg_write(h->csr.senvcfg, w->value, mask);
    hart_update_cbo(h);
}

CSR_GET(stvec)
{
    return h->csr.stvec;
}

CSR_SET(stvec)
{
    csr_write_tvec(&h->csr.stvec, w->value);
}

bool csr_atp_mode_ok(const struct hart *h, uint64_t value)
{
    unsigned mode = ATP_MODE(value);
    return mode == ATP_BARE || (mode >= ATP_SV39 && mode <= h->isa->cpu.satp_mode);
}

void csr_write_atp(struct hart *h, uint64_t *atp, uint64_t value)
{
    enum { ASID_SHIFT = 44 };
    unsigned missing = CPU_ASIDLEN - h->isa->cpu.asidlen;

    if (!csr_atp_mode_ok(h, value))
        return;
    *atp = value & ~((BIT(missing) - 1) << (ASID_SHIFT + CPU_ASIDLEN - missing));
    hart_update_context(h);
}

CSR_GET(satp)
{
    return h->csr.satp;
}

CSR_SET(satp)
{
    csr_write_atp(h, &h->csr.satp, w->value);
}
