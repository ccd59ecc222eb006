/* SPDX-License-Identifier: MIT */
/*
 * Revocation with several harts at work: when the revoking instruction has retired, no byte moves
 * any more through what was revoked (docs/spec/xisthmus.md, "Revocation").
 *
 * Peers put into and get from a window without pause, each in a part of its own. One thread
 * revokes, then writes a pattern over everything that puts had reached and a secret over what gets
 * could read, waits a little, and looks: the pattern must stand, and no peer may ever have got the
 * secret. Then it undoes the revocation, and so on. The engine is built with its copy kernel
 * visible to ThreadSanitizer (WINDOW_COPY_CHECKED): there the owner's plain writes are checked to
 * be ordered after the last copy, not only to win in practice.
 *
 * Each case runs WINDOW_MS milliseconds. With --broken the engine is known to be broken, and the
 * program succeeds when some case notices.
 */
#include "window/window.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xisthmus.h>

#include <cmocka.h>

enum {
    PEERS = 3,
    PART = 65536,
    WINDOW_BYTES =
        2 * PEERS * PART, /* a part to put into, then a part to get from, for each peer */
    OWNER_HART = PEERS,
    HOST_HART,
    KERNEL_HART, /* the peers' kernel */
    HARTS,
};
#define BASE UINT64_C(0x100000)
#define SV39 (UINT64_C(8) << IGA_MODE_SHIFT)
#define BENIGN UINT64_C(0x0101010101010101)
#define SECRET UINT64_C(0x5ec5ec5ec5ec5ec5)
#define FROZEN UINT64_C(0xf0f0f0f0f0f0f0f0)

struct machine {
    struct window_engine *engine;
    struct window_hart *harts[HARTS];
    struct window_caller callers[HARTS];
    _Alignas(128) uint64_t table[16];
    /* Memory behind the window: the owner's tables choose one of the two. */
    uint64_t *memory[2];
    _Atomic unsigned mapped;
    _Atomic uint64_t handle;
    _Atomic bool stop;
    _Atomic uint64_t copies, secrets;
    const char *wrong; /* what did not hold, first */
};

struct peer {
    struct machine *m;
    unsigned id;
    pthread_t thread;
    uint64_t *local;
};

struct env {
    struct machine *m;
    uint64_t *local;
};

static void *env_local(void *opaque, uint64_t va, uint64_t want, bool write, uint64_t *avail)
{
    const struct env *e = opaque;

    *avail = PART - va;
    return (uint8_t *)e->local + va;
}

static int env_remote(void *opaque, const struct window_space *space, uint64_t va, bool write,
                      unsigned n, uint8_t **host)
{
    const struct env *e = opaque;
    uint8_t *memory = (uint8_t *)e->m->memory[atomic_load(&e->m->mapped)];

    for (unsigned i = 0; i < n; i++, va = (va / 4096 + 1) * 4096)
        host[i] = memory + (va - BASE) % WINDOW_BYTES;
    return (int)n;
}

static void *env_descriptor(void *opaque, uint64_t pa, uint64_t size)
{
    const struct env *e = opaque;

    return pa == 0 ? e->m->table : NULL;
}

static void env_notify(void *opaque, uint64_t pa, uint32_t data)
{
}

#define ON(m, hart) (m)->harts[hart], &(m)->callers[hart]

/* --- the peers --- */

static void put_and_get(struct peer *p, uint64_t len)
{
    struct machine *m = p->m;
    uint64_t rs3 = atomic_load(&m->handle) << IG_XFER_HANDLE_SHIFT | len;
    uint64_t put_at = BASE + p->id * PART, get_at = put_at + (uint64_t)PEERS * PART;

    for (uint64_t i = 0; i < len / 8; i++)
        p->local[i] = BENIGN;
    if (window_put(ON(m, p->id), put_at, 0, rs3).rd > 0)
        atomic_fetch_add(&m->copies, 1);
    if (window_get(ON(m, p->id), get_at, 0, rs3).rd <= 0)
        return;
    atomic_fetch_add(&m->copies, 1);
    for (uint64_t i = 0; i < len / 8; i++)
        if (p->local[i] == SECRET)
            atomic_fetch_add(&m->secrets, 1);
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;

    for (unsigned i = 0; !atomic_load(&p->m->stop); i++)
        put_and_get(p, i % 4 ? PART : 64);
    return NULL;
}

/* --- the owner --- */

static void fill(uint64_t *from, uint64_t bytes, uint64_t value)
{
    for (uint64_t i = 0; i < bytes / 8; i++)
        from[i] = value;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* The peers are running: a failure is noted, and told when they have stopped. */
static void check(struct machine *m, bool holds, const char *what)
{
    if (!holds && !m->wrong)
        m->wrong = what;
}

/* The memory is revoked: nobody may touch it. */
static void check_still(struct machine *m, uint64_t *memory)
{
    uint64_t half = WINDOW_BYTES / 2;
    bool still = true;

    fill(memory, half, FROZEN);
    fill(memory + half / 8, half, SECRET);
    pause_ms(2);
    for (uint64_t i = 0; i < half / 8; i++)
        still &= memory[i] == FROZEN;
    check(m, still, "a put moved bytes after the revocation");
    check(m, !atomic_load(&m->secrets), "a get moved bytes after the revocation");
    fill(memory + half / 8, half, BENIGN);
}

static void check_ok(struct machine *m, struct window_result r)
{
    check(m, r.outcome == WINDOW_DONE && r.rd == 0, "an instruction was refused");
}

static void open_at(struct machine *m, uint64_t base)
{
    check_ok(m, window_store(ON(m, OWNER_HART), base, WINDOW_BYTES,
                             atomic_load(&m->handle) | IGS_R | IGS_W));
}

static void round_drop(struct machine *m)
{
    check_ok(m, window_drop(ON(m, OWNER_HART), atomic_load(&m->handle)));
    check_still(m, m->memory[0]);
    open_at(m, BASE);
}

static void alloc(struct machine *m)
{
    struct window_result r = window_alloc(ON(m, HOST_HART), 0);

    check(m, r.outcome == WINDOW_DONE && r.rd > 0, "alloc was refused");
    atomic_store(&m->handle, (uint64_t)r.rd);
}

static void round_free(struct machine *m)
{
    check_ok(m, window_free(ON(m, HOST_HART), atomic_load(&m->handle)));
    check_still(m, m->memory[0]);
    alloc(m);
    open_at(m, BASE);
}

static void round_suspend(struct machine *m)
{
    uint64_t handle = atomic_load(&m->handle);

    check_ok(m, window_suspend(ON(m, HOST_HART), handle, 1));
    check_still(m, m->memory[0]);
    check_ok(m, window_suspend(ON(m, HOST_HART), handle, 0));
}

/* Open another range in place of this one: what was open before is revoked. */
static void round_store(struct machine *m)
{
    open_at(m, BASE + 16 * WINDOW_BYTES);
    check_still(m, m->memory[0]);
    open_at(m, BASE);
}

static void round_unbind(struct machine *m)
{
    uint64_t handle = atomic_load(&m->handle);

    check_ok(m, window_bind(ON(m, KERNEL_HART), handle, 0));
    check_still(m, m->memory[0]);
    check_ok(m, window_bind(ON(m, KERNEL_HART), handle, 1));
}

/* Map the other memory, fence, and nobody touches the first, while copies go on. */
static void remap_and_fence(struct machine *m, unsigned hart, bool all)
{
    unsigned before = atomic_load(&m->mapped);

    atomic_store(&m->mapped, !before);
    check_ok(m, window_fence(ON(m, hart), all, atomic_load(&m->handle)));
    check_still(m, m->memory[before]);
}

static void round_fence_by_owner(struct machine *m)
{
    remap_and_fence(m, OWNER_HART, false);
}

static void round_fence_all_by_owner(struct machine *m)
{
    remap_and_fence(m, OWNER_HART, true);
}

static void round_fence_all_by_host(struct machine *m)
{
    remap_and_fence(m, HOST_HART, true);
}

/* --- running it --- */

static void machine_init(struct machine *m, struct env *envs, struct peer *peers, bool user)
{
    static const struct window_caller owner = {true, WINDOW_SUPERVISOR, SV39 | 0x100, SV39 | 1};
    static const struct window_caller peer = {true, WINDOW_SUPERVISOR, SV39 | 0x200, SV39 | 2};
    static const struct window_caller host = {false, WINDOW_SUPERVISOR, 0, 0};

    memset(m, 0, sizeof(*m));
    m->engine = window_engine_new();
    for (unsigned i = 0; i < 2; i++) {
        m->memory[i] = aligned_alloc(4096, WINDOW_BYTES);
        fill(m->memory[i], WINDOW_BYTES, BENIGN);
    }
    for (unsigned h = 0; h < HARTS; h++) {
        struct window_env env = {&envs[h], env_local, env_remote, env_descriptor, env_notify};

        envs[h].m = m;
        if (h < PEERS) {
            peers[h] = (struct peer){.m = m, .id = h, .local = aligned_alloc(4096, PART)};
            envs[h].local = peers[h].local;
        }
        m->harts[h] = window_hart_new(m->engine, h, &env);
        window_set_hiwt(m->harts[h], HIWT_EN);
        m->callers[h] = h == OWNER_HART ? owner : h == HOST_HART ? host : peer;
        if (user && h < PEERS)
            m->callers[h].level = WINDOW_USER;
    }
    m->table[IGD_CTL / 8] = IGC_CEILINGS;
    m->table[IGD_OWNER / 8] = owner.hgatp;
    m->table[IGD_PEER / 8] = peer.hgatp & IGA_PPN_MASK;
    m->table[IGD_MAX_LEN / 8] = WINDOW_BYTES;
    alloc(m);
    open_at(m, BASE);
    if (user)
        check_ok(m, window_bind(ON(m, KERNEL_HART), atomic_load(&m->handle), 1));
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct revocation {
    const char *name;
    void (*round)(struct machine *m);
    bool user; /* the peers run in user mode */
};

/* Let the peers work while rounds of revocation go on. Result: NULL, or what did not hold. */
static const char *hammer(const struct revocation *r)
{
    struct machine *m = aligned_alloc(128, (sizeof(*m) + 127) / 128 * 128);
    struct env envs[HARTS];
    struct peer peers[PEERS];
    const char *text = getenv("WINDOW_MS"), *wrong;
    uint64_t end = now_ms() + (text ? strtoull(text, NULL, 0) : getenv("TEST_LONG") ? 10000 : 300);
    uint64_t rounds = 0;

    machine_init(m, envs, peers, r->user);
    for (unsigned i = 0; i < PEERS; i++)
        pthread_create(&peers[i].thread, NULL, peer_main, &peers[i]);
    while (!m->wrong && (now_ms() < end || rounds < 3 || !atomic_load(&m->copies))) {
        r->round(m);
        rounds++;
        pause_ms(1);
    }
    atomic_store(&m->stop, true);
    for (unsigned i = 0; i < PEERS; i++) {
        pthread_join(peers[i].thread, NULL);
        free(peers[i].local);
    }
    check(m, !atomic_load(&m->secrets), "a get moved bytes after the revocation");
    wrong = m->wrong;
    for (unsigned h = 0; h < HARTS; h++)
        window_hart_free(m->harts[h]);
    window_engine_free(m->engine);
    free(m->memory[0]);
    free(m->memory[1]);
    free(m);
    return wrong;
}

static const struct revocation revocations[] = {
    {"after drop no byte moves", round_drop, false},
    {"after free no byte moves", round_free, false},
    {"after suspend no byte moves", round_suspend, false},
    {"after a store no byte of the old range moves", round_store, false},
    {"after unbinding no byte moves by user mode", round_unbind, true},
    {"after a fence of the window no byte of the old mapping moves", round_fence_by_owner, false},
    {"after the owner's fence no byte of the old mapping moves", round_fence_all_by_owner, false},
    {"after the host's fence no byte of the old mapping moves", round_fence_all_by_host, false},
};

static void run(void **state)
{
    const char *wrong = hammer(*state);

    if (wrong)
        fail_msg("%s", wrong);
}

/* Exit status 0 where a broken engine was found out. */
static int expect_failure(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(revocations); i++) {
        const char *wrong = hammer(&revocations[i]);

        if (wrong) {
            printf("found: %s: %s\n", revocations[i].name, wrong);
            return 0;
        }
    }
    printf("not found\n");
    return 1;
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ARRAY_SIZE(revocations)];

    if (argc > 1 && strcmp(argv[1], "--broken") == 0)
        return expect_failure();
    for (unsigned i = 0; i < ARRAY_SIZE(revocations); i++)
        tests[i] = (struct CMUnitTest){revocations[i].name, run, NULL, NULL,
                                       (void *)(uintptr_t)&revocations[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
