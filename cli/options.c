/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("isthmus: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int wrong_value(const char *option, const char *value, const char *expected)
{
    complain("%s %s: expected %s", option, *value ? value : "''", expected);
    return EXIT_USAGE;
}

static void print_help(const struct command *c)
{
    printf("usage: isthmus %s [OPTION]...%s%s\n\n%s\n\n", c->name, *c->usage ? " " : "", c->usage,
           c->help);
    for (size_t i = 0; i < c->options_n; i++) {
        const struct option_row *o = &c->options[i];
        char left[64];

        snprintf(left, sizeof(left), "%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-28s %s\n", left, o->help);
    }
    printf("  %-28s %s\n", "--help", "print this help");
}

/* The option that arg names, perhaps as --name=value: then *value points behind the sign. */
static const struct option_row *find_option(const struct command *c, const char *arg,
                                            const char **value)
{
    size_t n = strcspn(arg, "=");

    *value = arg[n] ? arg + n + 1 : NULL;
    for (size_t i = 0; i < c->options_n; i++)
        if (strlen(c->options[i].name) == n && !strncmp(c->options[i].name, arg, n))
            return &c->options[i];
    return NULL;
}

/* Take the option argv[*at], and the argument behind it where it takes one. */
static int take_option(const struct command *c, int argc, char **argv, int *at, void *target)
{
    const char *value;
    const struct option_row *o = find_option(c, argv[*at], &value);

    if (!o) {
        complain("%s: unknown option; see isthmus %s --help", argv[*at], c->name);
        return EXIT_USAGE;
    }
    if (!o->argument && value) {
        complain("%s: takes no argument", o->name);
        return EXIT_USAGE;
    }
    if (o->argument && !value) {
        if (*at + 1 == argc) {
            complain("%s: expected %s behind it", o->name, o->argument);
            return EXIT_USAGE;
        }
        value = argv[++*at];
    }
    return o->take(target, value ? value : "");
}

int parse_options(const struct command *c, int argc, char **argv, void *target)
{
    bool options = true;

    for (int i = 1; i < argc; i++) {
        int status = 0;

        if (options && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            print_help(c);
            return 0;
        }
        if (options && !strcmp(argv[i], "--")) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            status = take_option(c, argc, argv, &i, target);
        } else if (c->positional) {
            status = c->positional(target, argv[i]);
        } else {
            complain("%s: unexpected argument; see isthmus %s --help", argv[i], c->name);
            status = EXIT_USAGE;
        }
        if (status)
            return status;
    }
    return -1;
}

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return !errno && !*end && *value >= min && *value <= max;
}

bool parse_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    unsigned shift = 0;
    const char *suffix;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *bytes = strtoull(text, &end, 10);
    if (errno)
        return false;
    if (*end && (suffix = strchr(suffixes, *end & ~0x20))) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        end++;
        if (*end == 'i')
            end++;
        if (*end == 'B')
            end++;
    }
    if (*end || *bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

/* --- Values --- */

int parse_harts(const char *value, uint32_t *harts)
{
    uint64_t n;

    if (!parse_number(value, 1, ISTHMUS_HARTS_MAX, &n))
        return wrong_value("--harts", value, "a number from 1 to 64");
    *harts = (uint32_t)n;
    return 0;
}

int parse_memory(const char *value, uint64_t *bytes)
{
    if (!parse_size(value, bytes) || *bytes < ISTHMUS_MEMORY_MIN || *bytes > ISTHMUS_MEMORY_MAX ||
        *bytes % 4096)
        return wrong_value("--memory", value,
                           "a size from 1M to 64G, a multiple of 4096 bytes, such as 512M");
    return 0;
}

int parse_path(const char *option, const char *value, const char *what, const char **path)
{
    if (!*value)
        return wrong_value(option, value, what);
    *path = value;
    return 0;
}
