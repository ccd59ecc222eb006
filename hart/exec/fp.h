/* SPDX-License-Identifier: MIT */
/*
 * Floating-point state of a hart that spans instructions (Unprivileged, "Floating-Point Control
 * and Status Register"). While a hart runs, flags raised by the host's FPU stay there; whoever
 * looks at hart.fflags collects them first.
 */
#ifndef HART_EXEC_FP_H
#define HART_EXEC_FP_H

#include "hart/hart.h"

/* Around each run of guest code on a thread: give the host's FPU to the guest, and back. Between
 * the two, the thread does no floating-point arithmetic of its own. */
void hart_fp_enter(struct hart *h);
void hart_fp_leave(struct hart *h);

/* Bring h->fflags up to date: before reading it, and before writing it. Only between enter and
 * leave, on the hart's thread; outside them it is up to date. */
void hart_fp_flags_collect(struct hart *h);

/* Floating-point state changes: FS becomes Dirty, in vsstatus too where V=1 (Privileged,
 * "Extension Context Status in mstatus Register"; Hypervisor, vsstatus). */
static inline void hart_fp_mark_dirty(struct hart *h)
{
    const uint64_t fs = BIT(13) | BIT(14);

    h->csr.mstatus |= fs;
    if (h->v)
        h->csr.vsstatus |= fs;
    h->fp_dirty = true;
}

#endif
