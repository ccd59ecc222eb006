/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 256 };

struct disasm {
    const char *args[WORDS_MAX];
    size_t args_n;
};

static int take_argument(void *target, const char *value)
{
    struct disasm *d = target;

    if (d->args_n == WORDS_MAX) {
        complain("disasm: expected at most %d words", WORDS_MAX);
        return EXIT_USAGE;
    }
    d->args[d->args_n++] = value;
    return 0;
}

static void print_line(void *opaque, const struct isthmus_line *line)
{
    (void)opaque;
    if (line->symbol)
        printf("\n%016" PRIx64 " <%s>:\n", line->pc, line->symbol);
    printf("%8" PRIx64 ":  %0*" PRIx32 "%*s  %s\n", line->pc, (int)line->length * 2, line->raw,
           8 - (int)line->length * 2, "", line->text);
}

/* The instructions in a word of 4 or 8 hexadecimal digits, as objdump writes them. */
static int print_word(const char *text)
{
    const char *digits = !strncmp(text, "0x", 2) ? text + 2 : text;
    size_t n = strlen(digits), at = 0;
    uint32_t word;
    char line[96];

    if ((n != 4 && n != 8) || strspn(digits, "0123456789abcdefABCDEF") != n) {
        complain("disasm: %s: expected a file, or an instruction of 4 or 8 hexadecimal digits",
                 text);
        return EXIT_USAGE;
    }
    word = (uint32_t)strtoul(digits, NULL, 16);
    while (at < n / 2) {
        unsigned length =
            isthmus_disassemble(at, (const char *)&word + at, n / 2 - at, line, sizeof(line));
        if (!length) {
            complain("disasm: %s: the last instruction is cut off", text);
            return EXIT_USAGE;
        }
        puts(line);
        at += length;
    }
    return 0;
}

int cmd_disasm(int argc, char **argv)
{
    static const struct command command = {
        .name = "disasm",
        .usage = "FILE | HEX...",
        .help = "Disassemble the code of an ELF file, or all of a raw file, or instructions\n"
                "given as hexadecimal words.",
        .positional = take_argument,
    };
    struct disasm d = {0};
    int status = parse_options(&command, argc, argv, &d);

    if (status >= 0)
        return status;
    if (d.args_n == 0) {
        complain("disasm: expected a file or hexadecimal words");
        return EXIT_USAGE;
    }
    if (d.args_n == 1 && (!access(d.args[0], F_OK) || strpbrk(d.args[0], "./")))
        return isthmus_disassemble_file(d.args[0], print_line, NULL) ? EXIT_FAILED : 0;
    for (size_t i = 0; i < d.args_n; i++)
        if ((status = print_word(d.args[i])) > 0)
            return status;
    return 0;
}
