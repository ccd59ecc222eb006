/* SPDX-License-Identifier: MIT */
/*
 * The run loop: everything that is not the straight path from block to block. It looks at events
 * and interrupts, finds or decodes the next block, fills the exec TLB, executes alone what no
 * cached block may hold (an instruction that straddles two pages, code in a page that PMP divides,
 * the last instructions of a run), and raises exceptions on behalf of exec functions.
 */
#include "hart/exec/exec.h"
#include "hart/exec/fp.h"
#include "hart/hart.h"
#include "hart/hpm.h"
#include "mmu/watch.h"

#include <string.h>

/* A trap retires nothing but takes its place in the run. */
static void charge_trap(struct hart *h)
{
    h->left--;
    h->instret_end--;
}

static const struct op *fetch_fault(struct hart *h, const struct mmu_fault *f)
{
    struct trap t = {
        .cause = f->cause, .tval = f->va, .gpa = f->gpa, .tinst = f->tinst, .gva = h->v};

    charge_trap(h);
    hart_take_trap(h, &t);
    return NULL;
}

/* Execute the instruction at h->pc alone: its halves are fetched, and checked, one by one. */
static const struct op *enter_alone(struct hart *h)
{
    struct mmu_page page;
    struct mmu_fault fault;
    struct block *b;
    uint16_t half[2] = {0};

    for (unsigned i = 0; i < 2; i++) {
        if (!mmu_fetch(&h->mmu, h->xbank, h->pc + 2 * i, &page, &fault))
            return fetch_fault(h, &fault);
        half[i] = __atomic_load_n((uint16_t *)page.host, __ATOMIC_RELAXED);
        if (!insn_is_long(half[0]))
            break;
    }
    b = code_private_block(h->code, (uint8_t *)half, sizeof(half), 1, h->pc & (PAGE_SIZE - 1),
                           h->private_block);
    h->left -= b->n;
    return b->ops;
}

static struct code_known *known_at(struct hart *h, uint64_t ppn)
{
    return &h->known[ppn % CODE_KNOWN];
}

static void note_known(struct hart *h, uint64_t ppn, struct code_page *code)
{
    *known_at(h, ppn) = (struct code_known){
        .ppn = ppn, .gatp = h->xbank->ctx.gatp, .epoch = h->mmu.code_epoch, .page = code};
}

/* The code of physical page ppn at host: compared with memory, unless that was done and nothing has
 * happened since. */
static struct code_page *page_code(struct hart *h, uint64_t ppn, const uint8_t *host)
{
    const struct code_known *k = known_at(h, ppn);
    struct code_page *code;

    if (k->epoch == h->mmu.code_epoch && k->ppn == ppn && k->gatp == h->xbank->ctx.gatp)
        return k->page;
    code = code_page_get(h->code, ppn, host);
    if (code)
        note_known(h, ppn, code);
    return code;
}

struct code_page *hart_load_code(struct hart *h, uint64_t va, bool *faulted)
{
    struct mmu_page page;
    struct mmu_fault fault;
    struct code_page *code = tlb_exec_stale(h->xbank, va);
    uint64_t in_page = va & (PAGE_SIZE - 1);

    if (code && code_page_current(code)) {
        mmu_renew_exec(h->xbank, va);
        note_known(h, code->ppn, code);
        return code;
    }
    *faulted = !mmu_fetch(&h->mmu, h->xbank, va, &page, &fault);
    if (*faulted) {
        fetch_fault(h, &fault);
        return NULL;
    }
    if (!page.whole)
        return NULL;
    code = page_code(h, page.pa >> PAGE_SHIFT, page.host - in_page);
    if (code)
        mmu_enter_exec(h->xbank, va, &page, code);
    return code;
}

/* The block at h->pc, of an instruction that straddles page and the next. NULL: none, or *faulted.
 */
static struct block *straddling_block(struct hart *h, struct code_page *page, bool *faulted)
{
    struct code_page *next = tlb_exec(h->xbank, h->pc + 2);
    struct block *b;

    if (!next)
        next = hart_load_code(h, h->pc + 2, faulted);
    if (!next)
        return NULL;
    b = code_straddling_block(h->code, page, next);
    if (b || !code_page_renew(h->code, page))
        return b;
    known_at(h, page->ppn)->epoch = 0;
    page = hart_load_code(h, h->pc, faulted);
    return page ? code_straddling_block(h->code, page, next) : NULL;
}

/* Enter the block at h->pc. NULL: a trap was taken. There is at least one instruction left. */
static const struct op *enter(struct hart *h)
{
    unsigned in_page = h->pc & (PAGE_SIZE - 1);
    struct code_page *page = tlb_exec(h->xbank, h->pc);
    struct block *b;
    bool faulted = false;

    if (!page)
        page = hart_load_code(h, h->pc, &faulted);
    b = page ? code_block(h->code, page, in_page) : NULL;
    if (page && in_page == PAGE_SIZE - 2 && (!b || code_straddles(b)))
        b = straddling_block(h, page, &faulted);
    if (faulted)
        return NULL;
    if (!b)
        return enter_alone(h);
    if (b->n > h->left)
        b = code_private_block(h->code, (const uint8_t *)page->copy + in_page, PAGE_SIZE - in_page,
                               h->left, in_page, h->private_block);
    h->left -= b->n;
    return b->ops;
}

/* Take the pending interrupt, if there is one. */
static bool interrupt(struct hart *h)
{
    struct trap t = {0};

    if (!hart_pending_interrupt(h, &t))
        return false;
    h->waiting = false;
    h->polls = 0;
    charge_trap(h);
    hart_take_trap(h, &t);
    return true;
}

/* Look at wait_event and at WFI. Result: true to go on executing; false with *stop. */
static bool attend(struct hart *h, enum hart_stop *stop)
{
    uint32_t events = __atomic_exchange_n(&h->wait_event, 0, __ATOMIC_SEQ_CST);

    if (events & EVENT_STOP) {
        __atomic_fetch_or(&h->wait_event, events & ~EVENT_STOP, __ATOMIC_RELAXED);
        *stop = HART_STOPPED;
        return false;
    }
    if (unlikely(h->hpm_watched))
        hpm_look_for_overflow(h);
    if (h->left > 0 && likely(!h->hold_interrupts))
        interrupt(h);
    if (h->waiting && !hart_wakeup_pending(h)) {
        h->polls = 0;
        *stop = HART_WAITING;
        return false;
    }
    if (h->waiting && h->may_poll) {
        h->waiting = false;
        h->polls++;
        *stop = HART_POLLING;
        return false;
    }
    h->waiting = false;
    *stop = HART_QUANTUM;
    return h->left > h->slack;
}

enum hart_stop hart_run(struct hart *h, uint64_t n)
{
    enum hart_stop stop;

    h->instret_end += n - (uint64_t)h->left;
    h->left = n;
    hart_fp_enter(h);
    /* Timers are compared here, once a run: an event would be one more thing to arm. */
    while (attend(h, &stop)) {
        do {
            const struct op *op = enter(h);
            while (op)
                op = OP_FN(op)(h, op);
        } while (h->left > h->slack && !h->waiting &&
                 !__atomic_load_n(&h->wait_event, __ATOMIC_RELAXED));
    }
    hart_fp_leave(h);
    return stop;
}

const struct op *hart_raise(struct hart *h, const struct op *op, uint64_t cause, uint64_t tval)
{
    struct trap t = {.cause = cause, .tval = tval};

    h->pc = hart_pc(h, op);
    h->left += op->rest;
    charge_trap(h);
    hart_take_trap(h, &t);
    return NULL;
}

const struct op *hart_halt(struct hart *h, const struct op *op, enum hart_halt_why why, uint64_t va)
{
    h->pc = hart_pc(h, op);
    h->left += op->rest;
    h->halt = (struct hart_halt){why, va};
    __atomic_fetch_or(&h->wait_event, EVENT_STOP, __ATOMIC_RELAXED);
    return NULL;
}

/* The transformed instruction of an explicit memory access (H, "Transformed Instruction or
 * Pseudoinstruction for mtinst or htinst"): addressing fields replaced by how far into the access
 * the fault is, bit 1 cleared for a compressed one. 0, which is always allowed, for what the manual
 * gives no transformation. */
static uint64_t transformed(const struct hart *h, const struct op *op, uint64_t offset)
{
    struct insn i;
    uint64_t t;

    if (!h->isa->cpu.htinst)
        return 0;
    isa_decode(h->isa, op->raw, &i);
    switch (isa_row(i.base)->format) {
    case FMT_LOAD:
    case FMT_FLOAD:
        t = isa_row(i.base)->match | (uint64_t)i.rd << 7;
        break;
    case FMT_S:
    case FMT_FS:
        t = isa_row(i.base)->match | (uint64_t)i.rs2 << 20;
        break;
    case FMT_CBO:
    case FMT_LR:
    case FMT_AMO:
    case FMT_HLV:
    case FMT_HSV:
        t = op->raw & ~(UINT64_C(31) << 15);
        break;
    default:
        return 0;
    }
    t |= offset << 15;
    return i.len == 2 ? t & ~UINT64_C(2) : t;
}

static bool is_guest_page_fault(uint64_t cause)
{
    return cause == EXC_LOAD_GUEST_PAGE || cause == EXC_STORE_GUEST_PAGE ||
           cause == EXC_FETCH_GUEST_PAGE;
}

const struct op *hart_raise_fault(struct hart *h, const struct op *op, const struct mmu_fault *f,
                                  uint64_t va, bool v)
{
    struct trap t = {.cause = f->cause, .tval = f->va, .gpa = f->gpa, .tinst = f->tinst, .gva = v};

    if (unlikely(f->cause == MMU_FAULT_WATCH))
        return hart_halt(h, op, HALT_WATCH, f->va);
    if (is_guest_page_fault(f->cause) && !t.tinst)
        t.tinst = transformed(h, op, f->va - va);
    h->pc = hart_pc(h, op);
    h->left += op->rest;
    charge_trap(h);
    hart_take_trap(h, &t);
    return NULL;
}

const struct op *hart_illegal(struct hart *h, const struct op *op)
{
    return hart_raise(h, op, EXC_ILLEGAL, op->raw);
}

const struct op *hart_virtual(struct hart *h, const struct op *op)
{
    return hart_raise(h, op, EXC_VIRTUAL, op->raw);
}
