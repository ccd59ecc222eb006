/* SPDX-License-Identifier: MIT */
/*
 * Zicsr (Unprivileged, "Zicsr"): atomically read a CSR into rd and write, set or clear its bits.
 * csrrw does not read where rd is x0; the others do not write where rs1 names x0 or the immediate
 * is 0.
 */
#include "hart/exec/exec.h"
#include "hart/exec/fp.h"
#include "hart/csr.h"

enum action { WRITE, SET, CLEAR };

static inline const struct op *access_csr(struct hart *h, const struct op *op, enum action action,
                                          uint64_t operand)
{
    bool reads = action != WRITE || op->rd != REG_SINK;
    bool writes = action == WRITE || op->rs1 != 0;
    uint64_t retired = hart_instret(h, op), old = 0;
    const struct csr_row *row;

    switch (csr_find(h, op->imm, writes, &row)) {
    case CSR_ILLEGAL:
        return hart_illegal(h, op);
    case CSR_VIRTUAL:
        return hart_virtual(h, op);
    case CSR_OK:
        break;
    }
    if (op->imm <= CSR_fcsr)
        hart_fp_flags_collect(h);
    if (reads)
        old = row->get(h, row, retired);
    if (writes) {
        struct csr_write w = {.value = operand,
                              .bits = operand,
                              .retired = retired + 1,
                              .old = old,
                              .read = reads};

        if (action == WRITE)
            w.bits = UINT64_MAX;
        else
            w.value = action == SET ? old | operand : old & ~operand;
        row->set(h, row, &w);
    }
    RD = old;
    NEXT;
}

EXEC(csrrw)
{
    return access_csr(h, op, WRITE, RS1);
}

EXEC(csrrs)
{
    return access_csr(h, op, SET, RS1);
}

EXEC(csrrc)
{
    return access_csr(h, op, CLEAR, RS1);
}

/* The field of rs1 is the immediate. */
EXEC(csrrwi)
{
    return access_csr(h, op, WRITE, op->rs1);
}

EXEC(csrrsi)
{
    return access_csr(h, op, SET, op->rs1);
}

EXEC(csrrci)
{
    return access_csr(h, op, CLEAR, op->rs1);
}
