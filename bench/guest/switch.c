/* SPDX-License-Identifier: MIT */
/*
 * World switches: a guest in VS-mode, with two stages of paging in 4 KiB pages, touches some pages
 * and calls its hypervisor in HS-mode, which goes back to it, or to the next of several guests
 * with their own tables, VMIDs and memory. Prints a line for each measurement:
 *   switch GUESTS PAGES TURNS TICKS TICKS_TOUCH
 * GUESTS 1: back to the same one. TICKS_TOUCH: the same touches by one guest, without calls.
 */
#include "bench/guest/bare.h"

enum { PAGES_MAX = 256, GUESTS_MAX = 8, TURNS = 20000, STRIDE = 4096 + 64 };
enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
#define PTE_LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)
#define DATA_VA UINT64_C(0x40000000)
#define ATP_SV39 (UINT64_C(8) << 60)

struct guest {
    u64 hgatp, vsatp;
    struct guest *next;
};

struct hs {
    u64 saved[2];
    struct guest *next; /* NULL: always the same guest */
};

u64 run_guest(u64 turns, u64 pages, u64 base, u64 stride, u64 calls, struct hs *hs);

extern char heap[], bss_end[];
static u64 heap_end;

static u64 alloc(u64 size, u64 align)
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
            *pte = alloc(4096, 4096) >> 2 | PTE_V;
        pte = (u64 *)(*pte >> 10 << 12) + (va >> (12 + 9 * level) & 511);
    }
    *pte = pa >> 2 | flags;
}

static void make_guest(struct guest *g, u64 vmid)
{
    u64 vs_root = alloc(4096, 4096), g_root = alloc(16384, 16384), data, end;

    for (u64 pa = 0x80000000; pa < (u64)bss_end; pa += 4096)
        map(vs_root, pa, pa, PTE_LEAF);
    data = alloc((PAGES_MAX + 5) * 4096, 4096);
    for (u64 i = 0; i < PAGES_MAX + 5; i++)
        map(vs_root, DATA_VA + i * 4096, data + i * 4096, PTE_LEAF);
    /* Guest-physical addresses are physical ones: of the image, and of all that was allocated
     * since the guest's root table. */
    end = heap_end;
    for (u64 pa = 0x80000000; pa < (u64)bss_end; pa += 4096)
        map(g_root, pa, pa, PTE_LEAF | PTE_U);
    for (u64 pa = vs_root; pa < end; pa += 4096)
        map(g_root, pa, pa, PTE_LEAF | PTE_U);
    g->hgatp = ATP_SV39 | vmid << 44 | g_root >> 12;
    g->vsatp = ATP_SV39 | vs_root >> 12;
}

static void measure(struct guest *guests, u64 n, u64 pages)
{
    struct hs hs = {.next = n > 1 ? &guests[1] : NULL};
    u64 turns = TURNS / (1 + pages / 32), ticks, touch;

    for (u64 i = 0; i < n; i++)
        guests[i].next = &guests[(i + 1) % n];
    csr_write("0x680", guests[0].hgatp);
    csr_write("0x280", guests[0].vsatp); /* vsatp */
    run_guest(n * 4, pages, DATA_VA, STRIDE, true, &hs);
    hs.next = n > 1 ? &guests[1] : NULL;
    csr_write("0x680", guests[0].hgatp);
    csr_write("0x280", guests[0].vsatp);
    ticks = run_guest(turns, pages, DATA_VA, STRIDE, true, &hs);
    touch = run_guest(turns, pages, DATA_VA, STRIDE, false, &hs);
    print("switch ");
    print_dec(n);
    print(" ");
    print_dec(pages);
    print(" ");
    print_dec(turns);
    print(" ");
    print_dec(ticks);
    print(" ");
    print_dec(touch);
    print("\n");
}

void bare_main(void)
{
    static struct guest guests[GUESTS_MAX];
    static const u64 pages[] = {0, 8, 32, 128, 256}, counts[] = {1, 2, GUESTS_MAX};

    heap_end = (u64)heap;
    csr_write("pmpaddr0", UINT64_MAX);
    csr_write("pmpcfg0", 0x1f);
    csr_write("medeleg", UINT64_C(1) << 10); /* ECALL of VS */
    csr_write("mcounteren", 7);
    csr_write("0x606", 7); /* hcounteren */
    csr_write("0x600", UINT64_C(2) << 32); /* hstatus: VSXL is 64 */
    csr_write("0x602", 0); /* hedeleg */
    csr_write("0x280", 0);
    for (u64 i = 0; i < GUESTS_MAX; i++)
        make_guest(&guests[i], i + 1);
    for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        for (unsigned p = 0; p < sizeof(pages) / sizeof(pages[0]); p++)
            measure(guests, counts[c], pages[p]);
}
