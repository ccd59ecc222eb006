/* SPDX-License-Identifier: MIT */
/*
 * Running a machine.
 *
 * Threaded: each hart runs quanta on its own thread and sleeps there in WFI; the caller's thread
 * waits for the console, for device timers and for limits. Deterministic: the caller's thread
 * gives each hart its turn.
 *
 * Whatever stops the machine says so in m->stop and kicks the harts. A reset, making room for code,
 * and what a debugger wants need all harts out of their loops; then the run goes on, unless there
 * is a reason to end it, too.
 */
#include "machine/console.h"
#include "machine/machine.h"

#include "base/clock.h"
#include "base/thread.h"
#include "debug/events.h"
#include "hart/code.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    QUANTUM = 65536,          /* instructions that a hart runs before its thread looks around */
    QUANTUM_HTIF = 1024,      /* the same where it found something in HTIF; then twice as many */
    QUANTUM_FIRMWARE = 16384, /* the same in M-mode, so as to yield soon */
    QUANTUM_WATCHED = 4096,   /* the same where a counter's overflow is an interrupt */
    QUANTUM_AWAKE = 2048,     /* the same behind WFI, as long as no interrupt is taken, */
    QUANTUM_POLL = 256,       /* and of a hart that polls by WFI */
    POLLS_FEW = 8,            /* more are polls */
    NAP_TICKS = 1000,         /* between them */
    QUANTUM_TURN = 1000,      /* of a turn */
    IDLE_NS = 10000000,       /* deterministic: how long to wait where every hart does, for good */
    ROUNDS_A_LOOK = 64,       /* deterministic: rounds between looks at the host's clock */
};
#define CODE_LIMIT ((size_t)512 << 20) /* bytes of decoded code before all is dropped */
#define NEVER UINT64_MAX

static uint32_t stopping(const struct machine *m)
{
    return __atomic_load_n(&m->stop, __ATOMIC_SEQ_CST);
}

void machine_wake(struct machine *m)
{
    uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(m->wake, &one, sizeof(one));

    (void)n; /* it fails only where the counter is full: then it wakes as well */
    errno = saved;
}

void machine_request_stop(struct machine *m, uint32_t reason)
{
    uint32_t now = stopping(m);

    while (!(reason & STOP_ENDS && now & STOP_ENDS) && /* the first one counts */
           !__atomic_compare_exchange_n(&m->stop, &now, now | reason, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        ;
    machine_wake(m);
}

static void kick_harts(struct machine *m)
{
    for (unsigned i = 0; i < m->harts_n; i++)
        hart_kick(&m->harts[i], EVENT_STOP);
}

void machine_stop(struct machine *m)
{
    __atomic_store_n(&m->hurry, true, __ATOMIC_RELAXED);
    machine_request_stop(m, ISTHMUS_STOP_REQUESTED);
}

int machine_exit_code(const struct machine *m)
{
    return m->off ? (int)m->off - 1 : 0;
}

bool machine_is_ending(const struct machine *m)
{
    uint32_t reason = stopping(m) & STOP_ENDS;

    return __atomic_load_n(&m->hurry, __ATOMIC_RELAXED) || host_ns() >= m->limit ||
           reason == ISTHMUS_STOP_QUIT || reason == STOP_CONSOLE;
}

void machine_halt(struct machine *m, uint32_t reason)
{
    machine_request_stop(m, reason);
    kick_harts(m);
}

/* --- The budget of instructions --- */

/* Take up to n instructions out of the budget. */
static uint64_t take(struct machine *m, uint64_t n)
{
    if (!m->limited)
        return n;
    pthread_mutex_lock(&m->budget_lock);
    n = min_u64(n, m->budget);
    m->budget -= n;
    m->lent += n;
    pthread_mutex_unlock(&m->budget_lock);
    return n;
}

/* Of n that were taken, left were not needed. */
static void give_back(struct machine *m, uint64_t n, uint64_t left)
{
    if (!m->limited)
        return;
    pthread_mutex_lock(&m->budget_lock);
    m->lent -= n;
    m->budget += left;
    pthread_mutex_unlock(&m->budget_lock);
}

/* Nothing is left, and nobody will give anything back. */
static bool spent(struct machine *m)
{
    bool all;

    pthread_mutex_lock(&m->budget_lock);
    all = m->budget == 0 && m->lent == 0;
    pthread_mutex_unlock(&m->budget_lock);
    return all;
}

/* --- Threaded --- */

struct hart_thread {
    struct machine *m;
    struct hart *h;
    pthread_t thread;
    uint64_t quantum;  /* the next one, as far as HTIF goes */
    bool was_firmware; /* in M-mode behind the last quantum */
};

static bool code_is_full(const struct machine *m)
{
    return code_translator_full(m->code) || code_bytes(m->code) > CODE_LIMIT;
}

/* No hart is in a block. */
static void make_room_for_code(struct machine *m)
{
    if (code_translator_full(m->code))
        code_untranslate(m->code);
    if (code_bytes(m->code) <= CODE_LIMIT)
        return;
    for (unsigned i = 0; i < m->harts_n; i++)
        mmu_drop_exec(&m->harts[i].mmu);
    code_collect(m->code);
}

/* Result: something was found in HTIF. */
static bool look_around(struct machine *m)
{
    bool found = m->boot.htif && htif_poll(&m->htif);

    consoles_flush(m);
    if (code_is_full(m))
        machine_halt(m, STOP_COLLECT);
    return found;
}

/* A hart that halted for the debugger halts all. */
static void look_at_halt(struct machine *m, const struct hart *h)
{
    if (unlikely(h->halt.why != HALT_NONE))
        machine_halt(m, STOP_DEBUG);
}

/* Firmware that does nothing but run in M-mode waits for another hart, as a rule, such as OpenSBI
 * for one that is to execute a remote fence, and it does so without PAUSE. Where the host has fewer
 * cores to give than there are harts, let that one have this core. */
static bool may_be_waiting_firmware(const struct machine *m, const struct hart *h)
{
    return h->priv == PRV_M && m->harts_n > 1;
}

static void yield_from_firmware(struct hart_thread *t)
{
    bool is_firmware = may_be_waiting_firmware(t->m, t->h);

    if (is_firmware && t->was_firmware)
        sched_yield();
    t->was_firmware = is_firmware;
}

static bool is_idle(const struct hart *h)
{
    return __atomic_load_n(&h->idle, __ATOMIC_SEQ_CST);
}

static void set_idle(struct hart *h, bool idle)
{
    __atomic_store_n(&h->idle, idle, __ATOMIC_SEQ_CST);
}

static uint32_t turns_of(const struct hart *h)
{
    return __atomic_load_n(&h->turns, __ATOMIC_SEQ_CST);
}

/* Wait until every hart that runs has been through a whole quantum, or for a while. */
static void let_others_go_on(struct machine *m, struct hart *h)
{
    enum { TURNS = 2, LOOK_NS = 20000, PATIENCE_NS = 500000000 };
    uint32_t before[ISTHMUS_HARTS_MAX];
    uint64_t end = host_ns() + PATIENCE_NS;

    for (unsigned i = 0; i < m->harts_n; i++)
        before[i] = turns_of(&m->harts[i]);
    for (unsigned i = 0; i < m->harts_n; i++) {
        const struct hart *other = &m->harts[i];

        while (other != h && !m->halted[i] && !is_idle(other) &&
               turns_of(other) - before[i] < TURNS && !stopping(m) && host_ns() < end)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
}

/*
 * A hart whose WFI was ended by an interrupt that it does not take mostly waits for what another
 * hart writes. It must not hold that one up on a busy host: where it polls in a loop it naps in
 * between. And when it has seen what it waited for, it lets the others go on first. Firmware counts
 * on it that a hart which says that something is there has it there soon: OpenSBI before 1.3 says
 * that a hart may start, and then writes where. On a host that took that hart's thread off its core
 * in between, the other would start at the wrong place.
 */
static void after_run(struct machine *m, struct hart *h, enum hart_stop stop)
{
    __atomic_fetch_add(&h->turns, 1, __ATOMIC_SEQ_CST);
    if (likely(stop == HART_QUANTUM && !h->polls))
        return;
    set_idle(h, true);
    if (stop == HART_WAITING)
        hart_sleep(h);
    else if (stop == HART_POLLING && h->polls > POLLS_FEW)
        hart_nap(h, NAP_TICKS);
    else if (stop == HART_QUANTUM)
        let_others_go_on(m, h);
    set_idle(h, false);
    if (stop != HART_POLLING)
        h->polls = 0;
}

/* How many instructions to run before the next look around. Behind a WFI that may be a poll they
 * are few, so as to see whether the program left its loop; but enough to take the interrupt. */
static uint64_t quantum_of(const struct hart_thread *t)
{
    if (unlikely(t->h->polls))
        return t->h->polls > POLLS_FEW ? QUANTUM_POLL : QUANTUM_AWAKE;
    if (unlikely(t->h->hpm_watched))
        return min_u64(t->quantum, QUANTUM_WATCHED);
    if (may_be_waiting_firmware(t->m, t->h))
        return min_u64(t->quantum, QUANTUM_FIRMWARE);
    return t->quantum;
}

static void *hart_main(void *arg)
{
    struct hart_thread *t = arg;
    struct machine *m = t->m;

    t->h->slack = m->limited ? 0 : BLOCK_MAX - 1;
    t->h->may_stall = true;
    t->h->may_poll = m->harts_n > 1;
    t->quantum = QUANTUM;
    set_idle(t->h, false);
    while (!stopping(m)) {
        uint64_t n = take(m, quantum_of(t));
        enum hart_stop stop;

        if (!n) {
            if (spent(m))
                machine_halt(m, ISTHMUS_STOP_LIMIT);
            sched_yield(); /* another hart is in its quantum, and may not need all of it */
            continue;
        }
        stop = hart_run(t->h, n);
        give_back(m, n, (uint64_t)t->h->left);
        look_at_halt(m, t->h);
        /* Programs wait for HTIF in loops. */
        t->quantum = look_around(m) ? QUANTUM_HTIF : min_u64(2 * t->quantum, QUANTUM);
        yield_from_firmware(t);
        after_run(m, t->h, stop);
    }
    set_idle(t->h, true);
    t->h->slack = 0;
    t->h->may_stall = t->h->may_poll = false;
    return NULL;
}

/* Host time, in ns, of the earliest thing that the world's thread has to do by itself. */
static uint64_t next_deadline(struct machine *m, uint64_t limit)
{
    uint64_t ticks = timers_next(&m->timers);

    if (ticks < NEVER / CLOCK_NS - m->clock.start_ns)
        limit = min_u64(limit, m->clock.start_ns + ticks * CLOCK_NS);
    return limit;
}

/* Wait until something happens outside, or until host time `until`. */
static void wait_for_world(struct machine *m, uint64_t until)
{
    struct pollfd fds[2 + CONSOLES] = {{.fd = m->wake, .events = POLLIN},
                                       {.fd = machine_debug_fd(m), .events = POLLIN}};
    uint64_t now = host_ns(), again = consoles_prepare(m, fds + 2), wakes;
    struct timespec wait;

    if (again != NEVER)
        until = min_u64(until, now + again);
    until -= min_u64(now, until);
    wait = (struct timespec){(time_t)(until / 1000000000), (long)(until % 1000000000)};
    if (ppoll(fds, ARRAY_SIZE(fds), until > NEVER / 2 ? NULL : &wait, NULL) <= 0)
        return;
    if (fds[0].revents)
        while (read(m->wake, &wakes, sizeof(wakes)) > 0)
            ;
    consoles_polled(m, fds + 2);
    if (fds[1].revents)
        machine_halt(m, STOP_DEBUG);
}

static void serve_world(struct machine *m, uint64_t limit)
{
    while (!stopping(m)) {
        wait_for_world(m, next_deadline(m, limit));
        timers_fire(&m->timers, clock_ticks(&m->clock));
        if (host_ns() >= limit)
            machine_request_stop(m, ISTHMUS_STOP_TIMEOUT);
    }
}

static bool run_threads(struct machine *m, uint64_t limit)
{
    struct hart_thread threads[ISTHMUS_HARTS_MAX];
    unsigned n = 0;
    int err = 0;

    for (unsigned i = 0; i < m->harts_n; i++) {
        char name[16];

        if (m->halted[i])
            continue;
        snprintf(name, sizeof(name), "hart %u", i);
        threads[n] = (struct hart_thread){.m = m, .h = &m->harts[i]};
        err = thread_start(&threads[n].thread, name, hart_main, &threads[n]);
        if (err) {
            log_error(&m->log, "cannot start a thread for hart %u: %s", i, strerror(-err));
            machine_request_stop(m, ISTHMUS_STOP_REQUESTED);
            break;
        }
        n++;
    }
    serve_world(m, limit);
    kick_harts(m);
    while (n-- > 0)
        pthread_join(threads[n].thread, NULL);
    return err == 0;
}

/* --- Deterministic --- */

/* Continue the turn of the hart whose turn it is. Result: false where the machine stops. */
static bool take_turn(struct machine *m)
{
    struct hart *h = &m->harts[m->turn];
    enum hart_stop stop;
    uint64_t n;

    if (m->halted[m->turn]) {
        m->turn_left = 0;
        m->turn++;
        return true;
    }
    if (m->turn_left == 0) {
        m->turn_left = QUANTUM_TURN;
        clock_turn(&m->clock, h);
    }
    n = take(m, m->turn_left);
    if (!n) {
        machine_halt(m, ISTHMUS_STOP_LIMIT);
        return false;
    }
    stop = hart_run(h, n);
    give_back(m, n, (uint64_t)h->left);
    look_at_halt(m, h);
    n -= (uint64_t)h->left;
    m->turn_left -= n;
    if (n)
        m->round_idle = false;
    if (stop == HART_WAITING)
        m->turn_left = 0;
    if (m->turn_left == 0) {
        clock_turn_end(&m->clock);
        m->turn++;
    }
    if (virtio_slots_poll(m))
        m->round_idle = false;
    look_around(m);
    return stopping(m) == STOP_NONE;
}

/* Everybody waits: jump to the next moment at which somebody may wake. */
static void jump(struct machine *m)
{
    uint64_t now = clock_mtime(&m->clock, NULL), next = NEVER, ticks = clock_ticks(&m->clock);
    uint64_t timer = timers_next(&m->timers);

    for (unsigned i = 0; i < m->harts_n; i++)
        if (!m->halted[i])
            next = min_u64(next, hart_deadline(&m->harts[i]));
    if (next != NEVER)
        next = ticks + (next - now);
    next = min_u64(next, timer);
    if (next > NEVER / CLOCK_INSTRUCTIONS)
        next = NEVER; /* centuries ahead: time cannot be counted so far */
    if (next == NEVER && machine_debug_attached(m))
        wait_for_world(m, host_ns() + IDLE_NS); /* its user may look at what they wait for */
    else if (next == NEVER)
        machine_request_stop(m, ISTHMUS_STOP_IDLE);
    else
        clock_jump(&m->clock, next);
}

static void run_turns(struct machine *m, uint64_t limit)
{
    unsigned rounds = 0;

    while (!stopping(m)) {
        if (m->turn == 0 && m->turn_left == 0)
            timers_fire(&m->timers, clock_ticks(&m->clock));
        while (m->turn < m->harts_n)
            if (!take_turn(m))
                return;
        m->turn = 0;
        if (m->round_idle)
            jump(m);
        else
            clock_round(&m->clock, QUANTUM_TURN);
        m->round_idle = true;
        if (++rounds % ROUNDS_A_LOOK)
            continue;
        if (limit != NEVER && host_ns() >= limit)
            machine_request_stop(m, ISTHMUS_STOP_TIMEOUT);
        if (unlikely(machine_debug_calls(m)))
            machine_halt(m, STOP_DEBUG);
    }
}

/* --- Both --- */

enum isthmus_stop machine_run(struct machine *m, const struct isthmus_limits *limits)
{
    uint64_t limit = limits && limits->nanoseconds ? host_ns() + limits->nanoseconds : NEVER;
    struct thread_hold hold;
    uint32_t stop, reason;
    bool ran = true;

    if (m->off) {
        __atomic_store_n(&m->stop, STOP_NONE, __ATOMIC_SEQ_CST);
        __atomic_store_n(&m->hurry, false, __ATOMIC_RELAXED);
        return ISTHMUS_STOP_EXIT;
    }
    m->limited = limits && limits->instructions;
    m->budget = m->limited ? limits->instructions : 0;
    m->lent = 0;
    m->limit = limit;
    hold = thread_hold_write_signals();
    consoles_begin(m);
    virtio_slots_resume(m);
    do {
        machine_debug_attend(m, limit);
        if (m->unloaded)
            ran = false;
        else if (m->deterministic)
            run_turns(m, limit);
        else
            ran = run_threads(m, limit);
        stop = __atomic_exchange_n(&m->stop, STOP_NONE, __ATOMIC_SEQ_CST);
        if (stop & STOP_RESET && !m->off)
            machine_reset(m);
        if (stop & STOP_COLLECT)
            make_room_for_code(m);
        reason = stop & STOP_ENDS;
    } while (ran && stop && !reason);
    virtio_slots_pause(m);
    /* No kick is left over for the next run or step. */
    for (unsigned i = 0; i < m->harts_n; i++)
        __atomic_fetch_and(&m->harts[i].wait_event, ~(uint32_t)EVENT_STOP, __ATOMIC_SEQ_CST);
    consoles_flush(m);
    if (m->events && !events_flush(m->events, &m->log))
        m->trace_lost = true;
    consoles_end(m);
    machine_debug_ended(m, reason);
    thread_release_signals(&hold);
    __atomic_store_n(&m->hurry, false, __ATOMIC_RELAXED);
    m->limit = NEVER;
    return ran && reason != STOP_CONSOLE ? (enum isthmus_stop)reason : ISTHMUS_STOP_ERROR;
}

int machine_step(struct machine *m, struct hart *h, uint64_t n)
{
    enum hart_stop stop;

    virtio_slots_resume(m);
    stop = hart_run(h, n);
    virtio_slots_pause(m);
    if (m->deterministic && m->clock.now != h)
        clock_round(&m->clock, n - (uint64_t)h->left);
    make_room_for_code(m); /* here, where nobody runs, rather than by stopping the harts */
    look_around(m);
    return stop == HART_WAITING ? -EAGAIN : 0;
}
