/* SPDX-License-Identifier: MIT */
/* isthmus bench: measure the machine, beside QEMU where it is installed (bench/bench.h). */
#include "bench/bench.h"
#include "cli/cli.h"

struct bench_options {
    const char *name;
    const char *svg;
    bool json, no_qemu;
    uint64_t rounds;
};

static int take_json(void *target, const char *value)
{
    ((struct bench_options *)target)->json = true;
    return 0;
}

static int take_svg(void *target, const char *value)
{
    return parse_path("--svg", value, "a file", &((struct bench_options *)target)->svg);
}

static int take_no_qemu(void *target, const char *value)
{
    ((struct bench_options *)target)->no_qemu = true;
    return 0;
}

_Static_assert(BENCH_ROUNDS_MAX == 15, "as the message says");

static int take_rounds(void *target, const char *value)
{
    struct bench_options *o = target;

    if (parse_number(value, 1, BENCH_ROUNDS_MAX, &o->rounds))
        return 0;
    return wrong_value("--rounds", value, "a number from 1 to 15");
}

static int take_name(void *target, const char *value)
{
    struct bench_options *o = target;

    if (o->name) {
        complain("%s: expected one name of a bench at most", value);
        return EXIT_USAGE;
    }
    o->name = value;
    return 0;
}

static const struct option_row options[] = {
    {"--json", NULL, "print one JSON object", take_json},
    {"--svg", "FILE", "draw a bar chart of the ratios, too", take_svg},
    {"--no-qemu", NULL, "leave QEMU out", take_no_qemu},
    {"--rounds", "N", "run each program N times on each machine in turn (3)", take_rounds},
};

static const struct command command = {
    .name = "bench",
    .usage = "[NAME]",
    .help =
        "Measure the machine: copy (between guests), switch (between worlds), compute, linux (the\n"
        "stock kernel, and KVM in it), or all.\n"
        "The same programs run on QEMU where it is installed; a ratio above 1 is in favour of\n"
        "isthmus. Numbers are medians of the rounds.",
    .options = options,
    .options_n = sizeof(options) / sizeof(options[0]),
    .positional = take_name,
};

static char *fetch(bool *unreachable)
{
    return boot_files("nested", unreachable);
}

static const struct bench_host host = {find_data, fetch, boot_cached, complain};

int cmd_bench(int argc, char **argv)
{
    struct bench_options o = {.rounds = 3};
    int status = parse_options(&command, argc, argv, &o);

    return status < 0 ? bench_main(o.name, o.json, o.svg, !o.no_qemu, (unsigned)o.rounds, &host)
                      : status;
}
