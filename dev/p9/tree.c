/* SPDX-License-Identifier: MIT */
#include "dev/p9/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 255 };
/* No setuid and setgid: they would lend the host user's rights to whoever runs the file there. */
enum { MODE_MASK = 01777 };

int tree_init(struct tree *t, const char *dir)
{
    t->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return t->root < 0 ? -errno : 0;
}

void tree_free(struct tree *t)
{
    close(t->root);
}

bool tree_name_ok(const char *name)
{
    return *name && strlen(name) <= NAME_BYTES_MAX && !strchr(name, '/') && strcmp(name, ".") &&
           strcmp(name, "..");
}

int tree_join(const char *path, const char *name, char *joined)
{
    int n;

    if (!tree_name_ok(name))
        return -EINVAL;
    n = snprintf(joined, TREE_PATH_MAX, "%s%s%s", path, *path ? "/" : "", name);
    return n < TREE_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Go down a component at a time: for kernels without openat2. Names go down only. */
static int open_by_steps(int root, const char *path, int flags)
{
    char copy[TREE_PATH_MAX], *rest = copy, *name;
    int at = dup(root);

    snprintf(copy, sizeof(copy), "%s", path);
    while (at >= 0 && (name = strsep(&rest, "/"))) {
        int fd = rest ? openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                      : openat(at, name, flags | O_NOFOLLOW);
        int err = errno;

        close(at);
        errno = err;
        at = fd;
    }
    return at < 0 ? -errno : at;
}

int tree_open(const struct tree *t, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    if (!*path)
        path = ".";
    fd = syscall(SYS_openat2, t->root, path, &how, sizeof(how));
    if (fd >= 0)
        return (int)fd;
    if (errno == ENOSYS || errno == EPERM)
        return open_by_steps(t->root, path, flags | O_CLOEXEC);
    return -errno;
}

/* The parent's descriptor; *name is path's last component. */
static int open_parent(const struct tree *t, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char parent[TREE_PATH_MAX];

    if (!*path)
        return -EBUSY; /* the shared directory itself */
    *name = slash ? slash + 1 : path;
    snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
    return tree_open(t, parent, O_PATH | O_DIRECTORY);
}

/* fd, where it is a regular file or a directory; else it is closed. */
static int only_data(int fd)
{
    struct stat st;
    int err = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err = -ENXIO;
    if (!err)
        return fd;
    close(fd);
    return err;
}

int tree_open_data(const struct tree *t, const char *path, int flags)
{
    struct stat st;
    int err = tree_stat(t, path, &st);

    /* Looked at before, since opening a device may do something; and after, in case it changed. */
    if (!err && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err = -ENXIO;
    return err ? err : only_data(tree_open(t, path, flags | O_NONBLOCK | O_NOCTTY));
}

int tree_create(const struct tree *t, const char *path, int flags, mode_t mode)
{
    const char *name;
    int parent = open_parent(t, path, &name), fd;

    if (parent < 0)
        return parent;
    mode &= MODE_MASK;
    fd = openat(parent, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        fd = -errno;
    else if (fchmod(fd, mode)) /* the guest's umask counts, not this process's */
        errno = 0;
    close(parent);
    if (fd == -EEXIST && !(flags & O_EXCL))
        return tree_open_data(t, path, flags);
    return fd;
}

/* --- By a descriptor that names without opening --- */

static int open_name(const struct tree *t, const char *path)
{
    return tree_open(t, path, O_PATH);
}

static int finish(int fd, int failed)
{
    int err = failed ? -errno : 0;

    close(fd);
    return err;
}

int tree_stat(const struct tree *t, const char *path, struct stat *st)
{
    int fd = open_name(t, path);

    return fd < 0 ? fd : finish(fd, fstat(fd, st));
}

int tree_statfs(const struct tree *t, const char *path, struct statfs *st)
{
    int fd = open_name(t, path);

    return fd < 0 ? fd : finish(fd, fstatfs(fd, st));
}

int tree_readlink(const struct tree *t, const char *path, char *target, size_t size)
{
    int fd = open_name(t, path);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = readlinkat(fd, "", target, size - 1);
    if (n >= 0)
        target[n] = 0;
    return finish(fd, n < 0);
}

int tree_chmod(const struct tree *t, const char *path, mode_t mode)
{
    int fd = open_name(t, path);
    char proc[32];

    if (fd < 0)
        return fd;
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd); /* this very inode */
    return finish(fd, chmod(proc, mode & MODE_MASK));
}

int tree_chown(const struct tree *t, const char *path, uid_t uid, gid_t gid)
{
    int fd = open_name(t, path);

    return fd < 0 ? fd : finish(fd, fchownat(fd, "", uid, gid, AT_EMPTY_PATH));
}

int tree_utimens(const struct tree *t, const char *path, const struct timespec times[2])
{
    const char *name;
    int parent, fd;

    if (!*path) {
        fd = tree_open(t, path, O_RDONLY | O_DIRECTORY);
        return fd < 0 ? fd : finish(fd, futimens(fd, times));
    }
    parent = open_parent(t, path, &name);
    return parent < 0 ? parent
                      : finish(parent, utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW));
}

int tree_truncate(const struct tree *t, const char *path, uint64_t size)
{
    int fd = size > INT64_MAX ? -EINVAL : tree_open_data(t, path, O_WRONLY);

    return fd < 0 ? fd : finish(fd, ftruncate(fd, (off_t)size));
}

/* --- By the parent's descriptor and a name --- */

int tree_mkdir(const struct tree *t, const char *path, mode_t mode)
{
    const char *name;
    int parent = open_parent(t, path, &name), err;

    if (parent < 0)
        return parent;
    err = finish(parent, mkdirat(parent, name, mode & MODE_MASK));
    return err ? err : tree_chmod(t, path, mode);
}

int tree_mknod(const struct tree *t, const char *path, mode_t mode)
{
    const char *name;
    int parent, err;

    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
        return -EPERM;
    parent = open_parent(t, path, &name);
    if (parent < 0)
        return parent;
    err = finish(parent, mknodat(parent, name, (mode & S_IFMT) | (mode & MODE_MASK), 0));
    return err ? err : tree_chmod(t, path, mode);
}

int tree_symlink(const struct tree *t, const char *path, const char *target)
{
    const char *name;
    int parent = open_parent(t, path, &name);

    return parent < 0 ? parent : finish(parent, symlinkat(target, parent, name));
}

/* One operation on two names. */
static int with_two(const struct tree *t, const char *from, const char *to,
                    int (*operation)(int from_dir, const char *from, int to_dir, const char *to))
{
    const char *from_name, *to_name;
    int from_dir = open_parent(t, from, &from_name), to_dir, err;

    if (from_dir < 0)
        return from_dir;
    to_dir = open_parent(t, to, &to_name);
    if (to_dir < 0) {
        close(from_dir);
        return to_dir;
    }
    err = finish(to_dir, operation(from_dir, from_name, to_dir, to_name));
    close(from_dir);
    return err;
}

static int link_at(int from_dir, const char *from, int to_dir, const char *to)
{
    return linkat(from_dir, from, to_dir, to, 0);
}

int tree_link(const struct tree *t, const char *from, const char *to)
{
    return with_two(t, from, to, link_at);
}

int tree_rename(const struct tree *t, const char *from, const char *to)
{
    return with_two(t, from, to, renameat);
}

int tree_unlink(const struct tree *t, const char *path, bool directory)
{
    const char *name;
    int parent = open_parent(t, path, &name);

    return parent < 0 ? parent
                      : finish(parent, unlinkat(parent, name, directory ? AT_REMOVEDIR : 0));
}
