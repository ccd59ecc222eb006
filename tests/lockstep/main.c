/* SPDX-License-Identifier: MIT */
/*
 * lockstep: run a program on the interpreter and on the translator and compare them on the way.
 *
 * Exit status 0: they agreed to the end, or to the limit; 1: they did not, and how is printed, or
 * the program says that it failed; 2: it could not run. The chunks' sizes are used in turn, so that
 * the two are compared, and translated code is entered and left by running out of instructions, at
 * ever other places.
 */
#include "tests/lockstep/lockstep.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = 16, GUESTS_MAX = 8, WINDOWS_MAX = 8, FIELDS_MAX = 5 };

struct options {
    struct isthmus_config config;
    struct isthmus_guest guests[GUESTS_MAX];
    struct isthmus_window windows[WINDOWS_MAX];
    struct isthmus_disk disk;
    uint64_t chunks[CHUNKS_MAX];
    unsigned chunks_n;
    uint64_t limit;    /* instructions in all; 0: none */
    uint64_t ram_each; /* instructions between comparisons of RAM; 0: at the end alone */
    bool echo, must_translate;
};

static const char usage[] =
    "usage: lockstep [--bios FILE] [--kernel FILE] [--initrd FILE] [--append TEXT] [--harts N]\n"
    "                [--memory MIB] [--hypervisor FILE] [--disk FILE]\n"
    "                [--guest NAME:FILE[:MIB[:VCPUS[:INITRD]]]]...\n"
    "                [--window OWNER:PEER:RIGHTS:KIB[:user]]...\n"
    "                [--chunk N[,N...]] [--limit N] [--ram-each N] [--translate-after N]\n"
    "                [--code-buffer KIB] [--must-translate] [--echo]\n";

enum { BIOS = 1, KERNEL, INITRD, APPEND, HARTS, MEMORY, GUEST, WINDOW, HYPERVISOR, DISK, CHUNK,
       LIMIT, RAM_EACH, AFTER, BUFFER, MUST, ECHO };
static const struct option long_options[] = {
    {"bios", 1, NULL, BIOS},
    {"kernel", 1, NULL, KERNEL},
    {"initrd", 1, NULL, INITRD},
    {"append", 1, NULL, APPEND},
    {"harts", 1, NULL, HARTS},
    {"memory", 1, NULL, MEMORY},
    {"guest", 1, NULL, GUEST},
    {"window", 1, NULL, WINDOW},
    {"hypervisor", 1, NULL, HYPERVISOR},
    {"disk", 1, NULL, DISK},
    {"chunk", 1, NULL, CHUNK},
    {"limit", 1, NULL, LIMIT},
    {"ram-each", 1, NULL, RAM_EACH},
    {"translate-after", 1, NULL, AFTER},
    {"code-buffer", 1, NULL, BUFFER},
    {"must-translate", 0, NULL, MUST},
    {"echo", 0, NULL, ECHO},
    {NULL, 0, NULL, 0},
};

static void take_chunks(struct options *o, char *list)
{
    o->chunks_n = 0;
    for (char *word = strtok(list, ","); word && o->chunks_n < CHUNKS_MAX;
         word = strtok(NULL, ","))
        o->chunks[o->chunks_n++] = strtoull(word, NULL, 0);
}

/* Cut text at its colons. Result: how many pieces; those there are not are "". */
static unsigned split(char *text, const char *piece[FIELDS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < FIELDS_MAX; i++)
        piece[i] = "";
    while (text && n < FIELDS_MAX) {
        piece[n++] = text;
        text = strchr(text, ':');
        if (text)
            *text++ = 0;
    }
    return n;
}

static bool take_guest(struct options *o, char *text)
{
    const char *field[FIELDS_MAX];
    unsigned n = split(text, field);

    if (n < 2 || o->config.guests_n == GUESTS_MAX)
        return false;
    o->guests[o->config.guests_n++] =
        (struct isthmus_guest){.name = field[0],
                               .image = field[1],
                               .memory = strtoull(field[2], NULL, 0) << 20,
                               .vcpus = (uint32_t)strtoul(field[3], NULL, 0),
                               .initrd = *field[4] ? field[4] : NULL};
    return true;
}

static bool take_window(struct options *o, char *text)
{
    const char *field[FIELDS_MAX];
    unsigned n = split(text, field);
    uint32_t rights = 0;

    if (n < 4 || o->config.windows_n == WINDOWS_MAX)
        return false;
    for (const char *at = field[2]; *at; at++)
        rights |= *at == 'r' ? ISTHMUS_WINDOW_R : *at == 'w' ? ISTHMUS_WINDOW_W : 0;
    if (*field[4])
        rights |= ISTHMUS_WINDOW_USER;
    o->windows[o->config.windows_n++] =
        (struct isthmus_window){.owner = field[0],
                                .peer = field[1],
                                .rights = rights,
                                .size = strtoull(field[3], NULL, 0) << 10};
    return true;
}

static bool take(struct options *o, int option, char *value)
{
    struct isthmus_config *c = &o->config;

    switch (option) {
    case BIOS:
        c->bios = value;
        return true;
    case KERNEL:
        c->kernel = value;
        return true;
    case INITRD:
        c->initrd = value;
        return true;
    case APPEND:
        c->append = value;
        return true;
    case HARTS:
        c->harts = (uint32_t)strtoul(value, NULL, 0);
        return true;
    case MEMORY:
        c->memory = strtoull(value, NULL, 0) << 20;
        return true;
    case GUEST:
        return take_guest(o, value);
    case WINDOW:
        return take_window(o, value);
    case HYPERVISOR:
        c->hypervisor = value;
        return true;
    case DISK:
        o->disk = (struct isthmus_disk){.path = value, .readonly = true};
        c->disks = &o->disk;
        c->disks_n = 1;
        return true;
    case CHUNK:
        take_chunks(o, value);
        return o->chunks_n > 0 && o->chunks[0] > 0;
    case LIMIT:
        o->limit = strtoull(value, NULL, 0);
        return true;
    case RAM_EACH:
        o->ram_each = strtoull(value, NULL, 0);
        return true;
    case AFTER:
        c->translate_after = (uint32_t)strtoul(value, NULL, 0);
        return true;
    case BUFFER:
        c->code_buffer = strtoull(value, NULL, 0) << 10;
        return true;
    case MUST:
        o->must_translate = true;
        return true;
    case ECHO:
        o->echo = true;
        return true;
    default:
        return false;
    }
}

static int differ(const struct lockstep *l)
{
    fflush(stdout);
    printf("\ninterpreter and translator differ:\n%s\n", l->why);
    return 1;
}

static int run(struct lockstep *l, const struct options *o)
{
    enum lockstep_result result = LOCKSTEP_AGREE;
    uint64_t next_ram = o->ram_each;

    for (unsigned i = 0; result == LOCKSTEP_AGREE && (!o->limit || l->done < o->limit); i++) {
        result = lockstep_run(l, o->chunks[i % o->chunks_n]);
        if (result == LOCKSTEP_DIFFER)
            return differ(l);
        if (o->ram_each && l->done >= next_ram) {
            if (!lockstep_same_ram(l))
                return differ(l);
            next_ram = l->done + o->ram_each;
        }
    }
    if (!lockstep_same_ram(l))
        return differ(l);
    if (isthmus_exit_code(l->m[0]))
        printf("the program ended with %d\n", isthmus_exit_code(l->m[0]));
    return isthmus_exit_code(l->m[0]) != 0;
}

int main(int argc, char **argv)
{
    static struct options o = {
        .config = {.abi = ISTHMUS_ABI}, .chunks = {1, 7, 1000, 100003}, .chunks_n = 4};
    struct lockstep *l;
    int option, status;

    o.config.guests = o.guests;
    o.config.windows = o.windows;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!take(&o, option, optarg)) {
            fputs(usage, stderr);
            return 2;
        }
    }
    l = lockstep_new(&o.config);
    if (!l)
        return 2;
    l->echo = o.echo;
    status = run(l, &o);
    if (!status) {
        printf("%" PRIu64 " instructions, %" PRIu64 " blocks translated, %" PRIu64
               " entries into translated code, %" PRIu64 " resets\n",
               lockstep_counter(l, "instructions"), lockstep_counter(l, "translator.blocks"),
               lockstep_counter(l, "translator.entries"), lockstep_counter(l, "translator.resets"));
        if (o.must_translate && !lockstep_counter(l, "translator.entries")) {
            puts("nothing was translated");
            status = 1;
        }
    }
    lockstep_free(l);
    return status;
}
