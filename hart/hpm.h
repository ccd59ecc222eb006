/* SPDX-License-Identifier: MIT */
/*
 * The programmable performance counters, mhpmcounter3 and up, with overflow interrupts and counting
 * by mode (Privileged, "Hardware Performance Monitor"; "Sscofpmf").
 *
 * A counter is not incremented: it is a number added to what the hart counts anyhow. It is turned
 * into its value, and back, where its event, its inhibition or the mode changes. Overflow is looked
 * for once a run, and where it can be read.
 */
#ifndef HART_HPM_H
#define HART_HPM_H

#include "hart/hart.h"

enum { HPM_FIRST = 3, HPM_N = 8 };
#define HPM_MASK (((UINT64_C(1) << HPM_N) - 1) << HPM_FIRST)

/* Events: values of mhpmevent[19:0]. Those that the SBI specification names have its event_idx. */
enum { HPM_RAW = 0x20000, HPM_RAW_MASK = 0xf }; /* those of isthmus: HPM_RAW + 1 and up */
enum hpm_event {
    HPM_NONE = 0,
    HPM_CYCLES = 0x1,
    HPM_INSTRUCTIONS = 0x2,
    HPM_DTLB_MISSES = 0x10019, /* of loads and of stores */
    HPM_WALKS = HPM_RAW + 1,
    HPM_GSTAGE_WALKS = HPM_RAW + 2,
    HPM_EXCEPTIONS = HPM_RAW + 3,
    HPM_INTERRUPTS = HPM_RAW + 4,
    HPM_WORLD_SWITCHES = HPM_RAW + 5,
    HPM_BANK_SWITCHES = HPM_RAW + 6,
    HPM_FENCES = HPM_RAW + 7,
};

/* Around a change of mode, inhibition or events: fix all counters at their values; then let them
 * count on as the new state says. retired: instructions retired at the change; hpm_hold for changes
 * of mode finds it itself and gives it. */
void hpm_hold_at(struct hart *h, uint64_t retired);
uint64_t hpm_hold(struct hart *h);
void hpm_go_on(struct hart *h, uint64_t retired);

/* Set OF and LCOFIP for counters that wrapped. Between blocks. */
void hpm_look_for_overflow(struct hart *h);

#endif
