/* SPDX-License-Identifier: MIT */
/*
 * Where a datum of an access is: the TLB look-up of mmu.h inline, everything else by fallback.
 *
 * The TLB entry depends on the address, so that a look-up as the interpreter has it puts a shift, a
 * mask and a load in front of each load. Here an access has a site in the hart, which guesses the
 * entry: the one of the time before. The guess is at hand early, the comparison of the tag with the
 * address checks it, and nobody waits for either. A site is no more than a guess, of an entry's
 * place and not of what it holds, so that fences and world switches need not know of it.
 *
 * Code that is not executed often has no sites, whose memory it would wait for: it computes the
 * place of the address. Code that is executed most of all is translated again with the places that
 * its sites have in the code; only their counts of misses remain. Should these be many, as in a
 * program that is started again and has its data elsewhere, it has sites again, for good.
 *
 * Sites that miss often (addresses all over memory) are found out by what they count, and the block
 * is translated anew with their bits in block.scattered: these accesses compute the place. A load
 * would wait for the entry there now, so it guesses what the entry holds: host memory is mostly at
 * the same distance from addresses, where the guest's pages are large, or not translated. Where
 * that fails often, too, the bit in block.dispersed is set, and nothing is guessed. Accesses by one
 * base share a look-up where they can (plan.c).
 */
#include "jit/jit_internal.h"

enum { TLB_SCALE = PAGE_SHIFT - 5 };
_Static_assert(2 * sizeof(struct tlb_entry) == 32, "places are the page number times 32");
enum {
    TAG = offsetof(struct tlb_entry, tag),
    ADDEND = offsetof(struct tlb_entry, addend),
    LOADS = offsetof(struct tlb_bank, data),
    STORES = offsetof(struct tlb_bank, data[1]),
};
/* What a miss adds to site.misses, so that the 2^10th carries. */
enum { MISS_STEP = 1 << 22 };

static int32_t table_of(const struct access *x)
{
    return x->store ? STORES : LOADS;
}

static int32_t site_entry(const struct access *x)
{
    return HART(sites.entry) + (int32_t)(x->site * sizeof(uint32_t));
}

static int32_t site_addend(const struct access *x)
{
    return HART(sites.addend) + (int32_t)(x->site * sizeof(uint64_t));
}

/* dst = base register + offset; scratch has the base then, if that is in memory. */
static void base_plus(struct trans *t, unsigned dst, unsigned scratch, unsigned base,
                      int32_t offset)
{
    if (!base)
        mov_ri(&t->a, dst, (uint64_t)(int64_t)offset);
    else if (offset)
        lea(&t->a, W, dst, use(t, base, scratch), offset);
    else
        mov_rr(&t->a, dst, use(t, base, scratch));
}

/* rcx = place of the entry for the page that reg points into */
static void place(struct asm_ *a, unsigned reg)
{
    rorx(a, 0, RCX, reg, TLB_SCALE);
    alu_ri(a, 0, ALU_AND, RCX, (TLB_ENTRIES - 1) * 2 * (int32_t)sizeof(struct tlb_entry));
}

/* rdx = what the entry's tag must be for the access, a page of which the low bits show the
 * alignment. rax is lost; it has the base if that is in memory. */
static void wanted_tag(struct trans *t, const struct access *x)
{
    base_plus(t, RDX, RAX, x->base, x->low);
    alu_ri(&t->a, W, ALU_AND, RDX, -PAGE_SIZE | ((int32_t)x->size - 1));
}

/* The base again, where rax was not used since. */
static unsigned base_again(struct trans *t, const struct access *x)
{
    return x->base && t->host_of[x->base] == NOT_MAPPED ? RAX : use(t, x->base, RAX);
}

static bool is_group_lent(const struct trans *t, const struct access *x)
{
    return x->group != NO_GROUP && t->group_host[x->group] != NOT_MAPPED;
}

/* The host register that members of a group add to: the addend, or where the base is in memory the
 * base's host address. */
static unsigned group_reg(const struct trans *t, const struct access *x)
{
    if (is_group_lent(t, x))
        return (unsigned)t->group_host[x->group];
    return x->by_base ? RAX : RCX;
}

static fixup compare_tag(struct trans *t, const struct access *x)
{
    op_rx(&t->a, W, ALU_CMP << 3 | 3, RDX, DBANK, RCX, 0, table_of(x) + TAG);
    return jcc(&t->a, CC_NE);
}

/* Jumps where the last datum of the group is in another page than rdx; rax is lost. */
static fixup compare_pages(struct trans *t, const struct access *x)
{
    base_plus(t, RAX, RAX, x->base, x->high);
    alu_rr(&t->a, W, ALU_XOR, RAX, RDX);
    alu_ri(&t->a, W, ALU_CMP, RAX, PAGE_SIZE);
    return jcc(&t->a, CC_AE);
}

/* Where the addend goes, unless that is guessed: group_reg, or what that is made of. */
static unsigned addend_reg(const struct trans *t, const struct access *x)
{
    return x->by_base ? RCX : group_reg(t, x);
}

/* addend_reg = the addend of the entry at place rcx */
static void addend(struct trans *t, const struct access *x)
{
    op_rx(&t->a, W, 0x8b, addend_reg(t, x), DBANK, RCX, 0, table_of(x) + ADDEND);
}

/* The same two, where the place is in the code. */
static fixup compare_tag_there(struct trans *t, const struct access *x)
{
    alu_rm(&t->a, W, ALU_CMP, RDX, DBANK, x->place + table_of(x) + TAG);
    return jcc(&t->a, CC_NE);
}

static void addend_there(struct trans *t, const struct access *x)
{
    mov_rm(&t->a, addend_reg(t, x), DBANK, x->place + table_of(x) + ADDEND);
}

/* The addend: of the entry, or of the site where that is the same. Result: the host register that
 * has it, addend_reg or rdx; in the latter case rcx has the place. */
static unsigned guess_addend(struct trans *t, struct stub *s, const struct access *x)
{
    if (x->guess == GUESS_CONSTANT)
        return addend_reg(t, x); /* it is there since the tag was compared */
    if (x->guess != GUESS_ADDEND) {
        addend(t, x);
        return addend_reg(t, x);
    }
    mov_rm(&t->a, RDX, RBP, site_addend(x));
    op_rx(&t->a, W, ALU_CMP << 3 | 3, RDX, DBANK, RCX, 0, table_of(x) + ADDEND);
    s->wrong = jcc(&t->a, CC_NE);
    s->right = asm_here(&t->a);
    return RDX;
}

/* What members of a group add to, in group_reg, and aside where need be; reg has the addend. */
static void put_group_aside(struct trans *t, const struct access *x, unsigned reg)
{
    unsigned to = group_reg(t, x);

    if (x->by_base) {
        unsigned base = x->compact ? base_again(t, x) : use(t, x->base, RAX);
        op_rx(&t->a, W, 0x8d, to, base, reg, 0, 0); /* lea */
    } else if (reg != to) {
        mov_rr(&t->a, to, reg);
    }
    if (x->is_aside && !is_group_lent(t, x))
        mov_mr(&t->a, RBP, jit_group_aside(x->group), to);
}

static void emit_access_stub(struct trans *t, struct stub *s);

/* The look-up of an access or a group; s gets what goes another way. Result: the host register that
 * has the addend, for an access; group_reg. */
static unsigned look_up(struct trans *t, struct stub *s, const struct access *x)
{
    bool in_rax = is_in_rax(t, x->base);
    unsigned reg;

    s->emit = emit_access_stub;
    s->access = *x;
    s->begin = asm_here(&t->a);
    if (x->guess == GUESS_PLACE) {
        op_rm(&t->a, 0, 0x8b, RCX, RBP, site_entry(x));
    } else if (is_path(t) && x->guess != GUESS_CONSTANT) {
        /* The base is there before the address is; mostly both are in one page. */
        unsigned base = x->base ? use(t, x->base, RAX) : RSP;

        in_rax = base == RAX;
        place(&t->a, base);
    }
    if (in_rax)
        rax_holds(t, x->base);
    wanted_tag(t, x);
    if (!is_path(t))
        place(&t->a, RDX);
    if (x->guess == GUESS_CONSTANT) {
        s->miss = compare_tag_there(t, x);
        addend_there(t, x);
    } else {
        s->miss = compare_tag(t, x);
    }
    s->hit = asm_here(&t->a);
    if (x->group != NO_GROUP && !x->compact)
        s->split = compare_pages(t, x);
    s->whole = asm_here(&t->a);
    reg = guess_addend(t, s, x);
    if (x->group == NO_GROUP)
        return reg;
    put_group_aside(t, x, reg);
    return group_reg(t, x);
}

/* True for a base that the block steps along. */
static bool is_stepped(const struct trans *t, unsigned base)
{
    for (unsigned i = 0; i < t->n; i++)
        if (jit_steps(&t->in[i], base))
            return true;
    return false;
}

/* True where an address on the path, or in its next round, is computed from what the step loads. */
static bool gives_address(const struct trans *t)
{
    uint32_t from = UINT32_C(1) << t->in[t->at].rd & ~UINT32_C(1);
    unsigned steps = jit_goes_again(t) ? t->n : t->n - t->at;

    for (unsigned i = 1; i < steps && from; i++) {
        const struct insn *in = &t->in[(t->at + i) % t->n];
        struct access access;
        bool is_access = jit_access_of(in, &access);

        if (is_access && from >> access.base & 1)
            return true;
        if (jit_writes_x(in)) {
            bool is_from = !is_access && (from >> in->rs1 & 1 || from >> in->rs2 & 1);
            from &= ~(UINT32_C(1) << in->rd);
            from |= (uint32_t)is_from << in->rd & ~UINT32_C(1);
        }
    }
    return false;
}

/* True where it may be of use that a datum is loaded before its entry is there, which may be long
 * where the table of entries is not in the host's nearest cache. Nobody waits for a store, nor for
 * addresses that are stepped along. */
static bool may_be_early(const struct trans *t, const struct access *x)
{
    return (!x->store || x->group != NO_GROUP) && !is_stepped(t, x->base);
}

/* True where execution waits for the access: others need what it loads to begin. */
static bool is_waited_for(const struct trans *t, const struct access *x)
{
    return may_be_early(t, x) && (x->group != NO_GROUP || gives_address(t));
}

/* How often the step's instruction is on the path: a loop's has a site in each round. */
static unsigned copies_on_path(const struct trans *t)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t->n; i++)
        n += t->steps[i].op == step_of(t)->op;
    return n;
}

/* A site has learnt; sometimes it reports how it goes. */
static void emit_count_miss(struct trans *t, struct stub *s, const uint8_t *go_on)
{
    struct asm_ *a = &t->a;
    struct site_note *note;

    note = data_alloc(t, sizeof(*note));
    alu_mi(a, 0, ALU_ADD, RBP, jit_site_misses(s->access.site), MISS_STEP);
    patch(a, jcc(a, CC_AE), go_on);
    if (!note)
        return;
    *note = (struct site_note){.head = t->head,
                               .entry = t->entry,
                               .block = step_of(t)->block,
                               .op = index_of(step_of(t)),
                               .site = s->access.site,
                               .copies = copies_on_path(t),
                               .guess = s->access.guess,
                               .is_waited_for = is_waited_for(t, &s->access)};
    lea_data(t, RAX, note);
    emit_call(t, t->jit->thunks.note);
    emit_copies(t, &s->before);
    use(t, s->access.base, RAX);
    patch(a, jmp(a), s->begin);
}

/* Another entry than that of the guess, or of the base. */
static void emit_miss(struct trans *t, struct stub *s)
{
    struct asm_ *a = &t->a;

    patch_here(a, s->miss);
    if (!is_path(t))
        return;
    place(a, RDX);
    stub_from(s, compare_tag(t, &s->access));
    switch (s->access.guess) {
    case GUESS_PLACE:
        op_rm(a, 0, 0x89, RCX, RBP, site_entry(&s->access));
        emit_count_miss(t, s, s->hit);
        break;
    case GUESS_CONSTANT:
        addend(t, &s->access);
        emit_count_miss(t, s, s->hit);
        break;
    default:
        patch(a, jmp(a), s->hit);
    }
}

/* Another addend than that of the guess. */
static void emit_wrong(struct trans *t, struct stub *s)
{
    patch_here(&t->a, s->wrong);
    op_rx(&t->a, W, 0x8b, RDX, DBANK, RCX, 0, table_of(&s->access) + ADDEND);
    mov_mr(&t->a, RBP, site_addend(&s->access), RDX);
    emit_count_miss(t, s, s->right);
}

/* A group lies in two pages, the first of which has its place in rcx, or its addend where that
 * goes: it is as good as in one where the host has the two side by side. */
static void emit_split(struct trans *t, struct stub *s)
{
    struct asm_ *a = &t->a;
    const struct access *x = &s->access;

    patch_here(a, s->split);
    base_plus(t, RAX, RAX, x->base, x->high);
    if (x->guess == GUESS_CONSTANT)
        mov_rr(a, RDX, addend_reg(t, x));
    else
        op_rx(a, W, 0x8b, RDX, DBANK, RCX, 0, table_of(x) + ADDEND);
    place(a, RAX);
    alu_ri(a, W, ALU_AND, RAX, -PAGE_SIZE);
    op_rx(a, W, ALU_CMP << 3 | 3, RAX, DBANK, RCX, 0, table_of(x) + TAG);
    stub_from(s, jcc(a, CC_NE));
    op_rx(a, W, ALU_CMP << 3 | 3, RDX, DBANK, RCX, 0, table_of(x) + ADDEND);
    stub_from(s, jcc(a, CC_NE));
    if (x->guess == GUESS_CONSTANT)
        mov_rr(a, addend_reg(t, x), RDX);
    patch(a, jmp(a), s->whole);
}

/* The leader was executed by the interpreter, which has its page in the TLB now, as a rule: the
 * others have their look-up here. */
static void emit_group_again(struct trans *t, struct stub *s)
{
    struct asm_ *a = &t->a;
    const struct access *x = &s->access;
    fixup none, split = NULL;

    wanted_tag(t, x);
    place(a, RDX);
    none = compare_tag(t, x);
    if (!x->compact)
        split = compare_pages(t, x);
    addend(t, x);
    put_group_aside(t, x, addend_reg(t, x));
    emit_resume(t, s);
    patch_here(a, none);
    if (split)
        patch_here(a, split);
    emit_interpret(t, t->head);
}

static void emit_access_stub(struct trans *t, struct stub *s)
{
    struct asm_ *a = &t->a;
    bool group = s->access.group != NO_GROUP;

    if (s->wrong)
        emit_wrong(t, s);
    emit_miss(t, s);
    if (s->split)
        emit_split(t, s);
    for (unsigned k = 0; k < s->from_n; k++)
        patch_here(a, s->from[k]);
    emit_fallback(t);
    if (group)
        emit_group_again(t, s);
    else
        emit_resume(t, s);
}

void op_place(struct trans *t, unsigned flags, unsigned opcode, unsigned reg, const struct place *p)
{
    if (p->index == NO_INDEX)
        op_rm(&t->a, flags, opcode, reg, p->base, p->offset);
    else
        op_rx(&t->a, flags, opcode, reg, p->base, p->index, 0, p->offset);
}

/* The place that the translation before has learnt for the access. That may have had other sites,
 * if what was known of the path has changed: no more than a guess is lost. */
static int32_t learnt_place(const struct trans *t)
{
    unsigned site = (t->head->site + t->sites_n) % HART_SITES;

    return (int32_t)t->learnt->sites.entry[site];
}

static void give_site(struct trans *t, struct access *x)
{
    const struct block *b = step_of(t)->block;

    if (t->of < OF_GUESSES)
        x->guess = GUESS_NOTHING;
    else if (!is_noted(step_of(t), &b->scattered))
        x->guess = GUESS_PLACE;
    else if (!is_noted(step_of(t), &b->dispersed) && may_be_early(t, x))
        x->guess = GUESS_ADDEND;
    if (!x->guess)
        return;
    if (x->guess == GUESS_PLACE && t->learnt) {
        x->guess = GUESS_CONSTANT;
        x->place = learnt_place(t);
    }
    x->site = jit_site(t->jit);
    t->sites_n++;
}

struct place look_up_single(struct trans *t, struct stub *s, struct access *x)
{
    unsigned reg;

    give_site(t, x);
    reg = look_up(t, s, x);
    return (struct place){base_again(t, x), reg, x->low};
}

/* The place of the datum of a group's leader or member, where group_reg has what it adds to. */
static struct place group_place(struct trans *t, const struct insn *in, const struct access *x)
{
    unsigned reg = group_reg(t, x);

    if (x->by_base)
        return (struct place){reg, NO_INDEX, t->plan[t->at].offset};
    return (struct place){use(t, in->rs1, RAX), reg, in->imm};
}

struct place access_place(struct trans *t, struct stub *s, const struct insn *in)
{
    const struct plan *plan = &t->plan[t->at];
    struct access x;

    if (plan->member != NO_GROUP) {
        const struct access *group = &t->groups[plan->member];

        if (t->held != plan->member && !is_group_lent(t, group))
            mov_rm(&t->a, group_reg(t, group), RBP, jit_group_aside(plan->member));
        /* A slow way that the datum's own tests lead to (FS) comes back with it lost. */
        t->held = s->from_n ? NO_GROUP : plan->member;
        return group_place(t, in, group);
    }
    if (plan->leads != NO_GROUP) {
        struct access *group = &t->groups[plan->leads];

        group->by_base = t->host_of[group->base] == NOT_MAPPED;
        give_site(t, group);
        look_up(t, s, group);
        t->held = plan->leads;
        return group_place(t, in, group);
    }
    jit_access_of(in, &x);
    return look_up_single(t, s, &x);
}
