/* SPDX-License-Identifier: MIT */
/*
 * What every instruction family's file starts from.
 *
 * EXEC(id) defines the function of the instruction INSN_id: it does the instruction's work and
 * goes on, or returns NULL to leave the block with h->pc set. NEXT goes on inside the block; an
 * instruction that ends a block (CLASS_BRANCH, CLASS_JUMP) sets h->pc and says LEAVE; one of
 * CLASS_SYSTEM says NEXT too: the decoder puts a pseudo-op behind it that leaves the block, where
 * that may be needed (code_looks).
 *
 * With ISTHMUS_TAIL_CALLS (optimised builds) an op jumps to the next one's function: dispatch is
 * threaded. Without, hart_run's loop calls them in turn. The text of the functions is the same.
 */
#ifndef HART_EXEC_EXEC_H
#define HART_EXEC_EXEC_H

#include "hart/code.h"
#include "hart/hart.h"

/* A translator replaces the function of a block's first op while harts run. */
#define OP_FN(op) __atomic_load_n(&(op)->fn, __ATOMIC_RELAXED)

#define EXEC(id) const struct op *exec_##id(struct hart *h, const struct op *op)

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&   \
    !defined(ISTHMUS_COVERAGE)
#define ISTHMUS_TAIL_CALLS 1
#define GO(o)                                                                                      \
    do {                                                                                           \
        const struct op *go_ = (o);                                                                \
        return OP_FN(go_)(h, go_);                                                                 \
    } while (0)
#else
#define GO(o) return (o)
#endif
#define NEXT GO(op + 1)

/* Continue at h->pc, in another block. */
#define LEAVE                                                                                      \
    do {                                                                                           \
        const struct op *leave_ = code_next(h);                                                    \
        if (unlikely(!leave_))                                                                     \
            return NULL;                                                                           \
        GO(leave_);                                                                                \
    } while (0)

#define RD (h->x[op->rd])
#define RS1 (h->x[op->rs1])
#define RS2 (h->x[op->rs2])
#define RS3 (h->x[op->rs3])
#define IMM ((int64_t)op->imm)

/* Prototypes of all exec functions: one a row of 32-bit instructions. */
#define INSN(id, match, mask, format, ext, class) EXEC(id);
#define CINSN(id, match, mask, format, ext, class, base)
#include "isa/insn.def"
/* Pseudo-ops: a reserved encoding; the end of a block that runs on. */
EXEC(illegal);
EXEC(break);      /* where a debugger planted a breakpoint */
EXEC(warm);       /* the first op of a block that may become hot */
EXEC(straddle);   /* the op of a block that straddles two pages */
EXEC(block_end);  /* to the next block of the page, by its link */
EXEC(block_exit); /* the context may have changed: look the next block up */

#endif
