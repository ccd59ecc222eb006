/* SPDX-License-Identifier: MIT */
/* virtio-blk over a file in memory, whose size stays. */
#include "fuzz_virtio.h"

#include "dev/virtio/blk.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct mem mem;
    static struct virtio *v;
    static int fd;
    struct log log = {no_log, NULL};
    struct virtio_setup setup = {.mem = &mem, .log = &log};
    struct stat st;
    char path[32];
    int err;

    mem_once(&mem);
    if (!v) {
        fd = memfd_create("disk", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (ftruncate(fd, DISK))
            abort();
        v = blk_new(&(struct blk_setup){path, false, 2, 0}, &setup, &err);
        if (!v)
            abort();
    }
    v->log = &log;
    drive(v, &mem, bytes, n);
    if (fstat(fd, &st) || st.st_size != DISK)
        abort();
    return 0;
}
