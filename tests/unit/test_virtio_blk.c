/* SPDX-License-Identifier: MIT */
/* virtio-blk over a file: what is read and written, and what becomes an I/O error. */
#include "virtio_driver.h"

#include "dev/virtio/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTORS = 64, SECTOR = 512, IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11,
       WRITE_ZEROES = 13, OK = 0, IOERR = 1, UNSUPP = 2 };

static unsigned syncs;

/* In place of the C library's: counts. */
int fdatasync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

struct disk {
    struct driver d;
    char path[32];
    int fd;
};

static struct virtio *make(struct disk *disk, bool readonly, int *err)
{
    struct virtio_setup s = driver_setup(&disk->d);
    struct blk_setup blk = {.path = disk->path, .readonly = readonly, .queues = 2};

    return blk_new(&blk, &s, err);
}

static int set_up(void **state, bool readonly)
{
    struct disk *disk = malloc(sizeof(*disk));
    int err;

    assert_non_null(disk);
    strcpy(disk->path, "/tmp/isthmus-blk-XXXXXX");
    disk->fd = mkstemp(disk->path);
    for (unsigned i = 0; i < SECTORS; i++) {
        uint8_t sector[SECTOR];
        memset(sector, (int)i + 1, sizeof(sector));
        assert_int_equal(write(disk->fd, sector, SECTOR), SECTOR);
    }
    driver_init(&disk->d);
    driver_attach(&disk->d, make(disk, readonly, &err));
    driver_start(&disk->d, VIRTIO_F_INDIRECT_DESC, 2);
    *state = disk;
    return 0;
}

static int setup(void **state)
{
    return set_up(state, false);
}

static int setup_readonly(void **state)
{
    return set_up(state, true);
}

static int teardown(void **state)
{
    struct disk *disk = *state;

    driver_end(&disk->d);
    close(disk->fd);
    unlink(disk->path);
    free(disk);
    return 0;
}

/* A request with `n` bytes of data at RAM + DATA + 0x100. Result: its status; *written is what the
 * used ring says. */
static int ask(struct disk *disk, uint32_t type, uint64_t sector, uint32_t n, int64_t *written)
{
    struct driver *d = &disk->d;
    bool in = type == IN || type == GET_ID;
    struct part parts[] = {
        {RAM + DATA, 16, false}, {RAM + DATA + 0x100, n, in}, {RAM + DATA + 0x80, 1, true}};
    int64_t got;

    memcpy(ram(d, RAM + DATA), &type, 4);
    memcpy(ram(d, RAM + DATA) + 8, &sector, 8);
    *ram(d, RAM + DATA + 0x80) = 0xff;
    got = exchange(d, 0, parts, 3, false);
    if (written)
        *written = got;
    return got < 0 ? -1 : *ram(d, RAM + DATA + 0x80);
}

static uint8_t *data(struct disk *disk)
{
    return ram(&disk->d, RAM + DATA + 0x100);
}

static void the_capacity_is_the_files(void **state)
{
    struct disk *disk = *state;
    uint64_t value;

    assert_true(virtio_mmio_ops.read(&disk->d.slot, VIRTIO_MMIO_CONFIG, 4, &value));
    assert_int_equal(value, SECTORS);
}

static void sectors_are_read(void **state)
{
    struct disk *disk = *state;
    int64_t written;

    assert_int_equal(ask(disk, IN, 7, 2 * SECTOR, &written), OK);
    assert_int_equal(written, 2 * SECTOR + 1);
    assert_int_equal(data(disk)[0], 8);
    assert_int_equal(data(disk)[SECTOR], 9);
    assert_int_equal(data(disk)[2 * SECTOR - 1], 9);
}

static void sectors_are_written(void **state)
{
    struct disk *disk = *state;
    uint8_t got[SECTOR];
    int64_t written;

    memset(data(disk), 0xa5, SECTOR);
    assert_int_equal(ask(disk, OUT, 3, SECTOR, &written), OK);
    assert_int_equal(written, 1);
    assert_int_equal(ask(disk, FLUSH, 0, 0, NULL), OK);
    assert_int_equal(pread(disk->fd, got, SECTOR, 3 * SECTOR), SECTOR);
    assert_memory_equal(got, data(disk), SECTOR);
    assert_int_equal(pread(disk->fd, got, 1, 4 * SECTOR), 1);
    assert_int_equal(got[0], 5);
}

static int range(struct disk *disk, uint32_t type, uint64_t sector, uint32_t sectors,
                 uint32_t flags)
{
    memcpy(data(disk), &sector, 8);
    memcpy(data(disk) + 8, &sectors, 4);
    memcpy(data(disk) + 12, &flags, 4);
    return ask(disk, type, 0, 16, NULL);
}

/* 5.2.6.2: a driver that did not ask for FLUSH has nothing to make its writes stable with. */
static void writes_are_stable_at_once_without_the_flush_feature(void **state)
{
    struct disk *disk = *state;

    syncs = 0;
    assert_int_equal(ask(disk, OUT, 3, SECTOR, NULL), OK);
    assert_int_equal(syncs, 1);
    assert_int_equal(range(disk, WRITE_ZEROES, 10, 2, 0), OK);
    assert_int_equal(syncs, 2);
    assert_int_equal(ask(disk, IN, 3, SECTOR, NULL), OK);
    assert_int_equal(syncs, 2);
    driver_start(&disk->d, BIT(9), 2);
    assert_int_equal(ask(disk, OUT, 3, SECTOR, NULL), OK);
    assert_int_equal(syncs, 2);
    assert_int_equal(ask(disk, FLUSH, 0, 0, NULL), OK);
    assert_int_equal(syncs, 3);
}

static void what_is_not_on_the_disk_is_an_error(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t n;
    } bad[] = {
        {SECTORS, SECTOR}, {SECTORS - 1, 2 * SECTOR}, {UINT64_MAX, SECTOR},
        {UINT64_MAX >> 9, SECTOR}, {INT64_MAX / SECTOR + 1, SECTOR}, {0, 100}, {1, SECTOR + 1},
    };
    struct disk *disk = *state;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(ask(disk, IN, bad[i].sector, bad[i].n, NULL), IOERR);
        assert_int_equal(ask(disk, OUT, bad[i].sector, bad[i].n, NULL), IOERR);
    }
    assert_int_equal(lseek(disk->fd, 0, SEEK_END), SECTORS * SECTOR);
    assert_int_equal(ask(disk, 99, 0, 0, NULL), UNSUPP);
}

static void ranges_become_zero(void **state)
{
    struct disk *disk = *state;
    uint8_t got[4 * SECTOR];

    assert_int_equal(range(disk, WRITE_ZEROES, 10, 2, 0), OK);
    assert_int_equal(range(disk, WRITE_ZEROES, 20, 2, 1), OK);
    assert_int_equal(pread(disk->fd, got, sizeof(got), 9 * SECTOR), sizeof(got));
    assert_int_equal(got[SECTOR - 1], 10);
    assert_int_equal(got[SECTOR], 0);
    assert_int_equal(got[3 * SECTOR - 1], 0);
    assert_int_equal(got[3 * SECTOR], 13);
    assert_int_equal(pread(disk->fd, got, 1, 21 * SECTOR), 1);
    assert_int_equal(got[0], 0);
    assert_int_equal(range(disk, DISCARD, 30, 8, 0), OK);
    assert_int_equal(range(disk, DISCARD, SECTORS - 1, 2, 0), IOERR);
    assert_int_equal(range(disk, WRITE_ZEROES, UINT64_MAX, 2, 0), IOERR);
    assert_int_equal(range(disk, WRITE_ZEROES, 0, UINT32_MAX, 0), IOERR);
    assert_int_equal(range(disk, WRITE_ZEROES, 0, 1, 2), UNSUPP);
    assert_int_equal(ask(disk, DISCARD, 0, 15, NULL), IOERR);
    assert_int_equal(ask(disk, DISCARD, 0, 0, NULL), IOERR);
    assert_int_equal(lseek(disk->fd, 0, SEEK_END), SECTORS * SECTOR);
}

static void a_readonly_disk_is_not_written(void **state)
{
    struct disk *disk = *state;
    uint8_t got;

    assert_true(offered(&disk->d) & BIT(5));
    assert_false(offered(&disk->d) & (BIT(13) | BIT(14)));
    assert_int_equal(ask(disk, OUT, 0, SECTOR, NULL), IOERR);
    assert_int_equal(range(disk, WRITE_ZEROES, 0, 1, 0), IOERR);
    assert_int_equal(range(disk, DISCARD, 0, 1, 0), IOERR);
    assert_int_equal(ask(disk, FLUSH, 0, 0, NULL), OK);
    assert_int_equal(ask(disk, IN, 0, SECTOR, NULL), OK);
    assert_int_equal(pread(disk->fd, &got, 1, 0), 1);
    assert_int_equal(got, 1);
}

static void a_file_that_shrinks_gives_errors(void **state)
{
    struct disk *disk = *state;

    assert_int_equal(ftruncate(disk->fd, 10 * SECTOR), 0);
    assert_int_equal(ask(disk, IN, 9, SECTOR, NULL), OK);
    assert_int_equal(ask(disk, IN, 9, 2 * SECTOR, NULL), IOERR);
    assert_int_equal(ask(disk, OUT, 10, SECTOR, NULL), IOERR);
    assert_int_equal(range(disk, WRITE_ZEROES, 10, 1, 0), IOERR);
    assert_int_equal(lseek(disk->fd, 0, SEEK_END), 10 * SECTOR);
    assert_int_equal(disk->d.lines, 1);
    assert_non_null(strstr(disk->d.logged, "became shorter"));
    assert_false(needs_reset(&disk->d));
}

static void the_name_fits_in_its_buffer(void **state)
{
    struct disk *disk = *state;

    assert_int_equal(ask(disk, GET_ID, 0, 20, NULL), OK);
    assert_string_equal((char *)data(disk), "isthmus-disk0");
    memset(data(disk), 0, 20);
    assert_int_equal(ask(disk, GET_ID, 0, 3, NULL), OK);
    assert_string_equal((char *)data(disk), "ist");
}

static void requests_without_header_or_status(void **state)
{
    struct disk *disk = *state;
    struct part no_status = {RAM + DATA, 16, false}, no_header = {RAM + DATA, 16, true};
    struct part short_header[] = {{RAM + DATA, 15, false}, {RAM + DATA + 0x80, 1, true}};

    assert_int_equal(exchange(&disk->d, 0, &no_status, 1, false), -1);
    assert_true(needs_reset(&disk->d));
    driver_start(&disk->d, 0, 2);
    assert_int_equal(exchange(&disk->d, 0, &no_header, 1, false), -1);
    assert_true(needs_reset(&disk->d));
    driver_start(&disk->d, 0, 2);
    assert_int_equal(exchange(&disk->d, 0, short_header, 2, false), -1);
    assert_true(needs_reset(&disk->d));
}

static void header_and_status_may_be_anywhere(void **state)
{
    struct disk *disk = *state;
    struct driver *d = &disk->d;
    /* 2.6.4: a driver may cut a request as it likes. */
    struct part parts[] = {{RAM + DATA, 5, false},
                           {RAM + DATA + 5, 11, false},
                           {RAM + DATA + 0x100, 300, true},
                           {RAM + DATA + 0x100 + 300, 213, true}};
    uint64_t sector = 11;

    memset(ram(d, RAM + DATA), 0, 16);
    memcpy(ram(d, RAM + DATA) + 8, &sector, 8);
    assert_int_equal(exchange(d, 1, parts, 4, true), SECTOR + 1);
    assert_int_equal(data(disk)[SECTOR - 1], 12);
    assert_int_equal(data(disk)[SECTOR], OK);
}

static void a_disk_in_use_is_not_opened_again(void **state)
{
    struct disk *disk = *state;
    int err;

    assert_null(make(disk, false, &err));
    assert_int_equal(err, -EBUSY);
    assert_null(make(disk, true, &err));
    assert_non_null(strstr(disk->d.logged, "another process uses it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_capacity_is_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(sectors_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(sectors_are_written, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_on_the_disk_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_become_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(a_readonly_disk_is_not_written, setup_readonly, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_shrinks_gives_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_fits_in_its_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_without_header_or_status, setup, teardown),
        cmocka_unit_test_setup_teardown(header_and_status_may_be_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_are_stable_at_once_without_the_flush_feature, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disk_in_use_is_not_opened_again, setup, teardown),
    };

    return cmocka_run_group_tests_name("virtio_blk", tests, NULL, NULL);
}
