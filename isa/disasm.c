/* SPDX-License-Identifier: MIT */
/* Disassembler: the decoder's operands, written as each format has them in assembly. */
#include "isa/isa.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const xname[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
static const char *const fname[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6",  "ft7",  "fs0",  "fs1", "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7",  "fs2",  "fs3",  "fs4", "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};
static const char *const fli_names[32] = {
    "-1.0", "min",  "1.52587890625e-05", "3.0517578125e-05", "0.00390625", "0.0078125", "0.0625",
    "0.125", "0.25", "0.3125", "0.375", "0.4375", "0.5", "0.625", "0.75", "0.875", "1.0", "1.25",
    "1.5", "1.75", "2.0", "2.5", "3.0", "4.0", "8.0", "16.0", "128.0", "256.0", "32768.0",
    "65536.0", "inf", "nan"};
static const char *const rmname[8] = {"rne", "rtz", "rdn", "rup", "rmm", "rm5", "rm6", "dyn"};

/*
 * How each format's operands are written. %d %s %t %u: integer rd, rs1, rs2, rs3; %D %S %T %U:
 * the same as FP registers; %i: immediate in decimal; %x: upper immediate; %a: pc-relative
 * target; %c: CSR; %z: zimm; %k: constant of fli; %r: rounding mode unless dynamic; %f: fence sets.
 */
static const char *const syntax[] = {
    [FMT_NONE] = "",
    [FMT_R] = "%d,%s,%t",
    [FMT_R1] = "%d,%s",
    [FMT_I] = "%d,%s,%i",
    [FMT_SH6] = "%d,%s,%i",
    [FMT_SH5] = "%d,%s,%i",
    [FMT_LOAD] = "%d,%i(%s)",
    [FMT_S] = "%t,%i(%s)",
    [FMT_B] = "%s,%t,%a",
    [FMT_U] = "%d,%x",
    [FMT_J] = "%d,%a",
    [FMT_FENCE] = "%f",
    [FMT_CSR] = "%d,%c,%s",
    [FMT_CSRI] = "%d,%c,%z",
    [FMT_LR] = "%d,(%s)",
    [FMT_AMO] = "%d,%t,(%s)",
    [FMT_FR] = "%D,%S,%T%r",
    [FMT_FRN] = "%D,%S,%T",
    [FMT_FR1] = "%D,%S%r",
    [FMT_FR4] = "%D,%S,%T,%U%r",
    [FMT_FCMP] = "%d,%S,%T",
    [FMT_FTOI] = "%d,%S%r",
    [FMT_FTOX] = "%d,%S",
    [FMT_ITOF] = "%D,%s%r",
    [FMT_XTOF] = "%D,%s",
    [FMT_FLOAD] = "%D,%i(%s)",
    [FMT_FS] = "%T,%i(%s)",
    [FMT_VMA] = "%s,%t",
    [FMT_HLV] = "%d,(%s)",
    [FMT_HSV] = "%t,(%s)",
    [FMT_FLI] = "%D,%k",
    [FMT_CBO] = "(%s)",
    [FMT_IG4] = "%d,%s,%t,%u",
    [FMT_CR] = "%d,%t",
    [FMT_CMV] = "%d,%t",
    [FMT_CJR] = "%s",
    [FMT_CI] = "%d,%i",
    [FMT_CLI] = "%d,%i",
    [FMT_CLUI] = "%d,%x",
    [FMT_CADDI16SP] = "%d,%i",
    [FMT_CADDI4SPN] = "%d,%s,%i",
    [FMT_CSH] = "%d,%i",
    [FMT_CLWSP] = "%d,%i(%s)",
    [FMT_CLDSP] = "%d,%i(%s)",
    [FMT_CFLDSP] = "%D,%i(%s)",
    [FMT_CSWSP] = "%t,%i(%s)",
    [FMT_CSDSP] = "%t,%i(%s)",
    [FMT_CFSDSP] = "%T,%i(%s)",
    [FMT_CLW] = "%d,%i(%s)",
    [FMT_CLD] = "%d,%i(%s)",
    [FMT_CFLD] = "%D,%i(%s)",
    [FMT_CSW] = "%t,%i(%s)",
    [FMT_CSD] = "%t,%i(%s)",
    [FMT_CFSD] = "%T,%i(%s)",
    [FMT_CA] = "%d,%t",
    [FMT_CB] = "%s,%a",
    [FMT_CBSH] = "%d,%i",
    [FMT_CBI] = "%d,%i",
    [FMT_CJ] = "%a",
    [FMT_CNONE] = "",
};

struct text {
    char *at, *end;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->at, t->end - t->at, fmt, ap);
    va_end(ap);
    t->at = n < t->end - t->at ? t->at + n : t->end - 1;
}

static void put_fence(struct text *t, unsigned sets)
{
    static const char letter[] = "wroi";

    if (sets == 0x833) {
        put(t, "tso");
        return;
    }
    for (int side = 4; side >= 0; side -= 4) {
        unsigned set = sets >> side & 15;
        for (int b = 3; b >= 0; b--)
            if (set >> b & 1)
                put(t, "%c", letter[b]);
        if (!set)
            put(t, "0");
        if (side)
            put(t, ",");
    }
}

static void put_csr(struct text *t, unsigned num)
{
    const char *name = csr_name(num);

    if (name)
        put(t, "%s", name);
    else
        put(t, "0x%x", num);
}

static void put_operand(struct text *t, char kind, const struct insn *i, uint64_t pc)
{
    switch (kind) {
    case 'd':
        put(t, "%s", xname[i->rd]);
        break;
    case 's':
        put(t, "%s", xname[i->rs1]);
        break;
    case 't':
        put(t, "%s", xname[i->rs2]);
        break;
    case 'u':
        put(t, "%s", xname[i->rs3]);
        break;
    case 'D':
        put(t, "%s", fname[i->rd]);
        break;
    case 'S':
        put(t, "%s", fname[i->rs1]);
        break;
    case 'T':
        put(t, "%s", fname[i->rs2]);
        break;
    case 'U':
        put(t, "%s", fname[i->rs3]);
        break;
    case 'i':
        put(t, "%d", i->imm);
        break;
    case 'x':
        put(t, "0x%x", (unsigned)i->imm >> 12);
        break;
    case 'a':
        put(t, "0x%" PRIx64, pc + (int64_t)i->imm);
        break;
    case 'c':
        put_csr(t, i->imm);
        break;
    case 'k':
        put(t, "%s", fli_names[i->rs1]);
        break;
    case 'z':
        put(t, "%u", i->rs1);
        break;
    case 'r':
        if (i->rm != 7)
            put(t, ",%s", rmname[i->rm]);
        break;
    case 'f':
        put_fence(t, i->imm);
        break;
    }
}

static void put_name(struct text *t, const struct insn *i)
{
    static const char *const order[4] = {"", ".rl", ".aq", ".aqrl"};

    for (const char *s = isa_row(i->id)->name; *s; s++)
        put(t, "%c", *s == '_' ? '.' : *s);
    if (i->class == CLASS_AMO)
        put(t, "%s", order[bits(i->raw, 26, 25)]);
}

unsigned isa_disassemble(const struct isa *isa, uint64_t pc, uint32_t raw, char *text, size_t size)
{
    struct text t = {text, text + size};
    struct insn i;
    const char *s;

    isa_decode(isa, raw, &i);
    if (i.id == INSN_ILLEGAL) {
        put(&t, ".insn 0x%0*x", i.len * 2, i.raw);
        return i.len;
    }
    put_name(&t, &i);
    s = syntax[isa_row(i.id)->format];
    if (*s)
        put(&t, " ");
    for (; *s; s++) {
        if (*s == '%')
            put_operand(&t, *++s, &i, pc);
        else
            put(&t, "%c", *s);
    }
    return i.len;
}
