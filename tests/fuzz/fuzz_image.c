/* SPDX-License-Identifier: MIT */
/*
 * Loading, for libFuzzer: the input is a file that is given as a kernel: an ELF file, a Linux Image
 * or a raw one. Whatever it holds, it is refused with one line or lies inside of RAM.
 */
#include "machine/elf_file.h"
#include "machine/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_SIZE = 1 << 20 };
#define RAM UINT64_C(0x80000000)

static void count(void *opaque, enum log_level level, const char *text)
{
    if (level == LOG_ERROR)
        ++*(unsigned *)opaque;
}

static void symbol(void *opaque, const char *name, uint64_t value)
{
    *(uint64_t *)opaque += value + (uint8_t)name[0];
}

static void load(struct images *im, const uint8_t *data, size_t size, unsigned *errors,
                 const struct log *log)
{
    struct blob *blob;
    struct image image = {0};
    struct mem mem;
    int result;

    if (images_copy(im, "kernel", data, size, &blob))
        abort();
    *errors = 0;
    result = images_place_any(im, blob, RAM, &image);
    if (result) {
        if (*errors != 1)
            abort(); /* one line, not none and not two */
        return;
    }
    for (unsigned i = 0; i < im->pieces_n; i++) {
        const struct piece *p = &im->pieces[i];
        if (p->pa < RAM || p->pa - RAM > RAM_SIZE || p->size > RAM_SIZE - (p->pa - RAM) ||
            p->filled > p->size)
            abort();
    }
    if (mem_init(&mem, RAM, RAM_SIZE, 0x1000, 4096, log))
        abort();
    images_lay(im, &mem);
    mem_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned errors = 0;
    struct log log = {.sink = count, .opaque = &errors};
    struct images im;
    struct elf_file elf;

    if (!size)
        return -1;
    images_init(&im, RAM, RAM_SIZE, &log);
    load(&im, data, size, &errors, &log);
    images_free(&im);
    if (!elf_file_open(&elf, data, size, "file", &log)) {
        uint64_t sum = 0, value;
        elf_file_symbol(&elf, "tohost", &value);
        elf_file_symbols(&elf, symbol, &sum);
        elf_file_close(&elf);
    }
    return 0;
}
