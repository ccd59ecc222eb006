/* SPDX-License-Identifier: MIT */
/*
 * What is loaded into memory: pieces of files. Every piece is checked against RAM's bounds and
 * against all others when it is added. A reset lays them anew: small files' bytes are kept, large
 * files are kept open and read again, so that a machine does not have its kernel in memory twice.
 * What has the file's name by then does not matter; a file that was written to does.
 */
#ifndef MACHINE_IMAGE_H
#define MACHINE_IMAGE_H

#include "base/bits.h"
#include "base/log.h"
#include "mem/mem.h"

#include <time.h>

/* A file's contents, or other bytes with a name. */
struct blob {
    char *name;     /* for messages: "kernel PATH" */
    uint8_t *bytes; /* NULL after images_release */
    uint64_t size;
    int fd; /* of a large file; -1 */
    struct timespec changed; /* then */
};

struct piece {
    const struct blob *blob;
    uint64_t offset; /* in the blob */
    uint64_t filled; /* how many bytes there are; the rest of size is zeros */
    uint64_t pa, size;
};

struct images {
    const struct log *log;
    uint64_t ram_base, ram_size;
    struct blob **blobs;
    unsigned blobs_n;
    struct piece *pieces;
    unsigned pieces_n;
};

/* What a loaded image turned out to be. */
struct image {
    uint64_t start, end; /* physical addresses that it takes */
    uint64_t entry;      /* physical */
    bool elf;
    uint64_t tohost, fromhost; /* physical addresses of these symbols, 0: none */
};

void images_init(struct images *im, uint64_t ram_base, uint64_t ram_size, const struct log *log);
void images_free(struct images *im);

/* Read a whole file; role ("kernel", ...) and path name it in messages. Result: 0 with *blob, which
 * belongs to im, or a negative errno. */
int images_read(struct images *im, const char *role, const char *path, struct blob **blob);

/* A blob of a copy of bytes[size]. */
int images_copy(struct images *im, const char *name, const void *bytes, uint64_t size,
                struct blob **blob);

/* Place all of a blob at pa, taking `size` bytes (at least the blob's). */
int images_place(struct images *im, const struct blob *blob, uint64_t pa, uint64_t size);

/* True where the blob starts like an ELF file. */
bool blob_is_elf(const struct blob *blob);
/* Whether it is a compressed file, which is said to the log: nothing here unpacks one. */
bool blob_is_compressed(const struct blob *blob, const struct log *log);

/* Place the loadable segments of an ELF file by their physical addresses. -ENOEXEC where it is not
 * a sound RV64 executable. */
int images_place_elf(struct images *im, const struct blob *blob, struct image *out);

/* Place a blob: an ELF file where it says, a Linux Image or a raw one at pa. */
int images_place_any(struct images *im, const struct blob *blob, uint64_t pa, struct image *out);

/* Write all pieces into RAM, which is zero. -ESTALE, or another negative errno, where a file is not
 * there any more as it was. */
int images_lay(const struct images *im, struct mem *mem);

/* All is loaded: keep no more than what images_lay needs. */
void images_release(struct images *im);

#endif
