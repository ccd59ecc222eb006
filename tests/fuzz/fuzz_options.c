/* SPDX-License-Identifier: MIT */
/*
 * The command line of `isthmus run`: the input is its words, each ended by a zero byte. What gets
 * as far as a machine must be what isthmus.h allows, and what does not ends with status 0 (--help),
 * 1 or 2. Nothing is run: the library's functions are replaced here.
 */
#include "cli/cli.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 64 };
static bool made;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void must_be_text(const char *text, bool may_be_null)
{
    must(text ? strlen(text) < 1 << 16 : may_be_null);
}

static void check_guests(const struct isthmus_config *c)
{
    must(c->guests_n <= ISTHMUS_GUESTS_MAX);
    for (uint32_t i = 0; i < c->guests_n; i++) {
        const struct isthmus_guest *g = &c->guests[i];

        must(g->image && *g->image);
        must_be_text(g->name, true);
        must_be_text(g->append, true);
        must_be_text(g->initrd, true);
        must(!g->memory || (g->memory >= ISTHMUS_GUEST_MEMORY_MIN && g->memory % 4096 == 0 &&
                            g->memory <= ISTHMUS_MEMORY_MAX));
        must(g->vcpus <= ISTHMUS_VCPUS_MAX);
    }
    for (uint32_t i = 0; i < c->windows_n; i++) {
        const struct isthmus_window *w = &c->windows[i];

        must(w->owner && *w->owner && w->peer && *w->peer && w->size);
        must(w->rights & (ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W));
    }
}

static void check_devices(const struct isthmus_config *c)
{
    for (uint32_t i = 0; i < c->disks_n; i++)
        must(c->disks[i].path && *c->disks[i].path);
    for (uint32_t i = 0; i < c->net.forwards_n; i++) {
        const struct isthmus_forward *f = &c->net.forwards[i];

        must(f->host_port && f->guest_port);
        must_be_text(f->host, true);
        must_be_text(f->guest, true);
    }
    must(c->net.kind != ISTHMUS_NET_TAP || (c->net.ifname && *c->net.ifname));
    must(!(c->net.mac[0] & 1));
}

struct isthmus *isthmus_new(const struct isthmus_config *c, int *error)
{
    made = true;
    must(c->abi == ISTHMUS_ABI && c->harts <= ISTHMUS_HARTS_MAX);
    must(!c->memory || (c->memory >= ISTHMUS_MEMORY_MIN && c->memory <= ISTHMUS_MEMORY_MAX &&
                        c->memory % 4096 == 0));
    must(c->aia_guests <= ISTHMUS_AIA_GUESTS_MAX);
    must(c->translate_after <= ISTHMUS_TRANSLATE_AFTER_MAX);
    must(!c->code_buffer || (c->code_buffer >= ISTHMUS_CODE_BUFFER_MIN &&
                             c->code_buffer <= ISTHMUS_CODE_BUFFER_MAX));
    must_be_text(c->console, false);
    must((!c->bios || *c->bios) && (!c->kernel || *c->kernel) && (!c->initrd || *c->initrd));
    check_guests(c);
    check_devices(c);
    *error = -ENOENT;
    return NULL;
}

int isthmus_check_cpu(const char *cpu, const char *aia, char *why, size_t size)
{
    (void)aia;
    snprintf(why, size, "odd");
    return strlen(cpu) & 1 ? -EINVAL : 0;
}

char *find_data(const char *name)
{
    return strdup(name);
}

/* --- What is not reached --- */

void isthmus_free(struct isthmus *m)
{
    (void)m;
}

enum isthmus_stop isthmus_run(struct isthmus *m, const struct isthmus_limits *limits)
{
    (void)m;
    (void)limits;
    abort();
}

int isthmus_exit_code(const struct isthmus *m)
{
    (void)m;
    abort();
}

bool isthmus_output_lost(const struct isthmus *m)
{
    (void)m;
    abort();
}

struct signals *signals_watch(struct isthmus *m)
{
    (void)m;
    abort();
}

int signals_end(struct signals *s)
{
    (void)s;
    abort();
}

void signals_die(int number)
{
    (void)number;
    abort();
}

struct stats_file *stats_open(const char *path)
{
    (void)path;
    abort();
}

int stats_write(struct stats_file *s, struct isthmus *m, const char *stop, int exit_code,
                double seconds)
{
    (void)s;
    (void)m;
    (void)stop;
    (void)exit_code;
    (void)seconds;
    abort();
}

/* --- The target --- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[WORDS_MAX + 2] = {"run"}, *text = malloc(size + 1);
    int argc = 1, status;

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    for (size_t at = 0; at < size && argc <= WORDS_MAX; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    made = false;
    status = cmd_run(argc, argv);
    must(status == EXIT_USAGE || (status == EXIT_FAILED && made) || (status == 0 && !made));
    free(text);
    return 0;
}
