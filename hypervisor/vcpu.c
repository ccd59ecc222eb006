/* SPDX-License-Identifier: MIT */
#include "vcpu.h"
#include "csr.h"
#include "string.h"

void fp_save(uint64_t *fregs);
void fp_load(const uint64_t *fregs);
void fp_save_single(uint64_t *fregs);
void fp_load_single(const uint64_t *fregs);

/* The VS-level registers that are moved as they are. */
#define FOR_EACH_CSR(X)                                                                            \
    X(sepc, CSR_SEPC)                                                                              \
    X(hstatus, CSR_HSTATUS)                                                                        \
    X(vsstatus, CSR_VSSTATUS)                                                                      \
    X(vstvec, CSR_VSTVEC)                                                                          \
    X(vsscratch, CSR_VSSCRATCH)                                                                    \
    X(vsepc, CSR_VSEPC)                                                                            \
    X(vscause, CSR_VSCAUSE)                                                                        \
    X(vstval, CSR_VSTVAL)                                                                          \
    X(vsatp, CSR_VSATP)                                                                            \
    X(senvcfg, CSR_SENVCFG)                                                                        \
    X(scounteren, CSR_SCOUNTEREN)

void vcpu_reset(struct vcpu *v, uint64_t pc, uint64_t arg)
{
    memset(v->regs, 0, sizeof(v->regs));
    memset(v->fregs, 0, sizeof(v->fregs));
    v->regs[REG_A0] = v->id;
    v->regs[REG_A1] = arg;
    v->fcsr = 0;
    v->hart = NULL;
    v->requests = 0;
    v->timer = NEVER;
    v->sepc = pc;
    v->sstatus = (csr_read(CSR_SSTATUS) & ~(uint64_t)(SSTATUS_FS | SSTATUS_SPIE | SSTATUS_SIE)) |
                 SSTATUS_SPP | SSTATUS_FS_CLEAN;
    v->hstatus = csr_read(CSR_HSTATUS) | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VTW;
    v->hvip = v->external ? 1ull << IRQ_VSEI : 0;
    v->vsstatus = 2ull << 32; /* UXL: 64 bits */
    v->vsie = v->vstvec = v->vsscratch = v->vsepc = v->vscause = v->vstval = v->vsatp = 0;
    v->vstimecmp = NEVER;
    v->senvcfg = 0;
    v->scounteren = 7;
}

void vcpu_save(struct vcpu *v)
{
    v->sstatus = csr_read(CSR_SSTATUS);
    v->hvip = csr_read(CSR_HVIP);
    v->vsie = csr_read(CSR_VSIE);
#define SAVE(field, csr) v->field = csr_read(csr);
    FOR_EACH_CSR(SAVE)
#undef SAVE
    if (v->vm->hv->has_sstc)
        v->vstimecmp = csr_read(CSR_VSTIMECMP);
    if ((v->sstatus & SSTATUS_FS) == SSTATUS_FS) {
        (v->vm->hv->flen == 64 ? fp_save : fp_save_single)(v->fregs);
        v->sstatus = (v->sstatus & ~(uint64_t)SSTATUS_FS) | SSTATUS_FS_CLEAN;
    }
}

/* TLB entries are tagged by VMID and ASID, and an ASID belongs to a hart: entries that another vCPU
   of the guest left here, or that this one left when it was here before, may be stale. */
static void drop_foreign_translations(struct vcpu *v, struct hart *hart, struct hart *last)
{
    struct vm *vm = v->vm;

    if (hart->hv->flush_on_switch)
        __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" ::: "memory"); /* hfence.gvma */
    if (last != hart || vm->last_on[hart->index] != v) {
        __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" ::: "memory"); /* hfence.vvma */
        __asm__ volatile("fence.i" ::: "memory");
        vm->last_on[hart->index] = v;
    }
}

void vcpu_load(struct vcpu *v, struct hart *hart)
{
    struct hart *last = v->hart;

    v->hart = hart;
    hart->current = v;
    csr_write(CSR_HVIP, v->hvip);
    csr_write(CSR_VSIE, v->vsie);
    if (hart->loaded == v && last == hart) {
        /* Only WFI came between. */
        csr_write(CSR_SEPC, v->sepc);
        csr_write(CSR_HSTATUS, v->hstatus);
        csr_write(CSR_SSTATUS, v->sstatus);
        return;
    }
    hart->loaded = v;
    __atomic_fetch_or(&v->vm->ran_on, 1ull << hart->index, __ATOMIC_SEQ_CST);
    csr_write(CSR_HGATP, v->vm->gstage.hgatp);
    drop_foreign_translations(v, hart, last);
#define LOAD(field, csr) csr_write(csr, v->field);
    FOR_EACH_CSR(LOAD)
#undef LOAD
    if (hart->hv->has_sstc)
        csr_write(CSR_VSTIMECMP, v->vstimecmp);
    if (hart->hv->flen) {
        csr_set(CSR_SSTATUS, SSTATUS_FS);
        (hart->hv->flen == 64 ? fp_load : fp_load_single)(v->fregs);
    }
    csr_write(CSR_SSTATUS, v->sstatus);
}

uint64_t vcpu_deadline(const struct hv *hv, const struct vcpu *v)
{
    return hv->has_sstc ? v->vstimecmp : v->timer;
}

bool vcpu_has_interrupt(const struct hv *hv, const struct vcpu *v, uint64_t now)
{
    uint64_t pending = v->hvip;

    if (vcpu_deadline(hv, v) <= now)
        pending |= 1ull << IRQ_VSTI;
    return pending & v->vsie << 1; /* vsie holds the VS-level interrupts one bit lower */
}

void vcpu_show_external(const struct vcpu *v)
{
    if (__atomic_load_n(&v->external, __ATOMIC_SEQ_CST))
        csr_set(CSR_HVIP, 1ull << IRQ_VSEI);
    else
        csr_clear(CSR_HVIP, 1ull << IRQ_VSEI);
}

void vcpu_raise(uint64_t cause, uint64_t tval)
{
    uint64_t vsstatus = csr_read(CSR_VSSTATUS);
    uint64_t spp = csr_read(CSR_SSTATUS) & SSTATUS_SPP;
    uint64_t spie = vsstatus & SSTATUS_SIE ? SSTATUS_SPIE : 0;

    csr_write(CSR_VSEPC, csr_read(CSR_SEPC));
    csr_write(CSR_VSCAUSE, cause);
    csr_write(CSR_VSTVAL, tval);
    vsstatus &= ~(uint64_t)(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    csr_write(CSR_VSSTATUS, vsstatus | spp | spie);
    csr_write(CSR_SEPC, csr_read(CSR_VSTVEC) & ~3ull);
    csr_set(CSR_SSTATUS, SSTATUS_SPP);
}
