/* SPDX-License-Identifier: MIT */
/*
 * Flattened device trees, as the Devicetree Specification v0.4 chapter 5 lays them out: a reader
 * that works in place, and a writer that emits nodes in order into a buffer.
 */
#ifndef GUEST_LIB_FDT_H
#define GUEST_LIB_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A tree opened for reading. A node is the offset of its begin token in the structure block. */
struct fdt {
    const uint8_t *structs;
    const char *strings;
    uint32_t structs_size;
    uint32_t strings_size;
    uint32_t total_size;
    const uint8_t *reservations;
};

/** Open @blob; false when it is no device tree of version 17. */
bool fdt_open(struct fdt *fdt, const void *blob);

/** The first child of @node, or -1. The root is node 0. */
int fdt_child(const struct fdt *fdt, int node);

/** The next node with the same parent, or -1. */
int fdt_sibling(const struct fdt *fdt, int node);

/** The node at an absolute @path ("/chosen/x"), or -1. A path part without @ matches any unit. */
int fdt_find(const struct fdt *fdt, const char *path);

/** The name of @node with its unit address. */
const char *fdt_name(const struct fdt *fdt, int node);

/** The value of a property and its length in bytes through @len (may be NULL), or NULL. */
const void *fdt_prop(const struct fdt *fdt, int node, const char *name, int *len);

/** A string property, or @otherwise when it is absent or not ended by a 0. */
const char *fdt_string(const struct fdt *fdt, int node, const char *name, const char *otherwise);

/** A property of one or two cells, or @otherwise. */
uint64_t fdt_number(const struct fdt *fdt, int node, const char *name, uint64_t otherwise);

/** The number in @cells (0 to 2) big-endian cells at @p. */
uint64_t fdt_cells(const void *p, unsigned cells);

/** Whether one string of the node's compatible list is @what. */
bool fdt_compatible(const struct fdt *fdt, int node, const char *what);

/** The memory reservation @i through @addr and @size; false past the last one. */
bool fdt_reservation(const struct fdt *fdt, unsigned i, uint64_t *addr, uint64_t *size);

/** A tree being written. */
struct fdt_writer {
    uint8_t *buf;
    size_t cap;
    size_t len;
    char strings[1024];
    size_t strings_len;
    bool overflow;
};

/** Begin a tree in @buf (8-byte aligned) of @cap bytes, and its root node. */
void fdtw_open(struct fdt_writer *w, void *buf, size_t cap);
void fdtw_node(struct fdt_writer *w, const char *name);
void fdtw_node_at(struct fdt_writer *w, const char *name, uint64_t unit);
void fdtw_end(struct fdt_writer *w);
void fdtw_bytes(struct fdt_writer *w, const char *name, const void *value, size_t len);
void fdtw_string(struct fdt_writer *w, const char *name, const char *value);
void fdtw_u32(struct fdt_writer *w, const char *name, uint32_t value);
void fdtw_u64(struct fdt_writer *w, const char *name, uint64_t value);
/** A property of two 64-bit numbers, as reg is with two address and two size cells. */
void fdtw_pair(struct fdt_writer *w, const char *name, uint64_t a, uint64_t b);
/** End the root node and the tree; its size in bytes, or 0 when it did not fit. */
size_t fdtw_close(struct fdt_writer *w);

#endif
