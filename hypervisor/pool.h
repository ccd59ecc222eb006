/* SPDX-License-Identifier: MIT */
/*
 * Memory for everything that is allocated. Free memory is a few ranges of whole 2 MiB blocks from
 * which allocation only ever takes from the front, so memory that nobody needed is never touched.
 * What is given back goes on a chain of pages or of blocks, threaded through the memory itself.
 */
#ifndef HYPERVISOR_POOL_H
#define HYPERVISOR_POOL_H

#include "hv.h"

/** Add [@start, @end) of RAM; before any allocation. */
void pool_add(struct pool *pool, uint64_t start, uint64_t end);

/** Take [@start, @end) out of what was added. */
void pool_reserve(struct pool *pool, uint64_t start, uint64_t end);

/** Round what is left to whole blocks: after the last pool_reserve(). Returns its size in bytes. */
uint64_t pool_ready(struct pool *pool);

/** A zeroed 4 KiB page or 2 MiB block, or NULL when memory is out. */
void *pool_page(struct pool *pool);
void *pool_block(struct pool *pool);
void pool_free_page(struct pool *pool, void *page);
void pool_free_block(struct pool *pool, void *block);

/** Zeroed memory for good: @size bytes aligned to @align (a power of two), or NULL. */
void *pool_alloc(struct pool *pool, uint64_t size, uint64_t align);

#endif
