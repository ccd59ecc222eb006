/* SPDX-License-Identifier: MIT */
#include "isa/cpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name; /* NULL: a combination */
    uint64_t needs;
} extensions[EXT_COUNT] = {
#define EXT(id, name_, needs_) [EXT_##id] = {name_, needs_},
#define COMBINATION(id, needs_) [EXT_##id] = {NULL, needs_},
#include "isa/ext.def"
};

/* Without these nothing here would run. */
#define INDISPENSABLE (BIT(EXT_I) | BIT(EXT_C) | BIT(EXT_ZICSR))
#define ALL (BIT(EXT_COUNT) - 1)
#define AIA (BIT(EXT_SMAIA) | BIT(EXT_SSAIA))

static const struct {
    const char *name;
    uint64_t extensions;
} bases[] = {
    {"rv64gch", ALL & ~AIA},
    {"rv64gc", ALL & ~AIA & ~BIT(EXT_H)},
};

static const struct {
    const char *name;
    size_t offset;
    const char *expected; /* for messages */
    uint8_t min, max;
} limits[] = {
    {"asidlen", offsetof(struct cpu, asidlen), "a number from 0 to 16", 0, CPU_ASIDLEN},
    {"vmidlen", offsetof(struct cpu, vmidlen), "a number from 0 to 14", 0, CPU_VMIDLEN},
    {"geilen", offsetof(struct cpu, geilen), "a number from 0 to 7", 0, CPU_GEILEN},
    {"pmp", offsetof(struct cpu, pmp), "a number from 0 to 16", 0, CPU_PMP},
};

/* Take away what lacks something that it needs, and find the combinations anew. */
static void settle(struct cpu *cpu)
{
    uint64_t before;

    do {
        before = cpu->extensions;
        for (unsigned e = 0; e < EXT_COUNT; e++) {
            uint64_t needs = extensions[e].needs;
            bool met = (cpu->extensions & needs) == needs;

            if (!met)
                cpu->extensions &= ~BIT(e);
            else if (!extensions[e].name)
                cpu->extensions |= BIT(e);
        }
    } while (cpu->extensions != before);
}

void cpu_add(struct cpu *cpu, enum insn_ext ext)
{
    uint64_t before;

    cpu->extensions |= BIT(ext);
    do {
        before = cpu->extensions;
        for (unsigned e = 0; e < EXT_COUNT; e++)
            if (extensions[e].name && cpu_has(cpu, e))
                cpu->extensions |= extensions[e].needs;
    } while (cpu->extensions != before);
    settle(cpu);
}

static void limits_default(struct cpu *cpu)
{
    enum { SATP_SV57 = 10 };

    cpu->satp_mode = SATP_SV57;
    cpu->asidlen = CPU_ASIDLEN;
    cpu->vmidlen = CPU_VMIDLEN;
    cpu->geilen = CPU_GEILEN;
    cpu->pmp = CPU_PMP;
    cpu->htinst = true;
}

void cpu_default(struct cpu *cpu)
{
    cpu->extensions = bases[0].extensions;
    limits_default(cpu);
    settle(cpu);
}

/* --- Reading text --- */

struct item {
    const char *text;
    size_t n;
};

__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t size, const char *fmt,
                                                        ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, size, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

static bool is(struct item item, const char *name)
{
    return strlen(name) == item.n && !strncmp(item.text, name, item.n);
}

static int take_base(struct cpu *cpu, struct item item, char *why, size_t size)
{
    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
        if (is(item, bases[i].name)) {
            cpu->extensions = bases[i].extensions;
            settle(cpu);
            return 0;
        }
    }
    return refuse(why, size, "'%.*s': no such base; expected rv64gch or rv64gc", (int)item.n,
                  item.text);
}

static int take_extension(struct cpu *cpu, struct item item, char *why, size_t size)
{
    bool remove = item.text[0] == '-';

    if (item.n && (remove || item.text[0] == '+')) {
        item.text++;
        item.n--;
    }
    for (unsigned e = 0; e < EXT_COUNT; e++) {
        if (!extensions[e].name || !is(item, extensions[e].name))
            continue;
        if (!remove)
            cpu_add(cpu, e);
        else if (INDISPENSABLE >> e & 1)
            return refuse(why, size, "-%s: the machine cannot do without it", extensions[e].name);
        cpu->extensions &= remove ? ~BIT(e) : UINT64_MAX;
        settle(cpu);
        return 0;
    }
    return refuse(why, size, "'%.*s': no such extension or limit; see docs/cpu.md", (int)item.n,
                  item.text);
}

/* The decimal number that is all of item; -1 where it is none. */
static int number(struct item item)
{
    int v = 0;

    if (!item.n || item.n > 3)
        return -1;
    for (size_t i = 0; i < item.n; i++) {
        if (item.text[i] < '0' || item.text[i] > '9')
            return -1;
        v = 10 * v + item.text[i] - '0';
    }
    return v;
}

static int take_sv(struct cpu *cpu, int v, char *why, size_t size)
{
    if (v != 39 && v != 48 && v != 57)
        return refuse(why, size, "sv: expected 39, 48 or 57");
    cpu->satp_mode = (uint8_t)(8 + (v - 39) / 9);
    return 0;
}

static int take_limit(struct cpu *cpu, struct item key, struct item value, char *why, size_t size)
{
    int v = number(value);

    if (is(key, "sv"))
        return take_sv(cpu, v, why, size);
    if (is(key, "htinst")) {
        if (!is(value, "zero") && !is(value, "on"))
            return refuse(why, size, "htinst: expected zero or on");
        cpu->htinst = is(value, "on");
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        if (!is(key, limits[i].name))
            continue;
        if (v < limits[i].min || v > limits[i].max)
            return refuse(why, size, "%s: expected %s", limits[i].name, limits[i].expected);
        *((uint8_t *)cpu + limits[i].offset) = (uint8_t)v;
        return 0;
    }
    return refuse(why, size,
                  "'%.*s': no such limit; expected sv, asidlen, vmidlen, geilen, pmp or "
                  "htinst",
                  (int)key.n, key.text);
}

int cpu_parse(struct cpu *cpu, const char *text, bool aia, char *why, size_t size)
{
    bool first = true;
    int err = 0;

    limits_default(cpu);
    do {
        struct item item = {text, strcspn(text, ",")};
        const char *equals = memchr(text, '=', item.n);

        text += item.n;
        if (first) {
            err = take_base(cpu, item, why, size);
            if (!err && aia)
                cpu_add(cpu, EXT_SMAIA);
        } else if (equals) {
            struct item key = {item.text, (size_t)(equals - item.text)};
            struct item value = {equals + 1, item.n - key.n - 1};
            err = take_limit(cpu, key, value, why, size);
        } else {
            err = take_extension(cpu, item, why, size);
        }
        first = false;
    } while (!err && *text++);
    return err;
}

/* --- Writing --- */

const char *cpu_next_name(const struct cpu *cpu, unsigned *ext)
{
    while (*ext < EXT_COUNT) {
        unsigned e = (*ext)++;
        if (extensions[e].name && cpu_has(cpu, e))
            return extensions[e].name;
    }
    return NULL;
}

void cpu_isa_string(const struct cpu *cpu, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "rv64");
    unsigned ext = 0;
    const char *name;

    while ((name = cpu_next_name(cpu, &ext)) && n < size)
        n += (size_t)snprintf(text + n, size - n, "%s%s", name[1] ? "_" : "", name);
}
