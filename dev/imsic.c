/* SPDX-License-Identifier: MIT */
#include "dev/imsic.h"

#include "hart/imsic.h"

enum { SETEIPNUM_LE = 0 }; /* seteipnum_be, for big-endian systems, ignores writes */

uint64_t imsic_pages_size(const struct imsic_pages *p)
{
    return (uint64_t)p->harts_n * IMSIC_PAGE_SIZE << p->guest_bits;
}

static void receive(struct imsic_pages *p, uint64_t off, uint32_t data)
{
    uint64_t page = off / IMSIC_PAGE_SIZE;
    struct hart *h = &p->harts[page >> p->guest_bits];
    unsigned guest = (unsigned)(page & (BIT(p->guest_bits) - 1));

    if (off % IMSIC_PAGE_SIZE == SETEIPNUM_LE && guest <= h->geilen)
        imsic_receive(h->imsic, p->machine ? IMSIC_M : IMSIC_S + guest, data);
}

bool imsic_pages_write(struct imsic_pages *p, uint64_t pa, uint32_t data)
{
    if (pa - p->base >= imsic_pages_size(p))
        return false;
    receive(p, pa - p->base, data);
    return true;
}

static bool imsic_page_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    (void)dev;
    (void)off;
    *value = 0;
    return size == 4;
}

static bool imsic_page_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    if (size == 4)
        receive(dev, off, (uint32_t)value);
    return size == 4;
}

const struct device_ops imsic_ops = {"imsic", imsic_page_read, imsic_page_write};
