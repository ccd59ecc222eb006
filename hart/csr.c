/* SPDX-License-Identifier: MIT */
/*
 * The table of CSRs and who may access which.
 *
 * An access passes three tests, in this order: the register exists (and can be written); its gate
 * would let HS-mode through (else illegal-instruction, from any mode below M); the mode has the
 * privilege that the number asks for. The gate's answer also has what withholds the register from
 * VS-mode and VU-mode alone (virtual-instruction). That order is the rule of the Hypervisor
 * chapter, "Trap Cause Codes": V=1 gets virtual-instruction only where HS-mode would be allowed
 * the same access, mstatus.TVM aside.
 */
#include "hart/aia.h"
#include "hart/csr_table.h"
#include "hart/imsic.h"

#include <string.h>

/* --- Gates: CSR_ILLEGAL where HS-mode is refused, CSR_VIRTUAL where only V=1 is --- */

/* Floating-point registers need FS on, at both levels where V; M-mode is no exception, and the
 * exception is illegal-instruction always (Hypervisor, "Trap Cause Codes"). */
static enum csr_result gate_fp(const struct hart *h, const struct csr_row *row)
{
    return h->fp_on ? CSR_OK : CSR_ILLEGAL;
}

static enum csr_result gate_counter(const struct hart *h, const struct csr_row *row)
{
    uint64_t bit = BIT(row->number & 31);

    if (h->priv == PRV_M)
        return CSR_OK;
    if (!(h->csr.mcounteren & bit))
        return CSR_ILLEGAL;
    if (h->v && !(h->csr.hcounteren & bit))
        return CSR_VIRTUAL;
    if (h->priv == PRV_U && !(h->csr.scounteren & bit))
        return h->v ? CSR_VIRTUAL : CSR_ILLEGAL;
    return CSR_OK;
}

/* vstimecmp by its own number (Privileged, "mcounteren" and "menvcfg"). */
static enum csr_result gate_vstimecmp(const struct hart *h, const struct csr_row *row)
{
    bool on = (h->csr.mcounteren & COUNTER_TM) && (h->csr.menvcfg & ENVCFG_STCE);
    return on || h->priv == PRV_M ? CSR_OK : CSR_ILLEGAL;
}

/* stimecmp, and vstimecmp through it (Hypervisor, "hcounteren" and "henvcfg"). */
static enum csr_result gate_stimecmp(const struct hart *h, const struct csr_row *row)
{
    bool on = (h->csr.hcounteren & COUNTER_TM) && (h->csr.henvcfg & ENVCFG_STCE);
    enum csr_result hs = gate_vstimecmp(h, row);
    return hs == CSR_OK && h->v && !on ? CSR_VIRTUAL : hs;
}

/* State enables (Smstateen): bit of mstateen[n] for HS-mode, of hstateen[n] for V=1. */
static enum csr_result gate_stateen(const struct hart *h, unsigned n, uint64_t bit)
{
    if (h->priv == PRV_M)
        return CSR_OK;
    if (!(h->csr.mstateen[n] & bit))
        return CSR_ILLEGAL;
    return h->v && !(h->csr.hstateen[n] & bit) ? CSR_VIRTUAL : CSR_OK;
}

static enum csr_result gate_sstateen(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, row->number & 3, STATEEN_SE);
}

static enum csr_result gate_hstateen(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, row->number & 3, STATEEN_SE);
}

static enum csr_result gate_senvcfg(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_ENVCFG);
}

static enum csr_result gate_henvcfg(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_ENVCFG);
}

/* --- Gates of the AIA ("Access control by the state-enable CSRs", "Hypervisor and VS CSRs") --- */

static enum csr_result gate_aia(const struct hart *h, const struct csr_row *row)
{
    return h->priv == PRV_M || (h->csr.mstateen[0] & STATEEN0_AIA) ? CSR_OK : CSR_ILLEGAL;
}

static enum csr_result gate_stopi(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_AIA);
}

static enum csr_result gate_siselect(const struct hart *h, const struct csr_row *row)
{
    return gate_stateen(h, 0, STATEEN0_CSRIND);
}

static enum csr_result gate_vsiselect(const struct hart *h, const struct csr_row *row)
{
    return h->priv == PRV_M || (h->csr.mstateen[0] & STATEEN0_CSRIND) ? CSR_OK : CSR_ILLEGAL;
}

/* With hvictl.VTI a guest's sip and sie are the hypervisor's to emulate. */
static enum csr_result gate_sip(const struct hart *h, const struct csr_row *row)
{
    return h->v && (h->csr.hvictl & HVICTL_VTI) ? CSR_VIRTUAL : CSR_OK;
}

/* The hart has interrupt files, and mstateen0 lets the mode at them. */
static bool files_open(const struct hart *h)
{
    return h->imsic && (h->priv == PRV_M || (h->csr.mstateen[0] & STATEEN0_IMSIC));
}

enum { SELECT_IPRIO = 0x30, SELECT_IPRIO_END = 0x40 };
enum { SELECT_FILE = 0x70, SELECT_FILE_ARRAYS = 0x80 };

static bool selects_iprio(uint64_t select)
{
    return select >= SELECT_IPRIO && select < SELECT_IPRIO_END && !(select & 1);
}

/* A register of an interrupt file. RV64 has no odd ones of the arrays. */
static bool selects_file(uint64_t select)
{
    bool odd = select >= SELECT_FILE_ARRAYS && (select & 1);
    return select >= SELECT_FILE && select <= 0xff && !odd;
}

static enum csr_result gate_mireg(const struct hart *h, const struct csr_row *row)
{
    uint64_t select = h->csr.miselect;
    return selects_iprio(select) || (selects_file(select) && h->imsic) ? CSR_OK : CSR_ILLEGAL;
}

/* The supervisor-level file, by sireg or stopei, from where V=0. mvien bit 9 keeps S-mode out. */
static bool supervisor_file_open(const struct hart *h)
{
    bool filtered = h->priv != PRV_M && (h->csr.mvien & BIT(IRQ_SEI));
    return files_open(h) && !filtered;
}

/* The guest file that a virtual machine sees as its own. */
static bool guest_file_open(const struct hart *h)
{
    return aia_has_guest_file(h) && (h->csr.hstateen[0] & STATEEN0_IMSIC);
}

static enum csr_result gate_sireg(const struct hart *h, const struct csr_row *row)
{
    enum csr_result window = gate_siselect(h, row);
    uint64_t select = h->v ? h->csr.vsiselect : h->csr.siselect;

    if (window != CSR_OK)
        return window;
    if (h->v && (h->priv == PRV_U || !selects_file(select)))
        return CSR_VIRTUAL;
    if (h->v && h->imsic && !files_open(h))
        return CSR_ILLEGAL;
    if (h->v)
        return guest_file_open(h) ? CSR_OK : CSR_VIRTUAL;
    if (selects_iprio(select))
        return gate_aia(h, row);
    return selects_file(select) && supervisor_file_open(h) ? CSR_OK : CSR_ILLEGAL;
}

/* From V=1 the level that the number asks for refuses it. */
static enum csr_result gate_vsireg(const struct hart *h, const struct csr_row *row)
{
    enum csr_result window = gate_vsiselect(h, row);

    if (window != CSR_OK || h->v)
        return window;
    return selects_file(h->csr.vsiselect) && files_open(h) && aia_has_guest_file(h) ? CSR_OK
                                                                                    : CSR_ILLEGAL;
}

static enum csr_result gate_mtopei(const struct hart *h, const struct csr_row *row)
{
    return h->imsic ? CSR_OK : CSR_ILLEGAL;
}

static enum csr_result gate_stopei(const struct hart *h, const struct csr_row *row)
{
    if (!h->v)
        return supervisor_file_open(h) ? CSR_OK : CSR_ILLEGAL;
    if (h->imsic && !files_open(h))
        return CSR_ILLEGAL;
    return guest_file_open(h) ? CSR_OK : CSR_VIRTUAL;
}

static enum csr_result gate_vstopei(const struct hart *h, const struct csr_row *row)
{
    if (h->v)
        return h->imsic && !files_open(h) ? CSR_ILLEGAL : CSR_OK;
    return files_open(h) && aia_has_guest_file(h) ? CSR_OK : CSR_ILLEGAL;
}

/* satp: mstatus.TVM is for HS-mode alone, hstatus.VTVM for VS-mode. */
static enum csr_result gate_satp(const struct hart *h, const struct csr_row *row)
{
    if (h->priv == PRV_M)
        return CSR_OK;
    if (h->v)
        return h->csr.hstatus & HSTATUS_VTVM ? CSR_VIRTUAL : CSR_OK;
    return h->csr.mstatus & MSTATUS_TVM ? CSR_ILLEGAL : CSR_OK;
}

static enum csr_result gate_hgatp(const struct hart *h, const struct csr_row *row)
{
    bool refused = h->priv == PRV_S && !h->v && (h->csr.mstatus & MSTATUS_TVM);
    return refused ? CSR_ILLEGAL : CSR_OK;
}

/* --- What the generic kinds of row do --- */

static uint64_t *field_of(struct hart *h, const struct csr_row *row)
{
    return (uint64_t *)((char *)h + row->offset);
}

static uint64_t get_field(struct hart *h, const struct csr_row *row, uint64_t retired)
{
    return *field_of(h, row);
}

static void set_field(struct hart *h, const struct csr_row *row, const struct csr_write *w)
{
    uint64_t *field = field_of(h, row);

    *field = (*field & ~row->mask) | (w->value & row->mask);
    if (row->after)
        row->after(h);
}

static uint64_t get_const(struct hart *h, const struct csr_row *row, uint64_t retired)
{
    return row->mask;
}

static void set_ignored(struct hart *h, const struct csr_row *row, const struct csr_write *w)
{
}

#define gate_none NULL
#define gate_hypervisor NULL
#define gate_xisthmus NULL
#define gate_maia NULL
#define gate_scountovf NULL
#define gate_mstateen NULL
#define gate_hpmcounter gate_counter

/* The extension that a gate's registers belong to; those of hypervisor and VS level, which their
 * numbers show, belong to H as well. */
enum {
    ext_none = EXT_I,
    ext_fp = EXT_F,
    ext_counter = EXT_ZICNTR,
    ext_hpmcounter = EXT_ZIHPM,
    ext_scountovf = EXT_SSCOFPMF,
    ext_stimecmp = EXT_SSTC,
    ext_vstimecmp = EXT_SSTC,
    ext_mstateen = EXT_SMSTATEEN,
    ext_sstateen = EXT_SSSTATEEN,
    ext_hstateen = EXT_SSSTATEEN,
    ext_senvcfg = EXT_I,
    ext_henvcfg = EXT_I,
    ext_satp = EXT_I,
    ext_hgatp = EXT_H,
    ext_hypervisor = EXT_H,
    ext_xisthmus = EXT_XISTHMUS,
    ext_sip = EXT_I,
    ext_maia = EXT_SMAIA,
    ext_mireg = EXT_SMAIA,
    ext_mtopei = EXT_SMAIA,
    ext_aia = EXT_SSAIA,
    ext_siselect = EXT_SSAIA,
    ext_sireg = EXT_SSAIA,
    ext_stopei = EXT_SSAIA,
    ext_stopi = EXT_SSAIA,
    ext_vsiselect = EXT_SSAIA,
    ext_vsireg = EXT_SSAIA,
    ext_vstopei = EXT_SSAIA,
};

#define after_nothing NULL
#define after_irq csr_look_for_interrupts

#define CSR_FIELD(n, name, g, mask_, a)                                                            \
    [n] = {.get = get_field,                                                                       \
           .set = set_field,                                                                       \
           .gate = gate_##g,                                                                       \
           .after = after_##a,                                                                     \
           .mask = mask_,                                                                          \
           .offset = offsetof(struct hart, csr.name),                                              \
           .number = n,                                                                            \
           .ext = ext_##g},
#define CSR_FAMILY(n, name, g, family)                                                             \
    [n] = {.get = csr_get_##family,                                                                \
           .set = csr_set_##family,                                                                \
           .gate = gate_##g,                                                                       \
           .number = n,                                                                            \
           .ext = ext_##g},
#define CSR_VIEW(n, name, g) CSR_FAMILY(n, name, g, name)
#define CSR_READ(n, name, g)                                                                       \
    [n] = {.get = csr_get_##name,                                                                  \
           .set = set_ignored,                                                                     \
           .gate = gate_##g,                                                                       \
           .number = n,                                                                            \
           .ext = ext_##g},
#define CSR_CONST(n, name, g, value)                                                               \
    [n] = {.get = get_const,                                                                       \
           .set = set_ignored,                                                                     \
           .gate = gate_##g,                                                                       \
           .mask = value,                                                                          \
           .number = n,                                                                            \
           .ext = ext_##g},
enum { CSR_COUNT = 4096 };
static const struct csr_row table[CSR_COUNT] = {
#include "isa/csr.def"
};

#define CSR_REPLICA(name) [CSR_##name & 0xff] = true,
static const bool replicated[256] = {
#include "isa/csr.def"
};

enum { REPLICA_DISTANCE = 0x100 };

/* Level of a mode as CSR numbers count it: 0 U and VU, 1 VS, 2 HS, 3 M. */
static unsigned level_of(const struct hart *h)
{
    if (h->priv == PRV_M)
        return 3;
    return h->priv == PRV_U ? 0 : h->v ? 1 : 2;
}

/* The cpu has the register: its extension, and H where its number says hypervisor or VS level. */
static bool cpu_has_csr(const struct cpu *cpu, const struct csr_row *r)
{
    enum { LEVEL_H = 2 };
    uint64_t needs = BIT(r->ext);

    if (bits(r->number, 9, 8) == LEVEL_H)
        needs |= BIT(EXT_H);
    return r->get && (cpu->extensions & needs) == needs;
}

static bool exists(const struct hart *h, const struct csr_row *r)
{
    return cpu_has_csr(&h->isa->cpu, r);
}

bool csr_is_plain(unsigned num)
{
    const struct csr_row *r = &table[num % CSR_COUNT];

    return r->set == set_field && !r->after;
}

bool csr_plain(const struct cpu *cpu, unsigned num, struct csr_plain *plain)
{
    const struct csr_row *r = &table[num % CSR_COUNT];
    unsigned level = bits(num, 9, 8);

    if (!cpu_has_csr(cpu, r) || !csr_is_plain(num) || r->gate)
        return false;
    *plain = (struct csr_plain){.mask = r->mask, .offset = r->offset, .level = (uint8_t)level};
    if (level == 1)
        plain->offset_v = replicated[num & 0xff] ? r[REPLICA_DISTANCE].offset : r->offset;
    return true;
}

/* With hvictl.VTI a guest does not write stimecmp either, which might clear a bit of vsip. */
static bool write_is_emulated(const struct hart *h, unsigned num)
{
    return h->v && num == CSR_stimecmp && (h->csr.hvictl & HVICTL_VTI);
}

enum csr_result csr_find(const struct hart *h, unsigned num, bool write, const struct csr_row **row)
{
    const struct csr_row *r = &table[num % CSR_COUNT];
    unsigned level = bits(num, 9, 8);
    enum csr_result gated;

    if (!exists(h, r) || (write && bits(num, 11, 10) == 3))
        return CSR_ILLEGAL;
    gated = r->gate ? r->gate(h, r) : CSR_OK;
    if (gated == CSR_ILLEGAL)
        return CSR_ILLEGAL;
    if (level_of(h) < level)
        return h->v && level != 3 ? CSR_VIRTUAL : CSR_ILLEGAL;
    if (write && write_is_emulated(h, num))
        return CSR_VIRTUAL;
    *row = h->v && level == 1 && replicated[num & 0xff] ? r + REPLICA_DISTANCE : r;
    return gated;
}

bool csr_exists(const struct hart *h, unsigned num)
{
    return num < CSR_COUNT && exists(h, &table[num]);
}

/* What M-mode could reach: the windows may select nothing. */
static bool reachable(struct hart *h, const struct csr_row *r, unsigned num)
{
    unsigned priv = h->priv;
    bool v = h->v, ok;

    if (num >= CSR_COUNT || !exists(h, r))
        return false;
    h->priv = PRV_M;
    h->v = false;
    ok = !r->gate || r->gate == gate_fp || r->gate(h, r) == CSR_OK;
    h->priv = priv;
    h->v = v;
    return ok;
}

bool csr_peek(struct hart *h, unsigned num, uint64_t *value)
{
    const struct csr_row *r = &table[num % CSR_COUNT];

    if (!reachable(h, r, num))
        return false;
    *value = r->get(h, r, hart_retired(h));
    return true;
}

bool csr_poke(struct hart *h, unsigned num, uint64_t value)
{
    const struct csr_row *r = &table[num % CSR_COUNT];
    struct csr_write w = {.value = value, .bits = UINT64_MAX, .retired = hart_retired(h)};

    if (!reachable(h, r, num) || bits(num, 11, 10) == 3)
        return false;
    r->set(h, r, &w);
    return true;
}

/* Where the manual leaves a value open, hardware A/D updating and Svpbmt are on, as on boards
 * whose firmware knows nothing of the bits: software that does not set A and D itself runs. */
void csr_reset(struct hart *h)
{
    const struct cpu *cpu = &h->isa->cpu;

    memset(&h->csr, 0, sizeof(h->csr));
    if (cpu_has(cpu, EXT_H))
        h->csr.mideleg = IRQS_H;
    h->csr.menvcfg = h->csr.henvcfg = (ENVCFG_PBMTE | ENVCFG_ADUE) & csr_envcfg_mask(h);
    h->csr.stimecmp = h->csr.vstimecmp = UINT64_MAX;
    /* State enables that do not exist enable. */
    for (unsigned n = 0; n < ARRAY_SIZE(h->csr.mstateen); n++) {
        if (!cpu_has(cpu, EXT_SMSTATEEN))
            h->csr.mstateen[n] = csr_stateen_mask(h, n);
        if (!cpu_has(cpu, EXT_SSSTATEEN))
            h->csr.hstateen[n] = UINT64_MAX;
    }
    h->timers_due = 0;
    h->virtual_irqs = h->hpm_filtered = h->hpm_watched = false;
    h->hpm_running = 0;
    h->mmu.svnapot = cpu_has(cpu, EXT_SVNAPOT);
    h->mmu.pmp_entries = cpu->pmp;
    csr_envcfg_changed(h, 0);
}
