/* SPDX-License-Identifier: MIT */
/*
 * The walker (mmu/walk.c) tells of each step that it takes; here the steps become lines, and the
 * last one of a walk that fails a sentence. Nothing here translates anything.
 */
#include "debug/explain.h"

#include "hart/csr.h"
#include "mmu/walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct explainer {
    struct walk_observer observer;
    struct text *text;
    const struct hart *h;
    const struct mmu_ctx *ctx;
    struct walk_event physical; /* the last WALK_PHYSICAL */
    uint64_t address[2];        /* that the stage translates; 1: to find a PTE of another stage */
    char why[400];              /* the sentence's second half */
};

const char *explain_cause(uint64_t code)
{
    static const char *const names[] = {
        [EXC_FETCH_MISALIGNED] = "instruction address misaligned",
        [EXC_FETCH_ACCESS] = "instruction access fault",
        [EXC_ILLEGAL] = "illegal instruction",
        [EXC_BREAKPOINT] = "breakpoint",
        [EXC_LOAD_MISALIGNED] = "load address misaligned",
        [EXC_LOAD_ACCESS] = "load access fault",
        [EXC_STORE_MISALIGNED] = "store/AMO address misaligned",
        [EXC_STORE_ACCESS] = "store/AMO access fault",
        [EXC_ECALL_U] = "environment call from U-mode or VU-mode",
        [EXC_ECALL_S] = "environment call from HS-mode",
        [EXC_ECALL_VS] = "environment call from VS-mode",
        [EXC_ECALL_M] = "environment call from M-mode",
        [EXC_FETCH_PAGE] = "instruction page fault",
        [EXC_LOAD_PAGE] = "load page fault",
        [EXC_STORE_PAGE] = "store/AMO page fault",
        [EXC_FETCH_GUEST_PAGE] = "instruction guest-page fault",
        [EXC_LOAD_GUEST_PAGE] = "load guest-page fault",
        [EXC_VIRTUAL] = "virtual instruction",
        [EXC_STORE_GUEST_PAGE] = "store/AMO guest-page fault",
    };

    return code < ARRAY_SIZE(names) && names[code] ? names[code] : "exception";
}

const char *explain_mode(unsigned priv, bool v)
{
    static const char *const names[2][4] = {{"U", "HS", "?", "M"}, {"VU", "VS", "?", "?"}};

    return names[v][priv & 3];
}

static const char *access_name(enum mmu_access access)
{
    switch (access) {
    case MMU_STORE:
        return "store";
    case MMU_FETCH:
        return "instruction fetch";
    case MMU_HLVX:
        return "HLVX load";
    default:
        return "load";
    }
}

/* What addresses of a stage's tables and results are. */
static const char *space(const struct walk_event *e)
{
    return e->guest_tables ? "gpa" : "pa";
}

static const char *input(const struct walk_event *e)
{
    return e->gstage ? "gpa" : "va";
}

static const char *stage_name(const struct explainer *x, const struct walk_event *e)
{
    if (e->gstage)
        return "G-stage";
    return x->ctx->mode & CTX_V ? "VS-stage" : "Address translation";
}

static const char *mode_name(const struct walk_event *e, char text[16])
{
    snprintf(text, 16, "Sv%u%s", 12 + 9 * e->levels, e->gstage ? "x4" : "");
    return text;
}

static const char *size_name(uint64_t size, char text[16])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;

    while (size >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        size /= 1024;
        unit++;
    }
    snprintf(text, 16, "%u %s", (unsigned)size, units[unit]);
    return text;
}

static const char *indent(const struct walk_event *e)
{
    return e->for_pte ? "    " : "  ";
}

/* --- Lines --- */

static void stage_begins(struct explainer *x, const struct walk_event *e)
{
    char mode[16];

    x->address[e->for_pte] = e->address;
    if (e->for_pte)
        text_add(x->text, "  to %s the PTE at gpa 0x%" PRIx64 ": G-stage %s, root table at pa 0x%"
                 PRIx64 "\n", e->access == MMU_STORE ? "update" : "read", e->address,
                 mode_name(e, mode), e->table);
    else
        text_add(x->text, "%s: %s, root table at %s 0x%" PRIx64 ", for %s 0x%" PRIx64 "\n",
                 stage_name(x, e), mode_name(e, mode), space(e), e->table, input(e), e->address);
}

static void add_pte_bits(struct text *t, uint64_t pte)
{
    static const char letters[] = "VRWXUGAD";
    static const char *const pbmt[] = {"", " PBMT=NC", " PBMT=IO", " PBMT=reserved"};

    for (unsigned i = 0; i < 8; i++)
        text_add(t, "%c", pte >> i & 1 ? letters[i] : '-');
    text_add(t, "%s%s", pte & PTE_N ? " N" : "", pbmt[field_get(pte, PTE_PBMT)]);
}

static void add_pte(struct explainer *x, const struct walk_event *e)
{
    bool leaf = e->pte & (PTE_R | PTE_X);
    uint64_t base = PTE_PPN(e->pte) << PAGE_SHIFT;
    char size[16];

    text_add(x->text, "%slevel %u: PTE at %s 0x%" PRIx64 " = 0x%016" PRIx64 " ", indent(e),
             e->level, space(e), e->pte_address, e->pte);
    add_pte_bits(x->text, e->pte);
    if (!(e->pte & PTE_V))
        text_add(x->text, "\n");
    else if (leaf)
        text_add(x->text, " -> %s page at %s 0x%" PRIx64 "\n",
                 size_name(e->pte & PTE_N ? 65536 : BIT(PAGE_SHIFT + 9 * e->level), size),
                 space(e), base);
    else
        text_add(x->text, " -> table at %s 0x%" PRIx64 "\n", space(e), base);
}

static const char *updated_bits(const struct walk_event *e)
{
    bool a = !(e->pte & PTE_A), d = e->access == MMU_STORE && !(e->pte & PTE_D);

    return a && d ? "A and D" : d ? "D" : "A";
}

static void add_pmp(struct explainer *x, const struct walk_event *e)
{
    const struct mmu *mmu = &x->h->mmu;
    uint64_t lo, hi;
    uint8_t cfg;

    x->physical = *e;
    if (e->pmp_entry < 0) {
        text_add(x->text, "PMP: no entry matches pa 0x%" PRIx64 "\n", e->result);
    } else {
        pmp_range(mmu, (unsigned)e->pmp_entry, &lo, &hi);
        cfg = mmu->pmpcfg[e->pmp_entry];
        text_add(x->text, "PMP: entry %d, pa 0x%" PRIx64 " to 0x%" PRIx64 ", %c%c%c%s\n",
                 e->pmp_entry, lo, hi - 1, cfg & 1 ? 'r' : '-', cfg & 2 ? 'w' : '-',
                 cfg & 4 ? 'x' : '-', cfg & 0x80 ? ", locked" : "");
    }
    if (!e->memory)
        text_add(x->text, "pa 0x%" PRIx64 " is not memory: a device, or nothing\n", e->result);
}

/* --- The sentence --- */

static void because(struct explainer *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void because(struct explainer *x, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(x->why, sizeof(x->why), fmt, ap);
    va_end(ap);
}

/* Why a leaf does not permit the access. */
static const char *lacking(const struct explainer *x, const struct walk_event *e)
{
    bool u = e->pte & PTE_U;

    if (e->gstage && !u)
        return "U=0, and the G-stage checks every access as one of user mode";
    if (!e->gstage && e->user && !u)
        return "U=0: the page is not for user mode";
    if (!e->gstage && !e->user && u && e->access == MMU_FETCH)
        return "U=1: supervisor mode never executes from a user page";
    if (!e->gstage && !e->user && u && !e->sum)
        return x->ctx->mode & CTX_V ? "U=1 and vsstatus.SUM=0: a user page is closed to VS-mode"
                                    : "U=1 and sstatus.SUM=0: a user page is closed to S-mode";
    switch (e->access) {
    case MMU_STORE:
        return "W=0: the page is read-only";
    case MMU_FETCH:
    case MMU_HLVX:
        return "X=0: the page is not executable";
    default:
        return e->pte & PTE_X ? "R=0 and MXR=0: the page is execute-only" : "R=0";
    }
}

/* Whose table it is. */
static const char *whose(const struct explainer *x, const struct walk_event *e)
{
    if (e->gstage)
        return "the hypervisor's G-stage table";
    return x->ctx->mode & CTX_V ? "the guest's own page table" : "the page table";
}

static const char *adue(const struct explainer *x, const struct walk_event *e)
{
    return x->ctx->mode & CTX_V && !e->gstage ? "henvcfg.ADUE" : "menvcfg.ADUE";
}

static void table_unreachable(struct explainer *x, const struct walk_event *e)
{
    if (e->reason == WALK_TABLE_PMP)
        because(x, "PMP does not let the walk %s the PTE at pa 0x%" PRIx64,
                e->access == MMU_STORE ? "update" : "read", e->pte_address);
    else
        because(x, "the PTE would be at pa 0x%" PRIx64 ", which is not main memory",
                e->pte_address);
}

static void out_of_range(struct explainer *x, const struct walk_event *e)
{
    unsigned width = 12 + 9 * e->levels;
    char mode[16];

    mode_name(e, mode);
    if (e->gstage)
        because(x, "gpa 0x%" PRIx64 " has bits above bit %u, which %s does not translate",
                x->address[e->for_pte], width + 1, mode);
    else
        because(x, "bits 63:%u of the address are not all equal to bit %u, as %s requires", width,
                width - 1, mode);
}

static void bad_pte(struct explainer *x, const struct walk_event *e)
{
    static const char *const what[] = {
        [WALK_W_WITHOUT_R] = "W=1 with R=0, which is reserved",
        [WALK_RESERVED_BITS] = "reserved bits set",
        [WALK_POINTER_BITS] = "D, A, U, N or PBMT set though it points to a table",
        [WALK_PBMT] = "a PBMT that is reserved or not enabled",
        [WALK_NAPOT] = "an N that does not make a 64 KiB page",
        [WALK_MISALIGNED] = "a superpage's address that is not a multiple of its size",
        [WALK_NO_LEAF] = "a pointer to a table at the last level",
    };

    because(x, "the level-%u PTE at %s 0x%" PRIx64 " in %s has %s", e->level, space(e),
            e->pte_address, whose(x, e), what[e->reason]);
}

static void pmp_refuses(struct explainer *x)
{
    if (x->physical.pmp_entry < 0)
        because(x, "no PMP entry matches pa 0x%" PRIx64 ", and then only M-mode may access it",
                x->physical.result);
    else
        because(x, "PMP entry %d does not allow it at pa 0x%" PRIx64 " in %s-mode",
                x->physical.pmp_entry, x->physical.result,
                explain_mode(x->ctx->mode & CTX_PRIV, x->ctx->mode & CTX_V));
}

static void give_reason(struct explainer *x, const struct walk_event *e)
{
    switch (e->reason) {
    case WALK_FINE:
        break;
    case WALK_OUT_OF_RANGE:
        out_of_range(x, e);
        break;
    case WALK_TABLE_NO_MEMORY:
    case WALK_TABLE_PMP:
        table_unreachable(x, e);
        break;
    case WALK_INVALID:
        because(x, "%s does not map %s 0x%" PRIx64 "%s: the level-%u PTE at %s 0x%" PRIx64
                " has V=0", whose(x, e), input(e), x->address[e->for_pte],
                e->for_pte ? ", where a PTE of the VS-stage lies" : "", e->level, space(e),
                e->pte_address);
        break;
    case WALK_PERMISSION:
        because(x, "the level-%u PTE at %s 0x%" PRIx64 " in %s has %s", e->level, space(e),
                e->pte_address, whose(x, e), lacking(x, e));
        break;
    case WALK_A_CLEAR:
    case WALK_D_CLEAR:
        because(x, "%s=0 in the level-%u PTE at %s 0x%" PRIx64 " in %s, and %s=0 leaves it to "
                "software to set", e->reason == WALK_A_CLEAR ? "A" : "D", e->level, space(e),
                e->pte_address, whose(x, e), adue(x, e));
        break;
    case WALK_PMP:
        pmp_refuses(x);
        break;
    case WALK_READ_ONLY:
        because(x, "pa 0x%" PRIx64 " is read-only memory", x->physical.result);
        break;
    case WALK_NO_CODE:
        because(x, "pa 0x%" PRIx64 " is not memory, and only memory can be executed",
                x->physical.result);
        break;
    default:
        bad_pte(x, e);
    }
}

static void see(struct walk_observer *o, const struct walk_event *e)
{
    struct explainer *x = (struct explainer *)((char *)o - offsetof(struct explainer, observer));

    switch (e->kind) {
    case WALK_BEGINS:
        stage_begins(x, e);
        break;
    case WALK_PTE:
        add_pte(x, e);
        break;
    case WALK_UPDATES:
        text_add(x->text, "%sthe hart would set %s in it\n", indent(e), updated_bits(e));
        break;
    case WALK_LEAF:
        if (e->for_pte)
            text_add(x->text, "    so it is at pa 0x%" PRIx64 "\n", e->result);
        else
            text_add(x->text, "  so it is at %s 0x%" PRIx64 "\n", space(e), e->result);
        break;
    case WALK_BARE:
        if (!e->for_pte)
            text_add(x->text, "%s: Bare, %s 0x%" PRIx64 " stays as it is\n", stage_name(x, e),
                     input(e), e->address);
        break;
    case WALK_PHYSICAL:
        add_pmp(x, e);
        break;
    case WALK_FAILS:
        give_reason(x, e);
        break;
    }
}

unsigned explain(struct hart *h, const struct mmu_ctx *ctx, uint64_t va, enum mmu_access access,
                 struct text *text)
{
    bool v = ctx->mode & CTX_V;
    struct explainer x = {.observer = {see}, .text = text, .h = h, .ctx = ctx};
    struct mmu_page page = {0};
    struct mmu_fault fault = {0};

    text_add(text, "%s at va 0x%" PRIx64 " by hart %u in %s-mode", access_name(access), va,
             h->index, explain_mode(ctx->mode & CTX_PRIV, v));
    if (v)
        text_add(text, ", vsatp 0x%" PRIx64 ", hgatp 0x%" PRIx64 " (VMID %u)", ctx->atp, ctx->gatp,
                 HGATP_VMID(ctx->gatp));
    else if ((ctx->mode & CTX_PRIV) != PRV_M)
        text_add(text, ", satp 0x%" PRIx64, ctx->atp);
    text_add(text, "\n");
    if (mmu_explain(&h->mmu, ctx, va, 1, access, &x.observer, &page, &fault)) {
        text_add(text, "The %s is allowed: va 0x%" PRIx64, access_name(access), va);
        if (v)
            text_add(text, " is gpa 0x%" PRIx64, page.gpa);
        text_add(text, " is pa 0x%" PRIx64 ".\n", page.pa);
        return 0;
    }
    text_add(text, "The %s fails with %s (%u): %s.\n", access_name(access),
             explain_cause(fault.cause), (unsigned)fault.cause, x.why);
    return (unsigned)fault.cause;
}
