/* SPDX-License-Identifier: MIT */
/*
 * The slow instructions: those that make, change, end and describe windows. Each holds its window's
 * lock from the check of the handle to the last write of the descriptor; those that take something
 * away wait out the copies first (window_revoke), so that no copy sees a half-written descriptor.
 */
#include "window/engine.h"

/* On what ground the caller asks. */
enum role { ROLE_HOST, ROLE_OWNER, ROLE_PEER };

static bool plays(descriptor_word *words, uint64_t domain, enum role role)
{
    uint64_t owner;
    bool well_formed = owner_domain(word_read(words, IGD_OWNER), &owner);
    bool is_owner = owner == domain, is_peer = word_read(words, IGD_PEER) == domain;

    if (role == ROLE_HOST)
        return domain == 0;
    return well_formed & (domain != DOMAIN_NONE) & (role == ROLE_OWNER ? is_owner : is_peer);
}

/* The locked descriptor of the window that a handle (register value) names, if the caller may ask
 * on that ground; NULL, with nothing locked, for DENIED. */
static descriptor_word *open_handle(struct window_hart *wh, const struct window_caller *by,
                                    uint64_t handle, enum role role)
{
    uint64_t index = handle & IGH_INDEX_MASK;
    uint64_t key = (handle >> IGH_KEY_SHIFT) & IGC_KEY_MASK;
    descriptor_word *words = window_lock(wh, index);
    bool valid = words && handle_valid(word_read(words, IGD_CTL), key);
    bool fits = words && plays(words, domain_of(by), role);

    if (valid && fits)
        return words;
    window_unlock(wh, index);
    return NULL;
}

static struct window_result close_handle(struct window_hart *wh, uint64_t handle, int64_t rd)
{
    window_unlock(wh, handle & IGH_INDEX_MASK);
    return done(rd);
}

/* Replace the bits of ctl in mask. The last write to a descriptor that copies are to see. */
static void ctl_change(descriptor_word *words, uint64_t mask, uint64_t value)
{
    uint64_t ctl = word_read(words, IGD_CTL);

    atomic_store_explicit(&words[WORD(IGD_CTL)], (ctl & ~mask) | value, memory_order_release);
}

/* What ig.store sets and ig.drop clears. */
#define CTL_STORED (IGC_OPEN | IGC_R | IGC_W | IGC_PHYS | IGC_ASU | IGC_ZB)

/* ctl's bits for the flags in rs3 of ig.store. */
static uint64_t stored_bits(uint64_t flags)
{
    static const struct {
        uint64_t flag, bit;
    } map[] = {
        {IGS_R, IGC_R}, {IGS_W, IGC_W}, {IGS_PHYS, IGC_PHYS}, {IGS_ASU, IGC_ASU}, {IGS_ZB, IGC_ZB},
    };
    uint64_t ctl = IGC_OPEN;

    for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
        if (flags & map[i].flag)
            ctl |= map[i].bit;
    return ctl;
}

/* Whether the host lets the owner store base, len and flags. Result: 0 or a status. */
static int store_check(descriptor_word *words, uint64_t base, uint64_t len, uint64_t flags)
{
    uint64_t ctl = word_read(words, IGD_CTL);

    if ((flags & IGS_RESERVED) || (flags & IGS_R && !(ctl & IGC_CR)) ||
        (flags & IGS_W && !(ctl & IGC_CW)))
        return IG_CEILING;
    if (len > word_read(words, IGD_MAX_LEN) || (len && base + (len - 1) < base))
        return IG_RANGE;
    return 0;
}

struct window_result window_store(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
    enum window_outcome may = permitted(wh, by, NEED_KERNEL);
    descriptor_word *words;
    int status;

    if (may != WINDOW_DONE)
        return trap(may);
    words = open_handle(wh, by, rs3, ROLE_OWNER);
    if (!words)
        return done(IG_DENIED);
    status = store_check(words, rs1, rs2, rs3);
    if (status)
        return close_handle(wh, rs3, status);
    window_revoke(wh, rs3 & IGH_INDEX_MASK, words);
    word_write(words, IGD_BASE, rs1);
    word_write(words, IGD_LEN, rs2);
    word_write(words, IGD_OWNER_ATP, rs3 & IGS_PHYS ? 0 : by->atp);
    ctl_change(words, CTL_STORED, stored_bits(rs3));
    return close_handle(wh, rs3, 0);
}

/* Nothing remains of what the owner stored. */
static void forget_stored(descriptor_word *words, uint64_t also)
{
    ctl_change(words, CTL_STORED | also, 0);
    word_write(words, IGD_BASE, 0);
    word_write(words, IGD_LEN, 0);
    word_write(words, IGD_OWNER_ATP, 0);
}

struct window_result window_drop(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1)
{
    enum window_outcome may = permitted(wh, by, NEED_KERNEL);
    descriptor_word *words;

    if (may != WINDOW_DONE)
        return trap(may);
    words = open_handle(wh, by, rs1, ROLE_OWNER);
    if (!words)
        return done(IG_DENIED);
    window_revoke(wh, rs1 & IGH_INDEX_MASK, words);
    forget_stored(words, 0);
    return close_handle(wh, rs1, 0);
}

struct window_result window_bind(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1, uint64_t rs2)
{
    enum window_outcome may = permitted(wh, by, NEED_KERNEL);
    descriptor_word *words;

    if (may != WINDOW_DONE)
        return trap(may);
    words = open_handle(wh, by, rs1, ROLE_PEER);
    if (!words)
        return done(IG_DENIED);
    if (rs2 > 1)
        return close_handle(wh, rs1, IG_RANGE);
    if (rs2 && !(word_read(words, IGD_CTL) & IGC_CU))
        return close_handle(wh, rs1, IG_CEILING);
    window_revoke(wh, rs1 & IGH_INDEX_MASK, words);
    word_write(words, IGD_PEER_ATP, rs2 ? by->atp : 0);
    ctl_change(words, IGC_BOUND, rs2 ? IGC_BOUND : 0);
    return close_handle(wh, rs1, 0);
}

/* One field of a window for its owner or peer. */
static uint64_t describe(descriptor_word *words, uint64_t index, uint64_t field, bool owner,
                         bool peer)
{
    uint64_t ctl = word_read(words, IGD_CTL);

    switch (field) {
    case IGQ_HANDLE:
        return index | ((ctl >> IGC_KEY_SHIFT) & IGC_KEY_MASK) << IGH_KEY_SHIFT;
    case IGQ_ROLE:
        return (ctl & IGQ_ROLE_CTL) | (owner ? IGQ_ROLE_OWNER : 0) | (peer ? IGQ_ROLE_PEER : 0);
    case IGQ_BASE:
        return ctl & IGC_ZB && !owner ? 0 : word_read(words, IGD_BASE);
    case IGQ_LEN:
        return word_read(words, IGD_LEN);
    case IGQ_MAX_LEN:
        return word_read(words, IGD_MAX_LEN);
    case IGQ_BYTES_PUT:
        return word_read(words, IGD_BYTES_PUT);
    case IGQ_BYTES_GOT:
        return word_read(words, IGD_BYTES_GOT);
    default:
        return 0;
    }
}

static uint64_t describe_table(const struct window_hart *wh, uint64_t field)
{
    switch (field) {
    case IGQ_TABLE_SIZE:
        return windows_n(wh);
    case IGQ_MAX_PIECE:
        return IG_MAX_PIECE;
    default:
        return 0;
    }
}

/* User mode sees what it may use: a window bound to its address space. */
static bool bound_to(descriptor_word *words, const struct window_caller *by)
{
    return word_read(words, IGD_CTL) & IGC_BOUND &&
           atp_space(word_read(words, IGD_PEER_ATP)) == atp_space(by->atp);
}

struct window_result window_query(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1, uint64_t rs2)
{
    enum window_outcome may = permitted(wh, by, NEED_ANY);
    descriptor_word *words;
    uint64_t domain = domain_of(by), value = 0, key;
    bool owner, peer;

    if (may != WINDOW_DONE)
        return trap(may);
    if (domain == DOMAIN_NONE)
        return done(0);
    if (rs1 == UINT64_MAX)
        return done((int64_t)describe_table(wh, rs2));
    if (rs1 >= windows_n(wh))
        return done(0);
    words = window_lock(wh, rs1);
    if (words) {
        owner = plays(words, domain, ROLE_OWNER) && by->level == WINDOW_SUPERVISOR;
        peer = plays(words, domain, ROLE_PEER) &&
               (by->level == WINDOW_SUPERVISOR || bound_to(words, by));
        key = (word_read(words, IGD_CTL) >> IGC_KEY_SHIFT) & IGC_KEY_MASK;
        if ((owner || peer) && handle_valid(word_read(words, IGD_CTL), key))
            value = describe(words, rs1, rs2, owner, peer);
    }
    window_unlock(wh, rs1);
    return done((int64_t)value);
}

/* Whether a descriptor that the host filled in can become a window. */
static bool alloc_check(descriptor_word *words)
{
    uint64_t owner;

    return owner_domain(word_read(words, IGD_OWNER), &owner) &&
           word_read(words, IGD_PEER) <= IGA_PPN_MASK;
}

struct window_result window_alloc(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1)
{
    static const uint8_t cleared[] = {IGD_BASE,      IGD_LEN,       IGD_OWNER_ATP, IGD_PEER_ATP,
                                      IGD_BYTES_PUT, IGD_BYTES_GOT, IGD_FAULTS};
    enum window_outcome may = permitted(wh, by, NEED_HOST);
    descriptor_word *words;
    int64_t rd = IG_DENIED;
    uint64_t ctl, key;

    if (may != WINDOW_DONE)
        return trap(may);
    if (rs1 >= windows_n(wh))
        return done(IG_RANGE);
    words = window_lock(wh, rs1);
    ctl = words ? word_read(words, IGD_CTL) : 0;
    if (ctl & IGC_ALLOC) {
        rd = IG_BUSY;
    } else if (words && alloc_check(words)) {
        window_revoke(wh, rs1, words);
        key = ((ctl >> IGC_KEY_SHIFT) + 1) & IGC_KEY_MASK;
        key += !key;
        for (unsigned i = 0; i < ARRAY_SIZE(cleared); i++)
            word_write(words, cleared[i], 0);
        ctl_change(words, ~IGC_CEILINGS, IGC_ALLOC | key << IGC_KEY_SHIFT);
        rd = (int64_t)(rs1 | key << IGH_KEY_SHIFT);
    }
    window_unlock(wh, rs1);
    return done(rd);
}

struct window_result window_free(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1)
{
    enum window_outcome may = permitted(wh, by, NEED_HOST);
    descriptor_word *words;

    if (may != WINDOW_DONE)
        return trap(may);
    words = open_handle(wh, by, rs1, ROLE_HOST);
    if (!words)
        return done(IG_DENIED);
    window_revoke(wh, rs1 & IGH_INDEX_MASK, words);
    forget_stored(words, IGC_ALLOC | IGC_SUSPENDED | IGC_BOUND);
    word_write(words, IGD_PEER_ATP, 0);
    return close_handle(wh, rs1, 0);
}

struct window_result window_fence(struct window_hart *wh, const struct window_caller *by, bool all,
                                  uint64_t rs1)
{
    enum window_outcome may = permitted(wh, by, NEED_KERNEL);
    descriptor_word *words;

    if (may != WINDOW_DONE)
        return trap(may);
    if (all) {
        if (domain_of(by) == DOMAIN_NONE)
            return done(IG_DENIED);
        window_revoke_owner(wh, by->virt ? domain_of(by) : DOMAIN_NONE);
        return done(0);
    }
    words = open_handle(wh, by, rs1, by->virt ? ROLE_OWNER : ROLE_HOST);
    if (!words)
        return done(IG_DENIED);
    window_revoke(wh, rs1 & IGH_INDEX_MASK, words);
    return close_handle(wh, rs1, 0);
}

struct window_result window_suspend(struct window_hart *wh, const struct window_caller *by,
                                    uint64_t rs1, uint64_t rs2)
{
    enum window_outcome may = permitted(wh, by, NEED_HOST);
    descriptor_word *words;

    if (may != WINDOW_DONE)
        return trap(may);
    words = open_handle(wh, by, rs1, ROLE_HOST);
    if (!words)
        return done(IG_DENIED);
    if (rs2 > 1)
        return close_handle(wh, rs1, IG_RANGE);
    window_revoke(wh, rs1 & IGH_INDEX_MASK, words);
    ctl_change(words, IGC_SUSPENDED, rs2 ? IGC_SUSPENDED : 0);
    return close_handle(wh, rs1, 0);
}
