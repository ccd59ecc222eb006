/* SPDX-License-Identifier: MIT */
#include "sched.h"
#include "console.h"
#include "csr.h"
#include "firmware.h"
#include "vcpu.h"
#include "vm.h"

static void append(struct vcpu_queue *q, struct vcpu *v)
{
    v->next = NULL;
    v->prev = q->tail;
    if (q->tail)
        q->tail->next = v;
    else
        q->head = v;
    q->tail = v;
}

static void take(struct vcpu_queue *q, struct vcpu *v)
{
    if (v->prev)
        v->prev->next = v->next;
    else
        q->head = v->next;
    if (v->next)
        v->next->prev = v->prev;
    else
        q->tail = v->prev;
    v->next = v->prev = NULL;
}

/* Programs the hart's timer for the first of: the slice's end, a waiting vCPU's timer and, without
   Sstc, the running guest's. */
static void program_timer(struct hart *hart, const struct vcpu *running)
{
    struct hv *hv = hart->hv;
    uint64_t first = hart->slice_end;

    for (const struct vcpu *v = hart->waiting.head; v; v = v->next) {
        uint64_t deadline = v->vsie & 1ull << IRQ_STI ? vcpu_deadline(hv, v) : NEVER;

        first = deadline < first ? deadline : first;
    }
    if (running && !hv->has_sstc && running->timer < first)
        first = running->timer;
    if (console_deadline(hart) < first)
        first = console_deadline(hart);
    if (first == hart->timer)
        return;
    hart->timer = first;
    if (hv->has_sstc)
        csr_write(CSR_STIMECMP, first);
    else
        firmware_set_timer(first);
}

/* Finds a hart for what is ready: one that is idle, the one that @v (may be NULL) ran on first;
   with none idle, every hart that runs without a time slice must begin one. */
static void find_hart(struct hv *hv, const struct vcpu *v)
{
    struct hart *idle = v && v->hart && v->hart->idle ? v->hart : NULL;

    for (unsigned i = 0; !idle && i < hv->hart_count; i++)
        if (hv->harts[i].idle)
            idle = &hv->harts[i];
    if (idle) {
        idle->idle = false; /* it is on its way: the next one ready needs another */
        firmware_send_ipi(idle);
        return;
    }
    for (unsigned i = 0; i < hv->hart_count; i++) {
        struct hart *hart = &hv->harts[i];

        if (hart->current && hart->slice_end == NEVER)
            firmware_send_ipi(hart);
    }
}

static void make_ready(struct hv *hv, struct vcpu *v)
{
    v->state = VCPU_READY;
    append(&hv->sched.ready, v);
}

static void wake(struct hv *hv, struct vcpu *v)
{
    take(&v->hart->waiting, v);
    make_ready(hv, v);
}

static void wake_expired(struct hart *hart, uint64_t now)
{
    struct vcpu *next;

    for (struct vcpu *v = hart->waiting.head; v; v = next) {
        next = v->next;
        if (vcpu_has_interrupt(hart->hv, v, now))
            wake(hart->hv, v);
    }
}

/* The vCPU's own interrupts, before it is loaded or judged to wait. */
static void collect_interrupts(struct hv *hv, struct vcpu *v)
{
    if (__atomic_fetch_and(&v->requests, ~REQUEST_IPI, __ATOMIC_SEQ_CST) & REQUEST_IPI)
        v->hvip |= 1ull << IRQ_VSSI;
    v->hvip &= ~(1ull << IRQ_VSEI);
    v->hvip |= v->external ? 1ull << IRQ_VSEI : 0;
    if (!hv->has_sstc && v->timer <= time_now()) {
        v->hvip |= 1ull << IRQ_VSTI;
        v->timer = NEVER;
    }
}

static bool all_off(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i].state != VCPU_OFF)
            return false;
    return true;
}

/* Takes a saved vCPU off its hart. True when it was the last of a guest that stops. */
static bool leave(struct hart *hart, struct vcpu *v)
{
    struct hv *hv = hart->hv;
    struct vm *vm = v->vm;

    hart->current = NULL;
    vm->running--;
    collect_interrupts(hv, v);
    if (vm->state != VM_RUNNING || v->park == PARK_OFF) {
        v->state = VCPU_OFF;
    } else if (v->park == PARK_READY || vcpu_has_interrupt(hv, v, time_now())) {
        make_ready(hv, v);
    } else {
        v->state = VCPU_WAITING;
        append(&hart->waiting, v);
    }
    if (vm->state == VM_RUNNING && all_off(vm))
        vm->state = VM_STOPPING; /* each vCPU stopped itself */
    return vm->state == VM_STOPPING && !vm->running;
}

/* Waits until a vCPU is ready; the scheduler's lock is open meanwhile. */
static void wait_idle(struct hart *hart)
{
    struct lock *sched_lock = &hart->hv->sched.lock;

    hart->idle = true;
    hart->slice_end = NEVER;
    program_timer(hart, NULL);
    unlock(sched_lock);
    __asm__ volatile("wfi" ::: "memory");
    csr_clear(CSR_SIP, 1ull << IRQ_SSI);
    console_tick(hart);
    lock(sched_lock);
    hart->idle = false;
}

static struct vcpu *pick(struct hart *hart)
{
    struct hv *hv = hart->hv;
    struct vcpu *v;

    for (;;) {
        wake_expired(hart, time_now());
        v = hv->sched.ready.head;
        if (v)
            break;
        wait_idle(hart);
    }
    take(&hv->sched.ready, v);
    v->state = VCPU_RUNNING;
    v->vm->running++;
    collect_interrupts(hv, v);
    vcpu_load(v, hart);
    hart->slice_end = hv->sched.ready.head ? time_now() + hv->slice : NEVER;
    program_timer(hart, v);
    if (hv->sched.ready.head)
        find_hart(hv, NULL);
    return v;
}

struct vcpu *sched_switch(struct vcpu *leaving)
{
    struct hart *hart = this_hart();
    struct lock *sched_lock = &hart->hv->sched.lock;
    struct vcpu *v;

    if (leaving) {
        vcpu_save(leaving);
        csr_write(CSR_VSIE, 0); /* nothing of it may end this hart's WFI */
    }
    lock(sched_lock);
    if (leaving && leave(hart, leaving)) {
        unlock(sched_lock);
        vm_finish(leaving->vm);
        lock(sched_lock);
    }
    v = pick(hart);
    unlock(sched_lock);
    return v;
}

bool sched_start(struct vcpu *v)
{
    struct hv *hv = v->vm->hv;
    bool ok;

    lock(&hv->sched.lock);
    ok = v->vm->state == VM_RUNNING && v->state == VCPU_OFF;
    if (ok) {
        make_ready(hv, v);
        find_hart(hv, v);
    }
    unlock(&hv->sched.lock);
    return ok;
}

bool sched_others_ready(struct hv *hv)
{
    return __atomic_load_n(&hv->sched.ready.head, __ATOMIC_RELAXED) != NULL;
}

/* @v waits and has an interrupt that it did not have: does it go on? */
static void interrupt_waiting(struct hv *hv, struct vcpu *v)
{
    if (vcpu_has_interrupt(hv, v, 0)) {
        wake(hv, v);
        find_hart(hv, v);
    }
}

/* Leaves a request with a vCPU that runs on another hart. */
static void request(struct vcpu *v, uint32_t what)
{
    __atomic_fetch_or(&v->requests, what, __ATOMIC_SEQ_CST);
    firmware_send_ipi(v->hart);
}

void sched_interrupt(struct vcpu *v)
{
    struct hv *hv = v->vm->hv;

    lock(&hv->sched.lock);
    if (v->state == VCPU_RUNNING) {
        if (v->hart == this_hart())
            csr_set(CSR_HVIP, 1ull << IRQ_VSSI);
        else
            request(v, REQUEST_IPI);
    } else if (v->state != VCPU_OFF) {
        v->hvip |= 1ull << IRQ_VSSI;
        if (v->state == VCPU_WAITING)
            interrupt_waiting(hv, v);
    }
    unlock(&hv->sched.lock);
}

void sched_external(struct vcpu *v, bool raised)
{
    struct hv *hv = v->vm->hv;

    lock(&hv->sched.lock);
    __atomic_store_n(&v->external, raised, __ATOMIC_SEQ_CST);
    if (v->state == VCPU_RUNNING) {
        if (v->hart == this_hart())
            vcpu_show_external(v);
        else
            request(v, REQUEST_EXTERNAL);
    } else {
        collect_interrupts(hv, v);
        if (v->state == VCPU_WAITING)
            interrupt_waiting(hv, v);
    }
    unlock(&hv->sched.lock);
}

enum vcpu_state sched_state(struct vcpu *v)
{
    return __atomic_load_n(&v->state, __ATOMIC_ACQUIRE);
}

/* Whether @v may stay on its hart. */
static bool go_on(struct hart *hart, struct vcpu *v, uint64_t now)
{
    struct hv *hv = hart->hv;
    bool stay = true;

    lock(&hv->sched.lock);
    wake_expired(hart, now);
    if (!hv->sched.ready.head) {
        hart->slice_end = NEVER;
    } else if (hart->slice_end == NEVER) {
        hart->slice_end = now + hv->slice;
        find_hart(hv, NULL);
    } else if (hart->slice_end <= now) {
        v->park = PARK_READY;
        stay = false;
    }
    program_timer(hart, v);
    unlock(&hv->sched.lock);
    return stay;
}

bool sched_tick(struct vcpu *v)
{
    struct hart *hart = v->hart;
    uint64_t now = time_now();

    if (!hart->hv->has_sstc && v->timer <= now) {
        csr_set(CSR_HVIP, 1ull << IRQ_VSTI);
        v->timer = NEVER;
    }
    console_tick(hart);
    return go_on(hart, v, now);
}

bool sched_kicked(struct vcpu *v)
{
    csr_clear(CSR_SIP, 1ull << IRQ_SSI);
    return go_on(v->hart, v, time_now());
}

void sched_set_guest_timer(struct vcpu *v, uint64_t time)
{
    struct hart *hart = v->hart;

    if (hart->hv->has_sstc) {
        csr_write(CSR_VSTIMECMP, time);
        return;
    }
    csr_clear(CSR_HVIP, 1ull << IRQ_VSTI);
    v->timer = time;
    lock(&hart->hv->sched.lock);
    program_timer(hart, v);
    unlock(&hart->hv->sched.lock);
}

void sched_stop(struct vm *vm, bool restart, bool failed)
{
    struct hv *hv = vm->hv;

    lock(&hv->sched.lock);
    if (vm->state == VM_RUNNING) {
        vm->state = VM_STOPPING;
        vm->restart = restart;
        vm->failed |= failed;
        for (unsigned i = 0; i < vm->vcpu_count; i++) {
            struct vcpu *v = &vm->vcpus[i];

            if (v->state == VCPU_READY) {
                take(&hv->sched.ready, v);
                v->state = VCPU_OFF;
            } else if (v->state == VCPU_WAITING) {
                take(&v->hart->waiting, v);
                v->state = VCPU_OFF;
            } else if (v->state == VCPU_RUNNING && v->hart != this_hart()) {
                request(v, REQUEST_STOP);
            }
        }
    }
    unlock(&hv->sched.lock);
}
