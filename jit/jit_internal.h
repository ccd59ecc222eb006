/* SPDX-License-Identifier: MIT */
/*
 * Inside the translator: register conventions, the state of a translation, what its files offer
 * each other.
 *
 * Host registers in translated code:
 *   rbp  &hart.x[16], so that every x register has an 8-bit displacement
 *   r14  hart.dbank
 *   r15  hart.left
 *   rax, rcx, rdx  scratch, dead between guest instructions
 *   nine others    the guest registers that compilers use most (jit_host_of); the rest stay in
 *                  memory. Paths have others in some of them (lend.c)
 * rsp is aligned to 16. All translated code shares the convention, so blocks are chained by plain
 * jumps.
 *
 * A guest's call is one of the host's: the return address is pushed, and behind it the host's own
 * (jump.c). A guest's return to that address is the host's return. Nothing depends on it: what
 * returns elsewhere looks the address up, and whoever leaves, or may have changed what addresses
 * mean, goes back to hart.frame, where none is noted.
 *
 * A translation starts with the charge of its instructions, and leaves by one of the common exits
 * (thunks.c). r15 has a slice of the run only, the rest of which is in hart.left_aside: when a
 * charge fails events are looked at, and if there are none the next slice is taken; now and then
 * what code is there is noted, which finds what is executed most. What a translation does
 * rarely is written apart from what it does always, so that hot code lies close together.
 * What it does not translate, and the slow way of what it does, is done by the
 * interpreter's own function for the instruction, called on a copy of the op behind which a
 * pseudo-op stops (fallback).
 */
#ifndef JIT_JIT_INTERNAL_H
#define JIT_JIT_INTERNAL_H

#include "jit/jit.h"
#include "jit/x86.h"

#include <pthread.h>
#include <stdio.h>

#define HART(field) ((int32_t)(offsetof(struct hart, field) - offsetof(struct hart, x[16])))
#define XREG(r) ((int32_t)((int)(r)-16) * 8)
#define FREG(r) ((int32_t)(HART(f) + (int)(r)*8))

enum { DBANK = R14, LEFT = R15 };

enum { NOT_MAPPED = -1 };
extern const int8_t jit_host_of[33];

/* Addresses, where they are executed, of the code that all translations share. */
struct thunks {
    /* Run native code. Result: NULL, or the op at which the interpreter goes on, everything before
     * it in its block done. */
    const struct op *(*enter)(struct hart *h, void *native);
    /* Leave, by cause; ecx: the next instruction's offset from hart.vpage. */
    uint8_t *exit[NATIVE_EXITS];
    uint8_t *cold;      /* a block that is not translated was entered; rcx: the block */
    uint8_t *fallback;  /* called: execute the op at rax of the block at offset ecx, or leave */
    uint8_t *interpret; /* leave: the interpreter goes on with the op at rax of the block at ecx;
                           rdx: the translation's head */
    uint8_t *spent;     /* the charge of a block failed, and was given back; rax: the block's native
                           code, ecx: its offset. Goes on there with more of the run, or leaves */
    uint8_t *spent_noted; /* the same, where more may be made of it: now and then it is noted */
    uint8_t *cold_rax;    /* leave to offset rax of the page, where no block is decoded */
    uint8_t *look;     /* called: rcx = the block at the address in rax, even, or leaves; vpage is
                          its page's; other scratch registers are lost */
    uint8_t *goto_rax; /* go on at the address in rax, even */
    uint8_t *fetch;    /* called by these two */
    uint8_t *far;      /* called: rax = vpage += rax, rcx = the page there, or NULL */
    uint8_t *far_away; /* go on at offset rdx->off of the page at rax; rdx: struct far_jump, which
                          may be linked now */
    uint8_t *unwind;   /* a return to rax, not from the call noted last */
    uint8_t *unwound;  /* one from none */
    /* Called: jit_note_misses(hart, rax, left); scratch registers are lost. */
    uint8_t *note;
};

/* A jump to another page, to one place of its code; beside the code. Harts look whether they have
 * that page there. Linked when it is first taken to a translation. */
struct far_jump {
    uint64_t off;
    fixup page;     /* where it has the page that it was linked to, a constant; NULL at first */
    fixup jump;     /* where it goes if that is the page */
    uint32_t tries; /* to link it, left */
};
enum { FAR_TRIES = 64 };

/* A jump to a place of a page: to the first translation there, or to the newest one at any time;
 * beside the code. */
struct known_jump {
    struct known_jump *next; /* in the bucket of jit.jumps */
    const struct code_page *page;
    uint32_t jump; /* where it is: as a fixup, but from jit.write */
    uint16_t off;
    bool to_newest; /* by one that is executed much */
};
enum { JUMPS_BITS = 16, JUMPS_BUCKETS = 1 << JUMPS_BITS, NO_CC = -1, CALL = -2 };

struct jit {
    struct translator seam;
    const struct isa *isa;
    const struct log *log;
    pthread_mutex_t lock;
    uint8_t *write, *exec; /* two views of the same memory */
    size_t size;
    size_t code_start, rare_start; /* behind the thunks; behind the room for what is hot */
    /* Code grows up from code_start and rare_start, data grows down from size. code: atomic, stored
     * to in front of publishing what was written. */
    size_t code, rare, data;
    bool full;           /* atomic */
    bool no_large_pages; /* the host's kernel makes none on demand */
    bool has_fma;
    struct known_jump *jumps[JUMPS_BUCKETS]; /* by page and offset */
    unsigned sites;                          /* given away so far, modulo HART_SITES */
    unsigned slice; /* so many instructions at most are executed before events are looked at */
    /* How often a block is noted at the end of a slice: to have its branches counted; to be made a
     * path; one that guesses; one that has places. */
    unsigned seen_some, seen_many, seen_more, seen_most;
    struct thunks thunks;
    struct jit_counters counters;
    FILE *perf_map;
};

/* The copy of an op for a fallback, and what stops behind it: as much of an op as is looked at. The
 * copy's link is the op that follows in the block. */
struct fallback_op {
    struct op op;
    exec_fn stop;
};
_Static_assert(offsetof(struct op, fn) == 0, "stop is where the next op has its function");

/* What an access's site guesses: where its TLB entry is, or what is in it. The place may be one
 * that the code has. */
enum guess { GUESS_NOTHING, GUESS_PLACE, GUESS_ADDEND, GUESS_CONSTANT };

/* A memory access, or the first of a group of accesses that share one look-up (plan.c). */
struct access {
    uint8_t base;  /* guest register */
    uint8_t size;  /* the alignment that is checked: the largest datum of the group */
    bool store;    /* or, of a group, one of them is */
    bool compact;  /* of a group: aligned so, it cannot lie in two pages */
    bool is_aside; /* of a group: what its members add to is put aside, not all follow at once */
    bool by_base;  /* that is the host address of the base, which is in memory; else the addend */
    uint8_t guess; /* enum guess */
    int8_t group;  /* slot of hart.aside for it; NO_GROUP */
    unsigned site; /* of the hart's */
    int32_t place; /* GUESS_CONSTANT: offset in the bank */
    int32_t low,
        high; /* offsets from the base: where the page is looked up, and of the last datum */
};
enum { NO_GROUP = -1 };

/* How an op accesses memory, by plan.c. */
struct plan {
    int8_t member;  /* of the group of that slot, led by an earlier op; NO_GROUP */
    int8_t leads;   /* index in trans.groups; NO_GROUP */
    int32_t offset; /* of the datum from the leader's base */
};

/* What the last of some instructions computes from the source of the first (fuse.c). */
enum fused {
    FUSED_NOTHING,
    FUSED_ROTATE,      /* right by n */
    FUSED_ROTATE_WORD, /* the low half, sign-extended */
    FUSED_ZEXT_WORD,   /* shifted left by n */
    FUSED_ZEXT_HALF,
};
struct fusion {
    uint8_t kind;   /* enum fused */
    uint8_t source; /* guest register */
    uint8_t n;
};

/* What a site's misses are reported with. */
struct site_note {
    struct block *head;   /* of the translation, */
    const uint8_t *entry; /* which begins here */
    struct block *block;  /* where the op is */
    unsigned op, site;
    unsigned copies; /* so often the op is on the path */
    bool is_waited_for;
    uint8_t guess;
};

/* An instruction on the path that a translation follows (path.c). */
struct step {
    const struct op *op;
    struct block *block; /* where it is */
    uint16_t later;      /* instructions charged for more than the blocks up to this one */
    bool on;             /* the path goes on at another block's first instruction */
    bool taken;          /* a branch, and where the path goes on it is taken */
    uint8_t come;        /* so many of COME_ALL executions of the path come here */
    uint8_t returned;    /* of a call: the step that is its return; 0: none on the path */
};
enum { PATH_MAX = 2 * BLOCK_MAX, COME_ALL = 64 };

/* f registers that xmm registers have, too (copies.c). */
enum { XMM_REGISTERS = 16, NO_COPY = -1 };
struct copies {
    int8_t f_of[XMM_REGISTERS];    /* or NO_COPY */
    bool is_single[XMM_REGISTERS]; /* it is one, NaN-boxed in the f register; else all 64 bits */
    uint8_t last;                  /* given away */
};

enum { STUBS_MAX = 3 * PATH_MAX, STUB_FROM_MAX = 6 };

struct trans;
/* The slow way of one instruction, written apart. */
struct stub {
    fixup from[STUB_FROM_MAX];
    unsigned from_n;
    unsigned at;                                   /* the step */
    uint32_t pending;                              /* as t->pending in front of it */
    uint8_t *resume;                               /* where it is executed */
    struct copies before, after;                   /* as t->copies in front of it, and at resume */
    void (*emit)(struct trans *t, struct stub *s); /* NULL: nothing but the fallback */
    /* Of a load or store (lookup.c): */
    struct access access;
    uint8_t *begin, *hit, *right; /* of the look-up; behind it; behind the guess of the addend */
    uint8_t *whole;               /* behind the check that the group is in one page */
    fixup miss, split, wrong; /* not the entry guessed; not all of the group in one page; not the
                                 addend guessed */
};

/* A jump to a place of the page that had no translation: how to go there otherwise is written
 * apart. */
struct way_out {
    fixup from;
    uint32_t off;
};
enum { WAYS_MAX = 4 * PATH_MAX };

/* A jump to another page: what it does where it does not find the page, or is not linked, is
 * written apart. */
struct far_way {
    struct far_jump *far; /* only to point at: where the buffer is full, code may be over it */
    fixup away, jump;     /* not the page; the page */
    uint8_t *landing;     /* it is a call, and this is behind it; NULL */
};
enum { FAR_WAYS_MAX = PATH_MAX + 1 };

/* A branch out of the middle of a path. */
struct aside {
    fixup from;
    unsigned at;       /* the step */
    int32_t give_back; /* instructions charged and not executed */
    uint32_t pending;  /* as t->pending */
    bool lent;         /* as t->lent */
    int64_t to;        /* offset from the page's start */
};

/* A host register that has, on the path, another guest register than elsewhere, or what members of
 * a group add to (lend.c). */
struct loan {
    uint8_t from, to; /* guest registers */
    bool is_written;  /* the latter, on the path */
    int8_t group;     /* instead of a guest register; NO_GROUP */
};
enum { LOANS_MAX = 9 };

/* What a translation is of, and block.made: a block alone; that, and counts which branches are
 * taken; a path; one that guesses where TLB entries are; one that has the places that were guessed
 * right. */
enum made { OF_BLOCK, OF_COUNTS, OF_PATH, OF_GUESSES, OF_PLACES };

/* A translation being made. Up to steps it begins as zeros (jit_begin). */
struct trans {
    struct asm_ a;     /* where it is written to now */
    struct asm_ other; /* of hot code and rare code, the other one */
    bool rare;         /* a is of rare code */
    enum made of;
    struct jit *jit;
    struct block *head;
    uint8_t *entry;  /* where it is executed */
    uint8_t *body;   /* of a block's own translation: behind what is at its start */
    size_t data;     /* as jit.data */
    unsigned n;      /* steps */
    unsigned charge; /* instructions of all blocks, which the path may leave in the middle */
    unsigned sites_n;
    const struct hart *learnt; /* OF_PLACES: whose sites have the places */
    bool settled;              /* what is charged and not on the path has been given back */
    unsigned at;               /* the step that is being written */
    unsigned stubs_n, asides_n, ways_n, far_ways_n;
    int held;              /* the group of which group_reg is as put aside; NO_GROUP */
    unsigned rax_has;      /* the guest register, not in a host register, that rax has, too, */
    const uint8_t *rax_at; /* for what is written here */
    unsigned fp_known;     /* FP_ON, ...: tested earlier on the path */
    uint32_t pending;      /* registers whose upper half may be anything now (extend.c) */
    struct copies copies;
    unsigned loans_n;
    bool lent;      /* host_of is the path's, not jit_host_of */
    uint8_t *again; /* of a path that is a loop: where it is executed once more, as it is lent */
    struct known_jump *jumps; /* the translation's own */
    bool done;                /* the path's last instruction has set the way on */

    struct step steps[PATH_MAX];
    struct insn in[PATH_MAX]; /* the step's instruction */
    /* What the plans say of it, nothing at first: */
    struct plan plan[PATH_MAX];
    struct fusion fusions[PATH_MAX];
    bool dead[PATH_MAX];     /* nobody sees the result */
    uint8_t skips[PATH_MAX]; /* of a branch: it may be a move, around so many steps (skip.c) */
    bool skipped[PATH_MAX];  /* one of these */
    bool low[PATH_MAX];      /* the upper half of the result may be anything */

    int8_t host_of[33]; /* the host register that has a guest register now, or NOT_MAPPED */
    int8_t group_host[HART_ASIDE]; /* the same for what members of a group add to */
    struct loan loans[LOANS_MAX];
    struct access groups[HART_ASIDE];
    struct stub stubs[STUBS_MAX];
    struct aside asides[PATH_MAX];
    struct way_out ways[WAYS_MAX];
    struct far_way far_ways[FAR_WAYS_MAX];
};

enum { FP_ON = 1, FP_DIRTY = 2, FP_NEAREST = 4 };

/* How an instruction is translated: the step. */
typedef void (*emit_fn)(struct trans *t, const struct insn *in);

/* path.c: which blocks the translation of t->head goes through. Fills t->steps; by one block alone,
 * or as far as it can be told where execution goes. */
void jit_plan_block(struct trans *t);
void jit_plan_path(struct trans *t);
/* b has branches to be counted. */
bool jit_may_count(const struct isa *isa, const struct block *b);
static inline bool is_path(const struct trans *t)
{
    return t->of >= OF_PATH;
}

/* plan.c: which accesses of the path share a look-up. Fills t->plan and t->groups from t->in. */
void jit_plan_accesses(struct trans *t);
/* What in does with memory. False: nothing that the translator does inline. */
bool jit_access_of(const struct insn *in, struct access *access);

/* fuse.c: which instructions are computed together, and which then need not be. Fills t->fusions
 * and t->dead from t->in. */
void jit_plan_fusions(struct trans *t);
void emit_fusion(struct trans *t, const struct insn *in, const struct fusion *f);
/* It computes rd of rs1, rs2 and the immediate, and cannot trap. */
bool jit_is_pure(const struct insn *in);

/* It changes x register rd. */
bool jit_writes_x(const struct insn *in);
/* It adds a number to x register r. */
static inline bool jit_steps(const struct insn *in, unsigned r)
{
    return in->base == INSN_addi && in->rd == r && in->rs1 == r;
}
/* What translates in; NULL: by fallback. */
emit_fn jit_emitter_of(const struct isa *isa, const struct insn *in);

/* extend.c: which steps leave out the sign extension of their result. Fills t->low. */
void jit_plan_extensions(struct trans *t);
/* Make up for the extensions of these registers. */
void emit_extensions(struct trans *t, uint32_t registers);

/* skip.c: which branches may be conditional moves. Fills t->skips and t->skipped from t->in. */
void jit_plan_skips(struct trans *t);
/* The register that is computed by what the step, a branch, goes around; 0: not one alone. */
unsigned jit_skip_result(const struct trans *t);
/* The step, a branch taken where cc holds, and what it goes around, computing rd. */
void emit_skip(struct trans *t, unsigned cc, unsigned rd);
/* lend.c: which host registers the path lends. Fills t->loans from t->in. */
void jit_plan_loans(struct trans *t);
/* Lend them, where they are not; have everything where all translations have it, but what members
 * of groups add to, which is lost. rax, rcx and rdx stay. */
void emit_lend(struct trans *t);
void emit_return_loans(struct trans *t);
/* Call a thunk that comes back, with everything where it expects it. */
void emit_call(struct trans *t, const uint8_t *thunk);
/* Displacement of where what a group's members add to is put aside. */
static inline int32_t jit_group_aside(int group)
{
    return HART(aside) + group * (int32_t)sizeof(uint64_t);
}
/* What is written next is executed with host registers lent, if the path lends any, or not. */
void jit_set_lent(struct trans *t, bool lent);
/* The path's last step is a branch, or a jump, back to where the path begins, as it is lent. */
bool jit_goes_again(const struct trans *t);
/* translate.c: the step, which jit_is_pure, if it is not dead. */
void emit_pure(struct trans *t);

/* buffer.c: map jit->size bytes, twice: 0 or an error; whatever is mapped of it, and perf's map. */
int jit_map_buffer(struct jit *jit);
void jit_unmap_buffer(struct jit *jit);
/* Code that begins at offset start of the buffer grows from one to another: where there is much,
 * have each large page that is full be one. */
void jit_use_large_pages(struct jit *jit, size_t start, size_t from, size_t to);
size_t jit_bytes_used(const struct jit *jit);
/* Begin perf's map; name the translation in it, where there is one. */
void jit_open_perf_map(struct jit *jit);
void jit_note_for_perf(struct jit *jit, const struct trans *t);

/* link.c: known jumps to block b, which waited for it to be translated or go to an older
 * translation, go straight to the entry of this one. */
void jit_link_jumps_to(struct jit *jit, const struct block *b, const uint8_t *entry);
/* The jumps of a translation are known. */
void jit_enlist_jumps(struct jit *jit, struct known_jump *list);
/* Who jumps to b's translation goes on to `to` instead: its first DIVERTED bytes become a jump.
 * Harts that execute it meanwhile see the one or the other; what is behind it stays. */
enum { DIVERTED = 5 };
void jit_divert(struct jit *jit, const struct block *b, const uint8_t *to);
/* The jump is taken, to h->pc: link it if there is a translation. Called from translated code. */
void jit_link_far(struct hart *h, struct far_jump *far, int64_t left);
/* Have the page of h->pc in the exec TLB. Called from translated code. */
enum fetch {
    FETCH_NOT, /* it cannot be, or a trap was taken */
    FETCH_DONE,
    FETCH_FOR_ANOTHER, /* in place of another page, which an interpreter would have to fetch again
                        */
};
enum fetch jit_fetch(struct hart *h);
/* The block at va that is decoded, as the hart's exec TLB has it. NULL: none. */
struct block *jit_block_at(const struct hart *h, uint64_t va);

/* translate.c: write a translation of b, or of the path that begins with it, with what is known by
 * now; OF_PLACES: by h. NULL: no room. The lock is held. */
uint8_t *jit_translate(struct jit *jit, struct block *b, enum made of, const struct hart *h);
/* Begin one, to be planned. */
void jit_begin(struct trans *t, struct jit *jit, struct block *b, enum made of);

/* tiers.c: what jit.slice and jit.seen_some ... are. soon: where blocks are translated early. */
void jit_set_tiers(struct jit *jit, bool soon);
/* The last translation that is made of b. */
enum made jit_most_of(const struct block *b);
/* A slice of the run ended at the block at offset off of the page; a site missed often. Called from
 * translated code. */
void jit_note_block(struct hart *h, void *off, int64_t left);
void jit_note_misses(struct hart *h, const struct site_note *note, int64_t left);
/* The interpreter goes on with op `at` of b, because the translation of head found that accesses
 * with one look-up are not aligned as they were expected to be, or lie apart. Have it expected no
 * more; and where it is often so still, have them looked up one by one. */
void jit_note_split(struct hart *h, struct block *head, struct block *b, const struct op *at);

/* Translated code loads the addresses of other translations, and of their blocks, by instructions
 * that order what follows, as all loads of this host do. What is compiled, or ThreadSanitizer
 * looks at, knows of no such load: whoever is told of a block by translated code begins here, and
 * has what any translation was made from behind it. */
static inline void jit_see_code(const struct jit *jit)
{
    (void)__atomic_load_n(&jit->code, __ATOMIC_ACQUIRE);
}

/* A site of the harts: given away in turn. */
static inline unsigned jit_site(struct jit *jit)
{
    return jit->sites++ % HART_SITES;
}

/* Displacement of its count of misses. */
static inline int32_t jit_site_misses(unsigned site)
{
    return HART(sites.misses) + (int32_t)(site * sizeof(uint32_t));
}

/* thunks.c: write the shared code at the start of the buffer. */
void jit_make_thunks(struct jit *jit, struct asm_ *a);

/* By in->base; NULL: by fallback. */
extern const emit_fn jit_emit_int[INSN_COUNT];
extern const emit_fn jit_emit_mem[INSN_COUNT];
extern const emit_fn jit_emit_jump[INSN_COUNT];
extern const emit_fn jit_emit_fp[INSN_COUNT];
extern const emit_fn jit_emit_csr[INSN_COUNT]; /* where jit_csr_is_inline */
bool jit_csr_is_inline(const struct isa *isa, const struct insn *in);

/* A slow way for the step, to which the caller adds jumps (stub_from), and which comes back to
 * where stub_resume says. */
struct stub *stub_new(struct trans *t);
void stub_from(struct stub *s, fixup from);
void stub_resume(struct trans *t, struct stub *s);
/* In the slow way: go back there. */
void emit_resume(struct trans *t, const struct stub *s);
/* In the slow way, behind the step: leave, the interpreter goes on with the block. head: as
 * hart.split. */
void emit_interpret(struct trans *t, const struct block *head);

/* lookup.c: a datum in memory, [base + index + offset]. */
struct place {
    unsigned base, index; /* host registers; index: or NO_INDEX */
    int32_t offset;
};
enum { NO_INDEX = RSP };

/* opcode reg, the datum, or the other way around. */
void op_place(struct trans *t, unsigned flags, unsigned opcode, unsigned reg,
              const struct place *p);
/* Look x up, the access of the step. Scratch registers that the result does not name are free then,
 * and rdx for a store. */
struct place look_up_single(struct trans *t, struct stub *s, struct access *x);
/* The place of the step's datum, alone or in a group. rdx is free then. */
struct place access_place(struct trans *t, struct stub *s, const struct insn *in);

/* True where step at is a jalr behind an auipc for it, as calls of what is far away are: it goes a
 * constant distance. *off: its target from the page's start. */
bool jit_is_direct_jalr(const struct trans *t, unsigned at, int64_t *off);
/* What branches out of the middle of the path go to: in the page, or far. */
void emit_asides(struct trans *t, bool far);
/* The rare part of jumps to what had no translation. */
void emit_ways_out(struct trans *t);
void emit_far_ways(struct trans *t);
/* Room for a constant of size bytes beside the code, for lea_data; NULL: the buffer is full. */
void *data_alloc(struct trans *t, size_t size);
/* reg = address of the constant, where it is executed */
void lea_data(struct trans *t, unsigned reg, const void *data);
/* Add one to the count; rax is lost. */
void emit_count(struct trans *t, uint32_t *count);
/* Execute the step by the interpreter's function: in a slow way; instead of a translation. */
void emit_fallback(struct trans *t);
void emit_fallback_here(struct trans *t);
/* Compare guest registers, for a condition code. */
void emit_compare(struct trans *t, unsigned rs1, unsigned rs2);
/* To s where the flag of the hart, fp_on (FP_ON) or fp_dirty (FP_DIRTY), is false. What s then does
 * sets it. */
void fp_guard_flag(struct trans *t, struct stub *s, unsigned flag);
/* Go on at offset off from the page's start; it may be outside the page. */
void emit_goto(struct trans *t, int64_t off);
/* rcx = what tlb_bank.exec[0] is for the page of the address in rax, in the current fetch bank */
void jit_exec_entry(struct asm_ *a);
/* None is noted on the stack any more. */
void jit_forget_calls(struct asm_ *a);
/* Go on at the address in rax, even: by a jump of the host, or a call. */
enum way { BY_JUMP, BY_CALL };
void emit_goto_rax(struct trans *t, enum way way);
/* jmp, or call, [rcx + native] */
void jit_goto_block(struct asm_ *a, enum way way);

static inline const struct step *step_of(const struct trans *t)
{
    return &t->steps[t->at];
}

/* Of the step in its block. */
static inline unsigned index_of(const struct step *step)
{
    return (unsigned)(step->op - step->block->ops);
}

/* The step's bit of what runs have shown of its block. */
static inline bool is_noted(const struct step *step, const uint64_t *bits)
{
    return __atomic_load_n(bits, __ATOMIC_RELAXED) & BIT(index_of(step));
}

/* Offset of the step's instruction in the page. */
static inline int32_t page_offset(const struct trans *t)
{
    return step_of(t)->block->off + step_of(t)->op->off;
}

/* --- f registers --- */

enum { XMM0, XMM1, XMM2 };             /* scratch */
enum { SINGLE = 0xf3, DOUBLE = 0xf2 }; /* prefixes of the SSE instructions for a format */
enum { SSE_LOAD = 0x0f10, SSE_STORE = 0x0f11 };

/* NaN-box the single in f register r. */
void fp_box(struct trans *t, unsigned r);

/* There are no copies any more; none of r. */
void copies_forget(struct trans *t);
void copy_forget(struct trans *t, unsigned r);
/* The xmm register that has a copy of r, of that format; or NO_COPY. */
int copy_of(const struct trans *t, bool is_single, unsigned r);
/* An xmm register for a result of in, none that has its sources. */
unsigned copy_room(struct trans *t, const struct insn *in);
/* xmm, from copy_room, has what r has in memory. */
void copy_set(struct trans *t, bool is_single, unsigned r, unsigned xmm);
/* Load copies from memory. */
void emit_copies(struct trans *t, const struct copies *c);

/* --- guest registers --- */

/* rax has guest register r, as memory has, for what is written next. What is written meanwhile, and
 * who comes here from elsewhere (rax_lost), ends that. */
static inline void rax_holds(struct trans *t, unsigned r)
{
    t->rax_has = r;
    t->rax_at = asm_here(&t->a);
}

static inline void rax_lost(struct trans *t)
{
    t->rax_has = 0;
}

static inline bool is_in_rax(const struct trans *t, unsigned r)
{
    return r && t->rax_has == r && t->rax_at == asm_here(&t->a);
}

/* dst = guest register r, which is not mapped */
static inline void load_unmapped(struct trans *t, unsigned dst, unsigned r)
{
    if (is_in_rax(t, r))
        mov_rr(&t->a, dst, RAX);
    else
        mov_rm(&t->a, dst, RBP, XREG(r));
}

/* Guest register r, which is not mapped, = reg */
static inline void store_unmapped(struct trans *t, unsigned r, unsigned reg)
{
    mov_mr(&t->a, RBP, XREG(r), reg);
    if (reg == RAX)
        rax_holds(t, r);
}

/* Host register that holds guest register r; loaded into scratch where it is not mapped. */
static inline unsigned use(struct trans *t, unsigned r, unsigned scratch)
{
    if (r == 0)
        mov_ri(&t->a, scratch, 0);
    else if (t->host_of[r] == NOT_MAPPED)
        load_unmapped(t, scratch, r);
    else
        return (unsigned)t->host_of[r];
    return scratch;
}

/* Host register to compute r in: scratch where it is not mapped. defined() stores it then. */
static inline unsigned define(const struct trans *t, unsigned r, unsigned scratch)
{
    return t->host_of[r] == NOT_MAPPED ? scratch : (unsigned)t->host_of[r];
}

static inline void defined(struct trans *t, unsigned r, unsigned reg)
{
    if (t->host_of[r] == NOT_MAPPED)
        store_unmapped(t, r, reg);
}

/* What was computed in reg, a scratch register, becomes guest register r. */
static inline void set_result(struct trans *t, unsigned r, unsigned reg)
{
    if (t->host_of[r] == NOT_MAPPED)
        store_unmapped(t, r, reg);
    else
        mov_rr(&t->a, (unsigned)t->host_of[r], reg);
}

/* Guest register r into dst. */
static inline void load_reg(struct trans *t, unsigned dst, unsigned r)
{
    if (r == 0)
        mov_ri(&t->a, dst, 0);
    else if (t->host_of[r] == NOT_MAPPED)
        load_unmapped(t, dst, r);
    else
        mov_rr(&t->a, dst, (unsigned)t->host_of[r]);
}

/* op dst, guest register r (not x0), from wherever it is. */
static inline void op_guest(struct trans *t, unsigned flags, unsigned opcode, unsigned dst,
                            unsigned r)
{
    if (is_in_rax(t, r))
        op_rr(&t->a, flags, opcode, dst, RAX);
    else if (t->host_of[r] == NOT_MAPPED)
        op_rm(&t->a, flags, opcode, dst, RBP, XREG(r));
    else
        op_rr(&t->a, flags, opcode, dst, (unsigned)t->host_of[r]);
}

/* dst = guest register r rotated right by n; flags: W, or 0 for its lower half. */
static inline void rotate_guest(struct trans *t, unsigned flags, unsigned dst, unsigned r,
                                unsigned n)
{
    if (is_in_rax(t, r))
        rorx(&t->a, flags, dst, RAX, n);
    else if (r && t->host_of[r] == NOT_MAPPED)
        rorx_rm(&t->a, flags, dst, RBP, XREG(r), n);
    else
        rorx(&t->a, flags, dst, use(t, r, dst), n);
}

static inline bool is_mapped(const struct trans *t, unsigned r, unsigned reg)
{
    return t->host_of[r] == (int)reg;
}

#endif
