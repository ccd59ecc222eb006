/* SPDX-License-Identifier: MIT */
/* --stats: the machine's counters as one JSON object. */
#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stats_file {
    FILE *file;
    const char *path;
};

struct stats_file *stats_open(const char *path)
{
    struct stats_file *s = malloc(sizeof(*s));

    if (!s) {
        complain("--stats %s: not enough memory", path);
        return NULL;
    }
    s->path = path;
    s->file = fopen(path, "we");
    if (!s->file) {
        complain("--stats %s: cannot write the file: %s", path, strerror(errno));
        free(s);
        return NULL;
    }
    return s;
}

/* Put value into the object that the dotted name leads to, making objects on the way. */
static void put_counter(void *opaque, const char *name, uint64_t value)
{
    json_t *at = opaque;
    const char *dot;

    while ((dot = strchr(name, '.'))) {
        char *key = strndup(name, (size_t)(dot - name));
        json_t *next = json_object_get(at, key);

        if (!next && json_object_set_new(at, key, json_object()) == 0)
            next = json_object_get(at, key);
        free(key);
        at = next;
        name = dot + 1;
    }
    json_object_set_new(at, name, json_integer((json_int_t)value));
}

int stats_write(struct stats_file *s, struct isthmus *m, const char *stop, int exit_code,
                double seconds)
{
    json_t *root =
        json_pack("{s:s, s:i, s:f}", "stop", stop, "exit_code", exit_code, "seconds", seconds);
    int failed;

    isthmus_counters(m, put_counter, root);
    errno = 0;
    failed = json_dumpf(root, s->file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) ||
             fputc('\n', s->file) == EOF;
    failed |= fclose(s->file) != 0;
    json_decref(root);
    if (failed)
        complain("--stats %s: cannot write the file: %s", s->path,
                 errno ? strerror(errno) : "unknown error");
    free(s);
    return failed ? EXIT_FAILED : 0;
}
