/* SPDX-License-Identifier: MIT */
#include "image.h"
#include "gstage.h"
#include "string.h"

#define FLAT_OFFSET 0x200000
#define LINUX_MAGIC_OFFSET 0x38
#define LINUX_MAGIC "RSC\x05"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct linux_header {
    uint32_t code[2];
    uint64_t text_offset, image_size;
};

enum { ELF_CLASS64 = 2, ELF_LITTLE = 1, ELF_RISCV = 243, ELF_LOAD = 1 };

static bool fits(const struct gstage *g, uint64_t gpa, uint64_t size)
{
    return gpa >= g->ram_base && size <= g->ram_size && gpa - g->ram_base <= g->ram_size - size;
}

/* Guest memory is zero when it is populated, so what a segment does not fill needs no clearing. */
static const char *load_segment(struct vm *vm, const struct elf_segment *seg, uint64_t *end)
{
    if (seg->type != ELF_LOAD || !seg->memsz)
        return NULL;
    if (seg->filesz > seg->memsz || seg->offset > vm->image.size ||
        seg->filesz > vm->image.size - seg->offset)
        return "an ELF segment lies outside of the file";
    if (!fits(&vm->gstage, seg->paddr, seg->memsz))
        return "an ELF segment lies outside of the guest's memory";
    if (gstage_write(&vm->gstage, seg->paddr, vm->image.data + seg->offset, seg->filesz))
        return "no memory left";
    if (seg->paddr + seg->memsz > *end)
        *end = seg->paddr + seg->memsz;
    return NULL;
}

static const char *load_elf(struct vm *vm, uint64_t *end)
{
    struct elf_header h;

    if (vm->image.size < sizeof(h))
        return "the ELF header is cut off";
    memcpy(&h, vm->image.data, sizeof(h));
    if (h.ident[4] != ELF_CLASS64 || h.ident[5] != ELF_LITTLE || h.machine != ELF_RISCV)
        return "the ELF file is not for 64-bit RISC-V";
    if (h.phentsize != sizeof(struct elf_segment) || h.phoff > vm->image.size ||
        (uint64_t)h.phnum * h.phentsize > vm->image.size - h.phoff)
        return "the ELF program headers lie outside of the file";
    for (unsigned i = 0; i < h.phnum; i++) {
        struct elf_segment seg;
        const char *wrong;

        memcpy(&seg, vm->image.data + h.phoff + i * sizeof(seg), sizeof(seg));
        wrong = load_segment(vm, &seg, end);
        if (wrong)
            return wrong;
    }
    vm->entry = h.entry;
    return NULL;
}

static const char *load_flat(struct vm *vm, uint64_t offset, uint64_t size, uint64_t *end)
{
    vm->entry = vm->gstage.ram_base + offset;
    if (!fits(&vm->gstage, vm->entry, size))
        return "the image is larger than the guest's memory";
    if (gstage_write(&vm->gstage, vm->entry, vm->image.data, vm->image.size))
        return "no memory left";
    *end = vm->entry + size;
    return NULL;
}

const char *image_load(struct vm *vm, uint64_t *end)
{
    const uint8_t *data = vm->image.data;
    uint64_t size = vm->image.size;

    *end = vm->gstage.ram_base;
    if (size < 4)
        return "the image is empty";
    if (memcmp(data, "\177ELF", 4) == 0)
        return load_elf(vm, end);
    if (size >= 64 && memcmp(data + LINUX_MAGIC_OFFSET, LINUX_MAGIC, 4) == 0) {
        struct linux_header h;

        memcpy(&h, data, sizeof(h));
        return load_flat(vm, h.text_offset, h.image_size > size ? h.image_size : size, end);
    }
    return load_flat(vm, FLAT_OFFSET, size, end);
}
