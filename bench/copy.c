/* SPDX-License-Identifier: MIT */
/*
 * copy: put and get between two guests against memcpy of this process, against the reference
 * hypervisor's copy call and against two copies through a shared region; the cost of a small one;
 * and its cost as windows and guests become many.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SIZE_MIN_LOG2 = 6, SIZE_MAX_LOG2 = 24 };

static bool line(struct bench_samples *s, enum bench_side side, const char *text)
{
    uint64_t a, b, c, d;
    char way[32];
    double ns;

    if (sscanf(text, "row %31s %" SCNu64 " %lf", way, &a, &ns) == 3) {
        bench_add(s, side, (double)a / ns * 1e3, "%s %" PRIu64, way, a);
        return true;
    }
    if (!strcmp(text, "done"))
        return true;
    if (sscanf(text, "copy %31s %" SCNu64 " %" SCNu64 " %" SCNu64, way, &a, &b, &c) == 4) {
        bench_add(s, side, (double)a * (double)b / ((double)c * 1e-7) * 1e-6, "%s %" PRIu64, way,
                  a); /* MB/s */
        bench_add(s, side, (double)c * 100 / (double)b, "%s %" PRIu64 " ns", way, a);
        return true;
    }
    if (sscanf(text, "instruction %" SCNu64 " %" SCNu64, &a, &b) == 2) {
        bench_add(s, side, (double)b * 100 / (double)a, "loop ns");
        return true;
    }
    if (sscanf(text, "%31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, way, &a, &b, &c, &d) ==
        5) {
        bench_add(s, side, (double)c * 100 / (double)b, "%s %" PRIu64 " turn", way, a);
        bench_add(s, side, (double)d * 100 / (double)b, "%s %" PRIu64 " one", way, a);
        return true;
    }
    return false;
}

/* Seconds that count copies take, by memcpy of this process. */
static double copy_seconds(char *to, const char *from, size_t size, size_t count)
{
    double begin = bench_seconds();

    for (size_t i = 0; i < count; i++) {
        memcpy(to, from, size);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return bench_seconds() - begin;
}

/* As RAM of a machine is allocated: in huge pages, where the host has them. */
static char *buffer(size_t size)
{
    char *p = aligned_alloc((size_t)2 << 20, size);

    if (p)
        madvise(p, size, MADV_HUGEPAGE);
    return p;
}

/* memcpy of each size, as often as the guest copies, and the best of as many runs. */
static void host(struct bench_samples *s)
{
    enum { RUNS = 5 };
    size_t max = (size_t)1 << SIZE_MAX_LOG2;
    char *from = buffer(max), *to = buffer(max);

    for (unsigned log2 = SIZE_MIN_LOG2; log2 <= SIZE_MAX_LOG2 && from && to; log2 += 2) {
        size_t size = (size_t)1 << log2, count = ((size_t)64 << 20) / size;
        double best = INFINITY;

        count = count > 20000 ? 20000 : count;
        memset(from, 1, size);
        memset(to, 2, size);
        for (int i = 0; i < RUNS; i++)
            best = fmin(best, copy_seconds(to, from, size, count));
        bench_add(s, BENCH_HOST, (double)size * (double)count / best * 1e-6, "memcpy %zu", size);
    }
    free(from);
    free(to);
}

static void transfer_rows(const struct bench_samples *s, struct bench_report *r, const char *way,
                          const char *peer, enum bench_side side, const char *peer_key)
{
    for (unsigned log2 = SIZE_MIN_LOG2; log2 <= SIZE_MAX_LOG2; log2 += 2) {
        uint64_t size = UINT64_C(1) << log2;

        bench_row(r, (struct bench_row){way, size,
                                        bench_median(s, BENCH_ISTHMUS, "%s %" PRIu64, way, size),
                                        "MB/s", false, peer,
                                        bench_median(s, side, "%s %" PRIu64, peer_key, size)});
    }
}

/* The cost of a 64-byte put with n windows or guests, against with the fewest. */
static void number_rows(const struct bench_samples *s, struct bench_report *r, const char *what,
                        uint64_t first, uint64_t last, unsigned shift)
{
    static const char *const kinds[] = {"one", "turn"};

    for (unsigned k = 0; k < 2; k++)
        for (uint64_t n = first; n <= last; n <<= shift) {
            char name[32], peer[32];

            snprintf(name, sizeof(name), "%s, %s", what, k ? "each in turn" : "one used");
            snprintf(peer, sizeof(peer), "%" PRIu64 " %s", first, what);
            bench_row(
                r,
                (struct bench_row){
                    name, n, bench_median(s, BENCH_ISTHMUS, "%s %" PRIu64 " %s", what, n, kinds[k]),
                    "ns", true, peer,
                    bench_median(s, BENCH_ISTHMUS, "%s %" PRIu64 " %s", what, first, kinds[k])});
        }
}

static void rows(const struct bench_samples *s, struct bench_report *r)
{
    static const char *const ways[] = {"put", "get"};

    for (unsigned w = 0; w < 2; w++) {
        transfer_rows(s, r, ways[w], "host memcpy", BENCH_HOST, "memcpy");
        transfer_rows(s, r, ways[w], "hypercall", BENCH_ISTHMUS,
                      w ? "hypercalls-get" : "hypercalls-put");
        transfer_rows(s, r, ways[w], "two-copy", BENCH_ISTHMUS, "shared-two-copies");
    }
    transfer_rows(s, r, "two-copy", "qemu two-copy", BENCH_QEMU, "two-copy");
    for (unsigned w = 0; w < 2; w++) {
        char name[32];

        snprintf(name, sizeof(name), "%s, latency", ways[w]);
        bench_row(r, (struct bench_row){name, 64,
                                        bench_median(s, BENCH_ISTHMUS, "%s 64 ns", ways[w]) -
                                            bench_median(s, BENCH_ISTHMUS, "loop ns"),
                                        "ns", true, "goal", 150});
    }
    number_rows(s, r, "windows", 1, UINT64_C(1) << 20, 4);
    number_rows(s, r, "guests", 4, 64, 2);
}

const struct bench bench_copy = {
    .name = "copy",
    .help = "between guests; size: bytes, or how many windows or guests",
    .image = "bench/bench_copy.elf",
    .memory = UINT64_C(512) << 20,
    .hosted = "guest/bench_copy.elf",
    .line = line,
    .host = host,
    .rows = rows,
};
