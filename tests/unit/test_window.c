/* SPDX-License-Identifier: MIT */
/*
 * The window engine, as statements of docs/spec/xisthmus.md, and then against the naive model with
 * random instructions. WINDOW_STEPS and WINDOW_SEED choose how many and which; a failure prints
 * both.
 */
#include "tests/model/differ.h"
#include "window/copy.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/*
 * A machine with one window, index 3: owner guest 1, peer guest 2, all ceilings, opened for reading
 * and writing at BASE for LEN bytes. Hart 0 runs the host, hart 1 the owner, hart 2 the peer, hart
 * 3 guest 3; all kernels, in their first address space.
 */
enum { HOST, OWNER, PEER, STRANGER };
enum { INDEX = 3, LEN = 3 * WORLD_PAGE };
#define BASE (LOW_VA + 2 * WORLD_PAGE)
#define LOCAL (LOW_VA + 12 * WORLD_PAGE)
#define RW (IGS_R | IGS_W)

struct machine {
    struct world w;
    struct window_engine *engine;
    struct world_hart envs[WORLD_HARTS];
    struct window_hart *harts[WORLD_HARTS];
    uint64_t handle;
};

static const struct window_caller *by(struct machine *m, unsigned hart)
{
    return &m->w.context[hart].caller;
}

static struct window_caller *who(struct machine *m, unsigned hart)
{
    return &m->w.context[hart].caller;
}

static uint64_t *descriptor(struct machine *m, unsigned index)
{
    return (uint64_t *)(void *)(m->w.ram + TABLE_PA - RAM_BASE + index * IGD_SIZE);
}

static uint64_t word(struct machine *m, unsigned offset)
{
    return descriptor(m, INDEX)[offset / 8];
}

static struct vpage *page_of(struct machine *m, unsigned domain, uint64_t va)
{
    return &m->w.domains[domain].low[0][(va - LOW_VA) / WORLD_PAGE];
}

/* Host address of a byte of a domain's first address space. */
static uint8_t *at(struct machine *m, unsigned domain, uint64_t va)
{
    uint64_t pa;

    assert_int_equal(world_translate(&m->w, world_hgatp(domain, 0), world_atp(domain, 0, 0), va,
                                     page_of(m, domain, va)->user, false, false, &pa),
                     FAULT_NONE);
    return m->w.ram + (pa - RAM_BASE);
}

/* rd of an instruction that retires. */
static int64_t rd(struct window_result r)
{
    assert_int_equal(r.outcome, WINDOW_DONE);
    return r.rd;
}

#define ON(m, hart) (m)->harts[hart], by(m, hart)

static int64_t get(struct machine *m, unsigned hart, uint64_t remote, uint64_t local, uint64_t len)
{
    return rd(window_get(ON(m, hart), remote, local, m->handle << IG_XFER_HANDLE_SHIFT | len));
}

static int64_t put(struct machine *m, unsigned hart, uint64_t remote, uint64_t local, uint64_t len)
{
    return rd(window_put(ON(m, hart), remote, local, m->handle << IG_XFER_HANDLE_SHIFT | len));
}

static int64_t store(struct machine *m, unsigned hart, uint64_t base, uint64_t len, uint64_t flags)
{
    return rd(window_store(ON(m, hart), base, len, m->handle | flags));
}

static int64_t query(struct machine *m, unsigned hart, uint64_t index, uint64_t field)
{
    return rd(window_query(ON(m, hart), index, field));
}

static void fill_descriptor(struct machine *m, unsigned index, unsigned owner, unsigned peer)
{
    uint64_t *d = descriptor(m, index);

    d[IGD_CTL / 8] = IGC_CEILINGS;
    d[IGD_OWNER / 8] = world_hgatp(owner, 5);
    d[IGD_PEER / 8] = world_hgatp(peer, 0) & IGA_PPN_MASK;
    d[IGD_MAX_LEN / 8] = 64 * WORLD_PAGE;
}

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));

    if (!m || world_init(&m->w) != 0)
        return -1;
    m->engine = window_engine_new();
    for (unsigned h = 0; h < WORLD_HARTS; h++) {
        struct window_env env;

        m->envs[h] = (struct world_hart){.world = &m->w, .id = h};
        env = world_env(&m->envs[h]);
        m->harts[h] = window_hart_new(m->engine, h, &env);
        window_set_hiwt(m->harts[h],
                        HIWT_EN | (uint64_t)WINDOWS_LOG2 << HIWT_SIZE_SHIFT | TABLE_PA >> 12);
        *who(m, h) = (struct window_caller){.virt = h != HOST,
                                            .level = WINDOW_SUPERVISOR,
                                            .hgatp = world_hgatp(h, 1),
                                            .atp = world_atp(h, 0, 1)};
    }
    fill_descriptor(m, INDEX, OWNER, PEER);
    m->handle = (uint64_t)rd(window_alloc(ON(m, HOST), INDEX));
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), 0);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;

    for (unsigned h = 0; h < WORLD_HARTS; h++)
        window_hart_free(m->harts[h]);
    window_engine_free(m->engine);
    world_free(&m->w);
    free(m);
    return 0;
}

/* --- privilege --- */

static unsigned all_outcomes(struct machine *m, unsigned hart, enum window_outcome *out)
{
    struct window_result r[] = {
        window_put(ON(m, hart), 0, 0, 0),   window_get(ON(m, hart), 0, 0, 0),
        window_ring(ON(m, hart), 0, 0),     window_query(ON(m, hart), 0, 0),
        window_store(ON(m, hart), 0, 0, 0), window_drop(ON(m, hart), 0),
        window_bind(ON(m, hart), 0, 0),     window_fence(ON(m, hart), true, 0),
        window_alloc(ON(m, hart), 0),       window_free(ON(m, hart), 0),
        window_suspend(ON(m, hart), 0, 0),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
        out[i] = r[i].outcome;
    return ARRAY_SIZE(r);
}
enum { ANY_LEVEL = 4, KERNEL_LEVEL = 8 }; /* the first so many of all_outcomes */

static void without_enable_every_instruction_is_illegal(void **state)
{
    struct machine *m = *state;
    enum window_outcome out[11];

    for (unsigned h = 0; h < WORLD_HARTS; h++) {
        window_set_hiwt(m->harts[h], window_hiwt(m->harts[h]) & ~HIWT_EN);
        for (unsigned level = WINDOW_USER; level <= WINDOW_MACHINE; level++) {
            who(m, h)->level = level;
            for (unsigned i = all_outcomes(m, h, out); i--;)
                assert_int_equal(out[i], WINDOW_ILLEGAL);
        }
    }
}

static void machine_mode_is_illegal(void **state)
{
    struct machine *m = *state;
    enum window_outcome out[11];

    who(m, HOST)->level = WINDOW_MACHINE;
    for (unsigned i = all_outcomes(m, HOST, out); i--;)
        assert_int_equal(out[i], WINDOW_ILLEGAL);
}

static void below_its_level_an_instruction_traps(void **state)
{
    static const struct {
        unsigned hart;
        enum window_level level;
        unsigned allowed;
        enum window_outcome else_;
    } cases[] = {
        {HOST, WINDOW_SUPERVISOR, 11, WINDOW_ILLEGAL},
        {HOST, WINDOW_USER, ANY_LEVEL, WINDOW_ILLEGAL},
        {PEER, WINDOW_SUPERVISOR, KERNEL_LEVEL, WINDOW_VIRTUAL},
        {PEER, WINDOW_USER, ANY_LEVEL, WINDOW_VIRTUAL},
    };
    struct machine *m = *state;
    enum window_outcome out[11];

    for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
        who(m, cases[c].hart)->level = cases[c].level;
        for (unsigned i = all_outcomes(m, cases[c].hart, out); i--;)
            assert_int_equal(out[i], i < cases[c].allowed ? WINDOW_DONE : cases[c].else_);
    }
}

static void hiwt_is_warl(void **state)
{
    struct machine *m = *state;

    assert_int_equal(window_set_hiwt(m->harts[0], UINT64_MAX),
                     HIWT_EN | UINT64_C(20) << HIWT_SIZE_SHIFT | HIWT_PPN_MASK);
    assert_int_equal(window_set_hiwt(m->harts[0], 0), 0);
    assert_int_equal(window_hiwt(m->harts[0]), 0);
}

/* --- life of a window --- */

static void alloc_returns_index_and_a_new_key(void **state)
{
    struct machine *m = *state;

    assert_int_equal(m->handle, INDEX | 1 << IGH_KEY_SHIFT);
    assert_int_equal(rd(window_free(ON(m, HOST), m->handle)), 0);
    assert_int_equal(rd(window_alloc(ON(m, HOST), INDEX)), INDEX | 2 << IGH_KEY_SHIFT);
}

static void the_key_skips_0(void **state)
{
    struct machine *m = *state;

    fill_descriptor(m, 5, OWNER, PEER);
    *descriptor(m, 5) |= (uint64_t)IGC_KEY_MASK << IGC_KEY_SHIFT;
    assert_int_equal(rd(window_alloc(ON(m, HOST), 5)), 5 | 1 << IGH_KEY_SHIFT);
}

static void a_handle_with_key_0_is_denied(void **state)
{
    struct machine *m = *state;

    *descriptor(m, INDEX) &= ~((uint64_t)IGC_KEY_MASK << IGC_KEY_SHIFT);
    rd(window_fence(ON(m, HOST), true, 0));
    m->handle = INDEX;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(rd(window_drop(ON(m, OWNER), INDEX)), IG_DENIED);
}

static void alloc_of_an_allocated_window_is_busy(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_alloc(ON(m, HOST), INDEX)), IG_BUSY);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

static void alloc_outside_the_table_is_out_of_range(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_alloc(ON(m, HOST), 1 << WINDOWS_LOG2)), IG_RANGE);
    assert_int_equal(rd(window_alloc(ON(m, HOST), UINT64_C(1) << 32 | 5)), IG_RANGE);
}

static void alloc_of_a_malformed_descriptor_is_denied(void **state)
{
    static const uint64_t owners[] = {
        0x1000,                                 /* Bare, but a root */
        UINT64_C(8) << IGA_MODE_SHIFT,          /* no root */
        UINT64_C(7) << IGA_MODE_SHIFT | 0x1000, /* reserved modes */
        UINT64_C(11) << IGA_MODE_SHIFT | 0x1000,
    };
    struct machine *m = *state;

    for (unsigned i = 0; i < ARRAY_SIZE(owners); i++) {
        fill_descriptor(m, 5, OWNER, PEER);
        descriptor(m, 5)[IGD_OWNER / 8] = owners[i];
        assert_int_equal(rd(window_alloc(ON(m, HOST), 5)), IG_DENIED);
    }
    fill_descriptor(m, 5, OWNER, PEER);
    descriptor(m, 5)[IGD_PEER / 8] = UINT64_C(1) << 44;
    assert_int_equal(rd(window_alloc(ON(m, HOST), 5)), IG_DENIED);
    fill_descriptor(m, 5, OWNER, PEER);
    assert_true(rd(window_alloc(ON(m, HOST), 5)) > 0);
}

static void alloc_starts_with_nothing_open_and_nothing_counted(void **state)
{
    struct machine *m = *state;

    assert_int_equal(put(m, PEER, BASE, LOCAL, 100), 100);
    assert_int_equal(rd(window_free(ON(m, HOST), m->handle)), 0);
    descriptor(m, INDEX)[0] |= 0xfff & ~IGC_ALLOC;
    m->handle = (uint64_t)rd(window_alloc(ON(m, HOST), INDEX));
    assert_int_equal(word(m, IGD_CTL), IGC_ALLOC | IGC_CEILINGS | UINT64_C(2) << IGC_KEY_SHIFT);
    assert_int_equal(word(m, IGD_BYTES_PUT), 0);
    assert_int_equal(word(m, IGD_BASE) | word(m, IGD_LEN) | word(m, IGD_OWNER_ATP), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
}

static void a_get_through_a_dropped_window_is_denied(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(rd(window_drop(ON(m, OWNER), m->handle)), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(put(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE, m->handle)), IG_DENIED);
}

static void dropping_twice_is_fine(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_drop(ON(m, OWNER), m->handle)), 0);
    assert_int_equal(rd(window_drop(ON(m, OWNER), m->handle)), 0);
}

static void a_dropped_window_can_be_stored_again(void **state)
{
    struct machine *m = *state;

    rd(window_drop(ON(m, OWNER), m->handle));
    assert_int_equal(store(m, OWNER, BASE + 8, 16, IGS_R), 0);
    assert_int_equal(get(m, PEER, BASE + 8, LOCAL, 16), 16);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 16), IG_RANGE);
    assert_int_equal(put(m, PEER, BASE + 8, LOCAL, 16), IG_DENIED);
}

static void a_store_replaces_the_range_at_once(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(store(m, OWNER, BASE + LEN, 8, IGS_R), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_RANGE);
    assert_int_equal(get(m, PEER, BASE + LEN, LOCAL, 8), 8);
}

static void after_free_the_handle_is_stale_for_all(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(rd(window_free(ON(m, HOST), m->handle)), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), IG_DENIED);
    assert_int_equal(rd(window_free(ON(m, HOST), m->handle)), IG_DENIED);
    rd(window_alloc(ON(m, HOST), INDEX));
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), IG_DENIED);
}

static void a_suspended_window_is_busy_until_it_goes_on(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_suspend(ON(m, HOST), m->handle, 1)), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_BUSY);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 0), IG_BUSY);
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE, m->handle)), IG_BUSY);
    assert_int_equal(get(m, STRANGER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(rd(window_suspend(ON(m, HOST), m->handle, 2)), IG_RANGE);
    assert_int_equal(rd(window_suspend(ON(m, HOST), m->handle, 0)), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

static void a_store_above_the_ceiling_is_refused(void **state)
{
    struct machine *m = *state;

    descriptor(m, INDEX)[0] &= ~IGC_CW;
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), IG_CEILING);
    assert_int_equal(store(m, OWNER, BASE, LEN, IGS_R), 0);
    assert_int_equal(store(m, OWNER, BASE, LEN, IGS_R | UINT64_C(1) << 37), IG_CEILING);
}

static void a_store_longer_than_allowed_or_wrapping_is_out_of_range(void **state)
{
    struct machine *m = *state;

    assert_int_equal(store(m, OWNER, BASE, 64 * WORLD_PAGE + 1, RW), IG_RANGE);
    assert_int_equal(store(m, OWNER, BASE, 64 * WORLD_PAGE, RW), 0);
    assert_int_equal(store(m, OWNER, -UINT64_C(16), 17, RW), IG_RANGE);
    assert_int_equal(store(m, OWNER, -UINT64_C(16), 16, RW), 0);
    assert_int_equal(get(m, PEER, -UINT64_C(16), LOCAL, 16), 16);
    assert_int_equal(get(m, PEER, -UINT64_C(8), LOCAL, 9), IG_RANGE);
}

static void only_the_owner_stores_and_drops(void **state)
{
    struct machine *m = *state;

    for (unsigned h = 0; h < WORLD_HARTS; h++) {
        if (h == OWNER)
            continue;
        assert_int_equal(store(m, h, BASE, LEN, RW), IG_DENIED);
        assert_int_equal(rd(window_drop(ON(m, h), m->handle)), IG_DENIED);
    }
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

/* --- who may use it --- */

static void all_refusals_look_the_same(void **state)
{
    struct machine *m = *state;
    uint64_t before[IGD_SIZE / 8], handle = m->handle;

    memcpy(before, descriptor(m, INDEX), IGD_SIZE);
    assert_int_equal(get(m, STRANGER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(get(m, OWNER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(get(m, HOST, BASE, LOCAL, 8), IG_DENIED);
    m->handle = handle ^ 1 << IGH_KEY_SHIFT;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    m->handle = handle + 1;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    m->handle = handle | 0x80000;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    /* Whatever else is wrong: outside the window, no local memory, length 0. */
    assert_int_equal(get(m, PEER, 0, 0, 8), IG_DENIED);
    assert_int_equal(get(m, PEER, 0, 0, 0), IG_DENIED);
    assert_memory_equal(before, descriptor(m, INDEX), IGD_SIZE);
}

static void a_missing_right_is_denied(void **state)
{
    struct machine *m = *state;

    assert_int_equal(store(m, OWNER, BASE, LEN, IGS_R), 0);
    assert_int_equal(put(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE, m->handle)), IG_DENIED);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(store(m, OWNER, BASE, LEN, IGS_W), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(put(m, PEER, BASE, LOCAL, 8), 8);
}

static void a_guest_is_known_by_its_root_and_not_by_its_vmid(void **state)
{
    struct machine *m = *state;

    for (unsigned vmid = 0; vmid < 4; vmid++) {
        who(m, PEER)->hgatp = world_hgatp(PEER, vmid);
        assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
        who(m, STRANGER)->hgatp = world_hgatp(STRANGER, vmid);
        assert_int_equal(get(m, STRANGER, BASE, LOCAL, 8), IG_DENIED);
    }
}

static void a_guest_without_a_root_is_nobody(void **state)
{
    static const uint64_t roots[] = {0, 0x2000, UINT64_C(8) << 60, UINT64_C(8) << 60 | 1ull << 44};
    struct machine *m = *state;

    /* The host is peer and owner of window 6: no guest may pass for it. */
    fill_descriptor(m, 6, HOST, HOST);
    m->handle = (uint64_t)rd(window_alloc(ON(m, HOST), 6));
    assert_int_equal(store(m, HOST, BASE, LEN, RW), 0);
    assert_int_equal(get(m, HOST, BASE, LOCAL, 8), 8);
    for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
        who(m, PEER)->hgatp = roots[i];
        assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
        assert_int_equal(store(m, PEER, BASE, LEN, RW), IG_DENIED);
        assert_int_equal(rd(window_fence(ON(m, PEER), true, 0)), IG_DENIED);
        assert_int_equal(query(m, PEER, 6, IGQ_HANDLE), 0);
        assert_int_equal(query(m, PEER, UINT64_MAX, IGQ_TABLE_SIZE), 0);
    }
}

static void user_mode_needs_a_binding_to_its_address_space(void **state)
{
    struct machine *m = *state;

    page_of(m, PEER, LOCAL)->user = true;
    who(m, PEER)->level = WINDOW_USER;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    who(m, PEER)->level = WINDOW_SUPERVISOR;
    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 1)), 0);
    who(m, PEER)->level = WINDOW_USER;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    who(m, PEER)->atp = world_atp(PEER, 0, 7); /* another ASID */
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    who(m, PEER)->atp = world_atp(PEER, 1, 1); /* another process */
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    who(m, PEER)->atp = world_atp(PEER, 0, 1);
    who(m, PEER)->level = WINDOW_SUPERVISOR;
    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 0)), 0);
    who(m, PEER)->level = WINDOW_USER;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
}

static void the_kernel_needs_no_binding_and_loses_nothing_by_one(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 1)), 0);
    who(m, PEER)->atp = world_atp(PEER, 1, 1);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

static void only_the_peer_binds_and_only_below_the_ceiling(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_bind(ON(m, OWNER), m->handle, 1)), IG_DENIED);
    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 2)), IG_RANGE);
    descriptor(m, INDEX)[0] &= ~IGC_CU;
    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 1)), IG_CEILING);
    assert_int_equal(rd(window_bind(ON(m, PEER), m->handle, 0)), 0);
}

static void an_unreachable_table_denies(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    m->w.physical[TABLE_PAGE].kind = KIND_NONE;
    for (unsigned h = 0; h < WORLD_HARTS; h++)
        window_hart_flush(m->harts[h]);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), IG_DENIED);
    assert_int_equal(rd(window_alloc(ON(m, HOST), 5)), IG_DENIED);
    assert_int_equal(query(m, PEER, INDEX, IGQ_HANDLE), 0);
}

/* --- copying --- */

static void a_get_reads_and_a_put_writes_the_owners_memory(void **state)
{
    struct machine *m = *state;

    memcpy(at(m, OWNER, BASE + 5), "isthmus", 7);
    assert_int_equal(get(m, PEER, BASE + 5, LOCAL + 2, 7), 7);
    assert_memory_equal(at(m, PEER, LOCAL + 2), "isthmus", 7);
    memcpy(at(m, PEER, LOCAL), "corinth", 7);
    assert_int_equal(put(m, PEER, BASE + LEN - 7, LOCAL, 7), 7);
    assert_memory_equal(at(m, OWNER, BASE + LEN - 7), "corinth", 7);
}

static void a_range_must_lie_in_the_window(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE + LEN - 8, LOCAL, 8), 8);
    assert_int_equal(get(m, PEER, BASE + LEN - 8, LOCAL, 9), IG_RANGE);
    assert_int_equal(get(m, PEER, BASE - 1, LOCAL, 8), IG_RANGE);
    assert_int_equal(get(m, PEER, BASE + LEN, LOCAL, 1), IG_RANGE);
    assert_int_equal(get(m, PEER, UINT64_MAX, LOCAL, 2), IG_RANGE);
    assert_int_equal(get(m, PEER, BASE, LOCAL, UINT32_MAX), IG_RANGE);
}

static void length_0_does_nothing_anywhere(void **state)
{
    struct machine *m = *state;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 0), 0);
    assert_int_equal(put(m, PEER, 0, 0, 0), 0);
}

static void a_zero_based_window_counts_from_its_base(void **state)
{
    struct machine *m = *state;

    assert_int_equal(store(m, OWNER, BASE + 8, 64, RW | IGS_ZB), 0);
    memcpy(at(m, OWNER, BASE + 11), "abc", 3);
    assert_int_equal(get(m, PEER, 3, LOCAL, 3), 3);
    assert_memory_equal(at(m, PEER, LOCAL), "abc", 3);
    assert_int_equal(get(m, PEER, 60, LOCAL, 5), IG_RANGE);
    assert_int_equal(get(m, PEER, BASE + 8, LOCAL, 1), IG_RANGE);
    assert_int_equal(query(m, PEER, INDEX, IGQ_BASE), 0);
    assert_int_equal(query(m, OWNER, INDEX, IGQ_BASE), BASE + 8);
}

static void a_piece_is_at_most_64_kib(void **state)
{
    struct machine *m = *state;

    assert_int_equal(store(m, OWNER, LOW_VA, 24 * WORLD_PAGE, RW), 0);
    for (unsigned v = 0; v < 24; v++)
        page_of(m, OWNER, LOW_VA + v * WORLD_PAGE)->user = false;
    assert_int_equal(get(m, PEER, LOW_VA + 9, LOW_VA + 1, IG_MAX_PIECE + 1), IG_MAX_PIECE);
    assert_memory_equal(at(m, PEER, LOW_VA + 1), at(m, OWNER, LOW_VA + 9), WORLD_PAGE - 9);
}

static void a_copy_ends_before_the_first_page_that_fails(void **state)
{
    struct machine *m = *state;

    page_of(m, OWNER, BASE + 2 * WORLD_PAGE)->mapped = false;
    assert_int_equal(get(m, PEER, BASE + 100, LOCAL, LEN - 100), 2 * WORLD_PAGE - 100);
    page_of(m, PEER, LOCAL + WORLD_PAGE)->writable = false;
    assert_int_equal(get(m, PEER, BASE + 100, LOCAL + 7, LEN - 100), WORLD_PAGE - 7);
}

static void a_local_fault_is_raised_and_a_remote_one_returned(void **state)
{
    struct machine *m = *state;
    struct window_result r;

    page_of(m, OWNER, BASE)->mapped = false;
    assert_int_equal(get(m, PEER, BASE + 9, LOCAL, 8), IG_REMOTE_FAULT);
    page_of(m, PEER, LOCAL)->mapped = false;
    r = window_get(ON(m, PEER), BASE + 9, LOCAL + 3, m->handle << 32 | 8);
    assert_int_equal(r.outcome, WINDOW_LOCAL_FAULT);
    assert_int_equal(m->w.fault, FAULT_PAGE);
    assert_int_equal(m->w.fault_va, LOCAL + 3);
    r = window_put(ON(m, PEER), BASE + 9, LOCAL + 3, m->handle << 32 | 8);
    assert_int_equal(r.outcome, WINDOW_LOCAL_FAULT);
    assert_int_equal(word(m, IGD_FAULTS), 1);
}

static void a_page_that_the_host_took_away_is_not_resident(void **state)
{
    struct machine *m = *state;

    m->w.domains[OWNER].gpages[page_of(m, OWNER, BASE)->gpage].kind = KIND_NONE;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_NOT_RESIDENT);
    m->w.domains[OWNER].gpages[page_of(m, OWNER, BASE)->gpage].kind = KIND_RAM;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

static void devices_are_neither_remote_nor_local_memory(void **state)
{
    struct machine *m = *state;

    m->w.domains[OWNER].gpages[page_of(m, OWNER, BASE)->gpage].kind = KIND_DEVICE;
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
    m->w.domains[PEER].gpages[page_of(m, PEER, LOCAL)->gpage].kind = KIND_DEVICE;
    assert_int_equal(window_put(ON(m, PEER), BASE, LOCAL, m->handle << 32 | 8).outcome,
                     WINDOW_LOCAL_FAULT);
    assert_int_equal(m->w.fault, FAULT_ACCESS);
}

static void remote_access_has_the_owner_kernels_rights(void **state)
{
    struct machine *m = *state;

    page_of(m, OWNER, BASE)->writable = false;
    assert_int_equal(put(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    page_of(m, OWNER, BASE)->user = true;
    m->w.context[PEER].sum = true; /* the peer's SUM is of no account */
    rd(window_fence(ON(m, OWNER), true, 0));
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
    assert_int_equal(store(m, OWNER, BASE, LEN, RW | IGS_ASU), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(get(m, PEER, BASE + WORLD_PAGE, LOCAL, 8), IG_REMOTE_FAULT);
}

static void a_window_keeps_the_address_space_of_its_store(void **state)
{
    struct machine *m = *state;

    m->w.domains[OWNER].low[1][2].mapped = false;
    who(m, OWNER)->atp = world_atp(OWNER, 1, 1); /* another process runs now */
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), 0);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
}

static void a_phys_window_bypasses_the_first_stage(void **state)
{
    struct machine *m = *state;
    uint64_t gpa = 7 * WORLD_PAGE;

    assert_int_equal(store(m, OWNER, gpa, 16, RW | IGS_PHYS), 0);
    assert_int_equal(word(m, IGD_OWNER_ATP), 0);
    memcpy(m->w.ram + m->w.domains[OWNER].gpages[7].ram * WORLD_PAGE, "physical", 8);
    assert_int_equal(get(m, PEER, gpa, LOCAL, 8), 8);
    assert_memory_equal(at(m, PEER, LOCAL), "physical", 8);
    m->w.domains[OWNER].gpages[7].kind = KIND_NONE;
    rd(window_fence(ON(m, HOST), true, 0));
    assert_int_equal(get(m, PEER, gpa, LOCAL, 8), IG_NOT_RESIDENT);
}

static void the_host_can_own_and_use_windows(void **state)
{
    struct machine *m = *state;

    fill_descriptor(m, 6, HOST, PEER);
    m->handle = (uint64_t)rd(window_alloc(ON(m, HOST), 6));
    assert_int_equal(store(m, HOST, BASE, LEN, RW), 0);
    memcpy(at(m, HOST, BASE), "of host", 7);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 7), 7);
    assert_memory_equal(at(m, PEER, LOCAL), "of host", 7);
    fill_descriptor(m, 7, OWNER, HOST);
    m->handle = (uint64_t)rd(window_alloc(ON(m, HOST), 7));
    assert_int_equal(store(m, OWNER, BASE, LEN, RW), 0);
    assert_int_equal(put(m, HOST, BASE, BASE, 7), 7);
    assert_memory_equal(at(m, OWNER, BASE), "of host", 7);
    who(m, HOST)->level = WINDOW_USER;
    assert_int_equal(put(m, HOST, BASE, BASE, 7), IG_DENIED);
}

/* --- fences --- */

static void translations_are_kept_until_fenced(void **state)
{
    static const struct {
        unsigned hart;
        bool all;
    } fences[] = {{HOST, true}, {HOST, false}, {OWNER, true}, {OWNER, false}};
    struct machine *m = *state;
    struct vpage *page = page_of(m, OWNER, BASE);

    for (unsigned i = 0; i < ARRAY_SIZE(fences); i++) {
        const struct window_counters *c = window_hart_counters(m->harts[PEER]);
        uint64_t misses;

        page->mapped = true;
        assert_int_equal(store(m, OWNER, BASE, LEN, RW), 0);
        assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
        misses = c->translation_misses;
        assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
        assert_int_equal(c->translation_misses, misses);
        page->mapped = false;
        assert_int_equal(rd(window_fence(ON(m, fences[i].hart), fences[i].all, m->handle)), 0);
        assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
    }
}

static void a_flush_forgets_what_pmp_allowed(void **state)
{
    struct machine *m = *state;
    uint64_t pa = RAM_BASE + (uint64_t)(at(m, OWNER, BASE) - m->w.ram);

    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
    m->w.physical[(pa - RAM_BASE) / WORLD_PAGE].kind = KIND_NONE;
    window_hart_flush(m->harts[PEER]);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), IG_REMOTE_FAULT);
}

/* Another window of owner for the peer, opened with flags at base; m->handle is left alone. */
static uint64_t another(struct machine *m, unsigned index, unsigned owner, uint64_t base,
                        uint64_t flags)
{
    uint64_t before = m->handle, handle;

    fill_descriptor(m, index, owner, PEER);
    m->handle = handle = (uint64_t)rd(window_alloc(ON(m, HOST), index));
    assert_int_equal(store(m, owner, base, LEN, flags), 0);
    m->handle = before;
    return handle;
}

static int64_t get_by(struct machine *m, uint64_t handle, uint64_t remote)
{
    return rd(window_get(ON(m, PEER), remote, LOCAL, handle << IG_XFER_HANDLE_SHIFT | 8));
}

static void windows_of_two_spaces_share_no_translation(void **state)
{
    struct machine *m = *state;
    uint64_t other;

    who(m, OWNER)->atp = world_atp(OWNER, 1, 1);
    other = another(m, 5, OWNER, BASE, RW);
    m->w.domains[OWNER].low[1][(BASE - LOW_VA) / WORLD_PAGE].mapped = false;
    assert_int_equal(get_by(m, m->handle, BASE), 8);
    assert_int_equal(get_by(m, other, BASE), IG_REMOTE_FAULT);
    assert_int_equal(get_by(m, m->handle, BASE), 8);
}

static void windows_of_two_guests_share_no_translation(void **state)
{
    enum { GPA = 2 * WORLD_PAGE };
    struct machine *m = *state;
    uint64_t one = another(m, 5, OWNER, GPA, RW | IGS_PHYS);
    uint64_t other = another(m, 6, STRANGER, GPA, RW | IGS_PHYS);

    m->w.domains[STRANGER].gpages[GPA / WORLD_PAGE].kind = KIND_NONE;
    for (unsigned i = 0; i < 4; i++) { /* whatever their epochs are */
        assert_int_equal(get_by(m, one, GPA), 8);
        assert_int_equal(get_by(m, other, GPA), IG_NOT_RESIDENT);
        assert_int_equal(rd(window_fence(ON(m, STRANGER), true, 0)), 0);
    }
}

static void a_window_as_user_lends_the_kernels_no_translation(void **state)
{
    struct machine *m = *state;
    uint64_t user = another(m, 5, OWNER, BASE, RW | IGS_ASU);

    page_of(m, OWNER, BASE)->user = true;
    assert_int_equal(get_by(m, user, BASE), 8);
    assert_int_equal(get_by(m, m->handle, BASE), IG_REMOTE_FAULT);
    page_of(m, OWNER, BASE + WORLD_PAGE)->user = false;
    assert_int_equal(get_by(m, m->handle, BASE + WORLD_PAGE), 8);
    assert_int_equal(get_by(m, user, BASE + WORLD_PAGE), IG_REMOTE_FAULT);
}

static void only_the_owner_and_the_host_fence_a_window(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_fence(ON(m, PEER), false, m->handle)), IG_DENIED);
    assert_int_equal(rd(window_fence(ON(m, STRANGER), false, m->handle)), IG_DENIED);
    assert_int_equal(rd(window_fence(ON(m, STRANGER), true, 0)), 0);
}

/* --- ring --- */

static void a_ring_adds_1_and_notifies(void **state)
{
    struct machine *m = *state;
    uint64_t *bell = (uint64_t *)(void *)at(m, OWNER, BASE + 16);

    *bell = UINT64_MAX;
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE + 16, m->handle)), 0);
    assert_int_equal(*bell, 0);
    assert_int_equal(m->w.notice.count, 0);
    descriptor(m, INDEX)[IGD_NOTIFY_ADDR / 8] = 0x28000000;
    descriptor(m, INDEX)[IGD_NOTIFY_DATA / 8] = 0x100000009;
    rd(window_fence(ON(m, HOST), false, m->handle));
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE + 16, m->handle)), 0);
    assert_int_equal(*bell, 1);
    assert_int_equal(m->w.notice.count, 1);
    assert_int_equal(m->w.notice.pa, 0x28000000);
    assert_int_equal(m->w.notice.data, 9);
}

static void a_ring_wants_an_aligned_word_in_the_window(void **state)
{
    struct machine *m = *state;

    assert_int_equal(rd(window_ring(ON(m, PEER), BASE + 4, m->handle)), IG_RANGE);
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE + LEN, m->handle)), IG_RANGE);
    assert_int_equal(rd(window_ring(ON(m, PEER), BASE + LEN - 8, m->handle)), 0);
    assert_int_equal(store(m, OWNER, BASE + 4, 64, RW | IGS_ZB), 0);
    assert_int_equal(rd(window_ring(ON(m, PEER), 8, m->handle)), IG_RANGE);
    assert_int_equal(rd(window_ring(ON(m, PEER), 4, m->handle)), 0);
}

static void a_handle_register_is_32_bits_wide(void **state)
{
    struct machine *m = *state;
    uint64_t wide = m->handle | UINT64_C(0xffffffff) << 32;

    assert_int_equal(rd(window_ring(ON(m, PEER), BASE, wide)), 0);
    assert_int_equal(rd(window_bind(ON(m, PEER), wide, 1)), 0);
    assert_int_equal(rd(window_drop(ON(m, OWNER), wide)), 0);
}

/* --- query and accounting --- */

static void query_describes_a_window_to_its_owner_and_peer_alone(void **state)
{
    struct machine *m = *state;
    uint64_t ctl = word(m, IGD_CTL) & IGC_CTL_MASK;

    assert_int_equal(get(m, PEER, BASE, LOCAL, 100), 100);
    assert_int_equal(put(m, PEER, BASE, LOCAL, 11), 11);
    assert_int_equal(query(m, PEER, INDEX, IGQ_HANDLE), m->handle);
    assert_int_equal(query(m, PEER, INDEX, IGQ_ROLE), ctl | IGQ_ROLE_PEER);
    assert_int_equal(query(m, OWNER, INDEX, IGQ_ROLE), ctl | IGQ_ROLE_OWNER);
    assert_int_equal(query(m, PEER, INDEX, IGQ_BASE), BASE);
    assert_int_equal(query(m, PEER, INDEX, IGQ_LEN), LEN);
    assert_int_equal(query(m, PEER, INDEX, IGQ_MAX_LEN), 64 * WORLD_PAGE);
    assert_int_equal(query(m, OWNER, INDEX, IGQ_BYTES_PUT), 11);
    assert_int_equal(query(m, OWNER, INDEX, IGQ_BYTES_GOT), 100);
    for (unsigned field = 0; field < 9; field++) {
        assert_int_equal(query(m, STRANGER, INDEX, field), 0);
        assert_int_equal(query(m, HOST, INDEX, field), 0);
        assert_int_equal(query(m, PEER, INDEX + 1, field), 0);
        assert_int_equal(query(m, PEER, INDEX + 16, field), 0);
    }
    who(m, PEER)->level = WINDOW_USER;
    assert_int_equal(query(m, PEER, INDEX, IGQ_HANDLE), 0);
    who(m, PEER)->level = WINDOW_SUPERVISOR;
    rd(window_bind(ON(m, PEER), m->handle, 1));
    who(m, PEER)->level = WINDOW_USER;
    assert_int_equal(query(m, PEER, INDEX, IGQ_HANDLE), m->handle);
    who(m, OWNER)->level = WINDOW_USER;
    assert_int_equal(query(m, OWNER, INDEX, IGQ_HANDLE), 0);
}

static void query_of_index_minus_1_tells_the_sizes(void **state)
{
    struct machine *m = *state;

    assert_int_equal(query(m, STRANGER, UINT64_MAX, IGQ_TABLE_SIZE), 1 << WINDOWS_LOG2);
    assert_int_equal(query(m, STRANGER, UINT64_MAX, IGQ_MAX_PIECE), IG_MAX_PIECE);
    assert_int_equal(query(m, STRANGER, UINT64_MAX, 2), 0);
}

static void refusals_of_the_rightful_peer_are_counted(void **state)
{
    struct machine *m = *state;
    const struct window_counters *c = window_hart_counters(m->harts[PEER]);

    get(m, PEER, 0, LOCAL, 8);
    page_of(m, OWNER, BASE)->mapped = false;
    get(m, PEER, BASE, LOCAL, 8);
    get(m, STRANGER, BASE, LOCAL, 8);
    rd(window_suspend(ON(m, HOST), m->handle, 1));
    get(m, PEER, BASE, LOCAL, 8);
    assert_int_equal(word(m, IGD_FAULTS), 3);
    assert_int_equal(c->gets, 3);
    assert_int_equal(c->refused[-IG_RANGE], 1);
    assert_int_equal(c->refused[-IG_REMOTE_FAULT], 1);
    assert_int_equal(c->refused[-IG_BUSY], 1);
    assert_int_equal(window_hart_counters(m->harts[STRANGER])->refused[-IG_DENIED], 1);
}

static void windows_of_different_harts_tables_stay_apart(void **state)
{
    struct machine *m = *state;

    /* Hart 3 has another table: there, index 3 is free. */
    window_set_hiwt(m->harts[3],
                    HIWT_EN | (RAM_BASE + 50 * WORLD_PAGE) >> 12 | UINT64_C(2) << HIWT_SIZE_SHIFT);
    memset(m->w.ram + 50 * WORLD_PAGE, 0, WORLD_PAGE);
    m->w.context[3] = m->w.context[PEER];
    assert_int_equal(get(m, 3, BASE, LOCAL, 8), IG_DENIED);
    assert_int_equal(get(m, PEER, BASE, LOCAL, 8), 8);
}

/* --- the copy kernel --- */

/* Split [p, p + len) into runs at page ends of a 64-byte "page", in reverse order in memory. */
static void scatter(struct runs *runs, uint8_t *pages, uint64_t off, uint64_t len)
{
    enum { PIECE = 64 };

    runs->n = 0;
    runs->len = 0;
    for (uint64_t page = 0; len; page++) {
        uint64_t n = min_u64(len, PIECE - off);

        assert_true(runs_add(runs, pages + (15 - page) * PIECE + off, n));
        len -= n;
        off = 0;
    }
}

static uint8_t *byte_at(struct runs *runs, uint64_t i)
{
    for (unsigned r = 0; r < runs->n; i -= runs->run[r++].len)
        if (i < runs->run[r].len)
            return runs->run[r].host + i;
    return NULL;
}

static void the_kernel_copies_every_alignment_and_length(void **state)
{
    static _Alignas(64) uint8_t src[1024], dst[1024], before[1024];
    static _Alignas(64) uint8_t bounce[COPY_BOUNCE];
    struct runs d, s;

    for (unsigned i = 0; i < sizeof(src); i++)
        src[i] = (uint8_t)(i * 11 + i / 256);
    for (unsigned from = 0; from < 17; from++) {
        for (unsigned to = 0; to < 17; to++) {
            for (unsigned n = 0; n < 260; n += n < 40 ? 1 : 7) {
                memset(dst, 0xee, sizeof(dst));
                memset(before, 0xee, sizeof(before));
                scatter(&s, src, from, n);
                scatter(&d, dst, to, n);
                copy_runs(&d, &s, n, bounce);
                for (unsigned i = 0; i < n; i++)
                    before[byte_at(&d, i) - dst] = *byte_at(&s, i);
                assert_memory_equal(dst, before, sizeof(dst));
            }
        }
    }
}

static void the_kernel_copies_long_runs(void **state)
{
    enum { ROOM = 65536 + 128 };
    uint8_t *src = malloc(ROOM), *dst = malloc(ROOM), *expect = malloc(ROOM);
    static _Alignas(16) uint8_t bounce[COPY_BOUNCE];
    static const unsigned lengths[] = {1023, 1024, 1025, 1031, 4096, 65535, 65536};

    for (unsigned i = 0; i < ROOM; i++)
        src[i] = (uint8_t)(i * 13 + i / 251);
    for (unsigned off = 0; off < 72; off += 5) {
        for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++) {
            struct runs s = {.n = 0}, d = {.n = 0};

            memset(dst, 0, ROOM);
            memset(expect, 0, ROOM);
            memcpy(expect + 3, src + off, lengths[l]);
            runs_add(&s, src + off, lengths[l]);
            runs_add(&d, dst + 3, lengths[l]);
            copy_runs(&d, &s, lengths[l], bounce);
            assert_memory_equal(dst, expect, ROOM);
        }
    }
    free(src);
    free(dst);
    free(expect);
}

/*
 * Another hart writes doublewords of eight equal bytes over the source, or reads the destination,
 * while the kernel copies: nobody may see a doubleword of two different bytes.
 */
enum { RACE_WORDS = 512, RACE_MS = 15 };

struct race {
    _Alignas(64) _Atomic uint64_t src[RACE_WORDS], dst[RACE_WORDS];
    _Alignas(16) uint8_t bounce[COPY_BOUNCE];
    _Atomic bool stop;
    _Atomic uint64_t seen, torn;
    unsigned from, to, len;
};

static bool whole(uint64_t word)
{
    return word == (word & 0xff) * UINT64_C(0x0101010101010101);
}

static void *write_source(void *arg)
{
    struct race *r = arg;

    for (uint64_t v = 0; !atomic_load(&r->stop); v++)
        for (unsigned i = 0; i < RACE_WORDS; i++)
            atomic_store_explicit(&r->src[i], (v & 0xff) * UINT64_C(0x0101010101010101),
                                  memory_order_relaxed);
    return NULL;
}

static void *read_destination(void *arg)
{
    struct race *r = arg;

    while (!atomic_load(&r->stop)) {
        for (unsigned i = (r->to + 7) / 8; i < (r->to + r->len) / 8; i++)
            if (!whole(atomic_load_explicit(&r->dst[i], memory_order_relaxed)))
                atomic_fetch_add(&r->torn, 1);
        atomic_fetch_add(&r->seen, 1);
    }
    return NULL;
}

static void copy_race(struct race *r)
{
    struct runs s = {.n = 0}, d = {.n = 0};

    runs_add(&s, (uint8_t *)r->src + r->from, r->len);
    runs_add(&d, (uint8_t *)r->dst + r->to, r->len);
    copy_runs(&d, &s, r->len, r->bounce);
}

/* Every doubleword that lay wholly in the source arrived whole, wherever it went. */
static void check_arrived(struct race *r)
{
    const uint8_t *dst = (const uint8_t *)r->dst + r->to;

    for (unsigned i = (8 - r->from % 8) % 8; i + 8 <= r->len; i += 8) {
        uint64_t word;

        memcpy(&word, dst + i, 8);
        if (!whole(word))
            atomic_fetch_add(&r->torn, 1);
    }
}

static uint64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void run_race(void *(*other)(void *), unsigned from, unsigned to, unsigned len)
{
    struct race *r = aligned_alloc(64, (sizeof(*r) + 63) / 64 * 64);
    uint64_t end = clock_ms() + RACE_MS;
    pthread_t thread;

    memset(r, 0, sizeof(*r));
    r->from = from, r->to = to, r->len = len;
    pthread_create(&thread, NULL, other, r);
    for (unsigned i = 0; clock_ms() < end || (other == read_destination && !r->seen); i++) {
        if (other == read_destination)
            memset(r->src, (int)i & 0xff, sizeof(r->src));
        copy_race(r);
        if (other == write_source)
            check_arrived(r);
    }
    atomic_store(&r->stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(r->torn, 0);
    free(r);
}

static void aligned_doublewords_move_whole(void **state)
{
    static const unsigned offsets[][2] = {{0, 0}, {8, 24}, {3, 3}, {0, 1}, {4, 0}, {7, 2}};
    static const unsigned lengths[] = {200, 3001};

    for (unsigned o = 0; o < ARRAY_SIZE(offsets); o++) {
        for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++) {
            run_race(write_source, offsets[o][0], offsets[o][1], lengths[l]);
            run_race(read_destination, offsets[o][0], offsets[o][1], lengths[l]);
        }
    }
}

/* --- against the model --- */

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

#if defined(__SANITIZE_THREAD__)
enum { DEFAULT_STEPS = 3000 }; /* there is one thread, and comparing memory is slow */
#else
enum { DEFAULT_STEPS = 40000 };
#endif

static void the_engine_agrees_with_the_model(void **state)
{
    uint64_t steps = number("WINDOW_STEPS", getenv("TEST_LONG") ? 3000000 : DEFAULT_STEPS);
    uint64_t seed = number("WINDOW_SEED", 1), entropy = seed;
    struct differ *d = malloc(sizeof(*d));

    assert_int_equal(differ_init(d, differ_random, &entropy), 0);
    while (d->steps < steps) {
        if (!differ_step(d))
            fail_msg("WINDOW_SEED=%llu: %s", (unsigned long long)seed, d->last);
    }
    /* The stream is worth something only if it reaches everything. */
    for (unsigned i = WINDOW_DONE; i <= WINDOW_VIRTUAL && steps >= 10000; i++)
        assert_true(d->outcomes[i] > steps / 100);
    for (int s = -IG_DENIED; s <= -IG_CEILING && steps >= 10000; s++)
        assert_true(d->statuses[s] > steps / 200);
    differ_free(d);
    free(d);
}

#define STATEMENT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATEMENT(without_enable_every_instruction_is_illegal),
        STATEMENT(machine_mode_is_illegal),
        STATEMENT(below_its_level_an_instruction_traps),
        STATEMENT(hiwt_is_warl),
        STATEMENT(alloc_returns_index_and_a_new_key),
        STATEMENT(the_key_skips_0),
        STATEMENT(a_handle_with_key_0_is_denied),
        STATEMENT(alloc_of_an_allocated_window_is_busy),
        STATEMENT(alloc_outside_the_table_is_out_of_range),
        STATEMENT(alloc_of_a_malformed_descriptor_is_denied),
        STATEMENT(alloc_starts_with_nothing_open_and_nothing_counted),
        STATEMENT(a_get_through_a_dropped_window_is_denied),
        STATEMENT(dropping_twice_is_fine),
        STATEMENT(a_dropped_window_can_be_stored_again),
        STATEMENT(a_store_replaces_the_range_at_once),
        STATEMENT(after_free_the_handle_is_stale_for_all),
        STATEMENT(a_suspended_window_is_busy_until_it_goes_on),
        STATEMENT(a_store_above_the_ceiling_is_refused),
        STATEMENT(a_store_longer_than_allowed_or_wrapping_is_out_of_range),
        STATEMENT(only_the_owner_stores_and_drops),
        STATEMENT(all_refusals_look_the_same),
        STATEMENT(a_missing_right_is_denied),
        STATEMENT(a_guest_is_known_by_its_root_and_not_by_its_vmid),
        STATEMENT(a_guest_without_a_root_is_nobody),
        STATEMENT(user_mode_needs_a_binding_to_its_address_space),
        STATEMENT(the_kernel_needs_no_binding_and_loses_nothing_by_one),
        STATEMENT(only_the_peer_binds_and_only_below_the_ceiling),
        STATEMENT(an_unreachable_table_denies),
        STATEMENT(a_get_reads_and_a_put_writes_the_owners_memory),
        STATEMENT(a_range_must_lie_in_the_window),
        STATEMENT(length_0_does_nothing_anywhere),
        STATEMENT(a_zero_based_window_counts_from_its_base),
        STATEMENT(a_piece_is_at_most_64_kib),
        STATEMENT(a_copy_ends_before_the_first_page_that_fails),
        STATEMENT(a_local_fault_is_raised_and_a_remote_one_returned),
        STATEMENT(a_page_that_the_host_took_away_is_not_resident),
        STATEMENT(devices_are_neither_remote_nor_local_memory),
        STATEMENT(remote_access_has_the_owner_kernels_rights),
        STATEMENT(a_window_keeps_the_address_space_of_its_store),
        STATEMENT(a_phys_window_bypasses_the_first_stage),
        STATEMENT(the_host_can_own_and_use_windows),
        STATEMENT(translations_are_kept_until_fenced),
        STATEMENT(a_flush_forgets_what_pmp_allowed),
        STATEMENT(windows_of_two_spaces_share_no_translation),
        STATEMENT(windows_of_two_guests_share_no_translation),
        STATEMENT(a_window_as_user_lends_the_kernels_no_translation),
        STATEMENT(only_the_owner_and_the_host_fence_a_window),
        STATEMENT(a_ring_adds_1_and_notifies),
        STATEMENT(a_ring_wants_an_aligned_word_in_the_window),
        STATEMENT(a_handle_register_is_32_bits_wide),
        STATEMENT(query_describes_a_window_to_its_owner_and_peer_alone),
        STATEMENT(query_of_index_minus_1_tells_the_sizes),
        STATEMENT(refusals_of_the_rightful_peer_are_counted),
        STATEMENT(windows_of_different_harts_tables_stay_apart),
        cmocka_unit_test(the_kernel_copies_every_alignment_and_length),
        cmocka_unit_test(the_kernel_copies_long_runs),
        cmocka_unit_test(aligned_doublewords_move_whole),
        cmocka_unit_test(the_engine_agrees_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
