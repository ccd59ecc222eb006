/* SPDX-License-Identifier: MIT */
/*
 * Looking on while a translation is made: what a debugger's explanation is written from. The walk
 * is that of mmu_translate; with somebody looking on it uses no cache and changes nothing: A and D
 * are not set, only checked for whether they could be.
 */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "mmu/mmu.h"

/* Bits of a PTE (Privileged, "Sv39"; Svpbmt; Svnapot). */
enum {
    PTE_V = 1 << 0,
    PTE_R = 1 << 1,
    PTE_W = 1 << 2,
    PTE_X = 1 << 3,
    PTE_U = 1 << 4,
    PTE_G = 1 << 5,
    PTE_A = 1 << 6,
    PTE_D = 1 << 7,
    PTE_PPN_SHIFT = 10,
};
#define PTE_PPN(pte) bits(pte, 53, PTE_PPN_SHIFT)
#define PTE_RESERVED (UINT64_C(0x7f) << 54)
#define PTE_PBMT (UINT64_C(3) << 61)
#define PTE_N (UINT64_C(1) << 63)

/* Why a translation fails. */
enum walk_reason {
    WALK_FINE,
    WALK_OUT_OF_RANGE,     /* the address has bits that the mode does not translate */
    WALK_TABLE_NO_MEMORY,  /* the PTE's address is not main memory */
    WALK_TABLE_PMP,        /* PMP does not let the walk access the PTE */
    WALK_INVALID,          /* V=0 */
    WALK_W_WITHOUT_R,
    WALK_RESERVED_BITS,    /* bits 60:54 */
    WALK_POINTER_BITS,     /* a pointer to a table with D, A, U, PBMT or N */
    WALK_PBMT,             /* the reserved value, or PBMTE is 0 */
    WALK_NAPOT,            /* not a 64 KiB page, or without Svnapot */
    WALK_MISALIGNED,       /* a superpage at an address that is no multiple of its size */
    WALK_NO_LEAF,          /* a pointer at the last level */
    WALK_PERMISSION,       /* the leaf does not allow the access */
    WALK_A_CLEAR,          /* and ADUE=0 */
    WALK_D_CLEAR,
    WALK_PMP,              /* of the access itself */
    WALK_READ_ONLY,        /* a store to ROM */
    WALK_NO_CODE,          /* a fetch from what is not memory */
};

enum walk_event_kind {
    WALK_BEGINS,   /* a stage */
    WALK_PTE,      /* was read */
    WALK_UPDATES,  /* A or D of that PTE would be set */
    WALK_LEAF,     /* the stage's result */
    WALK_BARE,     /* the stage translates nothing */
    WALK_PHYSICAL, /* the end of all stages, checked against PMP and the kind of memory */
    WALK_FAILS,
};

struct walk_event {
    enum walk_event_kind kind;
    enum walk_reason reason; /* WALK_FAILS */
    bool gstage;
    bool for_pte;            /* G-stage: of a PTE's address in the first stage */
    bool guest_tables;       /* addresses of tables and PTEs are guest-physical */
    bool user, sum, mxr;     /* how the stage checks leaves */
    unsigned levels, level;  /* of the stage (3: Sv39), of this PTE */
    enum mmu_access access;
    uint64_t address;        /* that the stage translates */
    uint64_t table;          /* WALK_BEGINS: the root */
    uint64_t pte_address, pte;
    uint64_t result, size;   /* WALK_LEAF, WALK_PHYSICAL: address, and bytes of the page */
    int pmp_entry;           /* WALK_PHYSICAL: that decided; -1: none matched */
    bool memory;             /* WALK_PHYSICAL: main memory or ROM */
};

struct walk_observer {
    void (*see)(struct walk_observer *o, const struct walk_event *event);
};

/* Translate as mmu_translate would, with o told of each step. */
bool mmu_explain(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                 enum mmu_access access, struct walk_observer *o, struct mmu_page *page,
                 struct mmu_fault *fault);

/* Where va is in ctx for a debugger, whom permissions, A, D and PMP do not bind. */
bool mmu_peek(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, struct mmu_page *page);

/* [*lo, *hi) that PMP entry i matches: empty where it is off. */
void pmp_range(const struct mmu *mmu, unsigned i, uint64_t *lo, uint64_t *hi);
/* The entry that decides on [pa, pa + size), or -1. */
int pmp_entry(const struct mmu *mmu, uint64_t pa, uint64_t size);

#endif
