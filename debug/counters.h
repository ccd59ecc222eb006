/* SPDX-License-Identifier: MIT */
/* What a machine counts, as a list of names and values. */
#ifndef DEBUG_COUNTERS_H
#define DEBUG_COUNTERS_H

#include "hart/hart.h"

/* Tell each(opaque, name, value) the counters of n harts: per hart as "harts.N.NAME", and their
 * sums as "NAME". retired[i] is what hart i has retired in all. Exceptions that never happened are
 * left out per hart, not in the sums. */
void counters_walk(const struct hart *harts, unsigned n, const uint64_t *retired,
                   void (*each)(void *opaque, const char *name, uint64_t value), void *opaque);

/* The counters' name of a cause (CAUSE_INTERRUPT set for interrupts); "other" where it has none. */
const char *counters_cause_name(uint64_t cause);

#endif
