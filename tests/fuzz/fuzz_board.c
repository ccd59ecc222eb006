/* SPDX-License-Identifier: MIT */
/*
 * The registers of the whole board against any guest: UART, PLIC or APLIC and IMSIC, ACLINT, RTC,
 * test finisher, virtio slots. The input's first byte says which interrupt controllers there are;
 * the rest is a row of 12-byte steps: an access of any size to any device, a key that is typed, or
 * a few instructions of the harts. In between the PLIC's outputs must be what its registers say.
 */
#include "machine/machine.h"
#include "machine/memmap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KINDS = 3, STEP = 12, STEPS_MAX = 200, HARTS = 2 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void quiet(void *opaque, enum isthmus_log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    (void)text;
}

static struct machine *make(unsigned kind)
{
    static const char *const kinds[KINDS] = {"none", "aplic", "aplic-imsic"};
    static struct machine *machines[KINDS];
    struct isthmus_config config = {
        .abi = ISTHMUS_ABI,
        .harts = HARTS,
        .memory = ISTHMUS_MEMORY_MIN,
        .bios = "none",
        .aia = kinds[kind],
        .aia_guests = kind == 2 ? 2 : 0,
        .virtio_console = "file:/dev/null",
        .deterministic = true,
        .log = quiet,
    };

    if (!machines[kind])
        machines[kind] = (struct machine *)isthmus_new(&config, NULL);
    must(machines[kind] != NULL);
    return machines[kind];
}

/* A device's register: mostly one of the first, or of the blocks that large devices have. */
static uint64_t address(const struct machine *m, const uint8_t *in, unsigned size)
{
    static const uint32_t blocks[] = {0,      0x1000, 0x2000, 0x3000, 0x4000,  0xbff8,
                                      0x1c00, 0x1e00, 0x100,  0x80,   0x200000, 0x201000};
    const struct device_range *d = &m->mem.devices[in[1] % m->mem.devices_n];
    uint64_t off = (uint64_t)in[2] | (uint64_t)in[3] << 8;

    if (in[0] & 0x40)
        off = blocks[in[3] % ARRAY_SIZE(blocks)] + (in[2] & 0x7f);
    else if (in[0] & 0x80)
        off *= 257;
    return d->base + off % d->size / size * size;
}

/* What the PLIC should drive, from its registers alone. */
static void check_plic(const struct plic *p)
{
    for (unsigned c = 0; c < p->contexts; c++) {
        bool wants = false;

        for (unsigned n = 1; n <= PLIC_SOURCES; n++)
            wants |= (p->pending[n / 32] & p->enable[c][n / 32]) >> n % 32 & 1 &&
                     p->priority[n] > p->threshold[c];
        must(p->output[c] == wants);
        must(p->threshold[c] <= PLIC_PRIORITY_MAX && !(p->enable[c][0] & 1));
    }
    must(!((p->pending[0] | p->claimed[0]) & 1));
}

static void step(struct machine *m, const uint8_t *in)
{
    const struct isthmus_limits limits = {.instructions = 1 + in[1]};
    unsigned size = 1u << (in[0] >> 4 & 3);
    uint64_t value;

    memcpy(&value, in + 4, sizeof(value));
    switch (in[0] & 15) {
    case 0:
        isthmus_run((struct isthmus *)m, &limits);
        break;
    case 1:
        isthmus_input((struct isthmus *)m, in + 4, 8);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        mem_device_read(&m->mem, address(m, in, size), size, &value);
        break;
    default:
        mem_device_write(&m->mem, address(m, in, size), size, in[3] & 1 ? value : value & 0xff);
    }
    if (m->aia == AIA_NONE)
        check_plic(&m->plic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine *m;

    if (size == 0)
        return 0;
    m = make(data[0] % KINDS);
    isthmus_reset((struct isthmus *)m);
    for (size_t at = 1; at + STEP <= size && at < STEPS_MAX * STEP; at += STEP)
        step(m, data + at);
    __atomic_store_n(&m->stop, STOP_NONE, __ATOMIC_SEQ_CST);
    return 0;
}
