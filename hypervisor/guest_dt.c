/* SPDX-License-Identifier: MIT */
#include "guest_dt.h"
#include "csr.h"
#include "device.h"
#include "string.h"
#include "window.h"
#include "xisthmus.h"

#define MAX_WINDOW_NODES 64 /* a guest finds more by ig.query */
#define VCPU_PHANDLE 1
#define PLIC_PHANDLE (VCPU_PHANDLE + MAX_VCPUS)
#define UART_CLOCK 3686400

/* Extensions of the host that a guest has too, by prefix; all others are the hypervisor's. */
static bool guest_has(const struct hv *hv, const char *ext, size_t n)
{
    static const char *const PASSED[] = {"z", "svinval", "svnapot"};

    if (n == 4 && strncmp(ext, "sstc", n) == 0)
        return hv->has_sstc;
    if (n == 6 && strncmp(ext, "svpbmt", n) == 0)
        return hv->henvcfg >> 62 & 1;
    if (n == 8 && strncmp(ext, "xisthmus", n) == 0)
        return hv->has_xisthmus;
    for (unsigned i = 0; i < sizeof(PASSED) / sizeof(PASSED[0]); i++)
        if (strncmp(ext, PASSED[i], strlen(PASSED[i])) == 0)
            return true;
    return false;
}

/* The host's ISA string without what guests do not have. */
static void guest_isa(const struct hv *hv, char *out, size_t size)
{
    const char *in = hv->isa;
    size_t n = 0;

    for (; *in && *in != '_' && n + 1 < size; in++)
        if (*in != 'h')
            out[n++] = *in;
    while (*in == '_') {
        size_t len = 1;

        while (in[len] && in[len] != '_')
            len++;
        if (guest_has(hv, in + 1, len - 1) && n + len < size) {
            memcpy(out + n, in, len);
            n += len;
        }
        in += len;
    }
    out[n] = '\0';
}

/* What the host's tree says of cache-block instructions holds for guests too. */
static void write_block_sizes(struct fdt_writer *w, const struct fdt *host)
{
    static const char *const NAMES[] = {"riscv,cbom-block-size", "riscv,cbop-block-size",
                                        "riscv,cboz-block-size"};
    int cpu = fdt_find(host, "/cpus/cpu");

    for (unsigned i = 0; cpu >= 0 && i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (fdt_prop(host, cpu, NAMES[i], NULL))
            fdtw_u32(w, NAMES[i], (uint32_t)fdt_number(host, cpu, NAMES[i], 0));
}

static void write_cpus(struct fdt_writer *w, const struct vm *vm)
{
    char isa[256];

    guest_isa(vm->hv, isa, sizeof(isa));
    fdtw_node(w, "cpus");
    fdtw_u32(w, "#address-cells", 1);
    fdtw_u32(w, "#size-cells", 0);
    fdtw_u32(w, "timebase-frequency", (uint32_t)vm->hv->timebase);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        fdtw_node_at(w, "cpu", i);
        fdtw_string(w, "device_type", "cpu");
        fdtw_u32(w, "reg", i);
        fdtw_string(w, "status", "okay");
        fdtw_string(w, "compatible", "riscv");
        fdtw_string(w, "riscv,isa", isa);
        fdtw_string(w, "mmu-type", "riscv,sv48");
        write_block_sizes(w, &vm->hv->fdt);
        fdtw_node(w, "interrupt-controller");
        fdtw_u32(w, "#interrupt-cells", 1);
        fdtw_bytes(w, "interrupt-controller", "", 0);
        fdtw_string(w, "compatible", "riscv,cpu-intc");
        fdtw_u32(w, "phandle", VCPU_PHANDLE + i);
        fdtw_end(w);
        fdtw_end(w);
    }
    fdtw_end(w);
}

/* A property of 32-bit numbers. */
static void write_cells(struct fdt_writer *w, const char *name, const uint32_t *cells, unsigned n)
{
    uint8_t bytes[8 * MAX_VCPUS];

    for (unsigned i = 0; i < 4 * n; i++)
        bytes[i] = (uint8_t)(cells[i / 4] >> (24 - 8 * (i % 4)));
    fdtw_bytes(w, name, bytes, 4 * n);
}

static void write_plic(struct fdt_writer *w, const struct vm *vm)
{
    static const char COMPATIBLE[] = "sifive,plic-1.0.0\0riscv,plic0";
    uint32_t contexts[2 * MAX_VCPUS];

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        contexts[2 * i] = VCPU_PHANDLE + i;
        contexts[2 * i + 1] = IRQ_SEI;
    }
    fdtw_node_at(w, "interrupt-controller", DEVICE_PLIC_BASE);
    fdtw_bytes(w, "compatible", COMPATIBLE, sizeof(COMPATIBLE));
    fdtw_pair(w, "reg", DEVICE_PLIC_BASE, DEVICE_PLIC_SIZE);
    fdtw_bytes(w, "interrupt-controller", "", 0);
    fdtw_u32(w, "#interrupt-cells", 1);
    fdtw_u32(w, "#address-cells", 0);
    write_cells(w, "interrupts-extended", contexts, 2 * vm->vcpu_count);
    fdtw_u32(w, "riscv,ndev", PLIC_SOURCES - 1);
    fdtw_u32(w, "phandle", PLIC_PHANDLE);
    fdtw_end(w);
}

static void write_soc(struct fdt_writer *w, const struct vm *vm)
{
    fdtw_node(w, "soc");
    fdtw_string(w, "compatible", "simple-bus");
    fdtw_u32(w, "#address-cells", 2);
    fdtw_u32(w, "#size-cells", 2);
    fdtw_bytes(w, "ranges", "", 0);
    write_plic(w, vm);
    fdtw_node_at(w, "serial", DEVICE_UART_BASE);
    fdtw_string(w, "compatible", "ns16550a");
    fdtw_pair(w, "reg", DEVICE_UART_BASE, DEVICE_UART_SIZE);
    fdtw_u32(w, "clock-frequency", UART_CLOCK);
    fdtw_u32(w, "interrupt-parent", PLIC_PHANDLE);
    fdtw_u32(w, "interrupts", DEVICE_UART_IRQ);
    fdtw_end(w);
    fdtw_end(w);
}

static void write_chosen(struct fdt_writer *w, const struct vm *vm, uint64_t initrd)
{
    fdtw_node(w, "chosen");
    fdtw_string(w, "stdout-path", "/soc/serial@10000000");
    if (vm->bootargs)
        fdtw_string(w, "bootargs", vm->bootargs);
    if (initrd) {
        fdtw_u64(w, "linux,initrd-start", initrd);
        fdtw_u64(w, "linux,initrd-end", initrd + vm->initrd.size);
    }
    fdtw_end(w);
}

static void write_window(struct fdt_writer *w, const struct vm *vm, unsigned index)
{
    const struct window *win = &vm->hv->windows[index];
    uint64_t ceilings = window_ceilings(vm->hv, index);
    char rights[3] = "";

    if (ceilings & IGC_CR)
        strchr(rights, '\0')[0] = 'r';
    if (ceilings & IGC_CW)
        strchr(rights, '\0')[0] = 'w';
    fdtw_node_at(w, "window", index);
    fdtw_u32(w, "index", index);
    fdtw_u32(w, "handle", win->handle);
    fdtw_string(w, "role", win->owner == vm ? "owner" : "peer");
    fdtw_string(w, "with", win->owner == vm ? win->peer->name : win->owner->name);
    fdtw_string(w, "rights", rights);
    fdtw_u64(w, "length", window_max_len(vm->hv, index));
    if (ceilings & IGC_CU)
        fdtw_bytes(w, "user", "", 0);
    fdtw_end(w);
}

static bool names(const char *list, int len, const char *name)
{
    for (const char *end = list + len; list < end; list += strlen(list) + 1)
        if (strcmp(list, name) == 0)
            return true;
    return false;
}

static void write_isthmus(struct fdt_writer *w, const struct vm *vm)
{
    const struct hv *hv = vm->hv;
    unsigned nodes = 0;

    fdtw_node(w, "isthmus");
    fdtw_string(w, "compatible", "isthmus,windows");
    fdtw_string(w, "guest-name", vm->name);
    if (hv->has_xisthmus)
        fdtw_bytes(w, "instructions", "", 0);
    if (hv->has_hypercalls)
        fdtw_bytes(w, "hypercalls", "", 0);
    for (unsigned i = 0; i < hv->window_count && nodes < MAX_WINDOW_NODES; i++) {
        if (hv->windows[i].owner != vm && hv->windows[i].peer != vm)
            continue;
        write_window(w, vm, i);
        nodes++;
    }
    for (unsigned i = 0; i < hv->shared_count; i++) {
        const struct shared *s = &hv->shared[i];

        if (!names(s->guests, s->guests_len, vm->name))
            continue;
        fdtw_node_at(w, "shared", s->gpa);
        fdtw_pair(w, "reg", s->gpa, s->size);
        fdtw_end(w);
    }
    fdtw_end(w);
}

size_t guest_dt_write(const struct vm *vm, uint64_t initrd, void *buf)
{
    struct fdt_writer w;

    fdtw_open(&w, buf, GUEST_DT_SIZE);
    fdtw_u32(&w, "#address-cells", 2);
    fdtw_u32(&w, "#size-cells", 2);
    fdtw_string(&w, "compatible", "isthmus,guest");
    fdtw_string(&w, "model", "isthmus guest");
    write_chosen(&w, vm, initrd);
    fdtw_node_at(&w, "memory", vm->gstage.ram_base);
    fdtw_string(&w, "device_type", "memory");
    fdtw_pair(&w, "reg", vm->gstage.ram_base, vm->gstage.ram_size);
    fdtw_end(&w);
    write_cpus(&w, vm);
    write_soc(&w, vm);
    write_isthmus(&w, vm);
    return fdtw_close(&w);
}
