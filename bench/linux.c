/* SPDX-License-Identifier: MIT */
/*
 * linux: Debian's stock kernel on isthmus and on QEMU, with the same files, and in it guests of KVM
 * under Debian's own QEMU. One start of a machine gives a value of every row: bench/linux/init.sh
 * does the parts one after another and says what it measured; moments (the prompts) are taken here,
 * as their lines come. Where its disk is there, a whole Debian follows (bench/debian.h).
 */
#include "bench/bench.h"
#include "bench/console.h"
#include "bench/cpio.h"
#include "bench/debian.h"
#include "bench/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_BYTES = 256 << 20 };

struct linux_files {
    char firmware[PATH_MAX], kernel[PATH_MAX], nested[PATH_MAX];
    struct temporary initrd, scratch;
    int listener;
    unsigned port;
    struct debian *debian; /* NULL: there is no disk of it */
};

/* --- files --- */

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    struct stat st;

    if (f && !fstat(fileno(f), &st) && (data = malloc((size_t)st.st_size + 1)))
        *size = fread(data, 1, (size_t)st.st_size, f);
    if (f)
        fclose(f);
    return data;
}

/* The init program and the bench program, as an archive; as it is for the guests, and for the
 * machine with that archive in it, too. */
static bool write_archives(FILE *out, const char *init, size_t init_n, const char *bench,
                           size_t bench_n)
{
    char *inner = NULL;
    size_t inner_n = 0;
    FILE *f = open_memstream(&inner, &inner_n);

    if (!f)
        return false;
    cpio_file(f, "init", init, init_n);
    cpio_file(f, "bench", bench, bench_n);
    cpio_end(f);
    fclose(f);
    cpio_pad(out);
    cpio_file(out, "init", init, init_n);
    cpio_file(out, "bench", bench, bench_n);
    cpio_file(out, "extra.cpio", inner, inner_n);
    cpio_end(out);
    free(inner);
    return !ferror(out);
}

/* The initrd of the folder, and what is the bench's own behind it. */
static bool make_initrd(const struct linux_files *f, const char *folder,
                        char *(*find)(const char *name))
{
    char path[PATH_MAX], *script = find("bench/linux/bench-init.sh"), *program = NULL;
    char *base = NULL, *init = NULL, *bench = NULL;
    size_t base_n = 0, init_n = 0, bench_n = 0;
    FILE *out = NULL;
    bool good = false;

    program = script ? find("bench/bench_linux") : NULL;
    snprintf(path, sizeof(path), "%s/initrd", folder);
    if (program && (base = read_file(path, &base_n)) && (init = read_file(script, &init_n)) &&
        (bench = read_file(program, &bench_n)) && (out = fopen(f->initrd.path, "wb"))) {
        fwrite(base, 1, base_n, out);
        good = write_archives(out, init, init_n, bench, bench_n);
    }
    if (out && fclose(out))
        good = false;
    free(script);
    free(program);
    free(base);
    free(init);
    free(bench);
    return good;
}

/* A socket on the loopback, for a stream out of the machine. */
static bool open_listener(struct linux_files *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(at);

    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&at, n) || listen(f->listener, 4) ||
        getsockname(f->listener, (struct sockaddr *)&at, &n))
        return false;
    f->port = ntohs(at.sin_port);
    return true;
}

static bool make_files(struct linux_files *f, const char *folder, const struct bench_host *host)
{
    snprintf(f->firmware, sizeof(f->firmware), "%s/firmware", folder);
    snprintf(f->kernel, sizeof(f->kernel), "%s/vmlinux", folder);
    snprintf(f->nested, sizeof(f->nested), "%s/disk.img", folder);
    if (!temporary_make(&f->initrd) || !temporary_make(&f->scratch))
        return false;
    errno = posix_fallocate(f->scratch.fd, 0, SCRATCH_BYTES);
    return !errno && make_initrd(f, folder, host->find) && open_listener(f) &&
           debian_prepare(&f->debian, host);
}

static void *linux_prepare(const char *folder, const struct bench_host *host, char *why,
                           unsigned size)
{
    struct linux_files *f = calloc(1, sizeof(*f));

    if (f && make_files(f, folder, host))
        return f;
    snprintf(why, size, "cannot make temporary files in %s: %s", temporary_folder(),
             strerror(errno));
    if (f)
        bench_linux.release(f);
    return NULL;
}

static void linux_release(void *prepared)
{
    struct linux_files *f = prepared;

    debian_release(f->debian);
    temporary_close(&f->initrd);
    temporary_close(&f->scratch);
    if (f->listener > 0)
        close(f->listener);
    free(f);
}

/* --- the machine --- */

/* Take one stream, and confirm its end. Ends when the listener is shut. */
static void *sink(void *opaque)
{
    static char buffer[1 << 16];
    int s, listener = *(int *)opaque;

    while ((s = accept(listener, NULL, NULL)) >= 0) {
        while (read(s, buffer, sizeof(buffer)) > 0)
            ;
        if (write(s, "", 1) != 1)
            perror("bench linux: stream");
        close(s);
    }
    return NULL;
}

/* The machine that gives the rows of the small system. */
static bool run_side(const struct linux_files *f, struct bench_samples *s, enum bench_side side,
                     char *why, unsigned size)
{
    char append[128], ours[PATH_MAX + 16], ro[PATH_MAX + 64], rw[128];
    const char *const isthmus[] = {"--append",      append,  "--disk", ours, "--disk",
                                   f->scratch.path, "--net", "user",   NULL};
    const char *const qemu[] = {"-append", append,
                                "-drive",  ro,
                                "-device", "virtio-blk-device,drive=ro",
                                "-drive",  rw,
                                "-device", "virtio-blk-device,drive=rw",
                                "-netdev", "user,id=n",
                                "-device", "virtio-net-device,netdev=n",
                                NULL};

    snprintf(append, sizeof(append), "console=ttyS0 quiet port=%u", f->port);
    snprintf(ours, sizeof(ours), "%s,readonly", f->nested);
    snprintf(ro, sizeof(ro), "file=%s,if=none,id=ro,format=raw,readonly=on", f->nested);
    snprintf(rw, sizeof(rw), "file=%s,if=none,id=rw,format=raw", f->scratch.path);
    return console_run(&(struct console_machine){.firmware = f->firmware,
                                                 .kernel = f->kernel,
                                                 .initrd = f->initrd.path,
                                                 .isthmus = isthmus,
                                                 .qemu = qemu},
                       side, s, why, size) &&
           console_said(s, side, "nested-tcp", why, size);
}

static bool linux_round(void *prepared, struct bench_samples *s, bool qemu, char *why,
                        unsigned size)
{
    struct linux_files *f = prepared;
    pthread_t thread;
    bool good;

    if (pthread_create(&thread, NULL, sink, &f->listener))
        return false;
    good = run_side(f, s, BENCH_ISTHMUS, why, size) &&
           (!qemu || run_side(f, s, BENCH_QEMU, why, size)) &&
           (!f->debian || debian_round(f->debian, s, qemu, why, size));
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    return good;
}

static void rows(const struct bench_samples *s, struct bench_report *r)
{
    static const struct {
        const char *key, *name, *unit;
        bool less_is_better;
        uint64_t size;
    } table[] = {
        {"prompt", "start to prompt", "s", true, 0},
        {"nested-prompt", "nested: to prompt", "s", true, 0},
        {"compute", "compute", "mix/s", false, 0},
        {"nested-compute", "nested: compute", "mix/s", false, 0},
        {"syscalls", "system calls", "1/s", false, 0},
        {"nested-syscalls", "nested: system calls", "1/s", false, 0},
        {"block-read", "block read", "MB/s", false, 128 << 20},
        {"block-write", "block write", "MB/s", false, 128 << 20},
        {"nested-block-read", "nested: block read", "MB/s", false, 64 << 20},
        {"nested-block-write", "nested: block write", "MB/s", false, 64 << 20},
        {"tcp", "TCP to the host", "MB/s", false, 64 << 20},
        {"nested-tcp", "TCP nested to nested", "MB/s", false, 32 << 20},
        {"login", "start to systemd login", "s", true, 0},
        {"gcc", "gcc -O2, 3 times", "s", true, 0},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        double value = bench_median(s, BENCH_ISTHMUS, "%s", table[i].key);

        if (isnan(value))
            bench_skip(r, table[i].name, "there is no disk; isthmus boot debian --gcc makes one");
        else
            bench_row(r, (struct bench_row){table[i].name, table[i].size, value, table[i].unit,
                                            table[i].less_is_better, "qemu",
                                            bench_median(s, BENCH_QEMU, "%s", table[i].key)});
    }
}

const struct bench bench_linux = {
    .name = "linux",
    .help = "the stock kernel, guests of KVM in it, a whole Debian; 2 harts; size: bytes moved",
    .prepare = linux_prepare,
    .round = linux_round,
    .release = linux_release,
    .rows = rows,
};
