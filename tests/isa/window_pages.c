/* SPDX-License-Identifier: MIT */
/*
 * Xisthmus: pieces of many pages. Both sides are scattered over physical memory, in every pair of
 * paging modes, as superpages and NAPOT ranges, with a page that does not do somewhere: how much is
 * moved, that it is the right bytes and no others, and what follows where nothing could be moved
 * (docs/spec/xisthmus.md, "Checks, translation and copy").
 */
#include "isa.h"
#include "../../../include/xisthmus.h"

#define OP(name, text)                                                                             \
    __asm__(".globl " #name "\n" #name ": .insn " text "\n ret\n");                                \
    extern const char name[]
OP(put, "r4 0x2b, 0, 0, a0, a0, a1, a2");
OP(get, "r4 0x2b, 0, 1, a0, a0, a1, a2");
OP(store_window, "r4 0x2b, 0, 2, a0, a0, a1, a2");
OP(alloc, "r 0x2b, 1, 8, a0, a0, x0");
OP(fence_everything, "r 0x2b, 1, 10, a0, x0, x0");

#define STATUS(s) ((u64)(i64)(s))
#define PAGES 18UL
#define BIG (1UL << 21)

/* A guest: its pages from va on, page i of which is physical page at[i] of its pool. */
struct side {
    u64 va, gpa, pool;
    u64 *vs, *g;
    enum mode vs_mode, g_mode;
    u64 at[PAGES];
};
static struct side owner = {.va = 0x140000000, .gpa = 0x1c0000000, .pool = 0x84000000};
static struct side peer = {.va = 0x148000000, .gpa = 0x1d0000000, .pool = 0x84400000};
static u64 handle, seed;

static u64 below(u64 n)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (seed >> 33) % n;
}

static void shuffle(u64 *v)
{
    for (u64 i = 0; i < PAGES; i++)
        v[i] = i;
    for (u64 i = PAGES - 1; i; i--) {
        u64 j = below(i + 1), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}

static u64 *vs_pte(struct side *s, u64 page)
{
    return pte_of(s->vs, s->vs_mode, s->va + page * PAGE, 0);
}

static void make_tables(struct side *s, enum mode vs_mode, enum mode g_mode)
{
    s->vs_mode = vs_mode;
    s->g_mode = g_mode;
    s->g = table_new(1);
    s->vs = table_new(0);
    map(s->g, g_mode, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map_image(s->vs, vs_mode);
}

/* Both stages in 4 KiB pages, in an order of their own each. */
static void scatter(struct side *s, enum mode vs_mode, enum mode g_mode)
{
    u64 gpa_of[PAGES], pa_of[PAGES];

    make_tables(s, vs_mode, g_mode);
    shuffle(gpa_of);
    shuffle(pa_of);
    for (u64 i = 0; i < PAGES; i++) {
        map(s->g, g_mode, s->gpa + i * PAGE, s->pool + pa_of[i] * PAGE, 0, PTE_LEAF | PTE_U);
        map(s->vs, vs_mode, s->va + i * PAGE, s->gpa + gpa_of[i] * PAGE, 0, PTE_LEAF);
        s->at[i] = pa_of[gpa_of[i]];
    }
}

static void in_order(struct side *s)
{
    for (u64 i = 0; i < PAGES; i++)
        s->at[i] = i;
}

static void run_as(const struct side *s)
{
    csr_write(HGATP, gatp_value(s->g, s->g_mode, s == &owner ? 1 : 2));
    csr_write(VSATP, atp_value(s->vs, s->vs_mode, 5));
}

static u64 does(enum level level, const char *op, u64 a0, u64 a1, u64 a2)
{
    CHECK_EQ(run(level, op, a0, a1, a2, 0), ecall_of(level));
    return m_trap.x[10];
}

static void forget_tables(void)
{
    csr_write(VSATP, 0);
    csr_write(HGATP, 0);
    tables_free();
    fence_all();
}

/* A window of the owner over `pages` pages, for the peer, which runs then. */
static void open_window(u64 pages)
{
    u64 *d = (u64 *)data_page(8);

    csr_write(CSR_HIWT, HIWT_EN | (u64)d >> 12);
    for (u64 i = 0; i < 16; i++)
        d[i] = 0;
    d[IGD_OWNER / 8] = gatp_value(owner.g, owner.g_mode, 0);
    d[IGD_PEER / 8] = (u64)peer.g >> 12;
    d[IGD_MAX_LEN / 8] = 1UL << 40;
    d[IGD_CTL / 8] = IGC_CR | IGC_CW;
    fence_all();
    handle = does(S, alloc, 0, 0, 0);
    run_as(&owner);
    CHECK_EQ(does(VS, store_window, owner.va, pages * PAGE, handle | IGS_R | IGS_W), 0);
    run_as(&peer);
}

static u64 *word(const struct side *s, u64 offset)
{
    return (u64 *)(s->pool + s->at[offset / PAGE] * PAGE + offset % PAGE);
}

static void fill(const struct side *s, u64 value)
{
    for (u64 i = 0; i < PAGES * PAGE; i += 8)
        *word(s, i) = value + i;
}

/* A transfer of len bytes at these offsets, multiples of 8, of which n are to be moved: it says so,
 * and that is what was moved. */
static void check_moved(int is_put, u64 far, u64 near, u64 len, u64 n)
{
    const struct side *to = is_put ? &owner : &peer, *from = is_put ? &peer : &owner;
    u64 to_off = is_put ? far : near, from_off = is_put ? near : far;

    fill(&owner, 0x1111000000000000);
    fill(&peer, 0x2222000000000000);
    CHECK_EQ(does(VS, is_put ? put : get, owner.va + far, peer.va + near, handle << 32 | len), n);
    for (u64 i = 0; i < PAGES * PAGE; i += 8) {
        int moved = i >= to_off && i < to_off + n;
        u64 before = (is_put ? 0x1111000000000000 : 0x2222000000000000) + i;
        u64 got = *word(to, i), want = moved ? *word(from, i - to_off + from_off) : before;

        if (got != want) {
            note("offset", i);
            CHECK_EQ(got, want);
        }
    }
}

static const enum mode modes[] = {SV39, SV48, SV57};

TEST(scattered_pages_in_every_pair_of_modes)
{
    for (int i = 0; i < 9; i++) {
        seed = (u64)i;
        note("pair of modes", (u64)i);
        forget_tables();
        scatter(&owner, modes[i % 3], modes[i / 3]);
        scatter(&peer, modes[i / 3], modes[i % 3]);
        open_window(PAGES);
        check_moved(0, 0, 0, 65536, 65536);
        check_moved(1, 8, 0, 65536, 65536);
        check_moved(0, PAGE - 8, PAGE + 16, 65536, 65536);
        check_moved(1, 2 * PAGE - 64, 2 * PAGE - 128, 65536, 65536);
        check_moved(1, 5 * PAGE + 32, 7 * PAGE - 32, 2 * PAGE, 2 * PAGE);
        /* A second time: from caches. */
        check_moved(0, 0, 0, 65536, 65536);
    }
}

/* What may be wrong with a page, and what follows: of the peer's, the exception of a get and a put
 * (0: none); of the owner's, the status. */
enum fault {
    FINE,
    NOT_MAPPED,
    NO_GUEST_PAGE,
    READ_ONLY,
    READ_ONLY_GUEST,
    USER,
    NO_A,
    NO_D,
    NAPOT,
    FAULTS
};
static const struct {
    u8 local_get, local_put;
    signed char remote_get, remote_put;
} follows[FAULTS] = {
    [NOT_MAPPED] = {STORE_PAGE, LOAD_PAGE, IG_REMOTE_FAULT, IG_REMOTE_FAULT},
    [NO_GUEST_PAGE] = {STORE_GUEST_PAGE, LOAD_GUEST_PAGE, IG_NOT_RESIDENT, IG_NOT_RESIDENT},
    [READ_ONLY] = {STORE_PAGE, 0, 0, IG_REMOTE_FAULT},
    [READ_ONLY_GUEST] = {STORE_GUEST_PAGE, 0, 0, IG_NOT_RESIDENT},
    [USER] = {STORE_PAGE, LOAD_PAGE, IG_REMOTE_FAULT, IG_REMOTE_FAULT},
    [NO_A] = {STORE_PAGE, LOAD_PAGE, 0, 0}, /* Svade here; Svadu there */
    [NO_D] = {STORE_PAGE, 0, 0, 0},
    [NAPOT] = {STORE_PAGE, LOAD_PAGE, IG_REMOTE_FAULT, IG_REMOTE_FAULT},
};

static void spoil(struct side *s, u64 page, enum fault fault)
{
    u64 *pte = vs_pte(s, page), gpa = *pte >> 10 << 12;
    u64 *gpte = pte_of(s->g, s->g_mode, gpa, 0);

    switch (fault) {
    case NOT_MAPPED:
        *pte = 0;
        break;
    case NO_GUEST_PAGE:
        *gpte = 0;
        break;
    case READ_ONLY:
        *pte &= ~PTE_W;
        break;
    case READ_ONLY_GUEST:
        *gpte &= ~PTE_W;
        break;
    case USER:
        *pte |= PTE_U;
        break;
    case NO_A:
        *pte &= ~(PTE_A | PTE_D);
        break;
    case NO_D:
        *pte &= ~PTE_D;
        break;
    case NAPOT: /* in no range of 64 KiB: a reserved encoding, unless PPN[3:0] happens to be 8 */
        *pte |= PTE_N | 1UL << 10;
        break;
    default:
        break;
    }
}

TEST(a_piece_ends_before_the_page_that_does_not_do)
{
    csr_write(MENVCFG, 0);
    for (u64 round = 0; round < 300; round++) {
        enum fault local_fault, remote_fault;
        u64 local_page, remote_page, far, near, len, n, to_local, to_remote;
        int is_put, local, remote;

        seed = round * 77777777;
        note("round", round);
        forget_tables();
        scatter(&owner, modes[below(3)], modes[below(3)]);
        scatter(&peer, modes[below(3)], modes[below(3)]);
        open_window(PAGES);
        is_put = (int)below(2);
        far = 8 * below(2 * PAGE / 8);
        near = 8 * below(2 * PAGE / 8);
        len = 8 * (1 + below(65536 / 8));
        local_fault = (enum fault)below(FAULTS);
        remote_fault = (enum fault)below(FAULTS);
        local_page = below(PAGES);
        remote_page = below(PAGES);
        if (below(2)) /* once before, so that caches are full */
            does(VS, is_put ? put : get, owner.va + far, peer.va + near, handle << 32 | len);
        spoil(&peer, local_page, local_fault);
        spoil(&owner, remote_page, remote_fault);
        fence_all();
        CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
        local = is_put ? follows[local_fault].local_put : follows[local_fault].local_get;
        remote = is_put ? follows[remote_fault].remote_put : follows[remote_fault].remote_get;
        to_local = local ? local_page * PAGE - near : len;
        to_remote = remote ? remote_page * PAGE - far : len;
        if ((i64)to_local < 0) /* the page of the first byte, or one before */
            to_local = near / PAGE == local_page ? 0 : len;
        if ((i64)to_remote < 0)
            to_remote = far / PAGE == remote_page ? 0 : len;
        n = len < to_local ? len : to_local;
        n = n < to_remote ? n : to_remote;
        if (n) {
            check_moved(is_put, far, near, len, n);
        } else if (!to_local) {
            CHECK_EQ(
                run(VS, is_put ? put : get, owner.va + far, peer.va + near, handle << 32 | len, 0),
                (u64)local);
            CHECK_EQ(m_trap.tval, peer.va + near);
        } else {
            CHECK_EQ(
                does(VS, is_put ? put : get, owner.va + far, peer.va + near, handle << 32 | len),
                STATUS(remote));
        }
    }
}

/* The pages of a side in one order; each stage in pages of 4 KiB or 2 MiB. */
static void straight(struct side *s, int vs_big, int g_big)
{
    make_tables(s, SV39, SV48);
    in_order(s);
    for (u64 off = 0; off < PAGES * PAGE; off += g_big ? BIG : PAGE)
        map(s->g, SV48, s->gpa + off, s->pool + off, g_big, PTE_LEAF | PTE_U);
    for (u64 off = 0; off < PAGES * PAGE; off += vs_big ? BIG : PAGE)
        map(s->vs, SV39, s->va + off, s->gpa + off, vs_big, PTE_LEAF);
}

TEST(superpages_of_either_stage)
{
    for (u64 i = 0; i < 16; i++) {
        note("which are large", i);
        forget_tables();
        straight(&owner, i & 1, i >> 1 & 1);
        straight(&peer, i >> 2 & 1, i >> 3 & 1);
        open_window(PAGES);
        check_moved(0, PAGE, 8, 65536, 65536);
        check_moved(1, 24, 2 * PAGE - 24, 65536, 65536);
        /* Read-only in either stage: nothing can be put; once it is not, after a fence, it can. */
        u64 *pte = pte_of(owner.vs, SV39, owner.va, i & 1);
        *pte &= ~PTE_W;
        CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
        CHECK_EQ(does(VS, put, owner.va, peer.va, handle << 32 | 65536), STATUS(IG_REMOTE_FAULT));
        check_moved(0, 0, 0, 4096, 4096);
        *pte |= PTE_W;
        CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
        check_moved(1, 0, 0, 65536, 65536);
    }
}

TEST(dirty_bits_of_superpages_and_of_pages_are_exact)
{
    for (u64 big = 0; big < 2; big++) {
        forget_tables();
        straight(&owner, (int)big, (int)big);
        straight(&peer, 0, 0);
        u64 *vs = pte_of(owner.vs, SV39, owner.va, (int)big);
        u64 *g = pte_of(owner.g, SV48, owner.gpa, (int)big);
        for (u64 i = 0; i < (big ? 1 : PAGES); i++) {
            vs[i] &= ~(PTE_A | PTE_D);
            g[i] &= ~(PTE_A | PTE_D);
        }
        open_window(PAGES);
        CHECK_EQ(does(VS, get, owner.va, peer.va, handle << 32 | 3 * PAGE), 3 * PAGE);
        CHECK_EQ(vs[0] & (PTE_A | PTE_D), PTE_A);
        CHECK_EQ(g[0] & (PTE_A | PTE_D), PTE_A);
        CHECK_EQ(does(VS, put, owner.va + PAGE, peer.va, handle << 32 | 2 * PAGE), 2 * PAGE);
        for (u64 i = 0; i < (big ? 1 : PAGES); i++) {
            note("page", i);
            CHECK_EQ(vs[i] & PTE_D, big || i == 1 || i == 2 ? PTE_D : 0);
            CHECK_EQ(g[i] & PTE_D, big || i == 1 || i == 2 ? PTE_D : 0);
        }
    }
}

TEST(napot_ranges_and_memory_types_on_both_sides)
{
    forget_tables();
    csr_write(MENVCFG, 1UL << 62); /* PBMTE */
    csr_write(HENVCFG, 1UL << 62);
    straight(&owner, 0, 0);
    straight(&peer, 0, 0);
    for (u64 i = 0; i < 16; i++) {
        *vs_pte(&owner, i) = (owner.gpa >> 12 | 8) << 10 | PTE_LEAF | PTE_N;
        *pte_of(peer.g, SV48, peer.gpa + i * PAGE, 0) =
            (peer.pool >> 12 | 8) << 10 | PTE_LEAF | PTE_U | PTE_N;
        *pte_of(owner.g, SV48, owner.gpa + i * PAGE, 0) |= PTE_PBMT_NC;
        *vs_pte(&peer, i) |= PTE_PBMT_IO;
    }
    open_window(PAGES);
    check_moved(0, 0, 8, 65536, 65536);
    check_moved(1, PAGE - 16, 0, 65536, 65536);
    /* Without PBMTE of the executing hart these are reserved bits: the G-stage's a guest-page
     * fault. */
    csr_write(HENVCFG, 0);
    csr_write(MENVCFG, 0);
    fence_all();
    CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
    CHECK_EQ(run(VS, get, owner.va, peer.va, handle << 32 | 64, 0), STORE_PAGE);
    for (u64 i = 0; i < 16; i++)
        *vs_pte(&peer, i) &= ~PTE_PBMT_IO;
    fence_all();
    CHECK_EQ(does(VS, get, owner.va, peer.va, handle << 32 | 64), STATUS(IG_NOT_RESIDENT));
}

TEST(no_domain_and_no_owner_without_a_g_stage)
{
    forget_tables();
    straight(&owner, 0, 0);
    straight(&peer, 0, 0);
    open_window(PAGES);
    /* V=1 with hgatp Bare, and with PPN 0: nobody. */
    csr_write(HGATP, 0);
    csr_write(VSATP, 0);
    fence_all();
    CHECK_EQ(does(VS, get, owner.va, (u64)data_page(0), handle << 32 | 8), STATUS(IG_DENIED));
    CHECK_EQ(does(VS, fence_everything, 0, 0, 0), STATUS(IG_DENIED));
    /* An owner field with MODE Bare is none. */
    u64 *d = (u64 *)data_page(8);
    d[0] = IGC_CR | IGC_CW;
    d[IGD_OWNER / 8] = (u64)owner.g >> 12;
    CHECK_EQ(does(S, alloc, 0, 0, 0), STATUS(IG_DENIED));
}
