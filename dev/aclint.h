/* SPDX-License-Identifier: MIT */
/*
 * ACLINT (RISC-V ACLINT specification 1.0): the machine timer and the software interrupts.
 *
 * The first range has the layout of SiFive's CLINT, as on QEMU's virt board: MSWI (one msip word a
 * hart) at 0, MTIMER's mtimecmp registers at 0x4000 and mtime at 0xbff8. The second range is SSWI,
 * where a store of 1 to hart h's word makes a supervisor software interrupt pending on it: edge
 * triggered, the hart clears it in sip. mtimecmp itself is a field of the hart, compared where
 * the hart looks for interrupts.
 */
#ifndef DEV_ACLINT_H
#define DEV_ACLINT_H

#include "dev/clock.h"

#define ACLINT_SIZE UINT64_C(0x10000)
#define SSWI_SIZE UINT64_C(0x4000)

struct aclint {
    struct clock *clock;
    struct hart *harts;
    unsigned harts_n;
};

extern const struct device_ops aclint_ops; /* dev: struct aclint */
extern const struct device_ops sswi_ops;   /* dev: struct aclint */

/* mtimecmp and msip as after reset. */
void aclint_reset(struct aclint *a);

#endif
