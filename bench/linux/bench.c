/* SPDX-License-Identifier: MIT */
/*
 * What `isthmus bench linux` runs in user mode: one part, named by its first argument. A line
 * "KEY VALUE" is a result. Time is the kernel's monotonic clock, which is the machine's time CSR
 * and so the host's. It is asked by a system call: user mode of a guest of KVM may not read the CSR
 * where QEMU 10.0 starts the guest and the machine has no Sscofpmf (QEMU sets scounteren to 0, and
 * only the guest's driver of the counters opens it again).
 */
#define _GNU_SOURCE
#include "bench/kernels.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 20, SYSCALLS = 200000, MIX = 4, CONNECT_TRIES = 100 };

static char *piece;

static double seconds(void)
{
    struct timespec t;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* The mix: list, matrix, state machine and CRC, as often as makes some 24 million instructions. */
static int compute(char **args)
{
    double best[MIX], sum = 0;
    uint64_t check = 0;

    for (size_t i = 0; i < MIX && i < bench_kernels_n; i++) {
        best[i] = 1e9;
        for (int run = 0; run < KERNEL_RUNS; run++) {
            double begin = seconds(), took;

            check ^= bench_kernels[i].run(bench_kernels[i].rounds);
            took = seconds() - begin;
            best[i] = took < best[i] ? took : best[i];
        }
        sum += best[i];
    }
    printf("compute %g %llx\n", 1 / sum, (unsigned long long)check);
    return 0;
}

static int syscalls(char **args)
{
    double best = 1e9;

    for (int run = 0; run < 5; run++) {
        double begin = seconds(), took;

        for (int i = 0; i < SYSCALLS; i++)
            syscall(SYS_getppid);
        took = seconds() - begin;
        best = took < best ? took : best;
    }
    printf("syscalls %g\n", SYSCALLS / best);
    return 0;
}

/* Pieces through a whole device, past the kernel's cache. Result: MB/s, or negative. */
static double through(int fd, int n, ssize_t (*move)(int fd))
{
    double begin = seconds();

    if (lseek(fd, 0, SEEK_SET))
        return -1;
    for (int i = 0; i < n; i++)
        if (move(fd) != PIECE)
            return -1;
    if (fsync(fd))
        return -1;
    return n * (double)PIECE * 1e-6 / (seconds() - begin);
}

static ssize_t read_piece(int fd)
{
    return read(fd, piece, PIECE);
}

static ssize_t write_piece(int fd)
{
    return write(fd, piece, PIECE);
}

/* DEVICE MEBIBYTES */
static int block(char **args)
{
    int fd = open(args[0], O_RDWR | O_DIRECT), n = atoi(args[1]);
    double write_rate, read_rate;

    if (fd < 0)
        return fail(args[0]);
    write_rate = through(fd, n, write_piece);
    read_rate = through(fd, n, read_piece);
    if (write_rate < 0 || read_rate < 0)
        return fail(args[0]);
    printf("block-write %g\nblock-read %g\n", write_rate, read_rate);
    return 0;
}

static int connect_to(const char *host, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    inet_pton(AF_INET, host, &to.sin_addr);
    for (int i = 0; i < CONNECT_TRIES; i++) {
        int s = socket(AF_INET, SOCK_STREAM, 0);

        if (s >= 0 && !connect(s, (struct sockaddr *)&to, sizeof(to)))
            return s;
        if (s >= 0)
            close(s);
        usleep(200000);
    }
    return -1;
}

/* ADDRESS PORT MEBIBYTES: a stream, whose end the other side confirms by one byte. */
static int send_stream(char **args)
{
    int s = connect_to(args[0], args[1]), n = atoi(args[2]);
    double begin = seconds();
    char done;

    if (s < 0)
        return fail("connect");
    for (int i = 0; i < n; i++)
        for (ssize_t at = 0, sent; at < PIECE; at += sent) {
            sent = write(s, piece + at, (size_t)(PIECE - at));
            if (sent <= 0)
                return fail("send");
        }
    shutdown(s, SHUT_WR);
    if (read(s, &done, 1) != 1)
        return fail("confirmation");
    printf("tcp %g\n", n * (double)PIECE * 1e-6 / (seconds() - begin));
    return 0;
}

/* PORT: one stream. */
static int receive_stream(char **args)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(args[0]))};
    int listener = socket(AF_INET, SOCK_STREAM, 0), s;

    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1))
        return fail("listen");
    s = accept(listener, NULL, NULL);
    while (read(s, piece, PIECE) > 0)
        ;
    return write(s, "", 1) != 1;
}

static const struct {
    const char *name;
    int args;
    int (*run)(char **args);
} parts[] = {
    {"compute", 0, compute},  {"syscalls", 0, syscalls},      {"block", 2, block},
    {"send", 3, send_stream}, {"receive", 1, receive_stream},
};

int main(int argc, char **argv)
{
    piece = aligned_alloc(4096, PIECE);
    memset(piece, 0x5a, PIECE);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (argc == parts[i].args + 2 && !strcmp(argv[1], parts[i].name))
            return parts[i].run(argv + 2);
    fprintf(stderr, "usage: bench PART ARGUMENTS\n");
    return 2;
}
