/* SPDX-License-Identifier: MIT */
/*
 * What is in memory when the harts start, placed as QEMU's virt board does:
 *
 *   0x80000000    firmware (or the kernel, with bios "none")
 *   next 2 MiB    kernel, where it is not an ELF file, which says itself
 *   + 128 MiB     initrd (half of RAM where that is less)
 *   ...           images of guests, below the device tree
 *   top           device tree, below 3 GiB, 2 MiB aligned
 *
 * and in the boot ROM the reset vector: a0 = mhartid, a1 = device tree, a2 = what OpenSBI's
 * fw_dynamic wants to know of the next stage, and a jump to the firmware.
 */
#include "machine/guests.h"
#include "machine/machine.h"
#include "machine/memmap.h"
#include "machine/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define TREE_TOP UINT64_C(0xc0000000)

/* Where Debian's package opensbi, and others, put the generic firmware. */
static const char *const opensbi_paths[] = {
    "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin",
    "/usr/share/opensbi/lp64/generic/firmware/fw_dynamic.bin",
    "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin",
};

static uint64_t align_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) & ~(to - 1);
}

static const char *default_bios(const struct machine *m)
{
    for (unsigned i = 0; i < ARRAY_SIZE(opensbi_paths); i++)
        if (!access(opensbi_paths[i], R_OK))
            return opensbi_paths[i];
    log_error(&m->log, "bios: OpenSBI is not installed (Debian: package opensbi); expected a "
                       "firmware file or none");
    return NULL;
}

static void note_htif(struct machine *m, const struct image *image)
{
    if (image->tohost && !m->boot.htif) {
        m->boot.htif = true;
        m->boot.tohost = image->tohost;
        m->boot.fromhost = image->fromhost;
    }
}

static int place(struct machine *m, const char *role, const char *path, uint64_t pa,
                 struct image *image)
{
    struct blob *blob;
    int err = images_read(&m->images, role, path, &blob);

    if (!err)
        err = images_place_any(&m->images, blob, pa, image);
    if (!err)
        note_htif(m, image);
    return err;
}

static int load_bios(struct machine *m, const char *bios, struct image *image)
{
    *image = (struct image){.start = RAM_BASE, .end = RAM_BASE, .entry = RAM_BASE};
    if (bios && !strcmp(bios, "none"))
        return 0;
    if (!bios)
        bios = default_bios(m);
    return bios ? place(m, "bios", bios, RAM_BASE, image) : -ENOENT;
}

static int load_kernel(struct machine *m, const char *path, const struct image *bios)
{
    struct image kernel;
    int err = place(m, "kernel", path, align_up(bios->end, 2 * MIB), &kernel);

    if (err)
        return err;
    m->boot.next = kernel.entry;
    if (bios->end == bios->start) /* no firmware: the kernel is in its place */
        m->boot.start = kernel.entry;
    return 0;
}

static int load_initrd(struct machine *m, const char *path)
{
    uint64_t base = m->boot.next ? m->boot.next & ~UINT64_C(4095) : RAM_BASE;
    struct blob *blob;
    int err = images_read(&m->images, "initrd", path, &blob);

    if (err)
        return err;
    m->boot.initrd = base + min_u64(m->mem.ram_size / 2, 128 * MIB);
    m->boot.initrd_end = m->boot.initrd + blob->size;
    return images_place(&m->images, blob, m->boot.initrd, blob->size);
}

/* The tree's address: as high as it may be. In small RAM it is aligned less. */
static uint64_t tree_address(const struct machine *m, uint64_t size)
{
    uint64_t top = min_u64(RAM_BASE + m->mem.ram_size, TREE_TOP);
    uint64_t align = m->mem.ram_size < 16 * MIB ? 4096 : 2 * MIB;

    return (top - size) & ~(align - 1);
}

static int load_tree(struct machine *m, const char *append, const struct guest_list *guests)
{
    struct tree_config config = {append, m->boot.initrd, m->boot.initrd_end, guests};
    struct blob *blob;
    uint64_t size;
    void *tree;
    int err = tree_make(m, &config, &tree, &size);

    if (err)
        return err;
    err = images_copy(&m->images, "device tree", tree, size, &blob);
    free(tree);
    if (err)
        return err;
    m->boot.tree = tree_address(m, size);
    return images_place(&m->images, blob, m->boot.tree, size);
}

/* The reset vector. The words behind the code are what it loads, and fw_dynamic's information
 * (OpenSBI, include/sbi/fw_dynamic.h). */
enum { VECTOR_DATA = 32, DYNAMIC_MAGIC = 0x4942534f, DYNAMIC_VERSION = 2, NEXT_MODE_S = 1 };

struct reset_vector {
    uint32_t code[VECTOR_DATA / 4];
    uint64_t start, tree;
    struct {
        uint64_t magic, version, next, next_mode, options, boot_hart;
    } dynamic;
};

static void write_reset_vector(struct machine *m)
{
    struct reset_vector v = {
        .code =
            {
                0x00000297, /* auipc t0, 0 */
                0xf1402573, /* csrr a0, mhartid */
                0x0282b583, /* ld a1, 40(t0) */
                0x03028613, /* addi a2, t0, 48 */
                0x0202b283, /* ld t0, 32(t0) */
                0x00028067, /* jr t0 */
            },
        .start = m->boot.start,
        .tree = m->boot.tree,
        .dynamic = {.magic = DYNAMIC_MAGIC,
                    .version = DYNAMIC_VERSION,
                    .next = m->boot.next,
                    .next_mode = NEXT_MODE_S},
    };

    mem_copy_in(&m->mem, ROM_BASE, &v, sizeof(v));
}

/* The reference hypervisor as it is installed, or as $ISTHMUS_DATADIR says, in path; else NULL. */
static const char *find_hypervisor(const struct machine *m, char *path, size_t size)
{
    const char *folders[] = {getenv("ISTHMUS_DATADIR"), ISTHMUS_DATADIR};

    for (unsigned i = 0; i < ARRAY_SIZE(folders); i++) {
        if (!folders[i])
            continue;
        snprintf(path, size, "%s/hypervisor.elf", folders[i]);
        if (!access(path, R_OK))
            return path;
    }
    log_error(&m->log, "hypervisor: hypervisor.elf is neither in %s nor in $ISTHMUS_DATADIR",
              ISTHMUS_DATADIR);
    return NULL;
}

int machine_load(struct machine *m, const struct isthmus_config *config)
{
    const char *kernel = config->kernel;
    char found[PATH_MAX];
    struct guest_list guests;
    struct image bios;
    int err;

    if (!kernel && config->guests_n) {
        kernel = config->hypervisor ? config->hypervisor : find_hypervisor(m, found, sizeof(found));
        if (!kernel)
            return -ENOENT;
    }
    err = guests_init(&guests, m, config);
    if (!err)
        err = load_bios(m, config->bios, &bios);
    m->boot.start = err ? 0 : bios.entry;
    if (!err && kernel)
        err = load_kernel(m, kernel, &bios);
    if (!err && config->initrd)
        err = load_initrd(m, config->initrd);
    if (!err)
        err = guests_place(&guests, m);
    if (!err)
        err = load_tree(m, config->append, &guests);
    if (!err)
        write_reset_vector(m);
    guests_free(&guests);
    return err;
}
