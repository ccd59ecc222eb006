/* SPDX-License-Identifier: MIT */
/*
 * One function a request, found by table. Each takes its fields from the reader, checks that they
 * were there, does its work, and puts the reply's fields; its result is 0 or a negative errno,
 * which becomes an Rlerror.
 */
#include "dev/p9/server.h"

#include "dev/p9/message.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    RLERROR = 7,
    TSTATFS = 8,
    TLOPEN = 12,
    TLCREATE = 14,
    TSYMLINK = 16,
    TMKNOD = 18,
    TRENAME = 20,
    TREADLINK = 22,
    TGETATTR = 24,
    TSETATTR = 26,
    TREADDIR = 40,
    TFSYNC = 50,
    TLOCK = 52,
    TGETLOCK = 54,
    TLINK = 70,
    TMKDIR = 72,
    TRENAMEAT = 74,
    TUNLINKAT = 76,
    TVERSION = 100,
    TATTACH = 104,
    TFLUSH = 108,
    TWALK = 110,
    TREAD = 116,
    TWRITE = 118,
    TCLUNK = 120,
    TREMOVE = 122,
    TYPES = 128,
};

enum { QID_DIR = 0x80, QID_SYMLINK = 0x02, QID_BYTES = 13, WALK_MAX = 16 };
enum { DIRENT_FIXED = QID_BYTES + 8 + 1 + 2, IO_HEADER = P9_HEADER + 4, UNLINK_DIR = 0x200 };
enum { LOCK_GRANTED = 0, LOCK_NONE = 2 };
#define NOBODY UINT32_MAX /* "no change" of a uid or gid */
#define GETATTR_BASIC UINT64_C(0x7ff)

/* Flags of Tlopen and Tlcreate: Linux's of x86. */
static const struct {
    uint32_t p9;
    int host;
} open_flags[] = {
    {00000001, O_WRONLY}, {00000002, O_RDWR},   {00000200, O_EXCL},
    {00001000, O_TRUNC},  {00002000, O_APPEND}, {00010000, O_DSYNC},
    {04000000, O_SYNC},   {00200000, O_DIRECTORY},
};

/* Bits of Tsetattr's `valid`. */
enum { SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 16, SET_MTIME = 32,
       SET_ATIME_GIVEN = 128, SET_MTIME_GIVEN = 256 };

int p9_server_init(struct p9_server *s, const char *dir)
{
    struct stat st;
    int err;

    *s = (struct p9_server){.msize = P9_MSIZE_MAX};
    err = tree_init(&s->tree, dir);
    if (err)
        return err;
    err = tree_stat(&s->tree, "", &st);
    s->device = st.st_dev;
    if (err)
        tree_free(&s->tree);
    return err;
}

void p9_server_reset(struct p9_server *s)
{
    fids_clear(&s->fids);
    s->msize = P9_MSIZE_MAX;
}

void p9_server_free(struct p9_server *s)
{
    fids_clear(&s->fids);
    tree_free(&s->tree);
}

/* --- Pieces of messages --- */

/* The fid that the message names next, or NULL. */
static struct fid *get_fid(struct p9_server *s, struct p9_reader *in)
{
    uint32_t number = (uint32_t)p9_get(in, 4);

    return in->bad ? NULL : fid_find(&s->fids, number);
}

/* Path of a name in the directory that dir names. */
static int name_in(const struct fid *dir, const char *name, char *path)
{
    return dir ? tree_join(dir->path, name, path) : -EBADF;
}

static int host_flags(uint32_t p9)
{
    int flags = 0;

    for (unsigned i = 0; i < sizeof(open_flags) / sizeof(open_flags[0]); i++)
        if ((p9 & open_flags[i].p9) == open_flags[i].p9)
            flags |= open_flags[i].host;
    return (p9 & 3) == 3 ? flags & ~O_ACCMODE : flags;
}

static uint8_t qid_type(mode_t mode)
{
    return S_ISDIR(mode) ? QID_DIR : S_ISLNK(mode) ? QID_SYMLINK : 0;
}

/* A file's identity: its inode number, and its device where that is another than the root's. */
static void put_qid(const struct p9_server *s, struct p9_writer *out, const struct stat *st)
{
    p9_put(out, 1, qid_type(st->st_mode));
    p9_put(out, 4, (uint32_t)(st->st_mtim.tv_sec ^ st->st_mtim.tv_nsec << 8));
    p9_put(out, 8, st->st_ino ^ (st->st_dev - s->device) * UINT64_C(0x9e3779b97f4a7c15));
}

static int put_qid_of(const struct p9_server *s, struct p9_writer *out, const char *path)
{
    struct stat st;
    int err = tree_stat(&s->tree, path, &st);

    if (!err)
        put_qid(s, out, &st);
    return err;
}

static int stat_fid(const struct p9_server *s, const struct fid *fid, struct stat *st)
{
    if (fid->fd >= 0)
        return fstat(fid->fd, st) ? -errno : 0;
    return tree_stat(&s->tree, fid->path, st);
}

/* --- Session --- */

static int do_version(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    uint32_t msize = (uint32_t)p9_get(in, 4);
    char version[32];

    p9_get_string(in, version, sizeof(version));
    if (in->bad || msize < P9_MSIZE_MIN)
        return -EINVAL;
    p9_server_reset(s);
    s->msize = msize < P9_MSIZE_MAX ? msize : P9_MSIZE_MAX;
    p9_put(out, 4, s->msize);
    p9_put_string(out, strcmp(version, "9P2000.L") ? "unknown" : version);
    return 0;
}

static int do_attach(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    uint32_t number = (uint32_t)p9_get(in, 4);
    int err = put_qid_of(s, out, "");

    if (in->bad)
        return -EINVAL;
    if (!err)
        fid_new(&s->fids, number, "", &err);
    return err;
}

static int do_flush(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    (void)s;
    (void)in;
    (void)out;
    return 0;
}

/* One step of a walk. ".." goes up, at most to the root. */
static int step(char *path, const char *name)
{
    char joined[TREE_PATH_MAX];
    char *slash;
    int err;

    if (!strcmp(name, "..")) {
        slash = strrchr(path, '/');
        *(slash ? slash : path) = 0;
        return 0;
    }
    err = tree_join(path, name, joined);
    if (!err)
        memcpy(path, joined, strlen(joined) + 1);
    return err;
}

/* Walk as many names as there are. Where only some are, newfid is not made. */
static int do_walk(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in), *new;
    uint32_t number = (uint32_t)p9_get(in, 4);
    unsigned names = (unsigned)p9_get(in, 2), walked = 0;
    char path[TREE_PATH_MAX], name[P9_NAME_MAX + 1];
    size_t count_at = out->at;
    int err = 0;

    if (in->bad || names > WALK_MAX)
        return -EINVAL;
    if (!fid || (number == fid->number && fid->fd >= 0))
        return -EBADF;
    memcpy(path, fid->path, strlen(fid->path) + 1);
    p9_put(out, 2, 0);
    for (; walked < names; walked++) {
        p9_get_string(in, name, sizeof(name));
        err = in->bad ? -EINVAL : step(path, name);
        if (!err)
            err = put_qid_of(s, out, path);
        if (err)
            break;
    }
    if (err && walked == 0)
        return err;
    out->bytes[count_at] = (uint8_t)walked;
    if (err)
        return 0;
    if (number == fid->number)
        return fid_set_path(fid, path);
    new = fid_new(&s->fids, number, path, &err);
    return new ? 0 : err;
}

static int do_clunk(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);

    (void)out;
    if (!fid)
        return -EBADF;
    fid_drop(&s->fids, fid->number);
    return 0;
}

/* --- Attributes --- */

static void put_time(struct p9_writer *out, const struct timespec *t)
{
    p9_put(out, 8, (uint64_t)t->tv_sec);
    p9_put(out, 8, (uint64_t)t->tv_nsec);
}

static int do_getattr(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    static const struct timespec none;
    struct fid *fid = get_fid(s, in);
    struct stat st;
    int err = fid ? stat_fid(s, fid, &st) : -EBADF;

    if (err)
        return err;
    p9_put(out, 8, GETATTR_BASIC);
    put_qid(s, out, &st);
    p9_put(out, 4, st.st_mode);
    p9_put(out, 4, st.st_uid);
    p9_put(out, 4, st.st_gid);
    p9_put(out, 8, st.st_nlink);
    p9_put(out, 8, st.st_rdev);
    p9_put(out, 8, (uint64_t)st.st_size);
    p9_put(out, 8, (uint64_t)st.st_blksize);
    p9_put(out, 8, (uint64_t)st.st_blocks);
    put_time(out, &st.st_atim);
    put_time(out, &st.st_mtim);
    put_time(out, &st.st_ctim);
    put_time(out, &none); /* creation */
    p9_put(out, 8, 0);    /* generation, data version */
    p9_put(out, 8, 0);
    return 0;
}

static struct timespec get_time(struct p9_reader *in, bool set, bool given)
{
    struct timespec t = {(time_t)p9_get(in, 8), (long)p9_get(in, 8)};

    if (!set)
        t.tv_nsec = UTIME_OMIT;
    else if (!given)
        t.tv_nsec = UTIME_NOW;
    return t;
}

/* An open file may have lost its name: it is made longer or shorter all the same. */
static int set_size(struct p9_server *s, const struct fid *fid, uint64_t size)
{
    if (fid->fd >= 0 && !fid->dir && size <= INT64_MAX && !ftruncate(fid->fd, (off_t)size))
        return 0;
    return tree_truncate(&s->tree, fid->path, size);
}

static int do_setattr(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    uint32_t valid = (uint32_t)p9_get(in, 4), mode = (uint32_t)p9_get(in, 4);
    uint32_t uid = (uint32_t)p9_get(in, 4), gid = (uint32_t)p9_get(in, 4);
    uint64_t size = p9_get(in, 8);
    struct timespec times[2];
    int err = 0;

    (void)out;
    times[0] = get_time(in, valid & SET_ATIME, valid & SET_ATIME_GIVEN);
    times[1] = get_time(in, valid & SET_MTIME, valid & SET_MTIME_GIVEN);
    if (in->bad)
        return -EINVAL;
    if (!fid)
        return -EBADF;
    if (valid & SET_MODE)
        err = tree_chmod(&s->tree, fid->path, mode);
    if (!err && (valid & (SET_UID | SET_GID)))
        err = tree_chown(&s->tree, fid->path, valid & SET_UID ? uid : NOBODY,
                         valid & SET_GID ? gid : NOBODY);
    if (!err && (valid & SET_SIZE))
        err = set_size(s, fid, size);
    if (!err && (valid & (SET_ATIME | SET_MTIME)))
        err = tree_utimens(&s->tree, fid->path, times);
    return err;
}

static int do_statfs(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    struct statfs st;
    int err = fid ? tree_statfs(&s->tree, fid->path, &st) : -EBADF;

    if (err)
        return err;
    p9_put(out, 4, 0x01021997); /* V9FS_MAGIC */
    p9_put(out, 4, (uint64_t)st.f_bsize);
    p9_put(out, 8, st.f_blocks);
    p9_put(out, 8, st.f_bfree);
    p9_put(out, 8, st.f_bavail);
    p9_put(out, 8, st.f_files);
    p9_put(out, 8, st.f_ffree);
    p9_put(out, 8, 0); /* the host's file system id is its own business */
    p9_put(out, 4, (uint64_t)st.f_namelen);
    return 0;
}

static int do_readlink(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    char target[TREE_PATH_MAX];
    int err = fid ? tree_readlink(&s->tree, fid->path, target, sizeof(target)) : -EBADF;

    if (!err)
        p9_put_string(out, target);
    return err;
}

/* --- Open files --- */

/* The fid has fd open, which is closed where that fails. */
static int hold(struct fid *fid, int fd, const struct stat *st)
{
    fid->dir = S_ISDIR(st->st_mode) ? fdopendir(fd) : NULL;
    if (S_ISDIR(st->st_mode) && !fid->dir) {
        close(fd);
        return -ENOMEM;
    }
    fid->fd = fd;
    fid->dir_at = 0;
    return 0;
}

static int hold_and_tell(struct p9_server *s, struct fid *fid, int fd, struct p9_writer *out)
{
    struct stat st;
    int err;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st)) {
        err = -errno;
        close(fd);
        return err;
    }
    err = hold(fid, fd, &st);
    put_qid(s, out, &st);
    p9_put(out, 4, 0); /* no bound on a read or write but the message's */
    return err;
}

static int do_lopen(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    int flags = host_flags((uint32_t)p9_get(in, 4)) & ~O_EXCL;

    if (in->bad)
        return -EINVAL;
    if (!fid || fid->fd >= 0)
        return -EBADF;
    return hold_and_tell(s, fid, tree_open_data(&s->tree, fid->path, flags), out);
}

static int do_lcreate(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    char name[P9_NAME_MAX + 1], path[TREE_PATH_MAX];
    uint32_t flags, mode;
    int err, fd;

    p9_get_string(in, name, sizeof(name));
    flags = (uint32_t)p9_get(in, 4);
    mode = (uint32_t)p9_get(in, 4);
    if (in->bad)
        return -EINVAL;
    if (!fid || fid->fd >= 0)
        return -EBADF;
    err = name_in(fid, name, path);
    if (err)
        return err;
    fd = tree_create(&s->tree, path, host_flags(flags) & ~O_DIRECTORY, mode);
    if (fd >= 0 && (err = fid_set_path(fid, path))) {
        close(fd);
        return err;
    }
    return hold_and_tell(s, fid, fd, out);
}

static int do_read(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    uint64_t offset = p9_get(in, 8), count = p9_get(in, 4);
    size_t room = out->size - out->at - 4;
    ssize_t n;

    if (in->bad || offset > INT64_MAX)
        return -EINVAL;
    if (!fid || fid->fd < 0 || fid->dir)
        return -EBADF;
    if (count > room)
        count = room;
    n = pread(fid->fd, out->bytes + out->at + 4, count, (off_t)offset);
    if (n < 0)
        return -errno;
    p9_put(out, 4, (uint64_t)n);
    p9_room(out, (size_t)n);
    return 0;
}

static int do_write(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    uint64_t offset = p9_get(in, 8), count = p9_get(in, 4);
    const uint8_t *data = p9_take(in, count);
    ssize_t n;

    if (!data || offset > INT64_MAX)
        return -EINVAL;
    if (!fid || fid->fd < 0 || fid->dir)
        return -EBADF;
    n = pwrite(fid->fd, data, count, (off_t)offset);
    if (n < 0)
        return -errno;
    p9_put(out, 4, (uint64_t)n);
    return 0;
}

static int do_fsync(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    bool data_only = p9_get(in, 4);

    (void)out;
    if (!fid || fid->fd < 0)
        return -EBADF;
    return (data_only && !in->bad ? fdatasync(fid->fd) : fsync(fid->fd)) ? -errno : 0;
}

static void put_dirent(struct p9_writer *out, const struct dirent *e)
{
    p9_put(out, 1, e->d_type == DT_DIR ? QID_DIR : e->d_type == DT_LNK ? QID_SYMLINK : 0);
    p9_put(out, 4, 0);
    p9_put(out, 8, e->d_ino);
    p9_put(out, 8, (uint64_t)e->d_off);
    p9_put(out, 1, e->d_type);
    p9_put_string(out, e->d_name);
}

static int do_readdir(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    uint64_t offset = p9_get(in, 8), count = p9_get(in, 4);
    size_t size_at = out->at, end;
    struct dirent *e;

    p9_put(out, 4, 0);
    if (in->bad || out->bad)
        return -EINVAL;
    if (!fid || !fid->dir)
        return -EBADF;
    end = count < out->size - out->at ? out->at + count : out->size;
    if (offset == 0)
        rewinddir(fid->dir);
    else if ((int64_t)offset != fid->dir_at)
        seekdir(fid->dir, (long)offset);
    fid->dir_at = (int64_t)offset;
    while ((e = readdir(fid->dir)) && out->at + DIRENT_FIXED + strlen(e->d_name) <= end) {
        put_dirent(out, e);
        fid->dir_at = e->d_off;
    }
    if (e)
        fid->dir_at = -1; /* one was read that did not fit: go back to it */
    for (unsigned i = 0; i < 4; i++)
        out->bytes[size_at + i] = (uint8_t)((out->at - size_at - 4) >> (8 * i));
    return 0;
}

/* --- Names --- */

/* What all that make a name begin with: a directory's fid, a name. */
static int get_place(struct p9_server *s, struct p9_reader *in, char *path)
{
    struct fid *dir = get_fid(s, in);
    char name[P9_NAME_MAX + 1];

    p9_get_string(in, name, sizeof(name));
    return in->bad ? -EINVAL : name_in(dir, name, path);
}

static int do_mkdir(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    char path[TREE_PATH_MAX];
    int err = get_place(s, in, path);
    uint32_t mode = (uint32_t)p9_get(in, 4);

    if (!err)
        err = in->bad ? -EINVAL : tree_mkdir(&s->tree, path, mode);
    return err ? err : put_qid_of(s, out, path);
}

static int do_mknod(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    char path[TREE_PATH_MAX];
    int err = get_place(s, in, path);
    uint32_t mode = (uint32_t)p9_get(in, 4);

    if (!err)
        err = in->bad ? -EINVAL : tree_mknod(&s->tree, path, mode);
    return err ? err : put_qid_of(s, out, path);
}

static int do_symlink(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    char path[TREE_PATH_MAX], target[TREE_PATH_MAX];
    int err = get_place(s, in, path);

    p9_get_string(in, target, sizeof(target));
    if (!err)
        err = in->bad ? -EINVAL : tree_symlink(&s->tree, path, target);
    return err ? err : put_qid_of(s, out, path);
}

static int do_link(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *dir = get_fid(s, in), *fid = get_fid(s, in);
    char name[P9_NAME_MAX + 1], path[TREE_PATH_MAX];
    int err;

    (void)out;
    p9_get_string(in, name, sizeof(name));
    if (in->bad)
        return -EINVAL;
    err = fid ? name_in(dir, name, path) : -EBADF;
    return err ? err : tree_link(&s->tree, fid->path, path);
}

static int move(struct p9_server *s, const char *from, const char *to)
{
    int err = tree_rename(&s->tree, from, to);

    if (!err)
        fids_renamed(&s->fids, from, to);
    return err;
}

static int do_rename(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    char from[TREE_PATH_MAX], to[TREE_PATH_MAX];
    int err = get_place(s, in, to);

    (void)out;
    if (err || !fid)
        return err ? err : -EBADF;
    memcpy(from, fid->path, strlen(fid->path) + 1); /* the fid's own path changes */
    return move(s, from, to);
}

static int do_renameat(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    char from[TREE_PATH_MAX], to[TREE_PATH_MAX];
    int err = get_place(s, in, from);

    (void)out;
    if (!err)
        err = get_place(s, in, to);
    return err ? err : move(s, from, to);
}

static int do_unlinkat(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    char path[TREE_PATH_MAX];
    int err = get_place(s, in, path);
    uint32_t flags = (uint32_t)p9_get(in, 4);

    (void)out;
    if (!err)
        err = in->bad ? -EINVAL : tree_unlink(&s->tree, path, flags & UNLINK_DIR);
    return err;
}

/* The fid goes, whether or not the file does. */
static int do_remove(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    struct stat st;
    int err;

    (void)out;
    if (!fid)
        return -EBADF;
    err = tree_stat(&s->tree, fid->path, &st);
    if (!err)
        err = tree_unlink(&s->tree, fid->path, S_ISDIR(st.st_mode));
    fid_drop(&s->fids, fid->number);
    return err;
}

/* --- Locks --- */

static int do_lock(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    if (!get_fid(s, in))
        return -EBADF;
    p9_put(out, 1, LOCK_GRANTED);
    return 0;
}

static int do_getlock(struct p9_server *s, struct p9_reader *in, struct p9_writer *out)
{
    struct fid *fid = get_fid(s, in);
    uint64_t start, length, owner;
    char client[P9_NAME_MAX + 1];

    p9_get(in, 1);
    start = p9_get(in, 8);
    length = p9_get(in, 8);
    owner = p9_get(in, 4);
    p9_get_string(in, client, sizeof(client));
    if (in->bad)
        return -EINVAL;
    if (!fid)
        return -EBADF;
    p9_put(out, 1, LOCK_NONE);
    p9_put(out, 8, start);
    p9_put(out, 8, length);
    p9_put(out, 4, owner);
    p9_put_string(out, client);
    return 0;
}

/* --- All --- */

static int (*const requests[TYPES])(struct p9_server *s, struct p9_reader *in,
                                    struct p9_writer *out) = {
    [TSTATFS] = do_statfs,   [TLOPEN] = do_lopen,     [TLCREATE] = do_lcreate,
    [TSYMLINK] = do_symlink, [TMKNOD] = do_mknod,     [TRENAME] = do_rename,
    [TREADLINK] = do_readlink, [TGETATTR] = do_getattr, [TSETATTR] = do_setattr,
    [TREADDIR] = do_readdir, [TFSYNC] = do_fsync,     [TLOCK] = do_lock,
    [TGETLOCK] = do_getlock, [TLINK] = do_link,       [TMKDIR] = do_mkdir,
    [TRENAMEAT] = do_renameat, [TUNLINKAT] = do_unlinkat, [TVERSION] = do_version,
    [TATTACH] = do_attach,   [TFLUSH] = do_flush,     [TWALK] = do_walk,
    [TREAD] = do_read,       [TWRITE] = do_write,     [TCLUNK] = do_clunk,
    [TREMOVE] = do_remove,
};

size_t p9_server_answer(struct p9_server *s, const uint8_t *request, size_t n, uint8_t *reply,
                        size_t room)
{
    struct p9_reader in = {request, 0, n, false};
    struct p9_writer out = {reply, 0, room < s->msize ? room : s->msize, false};
    uint64_t size = p9_get(&in, 4), type = p9_get(&in, 1), tag = p9_get(&in, 2);
    int err = -EOPNOTSUPP;

    out.at = P9_HEADER;
    if (in.bad || size != n)
        err = -EINVAL;
    else if (type < TYPES && requests[type])
        err = requests[type](s, &in, &out);
    if (!err && out.bad)
        err = -EMSGSIZE;
    if (err) {
        out = (struct p9_writer){reply, P9_HEADER, P9_REPLY_MIN, false};
        type = RLERROR - 1;
        p9_put(&out, 4, (uint64_t)-err);
    }
    n = out.at;
    out = (struct p9_writer){reply, 0, P9_HEADER, false};
    p9_put(&out, 4, n);
    p9_put(&out, 1, type + 1);
    p9_put(&out, 2, tag);
    return n;
}
