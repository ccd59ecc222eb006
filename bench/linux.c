/* SPDX-License-Identifier: MIT */
/*
 * linux: Debian's stock kernel on isthmus and on QEMU, with the same files, and in it guests of KVM
 * under Debian's own QEMU. One start of a machine gives a value of every row: bench/linux/init.sh
 * does the parts one after another and says what it measured; moments (the prompts) are taken here,
 * as their lines come.
 */
#include "bench/bench.h"
#include "bench/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SECONDS_MAX = 900, SCRATCH_BYTES = 256 << 20, LINE_MAX_BYTES = 1024 };

struct linux_files {
    char folder[64]; /* of temporary files */
    char kernel[PATH_MAX], nested[PATH_MAX], initrd[128], scratch[128];
    int listener;
    unsigned port;
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
        (bench = read_file(program, &bench_n)) && (out = fopen(f->initrd, "wb"))) {
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

static void *linux_prepare(const char *folder, char *(*find)(const char *name), char *why,
                           unsigned size)
{
    struct linux_files *f = calloc(1, sizeof(*f));
    int scratch;

    snprintf(why, size, "cannot make temporary files");
    if (!f)
        return NULL;
    snprintf(f->folder, sizeof(f->folder), "/tmp/isthmus-bench-XXXXXX");
    if (!mkdtemp(f->folder)) {
        free(f);
        return NULL;
    }
    snprintf(f->kernel, sizeof(f->kernel), "%s/vmlinux", folder);
    snprintf(f->nested, sizeof(f->nested), "%s/disk.img", folder);
    snprintf(f->initrd, sizeof(f->initrd), "%s/initrd", f->folder);
    snprintf(f->scratch, sizeof(f->scratch), "%s/scratch.img", f->folder);
    scratch = open(f->scratch, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (scratch >= 0 && !posix_fallocate(scratch, 0, SCRATCH_BYTES) &&
        make_initrd(f, folder, find) && open_listener(f)) {
        close(scratch);
        return f;
    }
    close(scratch);
    bench_linux.release(f);
    return NULL;
}

static void linux_release(void *prepared)
{
    struct linux_files *f = prepared;

    unlink(f->initrd);
    unlink(f->scratch);
    rmdir(f->folder);
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

/* Start a machine with its console on a pipe. Result: the pipe's end to read, or -1. */
static int start(const struct linux_files *f, enum bench_side side, pid_t *pid)
{
    char append[128], ours[PATH_MAX + 16], ro[PATH_MAX + 64], rw[256];
    const char *const isthmus[] = {"isthmus",  "run",      "--harts", "2",        "--memory",
                                   "1G",       "--kernel", f->kernel, "--initrd", f->initrd,
                                   "--append", append,     "--disk",  ours,       "--disk",
                                   f->scratch, "--net",    "user",    NULL};
    const char *const qemu[] = {"qemu-system-riscv64",
                                "-M",
                                "virt",
                                "-cpu",
                                "rv64,h=true",
                                "-smp",
                                "2",
                                "-m",
                                "1G",
                                "-display",
                                "none",
                                "-serial",
                                "stdio",
                                "-monitor",
                                "none",
                                "-kernel",
                                f->kernel,
                                "-initrd",
                                f->initrd,
                                "-append",
                                append,
                                "-drive",
                                ro,
                                "-device",
                                "virtio-blk-device,drive=ro",
                                "-drive",
                                rw,
                                "-device",
                                "virtio-blk-device,drive=rw",
                                "-netdev",
                                "user,id=n",
                                "-device",
                                "virtio-net-device,netdev=n",
                                NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], err;

    snprintf(append, sizeof(append), "console=ttyS0 quiet port=%u", f->port);
    snprintf(ours, sizeof(ours), "%s,readonly", f->nested);
    snprintf(ro, sizeof(ro), "file=%s,if=none,id=ro,format=raw,readonly=on", f->nested);
    snprintf(rw, sizeof(rw), "file=%s,if=none,id=rw,format=raw", f->scratch);
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    err = side == BENCH_QEMU
              ? posix_spawnp(pid, qemu[0], &actions, NULL, (char **)qemu, environ)
              : posix_spawn(pid, "/proc/self/exe", &actions, NULL, (char **)isthmus, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!err)
        return ends[0];
    close(ends[0]);
    return -1;
}

/* A line of the console that begins with "@ ", at a time since the machine's start. */
static void take_line(struct bench_samples *s, enum bench_side side, const char *line, double at,
                      double *nested_start)
{
    char key[32];
    double value;
    int n = sscanf(line, "@ %31s %lf", key, &value);

    if (n == 2)
        bench_add(s, side, value, "%s", key);
    else if (n == 1 && !strcmp(key, "nested-start"))
        *nested_start = at;
    else if (n == 1 && !strcmp(key, "nested-prompt"))
        bench_add(s, side, at - *nested_start, "%s", key);
    else if (n == 1)
        bench_add(s, side, at, "%s", key);
}

/* Follow the console to its end. Result: false where it was cut off after SECONDS_MAX. */
static bool follow(int fd, struct bench_samples *s, enum bench_side side, double begin, char *last)
{
    char line[LINE_MAX_BYTES];
    double nested_start = NAN;
    size_t n = 0;

    while (bench_seconds() < begin + SECONDS_MAX) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c;

        if (poll(&p, 1, 1000) == 0)
            continue;
        if (read(fd, &c, 1) <= 0)
            return true;
        if (c != '\n' && c != '\r' && n < sizeof(line) - 1) {
            line[n++] = c;
            continue;
        }
        line[n] = 0;
        if (!strncmp(line, "@ ", 2))
            take_line(s, side, line, bench_seconds() - begin, &nested_start);
        else if (n)
            strcpy(last, line);
        n = 0;
    }
    return false;
}

static bool run_side(const struct linux_files *f, struct bench_samples *s, enum bench_side side,
                     char *why, unsigned size)
{
    char last[LINE_MAX_BYTES] = "";
    double begin = bench_seconds();
    pid_t pid;
    int fd = start(f, side, &pid), status = -1;
    bool ended;

    if (fd < 0) {
        snprintf(why, size, "a machine could not be started: %s", strerror(errno));
        return false;
    }
    ended = follow(fd, s, side, begin, last);
    if (!ended)
        kill(pid, SIGKILL);
    close(fd);
    waitpid(pid, &status, 0);
    snprintf(why, size, "%s %s: %s", side == BENCH_QEMU ? "QEMU" : "isthmus",
             ended ? "failed" : "did not end", last);
    /* What a peer does not get to has no number of its own. */
    return ended && WIFEXITED(status) && !WEXITSTATUS(status) &&
           (side == BENCH_QEMU || !isnan(bench_median(s, side, "nested-tcp")));
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
           (!qemu || run_side(f, s, BENCH_QEMU, why, size));
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
        {"tcp", "TCP to the host", "MB/s", false, 64 << 20},
        {"nested-tcp", "TCP nested to nested", "MB/s", false, 32 << 20},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        bench_row(r, (struct bench_row){table[i].name, table[i].size,
                                        bench_median(s, BENCH_ISTHMUS, "%s", table[i].key),
                                        table[i].unit, table[i].less_is_better, "qemu",
                                        bench_median(s, BENCH_QEMU, "%s", table[i].key)});
}

const struct bench bench_linux = {
    .name = "linux",
    .help = "the stock kernel, and guests of KVM in it; 2 harts; size: bytes moved",
    .prepare = linux_prepare,
    .round = linux_round,
    .release = linux_release,
    .rows = rows,
};
