/* SPDX-License-Identifier: MIT */
/* virtio-console before somebody who types what it prints. */
#include "fuzz_virtio.h"

#include "dev/virtio/console.h"

static struct chardev c;

/* Under the output's lock: what is typed is served behind the request. */
static void typed(void *opaque, const void *bytes, size_t n)
{
    void (*ready)(void *) = c.ready;

    (void)opaque;
    c.ready = NULL;
    chardev_input(&c, bytes, n < 64 ? n : 64);
    c.ready = ready;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct mem mem;
    static struct virtio *v;
    struct log log = {no_log, NULL};
    struct virtio_setup setup = {.mem = &mem, .log = &log};
    int err;

    mem_once(&mem);
    if (!v) {
        if (chardev_open(&c, "console", "none", false, &log))
            abort();
        c.hook = typed;
        if (!(v = virtio_console_new(&c, &setup, &err)))
            abort();
    }
    v->log = &log;
    chardev_input(&c, bytes, n < 16 ? n : 16);
    drive(v, &mem, bytes, n);
    return 0;
}
