/* SPDX-License-Identifier: MIT */
/*
 * Windows between guests: the descriptor table, and how windows begin and end with their guests.
 * With Xisthmus the descriptors are the hardware's, and ig.alloc and ig.free change them; without
 * it copy.c works on the same descriptors in software.
 */
#ifndef HYPERVISOR_WINDOW_H
#define HYPERVISOR_WINDOW_H

#include "hv.h"

/** A window descriptor as docs/spec lays it out (xisthmus.h names the offsets). */
struct desc {
    uint64_t ctl, owner, peer, max_len, base, len, owner_atp, peer_atp;
    uint64_t notify_addr, notify_data, bytes_put, bytes_got, faults;
    uint64_t sw[3];
};

/** Make room for @count windows, all unallocated; false when memory is out. */
bool windows_create(struct hv *hv, unsigned count);

/** Describe window @index: who, at most how many bytes, IGC_CR, IGC_CW and IGC_CU. */
void window_describe(struct hv *hv, unsigned index, struct vm *owner, struct vm *peer,
                     uint64_t max_len, uint64_t ceilings);

/** Allocate every window described. */
void windows_allocate(struct hv *hv);

/** Let the calling hart use the table (the hiwt register). */
void windows_enable(struct hv *hv);

/** End every window of a guest that went down: nothing is copied through them any more. */
void windows_end(struct vm *vm);

/** Allocate them anew, with new keys, for a guest that comes up again and those it shares with. */
void windows_begin(struct vm *vm);

uint64_t window_ceilings(const struct hv *hv, unsigned index);
uint64_t window_max_len(const struct hv *hv, unsigned index);

#endif
