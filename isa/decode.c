/* SPDX-License-Identifier: MIT */
/*
 * Decoder: the rows of insn.def, sorted into buckets by the bits that all rows of a bucket share,
 * and one small function a format that takes the operands out.
 */
#include "isa/isa.h"

#include <string.h>

static const struct insn_row rows[INSN_COUNT] = {
#define INSN(id_, m, k, f, e, c)                                                                   \
    [INSN_##id_] = {#id_, m, k, FMT_##f, EXT_##e, CLASS_##c, INSN_##id_, INSN_##id_},
#define CINSN(id_, m, k, f, e, c, b)                                                               \
    [INSN_##id_] = {#id_, m, k, FMT_##f, EXT_##e, CLASS_##c, INSN_##id_, INSN_##b},
#include "isa/insn.def"
};

const struct insn_row *isa_row(enum insn_id id)
{
    return &rows[id];
}

static unsigned bucket_of(uint32_t raw)
{
    return insn_is_long(raw) ? bits(raw, 6, 2) : (raw & 3) | bits(raw, 15, 13) << 2;
}

/* A compressed row may leave bits of its bucket open only in its own fields, so one bucket holds
 * it. */
void isa_init(struct isa *isa, const struct cpu *cpu)
{
    unsigned n32[32] = {0}, n16[32] = {0};

    memset(isa, 0, sizeof(*isa));
    if (cpu)
        isa->cpu = *cpu;
    else
        cpu_default(&isa->cpu);
    for (unsigned id = 1; id < INSN_COUNT; id++) {
        const struct insn_row *row = &rows[id];
        bool is_long = insn_is_long(row->match);
        unsigned b = bucket_of(row->match);
        bool have = cpu_has(&isa->cpu, row->ext);

        if (!is_long)
            have = have && cpu_has(&isa->cpu, EXT_C);
        if (!have)
            continue;
        if (is_long)
            isa->bucket32[b][n32[b]++] = id;
        else
            isa->bucket16[b][n16[b]++] = id;
    }
}

/* --- operands, a function a format; false: the encoding is reserved --- */

static void regs(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->rs1 = bits(w, 19, 15);
    i->rs2 = bits(w, 24, 20);
}

static bool op_none(struct insn *i, uint32_t w)
{
    return true;
}

static bool op_r(struct insn *i, uint32_t w)
{
    regs(i, w);
    return true;
}

static bool op_r1(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rs2 = 0;
    return true;
}

static bool op_i(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rs2 = 0;
    i->imm = (int32_t)w >> 20;
    return true;
}

static bool op_sh6(struct insn *i, uint32_t w)
{
    op_r1(i, w);
    i->imm = bits(w, 25, 20);
    return true;
}

static bool op_sh5(struct insn *i, uint32_t w)
{
    op_r1(i, w);
    i->imm = bits(w, 24, 20);
    return true;
}

static bool op_s(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rd = 0;
    i->imm = sign_extend(bits(w, 31, 25) << 5 | bits(w, 11, 7), 12);
    return true;
}

static bool op_b(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rd = 0;
    i->imm = sign_extend(bits(w, 31, 31) << 12 | bits(w, 7, 7) << 11 | bits(w, 30, 25) << 5 |
                             bits(w, 11, 8) << 1,
                         13);
    return true;
}

static bool op_u(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->imm = (int32_t)(w & 0xfffff000);
    return true;
}

static bool op_j(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->imm = sign_extend(bits(w, 31, 31) << 20 | bits(w, 19, 12) << 12 | bits(w, 20, 20) << 11 |
                             bits(w, 30, 21) << 1,
                         21);
    return true;
}

/* rd and rs1 of FENCE are reserved for finer fences and ignored (Unprivileged, "Memory Ordering
 * Instructions"). */
static bool op_fence(struct insn *i, uint32_t w)
{
    i->imm = bits(w, 31, 20);
    return true;
}

static bool op_csr(struct insn *i, uint32_t w)
{
    op_r1(i, w);
    i->imm = bits(w, 31, 20);
    return true;
}

static bool op_fr4(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rs3 = bits(w, 31, 27);
    i->rm = i->imm = bits(w, 14, 12);
    return true;
}

static bool op_fr(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rm = i->imm = bits(w, 14, 12);
    return true;
}

static bool op_fr1(struct insn *i, uint32_t w)
{
    op_fr(i, w);
    i->rs2 = 0;
    return true;
}

static bool op_vma(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rd = 0;
    return true;
}

static bool op_cbo(struct insn *i, uint32_t w)
{
    i->rs1 = bits(w, 19, 15);
    return true;
}

static bool op_ig4(struct insn *i, uint32_t w)
{
    regs(i, w);
    i->rs3 = bits(w, 31, 27);
    return true;
}

/* Compressed: rd' and so on are the three-bit fields for x8..x15. */
static unsigned c_hi(uint32_t w)
{
    return 8 + bits(w, 9, 7);
}

static unsigned c_lo(uint32_t w)
{
    return 8 + bits(w, 4, 2);
}

static int32_t c_imm6(uint32_t w)
{
    return sign_extend(bits(w, 12, 12) << 5 | bits(w, 6, 2), 6);
}

static bool op_cr(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = bits(w, 11, 7);
    i->rs2 = bits(w, 6, 2);
    return true;
}

static bool op_cmv(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->rs2 = bits(w, 6, 2);
    return true;
}

static bool op_cjr(struct insn *i, uint32_t w)
{
    i->rs1 = bits(w, 11, 7);
    i->rd = bits(w, 12, 12); /* c.jr links nothing, c.jalr links ra */
    return i->rs1 != 0;
}

static bool op_ci(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = bits(w, 11, 7);
    i->imm = c_imm6(w);
    return !(i->id == INSN_c_addiw && i->rd == 0);
}

static bool op_cli(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->imm = c_imm6(w);
    return true;
}

static bool op_clui(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->imm = c_imm6(w) * 4096;
    return i->imm != 0;
}

static bool op_caddi16sp(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = 2;
    i->imm = sign_extend(bits(w, 12, 12) << 9 | bits(w, 4, 3) << 7 | bits(w, 5, 5) << 6 |
                             bits(w, 2, 2) << 5 | bits(w, 6, 6) << 4,
                         10);
    return i->imm != 0;
}

static bool op_caddi4spn(struct insn *i, uint32_t w)
{
    i->rd = c_lo(w);
    i->rs1 = 2;
    i->imm = bits(w, 10, 7) << 6 | bits(w, 12, 11) << 4 | bits(w, 5, 5) << 3 | bits(w, 6, 6) << 2;
    return i->imm != 0;
}

static bool op_csh(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = bits(w, 11, 7);
    i->imm = bits(w, 12, 12) << 5 | bits(w, 6, 2);
    return true;
}

static bool op_clwsp(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->rs1 = 2;
    i->imm = bits(w, 3, 2) << 6 | bits(w, 12, 12) << 5 | bits(w, 6, 4) << 2;
    return i->rd != 0;
}

static bool op_cfldsp(struct insn *i, uint32_t w)
{
    i->rd = bits(w, 11, 7);
    i->rs1 = 2;
    i->imm = bits(w, 4, 2) << 6 | bits(w, 12, 12) << 5 | bits(w, 6, 5) << 3;
    return true;
}

static bool op_cldsp(struct insn *i, uint32_t w)
{
    op_cfldsp(i, w);
    return i->rd != 0;
}

static bool op_cswsp(struct insn *i, uint32_t w)
{
    i->rs1 = 2;
    i->rs2 = bits(w, 6, 2);
    i->imm = bits(w, 8, 7) << 6 | bits(w, 12, 9) << 2;
    return true;
}

static bool op_csdsp(struct insn *i, uint32_t w)
{
    i->rs1 = 2;
    i->rs2 = bits(w, 6, 2);
    i->imm = bits(w, 9, 7) << 6 | bits(w, 12, 10) << 3;
    return true;
}

static int32_t c_off4(uint32_t w)
{
    return bits(w, 5, 5) << 6 | bits(w, 12, 10) << 3 | bits(w, 6, 6) << 2;
}

static int32_t c_off8(uint32_t w)
{
    return bits(w, 6, 5) << 6 | bits(w, 12, 10) << 3;
}

static bool op_clw(struct insn *i, uint32_t w)
{
    i->rd = c_lo(w);
    i->rs1 = c_hi(w);
    i->imm = c_off4(w);
    return true;
}

static bool op_cld(struct insn *i, uint32_t w)
{
    i->rd = c_lo(w);
    i->rs1 = c_hi(w);
    i->imm = c_off8(w);
    return true;
}

static bool op_csw(struct insn *i, uint32_t w)
{
    i->rs2 = c_lo(w);
    i->rs1 = c_hi(w);
    i->imm = c_off4(w);
    return true;
}

static bool op_csd(struct insn *i, uint32_t w)
{
    i->rs2 = c_lo(w);
    i->rs1 = c_hi(w);
    i->imm = c_off8(w);
    return true;
}

static bool op_ca(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = c_hi(w);
    i->rs2 = c_lo(w);
    return true;
}

static bool op_cb(struct insn *i, uint32_t w)
{
    i->rs1 = c_hi(w);
    i->imm = sign_extend(bits(w, 12, 12) << 8 | bits(w, 6, 5) << 6 | bits(w, 2, 2) << 5 |
                             bits(w, 11, 10) << 3 | bits(w, 4, 3) << 1,
                         9);
    return true;
}

static bool op_cbsh(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = c_hi(w);
    i->imm = bits(w, 12, 12) << 5 | bits(w, 6, 2);
    return true;
}

static bool op_cbi(struct insn *i, uint32_t w)
{
    i->rd = i->rs1 = c_hi(w);
    i->imm = c_imm6(w);
    return true;
}

static bool op_cj(struct insn *i, uint32_t w)
{
    i->imm = sign_extend(bits(w, 12, 12) << 11 | bits(w, 8, 8) << 10 | bits(w, 10, 9) << 8 |
                             bits(w, 6, 6) << 7 | bits(w, 7, 7) << 6 | bits(w, 2, 2) << 5 |
                             bits(w, 11, 11) << 4 | bits(w, 5, 3) << 1,
                         12);
    return true;
}

static bool (*const operands[])(struct insn *i, uint32_t w) = {
    [FMT_NONE] = op_none,     [FMT_R] = op_r,
    [FMT_R1] = op_r1,         [FMT_I] = op_i,
    [FMT_SH6] = op_sh6,       [FMT_SH5] = op_sh5,
    [FMT_LOAD] = op_i,        [FMT_S] = op_s,
    [FMT_B] = op_b,           [FMT_U] = op_u,
    [FMT_J] = op_j,           [FMT_FENCE] = op_fence,
    [FMT_CSR] = op_csr,       [FMT_CSRI] = op_csr,
    [FMT_LR] = op_r1,         [FMT_AMO] = op_r,
    [FMT_FR] = op_fr,         [FMT_FRN] = op_r,
    [FMT_FR1] = op_fr1,       [FMT_FR4] = op_fr4,
    [FMT_FCMP] = op_r,        [FMT_FTOI] = op_fr1,
    [FMT_FTOX] = op_r1,       [FMT_ITOF] = op_fr1,
    [FMT_XTOF] = op_r1,       [FMT_FLOAD] = op_i,
    [FMT_FS] = op_s,          [FMT_VMA] = op_vma,
    [FMT_HLV] = op_r1,        [FMT_HSV] = op_vma,
    [FMT_FLI] = op_r1,        [FMT_CBO] = op_cbo,
    [FMT_IG4] = op_ig4,       [FMT_CR] = op_cr,
    [FMT_CMV] = op_cmv,       [FMT_CJR] = op_cjr,
    [FMT_CI] = op_ci,         [FMT_CLI] = op_cli,
    [FMT_CLUI] = op_clui,     [FMT_CADDI16SP] = op_caddi16sp,
    [FMT_CADDI4SPN] = op_caddi4spn,
    [FMT_CSH] = op_csh,       [FMT_CLWSP] = op_clwsp,
    [FMT_CLDSP] = op_cldsp,   [FMT_CFLDSP] = op_cfldsp,
    [FMT_CSWSP] = op_cswsp,   [FMT_CSDSP] = op_csdsp,
    [FMT_CFSDSP] = op_csdsp,  [FMT_CLW] = op_clw,
    [FMT_CLD] = op_cld,       [FMT_CFLD] = op_cld,
    [FMT_CSW] = op_csw,       [FMT_CSD] = op_csd,
    [FMT_CFSD] = op_csd,      [FMT_CA] = op_ca,
    [FMT_CB] = op_cb,         [FMT_CBSH] = op_cbsh,
    [FMT_CBI] = op_cbi,       [FMT_CJ] = op_cj,
    [FMT_CNONE] = op_none,
};

void isa_decode(const struct isa *isa, uint32_t raw, struct insn *out)
{
    bool is_long = insn_is_long(raw);
    const uint16_t *id;

    if (!is_long)
        raw &= 0xffff;
    *out = (struct insn){.raw = raw, .len = is_long ? 4 : 2};
    id = is_long ? isa->bucket32[bucket_of(raw)] : isa->bucket16[bucket_of(raw)];
    for (; *id; id++) {
        const struct insn_row *row = &rows[*id];
        if ((raw & row->mask) != row->match)
            continue;
        out->id = row->id;
        out->base = row->base;
        out->class = row->class;
        if (!operands[row->format](out, raw))
            *out = (struct insn){.raw = raw, .len = is_long ? 4 : 2};
        return;
    }
}
