/* SPDX-License-Identifier: MIT */
#include "machine/guests.h"

#include "machine/machine.h"
#include "machine/memmap.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define TREE_ROOM (UINT64_C(4) << 20) /* below 3 GiB, for the device tree */
#define TREE_TOP UINT64_C(0xc0000000)
enum { GUEST_MEMORY_MIB = 64, VCPUS_MAX = 8 };

static int refuse(const struct machine *m, const char *text, const char *name)
{
    log_error(&m->log, "%s: %s", name, text);
    return -EINVAL;
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n >= sizeof(((struct guest *)0)->name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_')
            return false;
    return true;
}

static const struct guest *find(const struct guest_list *list, const char *name)
{
    for (unsigned i = 0; i < list->config->guests_n; i++)
        if (!strcmp(list->guests[i].name, name))
            return &list->guests[i];
    return NULL;
}

static int check_guest(const struct machine *m, const struct guest_list *list,
                       const struct isthmus_guest *g, struct guest *out, unsigned index)
{
    char number[32];

    snprintf(number, sizeof(number), "guest%u", index);
    if (!g->image)
        return refuse(m, "a guest needs an image", number);
    if (g->name && !good_name(g->name))
        return refuse(m, "expected a guest's name of 1 to 31 letters, digits, - and _", g->name);
    if (!strcmp(g->name ? g->name : "", "host") || find(list, g->name ? g->name : number))
        return refuse(m, "this name of a guest is taken already", g->name ? g->name : number);
    if (g->memory % 4096 || g->memory > ISTHMUS_MEMORY_MAX)
        return refuse(m, "expected memory of a guest that is a multiple of 4096 bytes", number);
    if (g->vcpus > VCPUS_MAX)
        return refuse(m, "expected 1 to 8 vcpus", g->name ? g->name : number);
    snprintf(out->name, sizeof(out->name), "%s", g->name ? g->name : number);
    return 0;
}

static int check_end(const struct machine *m, const struct guest_list *list, const char *what,
                     const char *name)
{
    if (name && (!strcmp(name, "host") || find(list, name)))
        return 0;
    log_error(&m->log, "window: no guest is named %s, its %s", name ? name : "(null)", what);
    return -EINVAL;
}

static int check_window(const struct machine *m, const struct guest_list *list,
                        const struct isthmus_window *w)
{
    int err = check_end(m, list, "owner", w->owner);

    if (!err)
        err = check_end(m, list, "peer", w->peer);
    if (err)
        return err;
    if (!strcmp(w->owner, w->peer))
        return refuse(m, "a window's owner and peer must be two", w->owner);
    if (!(w->rights & (ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W)) || w->size == 0)
        return refuse(m, "expected a window with rights r, w or rw and a size", w->owner);
    return 0;
}

static int read_file(struct machine *m, const char *role, const char *name, const char *path,
                     struct guest_file *file)
{
    char text[64];
    struct blob *blob;
    int err;

    if (!path)
        return 0;
    snprintf(text, sizeof(text), "%s of guest %s", role, name);
    err = images_read(&m->images, text, path, &blob);
    if (!err)
        file->blob = blob;
    return err;
}

int guests_init(struct guest_list *list, struct machine *m, const struct isthmus_config *config)
{
    int err = 0;

    *list = (struct guest_list){.config = config};
    list->guests = calloc(config->guests_n + 1, sizeof(*list->guests));
    if (!list->guests)
        return -ENOMEM;
    for (unsigned i = 0; i < config->guests_n && !err; i++)
        err = check_guest(m, list, &config->guests[i], &list->guests[i], i);
    for (unsigned i = 0; i < config->windows_n && !err; i++)
        err = check_window(m, list, &config->windows[i]);
    for (unsigned i = 0; i < config->guests_n && !err; i++) {
        struct guest *g = &list->guests[i];
        err = read_file(m, "image", g->name, config->guests[i].image, &g->image);
        if (!err)
            err = read_file(m, "initrd", g->name, config->guests[i].initrd, &g->initrd);
    }
    return err;
}

void guests_free(struct guest_list *list)
{
    free(list->guests);
}

/* Lay a file below *top, which moves down to it. */
static int place_file(struct machine *m, struct guest_file *file, uint64_t *top)
{
    if (!file->blob)
        return 0;
    if (file->blob->size > *top - RAM_BASE) {
        log_error(&m->log, "%s: RAM has no room for it", file->blob->name);
        return -ENOSPC;
    }
    file->pa = (*top - file->blob->size) & PAGE_MASK;
    *top = file->pa;
    return images_place(&m->images, file->blob, file->pa, file->blob->size);
}

int guests_place(struct guest_list *list, struct machine *m)
{
    uint64_t ram_top = RAM_BASE + m->mem.ram_size, top = min_u64(ram_top, TREE_TOP);
    int err = 0;

    top -= min_u64(TREE_ROOM, m->mem.ram_size / 2);
    for (unsigned i = 0; i < list->config->guests_n && !err; i++) {
        err = place_file(m, &list->guests[i].image, &top);
        if (!err)
            err = place_file(m, &list->guests[i].initrd, &top);
    }
    return err;
}

size_t guests_nodes_room(const struct guest_list *list)
{
    size_t n = 0;

    for (unsigned i = 0; i < list->config->guests_n; i++)
        n += 512 + (list->config->guests[i].append ? strlen(list->config->guests[i].append) : 0);
    return n + list->config->windows_n * 512;
}

int guests_write_nodes(const struct guest_list *list, void *fdt)
{
    (void)list;
    (void)fdt;
    return 0;
}
