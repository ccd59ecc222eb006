/* SPDX-License-Identifier: MIT */
/* Running benches, samples and their medians, and the report. */
#include "bench/bench.h"
#include "bench/chart.h"
#include "bench/machines.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES_MAX = 512, KEY_MAX = 48, CHECKS_MAX = 64, NAME_MAX_BYTES = 96 };

struct bench_samples {
    unsigned n, checks_n;
    struct {
        char key[KEY_MAX];
        unsigned n[BENCH_SIDES];
        double values[BENCH_SIDES][BENCH_ROUNDS_MAX];
    } samples[SAMPLES_MAX];
    struct {
        char key[KEY_MAX];
        uint64_t value;
    } checks[CHECKS_MAX];
    char differs[KEY_MAX]; /* key of a check whose values differ; "": none */
};

struct bench_report {
    json_t *rows;
    bool table; /* print rows as they come */
    json_t *skipped;
    bool qemu;
    const char *prefix;
};

double bench_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- samples --- */

static unsigned find_key(const struct bench_samples *s, const char *key)
{
    unsigned i = 0;

    while (i < s->n && strcmp(s->samples[i].key, key))
        i++;
    return i;
}

void bench_add(struct bench_samples *s, enum bench_side side, double value, const char *fmt, ...)
{
    char key[KEY_MAX];
    va_list ap;
    unsigned i;

    va_start(ap, fmt);
    vsnprintf(key, sizeof(key), fmt, ap);
    va_end(ap);
    i = find_key(s, key);
    if (i == SAMPLES_MAX)
        return;
    if (i == s->n) {
        strcpy(s->samples[i].key, key);
        s->n++;
    }
    if (s->samples[i].n[side] < BENCH_ROUNDS_MAX)
        s->samples[i].values[side][s->samples[i].n[side]++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const struct bench_samples *s, enum bench_side side, const char *fmt, ...)
{
    double sorted[BENCH_ROUNDS_MAX];
    char key[KEY_MAX];
    va_list ap;
    unsigned i, n;

    va_start(ap, fmt);
    vsnprintf(key, sizeof(key), fmt, ap);
    va_end(ap);
    i = find_key(s, key);
    n = i < s->n ? s->samples[i].n[side] : 0;
    if (!n)
        return NAN;
    memcpy(sorted, s->samples[i].values[side], n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

void bench_check(struct bench_samples *s, uint64_t value, const char *key)
{
    unsigned i = 0;

    while (i < s->checks_n && strcmp(s->checks[i].key, key))
        i++;
    if (i == CHECKS_MAX)
        return;
    if (i == s->checks_n) {
        snprintf(s->checks[i].key, KEY_MAX, "%s", key);
        s->checks[i].value = value;
        s->checks_n++;
    }
    if (s->checks[i].value != value)
        snprintf(s->differs, KEY_MAX, "%s", key);
}

/* --- the report --- */

static json_t *number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static void print_number(double v)
{
    if (isnan(v))
        printf(" %12s", "-");
    else
        printf(" %12.*f", fabs(v) < 10 ? 2 : fabs(v) < 1000 ? 1 : 0, v);
}

/* A row's name where several benches are in one report. */
static const char *full_name(const struct bench_report *r, const char *row, char *name, size_t size)
{
    snprintf(name, size, "%s%s%s", r->prefix, *r->prefix ? "." : "", row);
    return name;
}

void bench_skip(struct bench_report *r, const char *name, const char *why)
{
    char full[NAME_MAX_BYTES];

    json_object_set_new(r->skipped, full_name(r, name, full, sizeof(full)), json_string(why));
    if (r->table)
        printf("%-22s skipped: %s\n", name, why);
}

void bench_row(struct bench_report *r, struct bench_row row)
{
    double ratio = row.less_is_better ? row.peer_value / row.value : row.value / row.peer_value;
    char name[NAME_MAX_BYTES];

    if (isnan(row.value))
        return;
    if (row.value <= 0 || row.peer_value <= 0)
        ratio = NAN; /* less than can be measured */
    full_name(r, row.name, name, sizeof(name));
    json_array_append_new(r->rows,
                          json_pack("{s:s, s:I, s:o, s:s, s:s, s:o, s:o}", "name", name, "size",
                                    (json_int_t)row.size, "value", number(row.value), "unit",
                                    row.unit, "peer", row.peer, "peer_value",
                                    number(row.peer_value), "ratio", number(ratio)));
    if (!r->table)
        return;
    printf("%-22s %10" PRIu64, row.name, row.size);
    print_number(row.value);
    printf(" %-5s %-14s", row.unit, row.peer);
    print_number(row.peer_value);
    if (isnan(ratio))
        printf(" %8s\n", "-");
    else
        printf(" %8.*f\n", ratio < 10 ? 2 : 1, ratio);
}

/* --- running --- */

static const struct bench *const benches[] = {&bench_copy, &bench_switch, &bench_compute,
                                              &bench_linux};

/* Take what a program printed, line by line. Result: false at a line that cannot be read. */
static bool take_lines(const struct bench *b, struct bench_samples *s, enum bench_side side,
                       char *text, char *why, size_t size)
{
    char *save, *line;

    for (line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
        if (!b->line(s, side, line)) {
            snprintf(why, size, "%s: %s", side == BENCH_QEMU ? "QEMU" : "isthmus", line);
            return false;
        }
    return true;
}

/* The paths of what a bench runs. */
struct files {
    char *image, *hosted, *hypervisor;
    void *prepared;
};

/* Take the lines of guests: "[NAME] @...". */
static bool take_guest_lines(const struct bench *b, struct bench_samples *s, char *text, char *why,
                             size_t size)
{
    char *save, *line;

    for (line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        char *at = *line == '[' ? strstr(line, "] @") : NULL;

        if (at && !b->line(s, BENCH_ISTHMUS, at + 3)) {
            snprintf(why, size, "%s", line);
            return false;
        }
    }
    return true;
}

static bool run_round(const struct bench *b, struct bench_samples *s, const struct files *f,
                      bool qemu, char *why, unsigned size)
{
    char *text;
    bool good;

    if (b->round)
        return b->round(f->prepared, s, qemu, why, size);
    text = bench_on_isthmus(f->image, b->memory, why, size);
    good = text && take_lines(b, s, BENCH_ISTHMUS, text, why, size);

    free(text);
    if (good && qemu) {
        text = bench_on_qemu(f->image, b->memory, why, size);
        good = text && take_lines(b, s, BENCH_QEMU, text, why, size);
        free(text);
    }
    if (good && f->hosted) {
        text = bench_hosted(f->hosted, f->hypervisor, why, size);
        good = text && take_guest_lines(b, s, text, why, size);
        free(text);
    }
    if (good && b->host)
        b->host(s);
    return good;
}

/* All rounds of one bench. Result: false, and what went wrong in why. */
static bool run_bench(const struct bench *b, unsigned rounds, const struct files *f,
                      struct bench_report *r, char *why, unsigned size)
{
    struct bench_samples *s = calloc(1, sizeof(*s));
    bool qemu = r->qemu && bench_have_qemu(), good = s;

    snprintf(why, size, "not enough memory");
    for (unsigned i = 0; i < rounds && good; i++)
        good = run_round(b, s, f, qemu, why, size);
    if (good && *s->differs) {
        snprintf(why, size, "%s: the results differ between machines", s->differs);
        good = false;
    }
    if (good)
        b->rows(s, r);
    free(s);
    return good;
}

static void print_head(const struct bench *b)
{
    printf("%s: %s\n%-22s %10s %12s %-5s %-14s %12s %8s\n", b->name, b->help, "name", "size",
           "value", "unit", "peer", "peer value", "ratio");
}

static int run_named(const struct bench *b, unsigned rounds, struct bench_report *r,
                     const struct bench_host *h)
{
    struct files f = {.image = h->find(b->image)};
    char why[512];
    bool good = f.image;

    if (good && b->hosted) {
        f.hosted = h->find(b->hosted);
        f.hypervisor = f.hosted ? h->find("hypervisor/hypervisor.elf") : NULL;
        good = f.hypervisor;
    }
    if (good && r->table)
        print_head(b);
    if (good && !(good = run_bench(b, rounds, &f, r, why, sizeof(why))))
        h->complain("bench %s: %s", b->name, why);
    if (good && r->table)
        printf("\n");
    free(f.image);
    free(f.hosted);
    free(f.hypervisor);
    return !good;
}

/* One that runs what is to be fetched first; it is skipped where that cannot be. */
static int run_fetched(const struct bench *b, unsigned rounds, struct bench_report *r,
                       const struct bench_host *h)
{
    struct files f = {.prepared = NULL};
    bool unreachable = false, good = false;
    char why[512], *folder = h->fetch(&unreachable);

    if (!folder && unreachable) {
        static const char reason[] = "Debian's packages cannot be fetched";

        json_object_set_new(r->skipped, b->name, json_string(reason));
        if (r->table)
            printf("%s: skipped: %s\n\n", b->name, reason);
        return 0;
    }
    if (folder && (f.prepared = b->prepare(folder, h, why, sizeof(why)))) {
        if (r->table)
            print_head(b);
        good = run_bench(b, rounds, &f, r, why, sizeof(why));
        if (good && r->table)
            printf("\n");
        b->release(f.prepared);
    }
    if (folder && !good)
        h->complain("bench %s: %s", b->name, why);
    free(folder);
    return !good;
}

static bool is_bench(const char *name)
{
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
        if (!strcmp(name, benches[i]->name))
            return true;
    return false;
}

static int run_benches(const char *name, unsigned rounds, struct bench_report *r,
                       const struct bench_host *host)
{
    int status = 0;

    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]) && !status; i++) {
        const struct bench *b = benches[i];

        if (name && strcmp(name, b->name))
            continue;
        r->prefix = name ? "" : b->name;
        status = b->prepare ? run_fetched(b, rounds, r, host) : run_named(b, rounds, r, host);
    }
    return status;
}

static void print_json(const char *name, const struct bench_report *r)
{
    json_t *root = json_pack("{s:s, s:O}", "bench", name ? name : "all", "rows", r->rows);

    if (json_object_size(r->skipped))
        json_object_set(root, "skipped", r->skipped);
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(root);
}

/* Open the file for a chart before the work is done; what it holds stays until then. */
static FILE *open_chart(const char *svg, const struct bench_host *host)
{
    FILE *chart = fopen(svg, "ae");

    if (!chart)
        host->complain("--svg %s: cannot write the file: %s", svg, strerror(errno));
    return chart;
}

int bench_main(const char *name, bool json, const char *svg, bool qemu, unsigned rounds,
               const struct bench_host *host)
{
    struct bench_report r = {.table = !json, .qemu = qemu, .prefix = ""};
    FILE *chart = NULL;
    int status, err = 0;

    if (name && !is_bench(name)) {
        host->complain("bench %s: there is none of this name; expected copy, switch, compute or "
                       "linux", *name ? name : "''");
        return 2;
    }
    if (svg && !(chart = open_chart(svg, host)))
        return 1;
    r.rows = json_array();
    r.skipped = json_object();
    status = run_benches(name, rounds, &r, host);
    if (json && !status)
        print_json(name, &r);
    if (chart && status)
        fclose(chart);
    else if (chart)
        err = bench_chart(chart, r.rows);
    if (err)
        host->complain("--svg %s: cannot write the file: %s", svg, strerror(-err));
    json_decref(r.rows);
    json_decref(r.skipped);
    return err ? 1 : status;
}
