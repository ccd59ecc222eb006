/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints and watchpoints. GDB removes all of them at each stop and inserts them again when it
 * resumes; so they only take effect then, and nothing is done where they are the same as before, or
 * where only breakpoints went whose places in pages stay planted (hart/breaks.h).
 */
#include "debug/gdb_internal.h"

#include <string.h>

static bool is_watch(unsigned type)
{
    return type >= POINT_WRITE;
}

static unsigned access_of(unsigned type)
{
    return type == POINT_WRITE ? MMU_STORE : type == POINT_READ ? MMU_LOAD : MMU_LOAD | MMU_STORE;
}

/* Index of the point in its list, or the list's length. */
static unsigned find(const struct gdb *g, unsigned type, uint64_t address, uint64_t size)
{
    unsigned i = 0;

    if (is_watch(type))
        while (i < g->wanted.n && (g->type_of_watch[i] != type || g->wanted.at[i].va != address ||
                                   g->wanted.at[i].size != size))
            i++;
    else
        while (i < g->breaks.n && (g->type_of[i] != type || g->breaks.va[i] != address))
            i++;
    return i;
}

bool gdb_insert_point(struct gdb *g, unsigned type, uint64_t address, uint64_t size)
{
    unsigned i = find(g, type, address, size);

    if (is_watch(type)) {
        if (i < g->wanted.n)
            return true;
        if (i == MMU_WATCHES_MAX || !size || address + (size - 1) < address)
            return false;
        g->wanted.at[i] = (struct mmu_watch){address, size, access_of(type)};
        g->type_of_watch[i] = (uint8_t)type;
        g->wanted.n++;
        return true;
    }
    if (i < g->breaks.n)
        return true;
    if (i == BREAKS_MAX || address & 1)
        return false;
    g->breaks.va[i] = address;
    g->type_of[i] = (uint8_t)type;
    g->breaks.n++;
    return true;
}

bool gdb_remove_point(struct gdb *g, unsigned type, uint64_t address, uint64_t size)
{
    unsigned i = find(g, type, address, size), last;

    if (is_watch(type)) {
        if (i == g->wanted.n)
            return true;
        last = --g->wanted.n;
        g->wanted.at[i] = g->wanted.at[last];
        g->type_of_watch[i] = g->type_of_watch[last];
        g->wanted.at[last] = (struct mmu_watch){0};
        return true;
    }
    if (i < g->breaks.n) {
        last = --g->breaks.n;
        g->breaks.va[i] = g->breaks.va[last];
        g->type_of[i] = g->type_of[last];
    }
    return true;
}

static void decode_anew(struct gdb *g)
{
    for (unsigned i = 0; i < g->m.harts_n; i++)
        mmu_drop_exec(&g->m.harts[i].mmu);
    code_collect(g->m.code);
}

static void set_watches(struct gdb *g, const struct mmu_watches *w)
{
    for (unsigned i = 0; i < g->m.harts_n; i++)
        mmu_set_watches(&g->m.harts[i].mmu, w);
}

void gdb_apply_points(struct gdb *g)
{
    bool fresh = false;

    for (unsigned i = 0; i < g->breaks.n; i++)
        fresh |= breaks_plant(&g->breaks, g->breaks.va[i] & (PAGE_SIZE - 1));
    if (fresh) {
        code_set_breaks(g->m.code, &g->breaks);
        decode_anew(g);
    }
    if (memcmp(&g->wanted, &g->applied, sizeof(g->wanted))) {
        g->applied = g->wanted;
        set_watches(g, &g->applied);
    }
}

void gdb_remove_points(struct gdb *g)
{
    struct breaks none = {.scope = g->breaks.scope};

    if (memcmp(g->breaks.planted, none.planted, sizeof(none.planted))) {
        code_set_breaks(g->m.code, NULL);
        decode_anew(g);
    }
    g->breaks = none;
    if (g->applied.n)
        set_watches(g, NULL);
    g->wanted = g->applied = (struct mmu_watches){.scope = g->wanted.scope};
}

unsigned gdb_watch_at(const struct gdb *g, uint64_t va, uint64_t *first)
{
    for (unsigned i = 0; i < g->wanted.n; i++) {
        if (va - g->wanted.at[i].va < g->wanted.at[i].size) {
            *first = g->wanted.at[i].va;
            return g->type_of_watch[i];
        }
    }
    return POINT_TYPES;
}
