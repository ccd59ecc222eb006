/* SPDX-License-Identifier: MIT */
/* The code that all translations share: the way in from C, the ways out, and the call of an
 * interpreter's function. Written once, at the start of the buffer. */
#include "jit/jit_internal.h"

const int8_t jit_host_of[33] = {
    NOT_MAPPED, NOT_MAPPED, RBX,        NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED,
    NOT_MAPPED, R12,        R13,        RDI,        RSI,        R8,         R9,
    R10,        R11,        NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED,
    NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED,
    NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED, NOT_MAPPED};

static const uint8_t callee_saved[] = {RBP, RBX, R12, R13, R14, R15};
/* A call that is noted on the stack: the host's return address, and the guest's. */
enum { CALL_RETURN = 8, CALL_BYTES = 16 };
/* At hart.frame: as a call noted, to a guest's address that is anything, so that the host's return
 * looks it up; and what aligns six pushes and enter's return address to 16. */
enum { FRAME = CALL_BYTES + 8 };
/* So much of the stack may calls take before they are forgotten. It is looked at after each slice,
 * in which there may be one an instruction: a quarter of a MiB more. */
enum { CALLS_BYTES = 16 * 1024 };

static void load_mapped(struct asm_ *a)
{
    for (unsigned r = 0; r < 32; r++)
        if (jit_host_of[r] != NOT_MAPPED)
            mov_rm(a, (unsigned)jit_host_of[r], RBP, XREG(r));
    mov_rm(a, DBANK, RBP, HART(dbank));
}

static void save_mapped(struct asm_ *a)
{
    for (unsigned r = 0; r < 32; r++)
        if (jit_host_of[r] != NOT_MAPPED)
            mov_mr(a, RBP, XREG(r), (unsigned)jit_host_of[r]);
}

/* Of all that is left, as C code leaves it, keep a slice; rdx is lost. */
static void load_left(struct asm_ *a, const struct jit *jit)
{
    fixup little;

    mov_rm(a, LEFT, RBP, HART(left));
    lea(a, W, RDX, LEFT, -(int32_t)jit->slice);
    op_rr(a, W, 0x85, RDX, RDX);
    little = jcc(a, CC_LE);
    mov_mr(a, RBP, HART(left_aside), RDX);
    mov_ri(a, LEFT, jit->slice);
    patch_here(a, little);
}

/* hart.left as a C function shall see it. */
static void save_left(struct asm_ *a)
{
    alu_rm(a, W, ALU_ADD, LEFT, RBP, HART(left_aside));
    mov_mr(a, RBP, HART(left), LEFT);
    mov_mi(a, RBP, HART(left_aside), 0);
}

/* const struct op *enter(struct hart *h, void *native) */
static void make_enter(struct asm_ *a, struct jit *jit)
{
    struct thunks *th = &jit->thunks;

    th->enter = (const struct op *(*)(struct hart *, void *))(uintptr_t)asm_here(a);
    for (unsigned i = 0; i < sizeof(callee_saved); i++)
        push(a, callee_saved[i]);
    alu_ri(a, W, ALU_SUB, RSP, FRAME);
    lea_exec(a, RAX, th->unwound);
    mov_mr(a, RSP, 0, RAX);
    lea(a, W, RBP, RDI, offsetof(struct hart, x[16]));
    mov_mr(a, RBP, HART(frame), RSP);
    mov_rr(a, RAX, RSI);
    load_left(a, jit);
    load_mapped(a);
    op_rr(a, 0, 0xff, 4, RAX); /* jmp rax */
}

void jit_forget_calls(struct asm_ *a)
{
    mov_rm(a, RSP, RBP, HART(frame));
}

/* Back to C; everything is in memory. with_op: the result is in rax. */
static uint8_t *make_leave(struct asm_ *a, uint8_t **with_op)
{
    uint8_t *here = asm_here(a);

    mov_ri(a, RAX, 0);
    *with_op = asm_here(a);
    jit_forget_calls(a);
    alu_ri(a, W, ALU_ADD, RSP, FRAME);
    for (unsigned i = sizeof(callee_saved); i-- > 0;)
        pop(a, callee_saved[i]);
    ret(a);
    return here;
}

static void count_exit(struct asm_ *a, enum native_exit cause)
{
    op_rm(a, W, 0xff, 0, RBP, HART(counters.native_exits) + (int32_t)(cause * sizeof(uint64_t)));
}

static void make_exits(struct asm_ *a, struct thunks *th, const uint8_t *leave)
{
    const uint8_t *all = asm_here(a);

    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(vpage));
    mov_mr(a, RBP, HART(pc), RCX);
    save_mapped(a);
    save_left(a);
    patch(a, jmp(a), leave);
    for (enum native_exit cause = 0; cause < NATIVE_EXITS; cause++) {
        th->exit[cause] = asm_here(a);
        count_exit(a, cause);
        patch(a, jmp(a), all);
    }
    th->cold = asm_here(a);
    op_rm(a, 0, 0x0fb7, RCX, RCX, offsetof(struct block, off)); /* movzx ecx, word */
    patch(a, jmp(a), th->exit[NATIVE_EXIT_COLD]);
    th->cold_rax = asm_here(a);
    mov_rr(a, RCX, RAX);
    patch(a, jmp(a), th->exit[NATIVE_EXIT_COLD]);
}

/* rax = function(hart, rsi, rdx) */
static void call_c(struct asm_ *a, uintptr_t function)
{
    lea(a, W, RDI, RBP, -(int32_t)offsetof(struct hart, x[16]));
    mov_ri(a, RAX, function);
    op_rr(a, 0, 0xff, 2, RAX); /* call rax */
}

/* Called where the page of the address in rax is not in the exec TLB: returns when it is, rcx and
 * rdx lost, goes there if calls are to be forgotten, or leaves. fetch: jit_fetch. Result: the
 * jump there. */
static fixup make_fetch(struct asm_ *a, struct thunks *th, uintptr_t fetch, const uint8_t *leave)
{
    fixup none, over, forgets;

    th->fetch = asm_here(a);
    mov_mr(a, RBP, HART(pc), RAX);
    save_mapped(a);
    push(a, LEFT);
    save_left(a);
    /* At the end of the run a trap would come too early. */
    alu_rm(a, W, ALU_CMP, LEFT, RBP, HART(slack));
    over = jcc(a, CC_LE);
    mov_rr(a, RCX, RSP);
    alu_ri(a, W, ALU_AND, RSP, -16);
    push(a, RCX);
    push(a, RCX); /* the stack stays aligned */
    call_c(a, fetch);
    mov_rm(a, RSP, RSP, 0);
    pop(a, LEFT);
    mov_rr(a, RCX, RAX);
    /* What is left of the slice stays, so that who misses all the time looks at events, too. */
    mov_rm(a, RDX, RBP, HART(left));
    alu_rr(a, W, ALU_SUB, RDX, LEFT);
    alu_ri(a, 0, ALU_CMP, RCX, FETCH_DONE);
    none = jcc(a, CC_B);
    mov_mr(a, RBP, HART(left_aside), RDX);
    load_mapped(a);
    mov_rm(a, RAX, RBP, HART(pc));
    forgets = jcc(a, CC_A);
    ret(a);
    patch_here(a, none);
    patch_here(a, over);
    count_exit(a, NATIVE_EXIT_FETCH);
    patch(a, jmp(a), leave);
    return forgets;
}

/* rcx = the block at the address in rax, even, or leaves; vpage is its page's. Result: where that
 * begins. */
static uint8_t *look(struct asm_ *a, const struct thunks *th)
{
    uint8_t *again = asm_here(a), *here;

    patch(a, call(a), th->fetch);
    here = asm_here(a);
    jit_exec_entry(a);
    mov_rr(a, RDX, RAX);
    alu_ri(a, W, ALU_AND, RDX, -PAGE_SIZE);
    alu_rm(a, W, ALU_CMP, RDX, RCX, offsetof(struct tlb_bank, exec[0].tag));
    patch(a, jcc(a, CC_NE), again);
    mov_mr(a, RBP, HART(vpage), RDX);
    mov_rm(a, RDX, RCX, offsetof(struct tlb_bank, exec[0].page));
    alu_ri(a, 0, ALU_AND, RAX, PAGE_SIZE - 2);
    op_rx(a, W, 0x8b, RCX, RDX, RAX, 2, offsetof(struct code_page, blocks));
    op_rr(a, W, 0x85, RCX, RCX);
    patch(a, jcc(a, CC_E), th->cold_rax);
    return here;
}

static void make_looks(struct asm_ *a, struct thunks *th, const uint8_t *leave)
{
    fixup forgets = make_fetch(a, th, (uintptr_t)jit_fetch, leave);

    th->look = look(a, th);
    ret(a);
    th->goto_rax = look(a, th);
    jit_goto_block(a, BY_JUMP);
    /* A return to the page that was there would not see that it has to be fetched again. */
    patch_here(a, forgets);
    jit_forget_calls(a);
    patch(a, jmp(a), th->goto_rax);
}

static void make_far(struct asm_ *a, struct thunks *th)
{
    fixup none;

    th->far = asm_here(a);
    alu_rm(a, W, ALU_ADD, RAX, RBP, HART(vpage));
    mov_mr(a, RBP, HART(vpage), RAX);
    jit_exec_entry(a);
    alu_rm(a, W, ALU_CMP, RAX, RCX, offsetof(struct tlb_bank, exec[0].tag));
    none = jcc(a, CC_NE);
    mov_rm(a, RCX, RCX, offsetof(struct tlb_bank, exec[0].page));
    ret(a);
    patch_here(a, none);
    mov_ri(a, RCX, 0);
    ret(a);
}

/* link: calls jit_link_far. */
static void make_far_away(struct asm_ *a, struct thunks *th, const uint8_t *link)
{
    fixup linked;

    th->far_away = asm_here(a);
    alu_rm(a, W, ALU_OR, RAX, RDX, offsetof(struct far_jump, off));
    alu_mi(a, 0, ALU_CMP, RDX, offsetof(struct far_jump, tries), 0);
    linked = jcc(a, CC_E);
    mov_mr(a, RBP, HART(pc), RAX);
    push(a, RAX);
    push(a, RAX); /* the stack stays aligned */
    mov_rr(a, RAX, RDX);
    patch(a, call(a), link);
    pop(a, RAX);
    pop(a, RAX);
    patch_here(a, linked);
    patch(a, jmp(a), th->goto_rax);
}

/* A return to rax. It may be from the call before the last, whose own return was another way. */
static void make_unwind(struct asm_ *a, struct thunks *th)
{
    fixup none[2];

    th->unwind = asm_here(a);
    lea(a, W, RDX, RSP, CALL_BYTES);
    alu_rm(a, W, ALU_CMP, RDX, RBP, HART(frame));
    none[0] = jcc(a, CC_AE);
    alu_rm(a, W, ALU_CMP, RAX, RDX, CALL_RETURN);
    none[1] = jcc(a, CC_NE);
    mov_rr(a, RSP, RDX);
    ret(a);
    th->unwound = asm_here(a);
    jit_forget_calls(a);
    patch_here(a, none[0]);
    patch_here(a, none[1]);
    alu_ri(a, W, ALU_AND, RAX, -2);
    patch(a, jmp(a), th->goto_rax);
}

/* Take the next slice, if there is no event and anything of the run is left. note: calls
 * jit_note_block. */
static void make_spent(struct asm_ *a, struct jit *jit, const uint8_t *note)
{
    struct thunks *th = &jit->thunks;
    fixup whole, deep;

    th->spent_noted = asm_here(a);
    push(a, RAX);
    push(a, RCX);
    mov_rr(a, RAX, RCX);
    patch(a, call(a), note);
    pop(a, RCX);
    pop(a, RAX);
    th->spent = asm_here(a);
    alu_mi(a, 0, ALU_CMP, RBP, HART(wait_event), 0);
    patch(a, jcc(a, CC_NE), th->exit[NATIVE_EXIT_EVENT]);
    mov_rm(a, RDX, RBP, HART(left_aside));
    op_rr(a, W, 0x85, RDX, RDX);
    patch(a, jcc(a, CC_E), th->exit[NATIVE_EXIT_BUDGET]);
    alu_ri(a, W, ALU_CMP, RDX, (int32_t)jit->slice);
    whole = jcc(a, CC_LE);
    mov_ri(a, RDX, jit->slice);
    patch_here(a, whole);
    alu_mr(a, W, ALU_SUB, RBP, HART(left_aside), RDX);
    alu_rr(a, W, ALU_ADD, LEFT, RDX);
    mov_rm(a, RDX, RBP, HART(frame));
    alu_rr(a, W, ALU_SUB, RDX, RSP);
    alu_ri(a, W, ALU_CMP, RDX, CALLS_BYTES);
    deep = jcc(a, CC_BE);
    jit_forget_calls(a);
    patch_here(a, deep);
    op_rr(a, 0, 0xff, 4, RAX); /* jmp rax */
}

/* Behind an op that ended the block, by an exception or a return from one: go on at hart.pc, where
 * hart_run would. */
static void make_go_on(struct asm_ *a, const struct jit *jit, const uint8_t *leave)
{
    fixup not [3];

    alu_mi8(a, ALU_CMP, RBP, HART(waiting), 0);
    not [0] = jcc(a, CC_NE);
    alu_mi(a, 0, ALU_CMP, RBP, HART(wait_event), 0);
    not [1] = jcc(a, CC_NE);
    mov_rm(a, RDX, RBP, HART(left));
    alu_rm(a, W, ALU_CMP, RDX, RBP, HART(slack));
    not [2] = jcc(a, CC_LE);
    load_left(a, jit);
    load_mapped(a);
    jit_forget_calls(a);
    mov_rm(a, RAX, RBP, HART(pc));
    patch(a, jmp(a), jit->thunks.goto_rax);
    for (unsigned i = 0; i < ARRAY_SIZE(not ); i++)
        patch_here(a, not [i]);
    count_exit(a, NATIVE_EXIT_TRAP);
    patch(a, jmp(a), leave);
}

/* Called with rax: struct fallback_op, ecx: the block's offset, edx: what was charged for blocks
 * behind it, which the op must not see. Returns to the caller after the op, or does not where it
 * ended the block. Where an event came up the interpreter does the rest of the block, behind which
 * it looks at events. */
static void make_fallback(struct asm_ *a, struct jit *jit, const uint8_t *leave,
                          const uint8_t *leave_with_op)
{
    fixup trapped, event;

    jit->thunks.fallback = asm_here(a);
    push(a, RAX);
    mov_mr(a, RBP, HART(later), RDX);
    alu_rr(a, W, ALU_ADD, LEFT, RDX);
    save_mapped(a);
    save_left(a);
    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(vpage));
    mov_mr(a, RBP, HART(pc), RCX);
    lea(a, W, RDI, RBP, -(int32_t)offsetof(struct hart, x[16]));
    mov_rr(a, RSI, RAX);
    op_rm(a, 0, 0xff, 2, RSI, offsetof(struct op, fn)); /* call [rsi + fn] */
    op_rr(a, W, 0x85, RAX, RAX);
    trapped = jcc(a, CC_E);
    alu_mi(a, 0, ALU_CMP, RBP, HART(wait_event), 0);
    event = jcc(a, CC_NE);
    load_mapped(a);
    load_left(a, jit);
    alu_rm(a, W, ALU_SUB, LEFT, RBP, HART(later));
    alu_ri(a, W, ALU_ADD, RSP, 8);
    ret(a);
    patch_here(a, event);
    pop(a, RCX);
    mov_rm(a, RAX, RCX, offsetof(struct op, link));
    count_exit(a, NATIVE_EXIT_EVENT);
    patch(a, jmp(a), leave_with_op);
    patch_here(a, trapped);
    make_go_on(a, jit, leave);
}

static void make_interpret(struct asm_ *a, struct thunks *th, const uint8_t *leave_with_op)
{
    th->interpret = asm_here(a);
    count_exit(a, NATIVE_EXIT_SPLIT);
    mov_mr(a, RBP, HART(split), RDX);
    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(vpage));
    mov_mr(a, RBP, HART(pc), RCX);
    save_mapped(a);
    save_left(a);
    patch(a, jmp(a), leave_with_op);
}

/* Called: function(hart, rax, left) */
static uint8_t *make_call(struct asm_ *a, uintptr_t function)
{
    uint8_t *here = asm_here(a);

    alu_ri(a, W, ALU_SUB, RSP, 8);
    save_mapped(a);
    mov_rr(a, RSI, RAX);
    mov_rr(a, RDX, LEFT);
    alu_rm(a, W, ALU_ADD, RDX, RBP, HART(left_aside));
    call_c(a, function);
    load_mapped(a);
    alu_ri(a, W, ALU_ADD, RSP, 8);
    ret(a);
    return here;
}

void jit_make_thunks(struct jit *jit, struct asm_ *a)
{
    uint8_t *leave, *leave_with_op;

    leave = make_leave(a, &leave_with_op);
    make_exits(a, &jit->thunks, leave);
    make_looks(a, &jit->thunks, leave);
    make_far(a, &jit->thunks);
    make_unwind(a, &jit->thunks);
    make_enter(a, jit);
    make_spent(a, jit, make_call(a, (uintptr_t)jit_note_block));
    make_fallback(a, jit, leave, leave_with_op);
    make_interpret(a, &jit->thunks, leave_with_op);
    jit->thunks.note = make_call(a, (uintptr_t)jit_note_misses);
    make_far_away(a, &jit->thunks, make_call(a, (uintptr_t)jit_link_far));
}
