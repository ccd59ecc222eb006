/* SPDX-License-Identifier: MIT */
/*
 * What is needed of an ELF file, taken out of it and checked: the segments to load, the entry, and
 * a few symbols. Nothing that the file says is believed before it was compared with its size.
 */
#ifndef MACHINE_ELF_FILE_H
#define MACHINE_ELF_FILE_H

#include "base/bits.h"
#include "base/log.h"

struct elf_segment {
    unsigned index; /* of its program header */
    uint64_t va, pa, size;
    uint64_t offset, filled; /* in the file: filled <= size */
    bool execute;
};

struct elf_file {
    void *elf; /* libelf's */
    uint64_t entry;
    uint64_t headers_size; /* bytes from the file's start to the end of the program headers */
    struct elf_segment *segments;
    unsigned segments_n;
};

/* Open the RV64 executable in bytes[size], which must stay as long as *e; name is for messages.
 * Result: 0, or -ENOEXEC (or -ENOMEM) after logging which field is wrong and how. */
int elf_file_open(struct elf_file *e, const void *bytes, uint64_t size, const char *name,
                  const struct log *log);
void elf_file_close(struct elf_file *e);

/* The value of the symbol `name`. Result: false where there is none. */
bool elf_file_symbol(const struct elf_file *e, const char *name, uint64_t *value);

/* Call each(opaque, va, code, size) for every section of code; where there is none, for every
 * segment that can be executed, which may hold headers and constants, too. */
void elf_file_code(const struct elf_file *e,
                   void (*each)(void *opaque, uint64_t va, const void *code, uint64_t size),
                   void *opaque);

/* Call each(opaque, name, value) for every named function or untyped label. */
void elf_file_symbols(const struct elf_file *e,
                      void (*each)(void *opaque, const char *name, uint64_t value), void *opaque);

#endif
