/* SPDX-License-Identifier: MIT */
#include "fdt.h"
#include "format.h"
#include "string.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };
enum { MAGIC = 0xd00dfeed, HEADER_SIZE = 40, VERSION = 17, LAST_COMPATIBLE = 16 };

static uint32_t be32(const void *p)
{
    const uint8_t *b = p;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t fdt_cells(const void *p, unsigned cells)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < cells; i++)
        value = value << 32 | be32((const uint8_t *)p + 4 * i);
    return value;
}

bool fdt_open(struct fdt *fdt, const void *blob)
{
    const uint8_t *p = blob;

    if (!p || be32(p) != MAGIC || be32(p + 20) < VERSION)
        return false;
    *fdt = (struct fdt){
        .structs = p + be32(p + 8),
        .strings = (const char *)p + be32(p + 12),
        .strings_size = be32(p + 32),
        .structs_size = be32(p + 36),
        .total_size = be32(p + 4),
        .reservations = p + be32(p + 16),
    };
    return true;
}

bool fdt_reservation(const struct fdt *fdt, unsigned i, uint64_t *addr, uint64_t *size)
{
    *addr = fdt_cells(fdt->reservations + 16 * i, 2);
    *size = fdt_cells(fdt->reservations + 16 * i + 8, 2);
    return *addr || *size;
}

/* The token at @off and, through @next, the offset of the one after it. */
static uint32_t token(const struct fdt *fdt, uint32_t off, uint32_t *next)
{
    uint32_t t, len;

    if (off + 4 > fdt->structs_size)
        return END;
    t = be32(fdt->structs + off);
    len = 4;
    if (t == BEGIN_NODE)
        len += (uint32_t)strlen((const char *)fdt->structs + off + 4) + 1;
    else if (t == PROP)
        len += 8 + be32(fdt->structs + off + 4);
    *next = off + ((len + 3) & ~3u);
    return t;
}

/* Walk from the token at @off to the next node at this depth; -1 when the parent ends first. */
static int next_node(const struct fdt *fdt, uint32_t off)
{
    for (;;) {
        uint32_t next;

        switch (token(fdt, off, &next)) {
        case BEGIN_NODE:
            return (int)off;
        case PROP:
        case NOP:
            off = next;
            break;
        default:
            return -1;
        }
    }
}

int fdt_child(const struct fdt *fdt, int node)
{
    uint32_t next;

    return token(fdt, (uint32_t)node, &next) == BEGIN_NODE ? next_node(fdt, next) : -1;
}

int fdt_sibling(const struct fdt *fdt, int node)
{
    uint32_t off = (uint32_t)node;
    int depth = 0;

    do {
        uint32_t next;
        uint32_t t = token(fdt, off, &next);

        if (t == BEGIN_NODE)
            depth++;
        else if (t == END_NODE)
            depth--;
        else if (t == END)
            return -1;
        off = next;
    } while (depth > 0);
    return next_node(fdt, off);
}

const char *fdt_name(const struct fdt *fdt, int node)
{
    return (const char *)fdt->structs + node + 4;
}

static bool name_matches(const char *name, const char *part, size_t n)
{
    return strncmp(name, part, n) == 0 && (name[n] == '\0' || name[n] == '@');
}

int fdt_find(const struct fdt *fdt, const char *path)
{
    int node = 0;

    while (*path) {
        size_t n = 0;

        if (*path == '/') {
            path++;
            continue;
        }
        while (path[n] && path[n] != '/')
            n++;
        for (node = fdt_child(fdt, node); node >= 0; node = fdt_sibling(fdt, node))
            if (name_matches(fdt_name(fdt, node), path, n))
                break;
        if (node < 0)
            return -1;
        path += n;
    }
    return node;
}

const void *fdt_prop(const struct fdt *fdt, int node, const char *name, int *len)
{
    uint32_t off, next;
    uint32_t t;

    token(fdt, (uint32_t)node, &off);
    for (; (t = token(fdt, off, &next)) == PROP || t == NOP; off = next) {
        const uint8_t *p = fdt->structs + off;

        if (t == NOP || strcmp(fdt->strings + be32(p + 8), name) != 0)
            continue;
        if (len)
            *len = (int)be32(p + 4);
        return p + 12;
    }
    return NULL;
}

const char *fdt_string(const struct fdt *fdt, int node, const char *name, const char *otherwise)
{
    int len;
    const char *s = fdt_prop(fdt, node, name, &len);

    return s && len > 0 && s[len - 1] == '\0' ? s : otherwise;
}

uint64_t fdt_number(const struct fdt *fdt, int node, const char *name, uint64_t otherwise)
{
    int len;
    const void *p = fdt_prop(fdt, node, name, &len);

    return p && (len == 4 || len == 8) ? fdt_cells(p, (unsigned)len / 4) : otherwise;
}

bool fdt_compatible(const struct fdt *fdt, int node, const char *what)
{
    int len;
    const char *s = fdt_prop(fdt, node, "compatible", &len);
    const char *end = s ? s + len : NULL;

    for (; s && s < end; s += strlen(s) + 1)
        if (strcmp(s, what) == 0)
            return true;
    return false;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8),
    p[3] = (uint8_t)v;
}

static void append(struct fdt_writer *w, const void *data, size_t len)
{
    size_t padded = (len + 3) & ~(size_t)3;

    if (w->len + padded > w->cap) {
        w->overflow = true;
        return;
    }
    memcpy(w->buf + w->len, data, len);
    memset(w->buf + w->len + len, 0, padded - len);
    w->len += padded;
}

static void append32(struct fdt_writer *w, uint32_t v)
{
    uint8_t b[4];

    put32(b, v);
    append(w, b, 4);
}

/* The offset of @name in the strings block, which keeps each name once. */
static uint32_t string_offset(struct fdt_writer *w, const char *name)
{
    size_t n = strlen(name) + 1;
    size_t off;

    for (off = 0; off < w->strings_len; off += strlen(w->strings + off) + 1)
        if (strcmp(w->strings + off, name) == 0)
            return (uint32_t)off;
    if (off + n > sizeof(w->strings)) {
        w->overflow = true;
        return 0;
    }
    memcpy(w->strings + off, name, n);
    w->strings_len += n;
    return (uint32_t)off;
}

void fdtw_open(struct fdt_writer *w, void *buf, size_t cap)
{
    *w = (struct fdt_writer){.buf = buf, .cap = cap, .len = HEADER_SIZE + 16};
    if (cap < w->len) {
        w->overflow = true;
        return;
    }
    memset(buf, 0, w->len);
    fdtw_node(w, "");
}

void fdtw_node(struct fdt_writer *w, const char *name)
{
    append32(w, BEGIN_NODE);
    append(w, name, strlen(name) + 1);
}

void fdtw_node_at(struct fdt_writer *w, const char *name, uint64_t unit)
{
    char full[64];

    format_s(full, sizeof(full), "%s@%lx", name, unit);
    fdtw_node(w, full);
}

void fdtw_end(struct fdt_writer *w)
{
    append32(w, END_NODE);
}

void fdtw_bytes(struct fdt_writer *w, const char *name, const void *value, size_t len)
{
    append32(w, PROP);
    append32(w, (uint32_t)len);
    append32(w, string_offset(w, name));
    append(w, value, len);
}

void fdtw_string(struct fdt_writer *w, const char *name, const char *value)
{
    fdtw_bytes(w, name, value, strlen(value) + 1);
}

void fdtw_u32(struct fdt_writer *w, const char *name, uint32_t value)
{
    uint8_t b[4];

    put32(b, value);
    fdtw_bytes(w, name, b, 4);
}

void fdtw_u64(struct fdt_writer *w, const char *name, uint64_t value)
{
    uint8_t b[8];

    put32(b, (uint32_t)(value >> 32));
    put32(b + 4, (uint32_t)value);
    fdtw_bytes(w, name, b, 8);
}

void fdtw_pair(struct fdt_writer *w, const char *name, uint64_t a, uint64_t b)
{
    uint8_t v[16];

    put32(v, (uint32_t)(a >> 32));
    put32(v + 4, (uint32_t)a);
    put32(v + 8, (uint32_t)(b >> 32));
    put32(v + 12, (uint32_t)b);
    fdtw_bytes(w, name, v, 16);
}

size_t fdtw_close(struct fdt_writer *w)
{
    uint32_t structs = HEADER_SIZE + 16;
    uint32_t strings;

    fdtw_end(w);
    append32(w, END);
    strings = (uint32_t)w->len;
    append(w, w->strings, w->strings_len);
    if (w->overflow)
        return 0;
    put32(w->buf, MAGIC);
    put32(w->buf + 4, (uint32_t)w->len);
    put32(w->buf + 8, structs);
    put32(w->buf + 12, strings);
    put32(w->buf + 16, HEADER_SIZE);
    put32(w->buf + 20, VERSION);
    put32(w->buf + 24, LAST_COMPATIBLE);
    put32(w->buf + 32, (uint32_t)w->strings_len);
    put32(w->buf + 36, strings - structs);
    return w->len;
}
