/* SPDX-License-Identifier: MIT */
/*
 * What the Advanced Interrupt Architecture adds to a hart's interrupts: virtual interrupts, the
 * choice among those of a level by priority numbers, and the windows to more registers. Where
 * Smaia and Ssaia are absent its CSRs are zero, and all of this comes down to mip and mie.
 */
#ifndef HART_AIA_H
#define HART_AIA_H

#include "hart/csr.h"

/* Pending and enabled interrupts, by the level at which they are taken. */
struct aia_pending {
    uint64_t m, hs;
    uint64_t vs;   /* as VS level numbers them; of no account where injected, but for SEI */
    bool injected; /* hvictl names an interrupt for VS level */
};

/* Registers as S-level sees them: sip and sie, whether bits alias mip and mie or not. */
uint64_t aia_sip(const struct hart *h, uint64_t mip);
uint64_t aia_sie(const struct hart *h);
/* vsip and vsie. */
uint64_t aia_vsip(const struct hart *h, uint64_t mip);
uint64_t aia_vsie(const struct hart *h);

/* All that is pending, given mip. */
struct aia_pending aia_pending(const struct hart *h, uint64_t mip);

/* The values of mtopi, stopi and vstopi: the interrupt that comes first, with its number in bits
 * 27:16 and its priority in bits 7:0; 0: none. */
uint64_t aia_mtopi(const struct hart *h, const struct aia_pending *p);
uint64_t aia_stopi(const struct hart *h, const struct aia_pending *p);
uint64_t aia_vstopi(const struct hart *h, const struct aia_pending *p);

/* hstatus.VGEIN is the number of a guest interrupt file. */
bool aia_has_guest_file(const struct hart *h);

#endif
