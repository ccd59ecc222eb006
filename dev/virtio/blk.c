/* SPDX-License-Identifier: MIT */
/*
 * A request is a chain: a header to read (type, sector), data to read or write, and at the end
 * one byte to write, the status. The data goes straight between the file and the guest's memory.
 *
 * The file's size is asked again before each access beyond reading: where somebody made it
 * shorter, requests behind its end fail, and it does not grow again, unless by a write that was
 * under way, which the host's kernel has wait for who shortens it. What fails in the host
 * becomes an I/O error in the guest, and one line in the log the first time.
 */
#include "dev/virtio/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define F_SEG_MAX BIT(2)
#define F_RO BIT(5)
#define F_BLK_SIZE BIT(6)
#define F_FLUSH BIT(9)
#define F_TOPOLOGY BIT(10)
#define F_MQ BIT(12)
#define F_DISCARD BIT(13)
#define F_WRITE_ZEROES BIT(14)

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK, S_IOERR, S_UNSUPP };
enum { SECTOR = 512, SECTOR_SHIFT = 9, ID_BYTES = 20, RANGES_MAX = 64, RANGE_UNMAP = 1 };
enum { RANGE_SECTORS_MAX = 1 << 21, ZEROS = 1 << 16 };

struct blk_config {
    uint64_t capacity; /* sectors */
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
} __attribute__((packed));

struct blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct blk_range {
    uint64_t sector;
    uint32_t sectors, flags;
};

struct blk {
    struct virtio v;
    struct blk_config config;
    char *path;
    int fd;
    bool readonly, regular;
    int complained; /* the errno that was last told of */
    struct virtq_chain chain;
};

static struct blk *blk_of(struct virtio *v)
{
    return (struct blk *)v;
}

/* The host failed: say so once for each kind of failure. */
static uint8_t host_error(struct blk *b, const char *what, uint64_t sector, int err)
{
    if (err != b->complained)
        log_warn(b->v.log,
                 "disk %s: cannot %s at sector %" PRIu64 ": %s; the guest sees an I/O error",
                 b->path, what, sector, strerror(err));
    b->complained = err;
    return S_IOERR;
}

/* Whether the disk has these bytes. */
static bool in_range(const struct blk *b, uint64_t sector, uint64_t bytes)
{
    uint64_t capacity = b->config.capacity;

    return bytes % SECTOR == 0 && sector <= capacity && bytes / SECTOR <= capacity - sector;
}

/* Whether the file has them still. */
static uint8_t check_file(struct blk *b, const char *what, uint64_t sector, uint64_t bytes)
{
    struct stat st;

    if (!b->regular)
        return S_OK;
    if (fstat(b->fd, &st))
        return host_error(b, what, sector, errno);
    if ((uint64_t)st.st_size >> SECTOR_SHIFT >= sector + bytes / SECTOR)
        return S_OK;
    if (b->complained != ESPIPE)
        log_warn(b->v.log, "disk %s: the file became shorter, to %" PRIu64 " bytes; the guest sees "
                           "I/O errors behind its end", b->path, (uint64_t)st.st_size);
    b->complained = ESPIPE;
    return S_IOERR;
}


/* Move all of the side from or to the file. */
static uint8_t transfer(struct blk *b, struct virtq_side *side, uint64_t sector, bool write)
{
    const char *what = write ? "write" : "read";
    uint64_t bytes = side->bytes;
    off_t at = (off_t)(sector << SECTOR_SHIFT);

    if (!in_range(b, sector, bytes))
        return S_IOERR;
    if (write && check_file(b, what, sector, bytes) != S_OK)
        return S_IOERR;
    while (side->bytes) {
        ssize_t n = write ? pwritev(b->fd, side->iov, (int)side->n, at)
                          : preadv(b->fd, side->iov, (int)side->n, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return host_error(b, what, sector, errno);
        if (n == 0)
            return write ? host_error(b, what, sector, ENOSPC)
                         : check_file(b, what, sector, bytes) == S_OK
                               ? host_error(b, what, sector, EIO)
                               : S_IOERR;
        virtq_skip(side, (uint64_t)n);
        at += n;
    }
    return S_OK;
}

static uint8_t flush(struct blk *b)
{
    if (b->readonly || !fdatasync(b->fd))
        return S_OK;
    return host_error(b, "flush", 0, errno);
}

/* Zeros by writing them, where the file system has no better way. */
static uint8_t write_zeros(struct blk *b, uint64_t sector, uint64_t bytes)
{
    static const uint8_t zeros[ZEROS];
    off_t at = (off_t)(sector << SECTOR_SHIFT);

    while (bytes) {
        ssize_t n = pwrite(b->fd, zeros, min_u64(bytes, ZEROS), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return host_error(b, "write zeros", sector, n ? errno : ENOSPC);
        bytes -= (uint64_t)n;
        at += n;
    }
    return S_OK;
}

/* A discarded range may hold anything, so that a host that cannot punch holes does nothing. */
static uint8_t discard(struct blk *b, const struct blk_range *r)
{
    if (r->flags)
        return S_UNSUPP;
    if (fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(r->sector << SECTOR_SHIFT), (off_t)r->sectors << SECTOR_SHIFT) &&
        errno != EOPNOTSUPP && errno != ENODEV)
        return host_error(b, "discard", r->sector, errno);
    return S_OK;
}

static uint8_t zero(struct blk *b, const struct blk_range *r)
{
    int mode = r->flags & RANGE_UNMAP ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    uint64_t bytes = (uint64_t)r->sectors << SECTOR_SHIFT;

    if (r->flags & ~(uint32_t)RANGE_UNMAP)
        return S_UNSUPP;
    if (!fallocate(b->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)(r->sector << SECTOR_SHIFT),
                   (off_t)bytes))
        return S_OK;
    return write_zeros(b, r->sector, bytes);
}

/* Discard and write zeroes: the data is a list of ranges. */
static uint8_t ranges(struct blk *b, struct virtq_side *out,
                      uint8_t (*one)(struct blk *b, const struct blk_range *r))
{
    uint8_t status = S_OK;
    struct blk_range r;

    if (out->bytes == 0 || out->bytes % sizeof(r) || out->bytes / sizeof(r) > RANGES_MAX)
        return S_IOERR;
    while (status == S_OK && virtq_read(out, &r, sizeof(r))) {
        uint64_t bytes = (uint64_t)r.sectors << SECTOR_SHIFT;

        if (r.sectors > RANGE_SECTORS_MAX || !in_range(b, r.sector, bytes))
            return S_IOERR;
        status = check_file(b, "change", r.sector, bytes);
        if (status == S_OK && r.sectors)
            status = one(b, &r);
    }
    return status;
}

static uint8_t get_id(struct blk *b, struct virtq_side *in)
{
    char id[ID_BYTES] = {0};

    snprintf(id, sizeof(id), "isthmus-%.11s", b->v.name);
    return virtq_write(in, id, min_u64(sizeof(id), in->bytes)) ? S_OK : S_IOERR;
}

/* What a driver wrote that cannot ask for a flush is stable when it hears of it (5.2.6.2). */
static uint8_t written(struct blk *b, uint8_t status)
{
    return status != S_OK || virtio_has(&b->v, F_FLUSH) ? status : flush(b);
}

static uint8_t execute(struct blk *b, const struct blk_header *h, struct virtq_chain *c)
{
    bool changes = h->type == T_OUT || h->type == T_DISCARD || h->type == T_WRITE_ZEROES;

    if (changes && b->readonly)
        return S_IOERR;
    switch (h->type) {
    case T_IN:
        return transfer(b, &c->in, h->sector, false);
    case T_OUT:
        return written(b, transfer(b, &c->out, h->sector, true));
    case T_FLUSH:
        return flush(b);
    case T_GET_ID:
        return get_id(b, &c->in);
    case T_DISCARD:
        return ranges(b, &c->out, discard);
    case T_WRITE_ZEROES:
        return written(b, ranges(b, &c->out, zero));
    default:
        return S_UNSUPP;
    }
}

static void request(struct virtio *v, unsigned n, struct virtq_chain *c)
{
    struct blk *b = blk_of(v);
    struct blk_header h;
    struct iovec *last;
    uint8_t *status, result;
    uint64_t data;

    if (!virtq_read(&c->out, &h, sizeof(h)) || c->in.bytes == 0) {
        virtio_fail(v, "a request without a header or a status byte");
        return;
    }
    last = &c->in.iov[c->in.n - 1]; /* the status is kept out of the data */
    status = (uint8_t *)last->iov_base + last->iov_len - 1;
    virtq_write_last(&c->in, S_IOERR);
    data = c->in.bytes;
    result = execute(b, &h, c);
    __atomic_store_n(status, result, __ATOMIC_RELAXED); /* a driver may poll it */
    virtio_push(v, n, c, result == S_OK ? data - c->in.bytes + 1 : data + 1);
}

static void serve(struct virtio *v, unsigned queue)
{
    virtio_serve_all(v, queue, &blk_of(v)->chain, request);
}

static void blk_free(struct virtio *v)
{
    struct blk *b = blk_of(v);

    if (b->fd >= 0)
        close(b->fd);
    free(b->path);
    free(b);
}

static const struct virtio_ops blk_ops = {
    .id = VIRTIO_ID_BLOCK,
    .what = "block",
    .serve = serve,
    .free = blk_free,
};

/* --- Making --- */

/* Only one machine may write a file, and nobody then reads it. */
static int lock_file(struct blk *b)
{
    struct flock lock = {.l_type = b->readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    if (!fcntl(b->fd, F_OFD_SETLK, &lock) || (errno != EAGAIN && errno != EACCES))
        return 0; /* or a file system without locks */
    log_error(b->v.log, "disk %s: another process uses it, or another disk", b->path);
    return -EBUSY;
}

static int open_file(struct blk *b)
{
    struct stat st;
    off_t size;
    int err;

    b->fd = open(b->path, (b->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (b->fd < 0 || fstat(b->fd, &st)) {
        err = errno;
        log_error(b->v.log, "disk %s: cannot open the file%s: %s", b->path,
                  b->readonly ? "" : " for writing", strerror(err));
        return -err;
    }
    b->regular = S_ISREG(st.st_mode);
    if (!b->regular && !S_ISBLK(st.st_mode)) {
        log_error(b->v.log, "disk %s: expected a regular file or a block device", b->path);
        return -ENOTBLK;
    }
    size = lseek(b->fd, 0, SEEK_END);
    if (size < SECTOR) {
        log_error(b->v.log, "disk %s: expected a file of at least %d bytes", b->path, SECTOR);
        return -ENOSPC;
    }
    if (size % SECTOR)
        log_warn(b->v.log, "disk %s: the last %d bytes are less than a sector; the guest does not "
                           "see them", b->path, (int)(size % SECTOR));
    b->config.capacity = (uint64_t)size >> SECTOR_SHIFT;
    return lock_file(b);
}

static void describe(struct blk *b, unsigned queues)
{
    b->config.seg_max = VIRTQ_SIZE_MAX - 2;
    b->config.blk_size = SECTOR;
    b->config.physical_block_exp = 3; /* 4 KiB: a page of the host's cache */
    b->config.min_io_size = 8;
    b->config.num_queues = (uint16_t)queues;
    b->config.max_discard_sectors = b->config.max_write_zeroes_sectors = RANGE_SECTORS_MAX;
    b->config.max_discard_seg = b->config.max_write_zeroes_seg = RANGES_MAX;
    b->config.discard_sector_alignment = 8;
    b->config.write_zeroes_may_unmap = 1;
    b->v.offered = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_MQ;
    b->v.offered |= b->readonly ? F_RO : F_DISCARD | F_WRITE_ZEROES;
    b->v.config = &b->config;
    b->v.config_size = sizeof(b->config);
    b->v.queues_n = queues;
}

struct virtio *blk_new(const struct blk_setup *blk, const struct virtio_setup *setup, int *error)
{
    struct blk *b = calloc(1, sizeof(*b));

    *error = -ENOMEM;
    if (!b || !(b->path = strdup(blk->path))) {
        log_error(setup->log, "disk %s: not enough memory", blk->path);
        free(b);
        return NULL;
    }
    b->v.ops = &blk_ops;
    b->v.log = setup->log;
    b->readonly = blk->readonly;
    snprintf(b->v.name, sizeof(b->v.name), "disk%u", blk->number);
    *error = open_file(b);
    describe(b, blk->queues);
    if (!*error)
        *error = virtio_init(&b->v, setup);
    if (*error) {
        blk_free(&b->v);
        return NULL;
    }
    return &b->v;
}
