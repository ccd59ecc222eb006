/* SPDX-License-Identifier: MIT */
/*
 * Which translation context the hart is in (mmu.h), and what else its fast paths keep of its CSRs.
 *
 * Two states of a hart that translate alike must give the same context, or they would not share a
 * bank: what cannot matter is left out. SUM matters to S-mode only, SUM and MXR to loads and stores
 * only, and nothing but privilege to M-mode.
 */
#include "hart/csr.h"

static unsigned fs_of(uint64_t status)
{
    return field_get(status, MSTATUS_FS);
}

/* The first- and second-stage roots, without SUM and MXR: all that fetches depend on. */
static struct mmu_ctx fetch_context(const struct hart *h, unsigned priv, bool v)
{
    struct mmu_ctx ctx = {.mode = priv};

    if (priv == PRV_M)
        return ctx;
    ctx.atp = v ? h->csr.vsatp : h->csr.satp;
    if (ATP_MODE(ctx.atp) == ATP_BARE)
        ctx.atp = 0;
    if (v) {
        ctx.gatp = h->csr.hgatp;
        ctx.mode |= CTX_V;
    }
    return ctx;
}

/* What loads and stores depend on besides. */
static uint32_t data_bits(const struct hart *h, unsigned priv, bool v)
{
    uint64_t mstatus = h->csr.mstatus, status = v ? h->csr.vsstatus : mstatus;
    uint32_t data = 0;

    if (priv == PRV_M)
        return 0;
    if (priv == PRV_S && (status & MSTATUS_SUM))
        data |= CTX_SUM;
    if (mstatus & MSTATUS_MXR)
        data |= CTX_MXR;
    else if (v && (status & MSTATUS_MXR))
        data |= CTX_VMXR;
    return data;
}

struct mmu_ctx hart_context(const struct hart *h, unsigned priv, bool v)
{
    struct mmu_ctx ctx = fetch_context(h, priv, v);

    ctx.mode |= data_bits(h, priv, v);
    return ctx;
}

bool hart_cbo_enabled(const struct hart *h, uint64_t field, bool *is_virtual)
{
    const struct csrs *c = &h->csr;
    bool user = h->priv == PRV_U;

    *is_virtual = false;
    if (h->priv == PRV_M)
        return true;
    if (!(c->menvcfg & field) || (user && !h->v && !(c->senvcfg & field)))
        return false;
    *is_virtual = h->v && (!(c->henvcfg & field) || (user && !(c->senvcfg & field)));
    return !*is_virtual;
}

void hart_update_cbo(struct hart *h)
{
    bool is_virtual;

    h->may_zero = hart_cbo_enabled(h, ENVCFG_CBZE, &is_virtual);
}

/* The current banks are asked for anew each time, so that the MMU knows them in use. */
void hart_update_context(struct hart *h)
{
    uint64_t mstatus = h->csr.mstatus;
    struct mmu_ctx ctx = fetch_context(h, h->priv, h->v);
    uint32_t data = data_bits(h, h->priv, h->v);
    const struct tlb_bank *before = h->xbank;

    h->xbank = h->dbank = mmu_bank(&h->mmu, &ctx);
    if (mstatus & MSTATUS_MPRV) {
        unsigned mpp = field_get(mstatus, MSTATUS_MPP);
        ctx = hart_context(h, mpp, mpp != PRV_M && (mstatus & MSTATUS_MPV));
        h->dbank = mmu_bank(&h->mmu, &ctx);
    } else if (data) {
        ctx.mode |= data;
        h->dbank = mmu_bank(&h->mmu, &ctx);
    }

    h->mmu.counters.bank_switches += h->xbank != before;
    hart_update_cbo(h);

    h->fp_on = fs_of(mstatus) != FS_OFF && (!h->v || fs_of(h->csr.vsstatus) != FS_OFF);
    h->fp_dirty = fs_of(mstatus) == FS_DIRTY && (!h->v || fs_of(h->csr.vsstatus) == FS_DIRTY);
}
