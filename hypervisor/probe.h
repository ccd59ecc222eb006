/* SPDX-License-Identifier: MIT */
/* Registers that may not exist: a probe survives the illegal-instruction exception. */
#ifndef HYPERVISOR_PROBE_H
#define HYPERVISOR_PROBE_H

#include "csr.h"
#include "hv.h"

/** Run a statement with CSR accesses; true when none of them trapped. */
#define probe(statement)                                                                           \
    ({                                                                                             \
        struct hart *hart_ = this_hart();                                                          \
        hart_->probe_failed = false;                                                               \
        hart_->probing = true;                                                                     \
        __asm__ volatile("" ::: "memory");                                                         \
        statement;                                                                                 \
        __asm__ volatile("" ::: "memory");                                                         \
        hart_->probing = false;                                                                    \
        !hart_->probe_failed;                                                                      \
    })

#endif
