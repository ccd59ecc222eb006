/* SPDX-License-Identifier: MIT */
#include "bench/guest/levels.h"

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
#define PTE_LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)
#define ATP_SV39 (UINT64_C(8) << 60)
#define IMAGE UINT64_C(0x80000000)

u64 levels_enter(u64 a, u64 b, u64 c, u64 d, u64 e, void *fn, struct hs *hs);

extern char heap[], bss_end[];
static u64 heap_end;

void levels_init(void)
{
    heap_end = (u64)heap;
    csr_write("pmpaddr0", UINT64_MAX);
    csr_write("pmpcfg0", 0x1f);
    csr_write("medeleg", UINT64_C(1) << 10); /* ECALL of VS */
    csr_write("mcounteren", 7);
    csr_write("0x606", 7);                 /* hcounteren */
    csr_write("0x600", UINT64_C(2) << 32); /* hstatus: VSXL is 64 */
    csr_write("0x602", 0);                 /* hedeleg */
    csr_write("0x200", 0x6000);            /* vsstatus: FS */
}

u64 levels_alloc(u64 size, u64 align)
{
    u64 at = (heap_end + align - 1) / align * align;

    heap_end = at + size;
    memset((void *)at, 0, size);
    return at;
}

/* Map a 4 KiB page in a three-level table. */
static void map(u64 root, u64 va, u64 pa, u64 flags)
{
    u64 *pte = (u64 *)root + (va >> 30);

    for (int level = 1; level >= 0; level--) {
        if (!(*pte & PTE_V))
            *pte = levels_alloc(4096, 4096) >> 2 | PTE_V;
        pte = (u64 *)(*pte >> 10 << 12) + (va >> (12 + 9 * level) & 511);
    }
    *pte = pa >> 2 | flags;
}

static void map_range(u64 root, u64 va, u64 pa, u64 size, u64 flags)
{
    for (u64 off = 0; off < size; off += 4096)
        map(root, va + off, pa + off, flags);
}

void levels_make_guest(struct guest *g, u64 vmid, u64 pages, u64 shared, u64 shared_pages)
{
    u64 image_size = (u64)bss_end - IMAGE;
    u64 g_root = levels_alloc(16384, 16384), begin = heap_end, vs_root = levels_alloc(4096, 4096);
    u64 end;

    g->data = levels_alloc(pages * 4096, 4096);
    map_range(vs_root, IMAGE, IMAGE, image_size, PTE_LEAF);
    map_range(vs_root, GUEST_DATA, g->data, pages * 4096, PTE_LEAF);
    map_range(vs_root, GUEST_SHARED, shared, shared_pages * 4096, PTE_LEAF);
    /* Guest-physical addresses are physical ones: of the image, of what it shares, and of all that
     * was allocated for the guest: its pages and its tables. */
    end = heap_end;
    map_range(g_root, IMAGE, IMAGE, image_size, PTE_LEAF | PTE_U);
    map_range(g_root, shared, shared, shared_pages * 4096, PTE_LEAF | PTE_U);
    map_range(g_root, begin / 4096 * 4096, begin / 4096 * 4096, end - begin / 4096 * 4096,
              PTE_LEAF | PTE_U);
    g->hgatp = ATP_SV39 | vmid << 44 | g_root >> 12;
    g->vsatp = ATP_SV39 | vs_root >> 12;
    g->next = g;
}

u64 levels_run(struct guest *g, bool ring, void *fn, u64 a, u64 b, u64 c, u64 d, u64 e)
{
    struct hs hs = {.next = ring ? g->next : NULL};

    csr_write("0x680", g->hgatp);
    csr_write("0x280", g->vsatp);
    return levels_enter(a, b, c, d, e, fn, &hs);
}

u64 levels_best(struct guest *g, bool ring, void *fn, u64 a, u64 b, u64 c, u64 d, u64 e)
{
    enum { RUNS = 6 };
    u64 best = 0;

    for (int i = 0; i < RUNS; i++) {
        u64 ticks = levels_run(g, ring, fn, a, b, c, d, e);

        if (i == 1 || (i && ticks < best))
            best = ticks;
    }
    return best;
}
