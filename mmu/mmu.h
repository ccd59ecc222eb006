/* SPDX-License-Identifier: MIT */
/*
 * One hart's memory management unit: two-stage translation, PMP, and TLB banks tagged by context.
 *
 * A translation context (struct mmu_ctx) is everything that the result of a translation depends
 * on: privilege, V, SUM, MXR, the first-stage root with its ASID and the G-stage root with its
 * VMID. Each context has a TLB bank of its own; changing the context is a bank lookup and a pointer
 * swap, and nothing is flushed. Fences drop from the banks what their operands name.
 *
 * A bank is direct-mapped, apart for loads and for stores: the two sides of a copy never contend
 * for an entry. An entry's tag is the address of its page, so that one compare of the accessed
 * address with bits 11:3 cleared answers for page, validity and natural alignment at once.
 * It is large, for programs that go all over tens of MiB, but has host memory only where it was
 * filled; a bank lists the entries that it filled, so
 * that dropping all of it costs what filling it did, at most.
 * FENCE.I leaves the translations of fetches and makes their entries stale: one that is fetched
 * from again is renewed without a walk, if the code behind it is as it was.
 * Global mappings are in all address spaces: a new bank starts with the fetches of such pages that
 * the one used last before it has, and a fence of one ASID leaves them.
 * Pages that are not main memory, and pages that PMP divides, are never entered: accesses to them
 * walk each time.
 *
 * The MMU knows nothing of instructions or traps: faults are described in struct mmu_fault, and
 * the hart raises them.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "base/bits.h"
#include "mem/mem.h"

enum { PRV_U = 0, PRV_S = 1, PRV_M = 3 };
enum { PAGE_SHIFT = 12, PAGE_SIZE = 4096 };
#define PAGE_MASK (~UINT64_C(0xfff))

/* atp and hgatp fields (Privileged, "Supervisor Address Translation and Protection Register";
 * "Hypervisor Guest Address Translation and Protection Register"). */
#define ATP_MODE(atp) ((unsigned)((atp) >> 60))
#define ATP_ASID(atp) ((unsigned)bits(atp, 59, 44))
#define ATP_PPN(atp) bits(atp, 43, 0)
#define HGATP_VMID(atp) ((unsigned)bits(atp, 57, 44))
enum { ATP_BARE = 0, ATP_SV39 = 8, ATP_SV48 = 9, ATP_SV57 = 10 };

/* What an address is translated for; also the bit that the result must allow. */
enum mmu_access { MMU_LOAD = 1, MMU_STORE = 2, MMU_FETCH = 4, MMU_HLVX = 8 };

/* Bits of mmu_ctx.mode. */
enum {
    CTX_PRIV = 3,      /* effective privilege: PRV_U, PRV_S or PRV_M */
    CTX_V = 1 << 2,    /* effective V: two stages */
    CTX_SUM = 1 << 3,  /* S may access U pages: sstatus.SUM, or vsstatus.SUM where V */
    CTX_MXR = 1 << 4,  /* mstatus.MXR: executable is readable, in both stages */
    CTX_VMXR = 1 << 5, /* vsstatus.MXR where V: in the first stage only */
    /* A window's remote address: caches of its own take part, good for one epoch of the owner,
     * since nobody fences this hart's for another context. A and D are set whatever envcfg says
     * (Xisthmus, "The remote address"). */
    CTX_REMOTE = 1 << 6,
};

struct mmu_ctx {
    uint64_t atp;  /* satp, vsatp where V; 0 (Bare) in M */
    uint64_t gatp; /* hgatp where V, else 0 */
    uint32_t mode; /* CTX_* */
    uint64_t epoch; /* CTX_REMOTE: the owner's (struct window_space); else 0 */
};

enum { TLB_ENTRIES = 16384, TLB_EXEC_ENTRIES = 2048, TLB_BANKS = 64, TLB_LARGE = 8,
       TLB_LISTED = 4096, TLB_EXEC_LISTED = 128, TLB_FRESH = 64, TLB_GPA_SEEN = 65536 };

#define TLB_INVALID UINT64_MAX

struct tlb_entry {
    uint64_t tag;     /* page address, or TLB_INVALID */
    uintptr_t addend; /* host address = virtual address + addend */
};

struct code_page;
enum { TLB_STALE = 1, TLB_GLOBAL = 1 };
struct tlb_exec {
    uint64_t tag; /* page address, with TLB_STALE since a FENCE.I; or TLB_INVALID */
    struct code_page *page; /* decoded code of that physical page: the hart's, opaque here */
};

struct tlb_bank {
    struct tlb_entry data[2 * TLB_ENTRIES]; /* by tlb_index */
    uint64_t data_gpa[2 * TLB_ENTRIES]; /* guest-physical pages where V, else physical ones */
    struct tlb_exec exec[TLB_EXEC_ENTRIES];
    uint64_t exec_gpa[TLB_EXEC_ENTRIES]; /* likewise, with TLB_GLOBAL where the mapping is global */
    struct mmu_ctx ctx;
    unsigned data_n, exec_n; /* entries filled, listed below, as far as there is room */
    uint16_t data_listed[TLB_LISTED], exec_listed[TLB_EXEC_LISTED];
    unsigned fresh_n; /* exec entries that are not stale, listed; > TLB_FRESH: not all are */
    uint16_t fresh[TLB_FRESH];
    uint64_t fence_is;   /* mmu.fence_is when they were last made stale */
    bool gpa_large;      /* has pieces of a G-stage superpage */
    /* Guest-physical pages that entries were made of, by a hash, since all of the bank was given
     * up; and whether there were pieces of G-stage superpages. A fence of a page that never was in
     * here, such as one that a hypervisor maps for the first time, has nothing to look for. */
    uint64_t gpa_seen[TLB_GPA_SEEN / 64];
    bool gpa_large_seen;
    unsigned large_n;
    struct {
        uint64_t first, last; /* addresses between which there are first-stage superpages or NAPOT
                                 ranges that it has pieces of, and perhaps other pages */
    } large[TLB_LARGE];
};

/* Where banks hang, with what looking for one and fencing many asks of each. */
struct tlb_slot {
    struct mmu_ctx ctx; /* the bank's */
    uint64_t used;      /* mmu.tick when last made current: the victim is the oldest; 0: never */
    struct tlb_bank *bank; /* NULL: not allocated yet */
};

struct mmu_counters {
    uint64_t tlb_misses, walks, gstage_walks, bank_switches, bank_misses, fences;
};

struct mmu_page;
struct mmu_fault;
struct mmu_watches; /* watch.h */
/* Who wants to know of translations made for accesses that missed the TLB. */
struct mmu_hooks {
    /* page is NULL where it failed, with *fault. */
    void (*missed)(struct mmu_hooks *hooks, const struct mmu_ctx *ctx, uint64_t va,
                   enum mmu_access access, const struct mmu_page *page,
                   const struct mmu_fault *fault);
};

struct gstage_cache; /* gcache.h */
struct table_cache;  /* tcache.h */

/* A range of physical addresses in which one PMP entry, or none, decides on everything. */
struct pmp_span {
    uint64_t lo, hi;    /* [lo, hi) */
    unsigned allowed;   /* MMU_LOAD, MMU_STORE, MMU_FETCH: to S and U */
    unsigned allowed_m; /* to M */
};

enum { PMP_ENTRIES = 16 };

struct mmu {
    struct mem *mem;
    struct tlb_slot slots[TLB_BANKS + 1]; /* the last one's bank is for when there is no memory for
                                             another */
    uint64_t used_slots; /* a bit each, the last one left out */
    struct gstage_cache *gcache;
    struct table_cache *tcache;
    struct gstage_cache *remote_gcache; /* of CTX_REMOTE */
    struct table_cache *remote_tcache;
    struct pmp_span pmp_span; /* that was asked for last */
    uint64_t tick;
    uint64_t fence_is; /* FENCE.I so far; banks not in use catch up when they become current */
    uint64_t code_epoch; /* counts up from 1, wherever code may have been changed or moved: FENCE.I,
                            fences of the G-stage that meet what was in a bank */
    uint8_t pmpcfg[PMP_ENTRIES];
    uint64_t pmpaddr[PMP_ENTRIES];
    unsigned pmp_n;      /* entries from here on are OFF */
    bool adue, pbmte;    /* menvcfg.ADUE, menvcfg.PBMTE: G-stage, and first stage where V=0 */
    bool svnapot;        /* PTE.N means something */
    uint8_t pmp_entries; /* that exist, up to PMP_ENTRIES */
    bool vadue, vpbmte;  /* henvcfg's (already and-ed with menvcfg's): first stage where V=1 */
    struct mmu_counters counters;
    const struct mmu_watches *watches; /* NULL: none */
    struct mmu_hooks *hooks;           /* NULL: nobody */
};

struct mmu_fault {
    uint64_t cause; /* exception code (Privileged, table of mcause values) */
    uint64_t va;    /* faulting virtual address: mtval/stval */
    uint64_t gpa;   /* guest-page faults: guest-physical address, else 0 */
    uint64_t tinst; /* guest-page faults of an implicit access: pseudoinstruction, else 0 */
};

/* A translated page. */
struct mmu_page {
    uint64_t pa;       /* physical address of the byte asked for */
    uint64_t gpa;      /* its guest-physical address; pa where V=0 */
    uint8_t *host;     /* host address of that byte; NULL where it is not RAM or ROM */
    uint64_t size;     /* bytes of the first stage's leaf: a power of two */
    uint64_t gsize;    /* bytes of the G-stage's leaf where V; else as size */
    unsigned allowed;  /* MMU_LOAD, MMU_STORE, MMU_FETCH that need no further walk (D set, PMP) */
    bool global;       /* PTE.G: it is so in all address spaces (of the guest) */
    bool whole;        /* PMP and memory kind are the same all over the 4 KiB page: may be cached */
};

/* Prepare an MMU over mem with no bank, PMP all off. Result 0, or -ENOMEM. */
int mmu_init(struct mmu *mmu, struct mem *mem);
void mmu_free(struct mmu *mmu);

/* The bank of ctx, made (perhaps in place of the longest unused one) where there is none. Never
 * NULL. It stays valid until TLB_BANKS - 2 further distinct contexts were asked for: callers hold
 * the current data and fetch banks only, and ask again after each change of context. */
struct tlb_bank *mmu_bank(struct mmu *mmu, const struct mmu_ctx *ctx);

/* Translate va for an access of size bytes (1..8, not crossing a page) in ctx, with A and D set or
 * faulted as Svadu and Svade say and PMP checked. Result: true, or false with *fault filled
 * (Privileged, "Virtual Address Translation Process"; Hypervisor, "Two-Stage Address
 * Translation"). Reads no TLB bank and changes none. */
bool mmu_translate(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                   enum mmu_access access, struct mmu_page *page, struct mmu_fault *fault);

/* Translate the page at va and those after it, n at most, for loads or stores, as far as that needs
 * nothing but to read PTEs that are as usual: main memory, A and D set, no NAPOT ranges, near to
 * what was translated before, in the PMP entry that was asked last. It may give up anywhere.
 * Result: how many pages are translated. */
unsigned mmu_translate_plain(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned n,
                             enum mmu_access access, struct mmu_page *page);

/* The same for pages that follow one that missed in the bank. They are entered. */
void mmu_look_ahead(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned n,
                    enum mmu_access access);

/* Load and store of size 1, 2, 4 or 8 bytes, any alignment (misaligned ones are split where they
 * cross a page), RAM or device: what the inline fast paths call when they miss; they fill the
 * bank. value is zero-extended. Result: false with *fault filled; a store then changed nothing,
 * unless it crossed into a device. */
bool mmu_load(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t *value,
              struct mmu_fault *fault);
bool mmu_store(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t value,
               struct mmu_fault *fault);
/* A load by HLVX: execute permission takes the place of read permission. Size 2 or 4. */
bool mmu_hlvx(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
              uint64_t *value, struct mmu_fault *fault);

/* Host address of a naturally aligned datum in main memory, for an access that is more than a
 * load or a store: MMU_LOAD for LR, MMU_STORE for SC and AMO. Fills the bank. NULL with *fault, an
 * access fault where it is not main memory. */
void *mmu_atomic(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size,
                 enum mmu_access access, struct mmu_fault *fault);

/* Translate for instruction fetch and return the page (pa of va). The caller enters the decoded
 * page with mmu_enter_exec, if page->whole. */
bool mmu_fetch(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, struct mmu_page *page,
               struct mmu_fault *fault);
/* Enter a page translated for a load or store, if page->whole. */
void mmu_enter_data(struct tlb_bank *bank, uint64_t va, const struct mmu_page *page,
                    enum mmu_access access);
void mmu_enter_exec(struct tlb_bank *bank, uint64_t va, const struct mmu_page *page,
                    struct code_page *code);

/* Fences. NULL va or asid or gpa or vmid: all (rs1=x0 or rs2=x0).
 * mmu_fence_vma drops first-stage translations: of V=0 contexts (SFENCE.VMA), or, where vmid is
 * not NULL, of V=1 contexts with that VMID (HFENCE.VVMA, and SFENCE.VMA executed with V=1).
 * mmu_fence_gvma drops G-stage ones by guest-physical address (already shifted left by 2) and
 * VMID (HFENCE.GVMA). */
void mmu_fence_vma(struct mmu *mmu, const uint64_t *va, const unsigned *asid, const unsigned *vmid);
void mmu_fence_gvma(struct mmu *mmu, const uint64_t *gpa, const unsigned *vmid);
/* Drop everything: PMP or envcfg changed. */
void mmu_drop_all(struct mmu *mmu);
/* Drop all fetch translations. */
void mmu_drop_exec(struct mmu *mmu);
/* FENCE.I while current is the bank of fetches: exec entries of all banks become stale. */
void mmu_fence_i(struct mmu *mmu, struct tlb_bank *current);
/* The page of va, whose entry is stale, has the code that it had. */
void mmu_renew_exec(struct tlb_bank *bank, uint64_t va);

/* PMP (Privileged, "Physical Memory Protection"). access is MMU_LOAD, MMU_STORE or MMU_FETCH. */
bool pmp_check_slowly(struct mmu *mmu, uint64_t pa, uint64_t size, enum mmu_access access,
                      unsigned priv);
static inline bool pmp_check(struct mmu *mmu, uint64_t pa, uint64_t size, enum mmu_access access,
                             unsigned priv)
{
    const struct pmp_span *span = &mmu->pmp_span;

    if (likely(pa >= span->lo && pa + size <= span->hi))
        return (priv == PRV_M ? span->allowed_m : span->allowed) & access;
    return pmp_check_slowly(mmu, pa, size, access, priv);
}
/* True where [page, page + 4096) gets one answer for every access of every size. */
bool pmp_uniform(struct mmu *mmu, uint64_t page);
/* CSR writes with lock and WARL rules, an entry at a time. They drop the TLB where something
 * changed. */
void pmp_reset(struct mmu *mmu);
void pmp_write_cfg(struct mmu *mmu, unsigned entry, uint8_t cfg);
void pmp_write_addr(struct mmu *mmu, unsigned entry, uint64_t addr);

/* Where a bank has the page of va, for loads or for stores: side by side, since most pages that are
 * stored to are loaded from, too. */
static inline unsigned tlb_index(uint64_t va, bool store)
{
    return (unsigned)(va >> PAGE_SHIFT) % TLB_ENTRIES * 2 + store;
}

/* Fast paths: host address of [va, va + size), naturally aligned, or NULL (then take mmu_load,
 * mmu_store). size is a power of two up to 8. */
static inline void *tlb_read(const struct tlb_bank *b, uint64_t va, unsigned size)
{
    const struct tlb_entry *e = &b->data[tlb_index(va, false)];
    bool hit = (va & (PAGE_MASK | (size - 1))) == e->tag;
    return likely(hit) ? (void *)(uintptr_t)(va + e->addend) : NULL;
}

static inline void *tlb_write(const struct tlb_bank *b, uint64_t va, unsigned size)
{
    const struct tlb_entry *e = &b->data[tlb_index(va, true)];
    bool hit = (va & (PAGE_MASK | (size - 1))) == e->tag;
    return likely(hit) ? (void *)(uintptr_t)(va + e->addend) : NULL;
}

static inline const struct tlb_exec *tlb_exec_entry(const struct tlb_bank *b, uint64_t va)
{
    return &b->exec[(va >> PAGE_SHIFT) % TLB_EXEC_ENTRIES];
}

static inline struct code_page *tlb_exec(const struct tlb_bank *b, uint64_t va)
{
    const struct tlb_exec *e = tlb_exec_entry(b, va);
    return likely((va & PAGE_MASK) == e->tag) ? e->page : NULL;
}

/* The entry of va is another page's, which is not stale. */
static inline bool tlb_exec_taken(const struct tlb_bank *b, uint64_t va)
{
    const struct tlb_exec *e = tlb_exec_entry(b, va);
    return !(e->tag & TLB_STALE) && e->tag != (va & PAGE_MASK);
}

/* The page of an entry that is stale. */
static inline struct code_page *tlb_exec_stale(const struct tlb_bank *b, uint64_t va)
{
    const struct tlb_exec *e = tlb_exec_entry(b, va);
    return ((va & PAGE_MASK) | TLB_STALE) == e->tag ? e->page : NULL;
}

#endif
