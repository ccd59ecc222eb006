/* SPDX-License-Identifier: MIT */
/*
 * A directory of the host, and what is below it. A path here is relative to it, "" for itself,
 * "a/b": names that were checked, joined by slashes, none of them "." or "..". Every operation goes
 * down from the directory's file descriptor again, and follows no symbolic link on the way: so
 * nothing outside is ever reached, whatever links the guest makes and whatever is moved meanwhile.
 *
 * Results are 0 or a file descriptor, or a negative errno.
 */
#ifndef DEV_P9_TREE_H
#define DEV_P9_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>

enum { TREE_PATH_MAX = 4096 };

struct tree {
    int root;
};

int tree_init(struct tree *t, const char *dir);
void tree_free(struct tree *t);

/* Whether name may be a component of a path. */
bool tree_name_ok(const char *name);
/* path + "/" + name into joined[TREE_PATH_MAX]. */
int tree_join(const char *path, const char *name, char *joined);

/* Open what is at path; a symbolic link itself only with O_PATH. */
int tree_open(const struct tree *t, const char *path, int flags);
/* Open a regular file or a directory for use; others are refused. */
int tree_open_data(const struct tree *t, const char *path, int flags);
/* Make the regular file path, or open the one that is there unless flags has O_EXCL. */
int tree_create(const struct tree *t, const char *path, int flags, mode_t mode);

int tree_stat(const struct tree *t, const char *path, struct stat *st);
int tree_statfs(const struct tree *t, const char *path, struct statfs *st);
int tree_readlink(const struct tree *t, const char *path, char *target, size_t size);
int tree_chmod(const struct tree *t, const char *path, mode_t mode);
int tree_chown(const struct tree *t, const char *path, uid_t uid, gid_t gid);
int tree_utimens(const struct tree *t, const char *path, const struct timespec times[2]);
int tree_truncate(const struct tree *t, const char *path, uint64_t size);

int tree_mkdir(const struct tree *t, const char *path, mode_t mode);
/* Regular files, FIFOs and sockets; -EPERM for devices. */
int tree_mknod(const struct tree *t, const char *path, mode_t mode);
int tree_symlink(const struct tree *t, const char *path, const char *target);
int tree_link(const struct tree *t, const char *from, const char *to);
int tree_rename(const struct tree *t, const char *from, const char *to);
int tree_unlink(const struct tree *t, const char *path, bool directory);

#endif
