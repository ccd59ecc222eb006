/* SPDX-License-Identifier: MIT */
#include "window.h"
#include "copy.h"
#include "csr.h"
#include "ig.h"
#include "pool.h"

_Static_assert(sizeof(struct desc) == IGD_SIZE, "window descriptor");
_Static_assert(offsetof(struct desc, owner_atp) == IGD_OWNER_ATP, "window descriptor");
_Static_assert(offsetof(struct desc, faults) == IGD_FAULTS, "window descriptor");

bool windows_create(struct hv *hv, unsigned count)
{
    unsigned log2 = 5; /* at least a page of descriptors */

    while (1u << log2 < count)
        log2++;
    hv->table_log2 = log2;
    hv->table = pool_alloc(&hv->pool, (uint64_t)IGD_SIZE << log2, (uint64_t)IGD_SIZE << log2);
    hv->windows = pool_alloc(&hv->pool, ((uint64_t)count + 1) * sizeof(struct window), 64);
    hv->window_count = count;
    return hv->table && hv->windows;
}

void window_describe(struct hv *hv, unsigned index, struct vm *owner, struct vm *peer,
                     uint64_t max_len, uint64_t ceilings)
{
    hv->windows[index].owner = owner;
    hv->windows[index].peer = peer;
    hv->windows[index].ceilings = ceilings;
    hv->table[index] = (struct desc){
        .owner = owner->gstage.hgatp,
        .peer = peer->gstage.hgatp & ATP_PPN_MASK,
        .max_len = max_len,
    };
}

uint64_t window_ceilings(const struct hv *hv, unsigned index)
{
    return hv->windows[index].ceilings;
}

uint64_t window_max_len(const struct hv *hv, unsigned index)
{
    return hv->table[index].max_len;
}

void windows_enable(struct hv *hv)
{
    if (hv->has_xisthmus)
        csr_write(CSR_HIWT, HIWT_EN | (uint64_t)hv->table_log2 << HIWT_SIZE_SHIFT |
                                (uint64_t)hv->table >> 12);
}

static void allocate(struct hv *hv, unsigned index)
{
    struct window *win = &hv->windows[index];
    struct desc *d = &hv->table[index];

    if (win->allocated)
        return;
    d->ctl = (d->ctl & (uint64_t)IGC_KEY_MASK << IGC_KEY_SHIFT) | win->ceilings;
    win->handle = hv->has_xisthmus ? (uint32_t)ig_alloc(index) : copy_alloc(hv, index);
    win->allocated = true;
}

void windows_allocate(struct hv *hv)
{
    for (unsigned i = 0; i < hv->window_count; i++)
        allocate(hv, i);
}

static void end(struct hv *hv, unsigned index)
{
    struct window *win = &hv->windows[index];

    if (!win->allocated)
        return;
    if (hv->has_xisthmus)
        ig_free(win->handle);
    else
        copy_free(hv, index);
    copy_wait(win); /* RESIDENT works on the owner's tables in software */
    win->allocated = false;
}

void windows_end(struct vm *vm)
{
    struct hv *hv = vm->hv;

    for (unsigned i = 0; i < hv->window_count; i++) {
        struct window *win = &hv->windows[i];

        if (win->owner != vm && win->peer != vm)
            continue;
        lock(&win->lock);
        end(hv, i);
        unlock(&win->lock);
    }
}

void windows_begin(struct vm *vm)
{
    struct hv *hv = vm->hv;

    for (unsigned i = 0; i < hv->window_count; i++) {
        struct window *win = &hv->windows[i];

        if ((win->owner != vm && win->peer != vm) || win->owner->state == VM_OFF ||
            win->peer->state == VM_OFF)
            continue;
        lock(&win->lock);
        allocate(hv, i);
        unlock(&win->lock);
    }
}
