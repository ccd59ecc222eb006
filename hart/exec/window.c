/* SPDX-License-Identifier: MIT */
/* Xisthmus (docs/spec/xisthmus.md): hand the operands to the window engine, and turn what became
 * of the instruction into a register write or an exception. */
#include "hart/exec/memory.h"
#include "hart/window_env.h"

/* How every instruction here ends. A local fault keeps the address of the piece
 * where it was found. */
static const struct op *retire(struct hart *h, const struct op *op, struct window_result r)
{
    switch (r.outcome) {
    case WINDOW_DONE:
        RD = (uint64_t)r.rd;
        return op + 1;
    case WINDOW_LOCAL_FAULT:
        return hart_raise_fault(h, op, &h->window_fault, h->window_fault.va,
                                memory_is_virtual(h));
    case WINDOW_VIRTUAL:
        return hart_virtual(h, op);
    default:
        return hart_illegal(h, op);
    }
}

static void tell(struct hart *h, const struct op *op, const struct window_result *result)
{
    const uint64_t operands[3] = {RS1, RS2, RS3};

    h->hooks->window(h, op, operands, result);
}

#define WINDOW(id, ...)                                                                            \
    EXEC(id)                                                                                       \
    {                                                                                              \
        struct window_caller by = hart_window_caller(h);                                           \
        struct window_result result;                                                               \
                                                                                                   \
        result = __VA_ARGS__;                                                                      \
        if (unlikely(h->hooks))                                                                    \
            tell(h, op, &result);                                                                  \
        return retire(h, op, result);                                                              \
    }

WINDOW(ig_put, window_put(h->window, &by, RS1, RS2, RS3))
WINDOW(ig_get, window_get(h->window, &by, RS1, RS2, RS3))
WINDOW(ig_store, window_store(h->window, &by, RS1, RS2, RS3))
WINDOW(ig_drop, window_drop(h->window, &by, RS1))
WINDOW(ig_bind, window_bind(h->window, &by, RS1, RS2))
WINDOW(ig_query, window_query(h->window, &by, RS1, RS2))
WINDOW(ig_ring, window_ring(h->window, &by, RS1, RS2))
WINDOW(ig_alloc, window_alloc(h->window, &by, RS1))
WINDOW(ig_free, window_free(h->window, &by, RS1))
WINDOW(ig_fence, window_fence(h->window, &by, op->rs1 == 0, RS1))
WINDOW(ig_suspend, window_suspend(h->window, &by, RS1, RS2))
