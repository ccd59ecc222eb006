/* SPDX-License-Identifier: MIT */
#include "bench/machines.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "isthmus.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-riscv64"

enum { SECONDS_MAX = 300, LOG_MAX = 256 };

static void take_output(void *opaque, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, opaque);
}

static void take_log(void *opaque, enum isthmus_log_level level, const char *text)
{
    char *why = opaque;

    if (level == ISTHMUS_LOG_ERROR)
        snprintf(why, LOG_MAX, "%s", text);
}

/* Run a machine to its end and give back what it printed. */
static char *run_to_end(struct isthmus_config config, char *why, unsigned size)
{
    char *text = NULL, log[LOG_MAX] = "";
    size_t length;
    FILE *out = open_memstream(&text, &length);
    struct isthmus_limits limits = {.nanoseconds = SECONDS_MAX * UINT64_C(1000000000)};
    struct isthmus *m;
    bool ended;

    config.abi = ISTHMUS_ABI;
    config.output = take_output;
    config.output_opaque = out;
    config.log = take_log;
    config.log_opaque = log;
    m = out ? isthmus_new(&config, NULL) : NULL;
    ended = m && isthmus_run(m, &limits) == ISTHMUS_STOP_EXIT && !isthmus_exit_code(m);
    if (ended)
        isthmus_output_flush(m);
    isthmus_free(m);
    if (out)
        fclose(out);
    if (ended)
        return text;
    snprintf(why, size, "isthmus: %s %s", *log ? log : "the program failed:", text ? text : "");
    free(text);
    return NULL;
}

char *bench_on_isthmus(const char *image, uint64_t memory, char *why, unsigned size)
{
    return run_to_end((struct isthmus_config){.memory = memory, .bios = "none", .kernel = image},
                      why, size);
}

char *bench_hosted(const char *image, const char *hypervisor, char *why, unsigned size)
{
    enum { MIB = 1 << 20 };
    const struct isthmus_guest guests[] = {
        {.image = image, .name = "holder", .memory = 64 * MIB},
        {.image = image, .name = "peer", .memory = 64 * MIB},
    };
    const struct isthmus_window windows[] = {
        {"holder", "peer", ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W, 1, BENCH_HOSTED_WINDOW},
    };
    const char *const names[] = {"holder", "peer"};
    const struct isthmus_shared shared[] = {{.guests = names, .guests_n = 2, .size = 64 << 10}};

    return run_to_end((struct isthmus_config){.memory = 256 * MIB,
                                              .hypervisor = hypervisor,
                                              .guests = guests,
                                              .guests_n = 2,
                                              .windows = windows,
                                              .windows_n = 1,
                                              .shared = shared,
                                              .shared_n = 1,
                                              .copy_hypercalls = true},
                      why, size);
}

bool bench_have_qemu(void)
{
    const char *path = getenv("PATH");

    while (path && *path) {
        char file[4096];
        size_t n = strcspn(path, ":");

        snprintf(file, sizeof(file), "%.*s/" QEMU, (int)n, path);
        if (!access(file, X_OK))
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

/* Read fd to its end, or until SECONDS_MAX have passed. Result: false then. */
static bool read_all(int fd, FILE *out)
{
    double end = bench_seconds() + SECONDS_MAX;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char buffer[4096];
        ssize_t n;

        if (poll(&p, 1, 1000) == 0) {
            if (bench_seconds() > end)
                return false;
            continue;
        }
        n = read(fd, buffer, sizeof(buffer));
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            fwrite(buffer, 1, (size_t)n, out);
    }
}

/* Start QEMU with its UART on a pipe. Result: the pipe's end to read, or -1. */
static int start_qemu(const char *image, uint64_t memory, pid_t *pid)
{
    char size[32];
    const char *argv[] = {QEMU,   "-M",      "virt",  "-m",       size,   "-bios",
                          "none", "-kernel", image,   "-display", "none", "-monitor",
                          "none", "-serial", "stdio", NULL};
    int ends[2], err, in = open("/dev/null", O_RDONLY | O_CLOEXEC);

    snprintf(size, sizeof(size), "%" PRIu64 "M", memory >> 20);
    if (in < 0 || pipe2(ends, O_CLOEXEC)) {
        close(in);
        return -1;
    }
    err = child_start(QEMU, argv, in, ends[1], -1, pid);
    close(in);
    close(ends[1]);
    if (!err)
        return ends[0];
    close(ends[0]);
    return -1;
}

char *bench_on_qemu(const char *image, uint64_t memory, char *why, unsigned size)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    pid_t pid;
    int status = -1, fd = out ? start_qemu(image, memory, &pid) : -1;

    if (fd >= 0) {
        if (!read_all(fd, out))
            kill(pid, SIGKILL);
        close(fd);
        waitpid(pid, &status, 0);
    }
    if (out)
        fclose(out);
    if (fd >= 0 && WIFEXITED(status) && !WEXITSTATUS(status))
        return text;
    snprintf(why, size, QEMU ": failed: %s", text ? text : "");
    free(text);
    return NULL;
}
