/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/signals.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOWS_MAX = 4096, DISKS_MAX = 8, FORWARDS_MAX = 64 };

struct run {
    struct isthmus_config config;
    struct isthmus_guest guests[ISTHMUS_GUESTS_MAX];
    struct isthmus_window windows[WINDOWS_MAX];
    struct isthmus_disk disks[DISKS_MAX];
    struct isthmus_forward forwards[FORWARDS_MAX];
    const char *stats;
    double timeout; /* seconds; 0: none */
    void **texts;   /* copies of arguments that were cut in pieces */
    size_t texts_n;
};

/* A copy of text that lives as long as r. */
static char *keep(struct run *r, const char *text)
{
    void **list = realloc(r->texts, (r->texts_n + 1) * sizeof(*list));
    char *copy = list ? strdup(text) : NULL;

    if (list)
        r->texts = list;
    if (!copy) {
        complain("not enough memory");
        exit(EXIT_FAILED);
    }
    r->texts[r->texts_n++] = copy;
    return copy;
}

/* --- Simple options --- */

static int take_harts(void *target, const char *value)
{
    return parse_harts(value, &((struct run *)target)->config.harts);
}

static int take_memory(void *target, const char *value)
{
    return parse_memory(value, &((struct run *)target)->config.memory);
}

static int take_bios(void *target, const char *value)
{
    return parse_path("--bios", value, "a file, or none", &((struct run *)target)->config.bios);
}

static int take_kernel(void *target, const char *value)
{
    return parse_path("--kernel", value, "a file", &((struct run *)target)->config.kernel);
}

static int take_initrd(void *target, const char *value)
{
    return parse_path("--initrd", value, "a file", &((struct run *)target)->config.initrd);
}

static int take_append(void *target, const char *value)
{
    ((struct run *)target)->config.append = value;
    return 0;
}

static int take_cpu(void *target, const char *value)
{
    ((struct run *)target)->config.cpu = value;
    return 0;
}

static int take_aia(void *target, const char *value)
{
    if (strcmp(value, "none") && strcmp(value, "aplic") && strcmp(value, "aplic-imsic"))
        return wrong_value("--aia", value, "none, aplic or aplic-imsic");
    ((struct run *)target)->config.aia = value;
    return 0;
}

static int take_aia_guests(void *target, const char *value)
{
    uint64_t n;

    if (!parse_number(value, 0, ISTHMUS_AIA_GUESTS_MAX, &n))
        return wrong_value("--aia-guests", value, "a number from 0 to 7");
    ((struct run *)target)->config.aia_guests = (uint32_t)n;
    return 0;
}

static bool is_console(const char *value)
{
    return !strcmp(value, "stdio") || !strcmp(value, "none") ||
           (!strncmp(value, "file:", 5) && value[5]);
}

static int take_console(void *target, const char *value)
{
    if (!is_console(value))
        return wrong_value("--console", value, "stdio, file:PATH or none");
    ((struct run *)target)->config.console = value;
    return 0;
}

static int take_virtio_console(void *target, const char *value)
{
    if (!is_console(value))
        return wrong_value("--virtio-console", value, "stdio, file:PATH or none");
    ((struct run *)target)->config.virtio_console = strcmp(value, "none") ? value : NULL;
    return 0;
}

static int take_deterministic(void *target, const char *value)
{
    (void)value;
    ((struct run *)target)->config.deterministic = true;
    return 0;
}

static int take_interpreter(void *target, const char *value)
{
    (void)value;
    ((struct run *)target)->config.interpret = true;
    return 0;
}

static int take_code_buffer(void *target, const char *value)
{
    struct run *r = target;

    if (!parse_size(value, &r->config.code_buffer) ||
        r->config.code_buffer < ISTHMUS_CODE_BUFFER_MIN ||
        r->config.code_buffer > ISTHMUS_CODE_BUFFER_MAX)
        return wrong_value("--code-buffer", value, "a size from 64K to 1G");
    return 0;
}

static int take_translate_after(void *target, const char *value)
{
    struct run *r = target;
    uint64_t n;

    if (!parse_number(value, 1, ISTHMUS_TRANSLATE_AFTER_MAX, &n))
        return wrong_value("--translate-after", value, "a number from 1 to 255");
    r->config.translate_after = (uint32_t)n;
    return 0;
}

static int take_perf_map(void *target, const char *value)
{
    (void)value;
    ((struct run *)target)->config.perf_map = true;
    return 0;
}

static int take_stats(void *target, const char *value)
{
    ((struct run *)target)->config.count_guests = true;
    return parse_path("--stats", value, "a file", &((struct run *)target)->stats);
}

static int take_gdb(void *target, const char *value)
{
    ((struct run *)target)->config.gdb = value;
    return 0;
}

static int take_trace(void *target, const char *value)
{
    ((struct run *)target)->config.trace = value;
    return 0;
}

static int take_timeout(void *target, const char *value)
{
    struct run *r = target;
    char *end;

    r->timeout = strtod(value, &end);
    if (end == value || *end || !isfinite(r->timeout) || r->timeout <= 0 || r->timeout > 1e9)
        return wrong_value("--timeout", value, "a number of seconds greater than 0");
    return 0;
}

/* --- Guests and windows --- */

/* Cut the next item off a comma-separated list; two commas stand for one in an item. NULL at the
 * end. */
static char *next_item(char **list)
{
    char *item = *list, *to = item, *from = item;

    if (!item)
        return NULL;
    while (*from && (from[0] != ',' || from[1] == ',')) {
        from += *from == ',';
        *to++ = *from++;
    }
    *list = *from ? from + 1 : NULL;
    *to = 0;
    return item;
}

static int take_guest_memory(struct isthmus_guest *g, const char *value)
{
    if (!parse_size(value, &g->memory) || g->memory < ISTHMUS_GUEST_MEMORY_MIN ||
        g->memory > ISTHMUS_MEMORY_MAX || g->memory % 4096)
        return wrong_value("--guest memory", value,
                           "a size from 4M to 64G, a multiple of 4096 bytes");
    return 0;
}

static int take_guest_vcpus(struct isthmus_guest *g, const char *value)
{
    uint64_t n;

    if (!parse_number(value, 1, 8, &n))
        return wrong_value("--guest vcpus", value, "a number from 1 to 8");
    g->vcpus = (uint32_t)n;
    return 0;
}

static int take_guest_item(struct isthmus_guest *g, const char *key, const char *value)
{
    if (!strcmp(key, "name"))
        g->name = value;
    else if (!strcmp(key, "memory"))
        return take_guest_memory(g, value);
    else if (!strcmp(key, "vcpus"))
        return take_guest_vcpus(g, value);
    else if (!strcmp(key, "append"))
        g->append = value;
    else if (!strcmp(key, "initrd"))
        return parse_path("--guest initrd", value, "a file", &g->initrd);
    else
        return wrong_value("--guest", key, "name=, memory=, vcpus=, append= or initrd=");
    return 0;
}

static int take_guest(void *target, const char *value)
{
    struct run *r = target;
    struct isthmus_guest *g = &r->guests[r->config.guests_n];
    char *list = keep(r, value), *item;
    int status = 0;

    if (r->config.guests_n == ISTHMUS_GUESTS_MAX)
        return wrong_value("--guest", value, "256 guests at most");
    g->image = next_item(&list);
    if (!*g->image)
        return wrong_value("--guest", value, "the file of an image first");
    while (!status && (item = next_item(&list))) {
        char *equals = strchr(item, '=');

        if (!equals)
            return wrong_value("--guest", item, "name=, memory=, vcpus=, append= or initrd=");
        *equals = 0;
        status = take_guest_item(g, item, equals + 1);
    }
    r->config.guests_n++;
    return status;
}

static bool parse_rights(const char *text, uint32_t *rights)
{
    static const struct {
        const char *text;
        uint32_t rights;
    } table[] = {
        {"r", ISTHMUS_WINDOW_R},
        {"w", ISTHMUS_WINDOW_W},
        {"rw", ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W},
    };

    for (size_t i = 0; text && i < sizeof(table) / sizeof(table[0]); i++) {
        if (!strcmp(text, table[i].text)) {
            *rights = table[i].rights;
            return true;
        }
    }
    return false;
}

static int take_window(void *target, const char *value)
{
    struct run *r = target;
    struct isthmus_window *w = &r->windows[r->config.windows_n];
    char *list = keep(r, value), *ends = next_item(&list), *colon = strchr(ends, ':');
    char *rights = next_item(&list), *size = next_item(&list), *user = next_item(&list);

    if (r->config.windows_n == WINDOWS_MAX)
        return wrong_value("--window", value, "4096 windows at most");
    if (!colon || colon == ends || !colon[1])
        return wrong_value("--window", value, "OWNER:PEER first, two names of guests");
    *colon = 0;
    w->owner = ends;
    w->peer = colon + 1;
    if (!parse_rights(rights, &w->rights))
        return wrong_value("--window", value, "r, w or rw behind OWNER:PEER");
    if (!size || !parse_size(size, &w->size) || !w->size)
        return wrong_value("--window", value, "a size such as 64K behind the rights");
    if (user && (strcmp(user, "user") || list))
        return wrong_value("--window", value, "user, or nothing, behind the size");
    if (user)
        w->rights |= ISTHMUS_WINDOW_USER;
    r->config.windows_n++;
    return 0;
}

/* --- Devices --- */

static int take_disk(void *target, const char *value)
{
    struct run *r = target;
    struct isthmus_disk *d = &r->disks[r->config.disks_n];
    char *list = keep(r, value), *item;

    if (r->config.disks_n == DISKS_MAX)
        return wrong_value("--disk", value, "fewer disks");
    d->path = next_item(&list);
    if (!*d->path)
        return wrong_value("--disk", value, "a file first");
    while ((item = next_item(&list))) {
        if (strcmp(item, "readonly"))
            return wrong_value("--disk", item, "readonly, or nothing, behind the file");
        d->readonly = true;
    }
    r->config.disks_n++;
    return 0;
}

static int take_share(void *target, const char *value)
{
    struct run *r = target;

    if (r->config.share)
        return wrong_value("--share", value, "to be given once");
    return parse_path("--share", value, "a directory", &r->config.share);
}

/* Cut "[ADDRESS]:PORT" in two; no address: NULL. */
static bool parse_end(char *text, const char **address, uint16_t *port)
{
    char *colon = strchr(text, ':');
    uint64_t n;

    if (!colon || !parse_number(colon + 1, 1, UINT16_MAX, &n))
        return false;
    *colon = 0;
    *address = *text ? text : NULL;
    *port = (uint16_t)n;
    return true;
}

static int take_forward(struct run *r, char *value)
{
    static const char expected[] = "tcp|udp:[HADDR]:PORT-[GADDR]:PORT";
    struct isthmus_forward *f = &r->forwards[r->config.net.forwards_n];
    char *dash = strchr(value, '-'), *whole = keep(r, value);

    if (r->config.net.forwards_n == FORWARDS_MAX)
        return wrong_value("--net hostfwd", value, "fewer of them");
    f->udp = !strncmp(value, "udp:", 4);
    if (!dash || (!f->udp && strncmp(value, "tcp:", 4)))
        return wrong_value("--net hostfwd", whole, expected);
    *dash = 0;
    if (!parse_end(value + 4, &f->host, &f->host_port) ||
        !parse_end(dash + 1, &f->guest, &f->guest_port))
        return wrong_value("--net hostfwd", whole, expected);
    r->config.net.forwards_n++;
    return 0;
}

static int take_mac(struct run *r, const char *value)
{
    uint8_t *mac = r->config.net.mac;
    int n = 0;

    if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3],
               &mac[4], &mac[5], &n) == 6 &&
        !value[n] && !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
        return 0;
    return wrong_value("--net mac", value, "six bytes such as 52:54:00:12:34:56, of one station");
}

static int take_net_item(struct run *r, char *item)
{
    bool user = r->config.net.kind == ISTHMUS_NET_USER;

    if (!strncmp(item, "mac=", 4))
        return take_mac(r, item + 4);
    if (user && !strncmp(item, "hostfwd=", 8))
        return take_forward(r, item + 8);
    if (!user && !strncmp(item, "ifname=", 7))
        return parse_path("--net ifname", item + 7, "the name of an interface",
                          &r->config.net.ifname);
    return wrong_value("--net", item, user ? "hostfwd= or mac=" : "ifname= or mac=");
}

static int take_net(void *target, const char *value)
{
    struct run *r = target;
    char *list = keep(r, value), *item = next_item(&list);
    int status = 0;

    if (r->config.net.kind)
        return wrong_value("--net", value, "to be given once: the machine has one network device");
    r->config.net = (struct isthmus_net){.forwards = r->forwards};
    if (!strcmp(value, "none"))
        return 0;
    if (!strcmp(item, "user"))
        r->config.net.kind = ISTHMUS_NET_USER;
    else if (!strcmp(item, "tap"))
        r->config.net.kind = ISTHMUS_NET_TAP;
    else
        return wrong_value("--net", value, "user, tap or none");
    while (!status && (item = next_item(&list)))
        status = take_net_item(r, item);
    if (!status && r->config.net.kind == ISTHMUS_NET_TAP && !r->config.net.ifname)
        return wrong_value("--net", value, "ifname= behind tap");
    return status;
}

static const struct option_row options[] = {
    {"--harts", "N", "number of harts, 1 to 64 (1)", take_harts},
    {"--memory", "SIZE", "RAM, such as 512M or 4G (128M)", take_memory},
    {"--bios", "FILE|none", "firmware, raw or ELF (OpenSBI); none: start the kernel in M-mode",
     take_bios},
    {"--kernel", "FILE", "what the firmware starts: ELF, Linux Image or raw", take_kernel},
    {"--initrd", "FILE", "initial RAM disk", take_initrd},
    {"--append", "TEXT", "the kernel's command line", take_append},
    {"--cpu", "BASE[,[+-]EXT|LIMIT=N]...",
     "what harts implement, such as rv64gch,-svadu,vmidlen=0 (rv64gch);\n"
     "                               bases rv64gch, rv64gc; limits sv, asidlen, vmidlen,\n"
     "                               geilen, pmp, htinst=zero",
     take_cpu},
    {"--aia", "KIND", "interrupt controllers: none (PLIC), aplic or aplic-imsic (none)", take_aia},
    {"--aia-guests", "N", "guest interrupt files a hart, 0 to 7, with aplic-imsic (0)",
     take_aia_guests},
    {"--guest", "IMAGE[,KEY=VALUE]...",
     "run a guest on the reference hypervisor; keys: name, memory, vcpus, append,\n"
     "                               initrd (repeatable; a comma in a value is written ,,)",
     take_guest},
    {"--window", "OWNER:PEER,RIGHTS,SIZE[,user]",
     "let guest OWNER open up to SIZE bytes to guest PEER\n"
     "                               with rights r, w or rw; user: to its user mode too\n"
     "                               (repeatable)",
     take_window},
    {"--disk", "FILE[,readonly]",
     "a virtio disk: raw image or block device (repeatable; a comma in FILE: ,,)", take_disk},
    {"--net", "user[,...]|tap,...|none",
     "a network card (none). user: a private network behind this process; with\n"
     "                               hostfwd=tcp|udp:[HADDR]:PORT-[GADDR]:PORT a port of the host\n"
     "                               (127.0.0.1 where HADDR is left out) leads to the guest; tap: an\n"
     "                               interface of the host, ifname=NAME; both: mac=ADDRESS",
     take_net},
    {"--share", "DIR",
     "a directory for the guest, read and write:\n"
     "                               mount -t 9p -o trans=virtio,version=9p2000.L share /mnt",
     take_share},
    {"--console", "WHERE", "the guest's serial console: stdio, file:PATH or none (stdio)",
     take_console},
    {"--virtio-console", "WHERE",
     "a virtio console, the guest's hvc0: stdio, file:PATH or none (none); with\n"
     "                               stdio the serial console is none",
     take_virtio_console},
    {"--deterministic", NULL, "the same run every time: harts take turns, time from instructions",
     take_deterministic},
    {"--interpreter", NULL, "do not translate hot code to the host's instructions",
     take_interpreter},
    {"--code-buffer", "SIZE", "room for translated code, 64K to 1G (256M)", take_code_buffer},
    {"--translate-after", "N", "translate code that was entered so often, 1 to 255 (16)",
     take_translate_after},
    {"--perf-map", NULL, "name translated code for perf, in /tmp/perf-PID.map", take_perf_map},
    {"--stats", "FILE", "write counters as JSON at the end", take_stats},
    {"--gdb", "PORT[,wait]", "let GDB connect to this local port; wait: start nothing before",
     take_gdb},
    {"--trace", "KINDS:FILE",
     "write a line for each event to FILE (-: stderr); kinds, with commas:\n"
     "                               exits, switch, ig, irq, mmu",
     take_trace},
    {"--timeout", "SECONDS", "stop after so long, with exit status 124", take_timeout},
};

static const struct command command = {
    .name = "run",
    .usage = "",
    .help = "Run a RISC-V machine like QEMU's virt board. On the console Ctrl-A x leaves and\n"
            "Ctrl-A h helps. The exit status is the guest's exit code; 124 after --timeout; 2\n"
            "where the command line is wrong; 1 for other errors.",
    .options = options,
    .options_n = sizeof(options) / sizeof(options[0]),
};

/* --- Running --- */

/* What does not fit together though each option is right. */
static int check(const struct run *r)
{
    const struct isthmus_config *c = &r->config;
    char why[160];

    if (c->windows_n && !c->guests_n) {
        complain("--window %s:%s: no guest is named so; expected --guest", c->windows[0].owner,
                 c->windows[0].peer);
        return EXIT_USAGE;
    }
    if (c->aia_guests && (!c->aia || strcmp(c->aia, "aplic-imsic"))) {
        complain("--aia-guests %u: guest interrupt files need --aia aplic-imsic", c->aia_guests);
        return EXIT_USAGE;
    }
    if (c->cpu && isthmus_check_cpu(c->cpu, c->aia, why, sizeof(why))) {
        complain("--cpu %s: %s", c->cpu, why);
        return EXIT_USAGE;
    }
    if (c->initrd && c->guests_n && !c->kernel) {
        complain("--initrd %s: the hypervisor that --guest implies has none; expected "
                 "--guest IMAGE,initrd=FILE", c->initrd);
        return EXIT_USAGE;
    }
    if (c->bios && !strcmp(c->bios, "none") && c->guests_n) {
        complain("--bios none: the hypervisor that --guest implies needs firmware");
        return EXIT_USAGE;
    }
    if (c->bios && !strcmp(c->bios, "none") && !c->kernel) {
        complain("--bios none: there is nothing to start; expected --kernel FILE");
        return EXIT_USAGE;
    }
    return 0;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct verdict {
    const char *stop; /* for --stats */
    int status;
};

static struct verdict judge(const struct run *r, struct isthmus *m, enum isthmus_stop stop)
{
    int status;

    switch (stop) {
    case ISTHMUS_STOP_EXIT:
        status = isthmus_exit_code(m);
        return (struct verdict){"exit", status ? status : isthmus_output_lost(m) ? EXIT_FAILED : 0};
    case ISTHMUS_STOP_TIMEOUT:
        complain("--timeout: stopped after %g seconds", r->timeout);
        return (struct verdict){"timeout", EXIT_TIMEOUT};
    case ISTHMUS_STOP_IDLE:
        complain("every hart waits for an interrupt, and none can come");
        return (struct verdict){"idle", EXIT_FAILED};
    case ISTHMUS_STOP_QUIT:
        return (struct verdict){"quit", 0};
    case ISTHMUS_STOP_REQUESTED:
        return (struct verdict){"signal", EXIT_FAILED};
    default:
        return (struct verdict){"error", EXIT_FAILED};
    }
}

static int run_machine(struct run *r, struct isthmus *m, struct stats_file *stats)
{
    struct isthmus_limits limits = {.nanoseconds = (uint64_t)ceil(r->timeout * 1e9)};
    double start = seconds_now();
    struct signals *signals = signals_watch(m);
    struct verdict verdict;
    int deadly;

    if (!signals)
        return EXIT_FAILED;
    verdict = judge(r, m, isthmus_run(m, &limits));
    deadly = signals_end(signals);
    if (stats && stats_write(stats, m, verdict.stop, verdict.status, seconds_now() - start))
        verdict.status = EXIT_FAILED;
    isthmus_free(m);
    if (deadly)
        signals_die(deadly);
    return verdict.status;
}

static int run(struct run *r)
{
    struct stats_file *stats = NULL;
    char *hypervisor = NULL;
    struct isthmus *m;
    int err, status = check(r);

    if (status)
        return status;
    if (r->config.guests_n && !r->config.kernel) {
        hypervisor = find_data("hypervisor/hypervisor.elf");
        if (!hypervisor)
            return EXIT_FAILED;
        r->config.hypervisor = hypervisor;
    }
    if (!r->config.console)
        r->config.console = r->config.virtio_console && !strcmp(r->config.virtio_console, "stdio")
                                ? "none"
                                : "stdio";
    m = isthmus_new(&r->config, &err);
    free(hypervisor);
    if (!m)
        return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    if (r->stats && !(stats = stats_open(r->stats))) {
        isthmus_free(m);
        return EXIT_FAILED;
    }
    return run_machine(r, m, stats);
}

static void log_line(void *opaque, enum isthmus_log_level level, const char *text)
{
    (void)opaque;
    complain("%s%s", level == ISTHMUS_LOG_WARN ? "warning: " : "", text);
}

int cmd_run(int argc, char **argv)
{
    struct run *r = calloc(1, sizeof(*r));
    int status;

    if (!r) {
        complain("not enough memory");
        return EXIT_FAILED;
    }
    r->config = (struct isthmus_config){
        .abi = ISTHMUS_ABI,
        .guests = r->guests,
        .windows = r->windows,
        .disks = r->disks,
        .net.forwards = r->forwards,
        .log = log_line,
    };
    status = parse_options(&command, argc, argv, r);
    if (status < 0)
        status = run(r);
    while (r->texts_n > 0)
        free(r->texts[--r->texts_n]);
    free(r->texts);
    free(r);
    return status;
}
