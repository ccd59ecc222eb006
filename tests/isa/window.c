/* SPDX-License-Identifier: MIT */
/*
 * Xisthmus as a hart executes it: who may execute what, what comes first where several things are
 * wrong, local and remote translation, faults and restart, accounting (docs/spec/xisthmus.md).
 */
#include "isa.h"
#include "../../../include/xisthmus.h"

#define STATUS(s) ((u64)(i64)(s))

/* Each is one instruction on a0, a1 and a2, with its result in a0. */
#define OP(name, text)                                                                             \
    __asm__(".globl " #name "\n" #name ": .insn " text "\n ret\n");                                \
    extern const char name[]
OP(put, "r4 0x2b, 0, 0, a0, a0, a1, a2");
OP(get, "r4 0x2b, 0, 1, a0, a0, a1, a2");
OP(store_window, "r4 0x2b, 0, 2, a0, a0, a1, a2");
OP(drop, "r 0x2b, 1, 0, a0, a0, x0");
OP(bind_user, "r 0x2b, 1, 1, a0, a0, a1");
OP(query, "r 0x2b, 1, 2, a0, a0, a1");
OP(ring, "r 0x2b, 1, 3, a0, a0, a1");
OP(alloc, "r 0x2b, 1, 8, a0, a0, x0");
OP(free_window, "r 0x2b, 1, 9, a0, a0, x0");
OP(fence, "r 0x2b, 1, 10, a0, a0, x0");
OP(fence_everything, "r 0x2b, 1, 10, a0, x0, x0");
OP(suspend, "r 0x2b, 1, 11, a0, a0, a1");

/* Where the owner and the peer see two pages each; the page behind them is not mapped. */
#define OWNER_VA 0x140000000UL
#define OWNER_GPA 0x1c0000000UL
#define PEER_VA 0x143000000UL
#define PEER_GPA 0x1d0000000UL
#define INDEX 3UL

static u64 *owner_vs, *owner_g, *peer_vs, *peer_g;
static u64 handle;

static u8 *owner_bytes(void)
{
    return data_page(1);
}

static u8 *peer_bytes(void)
{
    return data_page(4);
}

static u64 *descriptor(u64 index)
{
    return (u64 *)(data_page(8) + IGD_SIZE * index);
}

#define FIELD(offset) (descriptor(INDEX)[(offset) / 8])

static u64 *two_pages(u64 *g, u64 va, u64 gpa, u8 *bytes, enum mode mode)
{
    u64 *vs = table_new(0);
    map(g, SV39, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map_image(vs, mode);
    for (u64 i = 0; i < 2; i++) {
        map(g, SV39, gpa + i * PAGE, (u64)bytes + i * PAGE, 0, PTE_LEAF | PTE_U);
        map(vs, mode, va + i * PAGE, gpa + i * PAGE, 0, PTE_LEAF);
    }
    return vs;
}

static void as_owner(void)
{
    csr_write(HGATP, gatp_value(owner_g, SV39, 1));
    csr_write(VSATP, atp_value(owner_vs, SV48, 7));
}

static void as_peer(void)
{
    csr_write(HGATP, gatp_value(peer_g, SV39, 2));
    csr_write(VSATP, atp_value(peer_vs, SV39, 7));
}

/* The result of an instruction that retires. */
static u64 does(enum level level, const char *op, u64 a0, u64 a1, u64 a2)
{
    CHECK_EQ(run(level, op, a0, a1, a2, 0), ecall_of(level));
    return m_trap.x[10];
}

static u64 transfer(u64 len)
{
    return handle << IG_XFER_HANDLE_SHIFT | len;
}

/* Two guests and a window, allocated but not open. */
static void start(void)
{
    csr_write(VSATP, 0);
    csr_write(HGATP, 0);
    tables_free();
    csr_write(MENVCFG, 0);
    owner_g = table_new(1);
    peer_g = table_new(1);
    owner_vs = two_pages(owner_g, OWNER_VA, OWNER_GPA, owner_bytes(), SV48);
    peer_vs = two_pages(peer_g, PEER_VA, PEER_GPA, peer_bytes(), SV39);
    alias_of[VU] = USER_ALIAS;
    csr_write(CSR_HIWT, HIWT_EN | 5UL << HIWT_SIZE_SHIFT | (u64)descriptor(0) >> 12);
    FIELD(IGD_OWNER) = gatp_value(owner_g, SV39, 99);
    FIELD(IGD_PEER) = (u64)peer_g >> 12;
    FIELD(IGD_MAX_LEN) = 1UL << 40;
    FIELD(IGD_CTL) = IGC_CEILINGS;
    fence_all();
    handle = does(S, alloc, INDEX, 0, 0);
    CHECK_EQ(handle & IGH_INDEX_MASK, INDEX);
    for (u64 i = 0; i < 2 * PAGE; i++)
        owner_bytes()[i] = (u8)(i * 7 + i / 256);
}

static void open_range(u64 base, u64 len, u64 flags)
{
    as_owner();
    CHECK_EQ(does(VS, store_window, base, len, handle | flags), 0);
    as_peer();
}

static void open_pages(void)
{
    open_range(OWNER_VA, 2 * PAGE, IGS_R | IGS_W);
}

/* ---- who may execute what ---- */
static const u32 every[] = {
    0x00c5052b | 0 << 25,           0x00c5052b | 1 << 25 | 10 << 27, 0x00c5052b | 2 << 25,
    R_TYPE(0x2b, 1, 0, 10, 10, 0),  R_TYPE(0x2b, 1, 1, 10, 10, 11),  R_TYPE(0x2b, 1, 2, 10, 10, 11),
    R_TYPE(0x2b, 1, 3, 10, 10, 11), R_TYPE(0x2b, 1, 8, 10, 10, 0),   R_TYPE(0x2b, 1, 9, 10, 10, 0),
    R_TYPE(0x2b, 1, 10, 10, 10, 0), R_TYPE(0x2b, 1, 11, 10, 10, 11)};
/* By level: everyone; not user modes; the host's kernel alone. */
static const u8 kind[] = {0, 0, 1, 1, 1, 0, 0, 2, 2, 1, 2};

TEST(each_instruction_has_its_levels)
{
    static const enum level levels[] = {M, S, U, VS, VU};
    start();
    as_peer();
    for (int i = 0; i < 11; i++)
        for (int j = 0; j < 5; j++) {
            enum level l = levels[j];
            int refused =
                l == M || (kind[i] >= 1 && (l == U || l == VU)) || (kind[i] == 2 && l == VS);
            u64 want = !refused ? ecall_of(l) : l & 4 ? VIRTUAL : ILLEGAL;
            note("instruction, level", (u64)(i << 4 | (int)l));
            CHECK_EQ(run_insn(l, every[i], 0x7fffffff, 0), want);
            CHECK_EQ(m_trap.tval, refused ? every[i] : 0);
        }
}

TEST(all_are_illegal_while_en_is_0)
{
    static const enum level levels[] = {M, S, U, VS, VU};
    start();
    as_peer();
    csr_write(CSR_HIWT, csr_read(CSR_HIWT) & ~HIWT_EN);
    for (int i = 0; i < 11; i++)
        for (int j = 0; j < 5; j++) {
            note("instruction, level", (u64)(i << 4 | (int)levels[j]));
            CHECK_EQ(run_insn(levels[j], every[i], 0, 0), ILLEGAL);
            CHECK_EQ(m_trap.tval, every[i]);
        }
}

TEST(all_other_encodings_of_custom_1_are_illegal)
{
    start();
    for (u32 funct7 = 0; funct7 < 128; funct7++) {
        note("funct7", funct7);
        if (funct7 > 3 && (funct7 < 8 || funct7 > 11))
            CHECK_EQ(run_insn(S, R_TYPE(0x2b, 1, funct7, 10, 10, 11), 0, 0), ILLEGAL);
        if ((funct7 & 3) == 3)
            CHECK_EQ(run_insn(S, R_TYPE(0x2b, 0, funct7, 10, 10, 11), 0, 0), ILLEGAL);
    }
}

TEST(hiwt_fields_and_access)
{
    csr_write(CSR_HIWT, -1UL);
    u64 v = csr_read(CSR_HIWT);
    CHECK_EQ(v >> 63, 1);
    CHECK_EQ(v >> 58 & 31, 20);
    CHECK_EQ(v >> 44 & 0x3fff, 0);
    for (u64 n = 0; n < 32; n++) {
        csr_write(CSR_HIWT, n << 58 | 0x80123);
        CHECK_EQ(csr_read(CSR_HIWT), (n > 20 ? 20 : n) << 58 | 0x80123);
    }
    csr_write(CSR_HIWT, 0);
    CHECK_EQ(run_insn(S, CSRRW(A0, CSR_HIWT, A1), 0, 0x80123), ECALL_S);
    CHECK_EQ(csr_read(CSR_HIWT), 0x80123);
    CHECK_EQ(run_insn(U, CSRR(A0, CSR_HIWT), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VS, CSRR(A0, CSR_HIWT), 0, 0), VIRTUAL);
    CHECK_EQ(run_insn(VS, CSRRW(0, CSR_HIWT, A0), 0, 0), VIRTUAL);
    CHECK_EQ(run_insn(VU, CSRR(A0, CSR_HIWT), 0, 0), VIRTUAL);
    csr_write(CSR_HIWT, 0);
}

/* ---- statuses ---- */
TEST(the_first_status_that_applies)
{
    start();
    as_peer();
    /* Not open; then everything wrong at once. */
    CHECK_EQ(does(VS, get, 0, 0, transfer(0)), STATUS(IG_DENIED));
    open_range(OWNER_VA, 2 * PAGE, IGS_R);
    CHECK_EQ(does(S, suspend, handle, 1, 0), 0);
    CHECK_EQ(does(VS, put, 0, 0, transfer(-1U)), STATUS(IG_DENIED)); /* no right */
    CHECK_EQ(does(VS, get, 0, 0, transfer(-1U)), STATUS(IG_BUSY));
    CHECK_EQ(does(VS, get, 0, 0, transfer(0)), STATUS(IG_BUSY));
    CHECK_EQ(does(VU, get, 0, 0, transfer(0)), STATUS(IG_DENIED)); /* not bound */
    CHECK_EQ(does(S, get, 0, 0, transfer(0)), STATUS(IG_DENIED));  /* the host is not the peer */
    CHECK_EQ(does(S, suspend, handle, 2, 0), STATUS(IG_RANGE));
    CHECK_EQ(does(S, suspend, handle, 0, 0), 0);
    CHECK_EQ(does(VS, get, 0, 0, transfer(0)), 0);
    CHECK_EQ(does(VS, get, OWNER_VA, 0, transfer(-1U)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, OWNER_VA - 1, 0, transfer(1)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, OWNER_VA + 2 * PAGE, 0, transfer(1)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, OWNER_VA + PAGE, 0, transfer(PAGE + 1)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, -1UL, 0, transfer(2)), STATUS(IG_RANGE));
    /* Stale keys, and a guest whose hgatp is Bare. */
    u64 good = handle;
    handle ^= 1UL << IGH_KEY_SHIFT;
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_DENIED));
    handle = good & IGH_INDEX_MASK;
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_DENIED));
    handle = good;
    csr_write(VSATP, 0);
    alias_of[VU] = 0;
    csr_write(HGATP, (u64)peer_g >> 12);
    CHECK_EQ(does(VS, get, OWNER_VA, (u64)peer_bytes(), transfer(8)), STATUS(IG_DENIED));
    CHECK_EQ(does(VS, query, -1UL, 0, 0), 0);
    CHECK_EQ(does(VS, fence_everything, 0, 0, 0), STATUS(IG_DENIED));
}

TEST(what_the_owner_may_store)
{
    start();
    FIELD(IGD_MAX_LEN) = PAGE;
    FIELD(IGD_CTL) = FIELD(IGD_CTL) & ~IGC_CW;
    CHECK_EQ(does(S, fence, handle, 0, 0), 0);
    as_peer();
    CHECK_EQ(does(VS, store_window, 0, 0, handle), STATUS(IG_DENIED));
    as_owner();
    CHECK_EQ(does(VS, store_window, 0, -1UL, handle | IGS_W), STATUS(IG_CEILING));
    CHECK_EQ(does(VS, store_window, 0, 0, handle | 1UL << 37), STATUS(IG_CEILING));
    CHECK_EQ(does(VS, store_window, 0, PAGE + 1, handle | IGS_R), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, store_window, -8UL, 9, handle | IGS_R), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, store_window, -8UL, 8, handle | IGS_R), 0);
    CHECK_EQ(FIELD(IGD_BASE), -8UL);
    CHECK_EQ(FIELD(IGD_OWNER_ATP), csr_read(VSATP));
    CHECK_EQ(does(VS, drop, handle, 0, 0), 0);
    CHECK_EQ(FIELD(IGD_CTL) & (IGC_OPEN | IGC_R), 0);
    CHECK_EQ(does(S, free_window, handle, 0, 0), 0);
    CHECK_EQ(does(VS, store_window, 0, 8, handle | IGS_R), STATUS(IG_DENIED));
    u64 again = does(S, alloc, INDEX, 0, 0);
    CHECK_EQ(again, handle + (1UL << IGH_KEY_SHIFT));
    CHECK_EQ(does(S, alloc, INDEX, 0, 0), STATUS(IG_BUSY));
    CHECK_EQ(does(S, alloc, 32, 0, 0), STATUS(IG_RANGE));
}

TEST(keys_skip_0)
{
    start();
    CHECK_EQ(does(S, free_window, handle, 0, 0), 0);
    FIELD(IGD_CTL) = IGC_CEILINGS | 0xfffUL << IGC_KEY_SHIFT;
    CHECK_EQ(does(S, alloc, INDEX, 0, 0), INDEX | 1UL << IGH_KEY_SHIFT);
}

/* ---- translation, faults, restart ---- */
TEST(bytes_go_both_ways_and_are_counted)
{
    start();
    open_pages();
    CHECK_EQ(does(VS, get, OWNER_VA + 5, PEER_VA + 3, transfer(PAGE)), PAGE);
    for (u64 i = 0; i < PAGE; i++)
        CHECK_EQ(peer_bytes()[3 + i], owner_bytes()[5 + i]);
    CHECK_EQ(peer_bytes()[2], 0);
    CHECK_EQ(peer_bytes()[3 + PAGE], 0);
    peer_bytes()[0x10] = 0x99;
    CHECK_EQ(does(VS, put, OWNER_VA + 0xfff, PEER_VA + 0x10, transfer(1)), 1);
    CHECK_EQ(owner_bytes()[0xfff], 0x99);
    CHECK_EQ(FIELD(IGD_BYTES_GOT), PAGE);
    CHECK_EQ(FIELD(IGD_BYTES_PUT), 1);
    CHECK_EQ(does(VS, query, INDEX, IGQ_BYTES_GOT, 0), PAGE);
    CHECK_EQ(FIELD(IGD_FAULTS), 0);
    CHECK_EQ(does(VS, put, 0, PEER_VA, transfer(1)), STATUS(IG_RANGE));
    CHECK_EQ(FIELD(IGD_FAULTS), 1);
}

TEST(a_local_fault_is_a_trap_where_nothing_was_moved)
{
    start();
    open_pages();
    /* 16 bytes are left of the peer's pages: that much is done, and then the fault. */
    u64 at = PEER_VA + 2 * PAGE - 16;
    CHECK_EQ(does(VS, get, OWNER_VA, at, transfer(64)), 16);
    CHECK_EQ(run(VS, get, OWNER_VA + 16, at + 16, transfer(48), 0), STORE_PAGE);
    CHECK_EQ(m_trap.tval, at + 16);
    CHECK_EQ(m_trap.epc, (u64)get);
    CHECK_EQ(m_trap.x[10], OWNER_VA + 16);
    CHECK_EQ(!!(m_trap.status & MSTATUS_GVA), 1);
    CHECK_EQ(run(VS, put, OWNER_VA + 16, at + 16, transfer(48), 0), LOAD_PAGE);
    /* Both fail: the local one counts, and is no refusal. */
    *pte_of(owner_vs, SV48, OWNER_VA, 0) = 0;
    CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
    u64 faults = FIELD(IGD_FAULTS);
    CHECK_EQ(run(VS, get, OWNER_VA, at + 16, transfer(48), 0), STORE_PAGE);
    CHECK_EQ(FIELD(IGD_FAULTS), faults);
    /* The G-stage's fault has the guest-physical address. */
    map(peer_vs, SV39, PEER_VA + 2 * PAGE, PEER_GPA + 8 * PAGE, 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(run(VS, get, OWNER_VA + PAGE, PEER_VA + 2 * PAGE + 4, transfer(8), 0),
             STORE_GUEST_PAGE);
    CHECK_EQ(m_trap.tval2, (PEER_GPA + 8 * PAGE + 4) >> 2);
    CHECK_EQ(m_trap.tinst, 0);
    CHECK_EQ(run(VS, put, OWNER_VA + PAGE, PEER_VA + 2 * PAGE + 4, transfer(8), 0),
             LOAD_GUEST_PAGE);
    /* A device is no memory: an access fault. */
    map(peer_g, SV39, PEER_GPA + 8 * PAGE, 0x10000000, 0, PTE_LEAF | PTE_U);
    fence_all();
    CHECK_EQ(run(VS, get, OWNER_VA + PAGE, PEER_VA + 2 * PAGE, transfer(8), 0), STORE_ACCESS);
    CHECK_EQ(run(VS, put, OWNER_VA + PAGE, PEER_VA + 2 * PAGE, transfer(8), 0), LOAD_ACCESS);
}

TEST(a_remote_fault_is_a_status)
{
    start();
    open_range(OWNER_VA, 16 * PAGE, IGS_R | IGS_W);
    u64 last = OWNER_VA + 2 * PAGE;
    CHECK_EQ(does(VS, get, last - 8, PEER_VA, transfer(64)), 8);
    CHECK_EQ(does(VS, get, last, PEER_VA, transfer(56)), STATUS(IG_REMOTE_FAULT));
    map(owner_vs, SV48, last, OWNER_GPA + 8 * PAGE, 0, PTE_LEAF);
    CHECK_EQ(does(VS, get, last, PEER_VA, transfer(8)), STATUS(IG_NOT_RESIDENT));
    CHECK_EQ(does(VS, put, last, PEER_VA, transfer(8)), STATUS(IG_NOT_RESIDENT));
    map(owner_g, SV39, OWNER_GPA + 8 * PAGE, 0x10000000, 0, PTE_LEAF | PTE_U); /* a device */
    CHECK_EQ(does(VS, get, last, PEER_VA, transfer(8)), STATUS(IG_REMOTE_FAULT));
    CHECK_EQ(FIELD(IGD_FAULTS), 4);
    /* Read-only pages of either stage; U pages are not the kernel's. */
    *pte_of(owner_vs, SV48, OWNER_VA, 0) &= ~PTE_W;
    *pte_of(owner_g, SV39, OWNER_GPA + PAGE, 0) &= ~PTE_W;
    CHECK_EQ(does(S, fence_everything, 0, 0, 0), 0);
    CHECK_EQ(does(VS, put, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_REMOTE_FAULT));
    CHECK_EQ(does(VS, put, OWNER_VA + PAGE, PEER_VA, transfer(8)), STATUS(IG_NOT_RESIDENT));
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), 8);
    *pte_of(owner_vs, SV48, OWNER_VA, 0) |= PTE_U;
    CHECK_EQ(does(S, fence, handle, 0, 0), 0);
    csr_write(VSSTATUS, MSTATUS_SUM | MSTATUS_MXR);
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_REMOTE_FAULT));
    /* As from user mode: the reverse. */
    open_range(OWNER_VA, 2 * PAGE, IGS_R | IGS_ASU);
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), 8);
    CHECK_EQ(does(VS, get, OWNER_VA + PAGE, PEER_VA, transfer(8)), STATUS(IG_REMOTE_FAULT));
}

TEST(remote_a_and_d_are_set_whatever_adue)
{
    start();
    u64 *vs = pte_of(owner_vs, SV48, OWNER_VA, 0), *g = pte_of(owner_g, SV39, OWNER_GPA, 0);
    *vs &= ~(PTE_A | PTE_D);
    *g &= ~(PTE_A | PTE_D);
    open_pages();
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), 8);
    CHECK_EQ(*vs & (PTE_A | PTE_D), PTE_A);
    CHECK_EQ(*g & (PTE_A | PTE_D), PTE_A);
    CHECK_EQ(does(VS, put, OWNER_VA, PEER_VA, transfer(8)), 8);
    CHECK_EQ(*vs & *g & (PTE_A | PTE_D), PTE_A | PTE_D);
    /* The local side goes by the rules of the context: Svade. */
    *pte_of(peer_vs, SV39, PEER_VA, 0) &= ~PTE_D;
    fence_all();
    CHECK_EQ(run(VS, get, OWNER_VA, PEER_VA, transfer(8), 0), STORE_PAGE);
    CHECK_EQ(does(VS, put, OWNER_VA, PEER_VA, transfer(8)), 8);
}

TEST(phys_and_zero_based_windows)
{
    start();
    open_range(OWNER_GPA + PAGE, PAGE, IGS_R | IGS_PHYS);
    CHECK_EQ(FIELD(IGD_OWNER_ATP), 0);
    CHECK_EQ(does(VS, get, OWNER_GPA + PAGE, PEER_VA, transfer(8)), 8);
    CHECK_EQ(*(u64 *)peer_bytes(), *(u64 *)(owner_bytes() + PAGE));
    open_range(OWNER_VA + 64, 64, IGS_R | IGS_ZB);
    CHECK_EQ(does(VS, get, 8, PEER_VA, transfer(56)), 56);
    CHECK_EQ(*(u64 *)peer_bytes(), *(u64 *)(owner_bytes() + 72));
    CHECK_EQ(does(VS, get, 8, PEER_VA, transfer(57)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, OWNER_VA + 64, PEER_VA, transfer(8)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, get, -8UL, PEER_VA, transfer(8)), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, query, INDEX, IGQ_BASE, 0), 0);
    as_owner();
    CHECK_EQ(does(VS, query, INDEX, IGQ_BASE, 0), OWNER_VA + 64);
    CHECK_EQ(does(VS, query, INDEX, IGQ_ROLE, 0),
             IGQ_ROLE_OWNER | IGC_CEILINGS | IGC_ZB | IGC_R | IGC_OPEN | IGC_ALLOC);
}

TEST(user_mode_is_bound_by_address_space)
{
    start();
    open_pages();
    map(peer_vs, SV39, PEER_VA + PAGE, PEER_GPA + PAGE, 0, PTE_LEAF | PTE_U);
    fence_all();
    u64 at = PEER_VA + PAGE;
    CHECK_EQ(does(VU, get, OWNER_VA, at, transfer(8)), STATUS(IG_DENIED));
    CHECK_EQ(does(VU, query, INDEX, IGQ_LEN, 0), 0);
    CHECK_EQ(does(VU, query, -1UL, IGQ_TABLE_SIZE, 0), 32);
    CHECK_EQ(does(VS, bind_user, handle, 2, 0), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, bind_user, handle, 1, 0), 0);
    CHECK_EQ(does(VU, get, OWNER_VA, at, transfer(8)), 8);
    CHECK_EQ(does(VU, query, INDEX, IGQ_LEN, 0), 2 * PAGE);
    csr_write(VSATP, atp_value(peer_vs, SV39, 8)); /* ASIDs do not count */
    CHECK_EQ(does(VU, get, OWNER_VA, at, transfer(8)), 8);
    CHECK_EQ(run(VU, get, OWNER_VA, PEER_VA, transfer(8), 0), STORE_PAGE); /* the kernel's page */
    u64 *other = table_new(0);
    map_image(other, SV39);
    map(other, SV39, at, PEER_GPA + PAGE, 0, PTE_LEAF | PTE_U);
    csr_write(VSATP, atp_value(other, SV39, 7));
    fence_all();
    CHECK_EQ(does(VU, get, OWNER_VA, at, transfer(8)), STATUS(IG_DENIED));
    as_peer();
    CHECK_EQ(does(VS, bind_user, handle, 0, 0), 0);
    CHECK_EQ(does(VU, get, OWNER_VA, at, transfer(8)), STATUS(IG_DENIED));
    as_owner();
    CHECK_EQ(does(VS, bind_user, handle, 1, 0), STATUS(IG_DENIED));
}

TEST(others_windows_are_not_to_be_seen)
{
    start();
    open_pages();
    u64 third = (u64)table_new(1);
    map((u64 *)third, SV39, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    csr_write(HGATP, gatp_value((u64 *)third, SV39, 3));
    csr_write(VSATP, 0);
    alias_of[VU] = 0;
    for (u64 field = 0; field < 8; field++)
        CHECK_EQ(does(VS, query, INDEX, field, 0), 0);
    static const char *const ops[] = {put, get, store_window, drop, bind_user, ring, fence};
    for (int i = 0; i < 7; i++) {
        note("instruction", (u64)i);
        u64 a0 = i < 3 ? OWNER_VA : i == 5 ? OWNER_VA : handle;
        u64 a1 = i == 5 ? handle : 1;
        u64 real = does(VS, ops[i], a0, a1, i == 2 ? handle : transfer(8));
        CHECK_EQ(real, STATUS(IG_DENIED));
        u64 none = handle ^ 16; /* the same of an index that was never allocated */
        a0 = a0 == handle ? none : a0;
        a1 = a1 == handle ? none : a1;
        CHECK_EQ(does(VS, ops[i], a0, a1, i == 2 ? none : none << 32 | 8), real);
    }
    CHECK_EQ(FIELD(IGD_FAULTS), 0);
}

TEST(a_ring_adds_1_and_notifies)
{
    start();
    open_pages();
    FIELD(IGD_NOTIFY_ADDR) = 0x02f00000; /* ACLINT SETSSIP of hart 0 */
    FIELD(IGD_NOTIFY_DATA) = 1;
    CHECK_EQ(does(S, fence, handle, 0, 0), 0);
    *(u64 *)(owner_bytes() + 24) = -1UL;
    CHECK_EQ(csr_read(MIP) & 2, 0);
    CHECK_EQ(does(VS, ring, OWNER_VA + 24, handle, 0), 0);
    CHECK_EQ(*(u64 *)(owner_bytes() + 24), 0);
    CHECK_EQ(csr_read(MIP) & 2, 2);
    csr_clear(MIP, 2);
    CHECK_EQ(does(VS, ring, OWNER_VA + 28, handle, 0), STATUS(IG_RANGE));
    CHECK_EQ(does(VS, ring, OWNER_VA + 2 * PAGE, handle, 0), STATUS(IG_RANGE));
    CHECK_EQ(csr_read(MIP) & 2, 0);
    open_range(OWNER_VA, 2 * PAGE, IGS_R);
    CHECK_EQ(does(VS, ring, OWNER_VA + 24, handle, 0), STATUS(IG_DENIED));
}

TEST(a_table_that_pmp_withholds_is_no_table)
{
    start();
    open_pages();
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), 8);
    csr_write(PMPADDR0, (u64)descriptor(0) >> 2 | 511);
    csr_write(PMPCFG0, csr_read(PMPCFG0) | 0x19); /* NAPOT, R alone */
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_DENIED));
    CHECK_EQ(does(S, free_window, handle, 0, 0), STATUS(IG_DENIED));
    csr_write(PMPCFG0, 0x1fUL << 56);
    csr_write(PMPADDR0, (u64)owner_bytes() >> 2 | 511);
    csr_write(PMPCFG0, 0x1fUL << 56 | 0x19);
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), 8);
    CHECK_EQ(does(VS, put, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_REMOTE_FAULT));
    csr_write(PMPCFG0, 0x1fUL << 56);
    CHECK_EQ(does(VS, put, OWNER_VA, PEER_VA, transfer(8)), 8);
}

TEST(one_piece_has_a_bound)
{
    start();
    map(owner_g, SV39, 0x200000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map(owner_vs, SV48, 0x200000000, 0x200000000, 2, PTE_LEAF);
    open_range(0x200000000, 1 << 30, IGS_R);
    csr_write(VSATP, 0);
    alias_of[VU] = 0;
    u64 bound = does(VS, query, -1UL, IGQ_MAX_PIECE, 0);
    CHECK_EQ(bound, IG_MAX_PIECE);
    u64 n = does(VS, get, 0x200000000, 0x80800000, transfer(1 << 20));
    CHECK(n > 0 && n <= bound);
}

TEST(the_host_owns_and_is_a_peer)
{
    start();
    CHECK_EQ(does(S, free_window, handle, 0, 0), 0);
    FIELD(IGD_OWNER) = 0;
    handle = does(S, alloc, INDEX, 0, 0);
    CHECK_EQ(does(S, store_window, (u64)owner_bytes(), PAGE, handle | IGS_R | IGS_W), 0);
    as_peer();
    CHECK_EQ(does(VS, get, (u64)owner_bytes(), PEER_VA, transfer(8)), 8);
    CHECK_EQ(*(u64 *)peer_bytes(), *(u64 *)owner_bytes());
    CHECK_EQ(does(S, get, (u64)owner_bytes(), (u64)peer_bytes(), transfer(8)), STATUS(IG_DENIED));
    CHECK_EQ(does(S, free_window, handle, 0, 0), 0);
    FIELD(IGD_OWNER) = gatp_value(owner_g, SV39, 1);
    FIELD(IGD_PEER) = 0;
    handle = does(S, alloc, INDEX, 0, 0);
    open_pages();
    CHECK_EQ(does(S, get, OWNER_VA + 8, (u64)peer_bytes(), transfer(8)), 8);
    CHECK_EQ(*(u64 *)peer_bytes(), *(u64 *)(owner_bytes() + 8));
    CHECK_EQ(does(U, get, OWNER_VA, (u64)peer_bytes(), transfer(8)), STATUS(IG_DENIED));
    CHECK_EQ(does(S, bind_user, handle, 1, 0), 0);
    CHECK_EQ(does(U, get, OWNER_VA, (u64)peer_bytes(), transfer(8)), 8);
    as_peer();
    CHECK_EQ(does(VS, get, OWNER_VA, PEER_VA, transfer(8)), STATUS(IG_DENIED));
}
