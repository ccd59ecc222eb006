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

struct mmu_ctx hart_context(const struct hart *h, unsigned priv, bool v)
{
    struct mmu_ctx ctx = fetch_context(h, priv, v);
    uint64_t status = v ? h->csr.vsstatus : h->csr.mstatus;

    if (priv == PRV_M)
        return ctx;
    if (priv == PRV_S && (status & MSTATUS_SUM))
        ctx.mode |= CTX_SUM;
    if (h->csr.mstatus & MSTATUS_MXR)
        ctx.mode |= CTX_MXR;
    else if (v && (status & MSTATUS_MXR))
        ctx.mode |= CTX_VMXR;
    return ctx;
}

void hart_update_context(struct hart *h)
{
    uint64_t mstatus = h->csr.mstatus;
    struct mmu_ctx x = fetch_context(h, h->priv, h->v), d;

    /* The current banks are asked for anew each time, so that the MMU knows them in use. */
    h->xbank = mmu_bank(&h->mmu, &x);
    if (mstatus & MSTATUS_MPRV) {
        unsigned mpp = field_get(mstatus, MSTATUS_MPP);
        d = hart_context(h, mpp, mpp != PRV_M && (mstatus & MSTATUS_MPV));
    } else {
        d = hart_context(h, h->priv, h->v);
    }
    if (d.mode == x.mode && d.atp == x.atp && d.gatp == x.gatp)
        h->dbank = h->xbank;
    else
        h->dbank = mmu_bank(&h->mmu, &d);

    h->fp_on = fs_of(mstatus) != FS_OFF && (!h->v || fs_of(h->csr.vsstatus) != FS_OFF);
    h->fp_dirty = fs_of(mstatus) == FS_DIRTY && (!h->v || fs_of(h->csr.vsstatus) == FS_DIRTY);
}
