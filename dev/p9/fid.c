/* SPDX-License-Identifier: MIT */
#include "dev/p9/fid.h"

#include "dev/p9/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fid **place(struct fids *f, uint32_t number)
{
    struct fid **at = &f->bucket[number % FID_BUCKETS];

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

struct fid *fid_find(struct fids *f, uint32_t number)
{
    return *place(f, number);
}

struct fid *fid_new(struct fids *f, uint32_t number, const char *path, int *err)
{
    struct fid **at = place(f, number), *fid = NULL;
    char *copy = NULL;

    *err = *at ? -EBADF : f->n == FIDS_MAX ? -ENFILE : 0;
    if (*err)
        return NULL;
    fid = calloc(1, sizeof(*fid));
    copy = strdup(path);
    if (!fid || !copy) {
        free(fid);
        free(copy);
        *err = -ENOMEM;
        return NULL;
    }
    *fid = (struct fid){.number = number, .path = copy, .fd = -1};
    *at = fid;
    f->n++;
    return fid;
}

void fid_close(struct fid *fid)
{
    if (fid->dir)
        closedir(fid->dir);
    else if (fid->fd >= 0)
        close(fid->fd);
    fid->dir = NULL;
    fid->fd = -1;
}

void fid_drop(struct fids *f, uint32_t number)
{
    struct fid **at = place(f, number), *fid = *at;

    if (!fid)
        return;
    *at = fid->next;
    f->n--;
    fid_close(fid);
    free(fid->path);
    free(fid);
}

void fids_clear(struct fids *f)
{
    for (unsigned i = 0; i < FID_BUCKETS; i++)
        while (f->bucket[i])
            fid_drop(f, f->bucket[i]->number);
}

int fid_set_path(struct fid *fid, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    free(fid->path);
    fid->path = copy;
    return 0;
}

void fids_renamed(struct fids *f, const char *from, const char *to)
{
    size_t n = strlen(from);

    for (unsigned i = 0; i < FID_BUCKETS; i++) {
        for (struct fid *fid = f->bucket[i]; fid; fid = fid->next) {
            char path[2 * TREE_PATH_MAX];

            if (strncmp(fid->path, from, n) || (fid->path[n] && fid->path[n] != '/'))
                continue;
            /* One that grew too long names nothing any more. */
            if ((size_t)snprintf(path, sizeof(path), "%s%s", to, fid->path + n) < TREE_PATH_MAX)
                fid_set_path(fid, path);
        }
    }
}
