/* SPDX-License-Identifier: MIT */
/* Hypervisor and virtual supervisor CSRs (Hypervisor, "Hypervisor and Virtual Supervisor CSRs"),
 * and hiwt of Xisthmus. */
#include "hart/csr_table.h"
#include "hart/window_env.h"
#include "xisthmus.h"

/* Bits of hgeip and hgeie that exist: GEILEN:1. */
static uint64_t guest_external_mask(const struct hart *h)
{
    return h->geilen ? bits(UINT64_MAX, h->geilen, 0) & ~UINT64_C(1) : 0;
}

/* --- hstatus --- */

CSR_GET(hstatus)
{
    return field_set(h->csr.hstatus, HSTATUS_VSXL, XL_64);
}

CSR_SET(hstatus)
{
    uint64_t mask = HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_HU | HSTATUS_VTVM |
                    HSTATUS_VTW | HSTATUS_VTSR;

    if (field_get(w->value, HSTATUS_VGEIN) <= h->geilen)
        mask |= HSTATUS_VGEIN;
    h->csr.hstatus = (h->csr.hstatus & ~mask) | (w->value & mask);
    hart_irq_changed(h);
}

/* --- Interrupts --- */

CSR_GET(hie)
{
    return h->csr.mie & IRQS_H;
}

CSR_SET(hie)
{
    csr_change_mie(h, w->value, IRQS_H, 0);
}

CSR_GET(hip)
{
    return hart_mip(h) & IRQS_H;
}

CSR_SET(hip)
{
    csr_change_mip(h, w, BIT(IRQ_VSSI), 0);
}

CSR_GET(hvip)
{
    return __atomic_load_n(&h->csr.mip, __ATOMIC_RELAXED) & IRQS_VS;
}

CSR_SET(hvip)
{
    csr_change_mip(h, w, IRQS_VS, 0);
}

CSR_GET(hgeip)
{
    return __atomic_load_n(&h->hgeip, __ATOMIC_RELAXED) & guest_external_mask(h);
}

CSR_GET(hgeie)
{
    return h->csr.hgeie;
}

CSR_SET(hgeie)
{
    h->csr.hgeie = w->value & guest_external_mask(h);
    hart_irq_changed(h);
}

/* VS-level interrupts are one number lower in vsie and vsip, and there only if hideleg says so. */
enum { VS_SHIFT = 1 };

CSR_GET(vsie)
{
    return (h->csr.mie & h->csr.hideleg) >> VS_SHIFT;
}

CSR_SET(vsie)
{
    csr_change_mie(h, w->value, h->csr.hideleg, VS_SHIFT);
}

CSR_GET(vsip)
{
    return (hart_mip(h) & h->csr.hideleg) >> VS_SHIFT;
}

CSR_SET(vsip)
{
    csr_change_mip(h, w, h->csr.hideleg & BIT(IRQ_VSSI), VS_SHIFT);
}

/* --- Environment configuration and state enables --- */

/* Bits that are read-only zero in henvcfg while they are 0 in menvcfg. */
#define HENVCFG_LENT (ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE)

static uint64_t henvcfg_mask(const struct hart *h)
{
    return ENVCFG_FIOM | (h->csr.menvcfg & HENVCFG_LENT);
}

CSR_GET(henvcfg)
{
    return h->csr.henvcfg & henvcfg_mask(h);
}

CSR_SET(henvcfg)
{
    uint64_t mask = henvcfg_mask(h), old = h->csr.henvcfg;

    h->csr.henvcfg = (old & ~mask) | (w->value & mask);
    csr_envcfg_changed(h, old ^ h->csr.henvcfg);
}

CSR_GET(hstateen)
{
    unsigned n = row->number & 3;
    return h->csr.hstateen[n] & h->csr.mstateen[n];
}

CSR_SET(hstateen)
{
    unsigned n = row->number & 3;
    uint64_t mask = h->csr.mstateen[n];

    h->csr.hstateen[n] = (h->csr.hstateen[n] & ~mask) | (w->value & mask);
}

/* --- Translation --- */

CSR_GET(hgatp)
{
    return h->csr.hgatp;
}

/* Unlike satp's, an unsupported MODE does not stop the write of the other fields: MODE keeps its
 * value. VMIDLEN is 14; the root table is 16 KiB, so PPN[1:0] is zero. */
CSR_SET(hgatp)
{
    enum { MODE_SHIFT = 60 };
    const uint64_t mode = UINT64_MAX << MODE_SHIFT;
    uint64_t value = w->value & ~(BIT(59) | BIT(58) | BIT(1) | BIT(0));

    if (!csr_atp_mode_ok(value))
        value = (h->csr.hgatp & mode) | (value & ~mode);
    h->csr.hgatp = value;
    hart_update_context(h);
}

CSR_GET(vsatp)
{
    return h->csr.vsatp;
}

CSR_SET(vsatp)
{
    csr_write_atp(h, &h->csr.vsatp, w->value);
}

/* --- The rest of VS level --- */

CSR_GET(vsstatus)
{
    return csr_show_status(h->csr.vsstatus);
}

CSR_SET(vsstatus)
{
    uint64_t old = h->csr.vsstatus;

    h->csr.vsstatus = w->value & SSTATUS_MASK;
    csr_status_changed(h, old ^ h->csr.vsstatus);
}

CSR_GET(vstvec)
{
    return h->csr.vstvec;
}

CSR_SET(vstvec)
{
    csr_write_tvec(&h->csr.vstvec, w->value);
}

/* --- Xisthmus --- */

CSR_GET(hiwt)
{
    return h->csr.hiwt;
}

CSR_SET(hiwt)
{
    hart_set_hiwt(h, w->value);
}
