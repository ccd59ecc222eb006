/* SPDX-License-Identifier: MIT */
/*
 * Two-stage translation in software, for guest addresses that the hypervisor is handed: by its copy
 * hypercall, and to show the instruction at which a guest was stopped. First stage Sv39, Sv48, Sv57
 * and Bare with superpages and Svnapot (Privileged Architecture, "Sv39" and after; "Svnapot").
 */
#ifndef HYPERVISOR_WALK_H
#define HYPERVISOR_WALK_H

#include "hv.h"

enum walk_access { WALK_READ, WALK_WRITE, WALK_EXECUTE };

/** What to translate, and as whom. */
struct walk {
    struct gstage *gstage;
    uint64_t atp; /* vsatp; 0: no first stage */
    uint64_t va;
    enum walk_access access;
    bool user;
    bool sum;
    bool mxr;
    bool update;   /* set A and D (Svadu); else they must be set (Svade) */
    bool populate; /* back guest-physical addresses in RAM as touching them would */

    /* The result. */
    uint64_t gpa; /* on WALK_OK, and the address that failed on WALK_GUEST_FAULT */
    uint64_t hpa;
    uint64_t span; /* bytes to the end of the mapping */
};

enum walk_result { WALK_OK, WALK_PAGE_FAULT, WALK_GUEST_FAULT };

enum walk_result walk(struct walk *w);

#endif
