/* SPDX-License-Identifier: MIT */
/* A hart's life: made, reset, kicked by other threads, asleep in WFI. */
#include "hart/hart.h"
#include "hart/code.h"
#include "hart/csr.h"
#include "hart/imsic.h"
#include "hart/window_env.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int hart_init(struct hart *h, unsigned index, const struct isa *isa, struct mem *mem,
              struct code_cache *code, struct hart_clock clock)
{
    pthread_condattr_t attr;
    int err;

    memset(h, 0, offsetof(struct hart, sites));
    h->index = index;
    h->hartid = index;
    h->isa = isa;
    h->mem = mem;
    h->code = code;
    h->clock = clock;
    h->mtimecmp = UINT64_MAX;
    h->private_block = malloc(CODE_PRIVATE_SIZE);
    if (!h->private_block)
        return -ENOMEM;
    err = mmu_init(&h->mmu, mem);
    if (err) {
        free(h->private_block);
        return err;
    }
    pthread_mutex_init(&h->sleep_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->sleep, &attr);
    pthread_condattr_destroy(&attr);
    hart_reset(h, 0);
    return 0;
}

void hart_free(struct hart *h)
{
    mmu_free(&h->mmu);
    imsic_free(h->imsic);
    free(h->private_block);
    pthread_mutex_destroy(&h->sleep_lock);
    pthread_cond_destroy(&h->sleep);
}

void hart_reset(struct hart *h, uint64_t pc)
{
    memset(h->x, 0, sizeof(h->x));
    memset(h->f, 0, sizeof(h->f));
    h->frm = h->fflags = 0;
    h->pc = pc;
    h->priv = PRV_M;
    h->v = false;
    h->waiting = false;
    h->polls = 0;
    h->halt.why = HALT_NONE;
    h->reserved = NULL;
    h->left = 0;
    h->instret_end = 0;
    __atomic_store_n(&h->mtimecmp, UINT64_MAX, __ATOMIC_RELAXED);
    csr_reset(h);
    if (h->imsic)
        imsic_reset(h->imsic);
    hart_set_hiwt(h, 0);
    hart_flush_windows(h);
    pmp_reset(&h->mmu);
    mmu_drop_all(&h->mmu);
    hart_update_context(h);
}

void hart_kick(struct hart *h, uint32_t events)
{
    __atomic_fetch_or(&h->wait_event, events, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&h->sleeping, __ATOMIC_SEQ_CST))
        return;
    pthread_mutex_lock(&h->sleep_lock);
    pthread_cond_signal(&h->sleep);
    pthread_mutex_unlock(&h->sleep_lock);
}

void hart_set_irq(struct hart *h, uint64_t mask, bool level)
{
    uint64_t old = level ? __atomic_fetch_or(&h->irq_lines, mask, __ATOMIC_SEQ_CST)
                         : __atomic_fetch_and(&h->irq_lines, ~mask, __ATOMIC_SEQ_CST);

    if ((old & mask) != (level ? mask : 0))
        hart_kick(h, EVENT_IRQ);
}

void hart_set_guest_irq(struct hart *h, unsigned n, bool level)
{
    uint64_t old = level ? __atomic_fetch_or(&h->hgeip, BIT(n), __ATOMIC_SEQ_CST)
                         : __atomic_fetch_and(&h->hgeip, ~BIT(n), __ATOMIC_SEQ_CST);

    if ((old >> n & 1) != level)
        hart_kick(h, EVENT_IRQ);
}

enum { TICK_NS = 100, SECOND_NS = 1000000000 };

static inline void pause_host(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* To sleep and be woken takes the host some 10 to 50 us, which whoever waits for this hart's answer
 * to an interrupt waits, too. So watch for events a while before, where that was worth it the time
 * before. Result: whether one came, or the deadline. */
static bool watch_awhile(struct hart *h, uint64_t now, uint64_t deadline)
{
    enum { TICKS = 300, PAUSES = 32, WORTH = 600 };
    uint64_t begin = now;

    if (h->slept > WORTH)
        return false;
    do {
        for (unsigned i = 0; i < PAUSES; i++) {
            if (__atomic_load_n(&h->wait_event, __ATOMIC_RELAXED))
                return true;
            pause_host();
        }
        sched_yield();
        now = hart_time(h);
    } while (now < deadline && now - begin < TICKS);
    return now >= deadline;
}

static void block_until(struct hart *h, uint64_t deadline)
{
    uint64_t now = hart_time(h), ns;
    struct timespec until;

    if (deadline <= now)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    /* A far deadline is cut to an hour: the hart then looks again. */
    ns = min_u64(deadline - now, UINT64_C(36000000000)) * TICK_NS + until.tv_nsec;
    until.tv_sec += ns / SECOND_NS;
    until.tv_nsec = ns % SECOND_NS;
    pthread_mutex_lock(&h->sleep_lock);
    __atomic_store_n(&h->sleeping, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&h->wait_event, __ATOMIC_SEQ_CST))
        if (pthread_cond_timedwait(&h->sleep, &h->sleep_lock, &until))
            break;
    __atomic_store_n(&h->sleeping, false, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&h->sleep_lock);
}

void hart_sleep(struct hart *h)
{
    uint64_t deadline = hart_deadline(h), begin = hart_time(h);

    /* A timer that became due since hart_run looked is no deadline any more, but is pending. */
    if (deadline <= begin || hart_wakeup_pending(h))
        return;
    if (!watch_awhile(h, begin, deadline))
        block_until(h, deadline);
    h->slept = hart_time(h) - begin;
}

void hart_nap(struct hart *h, uint64_t ticks)
{
    block_until(h, hart_time(h) + ticks);
}

static bool is_reservation_kept(const struct hart *h)
{
    if (!h->reserved)
        return false;
    return h->reserved_size == 4
               ? __atomic_load_n((uint32_t *)h->reserved, __ATOMIC_RELAXED) ==
                     (uint32_t)h->reserved_value
               : __atomic_load_n((uint64_t *)h->reserved, __ATOMIC_RELAXED) == h->reserved_value;
}

void hart_stall(struct hart *h)
{
    enum { ROUNDS = 16, PAUSES = 16 };

    if (!h->may_stall)
        return;
    for (unsigned i = 0; i < ROUNDS * PAUSES; i++) {
        if (!is_reservation_kept(h) || __atomic_load_n(&h->wait_event, __ATOMIC_RELAXED))
            return;
        pause_host();
        if (i % PAUSES == PAUSES - 1)
            sched_yield();
    }
    /* That may have taken long: have timers looked at. */
    __atomic_fetch_or(&h->wait_event, EVENT_IRQ, __ATOMIC_RELAXED);
}

void hart_pause(struct hart *h)
{
    enum { PAUSES_A_YIELD = 64 };

    pause_host();
    if (!h->may_stall || ++h->pauses % PAUSES_A_YIELD)
        return;
    sched_yield();
    __atomic_fetch_or(&h->wait_event, EVENT_IRQ, __ATOMIC_RELAXED);
}

uint64_t hart_retired(const struct hart *h)
{
    return h->instret_end - (uint64_t)h->left;
}
