/* SPDX-License-Identifier: MIT */
#include "dev/syscon.h"

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

static bool syscon_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    (void)dev;
    (void)off;
    *value = 0;
    return size == 2 || size == 4;
}

static bool syscon_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct syscon *s = dev;
    unsigned code = bits(value, 31, 16);

    if (size != 2 && size != 4)
        return false;
    if (off != 0)
        return true;
    switch (value & 0xffff) {
    case FINISHER_PASS:
        s->power_off(s->opaque, 0);
        break;
    case FINISHER_FAIL: /* a failure never looks like success */
        s->power_off(s->opaque, code ? code : 1);
        break;
    case FINISHER_RESET:
        s->reset(s->opaque);
        break;
    }
    return true;
}

const struct device_ops syscon_ops = {"test", syscon_read, syscon_write};
