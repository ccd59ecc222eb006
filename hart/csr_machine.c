/* SPDX-License-Identifier: MIT */
/* Machine-level CSRs, and the unprivileged ones (Privileged, "Machine-Level ISA"). */
#include "hart/csr_table.h"
#include "hart/hpm.h"
#include "hart/window_env.h"
#include "hart/exec/fp.h"

/* --- Floating point (Unprivileged, "Floating-Point Control and Status Register"); fflags is up to
 * date here: the CSR instructions have collected what the host's FPU held --- */

enum { FFLAGS_MASK = 0x1f, FRM_SHIFT = 5, FRM_MASK = 7 };

CSR_GET(fflags)
{
    return h->fflags;
}

CSR_SET(fflags)
{
    h->fflags = w->value & FFLAGS_MASK;
    hart_fp_mark_dirty(h);
}

CSR_GET(frm)
{
    return h->frm;
}

CSR_SET(frm)
{
    h->frm = w->value & FRM_MASK;
    hart_fp_mark_dirty(h);
}

CSR_GET(fcsr)
{
    return csr_get_fflags(h, row, retired) | (uint64_t)h->frm << FRM_SHIFT;
}

CSR_SET(fcsr)
{
    csr_set_fflags(h, row, w);
    h->frm = w->value >> FRM_SHIFT & FRM_MASK;
}

/* --- Counters: a cycle an instruction (Privileged, "Hardware Performance Monitor") --- */

static uint64_t counter_get(const struct hart *h, uint64_t base, uint64_t bit, uint64_t retired)
{
    return h->csr.mcountinhibit & bit ? base : base + retired;
}

/* The base with which the counter shows value when `retired` instructions have retired. */
static uint64_t counter_base(const struct hart *h, uint64_t value, uint64_t bit, uint64_t retired)
{
    return h->csr.mcountinhibit & bit ? value : value - retired;
}

CSR_GET(mcycle)
{
    return counter_get(h, h->csr.mcycle_base, COUNTER_CY, retired);
}

CSR_SET(mcycle)
{
    h->csr.mcycle_base = counter_base(h, w->value, COUNTER_CY, w->retired);
}

CSR_GET(minstret)
{
    return counter_get(h, h->csr.minstret_base, COUNTER_IR, retired);
}

CSR_SET(minstret)
{
    h->csr.minstret_base = counter_base(h, w->value, COUNTER_IR, w->retired);
}

CSR_GET(cycle)
{
    return csr_get_mcycle(h, row, retired);
}

CSR_GET(instret)
{
    return csr_get_minstret(h, row, retired);
}

CSR_GET(time)
{
    return hart_time(h) + (h->v ? h->csr.htimedelta : 0);
}

CSR_GET(mcountinhibit)
{
    return h->csr.mcountinhibit;
}

CSR_SET(mcountinhibit)
{
    uint64_t cycle = csr_get_mcycle(h, row, w->retired);
    uint64_t instret = csr_get_minstret(h, row, w->retired);

    hpm_hold_at(h, w->retired);
    h->csr.mcountinhibit = w->value & (COUNTER_CY | COUNTER_IR | HPM_MASK);
    hpm_go_on(h, w->retired);
    h->csr.mcycle_base = counter_base(h, cycle, COUNTER_CY, w->retired);
    h->csr.minstret_base = counter_base(h, instret, COUNTER_IR, w->retired);
}

/* --- Status --- */

uint64_t csr_show_status(uint64_t status)
{
    bool dirty = field_get(status, MSTATUS_FS) == FS_DIRTY;

    status = field_set(status, MSTATUS_UXL, XL_64);
    return dirty ? status | MSTATUS_SD : status;
}

CSR_GET(mstatus)
{
    return field_set(csr_show_status(h->csr.mstatus), MSTATUS_SXL, XL_64);
}

uint64_t csr_status_mask(const struct hart *h)
{
    return cpu_has(&h->isa->cpu, EXT_F) ? SSTATUS_MASK : SSTATUS_MASK & ~MSTATUS_FS;
}

static uint64_t mstatus_mask(const struct hart *h)
{
    uint64_t mask = csr_status_mask(h) | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV |
                    MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;

    return cpu_has(&h->isa->cpu, EXT_H) ? mask | MSTATUS_GVA | MSTATUS_MPV : mask;
}

CSR_SET(mstatus)
{
    enum { MPP_RESERVED = 2 };
    uint64_t mask = mstatus_mask(h), old = h->csr.mstatus;

    if (field_get(w->value, MSTATUS_MPP) == MPP_RESERVED)
        mask &= ~MSTATUS_MPP;
    h->csr.mstatus = (old & ~mask) | (w->value & mask);
    csr_status_changed(h, old ^ h->csr.mstatus);
}

void csr_status_changed(struct hart *h, uint64_t changed)
{
    if (changed &
        (MSTATUS_MPRV | MSTATUS_MPP | MSTATUS_MPV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_FS))
        hart_update_context(h);
    if (changed & (MSTATUS_MIE | MSTATUS_SIE))
        hart_irq_changed(h);
}

void csr_write_tvec(uint64_t *tvec, uint64_t value)
{
    enum { MODE_VECTORED = 1, MODE_MASK = 3 };

    if ((value & MODE_MASK) <= MODE_VECTORED)
        *tvec = value;
}

CSR_GET(mtvec)
{
    return h->csr.mtvec;
}

CSR_SET(mtvec)
{
    csr_write_tvec(&h->csr.mtvec, w->value);
}

/* RV64, S and U, and the single-letter extensions. */
CSR_GET(misa)
{
    static const struct {
        char letter;
        uint8_t ext;
    } letters[] = {{'A', EXT_A}, {'C', EXT_C}, {'D', EXT_D}, {'F', EXT_F},
                   {'H', EXT_H}, {'I', EXT_I}, {'M', EXT_M}};
    uint64_t misa = UINT64_C(2) << 62 | BIT('S' - 'A') | BIT('U' - 'A');

    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++)
        if (cpu_has(&h->isa->cpu, letters[i].ext))
            misa |= BIT(letters[i].letter - 'A');
    return misa;
}

CSR_GET(mhartid)
{
    return h->hartid;
}

/* --- Interrupts --- */

/* VS-level interrupts and SGEI are always delegated past M-mode (Hypervisor, "Machine Interrupt
 * Delegation Register"). */
CSR_GET(mideleg)
{
    return h->csr.mideleg;
}

uint64_t csr_delegable(const struct hart *h)
{
    return cpu_has(&h->isa->cpu, EXT_SSCOFPMF) ? IRQS_S | BIT(IRQ_LCOF) : IRQS_S;
}

CSR_SET(mideleg)
{
    h->csr.mideleg = w->value & csr_delegable(h);
    if (cpu_has(&h->isa->cpu, EXT_H))
        h->csr.mideleg |= IRQS_H;
    h->csr.hideleg &= IRQS_VS | h->csr.mideleg | h->csr.mvien;
    hart_irq_changed(h);
}

CSR_GET(medeleg)
{
    return h->csr.medeleg;
}

/* Of what H adds there is nothing without it. */
CSR_SET(medeleg)
{
    const uint64_t hypervisor = BIT(EXC_ECALL_VS) | BIT(EXC_FETCH_GUEST_PAGE) |
                                BIT(EXC_LOAD_GUEST_PAGE) | BIT(EXC_VIRTUAL) |
                                BIT(EXC_STORE_GUEST_PAGE);

    h->csr.medeleg = w->value & MEDELEG_MASK;
    if (!cpu_has(&h->isa->cpu, EXT_H))
        h->csr.medeleg &= ~hypervisor;
}

void csr_change_mip(struct hart *h, const struct csr_write *w, uint64_t may, unsigned shift)
{
    uint64_t named = w->bits << shift & may, value = w->value << shift;

    if (named & ~value)
        __atomic_fetch_and(&h->csr.mip, ~(named & ~value), __ATOMIC_SEQ_CST);
    if (named & value) {
        __atomic_fetch_or(&h->csr.mip, named & value, __ATOMIC_SEQ_CST);
        hart_irq_changed(h);
    }
}

void csr_change_mie(struct hart *h, uint64_t value, uint64_t may, unsigned shift)
{
    uint64_t old = h->csr.mie;

    h->csr.mie = (old & ~may) | (value << shift & may);
    if (h->csr.mie & ~old & IRQS_TIMERS)
        csr_look_for_interrupts(h);
    else
        hart_irq_changed(h);
}

CSR_GET(mie)
{
    return h->csr.mie;
}

CSR_SET(mie)
{
    uint64_t may = IRQS_M | csr_delegable(h);

    csr_change_mie(h, w->value, cpu_has(&h->isa->cpu, EXT_H) ? may | IRQS_H : may, 0);
}

CSR_GET(mip)
{
    return hart_mip(h);
}

/* Of csrrs and csrrc, SEIP's line is no part of what is written: only the bits named change
 * (Privileged, "Machine Interrupt Registers"). STIP is the timer's while stimecmp is in use. */
CSR_SET(mip)
{
    uint64_t may = BIT(IRQ_SSI) | BIT(IRQ_VSSI) | (csr_delegable(h) & IRQS_LOCAL);

    if (!(h->csr.mvien & BIT(IRQ_SEI)))
        may |= BIT(IRQ_SEI);
    if (!(h->csr.menvcfg & ENVCFG_STCE))
        may |= BIT(IRQ_STI);
    csr_change_mip(h, w, may, 0);
}

/* --- Environment configuration and state enables --- */

uint64_t csr_envcfg_mask(const struct hart *h)
{
    static const struct {
        uint64_t bits;
        uint8_t ext;
    } table[] = {
        {ENVCFG_CBIE | ENVCFG_CBCFE, EXT_ZICBOM}, {ENVCFG_CBZE, EXT_ZICBOZ},
        {ENVCFG_ADUE, EXT_SVADU},                 {ENVCFG_PBMTE, EXT_SVPBMT},
        {ENVCFG_STCE, EXT_SSTC},
    };
    uint64_t mask = ENVCFG_FIOM;

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (cpu_has(&h->isa->cpu, table[i].ext))
            mask |= table[i].bits;
    return mask;
}

/* CBIE keeps its value where the one written is reserved. */
uint64_t csr_envcfg_write(uint64_t old, uint64_t value, uint64_t mask)
{
    if (field_get(value, ENVCFG_CBIE) == CBIE_RESERVED)
        mask &= ~ENVCFG_CBIE;
    return (old & ~mask) | (value & mask);
}

CSR_GET(menvcfg)
{
    return h->csr.menvcfg;
}

CSR_SET(menvcfg)
{
    uint64_t old = h->csr.menvcfg;

    h->csr.menvcfg = csr_envcfg_write(old, w->value, csr_envcfg_mask(h));
    csr_envcfg_changed(h, old ^ h->csr.menvcfg);
}

void csr_envcfg_changed(struct hart *h, uint64_t changed)
{
    uint64_t menvcfg = h->csr.menvcfg, henvcfg = h->csr.henvcfg & menvcfg;

    h->mmu.adue = menvcfg & ENVCFG_ADUE;
    h->mmu.pbmte = menvcfg & ENVCFG_PBMTE;
    h->mmu.vadue = henvcfg & ENVCFG_ADUE;
    h->mmu.vpbmte = henvcfg & ENVCFG_PBMTE;
    hart_update_cbo(h);
    if (changed & ENVCFG_STCE)
        csr_look_for_interrupts(h);
}

uint64_t csr_stateen_mask(const struct hart *h, unsigned n)
{
    uint64_t mask = STATEEN_SE;

    if (n == 0)
        mask |= STATEEN0_ENVCFG;
    if (n == 0 && cpu_has(&h->isa->cpu, EXT_SSAIA))
        mask |= STATEEN0_CSRIND | STATEEN0_AIA;
    if (n == 0 && h->imsic)
        mask |= STATEEN0_IMSIC;
    return mask;
}

CSR_GET(mstateen)
{
    return h->csr.mstateen[row->number & 3];
}

CSR_SET(mstateen)
{
    unsigned n = row->number & 3;
    h->csr.mstateen[n] = w->value & csr_stateen_mask(h, n);
}

/* --- Physical memory protection --- */

enum { CFGS_PER_CSR = 8 };

/* pmpcfg0 has entries 0 to 7, pmpcfg2 8 to 15. */
static unsigned first_entry(const struct csr_row *row)
{
    return (row->number - CSR_pmpcfg0) / 2 * CFGS_PER_CSR;
}

CSR_GET(pmpcfg)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < CFGS_PER_CSR; i++)
        v |= (uint64_t)h->mmu.pmpcfg[first_entry(row) + i] << 8 * i;
    return v;
}

CSR_SET(pmpcfg)
{
    for (unsigned i = 0; i < CFGS_PER_CSR; i++)
        pmp_write_cfg(&h->mmu, first_entry(row) + i, w->value >> 8 * i);
    hart_flush_windows(h);
}

CSR_GET(pmpaddr)
{
    return h->mmu.pmpaddr[row->number - CSR_pmpaddr0];
}

CSR_SET(pmpaddr)
{
    pmp_write_addr(&h->mmu, row->number - CSR_pmpaddr0, w->value);
    hart_flush_windows(h);
}
