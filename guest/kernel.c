/* SPDX-License-Identifier: MIT */
/* Start of the kernel: what the device tree says; the end, time, and more harts. */
#include "kernel.h"
#include "csr.h"
#include "ig_hypercall.h"
#include "isthmus_sbi.h"
#include "sbi.h"
#include "string.h"

#define STACK_PAGES 8

extern char image_end[];

void kernel_start(uint64_t hartid, const void *dtb);
void kernel_hart(struct cpu *cpu);
void hart_entry(void);

static void read_memory(struct guest *g)
{
    for (int node = fdt_child(&g->fdt, 0); node >= 0; node = fdt_sibling(&g->fdt, node)) {
        const uint8_t *reg = fdt_prop(&g->fdt, node, "reg", NULL);

        if (!reg || strcmp(fdt_string(&g->fdt, node, "device_type", ""), "memory") != 0)
            continue;
        g->ram_base = fdt_cells(reg, 2);
        g->ram_size = fdt_cells(reg + 8, 2);
    }
}

static void read_tree(struct guest *g)
{
    int chosen = fdt_find(&g->fdt, "/chosen");
    int cpus = fdt_find(&g->fdt, "/cpus");
    int isthmus = fdt_find(&g->fdt, "/isthmus");

    read_memory(g);
    g->name = g->bootargs = "";
    g->timebase = cpus < 0 ? 10000000 : fdt_number(&g->fdt, cpus, "timebase-frequency", 10000000);
    for (int node = cpus < 0 ? -1 : fdt_child(&g->fdt, cpus); node >= 0;
         node = fdt_sibling(&g->fdt, node))
        if (strncmp(fdt_name(&g->fdt, node), "cpu@", 4) == 0 && g->cpu_count < MAX_CPUS)
            g->cpu_count++;
    if (chosen >= 0) {
        g->bootargs = fdt_string(&g->fdt, chosen, "bootargs", "");
        g->initrd = (const uint8_t *)fdt_number(&g->fdt, chosen, "linux,initrd-start", 0);
        g->initrd_size = fdt_number(&g->fdt, chosen, "linux,initrd-end", 0) - (uint64_t)g->initrd;
    }
    if (isthmus < 0)
        return;
    g->name = fdt_string(&g->fdt, isthmus, "guest-name", "");
    if (fdt_prop(&g->fdt, isthmus, "instructions", NULL))
        g->ops = &IG_INSTRUCTIONS;
    else if (fdt_prop(&g->fdt, isthmus, "hypercalls", NULL))
        g->ops = &IG_HYPERCALLS;
}

void kernel_start(uint64_t hartid, const void *dtb)
{
    static struct guest machine; /* reached through tp from here on */
    struct guest *g = &machine;

    if (!fdt_open(&g->fdt, dtb))
        guest_shutdown(true);
    g->free_page = ((uint64_t)image_end + PAGE_SIZE - 1) & -PAGE_SIZE;
    read_tree(g);
    for (unsigned i = 0; i < MAX_CPUS; i++)
        g->cpus[i] = (struct cpu){.guest = g, .id = i};
    __asm__ volatile("mv tp, %0" : : "r"(&g->cpus[hartid < MAX_CPUS ? hartid : 0]));
    guest_shutdown(guest_main(g) != 0);
}

_Noreturn void guest_shutdown(bool failed)
{
    for (;;)
        sbi_call(SBI_SRST, 0, SBI_SRST_SHUTDOWN, failed ? SBI_SRST_FAILURE : 0, 0, 0, 0);
}

_Noreturn void guest_reboot(void)
{
    for (;;)
        sbi_call(SBI_SRST, 0, SBI_SRST_COLD_REBOOT, 0, 0, 0, 0);
}

void guest_sleep(struct guest *g, uint64_t microseconds)
{
    sbi_call(SBI_TIME, 0, time_now() + microseconds * g->timebase / 1000000, 0, 0, 0, 0);
    csr_set(CSR_SIE, 1ull << IRQ_STI);
    __asm__ volatile("wfi" ::: "memory"); /* interrupts are off: it only ends the wait */
    csr_clear(CSR_SIE, 1ull << IRQ_STI);
    sbi_call(SBI_TIME, 0, UINT64_MAX, 0, 0, 0, 0);
}

void guest_yield(void)
{
    sbi_call(ISTHMUS_EID, ISTHMUS_YIELD, 0, 0, 0, 0, 0);
}

void kernel_hart(struct cpu *cpu)
{
    cpu->run(cpu);
    __atomic_store_n(&cpu->done, true, __ATOMIC_RELEASE);
    sbi_call(SBI_HSM, SBI_HSM_STOP, 0, 0, 0, 0, 0);
}

bool cpu_start(struct guest *g, uint64_t id, void (*run)(struct cpu *cpu))
{
    struct cpu *cpu = &g->cpus[id];

    if (!cpu->stack_top)
        cpu->stack_top = (uint64_t)pages_alloc(g, STACK_PAGES) + STACK_PAGES * PAGE_SIZE;
    cpu->run = run;
    cpu->done = false;
    return sbi_call(SBI_HSM, SBI_HSM_START, id, (uint64_t)hart_entry, (uint64_t)cpu, 0, 0).error ==
           0;
}

uint64_t window_find(const struct guest *g, const char *role, const char *with, unsigned nth)
{
    int isthmus = fdt_find(&g->fdt, "/isthmus");

    for (int node = isthmus < 0 ? -1 : fdt_child(&g->fdt, isthmus); node >= 0;
         node = fdt_sibling(&g->fdt, node)) {
        if (strcmp(fdt_string(&g->fdt, node, "role", ""), role) != 0 ||
            strcmp(fdt_string(&g->fdt, node, "with", ""), with) != 0 || nth-- != 0)
            continue;
        return fdt_number(&g->fdt, node, "index", NO_WINDOW);
    }
    return NO_WINDOW;
}

void *shared_region(const struct guest *g, uint64_t *size)
{
    int node = fdt_find(&g->fdt, "/isthmus/shared");
    const uint8_t *reg = node < 0 ? NULL : fdt_prop(&g->fdt, node, "reg", NULL);

    if (!reg)
        return NULL;
    *size = fdt_cells(reg + 8, 2);
    return (void *)fdt_cells(reg, 2);
}
