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

/* Touches all of its memory. */
static void hog(struct guest *g)
{
    for (uint64_t at = MEGAPAGE_SIZE; at < g->ram_size; at += MEGAPAGE_SIZE)
        (void)*(volatile uint8_t *)(g->ram_base + at);
}

/* Neighbours that never end, each busy in its way. */

static void trap_loop(struct guest *g)
{
    static const uint32_t UNIMP[1] __attribute__((aligned(4))) = {0xc0001073};

    csr_write(CSR_STVEC, UNIMP);
    __asm__ volatile("unimp");
}

static void spin(struct guest *g)
{
    for (;;)
        __asm__ volatile("");
}

static void calls(struct guest *g)
{
    for (;;)
        sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
}

static void interrupts(struct guest *g)
{
    csr_set(CSR_SIE, 1ull << IRQ_SSI | 1ull << IRQ_STI);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    for (;;) {
        sbi_call(SBI_IPI, 0, 1, 0, 0, 0, 0);
        sbi_call(SBI_TIME, 0, 0, 0, 0, 0, 0);
    }
}

static void fences(struct guest *g)
{
    for (;;)
        sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_VMA, 0, UINT64_MAX, 0, UINT64_MAX, 0);
}

static void device_loop(struct guest *g)
{
    for (;;)
        (void)*(volatile uint8_t *)DEVICE;
}

static void virtual_loop(struct guest *g)
{
    this_cpu()->catching = true; /* each is skipped */
    for (;;)
        (void)csr_read(CSR_HGATP);
}

static void fail_shutdown(struct guest *g)
{
    guest_shutdown(true);
}

static const struct {
    const char *name;
    void (*run)(struct guest *g);
    bool endless;
} DEEDS[] = {
    {"wild-load", wild_load, false},
    {"wild-store", wild_store, false},
    {"wild-jump", wild_jump, false},
    {"beyond-ram", beyond_ram, false},
    {"no-vector", no_vector, false},
    {"no-vector-virtual", no_vector_virtual, false},
    {"wild-table", wild_table, false},
    {"device-amo", device_amo, false},
    {"device-jump", device_jump, false},
    {"hog", hog, false},
    {"fail-shutdown", fail_shutdown, false},
    {"trap-loop", trap_loop, true},
    {"spin", spin, true},
    {"calls", calls, true},
    {"interrupts", interrupts, true},
    {"fences", fences, true},
    {"device-loop", device_loop, true},
    {"virtual-loop", virtual_loop, true},
};

int guest_main(struct guest *g)
{
    for (unsigned i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++)
        if (strcmp(g->bootargs, DEEDS[i].name) == 0) {
            say("about to %s", DEEDS[i].name); /* no newline: the line must not get lost */
            if (DEEDS[i].endless)
                say("\n");
            DEEDS[i].run(g);
        }
    say("still here\n");
    return 1;
}
