/* SPDX-License-Identifier: MIT */
/* A translation in words: each stage level by level, PMP, and why an access fails. */
#ifndef DEBUG_EXPLAIN_H
#define DEBUG_EXPLAIN_H

#include "debug/text.h"
#include "hart/hart.h"

enum { EXPLAIN_SIZE = 16384 }; /* bytes that hold any explanation */

/* Explain what an access of one byte at va in ctx would meet on hart h. Nothing is changed: neither
 * A and D nor a TLB. Result: 0 where it is allowed, else the exception's code (no fetch is ever
 * misaligned here, so that 0 is none). */
unsigned explain(struct hart *h, const struct mmu_ctx *ctx, uint64_t va, enum mmu_access access,
                 struct text *text);

/* The name of an exception, such as "store/AMO guest-page fault"; "exception" for an unknown
 * one. */
const char *explain_cause(uint64_t code);
/* The name of a mode: "M", "HS", "U", "VS" or "VU"; "S" instead of HS without H. */
const char *explain_mode(unsigned priv, bool v);

#endif
