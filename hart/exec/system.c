/* SPDX-License-Identifier: MIT */
/*
 * Environment calls, returns, WFI, fences of translation and code, and the hypervisor's loads and
 * stores, each with its rules of privilege (Privileged, "Machine-Mode Privileged Instructions",
 * "Supervisor Instructions", Svinval; Hypervisor, "Hypervisor Instructions" and, for which of the
 * two exceptions is raised, "Trap Cause Codes").
 */
#include "hart/exec/exec.h"
#include "hart/csr.h"

/* Refuse op: virtual-instruction where V=1, else illegal-instruction. */
static const struct op *refuse(struct hart *h, const struct op *op)
{
    return h->v ? hart_virtual(h, op) : hart_illegal(h, op);
}

/* What a supervisor instruction needs: not user mode, and where it can be trapped not the bit of
 * mstatus in HS-mode, nor that of hstatus in VS-mode. */
static bool supervisor_may(const struct hart *h, uint64_t mstatus_bit, uint64_t hstatus_bit)
{
    if (h->priv == PRV_M)
        return true;
    if (h->priv == PRV_U)
        return false;
    return h->v ? !(h->csr.hstatus & hstatus_bit) : !(h->csr.mstatus & mstatus_bit);
}

/* What a hypervisor instruction needs: M-mode, or HS-mode without the bit of mstatus. */
static bool hypervisor_may(const struct hart *h, uint64_t mstatus_bit)
{
    return h->priv == PRV_M || (h->priv == PRV_S && !h->v && !(h->csr.mstatus & mstatus_bit));
}

/* --- Calls and returns --- */

EXEC(ecall)
{
    static const uint8_t v0[] = {
        [PRV_U] = EXC_ECALL_U, [PRV_S] = EXC_ECALL_S, [PRV_M] = EXC_ECALL_M};
    static const uint8_t v1[] = {[PRV_U] = EXC_ECALL_U, [PRV_S] = EXC_ECALL_VS};

    return hart_raise(h, op, h->v ? v1[h->priv] : v0[h->priv], 0);
}

EXEC(ebreak)
{
    return hart_raise(h, op, EXC_BREAKPOINT, hart_pc(h, op));
}

EXEC(mret)
{
    if (h->priv != PRV_M)
        return hart_illegal(h, op);
    hart_mret(h);
    return NULL;
}

EXEC(sret)
{
    if (!supervisor_may(h, MSTATUS_TSR, HSTATUS_VTSR))
        return refuse(h, op);
    hart_sret(h);
    return NULL;
}

/* With TW or VTW the time limit is zero: they trap always. Likewise in user mode. */
EXEC(wfi)
{
    if (h->priv < PRV_M && (h->csr.mstatus & MSTATUS_TW))
        return hart_illegal(h, op);
    if (!supervisor_may(h, 0, HSTATUS_VTW))
        return refuse(h, op);
    h->pc = hart_pc(h, op) + op->len;
    h->waiting = true;
    return NULL;
}

/* --- Fences --- */

EXEC(fence_i)
{
    mmu_fence_i(&h->mmu, h->xbank);
    NEXT;
}

/* Operand rs2 as an ASID or VMID of n bits, in *id; NULL, for all, where it is x0. */
static const unsigned *identifier(const struct hart *h, const struct op *op, unsigned n,
                                  unsigned *id)
{
    *id = RS2 & (BIT(n) - 1);
    return op->rs2 ? id : NULL;
}

/* First-stage fence: of the current machine (SFENCE.VMA) or of the guest that hgatp names. */
static void fence_first_stage(struct hart *h, const struct op *op, bool of_guest)
{
    unsigned asid, vmid = HGATP_VMID(h->csr.hgatp);

    mmu_fence_vma(&h->mmu, op->rs1 ? &RS1 : NULL, identifier(h, op, h->isa->cpu.asidlen, &asid),
                  of_guest ? &vmid : NULL);
}

static const struct op *sfence(struct hart *h, const struct op *op)
{
    if (!supervisor_may(h, MSTATUS_TVM, HSTATUS_VTVM))
        return refuse(h, op);
    fence_first_stage(h, op, h->v);
    NEXT;
}

static const struct op *hfence_vs_stage(struct hart *h, const struct op *op)
{
    if (!hypervisor_may(h, 0))
        return refuse(h, op);
    fence_first_stage(h, op, true);
    NEXT;
}

static const struct op *hfence_g_stage(struct hart *h, const struct op *op)
{
    unsigned vmid;
    uint64_t gpa = RS1 << 2;

    if (!hypervisor_may(h, MSTATUS_TVM))
        return refuse(h, op);
    mmu_fence_gvma(&h->mmu, op->rs1 ? &gpa : NULL, identifier(h, op, h->isa->cpu.vmidlen, &vmid));
    NEXT;
}

EXEC(sfence_vma)
{
    return sfence(h, op);
}

EXEC(hfence_vvma)
{
    return hfence_vs_stage(h, op);
}

EXEC(hfence_gvma)
{
    return hfence_g_stage(h, op);
}

/* Svinval: SINVAL and HINVAL do all of the work at once, which leaves none for the two fences. */
EXEC(sinval_vma)
{
    return sfence(h, op);
}

EXEC(hinval_vvma)
{
    return hfence_vs_stage(h, op);
}

EXEC(hinval_gvma)
{
    return hfence_g_stage(h, op);
}

EXEC(sfence_w_inval)
{
    if (!supervisor_may(h, 0, 0))
        return refuse(h, op);
    NEXT;
}

EXEC(sfence_inval_ir)
{
    if (!supervisor_may(h, 0, 0))
        return refuse(h, op);
    NEXT;
}

/* --- Virtual-machine loads and stores: as in VS-mode or VU-mode, as hstatus.SPVP says --- */

static bool vm_access_may(const struct hart *h)
{
    return hypervisor_may(h, 0) || (!h->v && (h->csr.hstatus & HSTATUS_HU));
}

static struct mmu_ctx vm_context(const struct hart *h)
{
    return hart_context(h, h->csr.hstatus & HSTATUS_SPVP ? PRV_S : PRV_U, true);
}

/* Load size bytes at rs1, zero-extended. Result: true; or false with *next, what the exec function
 * returns. */
static bool vm_load(struct hart *h, const struct op *op, unsigned size, uint64_t *value,
                    const struct op **next)
{
    struct mmu_ctx ctx;
    struct mmu_fault fault;

    if (!vm_access_may(h)) {
        *next = refuse(h, op);
        return false;
    }
    ctx = vm_context(h);
    if (mmu_load(&h->mmu, mmu_bank(&h->mmu, &ctx), RS1, size, value, &fault))
        return true;
    *next = hart_raise_fault(h, op, &fault, RS1, true);
    return false;
}

static bool vm_load_exec(struct hart *h, const struct op *op, unsigned size, uint64_t *value,
                         const struct op **next)
{
    struct mmu_ctx ctx;
    struct mmu_fault fault;

    if (!vm_access_may(h)) {
        *next = refuse(h, op);
        return false;
    }
    ctx = vm_context(h);
    if (mmu_hlvx(&h->mmu, &ctx, RS1, size, value, &fault))
        return true;
    *next = hart_raise_fault(h, op, &fault, RS1, true);
    return false;
}

#define HLV(id, load, type)                                                                        \
    EXEC(id)                                                                                       \
    {                                                                                              \
        const struct op *next;                                                                     \
        uint64_t value;                                                                            \
                                                                                                   \
        if (!load(h, op, sizeof(type), &value, &next))                                             \
            return next;                                                                           \
        RD = (int64_t)(type)value;                                                                 \
        NEXT;                                                                                      \
    }

HLV(hlv_b, vm_load, int8_t)
HLV(hlv_bu, vm_load, uint8_t)
HLV(hlv_h, vm_load, int16_t)
HLV(hlv_hu, vm_load, uint16_t)
HLV(hlvx_hu, vm_load_exec, uint16_t)
HLV(hlv_w, vm_load, int32_t)
HLV(hlv_wu, vm_load, uint32_t)
HLV(hlvx_wu, vm_load_exec, uint32_t)
HLV(hlv_d, vm_load, uint64_t)

static const struct op *vm_store(struct hart *h, const struct op *op, unsigned size)
{
    struct mmu_ctx ctx;
    struct mmu_fault fault;

    if (!vm_access_may(h))
        return refuse(h, op);
    ctx = vm_context(h);
    if (!mmu_store(&h->mmu, mmu_bank(&h->mmu, &ctx), RS1, size, RS2, &fault))
        return hart_raise_fault(h, op, &fault, RS1, true);
    NEXT;
}

EXEC(hsv_b)
{
    return vm_store(h, op, 1);
}

EXEC(hsv_h)
{
    return vm_store(h, op, 2);
}

EXEC(hsv_w)
{
    return vm_store(h, op, 4);
}

EXEC(hsv_d)
{
    return vm_store(h, op, 8);
}
