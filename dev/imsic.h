/* SPDX-License-Identifier: MIT */
/*
 * The pages to which MSIs for the interrupt files of all harts are written (AIA, "Memory region for
 * an interrupt file"), laid out as on QEMU's virt board: one range for machine level, with a page a
 * hart; one for supervisor level, where a hart has 2^guest_bits pages, its own first and those of
 * its guests behind it. hart/imsic.h has the files themselves.
 */
#ifndef DEV_IMSIC_H
#define DEV_IMSIC_H

#include "hart/hart.h"

struct imsic_pages {
    struct hart *harts;
    unsigned harts_n;
    uint64_t base;
    bool machine;        /* machine level */
    unsigned guest_bits; /* supervisor level: bits of a guest's number in an address */
};

enum { IMSIC_PAGE_SIZE = 4096 };

/* Bytes of the range. */
uint64_t imsic_pages_size(const struct imsic_pages *p);

/* From any thread: the MSI data written to pa. Result: false where pa is none of these pages. */
bool imsic_pages_write(struct imsic_pages *p, uint64_t pa, uint32_t data);

extern const struct device_ops imsic_ops; /* dev: struct imsic_pages */

#endif
