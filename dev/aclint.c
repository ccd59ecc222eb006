/* SPDX-License-Identifier: MIT */
#include "dev/aclint.h"

enum { MSIP = 0, MTIMECMP = 0x4000, MTIME = 0xbff8 };

/* Part of a 64-bit register: the size bytes at byte `at` of it. */
static uint64_t part(uint64_t reg, unsigned at, unsigned size)
{
    return size == 8 ? reg : (uint32_t)(reg >> (8 * at));
}

static uint64_t with_part(uint64_t reg, unsigned at, unsigned size, uint64_t value)
{
    uint64_t mask = size == 8 ? UINT64_MAX : UINT64_C(0xffffffff) << (8 * at);

    return (reg & ~mask) | ((value << (8 * at)) & mask);
}

static bool aclint_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct aclint *a = dev;
    uint64_t h = off < MTIMECMP ? off / 4 : (off - MTIMECMP) / 8;

    if (size != 4 && size != 8)
        return false;
    *value = 0;
    if (off >= MTIME && off < MTIME + 8)
        *value = part(clock_mtime(a->clock, NULL), off & 7, size);
    else if (h >= a->harts_n)
        return true;
    else if (off >= MTIMECMP)
        *value = part(__atomic_load_n(&a->harts[h].mtimecmp, __ATOMIC_RELAXED), off & 7, size);
    else
        *value = __atomic_load_n(&a->harts[h].irq_lines, __ATOMIC_RELAXED) >> IRQ_MSI & 1;
    return true;
}

static bool aclint_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct aclint *a = dev;
    uint64_t h = off < MTIMECMP ? off / 4 : (off - MTIMECMP) / 8;

    if (size != 4 && size != 8)
        return false;
    if (off >= MTIME && off < MTIME + 8) {
        clock_set_mtime(a->clock, with_part(clock_mtime(a->clock, NULL), off & 7, size, value));
        for (h = 0; h < a->harts_n; h++)
            hart_kick(&a->harts[h], EVENT_IRQ);
    } else if (h >= a->harts_n) {
        return true;
    } else if (off >= MTIMECMP) {
        uint64_t old = __atomic_load_n(&a->harts[h].mtimecmp, __ATOMIC_RELAXED);
        __atomic_store_n(&a->harts[h].mtimecmp, with_part(old, off & 7, size, value),
                         __ATOMIC_RELAXED);
        hart_kick(&a->harts[h], EVENT_IRQ);
    } else {
        hart_set_irq(&a->harts[h], BIT(IRQ_MSI), value & 1);
    }
    return true;
}

static bool sswi_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    (void)dev;
    (void)off;
    *value = 0;
    return size == 4;
}

static bool sswi_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct aclint *a = dev;

    if (size != 4)
        return false;
    if (off / 4 < a->harts_n && (value & 1)) {
        struct hart *h = &a->harts[off / 4];
        __atomic_fetch_or(&h->csr.mip, BIT(IRQ_SSI), __ATOMIC_SEQ_CST);
        hart_kick(h, EVENT_IRQ);
    }
    return true;
}

void aclint_reset(struct aclint *a)
{
    for (unsigned h = 0; h < a->harts_n; h++) {
        __atomic_store_n(&a->harts[h].mtimecmp, UINT64_MAX, __ATOMIC_RELAXED);
        hart_set_irq(&a->harts[h], BIT(IRQ_MSI), false);
    }
}

const struct device_ops aclint_ops = {"clint", aclint_read, aclint_write};
const struct device_ops sswi_ops = {"sswi", sswi_read, sswi_write};
