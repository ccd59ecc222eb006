/* SPDX-License-Identifier: MIT */
/*
 * Nodes are written in the order in which they stand, properties before children. phandles are
 * counted up front: each hart's interrupt controller, then the other interrupt controllers, then
 * the test finisher.
 */
#include "machine/tree.h"

#include "hart/hpm.h"
#include "hart/imsic.h"
#include "machine/machine.h"
#include "machine/memmap.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A string property of several strings. */
#define STRINGS(w, name, ...) property(w, name, __VA_ARGS__, sizeof(__VA_ARGS__))

/* The tree while it is written. The first error sticks. */
struct writer {
    void *fdt;
    int err;
};

static void check(struct writer *w, int err)
{
    if (!w->err)
        w->err = err;
}

static void begin(struct writer *w, const char *name)
{
    check(w, fdt_begin_node(w->fdt, name));
}

static void begin_at(struct writer *w, const char *name, uint64_t address)
{
    char full[64];

    snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)address);
    begin(w, full);
}

static void end(struct writer *w)
{
    check(w, fdt_end_node(w->fdt));
}

static void property(struct writer *w, const char *name, const void *value, size_t n)
{
    check(w, fdt_property(w->fdt, name, value, (int)n));
}

static void string(struct writer *w, const char *name, const char *value)
{
    property(w, name, value, strlen(value) + 1);
}

static void flag(struct writer *w, const char *name)
{
    property(w, name, NULL, 0);
}

static void u32(struct writer *w, const char *name, uint32_t value)
{
    check(w, fdt_property_u32(w->fdt, name, value));
}

static void u64(struct writer *w, const char *name, uint64_t value)
{
    check(w, fdt_property_u64(w->fdt, name, value));
}

/* reg of one range, two cells each for address and size. */
static void reg(struct writer *w, uint64_t base, uint64_t size)
{
    fdt64_t value[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};

    property(w, "reg", value, sizeof(value));
}

static void cells(struct writer *w, uint32_t address, uint32_t size)
{
    u32(w, "#address-cells", address);
    u32(w, "#size-cells", size);
}

static uint32_t intc_phandle(unsigned hart)
{
    return 2 + 2 * hart;
}

static uint32_t cpu_phandle(unsigned hart)
{
    return 1 + 2 * hart;
}

/* Of those that the harts share. Devices interrupt through the PLIC, or the supervisor domain. */
enum shared { PLIC, APLIC_ROOT, APLIC_CHILD, IMSIC_OF_M, IMSIC_OF_S, TEST };

static uint32_t phandle_of(const struct machine *m, enum shared what)
{
    return 2 * m->harts_n + 1 + what;
}

/* interrupts-extended: for each hart the given interrupts of its own controller. */
static void hart_interrupts(struct writer *w, const struct machine *m, const uint32_t *irqs,
                            unsigned n)
{
    fdt32_t value[ISTHMUS_HARTS_MAX * 2 * 2];
    unsigned at = 0;

    for (unsigned h = 0; h < m->harts_n; h++) {
        for (unsigned i = 0; i < n; i++) {
            value[at++] = cpu_to_fdt32(intc_phandle(h));
            value[at++] = cpu_to_fdt32(irqs[i]);
        }
    }
    property(w, "interrupts-extended", value, at * sizeof(value[0]));
}

/* The ISA in both of the ways in which software looks for it. */
static void write_isa(struct writer *w, const struct cpu *cpu)
{
    char text[CPU_ISA_STRING], list[CPU_ISA_STRING];
    const char *name;
    unsigned ext = 0;
    size_t n = 0;

    cpu_isa_string(cpu, text, sizeof(text));
    string(w, "riscv,isa", text);
    string(w, "riscv,isa-base", "rv64i");
    while ((name = cpu_next_name(cpu, &ext)))
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s", name) + 1;
    property(w, "riscv,isa-extensions", list, n);
    if (cpu_has(cpu, EXT_ZICBOM))
        u32(w, "riscv,cbom-block-size", CPU_BLOCK);
    if (cpu_has(cpu, EXT_ZICBOP))
        u32(w, "riscv,cbop-block-size", CPU_BLOCK);
    if (cpu_has(cpu, EXT_ZICBOZ))
        u32(w, "riscv,cboz-block-size", CPU_BLOCK);
}

static const char *mmu_type(const struct cpu *cpu)
{
    return cpu->satp_mode == ATP_SV39   ? "riscv,sv39"
           : cpu->satp_mode == ATP_SV48 ? "riscv,sv48"
                                        : "riscv,sv57";
}

static void write_cpu(struct writer *w, const struct cpu *cpu, unsigned hart)
{
    begin_at(w, "cpu", hart);
    u32(w, "phandle", cpu_phandle(hart));
    string(w, "device_type", "cpu");
    u32(w, "reg", hart);
    string(w, "status", "okay");
    string(w, "compatible", "riscv");
    write_isa(w, cpu);
    string(w, "mmu-type", mmu_type(cpu));
    begin(w, "interrupt-controller");
    u32(w, "#interrupt-cells", 1);
    flag(w, "interrupt-controller");
    string(w, "compatible", "riscv,cpu-intc");
    u32(w, "phandle", intc_phandle(hart));
    end(w);
    end(w);
}

/* Which counters count which events, for the firmware's SBI PMU: every one every event, cycles and
 * instructions also those that are always there. Events are their own values of mhpmevent. */
static void write_pmu(struct writer *w, const struct cpu *cpu)
{
    enum { CYCLE = 1, INSTRET = 4 };
    static const uint32_t events[][3] = {
        {HPM_CYCLES, HPM_CYCLES, HPM_MASK | CYCLE},
        {HPM_INSTRUCTIONS, HPM_INSTRUCTIONS, HPM_MASK | INSTRET},
        {HPM_DTLB_MISSES, HPM_DTLB_MISSES, HPM_MASK},
    };
    static const uint32_t raw[5] = {0, HPM_RAW, UINT32_MAX, ~(uint32_t)HPM_RAW_MASK, HPM_MASK};
    fdt32_t value[ARRAY_SIZE(events) * 3], raw_value[ARRAY_SIZE(raw)];

    if (!cpu_has(cpu, EXT_ZIHPM))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(value); i++)
        value[i] = cpu_to_fdt32(events[i / 3][i % 3]);
    for (unsigned i = 0; i < ARRAY_SIZE(raw); i++)
        raw_value[i] = cpu_to_fdt32(raw[i]);
    begin(w, "pmu");
    property(w, "riscv,event-to-mhpmcounters", value, sizeof(value));
    property(w, "riscv,raw-event-to-mhpmcounters", raw_value, sizeof(raw_value));
    string(w, "compatible", "riscv,pmu");
    end(w);
}

static void write_cpus(struct writer *w, const struct machine *m)
{
    char name[16];

    begin(w, "cpus");
    cells(w, 1, 0);
    u32(w, "timebase-frequency", CLOCK_HZ);
    for (unsigned h = 0; h < m->harts_n; h++)
        write_cpu(w, &m->isa.cpu, h);
    begin(w, "cpu-map");
    begin(w, "cluster0");
    for (unsigned h = 0; h < m->harts_n; h++) {
        snprintf(name, sizeof(name), "core%u", h);
        begin(w, name);
        u32(w, "cpu", cpu_phandle(h));
        end(w);
    }
    end(w);
    end(w);
    end(w);
}

static void write_plic(struct writer *w, const struct machine *m)
{
    static const uint32_t irqs[] = {IRQ_MEI, IRQ_SEI};

    begin_at(w, "plic", PLIC_BASE);
    u32(w, "phandle", phandle_of(m, PLIC));
    u32(w, "riscv,ndev", PLIC_SOURCES);
    reg(w, PLIC_BASE, PLIC_SIZE);
    hart_interrupts(w, m, irqs, ARRAY_SIZE(irqs));
    flag(w, "interrupt-controller");
    STRINGS(w, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    u32(w, "#address-cells", 0);
    u32(w, "#interrupt-cells", 1);
    end(w);
}

/* A domain of the APLIC. Firmware knows the delegation by its older name, kernels by both. */
static void write_aplic(struct writer *w, const struct machine *m, enum aplic_level level)
{
    bool root = level == APLIC_M;
    uint32_t irq = root ? IRQ_MEI : IRQ_SEI, child = phandle_of(m, APLIC_CHILD);
    fdt32_t delegation[3] = {cpu_to_fdt32(child), cpu_to_fdt32(1), cpu_to_fdt32(APLIC_SOURCES)};
    uint64_t base = root ? APLIC_M_BASE : APLIC_S_BASE;

    begin_at(w, "aplic", base);
    u32(w, "phandle", phandle_of(m, root ? APLIC_ROOT : APLIC_CHILD));
    if (root) {
        property(w, "riscv,delegate", delegation, sizeof(delegation));
        property(w, "riscv,delegation", delegation, sizeof(delegation));
        u32(w, "riscv,children", child);
    }
    u32(w, "riscv,num-sources", APLIC_SOURCES);
    reg(w, base, APLIC_SIZE);
    if (m->aia == AIA_APLIC_IMSIC)
        u32(w, "msi-parent", phandle_of(m, root ? IMSIC_OF_M : IMSIC_OF_S));
    else
        hart_interrupts(w, m, &irq, 1);
    flag(w, "interrupt-controller");
    u32(w, "#interrupt-cells", 2);
    u32(w, "#address-cells", 0);
    string(w, "compatible", "riscv,aplic");
    end(w);
}

static void write_imsic(struct writer *w, const struct machine *m, const struct imsic_pages *p)
{
    uint32_t irq = p->machine ? IRQ_MEI : IRQ_SEI;

    begin_at(w, "imsics", p->base);
    u32(w, "phandle", phandle_of(m, p->machine ? IMSIC_OF_M : IMSIC_OF_S));
    if (p->guest_bits)
        u32(w, "riscv,guest-index-bits", p->guest_bits);
    u32(w, "riscv,ipi-id", 1);
    u32(w, "riscv,num-ids", IMSIC_IDS);
    reg(w, p->base, imsic_pages_size(p));
    hart_interrupts(w, m, &irq, 1);
    flag(w, "msi-controller");
    u32(w, "#msi-cells", 0);
    flag(w, "interrupt-controller");
    u32(w, "#interrupt-cells", 0);
    string(w, "compatible", "riscv,imsics");
    end(w);
}

/* Children stand before parents, as kernels that look at them in this order like it. */
static void write_interrupt_controllers(struct writer *w, const struct machine *m)
{
    if (m->aia == AIA_NONE) {
        write_plic(w, m);
        return;
    }
    write_aplic(w, m, APLIC_S);
    write_aplic(w, m, APLIC_M);
    if (m->aia == AIA_APLIC_IMSIC) {
        write_imsic(w, m, &m->imsic_s);
        write_imsic(w, m, &m->imsic_m);
    }
}

static void write_clint(struct writer *w, const struct machine *m)
{
    static const uint32_t machine_irqs[] = {IRQ_MSI, IRQ_MTI}, supervisor_irqs[] = {IRQ_SSI};

    begin_at(w, "clint", CLINT_BASE);
    hart_interrupts(w, m, machine_irqs, ARRAY_SIZE(machine_irqs));
    reg(w, CLINT_BASE, ACLINT_SIZE);
    STRINGS(w, "compatible", "sifive,clint0\0riscv,clint0");
    end(w);
    begin_at(w, "sswi", SSWI_BASE);
    hart_interrupts(w, m, supervisor_irqs, ARRAY_SIZE(supervisor_irqs));
    reg(w, SSWI_BASE, SSWI_SIZE);
    u32(w, "#interrupt-cells", 0);
    flag(w, "interrupt-controller");
    string(w, "compatible", "riscv,aclint-sswi");
    end(w);
}

static void interrupt(struct writer *w, const struct machine *m, uint32_t source)
{
    enum { LEVEL_HIGH = 4 };
    fdt32_t value[2] = {cpu_to_fdt32(source), cpu_to_fdt32(LEVEL_HIGH)};
    bool aplic = m->aia != AIA_NONE;

    property(w, "interrupts", value, aplic ? sizeof(value) : sizeof(value[0]));
    u32(w, "interrupt-parent", phandle_of(m, aplic ? APLIC_CHILD : PLIC));
}

static void write_virtio(struct writer *w, const struct machine *m)
{
    for (uint32_t i = 0; i < VIRTIO_SLOTS; i++) {
        uint64_t base = VIRTIO_BASE + i * VIRTIO_STRIDE;

        begin_at(w, "virtio_mmio", base);
        interrupt(w, m, VIRTIO_IRQ + i);
        reg(w, base, VIRTIO_STRIDE);
        string(w, "compatible", "virtio,mmio");
        end(w);
    }
}

static void write_soc(struct writer *w, const struct machine *m)
{
    begin(w, "soc");
    cells(w, 2, 2);
    string(w, "compatible", "simple-bus");
    flag(w, "ranges");

    begin_at(w, "rtc", RTC_BASE);
    interrupt(w, m, RTC_IRQ);
    reg(w, RTC_BASE, RTC_SIZE);
    string(w, "compatible", "google,goldfish-rtc");
    end(w);

    begin_at(w, "serial", UART_BASE);
    interrupt(w, m, UART_IRQ);
    u32(w, "clock-frequency", 3686400);
    reg(w, UART_BASE, UART_SIZE);
    string(w, "compatible", "ns16550a");
    end(w);

    write_virtio(w, m);

    begin_at(w, "test", TEST_BASE);
    u32(w, "phandle", phandle_of(m, TEST));
    reg(w, TEST_BASE, TEST_SIZE);
    STRINGS(w, "compatible", "sifive,test1\0sifive,test0\0syscon");
    end(w);

    write_interrupt_controllers(w, m);
    write_clint(w, m);
    end(w);
}

static void write_syscon(struct writer *w, const struct machine *m, const char *name,
                         const char *compatible, uint32_t value)
{
    begin(w, name);
    u32(w, "value", value);
    u32(w, "offset", 0);
    u32(w, "regmap", phandle_of(m, TEST));
    string(w, "compatible", compatible);
    end(w);
}

/* A seed for the guest's random numbers: a fixed one where runs are to be the same. */
static void write_seed(struct writer *w, const struct machine *m)
{
    uint8_t seed[32] = "isthmus: the same run every time";

    if (m->deterministic || getrandom(seed, sizeof(seed), 0) == sizeof(seed))
        property(w, "rng-seed", seed, sizeof(seed));
}

static void write_chosen(struct writer *w, const struct machine *m, const struct tree_config *c)
{
    char path[32];

    begin(w, "chosen");
    write_seed(w, m);
    snprintf(path, sizeof(path), "/soc/serial@%llx", (unsigned long long)UART_BASE);
    string(w, "stdout-path", path);
    if (c->append && *c->append)
        string(w, "bootargs", c->append);
    if (c->initrd != c->initrd_end) {
        u64(w, "linux,initrd-start", c->initrd);
        u64(w, "linux,initrd-end", c->initrd_end);
    }
    if (!w->err)
        w->err = guests_write_nodes(c->guests, w->fdt);
    end(w);
}

static void write_root(struct writer *w, const struct machine *m, const struct tree_config *c)
{
    begin(w, "");
    cells(w, 2, 2);
    string(w, "compatible", "riscv-virtio");
    string(w, "model", "riscv-virtio,isthmus");
    write_chosen(w, m, c);
    begin_at(w, "memory", RAM_BASE);
    string(w, "device_type", "memory");
    reg(w, RAM_BASE, m->mem.ram_size);
    end(w);
    write_cpus(w, m);
    write_pmu(w, &m->isa.cpu);
    write_syscon(w, m, "poweroff", "syscon-poweroff", 0x5555);
    write_syscon(w, m, "reboot", "syscon-reboot", 0x7777);
    write_soc(w, m);
    end(w);
}

/* Room enough for what is written: harts and guests take less than this each. */
static size_t room(const struct machine *m, const struct tree_config *c)
{
    return 16384 + m->harts_n * 1024 + guests_nodes_room(c->guests) +
           (c->append ? strlen(c->append) : 0);
}

int tree_make(const struct machine *m, const struct tree_config *config, void **tree,
              uint64_t *size)
{
    size_t n = room(m, config);
    struct writer w = {.fdt = calloc(1, n)};

    if (!w.fdt) {
        log_error(&m->log, "not enough host memory for the device tree");
        return -ENOMEM;
    }
    check(&w, fdt_create(w.fdt, (int)n));
    check(&w, fdt_finish_reservemap(w.fdt));
    write_root(&w, m, config);
    check(&w, fdt_finish(w.fdt));
    if (w.err) {
        log_error(&m->log, "cannot make the device tree: %s", fdt_strerror(w.err));
        free(w.fdt);
        return -ENOSPC;
    }
    *tree = w.fdt;
    *size = fdt_totalsize(w.fdt);
    return 0;
}
