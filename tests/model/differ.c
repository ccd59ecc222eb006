/* SPDX-License-Identifier: MIT */
#include "tests/model/differ.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum op { PUT, GET, RING, STORE, DROP, BIND, QUERY, ALLOC, FREE, FENCE, SUSPEND, OPS };
static const char *const op_names[OPS] = {"put",   "get",   "ring", "store", "drop",   "bind",
                                          "query", "alloc", "free", "fence", "suspend"};

struct insn {
    enum op op;
    unsigned hart;
    bool all;
    uint64_t rs1, rs2, rs3;
};

enum { WINDOWS = 1 << WINDOWS_LOG2 };

uint64_t differ_random(void *entropy)
{
    uint64_t *state = entropy, z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t below(struct differ *d, uint64_t n)
{
    return d->next(d->entropy) % n;
}

static bool percent(struct differ *d, unsigned n)
{
    return below(d, 100) < n;
}

/* --- execution and comparison --- */

static struct window_result on_engine(struct differ *d, const struct insn *i)
{
    struct window_hart *wh = d->harts[i->hart];
    const struct window_caller *by = &d->world.context[i->hart].caller;

    switch (i->op) {
    case PUT:
        return window_put(wh, by, i->rs1, i->rs2, i->rs3);
    case GET:
        return window_get(wh, by, i->rs1, i->rs2, i->rs3);
    case RING:
        return window_ring(wh, by, i->rs1, i->rs2);
    case STORE:
        return window_store(wh, by, i->rs1, i->rs2, i->rs3);
    case DROP:
        return window_drop(wh, by, i->rs1);
    case BIND:
        return window_bind(wh, by, i->rs1, i->rs2);
    case QUERY:
        return window_query(wh, by, i->rs1, i->rs2);
    case ALLOC:
        return window_alloc(wh, by, i->rs1);
    case FREE:
        return window_free(wh, by, i->rs1);
    case FENCE:
        return window_fence(wh, by, i->all, i->rs1);
    default:
        return window_suspend(wh, by, i->rs1, i->rs2);
    }
}

static struct window_result on_model(struct differ *d, const struct insn *i)
{
    struct model *m = &d->model;

    switch (i->op) {
    case PUT:
        return model_put(m, i->hart, i->rs1, i->rs2, i->rs3);
    case GET:
        return model_get(m, i->hart, i->rs1, i->rs2, i->rs3);
    case RING:
        return model_ring(m, i->hart, i->rs1, i->rs2);
    case STORE:
        return model_store(m, i->hart, i->rs1, i->rs2, i->rs3);
    case DROP:
        return model_drop(m, i->hart, i->rs1);
    case BIND:
        return model_bind(m, i->hart, i->rs1, i->rs2);
    case QUERY:
        return model_query(m, i->hart, i->rs1, i->rs2);
    case ALLOC:
        return model_alloc(m, i->hart, i->rs1);
    case FREE:
        return model_free_window(m, i->hart, i->rs1);
    case FENCE:
        return model_fence(m, i->hart, i->all, i->rs1);
    default:
        return model_suspend(m, i->hart, i->rs1, i->rs2);
    }
}

/* Where ranges overlap any mix is right: the model takes the engine's. */
static void take_mix(struct differ *d)
{
    for (uint64_t i = 0; i < d->model.copied; i++) {
        uint64_t off = d->model.dst_pa[i] - RAM_BASE;

        d->model.ram[off] = d->world.ram[off];
    }
}

static bool same_memory(const struct differ *d, char *where, size_t size)
{
    const uint8_t *e = d->world.ram, *m = d->model.ram;

    if (memcmp(e, m, RAM_BYTES) == 0)
        return true;
    for (uint64_t i = 0; i < RAM_BYTES; i++) {
        if (e[i] != m[i]) {
            snprintf(where, size, "byte %#" PRIx64 ": engine %#x, model %#x", RAM_BASE + i, e[i],
                     m[i]);
            break;
        }
    }
    return false;
}

/* Execute on both. Result: false where they differ. */
static bool execute(struct differ *d, const struct insn *i)
{
    const struct window_caller *c = &d->world.context[i->hart].caller;
    struct window_result e, m;
    const char *what = NULL;
    char where[96] = "";

    e = on_engine(d, i);
    m = on_model(d, i);
    if (e.outcome != m.outcome)
        what = "outcome";
    else if (e.outcome == WINDOW_DONE && e.rd != m.rd)
        what = "rd";
    else if (e.outcome == WINDOW_LOCAL_FAULT &&
             (d->world.fault != d->model.fault || d->world.fault_va != d->model.fault_va))
        what = "fault";
    else if (memcmp(&d->world.notice, &d->model.notice, sizeof(struct notice)) != 0)
        what = "notification";
    if ((i->op == PUT || i->op == GET) && d->model.overlap)
        take_mix(d);
    if (!what && !same_memory(d, where, sizeof(where)))
        what = "memory";
    d->outcomes[e.outcome]++;
    if (e.outcome == WINDOW_DONE && e.rd < 0 && e.rd > -7)
        d->statuses[-e.rd]++;
    snprintf(d->last, sizeof(d->last),
             "step %" PRIu64 ": hart %u %s%s level %u hgatp %#" PRIx64 " atp %#" PRIx64
             ": ig.%s%s rs1 %#" PRIx64 " rs2 %#" PRIx64 " rs3 %#" PRIx64 ": engine %d/%" PRId64
             ", model %d/%" PRId64 "%s%s %s",
             d->steps, i->hart, c->virt ? "guest" : "host",
             d->world.context[i->hart].sum ? "+SUM" : "", c->level, c->hgatp, c->atp,
             op_names[i->op], i->all ? " all" : "", i->rs1, i->rs2, i->rs3, e.outcome, e.rd,
             m.outcome, m.rd, what ? "; differ in " : "", what ? what : "", where);
    return !what;
}

/* --- choosing --- */

static uint64_t descriptor_word(const struct differ *d, unsigned index, unsigned offset)
{
    uint64_t word;

    memcpy(&word, d->model.ram + TABLE_PA - RAM_BASE + index * IGD_SIZE + offset, 8);
    return word;
}

static void set_descriptor_word(struct differ *d, unsigned index, unsigned offset, uint64_t word)
{
    uint64_t at = TABLE_PA - RAM_BASE + index * IGD_SIZE + offset;

    memcpy(d->model.ram + at, &word, 8);
    memcpy(d->world.ram + at, &word, 8);
}

static uint64_t handle_of(const struct differ *d, unsigned index)
{
    uint64_t key = descriptor_word(d, index, IGD_CTL) >> IGC_KEY_SHIFT & IGC_KEY_MASK;

    return index | key << IGH_KEY_SHIFT;
}

/* Let a domain run on the hart at some level, in some address space. */
static void run_as(struct differ *d, unsigned hart, unsigned domain, enum window_level level)
{
    struct context *c = &d->world.context[hart];
    unsigned space = percent(d, 10) ? SPACES : (unsigned)below(d, SPACES);

    c->caller = (struct window_caller){
        .virt = domain != 0,
        .level = level,
        .hgatp = domain ? world_hgatp(domain, (unsigned)below(d, 3)) : d->next(d->entropy),
        .atp = world_atp(domain, space, (unsigned)below(d, 3)),
    };
    c->sum = percent(d, 50);
}

static void run_as_nobody(struct differ *d, unsigned hart)
{
    static const uint64_t roots[] = {0, 0x1000, UINT64_C(8) << 60, UINT64_C(8) << 60 | 1ull << 44,
                                     UINT64_MAX >> 4};
    struct context *c = &d->world.context[hart];

    run_as(d, hart, 1, WINDOW_SUPERVISOR);
    c->caller.hgatp = roots[below(d, ARRAY_SIZE(roots))];
}

/* A hart and who runs on it: most often the domain that may do what comes next. */
static unsigned someone(struct differ *d, int rightful)
{
    unsigned hart = (unsigned)below(d, WORLD_HARTS), dice = (unsigned)below(d, 100);
    unsigned domain = rightful < 0 || dice < 6 ? (unsigned)below(d, DOMAINS) : (unsigned)rightful;
    enum window_level level = dice % 10 < 8 ? WINDOW_SUPERVISOR : WINDOW_USER;

    if (dice >= 98)
        run_as_nobody(d, hart);
    else
        run_as(d, hart, domain, dice == 97 ? WINDOW_MACHINE : level);
    return hart;
}

static int owner_of(const struct differ *d, unsigned index)
{
    return world_domain(descriptor_word(d, index, IGD_OWNER));
}

static int peer_of(const struct differ *d, unsigned index)
{
    return world_domain(descriptor_word(d, index, IGD_PEER));
}

/* A register that names the window, or nearly. */
static uint64_t handle_operand(struct differ *d, unsigned index, unsigned bits)
{
    uint64_t handle = handle_of(d, index), dice = below(d, 100);

    if (dice < 1)
        handle ^= UINT64_C(1) << below(d, 32);
    else if (dice < 2)
        handle = d->next(d->entropy) & UINT32_MAX;
    else if (dice < 4)
        handle = (handle & IGH_INDEX_MASK) | (((handle >> IGH_KEY_SHIFT) - 1) & IGC_KEY_MASK)
                                                 << IGH_KEY_SHIFT;
    if (bits == 64 && percent(d, 10))
        handle |= UINT64_C(0xffffffff) << 32;
    return handle;
}

/* A number of bytes; the model is slow, so long ones are rare. */
static uint64_t some_length(struct differ *d)
{
    static const uint64_t edges[] = {0, 1, 7, 8, 9, 15, 16, 63, 64, 65, 127, 4095, 4096, 4097};
    uint64_t dice = below(d, 100);

    if (dice < 40)
        return edges[below(d, ARRAY_SIZE(edges))];
    if (dice < 80)
        return below(d, 300);
    if (dice < 96)
        return below(d, 9000);
    if (dice < 99)
        return IG_MAX_PIECE - 20 + below(d, 40);
    return d->next(d->entropy) & UINT32_MAX;
}

/* A page's edge, or anywhere, in the part of the address space that is mapped. */
static uint64_t some_va(struct differ *d)
{
    bool high = percent(d, 10);
    uint64_t start = high ? HIGH_VA : LOW_VA;
    uint64_t page = below(d, high ? HIGH_PAGES + 1 : LOW_PAGES + 2);
    uint64_t dice = below(d, 100), off = dice < 50 ? below(d, 64) - 32 : below(d, WORLD_PAGE);

    return start + (page - 1) * WORLD_PAGE + (dice < 20 ? 0 : off);
}

/* --- steps --- */

/* A window that is open, if a few tries find one. */
static unsigned open_window(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);

    for (unsigned tries = 0; tries < 6 && !(descriptor_word(d, index, IGD_CTL) & IGC_OPEN); tries++)
        index = (unsigned)below(d, WINDOWS);
    return index;
}

/* Someone who would use the window; user mode most often in the space that is bound. */
static unsigned user_of(struct differ *d, unsigned index)
{
    unsigned hart = someone(d, peer_of(d, index));
    struct window_caller *c = &d->world.context[hart].caller;

    if (c->level == WINDOW_USER && percent(d, 80))
        c->atp = (descriptor_word(d, index, IGD_PEER_ATP) & ~IGA_ASID_MASK) | below(d, 3) << 44;
    return hart;
}

static bool step_ring(struct differ *d)
{
    unsigned index = open_window(d);
    uint64_t base = descriptor_word(d, index, IGD_BASE), len = descriptor_word(d, index, IGD_LEN);
    uint64_t offset = below(d, len + 9) & (percent(d, 80) ? ~UINT64_C(7) : UINT64_MAX);
    struct insn i = {.op = RING, .hart = user_of(d, index)};

    if (percent(d, 70))
        offset -= base % 8;
    i.rs1 = descriptor_word(d, index, IGD_CTL) & IGC_ZB ? offset : base + offset;
    i.rs2 = handle_operand(d, index, 64);
    return execute(d, &i);
}

static bool store_into(struct differ *d, unsigned index, unsigned hart)
{
    struct insn i = {.op = STORE, .hart = hart, .rs1 = some_va(d)};
    uint64_t max = descriptor_word(d, index, IGD_MAX_LEN), flags = below(d, 32);

    if (percent(d, 80))
        flags |= 3;
    i.rs2 = percent(d, 90) ? below(d, min_u64(max, 160000) + 1) : max + below(d, 3) - 1;
    if (percent(d, 3))
        i.rs2 = d->next(d->entropy);
    if (flags << 32 & IGS_PHYS)
        i.rs1 = (owner_of(d, index) ? 0 : RAM_BASE) + below(d, (GPA_PAGES + 1) * WORLD_PAGE);
    if (percent(d, 2))
        flags |= d->next(d->entropy) & UINT32_MAX;
    i.rs3 = handle_operand(d, index, 32) | flags << 32;
    return execute(d, &i);
}

static bool step_store(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);

    return store_into(d, index, someone(d, owner_of(d, index)));
}

static bool step_drop(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);
    struct insn i = {.op = DROP, .hart = someone(d, owner_of(d, index))};

    i.rs1 = handle_operand(d, index, 64);
    return execute(d, &i);
}

static bool step_bind(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);
    struct insn i = {.op = BIND, .hart = someone(d, peer_of(d, index))};

    i.rs1 = handle_operand(d, index, 64);
    i.rs2 = percent(d, 75) ? 1 : below(d, 3);
    return execute(d, &i);
}

static bool step_query(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);
    struct insn i = {.op = QUERY, .rs1 = index, .rs2 = below(d, 9)};

    i.hart = someone(d, percent(d, 50) ? owner_of(d, index) : peer_of(d, index));
    if (percent(d, 10))
        i.rs1 = percent(d, 70) ? UINT64_MAX : d->next(d->entropy);
    return execute(d, &i);
}

static unsigned a_host(struct differ *d)
{
    return someone(d, 0);
}

/* A hart on which the domain's kernel runs for certain, with the whole table (hart 0 always has
 * it): what follows must not fail. */
static unsigned kernel_of(struct differ *d, unsigned domain)
{
    unsigned hart = (unsigned)below(d, WORLD_HARTS);

    if (d->model.hiwt[hart] != d->model.hiwt[0])
        hart = 0;
    run_as(d, hart, domain, WINDOW_SUPERVISOR);
    return hart;
}

static bool step_alloc(struct differ *d)
{
    struct insn i = {.op = ALLOC, .hart = a_host(d), .rs1 = below(d, WINDOWS + 1)};

    if (percent(d, 3))
        i.rs1 |= UINT64_C(1) << (20 + below(d, 44));
    return execute(d, &i);
}

static bool step_free(struct differ *d)
{
    struct insn i = {.op = FREE, .hart = a_host(d)};

    i.rs1 = handle_operand(d, (unsigned)below(d, WINDOWS), 64);
    return execute(d, &i);
}

static bool step_fence(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);
    struct insn i = {.op = FENCE, .hart = someone(d, owner_of(d, index)), .all = percent(d, 30)};

    i.rs1 = handle_operand(d, index, 64);
    return execute(d, &i);
}

static bool step_suspend(struct differ *d)
{
    struct insn i = {.op = SUSPEND, .hart = a_host(d)};

    i.rs1 = handle_operand(d, (unsigned)below(d, WINDOWS), 64);
    i.rs2 = percent(d, 20) ? 1 : percent(d, 95) ? 0 : d->next(d->entropy);
    return execute(d, &i);
}

/* What the host writes into a descriptor before it allocates it. */
static void fill(struct differ *d, unsigned index)
{
    static const uint64_t lengths[] = {0, 100, 4096, 70000, 200000, UINT64_MAX};
    uint64_t key = handle_of(d, index) >> IGH_KEY_SHIFT;
    unsigned owner = (unsigned)below(d, DOMAINS), peer = (unsigned)below(d, DOMAINS);
    uint64_t ceilings = percent(d, 70) ? IGC_CEILINGS : below(d, 8) * IGC_CR;

    if (percent(d, 10))
        key = IGC_KEY_MASK - below(d, 2);
    set_descriptor_word(d, index, IGD_CTL, ceilings | key << IGC_KEY_SHIFT);
    set_descriptor_word(d, index, IGD_OWNER, world_hgatp(owner, (unsigned)below(d, 3)));
    set_descriptor_word(d, index, IGD_PEER, world_hgatp(peer, 0) & IGA_PPN_MASK);
    set_descriptor_word(d, index, IGD_MAX_LEN,
                        lengths[percent(d, 70) ? 4 : below(d, ARRAY_SIZE(lengths))]);
    set_descriptor_word(d, index, IGD_NOTIFY_ADDR, percent(d, 50) ? d->next(d->entropy) : 0);
    set_descriptor_word(d, index, IGD_NOTIFY_DATA, d->next(d->entropy));
    if (percent(d, 5))
        set_descriptor_word(d, index, IGD_OWNER, d->next(d->entropy));
    if (percent(d, 5))
        set_descriptor_word(d, index, IGD_PEER, world_hgatp(peer, 1));
}

/* Fill and allocate a free window, and let its owner open it. */
static bool step_make(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS);
    struct insn i = {.op = ALLOC, .rs1 = index};
    int owner;

    if (descriptor_word(d, index, IGD_CTL) & IGC_ALLOC)
        return true;
    fill(d, index);
    i.hart = kernel_of(d, 0);
    if (!execute(d, &i))
        return false;
    owner = owner_of(d, index);
    return owner < 0 || store_into(d, index, kernel_of(d, (unsigned)owner));
}

static bool fence_all(struct differ *d, unsigned domain)
{
    struct insn i = {.op = FENCE, .hart = kernel_of(d, domain), .all = true};

    return execute(d, &i);
}

/* Fence the windows of one owner one by one, as that owner or as the host. */
static bool fence_each(struct differ *d, unsigned domain, bool as_host)
{
    for (unsigned index = 0; index < 2 * WINDOWS; index++) {
        struct insn i = {.op = FENCE, .rs1 = handle_of(d, index)};

        if (owner_of(d, index) != (int)domain)
            continue;
        i.hart = kernel_of(d, as_host ? 0 : domain);
        if (!execute(d, &i))
            return false;
    }
    return true;
}

/* A page number below n, most often that of the last transfer's remote address. */
static unsigned some_page(struct differ *d, unsigned domain, unsigned n)
{
    uint64_t aimed = (d->aim_va - LOW_VA) / WORLD_PAGE;

    return domain == d->aim_domain && aimed < n && percent(d, 60) ? (unsigned)aimed
                                                                  : (unsigned)below(d, n);
}

static unsigned some_owner(struct differ *d)
{
    return percent(d, 60) ? d->aim_domain : (unsigned)below(d, DOMAINS);
}

/* An owner changes its own tables and fences. */
static bool step_first_stage(struct differ *d)
{
    unsigned domain = some_owner(d), space = (unsigned)below(d, SPACES);
    bool high = percent(d, 10);
    struct vpage *page =
        high ? &d->world.domains[domain].high[space][below(d, HIGH_PAGES)]
             : &d->world.domains[domain].low[space][some_page(d, domain, LOW_PAGES)];

    page->mapped = percent(d, 93);
    page->readable = percent(d, 95);
    page->writable = page->readable && percent(d, 92);
    page->user = percent(d, 25);
    if (percent(d, 30))
        page->gpage = 1 + (unsigned)below(d, (domain ? GPA_PAGES : RAM_PAGES) - 1);
    switch (below(d, 4)) {
    case 0:
        return fence_all(d, 0);
    case 1:
        return fence_all(d, domain);
    case 2:
        return fence_each(d, domain, true);
    default:
        return fence_each(d, domain, false);
    }
}

/* The host changes a guest's G-stage and fences. */
static bool step_g_stage(struct differ *d)
{
    unsigned domain = some_owner(d), space = (unsigned)below(d, SPACES);
    unsigned low = some_page(d, domain, LOW_PAGES);
    struct gpage *page = &d->world.domains[domain].gpages[below(d, GPA_PAGES)];

    if (!domain)
        return true;
    if (percent(d, 60))
        page = &d->world.domains[domain].gpages[d->world.domains[domain].low[space][low].gpage];
    page->kind = percent(d, 93) ? KIND_RAM : percent(d, 60) ? KIND_NONE : KIND_DEVICE;
    page->writable = percent(d, 93);
    if (percent(d, 30))
        page->ram = 1 + (unsigned)below(d, RAM_PAGES - 1);
    return percent(d, 50) ? fence_all(d, 0) : fence_each(d, domain, true);
}

/* PMP changes: all harts drop what they cached. */
static bool step_pmp(struct differ *d)
{
    struct gpage *page = &d->world.physical[percent(d, 20) ? TABLE_PAGE : below(d, RAM_PAGES)];

    page->kind = page->kind == KIND_RAM && percent(d, 20) ? KIND_NONE : KIND_RAM;
    page->writable = percent(d, 92);
    if (percent(d, 90))
        d->world.physical[TABLE_PAGE] = (struct gpage){.kind = KIND_RAM, .writable = true};
    for (unsigned h = 0; h < WORLD_HARTS; h++)
        window_hart_flush(d->harts[h]);
    return true;
}

/* A wrong host writes into a live descriptor. It fences, so both sides see the same. */
static bool step_wrong_host(struct differ *d)
{
    unsigned index = (unsigned)below(d, WINDOWS), offset = (unsigned)below(d, 13) * 8;
    uint64_t word = descriptor_word(d, index, offset);

    set_descriptor_word(d, index, offset,
                        percent(d, 70) ? word ^ UINT64_C(1) << below(d, 64) : d->next(d->entropy));
    return fence_all(d, 0);
}

static bool set_hiwt(struct differ *d, unsigned hart, uint64_t value)
{
    uint64_t e = window_set_hiwt(d->harts[hart], value);
    uint64_t m = model_set_hiwt(&d->model, hart, value);

    snprintf(d->last, sizeof(d->last), "hiwt %#" PRIx64 ": engine %#" PRIx64 ", model %#" PRIx64,
             value, e, m);
    return e == m && window_hiwt(d->harts[hart]) == m;
}

static bool step_hiwt(struct differ *d)
{
    unsigned hart = 1 + (unsigned)below(d, WORLD_HARTS - 1);
    uint64_t size = percent(d, 85) ? WINDOWS_LOG2 : below(d, 6);
    uint64_t value = (percent(d, 95) ? HIWT_EN : 0) | size << HIWT_SIZE_SHIFT | TABLE_PA >> 12;

    if (percent(d, 20) && !set_hiwt(d, hart, d->next(d->entropy) & ~HIWT_EN))
        return false;
    return set_hiwt(d, hart, value);
}

static const struct {
    unsigned weight;
    bool (*step)(struct differ *d);
} others[] = {
    {60, step_ring},    {70, step_store},     {15, step_drop},        {60, step_bind},
    {70, step_query},   {20, step_alloc},     {10, step_free},        {30, step_fence},
    {30, step_suspend}, {60, step_make},      {30, step_first_stage}, {25, step_g_stage},
    {8, step_pmp},      {8, step_wrong_host}, {12, step_hiwt},
};

/* Any step but transfers. */
static bool step_other(struct differ *d)
{
    unsigned total = 0, i, dice;

    for (i = 0; i < ARRAY_SIZE(others); i++)
        total += others[i].weight;
    dice = (unsigned)below(d, total);
    for (i = 0; dice >= others[i].weight; i++)
        dice -= others[i].weight;
    return others[i].step(d);
}

static struct insn some_transfer(struct differ *d, unsigned index, unsigned hart)
{
    uint64_t base = descriptor_word(d, index, IGD_BASE), len = descriptor_word(d, index, IGD_LEN);
    uint64_t ctl = descriptor_word(d, index, IGD_CTL);
    uint64_t n = some_length(d), offset = 0, dice = below(d, 100);
    struct insn i = {.op = percent(d, 50) ? PUT : GET, .hart = hart};

    if (!(ctl & (i.op == PUT ? IGC_W : IGC_R)) && percent(d, 80))
        i.op = i.op == PUT ? GET : PUT;
    if (dice < 40)
        offset = below(d, len + 2);
    else if (dice < 60)
        offset = len - n + below(d, 5) - 2;
    else if (dice < 80)
        offset = WORLD_PAGE * below(d, 20) - base % WORLD_PAGE + below(d, 64) - 32;
    else if (dice < 82)
        offset = d->next(d->entropy);
    if (offset < len && n > len - offset && percent(d, 90))
        n = len - offset;
    i.rs1 = ctl & IGC_ZB ? offset : base + offset;
    d->aim_domain = owner_of(d, index) < 0 ? 0 : (unsigned)owner_of(d, index);
    d->aim_va = base + offset;
    i.rs2 = some_va(d);
    if (percent(d, 50))
        i.rs2 += (i.rs1 - i.rs2) % 8;
    i.rs3 = handle_operand(d, index, 32) << IG_XFER_HANDLE_SHIFT | (n & UINT32_MAX);
    return i;
}

/* Some transfers through one window by one context, the same again and again, so that caches are
 * used. In between anything may happen, and the context may move to another hart. */
static bool step_transfers(struct differ *d)
{
    unsigned index = open_window(d), hart = user_of(d, index);
    struct context context = d->world.context[hart];
    struct insn i = some_transfer(d, index, hart);

    for (uint64_t n = 1 + below(d, 6); n; n--) {
        d->world.context[i.hart] = context;
        if (!execute(d, &i))
            return false;
        if (percent(d, 40))
            i = some_transfer(d, index, i.hart);
        if (percent(d, 25) && !step_other(d))
            return false;
        if (percent(d, 10))
            i.hart = (unsigned)below(d, WORLD_HARTS);
    }
    return true;
}

bool differ_step(struct differ *d)
{
    d->steps++;
    return percent(d, 45) ? step_transfers(d) : step_other(d);
}

int differ_init(struct differ *d, uint64_t (*next)(void *), void *entropy)
{
    *d = (struct differ){.next = next, .entropy = entropy};
    if (world_init(&d->world) != 0)
        return -ENOMEM;
    if (model_init(&d->model, &d->world) != 0) {
        world_free(&d->world);
        return -ENOMEM;
    }
    d->engine = window_engine_new();
    for (unsigned h = 0; d->engine && h < WORLD_HARTS; h++) {
        struct window_env env;

        d->envs[h] = (struct world_hart){.world = &d->world, .id = h};
        env = world_env(&d->envs[h]);
        d->harts[h] = window_hart_new(d->engine, h, &env);
        if (!d->harts[h])
            break;
        set_hiwt(d, h, HIWT_EN | (uint64_t)WINDOWS_LOG2 << HIWT_SIZE_SHIFT | TABLE_PA >> 12);
    }
    if (d->harts[WORLD_HARTS - 1])
        return 0;
    differ_free(d);
    return -ENOMEM;
}

void differ_free(struct differ *d)
{
    for (unsigned h = 0; h < WORLD_HARTS; h++)
        window_hart_free(d->harts[h]);
    window_engine_free(d->engine);
    model_free(&d->model);
    world_free(&d->world);
}
