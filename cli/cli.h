/* SPDX-License-Identifier: MIT */
/*
 * The command isthmus. Each subcommand is a file with one function, and uses the library only
 * through isthmus.h. What they share: reading options by table, messages, finding installed data.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "isthmus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TIMEOUT = 124 };

/* argv[0] is the subcommand's name. Result: the exit status. */
int cmd_run(int argc, char **argv);
int cmd_boot(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_disasm(int argc, char **argv);

/* One line on stderr: "isthmus: TEXT". */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Complain of an option's value, "OPTION VALUE: expected EXPECTED". Result: EXIT_USAGE. */
int wrong_value(const char *option, const char *value, const char *expected);

/* One option of a subcommand. */
struct option_row {
    const char *name;     /* "--memory" */
    const char *argument; /* "SIZE", or NULL: it takes none */
    const char *help;
    /* Take value ("" where there is no argument). Result: 0, or a status to exit with after
     * complaining. */
    int (*take)(void *target, const char *value);
};

struct command {
    const char *name;
    const char *usage; /* what comes behind the options: "[FILE]" */
    const char *help;  /* what it does; may have several lines */
    const struct option_row *options;
    size_t options_n;
    /* Takes what is not an option; NULL: nothing is expected. */
    int (*positional)(void *target, const char *value);
};

/* Read the options of a subcommand into target. --help prints help. Result: -1: go on; else the
 * exit status. */
int parse_options(const struct command *command, int argc, char **argv, void *target);

/* Read a size such as 4096, 64K, 512M or 2G. Result: false where text is none. */
bool parse_size(const char *text, uint64_t *bytes);
/* Read a decimal number from min to max. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* The values of options that several commands have. Result: 0, or EXIT_USAGE after complaining. */
int parse_harts(const char *value, uint32_t *harts);
int parse_memory(const char *value, uint64_t *bytes);
/* *path is value, which must not be empty; what: "a file". */
int parse_path(const char *option, const char *value, const char *what, const char **path);

/* The path of a data file of isthmus, name relative to the build tree ("hypervisor/x.elf"): in
 * $ISTHMUS_DATADIR, beside the program, or where it is installed (there without the folder, also
 * where the installed tree was moved as a whole).
 * Result: malloc'ed, or NULL after complaining. */
char *find_data(const char *name);

/* The folder with a variant of what boot/debian.sh makes, which is made where it is not there yet.
 * Result: malloc'ed, or NULL after complaining; *unreachable: packages cannot be fetched. */
char *boot_files(const char *variant, bool *unreachable);
/* The same folder if it is there already: malloc'ed, or NULL. */
char *boot_cached(const char *variant);

/* Write the counters of m, and what else `extra` (a JSON object of jansson, may be NULL) holds, as
 * one JSON object to the open file; it is closed. Result: 0, or EXIT_FAILED after complaining. */
struct stats_file;
struct stats_file *stats_open(const char *path);
int stats_write(struct stats_file *file, struct isthmus *m, const char *stop, int exit_code,
                double seconds);

#endif
