/* SPDX-License-Identifier: MIT */
/* Misbehaves as its bootargs say; the hypervisor must stop it and name what it did. */
#include "csr.h"
#include "ig.h"
#include "kernel.h"
#include "sbi.h"
#include "string.h"

#define NOWHERE 0x20000000ull
#define DEVICE 0x10000000ull /* the UART */

static void wild_load(struct guest *g)
{
    (void)*(volatile uint32_t *)(NOWHERE + 4);
}

static void wild_store(struct guest *g)
{
    *(volatile uint8_t *)(NOWHERE + 8) = 1;
}

static void wild_jump(struct guest *g)
{
    ((void (*)(void))NOWHERE)();
}

static void beyond_ram(struct guest *g)
{
    *(volatile uint8_t *)(g->ram_base + g->ram_size) = 1;
}

static void no_vector(struct guest *g)
{
    csr_write(CSR_STVEC, 0);
    __asm__ volatile("unimp");
}

static void no_vector_virtual(struct guest *g)
{
    csr_write(CSR_STVEC, 0);
    (void)csr_read(CSR_HGATP);
}

static void device_amo(struct guest *g)
{
    __atomic_fetch_add((uint32_t *)DEVICE, 1, __ATOMIC_RELAXED);
}

static void device_jump(struct guest *g)
{
    ((void (*)(void))DEVICE)();
}

/* A page table that lies outside of memory. */
static void wild_table(struct guest *g)
{
    csr_write(CSR_SATP, (uint64_t)ATP_MODE_SV39 << ATP_MODE_SHIFT | NOWHERE >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
}

static void fail_shutdown(struct guest *g)
{
    guest_shutdown(true);
}

static const struct {
    const char *name;
    void (*run)(struct guest *g);
} DEEDS[] = {
    {"wild-load", wild_load},   {"wild-store", wild_store},
    {"wild-jump", wild_jump},   {"beyond-ram", beyond_ram},
    {"no-vector", no_vector},   {"no-vector-virtual", no_vector_virtual},
    {"wild-table", wild_table}, {"device-amo", device_amo},
    {"device-jump", device_jump}, {"fail-shutdown", fail_shutdown},
};

int guest_main(struct guest *g)
{
    for (unsigned i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++)
        if (strcmp(g->bootargs, DEEDS[i].name) == 0) {
            say("about to %s", DEEDS[i].name); /* no newline: the line must not get lost */
            DEEDS[i].run(g);
        }
    say("still here\n");
    return 1;
}
