/* SPDX-License-Identifier: MIT */
/* Hypervisor and virtual supervisor CSRs (Hypervisor, "Hypervisor and Virtual Supervisor CSRs"),
 * and hiwt of Xisthmus. */
#include "hart/aia.h"
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

/* Local interrupts that hvien may give to VS level have a bit of their own in hvip. */
static uint64_t hvip_local_mask(const struct hart *h)
{
    return cpu_has(&h->isa->cpu, EXT_SSAIA) ? IRQS_LOCAL : 0;
}

CSR_GET(hvip)
{
    return (__atomic_load_n(&h->csr.mip, __ATOMIC_RELAXED) & IRQS_VS) | h->csr.hvip_local;
}

CSR_SET(hvip)
{
    h->csr.hvip_local = w->value & hvip_local_mask(h);
    csr_change_mip(h, w, IRQS_VS, 0);
    hart_irq_changed(h);
}

/* Local interrupts can go on to VS level only where S level gets them. */
CSR_GET(hideleg)
{
    return h->csr.hideleg;
}

CSR_SET(hideleg)
{
    uint64_t local = (h->csr.mideleg | h->csr.mvien) & IRQS_LOCAL;

    h->csr.hideleg = w->value & (IRQS_VS | local);
    csr_look_for_interrupts(h);
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
    return aia_vsie(h);
}

/* A local interrupt's bit is that of sie where hideleg has it, else its own. */
CSR_SET(vsie)
{
    uint64_t hideleg = h->csr.hideleg, own = h->csr.hvien & ~hideleg;
    uint64_t lent = hideleg & IRQS_LOCAL, virtual = lent & ~h->csr.mideleg;

    h->csr.virtual_vsie = (h->csr.virtual_vsie & ~own) | (w->value & own);
    h->csr.virtual_sie = (h->csr.virtual_sie & ~virtual) | (w->value & virtual);
    csr_change_mie(h, w->value, lent & h->csr.mideleg, 0);
    csr_change_mie(h, w->value, hideleg & IRQS_VS, VS_SHIFT);
}

CSR_GET(vsip)
{
    return aia_vsip(h, hart_mip(h));
}

CSR_SET(vsip)
{
    uint64_t hideleg = h->csr.hideleg, own = h->csr.hvien & ~hideleg;

    h->csr.hvip_local = (h->csr.hvip_local & ~own) | (w->value & own);
    if (hideleg & IRQS_LOCAL)
        csr_write_sip(h, w, hideleg & IRQS_LOCAL);
    csr_change_mip(h, w, hideleg & BIT(IRQ_VSSI), VS_SHIFT);
}

/* --- Environment configuration and state enables --- */

/* Bits that are read-only zero in henvcfg while they are 0 in menvcfg. */
#define HENVCFG_LENT (ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE)

static uint64_t henvcfg_mask(const struct hart *h)
{
    return (csr_envcfg_mask(h) & ~HENVCFG_LENT) | (h->csr.menvcfg & HENVCFG_LENT);
}

CSR_GET(henvcfg)
{
    return h->csr.henvcfg & henvcfg_mask(h);
}

CSR_SET(henvcfg)
{
    uint64_t old = h->csr.henvcfg;

    h->csr.henvcfg = csr_envcfg_write(old, w->value, henvcfg_mask(h));
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
 * value. The root table is 16 KiB, so PPN[1:0] is zero. */
CSR_SET(hgatp)
{
    enum { MODE_SHIFT = 60, VMID_SHIFT = 44 };
    const uint64_t mode = UINT64_MAX << MODE_SHIFT;
    uint64_t vmid = (BIT(h->isa->cpu.vmidlen) - 1) << VMID_SHIFT;
    uint64_t value = w->value & (mode | vmid | (bits(UINT64_MAX, 43, 0) & ~UINT64_C(3)));

    if (!csr_atp_mode_ok(h, value))
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

    h->csr.vsstatus = w->value & csr_status_mask(h);
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
