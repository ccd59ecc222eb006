/* SPDX-License-Identifier: MIT */
#include "machine/image.h"

#include "machine/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void images_init(struct images *im, uint64_t ram_base, uint64_t ram_size, const struct log *log)
{
    *im = (struct images){.log = log, .ram_base = ram_base, .ram_size = ram_size};
}

void images_free(struct images *im)
{
    for (unsigned i = 0; i < im->blobs_n; i++) {
        free(im->blobs[i]->name);
        free(im->blobs[i]->bytes);
        if (im->blobs[i]->fd >= 0)
            close(im->blobs[i]->fd);
        free(im->blobs[i]);
    }
    free(im->blobs);
    free(im->pieces);
}

static int no_memory(struct images *im, const char *name)
{
    log_error(im->log, "%s: not enough host memory", name);
    return -ENOMEM;
}

/* A new blob with room for size bytes. Takes over name. */
static struct blob *new_blob(struct images *im, char *name, uint64_t size)
{
    struct blob **list = realloc(im->blobs, (im->blobs_n + 1) * sizeof(*list));
    struct blob *blob = malloc(sizeof(*blob));
    uint8_t *bytes = malloc(size ? size : 1);

    if (list)
        im->blobs = list;
    if (!name || !list || !blob || !bytes) {
        no_memory(im, name ? name : "image");
        free(name);
        free(blob);
        free(bytes);
        return NULL;
    }
    *blob = (struct blob){.name = name, .bytes = bytes, .size = size, .fd = -1};
    im->blobs[im->blobs_n++] = blob;
    return blob;
}

int images_copy(struct images *im, const char *name, const void *bytes, uint64_t size,
                struct blob **blob)
{
    *blob = new_blob(im, strdup(name), size);
    if (!*blob)
        return -ENOMEM;
    memcpy((*blob)->bytes, bytes, size);
    return 0;
}

/* Read size bytes of fd at offset, which are there as fstat said. */
static int read_part(int fd, uint8_t *to, uint64_t size, uint64_t offset)
{
    uint64_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* it shrank */
        done += (uint64_t)n;
    }
    return 0;
}

/* A file to be read again has a descriptor, and of those a process has some hundreds. */
enum { KEPT_BYTES = 64 << 10 };

/* Take over fd. */
static void keep_file(struct blob *blob, int fd, const struct stat *st)
{
    if (blob->size <= KEPT_BYTES) {
        close(fd);
        return;
    }
    blob->fd = fd;
    blob->changed = st->st_mtim;
}

static int read_open_file(struct images *im, int fd, const char *role, const char *path,
                          struct blob **blob)
{
    struct stat st;
    char *name;
    int err;

    if (fstat(fd, &st))
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode)) {
        log_error(im->log, "%s %s: expected a regular file", role, path);
        return -ENOEXEC;
    }
    if (st.st_size == 0) {
        log_error(im->log, "%s %s: the file is empty", role, path);
        return -ENOEXEC;
    }
    if ((uint64_t)st.st_size > im->ram_size) {
        log_error(im->log, "%s %s: its %lld bytes do not fit into %" PRIu64 " MiB of RAM", role,
                  path, (long long)st.st_size, im->ram_size >> 20);
        return -EFBIG;
    }
    if (asprintf(&name, "%s %s", role, path) < 0)
        name = NULL;
    *blob = new_blob(im, name, (uint64_t)st.st_size);
    if (!*blob)
        return -ENOMEM;
    err = read_part(fd, (*blob)->bytes, (*blob)->size, 0);
    if (err)
        log_error(im->log, "%s: cannot read it: %s", (*blob)->name, strerror(-err));
    else
        keep_file(*blob, fd, &st);
    return err;
}

int images_read(struct images *im, const char *role, const char *path, struct blob **blob)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err;

    if (fd < 0) {
        err = -errno;
        log_error(im->log, "%s %s: cannot open the file: %s", role, path, strerror(-err));
        return err;
    }
    err = read_open_file(im, fd, role, path, blob);
    if (err == -EISDIR)
        log_error(im->log, "%s %s: it is a directory; expected a file", role, path);
    if (err)
        close(fd);
    return err;
}

/* Add a piece after checking it against RAM and all others. part says which of the blob, for
 * messages: "" or ": program header 2". */
static int add_piece(struct images *im, const struct piece *p, const char *part)
{
    uint64_t off = p->pa - im->ram_base;
    struct piece *list;

    if (p->size == 0)
        return 0;
    if (p->pa < im->ram_base || off > im->ram_size || p->size > im->ram_size - off) {
        log_error(im->log,
                  "%s%s: physical address 0x%" PRIx64 " with size 0x%" PRIx64
                  " is not inside RAM, 0x%" PRIx64 " to 0x%" PRIx64,
                  p->blob->name, part, p->pa, p->size, im->ram_base,
                  im->ram_base + im->ram_size - 1);
        return -ENOEXEC;
    }
    for (unsigned i = 0; i < im->pieces_n; i++) {
        const struct piece *q = &im->pieces[i];
        if (p->pa < q->pa + q->size && q->pa < p->pa + p->size) {
            log_error(im->log,
                      "%s%s: physical addresses 0x%" PRIx64 " to 0x%" PRIx64
                      " overlap %s at 0x%" PRIx64 " to 0x%" PRIx64,
                      p->blob->name, part, p->pa, p->pa + p->size - 1, q->blob->name, q->pa,
                      q->pa + q->size - 1);
            return -ENOEXEC;
        }
    }
    list = realloc(im->pieces, (im->pieces_n + 1) * sizeof(*list));
    if (!list)
        return no_memory(im, p->blob->name);
    im->pieces = list;
    im->pieces[im->pieces_n++] = *p;
    return 0;
}

int images_place(struct images *im, const struct blob *blob, uint64_t pa, uint64_t size)
{
    struct piece p = {.blob = blob, .filled = blob->size, .pa = pa, .size = size};

    return add_piece(im, &p, "");
}

bool blob_is_compressed(const struct blob *blob, const struct log *log)
{
    static const struct {
        unsigned at;
        const char *text;
    } magics[] = {
        {0, "\x1f\x8b\x08"},     /* gzip */
        {0, "\xfd\x37zXZ"},      /* xz */
        {0, "\x28\xb5\x2f\xfd"}, /* zstd */
        {4, "1AY&SY"},           /* bzip2 */
        {0, "\x04\x22\x4d\x18"}, /* lz4 */
        {0, "\x02\x21\x4c\x18"}, /* lz4, as a kernel's build has it */
        {4, "zimg"},             /* a kernel packed into an EFI program */
    };

    for (unsigned i = 0; i < ARRAY_SIZE(magics); i++) {
        size_t n = strlen(magics[i].text);

        if (blob->size < magics[i].at + n || memcmp(blob->bytes + magics[i].at, magics[i].text, n))
            continue;
        log_error(log, "%s: it is compressed; expected an ELF file, a Linux Image or raw code",
                  blob->name);
        return true;
    }
    return false;
}

bool blob_is_elf(const struct blob *blob)
{
    return blob->size >= 4 && !memcmp(blob->bytes, "\177ELF", 4);
}

/* A virtual address of an ELF file as a physical one, by the segment that it is in; addresses in
 * no segment stay as they are. */
static uint64_t physical(const struct elf_file *elf, uint64_t va)
{
    for (unsigned i = 0; i < elf->segments_n; i++) {
        const struct elf_segment *s = &elf->segments[i];
        if (va - s->va < s->size)
            return va - s->va + s->pa;
    }
    return va;
}

/* Linkers put the file's own headers, padded to a page, in front of the code in its segment; where
 * the code starts at the bottom of RAM they lie below it. Bytes there that are headers or zero are
 * for no one. Result: how many of the segment's bytes to leave out. */
static uint64_t headers_below_ram(const struct images *im, const struct blob *blob,
                                  const struct elf_file *elf, const struct elf_segment *s)
{
    uint64_t n = im->ram_base - s->pa;

    if (s->offset || s->pa >= im->ram_base || n >= s->filled || n < elf->headers_size)
        return 0;
    for (uint64_t i = elf->headers_size; i < n; i++)
        if (blob->bytes[i])
            return 0;
    return n;
}

static int place_segments(struct images *im, const struct blob *blob, const struct elf_file *elf,
                          struct image *out)
{
    out->start = UINT64_MAX;
    for (unsigned i = 0; i < elf->segments_n; i++) {
        const struct elf_segment *s = &elf->segments[i];
        uint64_t skip = headers_below_ram(im, blob, elf, s);
        struct piece p = {.blob = blob,
                          .offset = s->offset + skip,
                          .filled = s->filled - skip,
                          .pa = s->pa + skip,
                          .size = s->size - skip};
        char part[48];
        int err;

        snprintf(part, sizeof(part), ": program header %u", s->index);
        err = add_piece(im, &p, part);
        if (err)
            return err;
        out->start = min_u64(out->start, p.pa);
        if (s->pa + s->size > out->end)
            out->end = s->pa + s->size;
    }
    return 0;
}

static bool in_ram(const struct images *im, uint64_t pa)
{
    return pa - im->ram_base < im->ram_size;
}

int images_place_elf(struct images *im, const struct blob *blob, struct image *out)
{
    struct elf_file elf;
    int err = elf_file_open(&elf, blob->bytes, blob->size, blob->name, im->log);

    if (err)
        return err;
    *out = (struct image){.elf = true};
    err = place_segments(im, blob, &elf, out);
    out->entry = physical(&elf, elf.entry);
    if (!err && !in_ram(im, out->entry)) {
        log_error(im->log, "%s: e_entry 0x%" PRIx64 " is not in RAM", blob->name, out->entry);
        err = -ENOEXEC;
    }
    if (!err && elf_file_symbol(&elf, "tohost", &out->tohost)) {
        out->tohost = physical(&elf, out->tohost);
        if (elf_file_symbol(&elf, "fromhost", &out->fromhost))
            out->fromhost = physical(&elf, out->fromhost);
        if (out->tohost % 8 || out->fromhost % 8 || !in_ram(im, out->tohost) ||
            (out->fromhost && !in_ram(im, out->fromhost))) {
            log_error(im->log, "%s: symbols tohost and fromhost must be 8-byte aligned and in RAM",
                      blob->name);
            err = -ENOEXEC;
        }
    }
    elf_file_close(&elf);
    return err;
}

/* The header of a Linux Image (Documentation/arch/riscv/boot-image-header): how much memory it
 * takes, its uninitialised data included. */
enum { IMAGE_SIZE = 16, IMAGE_MAGIC2 = 56, IMAGE_HEADER = 64 };

static uint64_t image_memory_size(const struct blob *blob)
{
    uint64_t size;

    if (blob->size < IMAGE_HEADER || memcmp(blob->bytes + IMAGE_MAGIC2, "RSC\x05", 4))
        return blob->size;
    memcpy(&size, blob->bytes + IMAGE_SIZE, sizeof(size));
    return size > blob->size ? size : blob->size;
}

int images_place_any(struct images *im, const struct blob *blob, uint64_t pa, struct image *out)
{
    uint64_t size;

    if (blob_is_elf(blob))
        return images_place_elf(im, blob, out);
    if (blob_is_compressed(blob, im->log))
        return -ENOEXEC;
    size = image_memory_size(blob);
    *out = (struct image){.start = pa, .end = pa + size, .entry = pa};
    return images_place(im, blob, pa, size);
}

static int lay_piece(const struct images *im, const struct piece *p, struct mem *mem)
{
    const struct blob *b = p->blob;
    uint8_t *to = mem_ram(mem, p->pa, p->filled);
    int err;

    if (b->bytes) {
        memcpy(to, b->bytes + p->offset, p->filled);
        return 0;
    }
    err = read_part(b->fd, to, p->filled, p->offset);
    if (err)
        log_error(im->log, "%s: cannot read it again: %s", b->name, strerror(-err));
    return err;
}

/* Whether a file that is read again is as it was. */
static int check_file(const struct images *im, const struct blob *b)
{
    struct stat st;

    if (b->bytes)
        return 0;
    if (!fstat(b->fd, &st) && (uint64_t)st.st_size == b->size &&
        st.st_mtim.tv_sec == b->changed.tv_sec && st.st_mtim.tv_nsec == b->changed.tv_nsec)
        return 0;
    log_error(im->log, "%s: the file was changed since it was loaded; the machine cannot be reset",
              b->name);
    return -ESTALE;
}

static int check_files(const struct images *im)
{
    int err = 0;

    for (unsigned i = 0; i < im->blobs_n && !err; i++)
        err = check_file(im, im->blobs[i]);
    return err;
}

int images_lay(const struct images *im, struct mem *mem)
{
    int err = check_files(im);

    for (unsigned i = 0; i < im->pieces_n && !err; i++)
        err = lay_piece(im, &im->pieces[i], mem);
    return err ? err : check_files(im); /* somebody may have changed one meanwhile */
}

void images_release(struct images *im)
{
    for (unsigned i = 0; i < im->blobs_n; i++) {
        struct blob *b = im->blobs[i];

        if (b->fd >= 0) {
            free(b->bytes);
            b->bytes = NULL;
        }
    }
}
