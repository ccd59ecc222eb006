/* SPDX-License-Identifier: MIT */
#include "machine/elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int check_header(struct elf_file *e, const char *name, const struct log *log)
{
    GElf_Ehdr h;

    if (elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h)) {
        log_error(log, "%s: the ELF header is damaged or cut off", name);
        return -ENOEXEC;
    }
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB) {
        log_error(log, "%s: e_ident: expected a 64-bit little-endian ELF file", name);
        return -ENOEXEC;
    }
    if (h.e_machine != EM_RISCV) {
        log_error(log, "%s: e_machine is %u; expected %u (RISC-V)", name, h.e_machine, EM_RISCV);
        return -ENOEXEC;
    }
    if (h.e_type != ET_EXEC && h.e_type != ET_DYN) {
        log_error(log, "%s: e_type is %u; expected an executable (%u or %u)", name, h.e_type,
                  ET_EXEC, ET_DYN);
        return -ENOEXEC;
    }
    e->entry = h.e_entry;
    e->headers_size = h.e_phoff + (uint64_t)h.e_phnum * h.e_phentsize;
    return 0;
}

static int check_segment(const GElf_Phdr *p, unsigned index, uint64_t file_size, const char *name,
                         const struct log *log)
{
    if (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset) {
        log_error(log,
                  "%s: program header %u: p_offset 0x%" PRIx64 " with p_filesz 0x%" PRIx64
                  " is beyond the file's 0x%" PRIx64 " bytes",
                  name, index, (uint64_t)p->p_offset, (uint64_t)p->p_filesz, file_size);
        return -ENOEXEC;
    }
    if (p->p_filesz > p->p_memsz) {
        log_error(log,
                  "%s: program header %u: p_filesz 0x%" PRIx64 " is more than p_memsz 0x%" PRIx64,
                  name, index, (uint64_t)p->p_filesz, (uint64_t)p->p_memsz);
        return -ENOEXEC;
    }
    return 0;
}

static int take_segments(struct elf_file *e, uint64_t file_size, const char *name,
                         const struct log *log)
{
    size_t n;

    if (elf_getphdrnum(e->elf, &n)) {
        log_error(log, "%s: e_phoff, e_phnum: the program headers are beyond the file's end", name);
        return -ENOEXEC;
    }
    e->segments = calloc(n ? n : 1, sizeof(*e->segments));
    if (!e->segments) {
        log_error(log, "%s: not enough host memory", name);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr p;
        int err;

        if (!gelf_getphdr(e->elf, (int)i, &p)) {
            log_error(log, "%s: program header %zu cannot be read", name, i);
            return -ENOEXEC;
        }
        if (p.p_type != PT_LOAD || p.p_memsz == 0)
            continue;
        err = check_segment(&p, (unsigned)i, file_size, name, log);
        if (err)
            return err;
        e->segments[e->segments_n++] = (struct elf_segment){
            .index = (unsigned)i,
            .va = p.p_vaddr,
            .pa = p.p_paddr,
            .size = p.p_memsz,
            .offset = p.p_offset,
            .filled = p.p_filesz,
            .execute = p.p_flags & PF_X,
        };
    }
    if (!e->segments_n) {
        log_error(log, "%s: it has no program header to load (PT_LOAD)", name);
        return -ENOEXEC;
    }
    return 0;
}

int elf_file_open(struct elf_file *e, const void *bytes, uint64_t size, const char *name,
                  const struct log *log)
{
    int err;

    *e = (struct elf_file){0};
    elf_version(EV_CURRENT);
    e->elf = elf_memory((char *)bytes, size);
    if (!e->elf) {
        log_error(log, "%s: cannot be read as an ELF file: %s", name, elf_errmsg(-1));
        return -ENOEXEC;
    }
    err = check_header(e, name, log);
    if (!err)
        err = take_segments(e, size, name, log);
    if (err)
        elf_file_close(e);
    return err;
}

void elf_file_close(struct elf_file *e)
{
    free(e->segments);
    elf_end(e->elf);
    *e = (struct elf_file){0};
}

/* Call each for every symbol until it says true. */
static bool walk_symbols(const struct elf_file *e,
                         bool (*each)(void *opaque, const char *name, const GElf_Sym *sym),
                         void *opaque)
{
    Elf_Scn *scn = NULL;

    while ((scn = elf_nextscn(e->elf, scn))) {
        GElf_Shdr sh;
        Elf_Data *data;
        GElf_Sym sym;

        if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_SYMTAB)
            continue;
        data = elf_getdata(scn, NULL);
        for (int i = 0; data && gelf_getsym(data, i, &sym); i++) {
            const char *name = elf_strptr(e->elf, sh.sh_link, sym.st_name);
            if (name && *name && sym.st_shndx != SHN_UNDEF && each(opaque, name, &sym))
                return true;
        }
    }
    return false;
}

struct wanted {
    const char *name;
    uint64_t *value;
};

static bool match(void *opaque, const char *name, const GElf_Sym *sym)
{
    struct wanted *w = opaque;

    if (strcmp(name, w->name))
        return false;
    *w->value = sym->st_value;
    return true;
}

bool elf_file_symbol(const struct elf_file *e, const char *name, uint64_t *value)
{
    struct wanted w = {name, value};

    return walk_symbols(e, match, &w);
}

struct visitor {
    void (*each)(void *opaque, const char *name, uint64_t value);
    void *opaque;
};

static bool visit(void *opaque, const char *name, const GElf_Sym *sym)
{
    struct visitor *v = opaque;
    unsigned type = GELF_ST_TYPE(sym->st_info);

    /* $x, $d: marks of code and data, not names. */
    if ((type == STT_FUNC || type == STT_NOTYPE) && name[0] != '$' && name[0] != '.')
        v->each(v->opaque, name, sym->st_value);
    return false;
}

void elf_file_symbols(const struct elf_file *e,
                      void (*each)(void *opaque, const char *name, uint64_t value), void *opaque)
{
    struct visitor v = {each, opaque};

    walk_symbols(e, visit, &v);
}

static bool is_code(const GElf_Shdr *sh, uint64_t file_size)
{
    return sh->sh_type == SHT_PROGBITS && sh->sh_flags & SHF_EXECINSTR &&
           sh->sh_offset <= file_size && sh->sh_size <= file_size - sh->sh_offset;
}

void elf_file_code(const struct elf_file *e,
                   void (*each)(void *opaque, uint64_t va, const void *code, uint64_t size),
                   void *opaque)
{
    size_t size;
    const char *bytes = elf_rawfile(e->elf, &size);
    Elf_Scn *scn = NULL;
    GElf_Shdr sh;
    bool any = false;

    while (bytes && (scn = elf_nextscn(e->elf, scn))) {
        if (!gelf_getshdr(scn, &sh) || !is_code(&sh, size))
            continue;
        each(opaque, sh.sh_addr, bytes + sh.sh_offset, sh.sh_size);
        any = true;
    }
    for (unsigned i = 0; bytes && !any && i < e->segments_n; i++)
        if (e->segments[i].execute)
            each(opaque, e->segments[i].va, bytes + e->segments[i].offset, e->segments[i].filled);
}
