/* SPDX-License-Identifier: MIT */
/*
 * What a hart implements: the set of extensions (ext.def) and the limits that the manuals leave to
 * an implementation. Everything that depends on them asks here: the decoder, the CSRs, the MMU,
 * and the device tree, which therefore says what is there.
 */
#ifndef ISA_CPU_H
#define ISA_CPU_H

#include "base/bits.h"

#include <stddef.h>

/* EXT_I, EXT_M, ... */
enum insn_ext {
#define EXT(id, name, needs) EXT_##id,
#define COMBINATION(id, needs) EXT_##id,
#include "isa/ext.def"
    EXT_COUNT
};

enum { CPU_BLOCK = 64 }; /* bytes that Zicbom, Zicbop and Zicboz work on */
enum { CPU_ASIDLEN = 16, CPU_VMIDLEN = 14, CPU_GEILEN = 7, CPU_PMP = 16 };

struct cpu {
    uint64_t extensions; /* bit EXT_x, combinations included */
    uint8_t satp_mode;   /* deepest of both stages: 8 Sv39, 9 Sv48, 10 Sv57 (the MODE of satp) */
    uint8_t asidlen, vmidlen;
    uint8_t geilen; /* at most so many guest external interrupts */
    uint8_t pmp;    /* entries */
    bool htinst;    /* htinst and mtinst hold transformed instructions, not zero */
};

static inline bool cpu_has(const struct cpu *cpu, enum insn_ext ext)
{
    return cpu->extensions >> ext & 1;
}

/* All there is, but for Smaia and Ssaia, which come with their interrupt controllers. */
void cpu_default(struct cpu *cpu);

/* Apply text, "BASE[,[+-]EXT|LIMIT=N]...", to *cpu, from left to right: BASE is rv64gch or rv64gc;
 * an extension with + or alone is added with those it needs, with - taken away with those that need
 * it. aia: the base includes Smaia and Ssaia. Limits: sv (39, 48, 57), asidlen, vmidlen, geilen,
 * pmp; htinst=zero|on. Result: 0; or -EINVAL with one line in why, and *cpu undefined. */
int cpu_parse(struct cpu *cpu, const char *text, bool aia, char *why, size_t size);

/* Add the extension and those that it needs. */
void cpu_add(struct cpu *cpu, enum insn_ext ext);

/* The ISA string, "rv64imafdch_zicbom_...", of at most size - 1 characters. */
enum { CPU_ISA_STRING = 512 };
void cpu_isa_string(const struct cpu *cpu, char *text, size_t size);
/* The next extension's name from *ext on, and *ext behind it; NULL at the end. */
const char *cpu_next_name(const struct cpu *cpu, unsigned *ext);

#endif
