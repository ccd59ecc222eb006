/* SPDX-License-Identifier: MIT */
/* Supervisor-level CSRs: views of the machine-level ones (Privileged, "Supervisor-Level ISA"). */
#include "hart/csr_table.h"

CSR_GET(sstatus)
{
    return csr_show_status(h->csr.mstatus & SSTATUS_MASK);
}

CSR_SET(sstatus)
{
    uint64_t old = h->csr.mstatus;

    h->csr.mstatus = (old & ~SSTATUS_MASK) | (w->value & SSTATUS_MASK);
    csr_status_changed(h, old ^ h->csr.mstatus);
}

/* sie and sip show the interrupts that mideleg gives to supervisor level, VS-level ones excluded:
 * those are in hie and hip. */
static uint64_t delegated(const struct hart *h)
{
    return h->csr.mideleg & IRQS_S;
}

CSR_GET(sie)
{
    return h->csr.mie & delegated(h);
}

CSR_SET(sie)
{
    csr_change_mie(h, w->value, delegated(h), 0);
}

CSR_GET(sip)
{
    return hart_mip(h) & delegated(h);
}

CSR_SET(sip)
{
    csr_change_mip(h, w, delegated(h) & BIT(IRQ_SSI), 0);
}

CSR_GET(stvec)
{
    return h->csr.stvec;
}

CSR_SET(stvec)
{
    csr_write_tvec(&h->csr.stvec, w->value);
}

bool csr_atp_mode_ok(uint64_t value)
{
    unsigned mode = ATP_MODE(value);
    return mode == ATP_BARE || mode == ATP_SV39 || mode == ATP_SV48 || mode == ATP_SV57;
}

void csr_write_atp(struct hart *h, uint64_t *atp, uint64_t value)
{
    if (!csr_atp_mode_ok(value))
        return;
    *atp = value;
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
