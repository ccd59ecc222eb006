/* SPDX-License-Identifier: MIT */
/*
 * The decoder and the disassembler, for libFuzzer: any four bytes, with any set of extensions.
 */
#include "isa/isa.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct isa isa;
    struct cpu cpu;
    uint64_t less;

    if (size < 12)
        return -1;
    cpu_default(&cpu);
    memcpy(&less, data, 8);
    cpu.extensions &= ~(less & less << 1 & less >> 1); /* a few are missing */
    isa_init(&isa, &cpu);
    for (data += 8, size -= 8; size >= 4; data += 4, size -= 4) {
        struct insn insn;
        uint32_t word;
        char text[96];

        memcpy(&word, data, 4);
        isa_decode(&isa, word, &insn);
        if (insn.len != (insn_is_long(word) ? 4 : 2))
            abort();
        if (isa_disassemble(&isa, 0x80000000, word, text, sizeof(text)) != insn.len ||
            strlen(text) >= sizeof(text) - 1)
            abort();
        if (insn.id == INSN_ILLEGAL)
            continue;
        const struct insn_row *row = isa_row(insn.id);
        if ((insn.raw & row->mask) != row->match || !cpu_has(&cpu, row->ext) || insn.rd > 31 ||
            insn.rs1 > 31 || insn.rs2 > 31)
            abort();
    }
    return 0;
}
