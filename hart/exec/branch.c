/* SPDX-License-Identifier: MIT */
/*
 * Jumps, branches and the ends of blocks. With C, instructions are aligned to 2 bytes and no
 * target is misaligned. Targets inside the page follow the block's links.
 */
#include "hart/exec/exec.h"

/* Continue where code_follow says. */
#define FOLLOW(target)                                                                             \
    do {                                                                                           \
        const struct op *follow_ = code_follow(h, op, target);                                     \
        if (unlikely(!follow_))                                                                    \
            return NULL;                                                                           \
        GO(follow_);                                                                               \
    } while (0)

/* Where the branch is taken, what the block was charged for behind it is given back. */
#define BRANCH(id, condition)                                                                      \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (!(condition))                                                                          \
            NEXT;                                                                                  \
        h->left += op->rest - 1;                                                                   \
        FOLLOW(hart_pc(h, op) + IMM);                                                              \
    }

BRANCH(beq, RS1 == RS2)
BRANCH(bne, RS1 != RS2)
BRANCH(blt, (int64_t)RS1 < (int64_t)RS2)
BRANCH(bge, (int64_t)RS1 >= (int64_t)RS2)
BRANCH(bltu, RS1 < RS2)
BRANCH(bgeu, RS1 >= RS2)

EXEC(jal)
{
    uint64_t pc = hart_pc(h, op);

    RD = pc + op->len;
    FOLLOW(pc + IMM);
}

EXEC(jalr)
{
    uint64_t target = (RS1 + IMM) & ~UINT64_C(1);

    RD = hart_pc(h, op) + op->len;
    h->pc = target;
    LEAVE;
}

EXEC(block_end)
{
    FOLLOW(hart_pc(h, op));
}

EXEC(block_exit)
{
    h->pc = hart_pc(h, op);
    LEAVE;
}
