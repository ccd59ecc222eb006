/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "run a machine"},
    {"boot", cmd_boot, "boot a stock Debian"},
    {"demo", cmd_demo, "boot three guests; one copies out of another's memory"},
    {"bench", cmd_bench, "measure the machine"},
    {"disasm", cmd_disasm, "disassemble a file or instruction words"},
};

static void print_help(void)
{
    printf("usage: isthmus COMMAND [OPTION]...\n\n"
           "A RISC-V machine with the hypervisor extension and inter-guest copy.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\nisthmus COMMAND --help tells more; isthmus --version prints the version.\n");
}

/* A standard stream that the caller closed is opened on nothing, the wrong way around: using it is
 * an error still, and no file that is opened later takes its number. */
static void reserve_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

/* status, or EXIT_FAILED where something that was printed did not arrive. */
static int flush_output(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    complain("standard output: cannot write: %s", errno ? strerror(errno) : "an earlier error");
    return status ? status : EXIT_FAILED;
}

static int command(int argc, char **argv)
{
    if (argc < 2) {
        complain("expected a command; see isthmus --help");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help();
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("isthmus %s\n", isthmus_version());
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    complain("%s: unknown command; see isthmus --help", *argv[1] ? argv[1] : "''");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    reserve_standard_streams();
    return flush_output(command(argc, argv));
}
