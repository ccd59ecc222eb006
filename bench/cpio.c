/* SPDX-License-Identifier: MIT */
#include "bench/cpio.h"

#include <string.h>

void cpio_pad(FILE *f)
{
    while (ftell(f) % 4)
        fputc(0, f);
}

static void entry(FILE *f, const char *name, unsigned mode, const void *data, size_t size)
{
    /* inode, mode, uid, gid, links, mtime, size, device (2), of a device (2), name's size, sum */
    const unsigned fields[] = {
        0, mode, 0, 0, 1, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0};

    fputs("070701", f);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        fprintf(f, "%08X", fields[i]);
    fwrite(name, 1, strlen(name) + 1, f);
    cpio_pad(f);
    fwrite(data, 1, size, f);
    cpio_pad(f);
}

void cpio_file(FILE *f, const char *name, const void *data, size_t size)
{
    entry(f, name, 0100755, data, size);
}

void cpio_end(FILE *f)
{
    entry(f, "TRAILER!!!", 0, "", 0);
}
