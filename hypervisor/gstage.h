/* SPDX-License-Identifier: MIT */
/*
 * A guest's G-stage tables: Sv39x4, Sv48x4 or Sv57x4 (Privileged Architecture, "Two-Stage Address
 * Translation"). Guest RAM is populated when it is first touched, by 2 MiB where a whole block
 * lies in the guest's RAM, by 4 KiB at its ends. Entries are only added while the guest lives, so
 * walks need no lock; gstage_clear() runs when nothing uses the tables any more.
 */
#ifndef HYPERVISOR_GSTAGE_H
#define HYPERVISOR_GSTAGE_H

#include "hv.h"

/** Make empty tables; false when memory is out. @mode is hgatp.MODE. */
bool gstage_init(struct gstage *g, struct pool *pool, unsigned mode, uint64_t vmid,
                 uint64_t ram_base, uint64_t ram_size);

/** Translate @gpa; true with the host address and the bytes to the end of the mapping. */
bool gstage_walk(const struct gstage *g, uint64_t gpa, uint64_t *hpa, uint64_t *span);

/** Whether @gpa lies in the guest's RAM. */
bool gstage_is_ram(const struct gstage *g, uint64_t gpa);

/** Back @gpa with memory when it has none: 0, -1 outside of RAM, -2 when memory is out. */
int gstage_populate(struct gstage *g, uint64_t gpa);

/** Map host memory that the guest does not own, 2 MiB-aligned; false when memory is out. */
bool gstage_map_foreign(struct gstage *g, uint64_t gpa, uint64_t hpa, uint64_t size);

/** Unmap everything and give the memory back; the root stays, for it is the guest's identity. */
void gstage_clear(struct gstage *g);

/** Copy into guest-physical memory, populating it. Returns as gstage_populate(). */
int gstage_write(struct gstage *g, uint64_t gpa, const void *data, uint64_t n);

/** The host address of @gpa with @span contiguous bytes, populated; NULL outside of RAM. */
void *gstage_host(struct gstage *g, uint64_t gpa, uint64_t *span);

#endif
