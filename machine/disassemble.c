/* SPDX-License-Identifier: MIT */
/* Disassembly of memory and of files, for the embedding interface. */
#include "isthmus.h"

#include "isa/isa.h"
#include "machine/elf_file.h"
#include "machine/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 96 };

static unsigned disassemble(const struct isa *isa, uint64_t pc, const uint8_t *code, size_t n,
                            char *text, size_t size)
{
    uint32_t raw = 0;

    if (n < 2)
        return 0;
    memcpy(&raw, code, n < 4 ? 2 : 4);
    if (insn_is_long(raw) && n < 4)
        return 0;
    return isa_disassemble(isa, pc, raw, text, size);
}

static struct isa *make_isa(void)
{
    struct isa *isa = malloc(sizeof(*isa));

    if (isa)
        isa_init(isa, NULL);
    return isa;
}

unsigned isthmus_disassemble(uint64_t pc, const void *code, size_t n, char *text, size_t size)
{
    struct isa *isa = make_isa();
    unsigned length = isa ? disassemble(isa, pc, code, n, text, size) : 0;

    free(isa);
    return length;
}

struct symbol {
    uint64_t value;
    char *name;
};

struct file_walk {
    const struct isa *isa;
    void (*line)(void *opaque, const struct isthmus_line *line);
    void *opaque;
    struct symbol *symbols; /* by value */
    size_t symbols_n;
};

static void add_symbol(void *opaque, const char *name, uint64_t value)
{
    struct file_walk *w = opaque;
    struct symbol *list = realloc(w->symbols, (w->symbols_n + 1) * sizeof(*list));

    if (list) {
        w->symbols = list;
        list[w->symbols_n] = (struct symbol){value, strdup(name)};
        w->symbols_n += list[w->symbols_n].name != NULL;
    }
}

static int by_value(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static const char *symbol_at(const struct file_walk *w, uint64_t pc)
{
    struct symbol key = {.value = pc};
    const struct symbol *found =
        w->symbols_n ? bsearch(&key, w->symbols, w->symbols_n, sizeof(key), by_value) : NULL;

    return found ? found->name : NULL;
}

static void walk_code(void *opaque, uint64_t pc, const void *bytes, uint64_t n)
{
    const struct file_walk *w = opaque;
    const uint8_t *code = bytes;
    char text[TEXT_SIZE];

    while (n >= 2) {
        unsigned length = disassemble(w->isa, pc, code, n, text, sizeof(text));
        struct isthmus_line line = {.pc = pc, .symbol = symbol_at(w, pc), .text = text};

        if (!length)
            return; /* half an instruction at the end */
        line.length = length;
        memcpy(&line.raw, code, length);
        w->line(w->opaque, &line);
        pc += length;
        code += length;
        n -= length;
    }
}

static int walk_elf(struct file_walk *w, const struct blob *blob)
{
    struct elf_file elf;
    int err = elf_file_open(&elf, blob->bytes, blob->size, blob->name, NULL);

    if (err)
        return err;
    elf_file_symbols(&elf, add_symbol, w);
    if (w->symbols_n)
        qsort(w->symbols, w->symbols_n, sizeof(*w->symbols), by_value);
    elf_file_code(&elf, walk_code, w);
    elf_file_close(&elf);
    return 0;
}

int isthmus_disassemble_file(const char *path,
                             void (*line)(void *opaque, const struct isthmus_line *line),
                             void *opaque)
{
    struct isa *isa = make_isa();
    struct file_walk w = {.isa = isa, .line = line, .opaque = opaque};
    struct images images;
    struct blob *blob;
    int err = isa ? 0 : -ENOMEM;

    images_init(&images, 0, UINT64_C(1) << 32, NULL);
    if (!err)
        err = images_read(&images, "file", path, &blob);
    if (!err && blob_is_elf(blob))
        err = walk_elf(&w, blob);
    else if (!err)
        walk_code(&w, 0, blob->bytes, blob->size);
    for (size_t i = 0; i < w.symbols_n; i++)
        free(w.symbols[i].name);
    free(w.symbols);
    images_free(&images);
    free(isa);
    return err;
}
