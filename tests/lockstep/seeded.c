/* SPDX-License-Identifier: MIT */
/*
 * A translator with one fault, to see that lock-step finds it: one of its files with something
 * replaced. SEED_* says what.
 */
#include "jit/jit_internal.h"

#if defined(SEED_SRAI) /* shifts right fill with zeros */
#define SHIFT_SAR SHIFT_SHR
#include "jit/int.c"
#elif defined(SEED_BLT) /* a signed comparison is unsigned */
#define CC_L CC_B
#include "jit/jump.c"
#elif defined(SEED_LHU) /* a halfword is extended by its sign */
#define op_rx(a, flags, opcode, reg, base, index, scale, disp)                                     \
    op_rx(a, flags, (opcode) == 0x0fb7 ? 0x0fbf : (opcode), reg, base, index, scale, disp)
#include "jit/lookup.c"
#elif defined(SEED_FSUB) /* a difference is a sum */
#define op_rm(a, flags, opcode, reg, base, disp)                                                   \
    op_rm(a, flags, (opcode) == 0x0f5c ? 0x0f58 : (opcode), reg, base, disp)
#include "jit/fp.c"
#elif defined(SEED_CHARGE) /* blocks cost an instruction too little */
#define alu_ri32(a, flags, op, reg, n) alu_ri32(a, flags, op, reg, (n) - 1)
#include "jit/translate.c"
#elif defined(SEED_EVENT) /* a slow way forgets that an event waits */
#define wait_event waiting
#include "jit/thunks.c"
#else
#error which fault?
#endif
