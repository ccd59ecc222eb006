/* SPDX-License-Identifier: MIT */
/*
 * isthmus demo: three guests on the reference hypervisor. alice owns a window that holds a file,
 * bob gets the file out of it and writes it to its console, mallory tries what it must not.
 *
 * The guests speak through their consoles: a line "[bob] @key value" tells a result
 * (docs/hypervisor.md, "The demo's lines"). The machine's console output comes through a hook, is
 * cut into lines here, and a table says what to do with each key.
 */
#include "bench/temporary.h"
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define FILE_MAX (256 * MIB)
#define SECOND_NS UINT64_C(1000000000)
enum { LINE_MAX_BYTES = 4096, TEXT_BYTES = 128, COPY_MIB = 4, COPY_MS = 100, TIMEOUT_S = 300 };

struct demo {
    /* options */
    const char *path; /* of the file that alice holds */
    bool json;

    /* what the guests told */
    char mode[TEXT_BYTES], sha256[TEXT_BYTES], reply[TEXT_BYTES], drop_status[TEXT_BYTES],
        hammer_status[TEXT_BYTES], error[TEXT_BYTES];
    uint64_t got, exits, preemptions, transfer_ns, drop_unchanged, get_exits, put_exits;
    double get_mb_s, put_mb_s;
    json_t *refused, *allowed; /* lists of objects {"what", "how"} */

    /* the file that bob writes */
    FILE *copy; /* it has no name */
    bool copy_failed, copy_ended;

    char line[LINE_MAX_BYTES];
    size_t line_n;

    /* what was measured here */
    uint64_t size;
    bool identical;
    double memcpy_mb_s, seconds;
};

/* --- Lines of the guests --- */

static void take_data(struct demo *d, const char *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t group = 0;
    unsigned bits = 0;

    for (; *text && *text != '='; text++) {
        const char *at = strchr(alphabet, *text);

        if (!at) {
            d->copy_failed = true;
            return;
        }
        group = group << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (fputc((int)(group >> bits & 0xff), d->copy) == EOF)
                d->copy_failed = true;
        }
    }
}

static void take_file_end(struct demo *d, const char *text)
{
    (void)text;
    d->copy_ended = true;
}

/* "WHAT HOW" into a list. */
static void take_attempt(json_t *list, const char *text)
{
    size_t n = strcspn(text, " ");
    const char *how = text[n] ? text + n + 1 : "";

    json_array_append_new(list, json_pack("{s:s%, s:s}", "what", text, n, "how", how));
}

static void take_refused(struct demo *d, const char *text)
{
    take_attempt(d->refused, text);
}

static void take_allowed(struct demo *d, const char *text)
{
    take_attempt(d->allowed, text);
}

static const struct {
    const char *key;
    enum { AS_TEXT, AS_INTEGER, AS_NUMBER, BY_FUNCTION } as;
    size_t offset; /* in struct demo */
    void (*take)(struct demo *d, const char *text);
} keys[] = {
#define FIELD(key, as, field) {key, as, offsetof(struct demo, field), NULL}
    FIELD("mode", AS_TEXT, mode),
    FIELD("sha256", AS_TEXT, sha256),
    FIELD("reply", AS_TEXT, reply),
    FIELD("drop_status", AS_TEXT, drop_status),
    FIELD("hammer_status", AS_TEXT, hammer_status),
    FIELD("error", AS_TEXT, error),
    FIELD("got", AS_INTEGER, got),
    FIELD("exits_during_transfer", AS_INTEGER, exits),
    FIELD("preemptions_during_transfer", AS_INTEGER, preemptions),
    FIELD("transfer_ns", AS_INTEGER, transfer_ns),
    FIELD("drop_unchanged", AS_INTEGER, drop_unchanged),
    FIELD("get_exits", AS_INTEGER, get_exits),
    FIELD("put_exits", AS_INTEGER, put_exits),
    FIELD("get_mb_s", AS_NUMBER, get_mb_s),
    FIELD("put_mb_s", AS_NUMBER, put_mb_s),
    {"data", BY_FUNCTION, 0, take_data},
    {"file_end", BY_FUNCTION, 0, take_file_end},
    {"refused", BY_FUNCTION, 0, take_refused},
    {"allowed", BY_FUNCTION, 0, take_allowed},
};

static void take_key(struct demo *d, const char *key, size_t n, const char *value)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        void *field = (char *)d + keys[i].offset;

        if (strlen(keys[i].key) != n || strncmp(keys[i].key, key, n))
            continue;
        switch (keys[i].as) {
        case AS_TEXT:
            snprintf(field, TEXT_BYTES, "%s", value);
            break;
        case AS_INTEGER:
            *(uint64_t *)field = strtoull(value, NULL, 10);
            break;
        case AS_NUMBER:
            *(double *)field = strtod(value, NULL);
            break;
        case BY_FUNCTION:
            keys[i].take(d, value);
            break;
        }
    }
}

/* A whole console line. What is no "[guest] @key value" is shown, but for firmware's banner. */
static void take_line(struct demo *d)
{
    char *at = strstr(d->line, "] @");
    size_t n;

    if (d->line[0] == '[' && at) {
        at += 3;
        n = strcspn(at, " ");
        take_key(d, at, n, at[n] ? at + n + 1 : "");
    } else if (!d->json && (d->line[0] == '[' || !strncmp(d->line, "hypervisor:", 11))) {
        printf("%s\n", d->line);
        fflush(stdout);
    }
}

static void take_output(void *opaque, const void *bytes, size_t n)
{
    struct demo *d = opaque;
    const char *from = bytes;

    for (; n > 0; n--, from++) {
        if (*from == '\n') {
            d->line[d->line_n] = 0;
            take_line(d);
            d->line_n = 0;
        } else if (*from != '\r' && d->line_n < sizeof(d->line) - 1) {
            d->line[d->line_n++] = *from;
        }
    }
}

/* --- Files --- */

static int check_file(struct demo *d)
{
    struct stat st;

    if (stat(d->path, &st)) {
        complain("--file %s: cannot read the file: %s", d->path, strerror(errno));
        return EXIT_FAILED;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX) {
        complain("--file %s: expected a regular file of at most 256 MiB", d->path);
        return EXIT_FAILED;
    }
    d->size = (uint64_t)st.st_size;
    return 0;
}

static int open_copy(struct demo *d)
{
    struct temporary t;

    d->copy = temporary_make(&t) ? fdopen(t.fd, "w+") : NULL;
    if (d->copy)
        return 0;
    complain("%s: cannot make a file there: %s", temporary_folder(), strerror(errno));
    return EXIT_FAILED;
}

/* Compare what bob wrote with what alice held. */
static bool compare(struct demo *d)
{
    FILE *original = fopen(d->path, "re");
    int a = 0, b = 0;

    if (!original)
        return false;
    if (fflush(d->copy) || d->copy_failed || !d->copy_ended)
        a = 1;
    rewind(d->copy);
    while (a == b && a != EOF) {
        a = getc(original);
        b = getc(d->copy);
    }
    fclose(original);
    return a == b;
}

/* --- The host's memcpy, for comparison --- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* Megabytes (10^6) a second that memcpy copies between two buffers as large as the guests'. */
static double measure_memcpy(void)
{
    size_t n = COPY_MIB * MIB;
    char *from = aligned_alloc(2 * MIB, n), *to = aligned_alloc(2 * MIB, n);
    uint64_t start, ns = 0, bytes = 0;

    if (from && to) {
        madvise(from, n, MADV_HUGEPAGE); /* as the machine's RAM */
        madvise(to, n, MADV_HUGEPAGE);
        memset(from, 1, n);
        memset(to, 2, n);
        for (start = now_ns(); ns < COPY_MS * UINT64_C(1000000); ns = now_ns() - start) {
            memcpy(to, from, n);
            __asm__ volatile("" : : "r"(to) : "memory"); /* it is not left out */
            bytes += n;
        }
    }
    free(from);
    free(to);
    return ns ? (double)bytes * 1e3 / (double)ns : 0;
}

/* --- Results --- */

static uint64_t counter(struct isthmus *m, const char *name)
{
    uint64_t value = 0;

    isthmus_counter(m, name, &value);
    return value;
}

/* All that the demo claims came true. */
static bool succeeded(const struct demo *d)
{
    return d->identical && d->got == d->size && d->exits == 0 && !*d->error &&
           json_array_size(d->refused) && !json_array_size(d->allowed) && *d->reply &&
           d->drop_unchanged && !strcmp(d->hammer_status, "DENIED");
}

static json_t *results(const struct demo *d, struct isthmus *m)
{
    const struct {
        const char *name;
        uint64_t value;
    } integers[] = {
        {"bytes", d->got},
        {"refused", json_array_size(d->refused)},
        {"allowed", json_array_size(d->allowed)},
        {"exits_during_transfer", d->exits},
        {"preemptions_during_transfer", d->preemptions},
        {"transfer_ns", d->transfer_ns},
        {"copies", counter(m, "windows.puts") + counter(m, "windows.gets")},
        {"bytes_put", counter(m, "windows.bytes_put")},
        {"bytes_got", counter(m, "windows.bytes_got")},
        {"world_switches", counter(m, "world_switches")},
        {"walks", counter(m, "mmu.walks")},
        {"tlb_misses", counter(m, "mmu.tlb_misses")},
        {"instructions", counter(m, "instructions")},
    };
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"put_mb_s", d->put_mb_s},
        {"get_mb_s", d->get_mb_s},
        {"memcpy_mb_s", d->memcpy_mb_s},
        {"put_ratio", d->put_mb_s / d->memcpy_mb_s},
        {"get_ratio", d->get_mb_s / d->memcpy_mb_s},
        {"seconds", d->seconds},
    };
    json_t *object = json_pack("{s:b, s:b}", "ok", succeeded(d), "verified", d->identical);

    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
        json_object_set_new(object, integers[i].name, json_integer((json_int_t)integers[i].value));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        json_object_set_new(object, numbers[i].name, json_real(numbers[i].value));
    json_object_update_new(object,
                           json_pack("{s:s, s:s, s:s, s:s, s:b, s:O, s:O}", "mode", d->mode,
                                     "sha256", d->sha256, "reply", d->reply, "hammer_status",
                                     d->hammer_status, "drop_unchanged", (int)d->drop_unchanged,
                                     "refusals", d->refused, "allowances", d->allowed));
    return object;
}

static void print_attempts(const char *title, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        printf("    %-9s %-22s %s\n", i == 0 ? title : "",
               json_string_value(json_object_get(one, "what")),
               json_string_value(json_object_get(one, "how")));
    }
}

static void row(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *what, const char *fmt, ...)
{
    va_list ap;

    printf("  %-38s ", what);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static void print_table(const struct demo *d, struct isthmus *m)
{
    printf("\n");
    row("bytes from alice's memory to bob's", "%" PRIu64 ", %s %s", d->got,
        d->identical ? "identical to" : "NOT identical to", d->path);
    row("their SHA-256, by bob", "%.16s...", d->sha256);
    row("world switches from first to last byte", "%" PRIu64, d->exits);
    row("bob's reply in alice's window", "%s", *d->reply ? d->reply : "none");
    row("forbidden attempts refused", "%zu of %zu", json_array_size(d->refused),
        json_array_size(d->refused) + json_array_size(d->allowed));
    print_attempts("refused", d->refused);
    print_attempts("ALLOWED", d->allowed);
    row("alice drops the window, bob copying", "bob: %s; afterwards %s", d->hammer_status,
        d->drop_unchanged ? "nothing moved" : "BYTES MOVED");
    row("get", "%.0f MB/s, %.2f of host memcpy", d->get_mb_s, d->get_mb_s / d->memcpy_mb_s);
    row("put", "%.0f MB/s, %.2f of host memcpy", d->put_mb_s, d->put_mb_s / d->memcpy_mb_s);
    row("host memcpy", "%.0f MB/s", d->memcpy_mb_s);
    row("copies in all", "%" PRIu64 " (%" PRIu64 " bytes)",
        counter(m, "windows.puts") + counter(m, "windows.gets"),
        counter(m, "windows.bytes_put") + counter(m, "windows.bytes_got"));
    row("world switches, the whole run", "%" PRIu64, counter(m, "world_switches"));
    row("TLB misses, page-table walks", "%" PRIu64 ", %" PRIu64, counter(m, "mmu.tlb_misses"),
        counter(m, "mmu.walks"));
    if (*d->error)
        row("a guest's complaint", "%s", d->error);
    printf("\n%s\n", succeeded(d) ? "All as it should be." : "NOT as it should be.");
}

/* --- Running --- */

static void log_line(void *opaque, enum isthmus_log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    complain("%s", text);
}

enum { ALICE, BOB, MALLORY, GUESTS };

/* alice's memory holds the file twice: as its initrd and in the window. */
static struct isthmus *make_machine(struct demo *d, char *const images[GUESTS],
                                    const char *hypervisor)
{
    uint64_t file = (d->size + MIB - 1) & ~(MIB - 1), window = file + 8 * MIB;
    struct isthmus_guest guests[GUESTS] = {
        {.image = images[ALICE],
         .name = "alice",
         .initrd = file ? d->path : NULL,
         .memory = 32 * MIB + 2 * file},
        {.image = images[BOB], .name = "bob", .memory = 32 * MIB + file},
        {.image = images[MALLORY], .name = "mallory", .memory = 16 * MIB},
    };
    struct isthmus_window windows[] = {
        {"alice", "bob", ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W, 1, window},
        {"alice", "mallory", ISTHMUS_WINDOW_W | ISTHMUS_WINDOW_USER, 1, 64 << 10},
        {"mallory", "bob", ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W, 1, 64 << 10},
    };
    struct isthmus_config config = {
        .abi = ISTHMUS_ABI,
        .harts = 2,
        .memory = 192 * MIB + 4 * file,
        .hypervisor = hypervisor,
        .guests = guests,
        .guests_n = GUESTS,
        .windows = windows,
        .windows_n = sizeof(windows) / sizeof(windows[0]),
        .log = log_line,
        .output = take_output,
        .output_opaque = d,
    };

    return isthmus_new(&config, NULL);
}

static int run_machine(struct demo *d, struct isthmus *m)
{
    struct isthmus_limits limits = {.nanoseconds = TIMEOUT_S * SECOND_NS};
    uint64_t start = now_ns();
    enum isthmus_stop stop = isthmus_run(m, &limits);

    d->seconds = (double)(now_ns() - start) / 1e9;
    if (stop == ISTHMUS_STOP_TIMEOUT) {
        complain("demo: the guests did not finish within %d seconds", TIMEOUT_S);
        return EXIT_TIMEOUT;
    }
    if (stop != ISTHMUS_STOP_EXIT || isthmus_exit_code(m)) {
        complain("demo: the machine stopped with exit code %d", isthmus_exit_code(m));
        return EXIT_FAILED;
    }
    return 0;
}

static int show(struct demo *d, struct isthmus *m)
{
    d->identical = compare(d);
    d->memcpy_mb_s = measure_memcpy();
    if (d->json) {
        json_t *object = results(d, m);

        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(object);
    } else {
        print_table(d, m);
    }
    return succeeded(d) && !fflush(stdout) ? 0 : EXIT_FAILED;
}

static int demo(struct demo *d)
{
    static const char *const names[GUESTS] = {"guest/demo_alice.elf", "guest/demo_bob.elf",
                                              "guest/demo_mallory.elf"};
    char *images[GUESTS] = {0}, *hypervisor, *path = NULL;
    struct isthmus *m = NULL;
    int status = EXIT_FAILED;
    bool found = (hypervisor = find_data("hypervisor/hypervisor.elf"));

    for (unsigned i = 0; i < GUESTS && found; i++)
        found = (images[i] = find_data(names[i]));
    if (found && !d->path)
        found = (d->path = path = find_data("README.md"));
    if (found && !check_file(d) && !open_copy(d)) {
        m = make_machine(d, images, hypervisor);
        if (m)
            status = run_machine(d, m);
        if (m && !status)
            status = show(d, m);
        isthmus_free(m);
        fclose(d->copy);
    }
    for (unsigned i = 0; i < GUESTS; i++)
        free(images[i]);
    free(hypervisor);
    free(path);
    return status;
}

static int take_file(void *target, const char *value)
{
    return parse_path("--file", value, "a file", &((struct demo *)target)->path);
}

static int take_json(void *target, const char *value)
{
    (void)value;
    ((struct demo *)target)->json = true;
    return 0;
}

static const struct option_row options[] = {
    {"--file", "PATH", "what alice holds (the README)", take_file},
    {"--json", NULL, "print the results as one JSON object", take_json},
};

int cmd_demo(int argc, char **argv)
{
    static const struct command command = {
        .name = "demo",
        .usage = "",
        .help = "Boot OpenSBI, the reference hypervisor and three guests. One copies a file\n"
                "straight out of another's virtual address space, with no world switch on the\n"
                "way; the third tries all that is forbidden.",
        .options = options,
        .options_n = sizeof(options) / sizeof(options[0]),
    };
    struct demo *d = calloc(1, sizeof(*d));
    int status;

    if (!d) {
        complain("not enough memory");
        return EXIT_FAILED;
    }
    d->refused = json_array();
    d->allowed = json_array();
    status = parse_options(&command, argc, argv, d);
    if (status < 0)
        status = demo(d);
    json_decref(d->refused);
    json_decref(d->allowed);
    free(d);
    return status;
}
