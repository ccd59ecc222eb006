/* SPDX-License-Identifier: MIT */
#include "pool.h"
#include "string.h"

void pool_add(struct pool *pool, uint64_t start, uint64_t end)
{
    if (pool->range_count < sizeof(pool->ranges) / sizeof(pool->ranges[0]) && start < end) {
        pool->ranges[pool->range_count].start = start;
        pool->ranges[pool->range_count].end = end;
        pool->range_count++;
    }
}

void pool_reserve(struct pool *pool, uint64_t start, uint64_t end)
{
    unsigned n = pool->range_count;

    for (unsigned i = 0; i < n; i++) {
        uint64_t s = pool->ranges[i].start, e = pool->ranges[i].end;

        if (start >= e || end <= s)
            continue;
        pool->ranges[i].end = start > s ? start : s;
        if (end < e)
            pool_add(pool, end, e);
    }
}

uint64_t pool_ready(struct pool *pool)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < pool->range_count; i++) {
        uint64_t s = (pool->ranges[i].start + BLOCK_SIZE - 1) & -BLOCK_SIZE;
        uint64_t e = pool->ranges[i].end & -BLOCK_SIZE;

        pool->ranges[i].start = s;
        pool->ranges[i].end = e > s ? e : s;
        total += pool->ranges[i].end - s;
    }
    return total;
}

/* From the front of the first range with room; what alignment skips is lost. */
static uint64_t take(struct pool *pool, uint64_t size, uint64_t align)
{
    for (unsigned i = 0; i < pool->range_count; i++) {
        uint64_t s = (pool->ranges[i].start + align - 1) & -align;

        if (s < pool->ranges[i].end && pool->ranges[i].end - s >= size) {
            pool->ranges[i].start = s + size;
            return s;
        }
    }
    return 0;
}

static void push(uint64_t *chain, uint64_t addr)
{
    *(uint64_t *)addr = *chain;
    *chain = addr;
}

static uint64_t pop(uint64_t *chain)
{
    uint64_t addr = *chain;

    if (addr)
        *chain = *(uint64_t *)addr;
    return addr;
}

static uint64_t find_block(struct pool *pool)
{
    uint64_t block = pop(&pool->free_blocks);

    return block ? block : take(pool, BLOCK_SIZE, BLOCK_SIZE);
}

void *pool_block(struct pool *pool)
{
    uint64_t block;

    lock(&pool->lock);
    block = find_block(pool);
    unlock(&pool->lock);
    return block ? memset((void *)block, 0, BLOCK_SIZE) : NULL;
}

void *pool_page(struct pool *pool)
{
    uint64_t page;

    lock(&pool->lock);
    page = pop(&pool->free_pages);
    if (!page) {
        uint64_t block = find_block(pool);

        for (uint64_t off = PAGE_SIZE; block && off < BLOCK_SIZE; off += PAGE_SIZE)
            push(&pool->free_pages, block + BLOCK_SIZE - off);
        page = block;
    }
    unlock(&pool->lock);
    return page ? memset((void *)page, 0, PAGE_SIZE) : NULL;
}

void pool_free_page(struct pool *pool, void *page)
{
    lock(&pool->lock);
    push(&pool->free_pages, (uint64_t)page);
    unlock(&pool->lock);
}

void pool_free_block(struct pool *pool, void *block)
{
    lock(&pool->lock);
    push(&pool->free_blocks, (uint64_t)block);
    unlock(&pool->lock);
}

void *pool_alloc(struct pool *pool, uint64_t size, uint64_t align)
{
    uint64_t addr;

    lock(&pool->lock);
    addr = take(pool, (size + 15) & ~15ull, align < 16 ? 16 : align);
    unlock(&pool->lock);
    return addr ? memset((void *)addr, 0, size) : NULL;
}
