/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "console.h"
#include "pool.h"
#include "string.h"
#include "vm.h"
#include "window.h"
#include "xisthmus.h"

#define DEFAULT_GUEST_MEMORY (64ull << 20)
#define MIN_GUEST_MEMORY (4ull << 20)
#define DEFAULT_SLICE_MS 10

/* Calls @visit for each (address, size) pair of a reg-like property. */
static void each_pair(const struct fdt *fdt, int node, const char *prop, unsigned address_cells,
                      unsigned size_cells,
                      void (*visit)(struct pool *pool, uint64_t start, uint64_t end),
                      struct pool *pool)
{
    unsigned stride = 4 * (address_cells + size_cells);
    int len;
    const uint8_t *p = fdt_prop(fdt, node, prop, &len);

    for (; p && len >= (int)stride; len -= (int)stride, p += stride) {
        uint64_t start = fdt_cells(p, address_cells);

        visit(pool, start, start + fdt_cells(p + 4 * address_cells, size_cells));
    }
}

static unsigned cells(const struct fdt *fdt, int node, const char *name, unsigned otherwise)
{
    uint64_t n = fdt_number(fdt, node, name, otherwise);

    return n <= 2 ? (unsigned)n : otherwise;
}

#define FOR_EACH_CHILD(fdt, child, parent)                                                         \
    for (int child = (parent) < 0 ? -1 : fdt_child(fdt, parent); child >= 0;                       \
         child = fdt_sibling(fdt, child))

static bool is_named(const struct fdt *fdt, int node, const char *name)
{
    size_t n = strlen(name);
    const char *full = fdt_name(fdt, node);

    return strncmp(full, name, n) == 0 && (full[n] == '\0' || full[n] == '@');
}

static void reserve_images(struct hv *hv)
{
    const struct fdt *fdt = &hv->fdt;
    int chosen = fdt_find(fdt, "/chosen");

    FOR_EACH_CHILD(fdt, node, fdt_find(fdt, "/chosen/isthmus"))
    {
        each_pair(fdt, node, "image", 2, 2, pool_reserve, &hv->pool);
        each_pair(fdt, node, "initrd", 2, 2, pool_reserve, &hv->pool);
    }
    if (chosen >= 0)
        pool_reserve(&hv->pool, fdt_number(fdt, chosen, "linux,initrd-start", 0),
                     fdt_number(fdt, chosen, "linux,initrd-end", 0));
}

void config_memory(struct hv *hv, uint64_t image_start, uint64_t image_end)
{
    const struct fdt *fdt = &hv->fdt;
    struct pool *pool = &hv->pool;
    unsigned ac = cells(fdt, 0, "#address-cells", 2);
    unsigned sc = cells(fdt, 0, "#size-cells", 1);
    uint64_t dtb = (uint64_t)fdt->structs & -PAGE_SIZE;
    uint64_t addr, size;

    FOR_EACH_CHILD(fdt, node, 0)
    if (strcmp(fdt_string(fdt, node, "device_type", ""), "memory") == 0)
        each_pair(fdt, node, "reg", ac, sc, pool_add, pool);
    FOR_EACH_CHILD(fdt, reserved, fdt_find(fdt, "/reserved-memory"))
    each_pair(fdt, reserved, "reg", ac, sc, pool_reserve, pool);
    for (unsigned i = 0; fdt_reservation(fdt, i, &addr, &size); i++)
        pool_reserve(pool, addr, addr + size);
    pool_reserve(pool, image_start, image_end);
    pool_reserve(pool, dtb, dtb + fdt->total_size + PAGE_SIZE);
    reserve_images(hv);
    pool_ready(pool);
}

static bool is_hart(const struct fdt *fdt, int node)
{
    return strcmp(fdt_string(fdt, node, "device_type", ""), "cpu") == 0 &&
           strcmp(fdt_string(fdt, node, "status", "okay"), "okay") == 0;
}

const char *config_harts(struct hv *hv)
{
    const struct fdt *fdt = &hv->fdt;
    int cpus = fdt_find(fdt, "/cpus");
    unsigned n = 0;

    if (cpus < 0)
        return "the device tree has no /cpus";
    hv->timebase = fdt_number(fdt, cpus, "timebase-frequency", 10000000);
    FOR_EACH_CHILD(fdt, counted, cpus)
    n += is_hart(fdt, counted);
    n = n < MAX_HARTS ? n : MAX_HARTS;
    if (!n)
        return "the device tree lists no harts";
    hv->harts = pool_alloc(&hv->pool, n * sizeof(struct hart), 64);
    if (!hv->harts)
        return "no memory for the harts";
    FOR_EACH_CHILD(fdt, node, cpus)
    {
        struct hart *hart = &hv->harts[hv->hart_count];
        char *stack;

        if (!is_hart(fdt, node) || hv->hart_count == n)
            continue;
        stack = pool_alloc(&hv->pool, HART_STACK_SIZE, 16);
        if (!stack)
            return "no memory for the harts";
        hart->hv = hv;
        hart->index = hv->hart_count++;
        hart->id = fdt_number(fdt, node, "reg", 0);
        hart->stack_top = (uint64_t)stack + HART_STACK_SIZE;
        hart->slice_end = NEVER;
        hart->timer = 0;
        hv->isa = fdt_string(fdt, node, "riscv,isa", "rv64imac");
    }
    return NULL;
}

static struct blob blob_prop(const struct fdt *fdt, int node, const char *name)
{
    int len;
    const uint8_t *p = fdt_prop(fdt, node, name, &len);

    if (!p || len != 16)
        return (struct blob){NULL, 0};
    return (struct blob){(const uint8_t *)fdt_cells(p, 2), fdt_cells(p + 8, 2)};
}

static const char *read_guest(struct hv *hv, int node)
{
    const struct fdt *fdt = &hv->fdt;
    struct vm *vm = &hv->vms[hv->vm_count];
    uint64_t memory = fdt_number(fdt, node, "memory-size", DEFAULT_GUEST_MEMORY) & -PAGE_SIZE;
    uint64_t vcpus = fdt_number(fdt, node, "vcpus", 1);

    vm->hv = hv;
    vm->index = hv->vm_count;
    vm->name = fdt_string(fdt, node, "guest-name", fdt_name(fdt, node));
    vm->image = blob_prop(fdt, node, "image");
    vm->initrd = blob_prop(fdt, node, "initrd");
    vm->bootargs = fdt_string(fdt, node, "bootargs", NULL);
    if (vm_find(hv, vm->name))
        return "two guests have one name";
    if (!vm->image.size)
        return "a guest has no image";
    if (vcpus < 1 || vcpus > MAX_VCPUS)
        return "a guest has fewer than 1 or more than 8 vCPUs";
    if (memory < MIN_GUEST_MEMORY)
        return "a guest has less than 4 MiB of memory";
    if (!vm_create(vm, memory, (unsigned)vcpus))
        return "no memory left for the guests' tables";
    hv->vm_count++;
    return NULL;
}

static const char *read_window(struct hv *hv, int node, unsigned *index)
{
    const struct fdt *fdt = &hv->fdt;
    struct vm *owner = vm_find(hv, fdt_string(fdt, node, "owner", ""));
    struct vm *peer = vm_find(hv, fdt_string(fdt, node, "peer", ""));
    const char *rights = fdt_string(fdt, node, "rights", "rw");
    uint64_t length = fdt_number(fdt, node, "length", 0);
    uint64_t count = fdt_number(fdt, node, "count", 1);
    uint64_t ceilings = (strchr(rights, 'r') ? IGC_CR : 0) | (strchr(rights, 'w') ? IGC_CW : 0);

    if (fdt_prop(fdt, node, "user", NULL))
        ceilings |= IGC_CU;
    if (!owner || !peer)
        return "a window's owner or peer is no guest";
    while (count--)
        window_describe(hv, (*index)++, owner, peer, length, ceilings);
    return NULL;
}

static const char *read_shared(struct hv *hv, int node, uint64_t *gpa)
{
    const struct fdt *fdt = &hv->fdt;
    struct shared *s = &hv->shared[hv->shared_count];

    if (hv->shared_count == MAX_SHARED)
        return "there are more than 8 shared regions";
    s->guests = fdt_prop(fdt, node, "guests", &s->guests_len);
    s->size = (fdt_number(fdt, node, "length", BLOCK_SIZE) + BLOCK_SIZE - 1) & -BLOCK_SIZE;
    s->gpa = *gpa;
    s->hpa = (uint64_t)pool_alloc(&hv->pool, s->size, BLOCK_SIZE);
    *gpa += s->size;
    if (!s->guests || !s->hpa || *gpa > GUEST_RAM_BASE)
        return "a shared region has no guests or is too large";
    hv->shared_count++;
    return NULL;
}

/* Applies one reader to each child of that name; NULL or what is wrong. */
static const char *read_guests(struct hv *hv, int root)
{
    unsigned n = 0;
    const char *wrong;

    FOR_EACH_CHILD(&hv->fdt, counted, root)
    n += is_named(&hv->fdt, counted, "guest");
    if (!n)
        return "no guests in the device tree's /chosen/isthmus";
    if (n > MAX_GUESTS)
        return "too many guests";
    hv->flush_on_switch = n > hv->vmid_mask;
    hv->vms = pool_alloc(&hv->pool, n * sizeof(struct vm), 64);
    if (!hv->vms)
        return "no memory for the guests";
    FOR_EACH_CHILD(&hv->fdt, node, root)
    {
        if (!is_named(&hv->fdt, node, "guest"))
            continue;
        wrong = read_guest(hv, node);
        if (wrong)
            return wrong;
    }
    hv->sched.guests_left = n;
    return NULL;
}

static const char *read_windows(struct hv *hv, int root)
{
    uint64_t total = 0;
    unsigned index = 0;

    FOR_EACH_CHILD(&hv->fdt, counted, root)
    if (is_named(&hv->fdt, counted, "window"))
        total += fdt_number(&hv->fdt, counted, "count", 1);
    if (total > 1u << HIWT_SIZE_MAX)
        return "there are more windows than 2^20";
    if (!windows_create(hv, (unsigned)total))
        return "no memory for the window table";
    FOR_EACH_CHILD(&hv->fdt, node, root)
    {
        const char *wrong;

        if (!is_named(&hv->fdt, node, "window"))
            continue;
        wrong = read_window(hv, node, &index);
        if (wrong)
            return wrong;
    }
    return NULL;
}

const char *config_guests(struct hv *hv)
{
    int root = fdt_find(&hv->fdt, "/chosen/isthmus");
    uint64_t gpa = GUEST_SHARED_BASE;
    const char *wrong;

    wrong = read_guests(hv, root);
    if (wrong)
        return wrong;
    hv->slice = fdt_number(&hv->fdt, root, "slice-ms", DEFAULT_SLICE_MS) * hv->timebase / 1000;
    hv->has_hypercalls = !hv->has_xisthmus || fdt_prop(&hv->fdt, root, "copy-hypercalls", NULL);
    wrong = read_windows(hv, root);
    FOR_EACH_CHILD(&hv->fdt, node, root)
    if (!wrong && is_named(&hv->fdt, node, "shared"))
        wrong = read_shared(hv, node, &gpa);
    return wrong;
}
