/* SPDX-License-Identifier: MIT */
/*
 * Xisthmus: the numbers of the inter-guest copy extension.
 *
 * One header for the emulator, the hypervisor and guests, in C and in assembly: encodings, the
 * hiwt CSR, the window descriptor, rights and statuses. The text is docs/spec/xisthmus.md; every
 * name here stands there under the same name.
 */
#ifndef XISTHMUS_H
#define XISTHMUS_H

#ifdef __ASSEMBLER__
#define IG_U64(x) x
#else
#define IG_U64(x) x##ULL
#endif

/* CSR hiwt (spec "The hiwt register"). */
#define CSR_HIWT 0x6C0
#define HIWT_EN (IG_U64(1) << 63)
#define HIWT_SIZE_SHIFT 58
#define HIWT_SIZE_MASK 0x1f
#define HIWT_SIZE_MAX 20
#define HIWT_PPN_MASK ((IG_U64(1) << 44) - 1)

/* Encodings: major opcode custom-1. */
#define IG_OPCODE 0x2B
#define IG_FUNCT3_R4 0 /* put, get, store: R4 format, funct2 below */
#define IG_FUNCT3_R 1  /* all others: R format, funct7 below */
#define IG_FUNCT2_PUT 0
#define IG_FUNCT2_GET 1
#define IG_FUNCT2_STORE 2
#define IG_FUNCT7_DROP 0
#define IG_FUNCT7_BIND 1
#define IG_FUNCT7_QUERY 2
#define IG_FUNCT7_RING 3
#define IG_FUNCT7_ALLOC 8
#define IG_FUNCT7_FREE 9
#define IG_FUNCT7_FENCE 10
#define IG_FUNCT7_SUSPEND 11

/* Window descriptor: 128 bytes, byte offsets of its fields. */
#define IGD_SIZE 128
#define IGD_SIZE_LOG2 7
#define IGD_CTL 0
#define IGD_OWNER 8
#define IGD_PEER 16
#define IGD_MAX_LEN 24
#define IGD_BASE 32
#define IGD_LEN 40
#define IGD_OWNER_ATP 48
#define IGD_PEER_ATP 56
#define IGD_NOTIFY_ADDR 64
#define IGD_NOTIFY_DATA 72
#define IGD_BYTES_PUT 80
#define IGD_BYTES_GOT 88
#define IGD_FAULTS 96
#define IGD_SW 104

/* Descriptor word ctl. */
#define IGC_ALLOC (IG_U64(1) << 0)
#define IGC_OPEN (IG_U64(1) << 1)
#define IGC_SUSPENDED (IG_U64(1) << 2)
#define IGC_R (IG_U64(1) << 3)
#define IGC_W (IG_U64(1) << 4)
#define IGC_CR (IG_U64(1) << 5)
#define IGC_CW (IG_U64(1) << 6)
#define IGC_CU (IG_U64(1) << 7)
#define IGC_PHYS (IG_U64(1) << 8)
#define IGC_ASU (IG_U64(1) << 9)
#define IGC_ZB (IG_U64(1) << 10)
#define IGC_BOUND (IG_U64(1) << 11)
#define IGC_KEY_SHIFT 32
#define IGC_KEY_MASK 0xfff

#define IGC_CEILINGS (IGC_CR | IGC_CW | IGC_CU)
#define IGC_CTL_MASK 0xfff /* all defined bits below the key */

/* Fields of the owner, owner_atp and peer_atp words (hgatp, vsatp or satp). */
#define IGA_MODE_SHIFT 60
#define IGA_MODE_MASK (IG_U64(0xf) << 60)
#define IGA_ASID_MASK (IG_U64(0xffff) << 44)
#define IGA_PPN_MASK ((IG_U64(1) << 44) - 1)

/* Handle: what ig.alloc returns and the peer and owner name a window by. */
#define IGH_INDEX_MASK 0xfffff
#define IGH_KEY_SHIFT 20

/* rs3 of ig.put and ig.get: handle in the upper half, length in the lower. */
#define IG_XFER_HANDLE_SHIFT 32

/* rs3 of ig.store: handle in bits 31:0, flags above. */
#define IGS_R (IG_U64(1) << 32)
#define IGS_W (IG_U64(1) << 33)
#define IGS_PHYS (IG_U64(1) << 34)
#define IGS_ASU (IG_U64(1) << 35)
#define IGS_ZB (IG_U64(1) << 36)
#define IGS_RESERVED (~((IG_U64(1) << 37) - 1))

/* Fields of ig.query. */
#define IGQ_HANDLE 0
#define IGQ_ROLE 1
#define IGQ_BASE 2
#define IGQ_LEN 3
#define IGQ_MAX_LEN 4
#define IGQ_BYTES_PUT 5
#define IGQ_BYTES_GOT 6
/* Value of ig.query's IGQ_ROLE: ctl bits 11:0, and who the caller is. */
#define IGQ_ROLE_CTL 0xfff
#define IGQ_ROLE_OWNER (IG_U64(1) << 32)
#define IGQ_ROLE_PEER (IG_U64(1) << 33)
/* ig.query with index -1. */
#define IGQ_TABLE_SIZE 0
#define IGQ_MAX_PIECE 1

/* Statuses in rd. */
#define IG_DENIED (-1)
#define IG_RANGE (-2)
#define IG_REMOTE_FAULT (-3)
#define IG_NOT_RESIDENT (-4)
#define IG_BUSY (-5)
#define IG_CEILING (-6)

/* Most bytes that one ig.put or ig.get of this implementation completes. */
#define IG_MAX_PIECE 65536

#endif
