/* SPDX-License-Identifier: MIT */
/*
 * The interrupt files of a hart's IMSIC (AIA, "Incoming MSI Controller"): one for M-mode, one for
 * S-mode and one for each guest external interrupt. An MSI from anywhere sets a pending bit; the
 * hart reads and claims through its CSRs (aia.c); the file drives MEIP, SEIP or a bit of hgeip.
 *
 * A lock covers a hart's files: MSIs come from any thread, and the output must follow the bits.
 * dev/imsic.h has the pages to which MSIs are written.
 */
#ifndef HART_IMSIC_H
#define HART_IMSIC_H

#include "hart/hart.h"

enum { IMSIC_IDS = 255, IMSIC_GUESTS_MAX = 7 };
/* Files: guest external interrupt n has file IMSIC_S + n. */
enum { IMSIC_M = 0, IMSIC_S = 1, IMSIC_FILES_MAX = 2 + IMSIC_GUESTS_MAX };

struct imsic_file {
    bool delivers;      /* eidelivery */
    uint32_t threshold; /* eithreshold */
    uint64_t pending[(IMSIC_IDS + 1) / 64], enabled[(IMSIC_IDS + 1) / 64];
};

struct imsic {
    pthread_mutex_t lock;
    struct hart *hart;
    struct imsic_file files[IMSIC_FILES_MAX];
};

/* Make the IMSIC of h; its guest files are as many as h->geilen. Result: NULL: no memory. */
struct imsic *imsic_new(struct hart *h);
void imsic_free(struct imsic *s);
void imsic_reset(struct imsic *s);

/* From any thread: an MSI to a file. A number that is none is ignored. */
void imsic_receive(struct imsic *s, unsigned file, uint32_t id);

/* The highest-priority pending, enabled identity above the threshold; 0: none. claim: it ceases to
 * be pending. */
unsigned imsic_top(struct imsic *s, unsigned file, bool claim);

/* Register `select` (0x70..0xff) of a file, as by *ireg. Odd ones among the arrays do not exist:
 * the caller has refused them. A write changes the bits named in `bits`. */
uint64_t imsic_read(struct imsic *s, unsigned file, unsigned select);
void imsic_write(struct imsic *s, unsigned file, unsigned select, uint64_t value, uint64_t bits);

#endif
