/* SPDX-License-Identifier: MIT */
#include "bench/debian.h"
#include "bench/console.h"
#include "bench/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, PIECE = 1 << 30 };

struct debian {
    char firmware[PATH_MAX], kernel[PATH_MAX], initrd[PATH_MAX], disk[PATH_MAX];
    struct temporary copy, script;
    bool gcc;
};

/* --- files --- */

static bool append(FILE *out, const char *path)
{
    FILE *in = path ? fopen(path, "re") : NULL;
    char buffer[4096];
    size_t n;

    if (!in)
        return false;
    while ((n = fread(buffer, 1, sizeof(buffer), in)))
        fwrite(buffer, 1, n, out);
    fclose(in);
    return true;
}

/* A file for the shell, as a part of a script. */
static bool append_file(FILE *out, const char *name, const struct bench_host *host)
{
    char *path = host->find(name);
    bool good;

    fprintf(out, "cat >%s <<'END OF FILE'\n", name);
    good = append(out, path);
    fprintf(out, "END OF FILE\n");
    free(path);
    return good;
}

/* What root runs, as a disk that the shell reads: the sources, and the script behind them. */
static bool make_script(const struct debian *d, const struct bench_host *host)
{
    char *script = host->find("bench/linux/bench-debian.sh");
    FILE *out = fopen(d->script.path, "we");
    bool good;

    if (!out) {
        free(script);
        return false;
    }
    fprintf(out, "mkdir -p bench\n");
    good = append_file(out, "bench/kernels.h", host) && append_file(out, "bench/kernels.c", host) &&
           append(out, script);
    while (good && ftell(out) % SECTOR)
        fputc('\n', out);
    free(script);
    return !fclose(out) && good;
}

bool debian_prepare(struct debian **made, const struct bench_host *host)
{
    char *gcc = host->cached("debian-gcc"), *found = gcc ? gcc : host->cached("debian");
    struct debian *d = NULL;

    *made = NULL;
    if (!found)
        return true;
    d = calloc(1, sizeof(*d));
    if (d) {
        snprintf(d->firmware, sizeof(d->firmware), "%s/firmware", found);
        snprintf(d->kernel, sizeof(d->kernel), "%s/vmlinux", found);
        snprintf(d->initrd, sizeof(d->initrd), "%s/initrd", found);
        snprintf(d->disk, sizeof(d->disk), "%s/disk.img", found);
        d->gcc = gcc;
    }
    free(found);
    *made = d;
    return d && temporary_make(&d->copy) && temporary_make(&d->script) && make_script(d, host);
}

void debian_release(struct debian *d)
{
    if (!d)
        return;
    temporary_close(&d->copy);
    temporary_close(&d->script);
    free(d);
}

/* Copy what of a file is not a hole. */
static bool copy_data(int from, int to, off_t size)
{
    off_t at = 0, end;

    while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (end = lseek(from, at, SEEK_HOLE)) > at) {
        off_t target = at;

        while (at < end) {
            size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
            ssize_t n = copy_file_range(from, &at, to, &target, want, 0);

            if (n <= 0)
                return false;
        }
    }
    return errno == ENXIO && !ftruncate(to, size); /* no data behind the last */
}

static bool copy_disk(const struct debian *d)
{
    int from = open(d->disk, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool good = from >= 0 && !fstat(from, &st) && !ftruncate(d->copy.fd, 0) &&
                copy_data(from, d->copy.fd, st.st_size) &&
                !fsync(d->copy.fd); /* the host has nothing left to write when the machine starts */
    int err = errno;

    close(from);
    errno = err;
    return good;
}

/* --- the machine --- */

static bool run_side(const struct debian *d, struct bench_samples *s, enum bench_side side,
                     char *why, unsigned size)
{
    char script[128], drive[128], more[128];
    const char *const isthmus[] = {"--append", "console=ttyS0", "--disk", d->copy.path, "--disk",
                                   script,     "--net",         "user",   NULL};
    /* vda is what has the greater number. */
    const char *const qemu[] = {"-append", "console=ttyS0",
                                "-drive",  more,
                                "-device", "virtio-blk-device,drive=more,bus=virtio-mmio-bus.0",
                                "-drive",  drive,
                                "-device", "virtio-blk-device,drive=root,bus=virtio-mmio-bus.1",
                                "-netdev", "user,id=n",
                                "-device", "virtio-net-device,netdev=n",
                                NULL};

    if (!copy_disk(d)) {
        snprintf(why, size, "cannot copy %s to %s: %s", d->disk, temporary_folder(),
                 strerror(errno));
        return false;
    }
    snprintf(script, sizeof(script), "%s,readonly", d->script.path);
    snprintf(drive, sizeof(drive), "file=%s,if=none,id=root,format=raw", d->copy.path);
    snprintf(more, sizeof(more), "file=%s,if=none,id=more,format=raw,readonly=on", d->script.path);
    return console_run(
               &(struct console_machine){.firmware = d->firmware,
                                         .kernel = d->kernel,
                                         .initrd = d->initrd,
                                         .isthmus = isthmus,
                                         .qemu = qemu,
                                         .answers = {{"debian", " login: ", "login", "root\n"},
                                                     {"root@debian", "# ", NULL, "sh /dev/vdb\n"}}},
               side, s, why, size) &&
           console_said(s, side, "login", why, size) &&
           (!d->gcc || console_said(s, side, "gcc", why, size));
}

bool debian_round(struct debian *d, struct bench_samples *s, bool qemu, char *why, unsigned size)
{
    return run_side(d, s, BENCH_ISTHMUS, why, size) &&
           (!qemu || run_side(d, s, BENCH_QEMU, why, size));
}
