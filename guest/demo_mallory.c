/* SPDX-License-Identifier: MIT */
/*
 * The demo's hostile guest. It is the peer of a write-only window of alice's, the owner of one for
 * bob, and tries all that it must not do. Each refusal is a line with the status or trap it met.
 */
#include "csr.h"
#include "demo.h"
#include "ig_hypercall.h"
#include "isthmus_sbi.h"
#include "sbi.h"
#include "string.h"

#define USER_CODE_VA 0x10000000ull
#define USER_DATA_VA 0x20000000ull
#define TRAP_VA 0x55000000ull
#define USER_PUT 1 /* ECALL: the kernel's hypercall on behalf of user mode */

struct mallory {
    struct guest *g;
    struct space space;
    uint64_t index;
    uint32_t handle;
    uint64_t base, len; /* of alice's window */
    uint64_t word;
    unsigned failures;
};

static void report(struct mallory *m, const char *name, int64_t status, int64_t expected)
{
    bool as_expected = status == expected;

    m->failures += !as_expected;
    say("@%s %s %s\n", as_expected ? "refused" : "allowed", name, demo_status(status));
}

static int64_t put(struct mallory *m, uint32_t handle, uint64_t remote, uint32_t len)
{
    return m->g->ops->put(handle, remote, &m->word, len);
}

/* Every key that the window does not have. */
static void stale_key(struct mallory *m)
{
    int64_t worst = IG_DENIED;

    for (uint32_t key = 0; key <= IGC_KEY_MASK; key++) {
        uint32_t handle = (m->handle & IGH_INDEX_MASK) | key << IGH_KEY_SHIFT;
        int64_t status = handle == m->handle ? IG_DENIED : put(m, handle, m->base, 8);

        worst = status != IG_DENIED ? status : worst;
    }
    report(m, "stale-key", worst, IG_DENIED);
}

/* Window 0 is alice's for bob; its right key is among all keys. */
static void foreign_handle(struct mallory *m)
{
    const struct ig_ops *ops = m->g->ops;
    int64_t worst = IG_DENIED;

    for (uint32_t key = 0; key <= IGC_KEY_MASK; key++) {
        uint32_t h = key << IGH_KEY_SHIFT;
        const int64_t tried[] = {
            ops->put(h, 0, &m->word, 8),
            ops->get(h, 0, &m->word, 8),
            ops->ring(h, 0),
            ops->store(h, 0x80000000, 4096, IGS_R),
            ops->drop(h),
            ops->bind(h, 1),
        };

        for (unsigned i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
            worst = tried[i] != IG_DENIED ? tried[i] : worst;
    }
    report(m, "foreign-handle", worst, IG_DENIED);
    report(m, "foreign-query", ops->query(0, IGQ_HANDLE) | ops->query(0, IGQ_ROLE) ? 0 : IG_DENIED,
           IG_DENIED);
}

static void wrong_addresses(struct mallory *m)
{
    report(m, "before-the-window", put(m, m->handle, m->base - 8, 8), IG_RANGE);
    report(m, "after-the-window", put(m, m->handle, m->base + m->len, 8), IG_RANGE);
    report(m, "across-the-end", put(m, m->handle, m->base + m->len - 8, 16), IG_RANGE);
    report(m, "wrapping-address", put(m, m->handle, -8ull, 16), IG_RANGE);
    report(m, "huge-length", put(m, m->handle, m->base, UINT32_MAX), IG_RANGE);
    report(m, "read-of-write-only", m->g->ops->get(m->handle, m->base, &m->word, 8), IG_DENIED);
}

/* User mode: one put by the way the machine has. */
struct user_try {
    uint64_t handle, remote, instructions, word;
};

USER_CODE static void user_put(struct user_try *try)
{
    register int64_t a0 __asm__("a0");
    register uint64_t a1 __asm__("a1") = try->remote;
    register uint64_t a7 __asm__("a7") = USER_PUT;

    if (try->instructions) {
        a0 = ig_put((uint32_t)try->handle, try->remote, &try->word, 8);
    } else {
        a0 = (int64_t)try->handle;
        __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    }
    a7 = USER_EXIT;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
    __builtin_unreachable();
}

static int64_t user_call(struct cpu *cpu, uint64_t number, const uint64_t *args)
{
    return igh_put_as_user((uint32_t)args[0], args[1],
                           (const void *)(USER_DATA_VA + offsetof(struct user_try, word)), 8);
}

static int64_t put_from_user(struct mallory *m)
{
    uint64_t entry = USER_CODE_VA + ((uint64_t)user_put - (uint64_t)user_start);

    return user_run(entry, USER_DATA_VA + PAGE_SIZE, USER_DATA_VA);
}

static void unbound_user(struct mallory *m)
{
    struct guest *g = m->g;
    struct user_try *try = pages_alloc(g, 1);

    *try = (struct user_try){m->handle, m->base, g->ops == &IG_INSTRUCTIONS, 0x6d616c6c6f7279};
    space_map(g, &m->space, USER_CODE_VA, (uint64_t)user_start, (uint64_t)(user_end - user_start),
              PTE_R | PTE_X | PTE_U);
    space_map(g, &m->space, USER_DATA_VA, (uint64_t)try, PAGE_SIZE, PTE_R | PTE_W | PTE_U);
    space_use(&m->space);
    g->user_call = user_call;
    report(m, "unbound-user", put_from_user(m), IG_DENIED);
    if (g->ops->bind(m->handle, 1) || put_from_user(m) != 8) {
        say("@error user mode cannot use a window bound to it\n");
        m->failures++;
    }
    g->ops->bind(m->handle, 0);
    report(m, "user-no-longer-bound", put_from_user(m), IG_DENIED);
}

static uint64_t virtual_traps(void)
{
    return (uint64_t)sbi_call(ISTHMUS_EID, ISTHMUS_EXITS, ISTHMUS_EXITS_VIRTUAL, 0, 0, 0, 0).value;
}

/* What only the host may execute. The hypervisor hands a virtual-instruction exception on as an
   illegal instruction; its counter tells the two apart. */
#define TRY_HOST(m, name, statement)                                                               \
    do {                                                                                           \
        uint64_t before_ = virtual_traps();                                                        \
        bool went_ = catch_trap(statement);                                                        \
        bool virtual_ = virtual_traps() != before_;                                                \
        bool illegal_ = !went_ && this_cpu()->caught_cause == CAUSE_ILLEGAL;                       \
        (m)->failures += !illegal_;                                                                \
        say("@%s " name " %s\n", illegal_ ? "refused" : "allowed",                                 \
            virtual_ ? "virtual-instruction" : "illegal-instruction");                             \
    } while (0)

static void host_instructions(struct mallory *m)
{
    uint64_t value = 0;

    TRY_HOST(m, "host-alloc", ig_alloc(m->index));
    TRY_HOST(m, "host-free", ig_free(m->handle));
    TRY_HOST(m, "host-suspend", ig_suspend(m->handle, 1));
    TRY_HOST(m, "host-hiwt-read", value = csr_read(CSR_HIWT));
    TRY_HOST(m, "host-hiwt-write", csr_write(CSR_HIWT, value));
    TRY_HOST(m, "host-hgatp-read", value = csr_read(CSR_HGATP));
}

/* Publishes memory that it does not have, for bob to walk into; and more than the host allows. */
static void publish(struct mallory *m)
{
    struct guest *g = m->g;
    uint64_t index = window_find(g, "owner", "bob", 0);
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;
    uint32_t handle;
    uint64_t *ack;
    int64_t status;

    if (index == NO_WINDOW)
        return;
    handle = (uint32_t)g->ops->query(index, IGQ_HANDLE);
    report(m, "store-too-long", g->ops->store(handle, TRAP_VA, 1ull << 40, IGS_R), IG_RANGE);
    report(m, "store-wrapping", g->ops->store(handle, -4096ull, 8192, IGS_R), IG_RANGE);
    report(m, "store-as-peer", g->ops->store(m->handle, TRAP_VA, 4096, IGS_R), IG_DENIED);
    ack = pages_alloc(g, 1);
    space_map(g, &m->space, TRAP_VA + DEMO_TRAP_ACK, (uint64_t)ack, PAGE_SIZE, PTE_R | PTE_W);
    space_map(g, &m->space, TRAP_VA + DEMO_TRAP_DEVICE, DEMO_DEVICE_ADDRESS, PAGE_SIZE,
              PTE_R | PTE_W);
    status = g->ops->store(handle, TRAP_VA, DEMO_TRAP_SIZE, IGS_R | IGS_W | IGS_ZB);
    if (status)
        say("@error store for bob: %s\n", demo_status(status));
    while (!__atomic_load_n(ack, __ATOMIC_ACQUIRE) && time_now() < end)
        guest_sleep(g, 1000);
}

int guest_main(struct guest *g)
{
    struct mallory m = {.g = g, .index = window_find(g, "peer", "alice", 0)};

    if (!g->ops || m.index == NO_WINDOW) {
        say("@error mallory needs a window of alice's\n");
        return 1;
    }
    space_create(g, &m.space, 3);
    space_use(&m.space);
    m.handle = demo_wait_open(g, m.index);
    if (!m.handle) {
        say("@error alice opens no window for mallory\n");
        return 1;
    }
    m.base = g->ops->query(m.index, IGQ_BASE);
    m.len = g->ops->query(m.index, IGQ_LEN);
    stale_key(&m);
    foreign_handle(&m);
    wrong_addresses(&m);
    unbound_user(&m);
    host_instructions(&m);
    publish(&m);
    say("@mallory_done %u\n", m.failures);
    return m.failures != 0;
}
