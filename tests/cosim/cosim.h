/* SPDX-License-Identifier: MIT */
/* What gen.py writes and the runtime (main.c) reads: a batch of random programs. */
#ifndef COSIM_H
#define COSIM_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

struct segment {
    u64 level;     /* mstatus.MPP and MPV as they stand in mstatus */
    u64 pc;        /* as the level sees it */
    u64 fs;        /* mstatus.FS as it stands in mstatus */
    u64 fcsr;
    const u64 *x;  /* 32 values */
    const u64 *f;  /* 32 values */
};

struct program {
    u64 seed;
    void (*setup)(void);    /* CSR writes, in M-mode */
    const u64 *memory;      /* pairs (physical address, value), ended by 0 */
    const struct segment *segments;
    u64 segment_count;
    u64 privileged;         /* print the CSRs, too */
};

extern const struct program programs[];
extern const u64 program_count;

/* Physical memory that programs use. */
#define DATA_BASE 0x80200000UL   /* pages that probes read and write */
#define DATA_BYTES 0x10000UL
#define TABLE_BASE 0x80300000UL  /* page tables */
#define TABLE_BYTES 0x80000UL

#endif
