/* SPDX-License-Identifier: MIT */
/* Registers by the numbers of the protocol, and the description by which GDB knows them. */
#include "debug/explain.h"
#include "debug/gdb_internal.h"
#include "hart/csr.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const x_names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "fp", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
static const char *const f_names[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4",  "ft5",  "ft6", "ft7", "fs0",  "fs1",  "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5",  "fa6",  "fa7", "fs2", "fs3",  "fs4",  "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};
enum { CSRS = 4096, DESCRIPTION_SIZE = 64 * 1024 };

static void describe_register(struct text *t, const char *name, unsigned number, const char *type,
                              const char *more)
{
    text_add(t, "<reg name=\"%s\" bitsize=\"64\" regnum=\"%u\" type=\"%s\"%s/>\n", name, number,
             type, more);
}

static void describe_csrs(struct text *t, struct hart *h)
{
    for (unsigned i = 0; i < CSRS; i++)
        if (csr_name(i) && csr_exists(h, i))
            describe_register(t, csr_name(i), REG_CSR + i, "int", " save-restore=\"no\"");
}

char *gdb_describe(struct hart *h)
{
    char *buffer = malloc(DESCRIPTION_SIZE);
    struct text t;

    if (!buffer)
        return NULL;
    text_init(&t, buffer, DESCRIPTION_SIZE);
    text_add(&t, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                 "<target version=\"1.0\">\n<architecture>riscv:rv64</architecture>\n"
                 "<feature name=\"org.gnu.gdb.riscv.cpu\">\n");
    for (unsigned i = 0; i < 32; i++)
        describe_register(&t, x_names[i], i, i == 1 ? "code_ptr" : i >= 2 && i <= 4 ? "data_ptr"
                                                                                    : "int", "");
    describe_register(&t, "pc", REG_PC, "code_ptr", "");
    text_add(&t, "</feature>\n<feature name=\"org.gnu.gdb.riscv.fpu\">\n");
    for (unsigned i = 0; i < 32; i++)
        describe_register(&t, f_names[i], REG_F + i, "ieee_double", "");
    text_add(&t, "</feature>\n<feature name=\"org.gnu.gdb.riscv.csr\">\n");
    describe_csrs(&t, h);
    text_add(&t, "</feature>\n<feature name=\"org.gnu.gdb.riscv.virtual\">\n");
    describe_register(&t, "priv", REG_PRIV, "int", " save-restore=\"no\"");
    describe_register(&t, "v", REG_V, "int", " save-restore=\"no\"");
    text_add(&t, "</feature>\n</target>\n");
    return buffer;
}

bool gdb_read_register(struct hart *h, unsigned number, uint64_t *value)
{
    if (number < REG_PC)
        *value = h->x[number];
    else if (number == REG_PC)
        *value = h->pc;
    else if (number < REG_CSR)
        *value = h->f[number - REG_F];
    else if (number == REG_PRIV)
        *value = h->priv;
    else if (number == REG_V)
        *value = h->v;
    else
        return number < REG_PRIV && csr_peek(h, number - REG_CSR, value);
    return true;
}

static bool set_mode(struct hart *h, uint64_t priv, uint64_t v)
{
    if ((priv != PRV_U && priv != PRV_S && priv != PRV_M) || v > 1 || (priv == PRV_M && v))
        return false;
    h->priv = (uint8_t)priv;
    h->v = v;
    hart_update_context(h);
    return true;
}

bool gdb_write_register(struct hart *h, unsigned number, uint64_t value)
{
    if (number == 0)
        return true;
    if (number < REG_PC) {
        h->x[number] = value;
    } else if (number == REG_PC) {
        h->pc = value & ~UINT64_C(1);
        h->waiting = false;
    } else if (number < REG_CSR) {
        h->f[number - REG_F] = value;
    } else if (number == REG_PRIV) {
        return set_mode(h, value, value == PRV_M ? 0 : h->v);
    } else if (number == REG_V) {
        return set_mode(h, h->priv, value);
    } else {
        return number < REG_PRIV && csr_poke(h, number - REG_CSR, value);
    }
    return true;
}

void gdb_describe_hart(const struct hart *h, struct text *t)
{
    text_add(t, "%s-mode", explain_mode(h->priv, h->v));
    if (h->v)
        text_add(t, ", guest 0x%" PRIx64 ", VMID %u", ATP_PPN(h->csr.hgatp),
                 HGATP_VMID(h->csr.hgatp));
    if (h->waiting)
        text_add(t, ", in WFI");
}
