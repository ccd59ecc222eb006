/* SPDX-License-Identifier: MIT */
/*
 * The benches behind `isthmus bench`.
 *
 * A bench is a bare-metal program that measures itself with the time CSR (host time, 100 ns a
 * tick), so that neither the start of a machine nor its end is in the numbers. It runs on isthmus
 * and on QEMU in turn, several rounds; of each number the median counts. What it prints, a line a
 * measurement, becomes samples: a key, and a value from each side. Rows are made from the medians.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_side { BENCH_ISTHMUS, BENCH_QEMU, BENCH_HOST, BENCH_SIDES };
enum { BENCH_ROUNDS_MAX = 15 };

struct bench_samples;
struct bench_report;
struct bench_host;

struct bench {
    const char *name;
    const char *help;
    const char *image;  /* in the build tree */
    uint64_t memory;    /* bytes of the machine */
    const char *hosted; /* a program of two guests, holder and peer, of the reference hypervisor, on
                           isthmus only; what it prints that counts begins with @. NULL: none */
    /* Take a line that the program printed. Result: false where it cannot be read. */
    bool (*line)(struct bench_samples *s, enum bench_side side, const char *line);
    /* Measure the host's side once, in this process. NULL: there is none. */
    void (*host)(struct bench_samples *s);
    void (*rows)(const struct bench_samples *s, struct bench_report *r);
    /* Benches with machines of their own, which have no image: what they run is made of the files
     * in a folder that bench_host.fetch gives; then rounds, on isthmus and QEMU in turn. Results:
     * NULL, false: it failed; why says so in at most size bytes. */
    void *(*prepare)(const char *folder, const struct bench_host *host, char *why, unsigned size);
    bool (*round)(void *prepared, struct bench_samples *s, bool qemu, char *why, unsigned size);
    void (*release)(void *prepared);
};

extern const struct bench bench_compute, bench_copy, bench_linux, bench_switch;

/* One more value of a sample, by its printf-like key. */
void bench_add(struct bench_samples *s, enum bench_side side, double value, const char *key, ...)
    __attribute__((format(printf, 4, 5)));
/* The median; NAN where that side has none. */
double bench_median(const struct bench_samples *s, enum bench_side side, const char *key, ...)
    __attribute__((format(printf, 3, 4)));
/* A result that must be the same on all sides and in all rounds. */
void bench_check(struct bench_samples *s, uint64_t value, const char *key);

/* One row: value against peer_value (NAN: not measured), in the same unit, of which more is better
 * or less. */
struct bench_row {
    const char *name;
    uint64_t size;
    double value;
    const char *unit;
    bool less_is_better;
    const char *peer;
    double peer_value;
};
void bench_row(struct bench_report *r, struct bench_row row);

/* Say why a row is not there. */
void bench_skip(struct bench_report *r, const char *name, const char *why);

/* Seconds of a clock that only goes forward. */
double bench_seconds(void);

/* A window of this size is between the two guests of bench.hosted. */
#define BENCH_HOSTED_WINDOW (UINT64_C(17) << 20)

/* What the benches ask of the command. */
struct bench_host {
    /* The path of an image: malloc'ed, or NULL after complaining. */
    char *(*find)(const char *name);
    /* The folder with the kernel and the disk of bench linux, the same; *unreachable: they cannot
     * be fetched. */
    char *(*fetch)(bool *unreachable);
    /* The folder of a variant of what boot/debian.sh makes, if it was made: malloc'ed, or NULL. */
    char *(*cached)(const char *variant);
    void (*complain)(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
};

/* The command: run the named bench, or all where name is NULL, with `rounds` rounds, on QEMU too
 * where that is wanted and installed, and print a table or a JSON object; svg: a file for a chart
 * of the ratios, or NULL. Result: exit status. */
int bench_main(const char *name, bool json, const char *svg, bool qemu, unsigned rounds,
               const struct bench_host *host);

#endif
