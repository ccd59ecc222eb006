/* SPDX-License-Identifier: MIT */
/*
 * The instruction set: one table (insn.def), from which come the decoder, the disassembler and the
 * list of exec functions. Nothing else in the tree knows an encoding.
 */
#ifndef ISA_ISA_H
#define ISA_ISA_H

#include "base/bits.h"
#include "isa/cpu.h"

/* One identifier a row of insn.def: INSN_add, INSN_c_addi, ... INSN_ILLEGAL is no row. */
enum insn_id {
    INSN_ILLEGAL = 0,
#define INSN(id, match, mask, format, ext, class) INSN_##id,
#define CINSN(id, match, mask, format, ext, class, base) INSN_##id,
#include "isa/insn.def"
    INSN_COUNT
};

/* What kind of work an instruction does: decides where blocks end and what a translator may do. */
enum insn_class {
    CLASS_ALU, CLASS_MUL, CLASS_LOAD, CLASS_STORE, CLASS_AMO, CLASS_FP, CLASS_FPMEM, CLASS_FENCE,
    CLASS_WINDOW, /* all above: run on inside a block */
    CLASS_BRANCH, /* conditional, pc-relative; ends a block */
    CLASS_JUMP,   /* jal, jalr; ends a block */
    CLASS_SYSTEM, /* may change privilege, context or interrupts; ends a block: see code_looks */
};

/* Where the operands are, and how they are written in assembly. */
enum insn_format {
    FMT_NONE,   /* no operand */
    FMT_R,      /* rd, rs1, rs2 */
    FMT_R1,     /* rd, rs1 */
    FMT_I,      /* rd, rs1, imm12 */
    FMT_SH6,    /* rd, rs1, shamt6 */
    FMT_SH5,    /* rd, rs1, shamt5 */
    FMT_LOAD,   /* rd, imm12(rs1) */
    FMT_S,      /* rs2, imm12(rs1) */
    FMT_B,      /* rs1, rs2, target */
    FMT_U,      /* rd, imm20 */
    FMT_J,      /* rd, target */
    FMT_FENCE,  /* pred, succ */
    FMT_CSR,    /* rd, csr, rs1 */
    FMT_CSRI,   /* rd, csr, uimm5 */
    FMT_LR,     /* rd, (rs1) */
    FMT_AMO,    /* rd, rs2, (rs1) */
    FMT_FR,     /* frd, frs1, frs2, rm */
    FMT_FRN,    /* frd, frs1, frs2 */
    FMT_FR1,    /* frd, frs1, rm */
    FMT_FR4,    /* frd, frs1, frs2, frs3, rm */
    FMT_FCMP,   /* rd, frs1, frs2 */
    FMT_FTOI,   /* rd, frs1, rm */
    FMT_FTOX,   /* rd, frs1 */
    FMT_ITOF,   /* frd, rs1, rm */
    FMT_XTOF,   /* frd, rs1 */
    FMT_FLOAD,  /* frd, imm12(rs1) */
    FMT_FS,     /* frs2, imm12(rs1) */
    FMT_FLI,    /* frd, constant number in rs1 */
    FMT_CBO,    /* (rs1) */
    FMT_VMA,    /* rs1, rs2 */
    FMT_HLV,    /* rd, (rs1) */
    FMT_HSV,    /* rs2, (rs1) */
    FMT_IG4,    /* rd, rs1, rs2, rs3 */
    FMT_CR,     /* rd=rs1 field, rs2 */
    FMT_CMV,    /* rd, rs2 */
    FMT_CJR,    /* rs1 (jump register) */
    FMT_CI,     /* rd, imm6 */
    FMT_CLI,    /* rd, imm6 (from x0) */
    FMT_CLUI,   /* rd, imm6 << 12 */
    FMT_CADDI16SP,
    FMT_CADDI4SPN, /* rd', sp, uimm */
    FMT_CSH,    /* rd, shamt6 */
    FMT_CLWSP, FMT_CLDSP, FMT_CFLDSP, FMT_CSWSP, FMT_CSDSP, FMT_CFSDSP,
    FMT_CLW, FMT_CLD, FMT_CFLD, FMT_CSW, FMT_CSD, FMT_CFSD,
    FMT_CA,     /* rd', rs2' */
    FMT_CB,     /* rs1', target */
    FMT_CBSH,   /* rd', shamt6 */
    FMT_CBI,    /* rd', imm6 */
    FMT_CJ,     /* target */
    FMT_CNONE,
};

struct insn_row {
    const char *name; /* as written in assembly */
    uint32_t match, mask;
    uint8_t format;   /* enum insn_format */
    uint8_t ext;      /* enum insn_ext */
    uint8_t class;    /* enum insn_class */
    uint16_t id;      /* its own */
    uint16_t base;    /* the 32-bit instruction that it executes as; its own id where it is one */
};

/* The FENCE that is PAUSE (Zihintpause). */
enum { RAW_PAUSE = 0x0100000f };

/* An instruction taken apart. Floating-point registers are numbered 0..31 as well. */
struct insn {
    uint16_t id;   /* INSN_ILLEGAL where the encoding is reserved */
    uint16_t base; /* see insn_row */
    uint32_t raw;  /* a compressed one with the upper half zero */
    int32_t imm;   /* also the CSR number, and pred|succ of fence */
    uint8_t len;   /* 2 or 4 */
    uint8_t class;
    uint8_t rd, rs1, rs2, rs3; /* 0 where absent; rs3 is rm for FP formats without an rs3 */
    uint8_t rm;
};

/* A decoder for a set of extensions. Immutable after isa_init, shared by all harts. */
struct isa {
    struct cpu cpu;                     /* what it implements */
    uint16_t bucket32[32][INSN_COUNT];  /* rows by bits 6:2, ended by INSN_ILLEGAL */
    uint16_t bucket16[32][INSN_COUNT];  /* compressed: by bits 1:0 and 15:13 */
};

/* The row of id, INSN_ILLEGAL excluded. */
const struct insn_row *isa_row(enum insn_id id);
/* Prepare a decoder for what cpu implements; NULL: cpu_default(). */
void isa_init(struct isa *isa, const struct cpu *cpu);
/* Take raw apart: 4 bytes as fetched, of which the upper two are ignored for a compressed
 * instruction. A reserved encoding gives id INSN_ILLEGAL with len and raw set. */
void isa_decode(const struct isa *isa, uint32_t raw, struct insn *out);
/* True where the low 16 bits start a 32-bit instruction. */
static inline bool insn_is_long(uint32_t raw)
{
    return (raw & 3) == 3;
}

/* Assembly text of the instruction raw at address pc, in objdump's manner with numeric-free ABI
 * names; ".insn 0x..." where it is reserved. Result: its length in bytes, 2 or 4. */
unsigned isa_disassemble(const struct isa *isa, uint64_t pc, uint32_t raw, char *text, size_t size);

/* csr.def: name of CSR num, or NULL. */
const char *csr_name(unsigned num);

#endif
