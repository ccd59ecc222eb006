/* SPDX-License-Identifier: MIT */
#include "machine/guests.h"

#include "machine/elf_file.h"
#include "machine/machine.h"
#include "machine/memmap.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE_ROOM (UINT64_C(4) << 20) /* below 3 GiB, for the device tree */
#define TREE_TOP UINT64_C(0xc0000000)

/* The sequential writer of libfdt; the first error sticks. */
struct nodes {
    void *fdt;
    int err;
};

static int refuse(const struct machine *m, const char *text, const char *name)
{
    log_error(&m->log, "%s: %s", name, text);
    return -EINVAL;
}

static int refuse_name(const struct machine *m, const char *guest, const char *name)
{
    log_error(&m->log, "name '%s' of %s: expected 1 to 31 letters, digits, - and _", name, guest);
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
        return refuse_name(m, number, g->name);
    if (find(list, g->name ? g->name : number))
        return refuse(m, "this name of a guest is taken already", g->name ? g->name : number);
    if (g->memory && (g->memory % 4096 || g->memory < ISTHMUS_GUEST_MEMORY_MIN ||
                      g->memory > ISTHMUS_MEMORY_MAX))
        return refuse(m, "expected memory of 4 MiB to 64 GiB, a multiple of 4096 bytes",
                      g->name ? g->name : number);
    if (g->vcpus > ISTHMUS_VCPUS_MAX)
        return refuse(m, "expected 1 to 8 vcpus", g->name ? g->name : number);
    snprintf(out->name, sizeof(out->name), "%s", g->name ? g->name : number);
    return 0;
}

/* name must be a guest's; what names the thing that asks for it. */
static int check_end(const struct machine *m, const struct guest_list *list, const char *what,
                     const char *name)
{
    if (name && find(list, name))
        return 0;
    log_error(&m->log, "%s: no guest is named %s; expected a name that a guest has", what,
              name ? name : "(null)");
    return -EINVAL;
}

static int check_window(const struct machine *m, const struct guest_list *list,
                        const struct isthmus_window *w)
{
    char what[128];
    int err;

    snprintf(what, sizeof(what), "window %s:%s", w->owner ? w->owner : "(null)",
             w->peer ? w->peer : "(null)");
    err = check_end(m, list, what, w->owner);
    if (!err)
        err = check_end(m, list, what, w->peer);
    if (!err && (!(w->rights & (ISTHMUS_WINDOW_R | ISTHMUS_WINDOW_W)) || w->size == 0))
        err = refuse(m, "expected rights r, w or rw, and a size", what);
    return err;
}

static int check_shared(const struct machine *m, const struct guest_list *list,
                        const struct isthmus_shared *s)
{
    bool whole = s->size && s->guests_n && s->guests;
    int err = whole ? 0 : refuse(m, "expected guests and a size", "shared memory");

    for (unsigned i = 0; i < s->guests_n && !err; i++)
        err = check_end(m, list, "user of shared memory", s->guests[i]);
    return err;
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

/* Say what is wrong with an image: the hypervisor, whose business it is to load it, then stops
 * that guest alone, and all that it knows is the guest's name. */
static void inspect_image(const struct machine *m, const struct blob *blob)
{
    struct elf_file elf;

    if (blob_is_compressed(blob, &m->log))
        return;
    if (blob_is_elf(blob) && !elf_file_open(&elf, blob->bytes, blob->size, blob->name, &m->log))
        elf_file_close(&elf);
}

static int check_all(const struct machine *m, struct guest_list *list)
{
    const struct isthmus_config *config = list->config;
    int err = 0;

    for (unsigned i = 0; i < config->guests_n && !err; i++)
        err = check_guest(m, list, &config->guests[i], &list->guests[i], i);
    for (unsigned i = 0; i < config->windows_n && !err; i++)
        err = check_window(m, list, &config->windows[i]);
    for (unsigned i = 0; i < config->shared_n && !err; i++)
        err = check_shared(m, list, &config->shared[i]);
    return err;
}

int guests_init(struct guest_list *list, struct machine *m, const struct isthmus_config *config)
{
    int err;

    *list = (struct guest_list){.config = config};
    list->guests = calloc(config->guests_n + 1, sizeof(*list->guests));
    if (!list->guests)
        return -ENOMEM;
    if (config->guests_n > ISTHMUS_GUESTS_MAX)
        return refuse(m, "expected at most 256 of them", "guests");
    err = check_all(m, list);
    for (unsigned i = 0; i < config->guests_n && !err; i++) {
        struct guest *g = &list->guests[i];
        err = read_file(m, "image", g->name, config->guests[i].image, &g->image);
        if (!err)
            inspect_image(m, g->image.blob);
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

enum { NODE_ROOM = 512 };

size_t guests_nodes_room(const struct guest_list *list)
{
    const struct isthmus_config *c = list->config;
    size_t n = NODE_ROOM;

    for (unsigned i = 0; i < c->guests_n; i++)
        n += NODE_ROOM + (c->guests[i].append ? strlen(c->guests[i].append) : 0);
    for (unsigned i = 0; i < c->shared_n; i++)
        n += NODE_ROOM + c->shared[i].guests_n * sizeof(((struct guest *)0)->name);
    return n + c->windows_n * NODE_ROOM;
}

static void check(struct nodes *n, int err)
{
    if (!n->err)
        n->err = err;
}

static void begin(struct nodes *n, const char *name, unsigned index)
{
    char full[32];

    snprintf(full, sizeof(full), "%s@%u", name, index);
    check(n, fdt_begin_node(n->fdt, full));
}

static void end(struct nodes *n)
{
    check(n, fdt_end_node(n->fdt));
}

static void string(struct nodes *n, const char *name, const char *value)
{
    check(n, fdt_property_string(n->fdt, name, value));
}

static void file(struct nodes *n, const char *name, const struct guest_file *f)
{
    fdt64_t value[2];

    if (!f->blob)
        return;
    value[0] = cpu_to_fdt64(f->pa);
    value[1] = cpu_to_fdt64(f->blob->size);
    check(n, fdt_property(n->fdt, name, value, sizeof(value)));
}

static void write_guest(struct nodes *n, const struct isthmus_guest *g, const struct guest *guest,
                        unsigned index)
{
    begin(n, "guest", index);
    string(n, "compatible", "isthmus,guest");
    string(n, "guest-name", guest->name);
    file(n, "image", &guest->image);
    file(n, "initrd", &guest->initrd);
    if (g->memory)
        check(n, fdt_property_u64(n->fdt, "memory-size", g->memory));
    check(n, fdt_property_u32(n->fdt, "vcpus", g->vcpus ? g->vcpus : 1));
    if (g->append)
        string(n, "bootargs", g->append);
    end(n);
}

static void write_window(struct nodes *n, const struct isthmus_window *w, unsigned index)
{
    char rights[3] = "", *to = rights;

    if (w->rights & ISTHMUS_WINDOW_R)
        *to++ = 'r';
    if (w->rights & ISTHMUS_WINDOW_W)
        *to++ = 'w';
    begin(n, "window", index);
    string(n, "owner", w->owner);
    string(n, "peer", w->peer);
    string(n, "rights", rights);
    check(n, fdt_property_u64(n->fdt, "length", w->size));
    if (w->count > 1)
        check(n, fdt_property_u32(n->fdt, "count", w->count));
    if (w->rights & ISTHMUS_WINDOW_USER)
        check(n, fdt_property(n->fdt, "user", NULL, 0));
    end(n);
}

/* The property guests: their names one after another. */
static void write_shared(struct nodes *n, const struct isthmus_shared *s, unsigned index)
{
    size_t size = 0;
    void *room;
    char *to;

    for (unsigned i = 0; i < s->guests_n; i++)
        size += strlen(s->guests[i]) + 1;
    begin(n, "shared", index);
    check(n, fdt_property_placeholder(n->fdt, "guests", (int)size, &room));
    if (n->err)
        return;
    to = room;
    for (unsigned i = 0; i < s->guests_n; i++)
        to = stpcpy(to, s->guests[i]) + 1;
    check(n, fdt_property_u64(n->fdt, "length", s->size));
    end(n);
}

int guests_write_nodes(const struct guest_list *list, void *fdt)
{
    const struct isthmus_config *c = list->config;
    struct nodes n = {.fdt = fdt};

    if (!c->guests_n)
        return 0;
    check(&n, fdt_begin_node(fdt, "isthmus"));
    string(&n, "compatible", "isthmus,hypervisor");
    if (c->slice_ms)
        check(&n, fdt_property_u32(fdt, "slice-ms", c->slice_ms));
    if (c->copy_hypercalls)
        check(&n, fdt_property(fdt, "copy-hypercalls", NULL, 0));
    for (unsigned i = 0; i < c->guests_n; i++)
        write_guest(&n, &c->guests[i], &list->guests[i], i);
    for (unsigned i = 0; i < c->windows_n; i++)
        write_window(&n, &c->windows[i], i);
    for (unsigned i = 0; i < c->shared_n; i++)
        write_shared(&n, &c->shared[i], i);
    end(&n);
    return n.err;
}
