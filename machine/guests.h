/* SPDX-License-Identifier: MIT */
/*
 * Guests and windows of the reference hypervisor: their images are laid into high RAM, and nodes
 * under /chosen tell the hypervisor of them (docs/hypervisor.md, "Configuration").
 */
#ifndef MACHINE_GUESTS_H
#define MACHINE_GUESTS_H

#include "isthmus.h"
#include "machine/image.h"

struct machine;

struct guest_file {
    const struct blob *blob; /* NULL: none */
    uint64_t pa;
};

struct guest {
    char name[32];
    struct guest_file image, initrd;
};

struct guest_list {
    const struct isthmus_config *config; /* guests and windows */
    struct guest *guests;                /* config->guests_n */
};

/* Check the guests and windows of config, and read their files. The list keeps a pointer to
 * config. Result: 0, -EINVAL, or another negative errno, after logging why. */
int guests_init(struct guest_list *list, struct machine *m, const struct isthmus_config *config);
void guests_free(struct guest_list *list);

/* Lay the images into RAM, downwards from below the device tree's place. */
int guests_place(struct guest_list *list, struct machine *m);

/* Bytes that the nodes take in a device tree, at most. */
size_t guests_nodes_room(const struct guest_list *list);
/* Write the nodes at the place where libfdt's sequential writer is, inside /chosen. Result: 0 or a
 * libfdt error. */
int guests_write_nodes(const struct guest_list *list, void *fdt);

#endif
