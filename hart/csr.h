/* SPDX-License-Identifier: MIT */
/*
 * Control and status registers: numbers, fields, and access to them.
 *
 * isa/csr.def has one row a register. csr_find() answers an access by a CSR instruction: it applies
 * every rule of privilege and substitutes VS-level registers where V=1, all by table; the row that
 * it gives then reads and writes. csr_peek() and csr_poke() are for debuggers and embedding: no
 * rule but that the register exists.
 */
#ifndef HART_CSR_H
#define HART_CSR_H

#include "hart/hart.h"

/* mstatus; those of sstatus and vsstatus are the same (Privileged, "Machine Status Registers"). */
#define MSTATUS_SIE BIT(1)
#define MSTATUS_MIE BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP BIT(8)
#define MSTATUS_MPP (BIT(11) | BIT(12))
#define MSTATUS_FS (BIT(13) | BIT(14))
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM BIT(18)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_TVM BIT(20)
#define MSTATUS_TW BIT(21)
#define MSTATUS_TSR BIT(22)
#define MSTATUS_UXL (BIT(32) | BIT(33))
#define MSTATUS_SXL (BIT(34) | BIT(35))
#define MSTATUS_GVA BIT(38)
#define MSTATUS_MPV BIT(39)
#define MSTATUS_SD BIT(63)
enum { FS_OFF = 0, FS_DIRTY = 3, XL_64 = 2 };

/* The fields that sstatus and vsstatus have. */
#define SSTATUS_MASK                                                                               \
    (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR)

/* hstatus. */
#define HSTATUS_GVA BIT(6)
#define HSTATUS_SPV BIT(7)
#define HSTATUS_SPVP BIT(8)
#define HSTATUS_HU BIT(9)
#define HSTATUS_VGEIN (UINT64_C(0x3f) << 12)
#define HSTATUS_VTVM BIT(20)
#define HSTATUS_VTW BIT(21)
#define HSTATUS_VTSR BIT(22)
#define HSTATUS_VSXL (BIT(32) | BIT(33))

/* menvcfg, henvcfg, senvcfg. */
#define ENVCFG_FIOM BIT(0)
#define ENVCFG_CBIE (BIT(4) | BIT(5))
#define ENVCFG_CBCFE BIT(6)
#define ENVCFG_CBZE BIT(7)
#define ENVCFG_ADUE BIT(61)
#define ENVCFG_PBMTE BIT(62)
#define ENVCFG_STCE BIT(63)

enum { CBIE_TRAP = 0, CBIE_FLUSH = 1, CBIE_RESERVED = 2, CBIE_INVALIDATE = 3 };

/* mstateen, hstateen. */
#define STATEEN_SE BIT(63)
#define STATEEN0_ENVCFG BIT(62)
#define STATEEN0_CSRIND BIT(60)
#define STATEEN0_AIA BIT(59)
#define STATEEN0_IMSIC BIT(58)

/* mcounteren, hcounteren, scounteren, mcountinhibit. */
#define COUNTER_CY BIT(0)
#define COUNTER_TM BIT(1)
#define COUNTER_IR BIT(2)

/* Interrupts by the level that they belong to: bits of mip, mie, mideleg, hideleg. */
#define IRQS_M (BIT(IRQ_MSI) | BIT(IRQ_MTI) | BIT(IRQ_MEI))
#define IRQS_S (BIT(IRQ_SSI) | BIT(IRQ_STI) | BIT(IRQ_SEI))
#define IRQS_VS (BIT(IRQ_VSSI) | BIT(IRQ_VSTI) | BIT(IRQ_VSEI))
#define IRQS_H (IRQS_VS | BIT(IRQ_SGEI))
/* Standard local and custom ones, of which only LCOFI is ever driven by the hart itself. */
#define IRQS_LOCAL (UINT64_MAX << IRQ_LCOF)
#define IRQS_TIMERS (BIT(IRQ_MTI) | BIT(IRQ_STI) | BIT(IRQ_VSTI))

/* medeleg: all but calls from M-mode and misaligned fetches, which C rules out. hedeleg: what the
 * table of the Hypervisor chapter, "Bits of hedeleg", calls writable. */
#define HEDELEG_MASK UINT64_C(0x0cb1fe)
#define MEDELEG_MASK UINT64_C(0xfcb7fe)

/* hvictl, hviprio1 (AIA, "Interrupts at VS level"). */
#define HVICTL_VTI BIT(30)
#define HVICTL_IID (UINT64_C(0xfff) << 16)
#define HVICTL_DPR BIT(9)
#define HVICTL_IPRIOM BIT(8)
#define HVICTL_IPRIO UINT64_C(0xff)
#define HVIPRIO1_MASK UINT64_C(0xffffff00ff00ff00)

/* CSR_mstatus = 0x300, ... */
enum csr_number {
#define CSR_FIELD(number, name, gate, mask, after) CSR_##name = number,
#define CSR_VIEW(number, name, gate) CSR_##name = number,
#define CSR_FAMILY(number, name, gate, family) CSR_##name = number,
#define CSR_READ(number, name, gate) CSR_##name = number,
#define CSR_CONST(number, name, gate, value) CSR_##name = number,
#include "isa/csr.def"
};

enum csr_result {
    CSR_OK,
    CSR_ILLEGAL, /* illegal-instruction exception */
    CSR_VIRTUAL, /* virtual-instruction exception */
};

/* A write: the register's new value as the instruction makes it, the bits that the instruction
 * names (csrrs and csrrc: those of its operand), and the instructions retired after it. Registers
 * that other threads set bits of change only what is named. */
struct csr_write {
    uint64_t value, bits, retired;
    uint64_t old; /* what the same instruction read, */
    bool read;    /* where it did */
};

struct csr_row {
    /* retired: instructions retired before the reading one. */
    uint64_t (*get)(struct hart *h, const struct csr_row *row, uint64_t retired);
    void (*set)(struct hart *h, const struct csr_row *row, const struct csr_write *w);
    enum csr_result (*gate)(const struct hart *h, const struct csr_row *row);
    void (*after)(struct hart *h);
    uint64_t mask;   /* CSR_FIELD: writable bits; CSR_CONST: the value */
    uint32_t offset; /* CSR_FIELD: of the field in struct hart */
    uint16_t number;
    uint8_t ext; /* enum insn_ext without which there is no such register */
};

/* An access to CSR num in the current mode, write where it may change it. Result: CSR_OK with *row,
 * or the exception to raise (Privileged, "CSR Address Mapping Conventions"; Hypervisor, "Trap Cause
 * Codes" on virtual-instruction exceptions). */
enum csr_result csr_find(const struct hart *h, unsigned num, bool write,
                         const struct csr_row **row);

/* Writes to register num change nothing but the register. */
bool csr_is_plain(unsigned num);

/* A register of which an access moves a field of the hart and does nothing else: for a
 * translator. */
struct csr_plain {
    uint64_t mask;     /* writable bits; the others of the field are 0 */
    uint32_t offset;   /* of the field in struct hart */
    uint32_t offset_v; /* where V=1, of the VS-level one; 0: V=1 may not access it */
    uint8_t level;     /* bits 9:8 of its number: S, HS, M */
};
/* Result: whether num is such a register, on a hart that is a *cpu. */
bool csr_plain(const struct cpu *cpu, unsigned num, struct csr_plain *plain);

/* Read and write between runs, past all privilege: num is always the register of that number,
 * whatever V. Result: false where there is no such register, or it is read-only by its number. */
bool csr_peek(struct hart *h, unsigned num, uint64_t *value);
bool csr_poke(struct hart *h, unsigned num, uint64_t value);

/* The hart implements the register; it may not be reachable now. */
bool csr_exists(const struct hart *h, unsigned num);

/* All CSRs but PMP's to their values after reset (Privileged, "Reset"). */
void csr_reset(struct hart *h);

#endif
