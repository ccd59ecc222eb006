/* SPDX-License-Identifier: MIT */
/*
 * isthmus boot debian: a stock Debian in one command. What it boots is made once, by
 * boot/debian.sh, into the user's cache folder; a second start finds it there. The folder of a
 * variant appears whole or not at all, so that its being there is all that is asked.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, LINE_BYTES = 256 };

struct boot {
    const char *system; /* "debian", once it was named */
    const char *harts, *memory, *share;
    bool kvm, gcc, prepare_only;
};

/* --- Options --- */

static int take_harts(void *target, const char *value)
{
    uint32_t harts;

    ((struct boot *)target)->harts = value;
    return parse_harts(value, &harts);
}

static int take_memory(void *target, const char *value)
{
    uint64_t bytes;

    ((struct boot *)target)->memory = value;
    return parse_memory(value, &bytes);
}

static int take_share(void *target, const char *value)
{
    return parse_path("--share", value, "a directory", &((struct boot *)target)->share);
}

static int take_kvm(void *target, const char *value)
{
    (void)value;
    ((struct boot *)target)->kvm = true;
    return 0;
}

static int take_gcc(void *target, const char *value)
{
    (void)value;
    ((struct boot *)target)->gcc = true;
    return 0;
}

static int take_prepare(void *target, const char *value)
{
    (void)value;
    ((struct boot *)target)->prepare_only = true;
    return 0;
}

static int take_system(void *target, const char *value)
{
    struct boot *b = target;

    if (b->system || strcmp(value, "debian")) {
        complain("boot %s: expected one system: debian", value);
        return EXIT_USAGE;
    }
    b->system = value;
    return 0;
}

static const struct option_row options[] = {
    {"--harts", "N", "number of harts (2)", take_harts},
    {"--memory", "SIZE", "RAM (2G)", take_memory},
    {"--kvm", NULL, "with QEMU and a kernel inside, to run guests by KVM", take_kvm},
    {"--gcc", NULL, "with a C compiler", take_gcc},
    {"--share", "DIR", "a directory for the guest; see isthmus run --help", take_share},
    {"--prepare", NULL, "fetch and install only", take_prepare},
};

static const struct command command = {
    .name = "boot",
    .usage = "debian",
    .help =
        "Boot a stock Debian for riscv64 to a login. The first start fetches its packages, checks\n"
        "their signatures, and installs them on a disk below ~/.cache/isthmus (or\n"
        "$XDG_CACHE_HOME/isthmus), which later starts go on with; remove that folder to begin anew.\n"
        "$ISTHMUS_DEBIAN_MIRROR names another archive than the one that this system uses.",
    .options = options,
    .options_n = sizeof(options) / sizeof(options[0]),
    .positional = take_system,
};

/* --- The cache --- */

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
    va_list ap;
    char *made;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&made, fmt, ap);
    va_end(ap);
    if (n < 0) {
        complain("not enough memory");
        exit(EXIT_FAILED);
    }
    return made;
}

/* Make the folders of path, and return it. */
static char *make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    if (mkdir(path, 0777) && errno != EEXIST) {
        complain("%s: cannot make the folder: %s", path, strerror(errno));
        free(path);
        return NULL;
    }
    return path;
}

static char *cache_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (xdg && *xdg == '/')
        return make_folders(text("%s/isthmus/debian", xdg));
    if (home && *home == '/')
        return make_folders(text("%s/.cache/isthmus/debian", home));
    complain("boot: $HOME does not name a folder");
    return NULL;
}

/* Only one process makes a disk at a time. Result: the lock's descriptor, which what is started
 * inherits: should this process be killed, the lock holds until they have ended, too. */
static int lock(const char *folder)
{
    char *path = text("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0666);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        complain("boot: another start is making its disk; waiting for it");
        flock(fd, LOCK_EX);
    }
    if (fd < 0)
        complain("%s: cannot make the file: %s", path, strerror(errno));
    free(path);
    return fd;
}

/* --- Progress --- */

static void show(const char *line, char *shown, bool terminal)
{
    unsigned percent = (unsigned)strtoul(line, NULL, 10), full;
    const char *what = strchr(line, ' ');

    what = what ? what + 1 : "";
    percent = percent > 100 ? 100 : percent;
    full = percent * BAR_WIDTH / 100;
    if (terminal) {
        fprintf(stderr, "\r[%.*s%*s] %3u%% %s\033[K", (int)full,
                "##############################", (int)(BAR_WIDTH - full), "", percent, what);
    } else if (strcmp(what, shown)) {
        fprintf(stderr, "isthmus: %s\n", what);
        snprintf(shown, LINE_BYTES, "%s", what);
    }
}

static void follow(FILE *from)
{
    bool terminal = isatty(STDERR_FILENO);
    char line[LINE_BYTES], shown[LINE_BYTES] = "";

    while (fgets(line, sizeof(line), from)) {
        line[strcspn(line, "\n")] = 0;
        show(line, shown, terminal);
    }
    if (terminal)
        fputc('\n', stderr);
}

/* Run the script, its standard output into a pipe. Result: its exit status, -1: it did not run. */
static int run_script(char *const argv[])
{
    int fds[2], status = -1;
    FILE *from;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC))
        return -1;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* it puts things in order and ends */
        dup2(fds[1], STDOUT_FILENO);
        execv("/bin/sh", argv);
        _exit(127);
    }
    close(fds[1]);
    from = fdopen(fds[0], "r");
    if (from)
        follow(from);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = -1;
    if (from)
        fclose(from);
    return status;
}

enum { SCRIPT_UNREACHABLE = 3 }; /* the script's status: packages cannot be fetched */

static bool make_files(const char *folder, const char *variant, bool *unreachable)
{
    char *script = find_data("boot/debian.sh"), self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    int status = -1;

    if (script && n >= 0) {
        self[n] = 0;
        complain("making Debian's files (%s); this takes a few minutes, once", variant);
        status = run_script((char *[]){"sh", script, self, (char *)folder, (char *)variant, NULL});
        *unreachable = WIFEXITED(status) && WEXITSTATUS(status) == SCRIPT_UNREACHABLE;
        if (status != 0)
            complain("boot: the files were not made");
    }
    free(script);
    return status == 0;
}

char *boot_files(const char *variant, bool *unreachable)
{
    char *folder = cache_folder(), *ready;
    int fd = folder ? lock(folder) : -1;
    bool good;

    *unreachable = false;
    if (fd < 0) {
        free(folder);
        return NULL;
    }
    ready = text("%s/%s", folder, variant);
    good = !access(ready, F_OK) || make_files(folder, variant, unreachable);
    close(fd);
    free(folder);
    if (good)
        return ready;
    free(ready);
    return NULL;
}

char *boot_cached(const char *variant)
{
    char *folder = cache_folder(), *ready = folder ? text("%s/%s", folder, variant) : NULL;

    free(folder);
    if (ready && !access(ready, F_OK))
        return ready;
    free(ready);
    return NULL;
}

/* --- Booting --- */

/* Commas as --disk wants them. */
static char *escape_commas(const char *path)
{
    char *escaped = malloc(2 * strlen(path) + 1), *to = escaped;

    if (!escaped) {
        complain("not enough memory");
        exit(EXIT_FAILED);
    }
    for (; *path; path++) {
        if (*path == ',')
            *to++ = ',';
        *to++ = *path;
    }
    *to = 0;
    return escaped;
}

static int start(const struct boot *b, const char *folder)
{
    char *kernel = text("%s/vmlinux", folder), *initrd = text("%s/initrd", folder);
    char *disk = text("%s/disk.img", folder), *escaped = escape_commas(disk);
    char *firmware = text("%s/firmware", folder);
    char *argv[24] = {"run",      "--harts",  (char *)b->harts, "--memory", (char *)b->memory,
                      "--kernel", kernel,     "--initrd",       initrd,     "--append",
                      "console=ttyS0",        "--disk",         escaped,    "--net",
                      "user"};
    int argc = 15, status;

    /* A folder made by an earlier isthmus has none. */
    if (!access(firmware, F_OK)) {
        argv[argc++] = "--bios";
        argv[argc++] = firmware;
    }
    if (b->share) {
        argv[argc++] = "--share";
        argv[argc++] = (char *)b->share;
    }
    status = cmd_run(argc, argv);
    free(firmware);
    free(kernel);
    free(initrd);
    free(disk);
    free(escaped);
    return status;
}

/* The variant of boot/debian.sh. */
static const char *variant_name(const struct boot *b)
{
    if (b->kvm)
        return b->gcc ? "debian-kvm-gcc" : "debian-kvm";
    return b->gcc ? "debian-gcc" : "debian";
}

int cmd_boot(int argc, char **argv)
{
    struct boot b = {.harts = "2", .memory = "2G"};
    bool unreachable;
    char *folder;
    int status = parse_options(&command, argc, argv, &b);

    if (status >= 0)
        return status;
    if (!b.system) {
        complain("boot: expected the system: debian");
        return EXIT_USAGE;
    }
    folder = boot_files(variant_name(&b), &unreachable);
    status = !folder ? EXIT_FAILED : b.prepare_only ? 0 : start(&b, folder);
    free(folder);
    return status;
}
