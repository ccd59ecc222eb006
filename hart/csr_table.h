/* SPDX-License-Identifier: MIT */
/* Between the files csr*.c: the functions that rows of isa/csr.def name. */
#ifndef HART_CSR_TABLE_H
#define HART_CSR_TABLE_H

#include "hart/csr.h"

#define CSR_GET(name)                                                                              \
    uint64_t csr_get_##name(struct hart *h, const struct csr_row *row, uint64_t retired)
#define CSR_SET(name)                                                                              \
    void csr_set_##name(struct hart *h, const struct csr_row *row, const struct csr_write *w)

#define CSR_VIEW(number, name, gate)                                                               \
    CSR_GET(name);                                                                                 \
    CSR_SET(name);
#define CSR_READ(number, name, gate) CSR_GET(name);
#include "isa/csr.def"
CSR_GET(hstateen);
CSR_SET(hstateen);
CSR_GET(mstateen);
CSR_SET(mstateen);
CSR_GET(mhpmcounter);
CSR_SET(mhpmcounter);
CSR_GET(hpmcounter);
CSR_SET(hpmcounter);
CSR_GET(mhpmevent);
CSR_SET(mhpmevent);
CSR_GET(pmpcfg);
CSR_SET(pmpcfg);
CSR_GET(pmpaddr);
CSR_SET(pmpaddr);

/* Have the run loop look for interrupts, whatever was due when it last did. */
static inline void csr_look_for_interrupts(struct hart *h)
{
    __atomic_fetch_or(&h->wait_event, EVENT_IRQ, __ATOMIC_RELAXED);
}

/* Set and clear in mip what a write names among the bits that it may change there; the write's bits
 * are shifted left by shift first (VS-level views). */
void csr_change_mip(struct hart *h, const struct csr_write *w, uint64_t may, unsigned shift);
/* sip's bits in `may`. */
void csr_write_sip(struct hart *h, const struct csr_write *w, uint64_t may);
/* mie, through a view that shows the bits `may`, shifted right by shift. */
void csr_change_mie(struct hart *h, uint64_t value, uint64_t may, unsigned shift);
/* sstatus or vsstatus with the fields that are not stored: UXL and SD. */
uint64_t csr_show_status(uint64_t status);
/* The fields of sstatus that can be written: without F, FS cannot. */
uint64_t csr_status_mask(const struct hart *h);
/* What follows from a change of the bits `changed` in mstatus or vsstatus. */
void csr_status_changed(struct hart *h, uint64_t changed);
/* What follows from a change of the bits `changed` in menvcfg or henvcfg. Translations made before
 * are the business of software's fences (Hypervisor, "Memory-Management Fences"). */
void csr_envcfg_changed(struct hart *h, uint64_t changed);
/* A write to mtvec, stvec or vstvec: reserved modes leave the register as it is. */
void csr_write_tvec(uint64_t *tvec, uint64_t value);
/* satp, vsatp: an unsupported mode leaves the register as it is. */
void csr_write_atp(struct hart *h, uint64_t *atp, uint64_t value);
/* True where value's MODE is Bare, or one of Sv39, Sv48 and Sv57 (or their x4) that there is. */
bool csr_atp_mode_ok(const struct hart *h, uint64_t value);
/* The bits of menvcfg that exist, and those of mstateen n. */
uint64_t csr_envcfg_mask(const struct hart *h);
uint64_t csr_stateen_mask(const struct hart *h, unsigned n);
/* A write to menvcfg, henvcfg or senvcfg of the bits in mask: the value to hold. */
uint64_t csr_envcfg_write(uint64_t old, uint64_t value, uint64_t mask);
/* Interrupts that S level may be given: by mideleg. */
uint64_t csr_delegable(const struct hart *h);

#endif
