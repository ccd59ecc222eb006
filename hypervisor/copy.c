/* SPDX-License-Identifier: MIT */
#include "copy.h"
#include "csr.h"
#include "string.h"
#include "walk.h"
#include "window.h"
#include "xisthmus.h"

static uint64_t domain(const struct vm *vm)
{
    return vm->gstage.hgatp & ATP_PPN_MASK;
}

/* An address space is its mode and root: an ASID is a TLB tag. */
static uint64_t space(uint64_t atp)
{
    return atp & (IGA_MODE_MASK | IGA_PPN_MASK);
}

static uint64_t key_of(uint64_t ctl)
{
    return ctl >> IGC_KEY_SHIFT & IGC_KEY_MASK;
}

static uint64_t load_ctl(const struct desc *d)
{
    return __atomic_load_n(&d->ctl, __ATOMIC_SEQ_CST);
}

static void store_ctl(struct desc *d, uint64_t ctl)
{
    __atomic_store_n(&d->ctl, ctl, __ATOMIC_SEQ_CST);
}

void copy_wait(const struct window *win)
{
    while (__atomic_load_n(&win->users, __ATOMIC_SEQ_CST))
        ;
}

uint32_t copy_alloc(struct hv *hv, unsigned index)
{
    struct desc *d = &hv->table[index];
    uint64_t key = (key_of(d->ctl) + 1) & IGC_KEY_MASK;

    key = key ? key : 1; /* 0 is skipped */
    d->base = d->len = d->owner_atp = d->peer_atp = 0;
    d->bytes_put = d->bytes_got = d->faults = 0;
    store_ctl(d, (d->ctl & IGC_CEILINGS) | key << IGC_KEY_SHIFT | IGC_ALLOC);
    return (uint32_t)(index | key << IGH_KEY_SHIFT);
}

void copy_free(struct hv *hv, unsigned index)
{
    struct desc *d = &hv->table[index];

    store_ctl(d, load_ctl(d) & ((uint64_t)IGC_KEY_MASK << IGC_KEY_SHIFT));
}

/* The window that @handle names, or NULL. */
static struct desc *find(const struct hv *hv, uint32_t handle)
{
    uint32_t index = handle & IGH_INDEX_MASK;
    uint64_t ctl;

    if (index >= hv->window_count)
        return NULL;
    ctl = load_ctl(&hv->table[index]);
    if (!(ctl & IGC_ALLOC) || key_of(ctl) != handle >> IGH_KEY_SHIFT)
        return NULL;
    return &hv->table[index];
}

static struct desc *find_owned(struct vcpu *v, uint32_t handle)
{
    struct desc *d = find(v->vm->hv, handle);

    return d && (d->owner & ATP_PPN_MASK) == domain(v->vm) ? d : NULL;
}

static int64_t refuse(struct desc *d, int64_t status)
{
    __atomic_fetch_add(&d->faults, 1, __ATOMIC_RELAXED);
    return status;
}

/* Step 1 of "Copy, exactly": may this vCPU move @len bytes at @remote? With a status other than 0
   it may not. On 0 *@base is what is added to @remote. */
static int64_t check(struct vcpu *v, struct desc *d, uint64_t right, bool user, uint64_t remote,
                     uint64_t len, uint64_t *base)
{
    uint64_t ctl = load_ctl(d);
    uint64_t start;

    if (!(ctl & IGC_ALLOC) || d->peer != domain(v->vm))
        return IG_DENIED;
    if (!(ctl & IGC_OPEN) || !(ctl & right) ||
        (user && (!(ctl & IGC_BOUND) || space(d->peer_atp) != space(csr_read(CSR_VSATP)))))
        return IG_DENIED;
    if (ctl & IGC_SUSPENDED)
        return refuse(d, IG_BUSY);
    if (!len)
        return 0;
    start = ctl & IGC_ZB ? 0 : d->base;
    if (remote < start || remote - start > d->len || len > d->len - (remote - start))
        return refuse(d, IG_RANGE);
    *base = ctl & IGC_ZB ? d->base : 0;
    return 0;
}

/* Translates a remote address through the owner's tables. Returns 0 or the status. */
static int64_t walk_remote(const struct window *win, const struct desc *d, struct walk *w)
{
    uint64_t ctl = load_ctl(d);

    w->gstage = &win->owner->gstage;
    w->atp = ctl & IGC_PHYS ? 0 : d->owner_atp;
    w->user = ctl & IGC_ASU;
    w->update = true;
    switch (walk(w)) {
    case WALK_OK:
        return 0;
    case WALK_PAGE_FAULT:
        return IG_REMOTE_FAULT;
    default:
        return IG_NOT_RESIDENT;
    }
}

/* Translates a local address as the running context would; fills @fault when it cannot. */
static bool walk_local(struct vcpu *v, bool user, struct walk *w, struct copy_fault *fault)
{
    uint64_t vsstatus = csr_read(CSR_VSSTATUS);
    bool write = w->access == WALK_WRITE;

    w->gstage = &v->vm->gstage;
    w->atp = csr_read(CSR_VSATP);
    w->user = user;
    w->sum = vsstatus & SSTATUS_SUM;
    w->mxr = vsstatus & SSTATUS_MXR;
    w->update = v->vm->hv->updates_flags;
    w->populate = true;
    switch (walk(w)) {
    case WALK_OK:
        return true;
    case WALK_PAGE_FAULT:
        fault->cause = write ? CAUSE_STORE_PAGE : CAUSE_LOAD_PAGE;
        break;
    default:
        fault->cause = write ? CAUSE_STORE_GUEST_PAGE : CAUSE_LOAD_GUEST_PAGE;
        fault->gpa = w->gpa;
        break;
    }
    fault->va = w->va;
    return false;
}

/* Steps 2 to 5: as much as translates, a page's worth at a time. */
static int64_t move(struct vcpu *v, struct window *win, struct desc *d, bool put, bool user,
                    uint64_t remote, uint64_t local, uint64_t len, struct copy_fault *fault)
{
    uint64_t done = 0;

    len = len < IG_MAX_PIECE ? len : IG_MAX_PIECE;
    while (done < len) {
        struct walk near = {.va = local + done, .access = put ? WALK_READ : WALK_WRITE};
        struct walk far = {.va = remote + done, .access = put ? WALK_WRITE : WALK_READ};
        struct copy_fault stopped = {0};
        uint64_t n = len - done;
        int64_t status;

        if (!walk_local(v, user, &near, &stopped)) {
            if (!done)
                *fault = stopped;
            return (int64_t)done;
        }
        status = walk_remote(win, d, &far);
        if (status)
            return done ? (int64_t)done : refuse(d, status);
        n = near.span < n ? near.span : n;
        n = far.span < n ? far.span : n;
        if (put)
            memmove((void *)far.hpa, (const void *)near.hpa, n);
        else
            memmove((void *)near.hpa, (const void *)far.hpa, n);
        done += n;
    }
    return (int64_t)done;
}

int64_t copy_transfer(struct vcpu *v, bool put, bool user, uint64_t remote, uint64_t local,
                      uint64_t xfer, struct copy_fault *fault)
{
    struct hv *hv = v->vm->hv;
    uint32_t handle = (uint32_t)(xfer >> IG_XFER_HANDLE_SHIFT);
    uint64_t len = (uint32_t)xfer;
    struct desc *d = find(hv, handle);
    struct window *win;
    uint64_t base = 0;
    int64_t result;

    if (!d)
        return IG_DENIED;
    win = &hv->windows[handle & IGH_INDEX_MASK];
    __atomic_fetch_add(&win->users, 1, __ATOMIC_SEQ_CST);
    result = find(hv, handle) == d ? check(v, d, put ? IGC_W : IGC_R, user, remote, len, &base)
                                   : IG_DENIED;
    if (!result && len)
        result = move(v, win, d, put, user, remote + base, local, len, fault);
    if (result > 0)
        __atomic_fetch_add(put ? &d->bytes_put : &d->bytes_got, (uint64_t)result, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&win->users, 1, __ATOMIC_SEQ_CST);
    return result;
}

int64_t copy_ring(struct vcpu *v, bool user, uint64_t remote, uint32_t handle)
{
    struct hv *hv = v->vm->hv;
    struct desc *d = find(hv, handle);
    struct walk w = {.access = WALK_WRITE};
    struct window *win;
    uint64_t base = 0;
    int64_t status;

    if (!d)
        return IG_DENIED;
    win = &hv->windows[handle & IGH_INDEX_MASK];
    __atomic_fetch_add(&win->users, 1, __ATOMIC_SEQ_CST);
    status = find(hv, handle) == d ? check(v, d, IGC_W, user, remote, 8, &base) : IG_DENIED;
    w.va = remote + base;
    if (!status && w.va & 7)
        status = refuse(d, IG_RANGE);
    if (!status) {
        status = walk_remote(win, d, &w);
        if (status)
            refuse(d, status);
        else
            __atomic_fetch_add((uint64_t *)w.hpa, 1, __ATOMIC_RELEASE);
    }
    if (!status && d->notify_addr)
        *(volatile uint32_t *)d->notify_addr = (uint32_t)d->notify_data;
    __atomic_fetch_sub(&win->users, 1, __ATOMIC_SEQ_CST);
    return status;
}

/* Nothing remains of what the owner stored, and no copy uses it. */
static void close_window(struct window *win, struct desc *d)
{
    store_ctl(d, load_ctl(d) & ~(IGC_OPEN | IGC_R | IGC_W | IGC_PHYS | IGC_ASU | IGC_ZB));
    copy_wait(win);
    d->base = d->len = d->owner_atp = 0;
}

int64_t copy_store(struct vcpu *v, uint64_t base, uint64_t len, uint64_t handle_flags)
{
    struct hv *hv = v->vm->hv;
    struct desc *d = find_owned(v, (uint32_t)handle_flags);
    uint64_t wants = (handle_flags & IGS_R ? IGC_CR : 0) | (handle_flags & IGS_W ? IGC_CW : 0);
    uint64_t bits = (handle_flags & IGS_R ? IGC_R : 0) | (handle_flags & IGS_W ? IGC_W : 0) |
                    (handle_flags & IGS_PHYS ? IGC_PHYS : 0) |
                    (handle_flags & IGS_ASU ? IGC_ASU : 0) | (handle_flags & IGS_ZB ? IGC_ZB : 0);
    struct window *win;
    int64_t status = 0;

    if (!d)
        return IG_DENIED;
    win = &hv->windows[(uint32_t)handle_flags & IGH_INDEX_MASK];
    lock(&win->lock);
    if (find(hv, (uint32_t)handle_flags) != d) {
        status = IG_DENIED;
    } else if (handle_flags & IGS_RESERVED || wants & ~load_ctl(d)) {
        status = IG_CEILING;
    } else if (len > d->max_len || (len && base + (len - 1) < base)) {
        status = IG_RANGE;
    } else {
        close_window(win, d);
        d->base = base;
        d->len = len;
        d->owner_atp = handle_flags & IGS_PHYS ? 0 : csr_read(CSR_VSATP);
        store_ctl(d, load_ctl(d) | bits | IGC_OPEN);
    }
    unlock(&win->lock);
    return status;
}

int64_t copy_drop(struct vcpu *v, uint32_t handle)
{
    struct desc *d = find_owned(v, handle);
    struct window *win;

    if (!d)
        return IG_DENIED;
    win = &v->vm->hv->windows[handle & IGH_INDEX_MASK];
    lock(&win->lock);
    if (find(v->vm->hv, handle) == d)
        close_window(win, d);
    unlock(&win->lock);
    return 0;
}

int64_t copy_bind(struct vcpu *v, uint32_t handle, uint64_t bind)
{
    struct hv *hv = v->vm->hv;
    struct desc *d = find(hv, handle);
    struct window *win;

    if (!d || d->peer != domain(v->vm))
        return IG_DENIED;
    if (bind > 1)
        return IG_RANGE;
    if (bind && !(load_ctl(d) & IGC_CU))
        return IG_CEILING;
    win = &hv->windows[handle & IGH_INDEX_MASK];
    lock(&win->lock);
    if (find(hv, handle) == d) {
        uint64_t ctl = load_ctl(d) & ~IGC_BOUND;

        store_ctl(d, ctl);
        copy_wait(win);
        d->peer_atp = bind ? csr_read(CSR_VSATP) : 0;
        store_ctl(d, ctl | (bind ? IGC_BOUND : 0));
    }
    unlock(&win->lock);
    return 0;
}

uint64_t copy_query(struct vcpu *v, bool user, uint64_t index, uint64_t field)
{
    struct hv *hv = v->vm->hv;
    const struct desc *d;
    bool owner, peer;
    uint64_t ctl;

    if (index == NEVER)
        return field == IGQ_TABLE_SIZE  ? 1ull << hv->table_log2
               : field == IGQ_MAX_PIECE ? IG_MAX_PIECE
                                        : 0;
    if (index >= hv->window_count)
        return 0;
    d = &hv->table[index];
    ctl = load_ctl(d);
    owner = (d->owner & ATP_PPN_MASK) == domain(v->vm) && !user;
    peer = d->peer == domain(v->vm) &&
           (!user || (ctl & IGC_BOUND && space(d->peer_atp) == space(csr_read(CSR_VSATP))));
    if (!(ctl & IGC_ALLOC) || (!owner && !peer))
        return 0;
    switch (field) {
    case IGQ_HANDLE:
        return index | key_of(ctl) << IGH_KEY_SHIFT;
    case IGQ_ROLE:
        return (ctl & IGQ_ROLE_CTL) | (owner ? IGQ_ROLE_OWNER : 0) | (peer ? IGQ_ROLE_PEER : 0);
    case IGQ_BASE:
        return !owner && ctl & IGC_ZB ? 0 : d->base;
    case IGQ_LEN:
        return d->len;
    case IGQ_MAX_LEN:
        return d->max_len;
    case IGQ_BYTES_PUT:
        return d->bytes_put;
    case IGQ_BYTES_GOT:
        return d->bytes_got;
    default:
        return 0;
    }
}

/* The pages of one table walk and the page itself come in when they lie in the owner's RAM. */
int64_t copy_make_resident(struct vcpu *v, uint32_t handle, uint64_t remote, uint64_t len)
{
    struct hv *hv = v->vm->hv;
    struct desc *d = find(hv, handle);
    struct window *win;
    uint64_t base = 0;
    int64_t status = IG_DENIED;

    if (!d)
        return IG_DENIED;
    len = len < IG_MAX_PIECE ? len : IG_MAX_PIECE;
    win = &hv->windows[handle & IGH_INDEX_MASK];
    __atomic_fetch_add(&win->users, 1, __ATOMIC_SEQ_CST);
    if (find(hv, handle) == d)
        status = check(v, d, IGC_R | IGC_W, false, remote, len, &base);
    for (uint64_t done = 0; !status && done < len;) {
        struct walk w = {.va = remote + base + done,
                         .access = load_ctl(d) & IGC_R ? WALK_READ : WALK_WRITE,
                         .populate = true};

        status = walk_remote(win, d, &w);
        done += w.span;
    }
    __atomic_fetch_sub(&win->users, 1, __ATOMIC_SEQ_CST);
    return status;
}
