/* SPDX-License-Identifier: MIT */
/* The names by which a 9P client holds files: fid numbers, each a path and perhaps an open file. */
#ifndef DEV_P9_FID_H
#define DEV_P9_FID_H

#include <dirent.h>
#include <stdint.h>

enum { FIDS_MAX = 65536, FID_BUCKETS = 1024 };

struct fid {
    uint32_t number;
    char *path;      /* see tree.h */
    int fd;          /* -1: not open */
    DIR *dir;        /* an open directory; fd is its */
    int64_t dir_at;  /* where readdir goes on */
    struct fid *next;
};

struct fids {
    struct fid *bucket[FID_BUCKETS];
    unsigned n;
};

/* NULL: there is none. */
struct fid *fid_find(struct fids *f, uint32_t number);
/* Result: the new fid, or NULL with *err: -EBADF where the number is taken, -ENFILE, -ENOMEM. */
struct fid *fid_new(struct fids *f, uint32_t number, const char *path, int *err);
void fid_drop(struct fids *f, uint32_t number);
void fids_clear(struct fids *f);

/* Close what the fid has open. */
void fid_close(struct fid *fid);
/* Result: 0 or -ENOMEM. */
int fid_set_path(struct fid *fid, const char *path);
/* What was at `from`, and all below it, is at `to` now. */
void fids_renamed(struct fids *f, const char *from, const char *to);

#endif
