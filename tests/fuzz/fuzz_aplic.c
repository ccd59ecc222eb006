/* SPDX-License-Identifier: MIT */
/*
 * The APLIC's registers and wires against any guest and device. An input is a row of 8-byte steps:
 * what to do (write or read a register of a domain, drive a wire), which one, value. Between
 * steps the rules that hold whatever was written are checked through the registers alone.
 */
#include "dev/aplic.h"

#include <stdlib.h>
#include <string.h>

enum { HARTS = 3, STEP = 8 };

struct world {
    struct aplic aplic;
    bool on[APLIC_DOMAINS][HARTS];
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void drive(void *opaque, enum aplic_level level, unsigned hart, bool on, uint8_t priority)
{
    struct world *w = opaque;

    (void)priority;
    must(hart < HARTS);
    w->on[level][hart] = on;
}

static void msi(void *opaque, uint64_t pa, uint32_t data)
{
    (void)opaque;
    must((pa & 0xfff) == 0 && data <= 0x7ff);
}

static uint32_t rd(struct world *w, unsigned level, uint64_t off)
{
    uint64_t value = 0;

    must(aplic_ops.read(&w->aplic.domains[level], off, 4, &value));
    must(value <= UINT32_MAX);
    return (uint32_t)value;
}

/* Source n is active in the domain: it has a mode and is not delegated. */
static bool active(struct world *w, unsigned level, unsigned n)
{
    uint32_t cfg = rd(w, level, 4 * n);
    return cfg && !(cfg & 1 << 10);
}

static void check_source(struct world *w, unsigned n)
{
    uint64_t word = n / 32 * 4;
    uint32_t bit = UINT32_C(1) << n % 32;

    must(!(active(w, APLIC_M, n) && active(w, APLIC_S, n)));
    for (unsigned level = 0; level < APLIC_DOMAINS; level++) {
        uint32_t cfg = rd(w, level, 4 * n), pending = rd(w, level, 0x1c00 + word) & bit;
        bool is_msi = rd(w, level, 0) & 1 << 2, is_level = active(w, level, n) && (cfg & 6) == 6;
        uint32_t input = rd(w, level, 0x1d00 + word) & bit;

        if (!active(w, level, n))
            must(!pending && !input && !(rd(w, level, 0x1e00 + word) & bit) &&
                 !rd(w, level, 0x3000 + 4 * n));
        if (is_level && !is_msi)
            must(pending == input);
        if (is_level && is_msi)
            must(!pending || input);
        if (active(w, level, n))
            must(rd(w, level, 0x3000 + 4 * n) >> 18 < HARTS);
    }
}

/* A hart's output is what its domain and its IDC say. */
static void check_outputs(struct world *w)
{
    for (unsigned level = 0; level < APLIC_DOMAINS; level++) {
        uint32_t cfg = rd(w, level, 0);

        for (unsigned h = 0; h < HARTS; h++) {
            uint64_t idc = 0x4000 + 32 * h;
            bool delivers = (cfg & 1 << 8) && !(cfg & 1 << 2) && rd(w, level, idc);
            bool wants = rd(w, level, idc + 4) || rd(w, level, idc + 0x18);

            must(w->on[level][h] == (delivers && wants));
        }
    }
}

/* Registers that make a difference, of the first few sources. */
static uint64_t register_of(const uint8_t *in)
{
    static const uint16_t fixed[] = {0x0000, 0x1c00, 0x1cdc, 0x1d00, 0x1ddc, 0x1e00,
                                     0x1edc, 0x1f00, 0x1fdc, 0x2000, 0x3000};
    static const uint8_t idc[] = {0x00, 0x04, 0x08, 0x18, 0x1c};
    unsigned which = in[1] % 16, n = 1 + in[2] % 4;

    if (which < sizeof(fixed) / sizeof(fixed[0]))
        return fixed[which];
    if (which < 13)
        return 4 * n;
    if (which < 14)
        return 0x3000 + 4 * n;
    return 0x4000 + 32 * (in[2] >> 2) % (32 * (HARTS + 1)) / 32 * 32 + idc[in[3] % 5];
}

/* What is done: a wire, a sensible write, a read that may claim, or anything at all. */
static void step(struct world *w, const uint8_t *in)
{
    unsigned level = in[0] >> 3 & 1, size = 1u << (in[0] >> 4 & 3);
    struct aplic_domain *d = &w->aplic.domains[level];
    uint64_t value = 0, any = (uint64_t)(in[1] | in[2] << 8) % APLIC_SIZE & -(uint64_t)size;
    uint32_t word;

    memcpy(&word, in + 4, sizeof(word));
    switch (in[0] & 7) {
    case 0:
    case 1:
        aplic_set(&w->aplic, 1 + in[1] % 4, in[2] & 1);
        break;
    case 2:
        aplic_ops.read(d, register_of(in), 4, &value);
        break;
    case 3:
        aplic_ops.read(d, any, size, &value);
        break;
    case 4:
        aplic_ops.write(d, any, size, word);
        break;
    default:
        aplic_ops.write(d, register_of(in), 4, in[7] & 1 ? word : word & 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;

    memset(&w, 0, sizeof(w));
    aplic_init(&w.aplic, HARTS, true, (struct aplic_sink){drive, msi, &w});
    for (size_t at = 0; at + STEP <= size && at < 64 * STEP; at += STEP) {
        step(&w, data + at);
        check_outputs(&w);
        for (unsigned n = 1; n <= 4; n++)
            check_source(&w, n);
    }
    for (unsigned n = 1; n <= APLIC_SOURCES; n++)
        check_source(&w, n);
    aplic_reset(&w.aplic);
    check_outputs(&w);
    aplic_free(&w.aplic);
    return 0;
}
