/* SPDX-License-Identifier: MIT */
/* Translation of floating point. */
#include "jit/jit_internal.h"

const emit_fn jit_emit_fp[INSN_COUNT] = {0};
