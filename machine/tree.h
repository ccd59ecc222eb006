/* SPDX-License-Identifier: MIT */
/* The device tree that describes the machine to its firmware, in the shape of QEMU's virt board. */
#ifndef MACHINE_TREE_H
#define MACHINE_TREE_H

#include "machine/guests.h"

struct machine;

struct tree_config {
    const char *append;          /* bootargs, or NULL */
    uint64_t initrd, initrd_end; /* physical addresses; equal: none */
    const struct guest_list *guests;
};

/* Make the flattened tree. Result: 0 with *tree, to be freed with free(), of *size bytes; or a
 * negative errno after logging why. */
int tree_make(const struct machine *m, const struct tree_config *config, void **tree,
              uint64_t *size);

#endif
