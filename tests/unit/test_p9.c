/* SPDX-License-Identifier: MIT */
/* The 9P server: what a client can do in the shared directory, and that nothing leads out of it. */
#include "dev/p9/message.h"
#include "dev/p9/server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { LERROR = 7, LOPEN = 12, LCREATE = 14, SYMLINK = 16, MKNOD = 18, RENAME = 20, READLINK = 22,
       GETATTR = 24, SETATTR = 26, READDIR = 40, LINK = 70, MKDIR = 72, RENAMEAT = 74,
       UNLINKAT = 76, VERSION = 100, ATTACH = 104, FLUSH = 108, WALK = 110, READ = 116, WRITE = 118,
       CLUNK = 120, REMOVE = 122 };

struct client {
    struct p9_server server;
    char top[32], dir[48]; /* top holds the shared directory and a secret beside it */
    uint8_t request[8192], reply[8192];
    struct p9_writer out;
    struct p9_reader in; /* at the reply's fields */
};

static void begin(struct client *c, uint8_t type)
{
    c->out = (struct p9_writer){c->request, P9_HEADER, sizeof(c->request), false};
    c->request[4] = type;
    c->request[5] = 1;
    c->request[6] = 0;
}

/* Send. Result: 0, or the error as a negative errno. */
static int ask(struct client *c)
{
    size_t n = c->out.at;

    c->out.at = 0;
    p9_put(&c->out, 4, n);
    n = p9_server_answer(&c->server, c->request, n, c->reply, sizeof(c->reply));
    c->in = (struct p9_reader){c->reply, 0, n, false};
    assert_int_equal(p9_get(&c->in, 4), n);
    if (p9_get(&c->in, 1) == LERROR) {
        assert_int_equal(p9_get(&c->in, 2), 1);
        return -(int)p9_get(&c->in, 4);
    }
    assert_int_equal(c->reply[4], c->request[4] + 1);
    assert_int_equal(p9_get(&c->in, 2), 1);
    return 0;
}

/* A request of numbers, four bytes each, and texts, as fmt says: "n" and "s". */
static int request(struct client *c, uint8_t type, const char *fmt, ...)
{
    va_list ap;

    begin(c, type);
    va_start(ap, fmt);
    for (; *fmt; fmt++) {
        if (*fmt == 's')
            p9_put_string(&c->out, va_arg(ap, const char *));
        else
            p9_put(&c->out, *fmt == 'n' ? 4 : *fmt == 'h' ? 2 : 8, (uint64_t)va_arg(ap, int));
    }
    va_end(ap);
    return ask(c);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    struct client *c = calloc(1, sizeof(*c));

    strcpy(c->top, "/tmp/isthmus-p9-XXXXXX");
    assert_non_null(mkdtemp(c->top));
    snprintf(c->dir, sizeof(c->dir), "%s/share", c->top);
    assert_int_equal(mkdir(c->dir, 0700), 0);
    write_file(c->top, "secret", "secret");
    write_file(c->dir, "hello", "hello world");
    assert_int_equal(p9_server_init(&c->server, c->dir), 0);
    assert_int_equal(request(c, VERSION, "ns", 8192, "9P2000.L"), 0);
    assert_int_equal(request(c, ATTACH, "nnssn", 0, -1, "", "", 0), 0);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct client *c = *state;
    char command[64];

    p9_server_free(&c->server);
    snprintf(command, sizeof(command), "rm -rf %s", c->top);
    assert_int_equal(system(command), 0);
    free(c);
    return 0;
}

static int walk(struct client *c, int fid, int newfid, const char *name)
{
    return request(c, WALK, "nnhs", fid, newfid, 1, name);
}

static int open_fid(struct client *c, int fid, int flags)
{
    return request(c, LOPEN, "nn", fid, flags);
}

/* The first bytes of an open fid's file. */
static const char *contents(struct client *c, int fid)
{
    static char text[64];
    size_t n;
    const uint8_t *bytes;

    assert_int_equal(request(c, READ, "nqn", fid, 0, 60), 0);
    n = p9_get(&c->in, 4);
    bytes = p9_take(&c->in, n);
    assert_non_null(bytes);
    memcpy(text, bytes, n);
    text[n] = 0;
    return text;
}

static void files_are_read_and_written(void **state)
{
    struct client *c = *state;

    assert_int_equal(walk(c, 0, 1, "hello"), 0);
    assert_int_equal(open_fid(c, 1, 2), 0);
    assert_string_equal(contents(c, 1), "hello world");
    begin(c, WRITE);
    p9_put(&c->out, 4, 1);
    p9_put(&c->out, 8, 6);
    p9_put(&c->out, 4, 3);
    memcpy(p9_room(&c->out, 3), "9P!", 3);
    assert_int_equal(ask(c), 0);
    assert_string_equal(contents(c, 1), "hello 9P!ld");
    assert_int_equal(request(c, CLUNK, "n", 1), 0);
    assert_int_equal(request(c, CLUNK, "n", 1), -EBADF);
}

static void names_are_made_moved_and_removed(void **state)
{
    struct client *c = *state;

    assert_int_equal(request(c, MKDIR, "nsnn", 0, "d", 0755, 0), 0);
    assert_int_equal(walk(c, 0, 1, "d"), 0);
    assert_int_equal(request(c, WALK, "nnh", 1, 2, 0), 0);
    assert_int_equal(request(c, LCREATE, "nsnnn", 2, "f", 2, 0640, 0), 0);
    assert_int_equal(walk(c, 1, 3, "f"), 0);
    /* A directory that moves takes its fids along. */
    assert_int_equal(request(c, RENAMEAT, "nsns", 0, "d", 0, "e"), 0);
    assert_int_equal(request(c, GETATTR, "nq", 3, 0x7ff), 0);
    assert_int_equal(walk(c, 0, 4, "d"), -ENOENT);
    assert_int_equal(request(c, LINK, "nns", 0, 3, "g"), 0);
    assert_int_equal(request(c, UNLINKAT, "nsn", 0, "e", 0x200), -ENOTEMPTY);
    assert_int_equal(request(c, REMOVE, "n", 3), 0);
    assert_int_equal(request(c, UNLINKAT, "nsn", 0, "e", 0x200), 0);
    assert_int_equal(request(c, UNLINKAT, "nsn", 0, "g", 0), 0);
    assert_int_equal(request(c, GETATTR, "nq", 2, 0x7ff), 0); /* still open */
}

static void a_directory_is_listed_in_pieces(void **state)
{
    struct client *c = *state;
    unsigned seen = 0;
    uint64_t offset = 0;

    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "file%d", i);
        write_file(c->dir, name, "");
    }
    assert_int_equal(request(c, WALK, "nnh", 0, 1, 0), 0);
    assert_int_equal(open_fid(c, 1, 0), 0);
    for (;;) {
        size_t n;

        begin(c, READDIR);
        p9_put(&c->out, 4, 1);
        p9_put(&c->out, 8, offset);
        p9_put(&c->out, 4, 100);
        assert_int_equal(ask(c), 0);
        n = p9_get(&c->in, 4);
        if (!n)
            break;
        assert_true(n <= 100);
        while (c->in.at < c->in.size) {
            char name[256];
            p9_take(&c->in, 13);
            offset = p9_get(&c->in, 8);
            p9_take(&c->in, 1);
            p9_get_string(&c->in, name, sizeof(name));
            assert_false(c->in.bad);
            seen++;
        }
    }
    assert_int_equal(seen, 50 + 3); /* hello, . and .. */
}

/* --- Nothing leads out --- */

static void dot_dot_stops_at_the_top(void **state)
{
    struct client *c = *state;
    uint8_t root[13];

    assert_int_equal(request(c, WALK, "nnhsss", 0, 1, 3, "..", "..", ".."), 0);
    assert_int_equal(request(c, GETATTR, "nq", 0, 0x7ff), 0);
    memcpy(root, c->reply + P9_HEADER + 8, sizeof(root));
    assert_int_equal(request(c, GETATTR, "nq", 1, 0x7ff), 0);
    assert_memory_equal(root, c->reply + P9_HEADER + 8, sizeof(root));
    assert_int_equal(request(c, WALK, "nnhss", 0, 2, 2, "..", "secret"), 0);
    assert_int_equal(p9_get(&c->in, 2), 1); /* one step was made, and no fid */
    assert_int_equal(request(c, CLUNK, "n", 2), -EBADF);
}

static void names_are_single_components(void **state)
{
    static const char *const bad[] = {"../secret", "/etc/passwd", "a/b", "", ".", "..", "/"};
    struct client *c = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strcmp(bad[i], ".."))
            assert_int_equal(walk(c, 0, 1, bad[i]), -EINVAL);
        assert_int_equal(request(c, MKDIR, "nsnn", 0, bad[i], 0755, 0), -EINVAL);
        assert_int_equal(request(c, SYMLINK, "nssn", 0, bad[i], "x", 0), -EINVAL);
        assert_int_equal(request(c, LCREATE, "nsnnn", 0, bad[i], 2, 0644, 0), -EINVAL);
        assert_int_equal(request(c, MKNOD, "nsnnnn", 0, bad[i], 0100644, 0, 0, 0), -EINVAL);
        assert_int_equal(request(c, UNLINKAT, "nsn", 0, bad[i], 0), -EINVAL);
        assert_int_equal(request(c, RENAMEAT, "nsns", 0, bad[i], 0, "x"), -EINVAL);
        assert_int_equal(request(c, RENAMEAT, "nsns", 0, "hello", 0, bad[i]), -EINVAL);
    }
}

static void links_are_not_followed(void **state)
{
    static const char *const targets[] = {"/etc", "..", "../secret", "/proc/self/root", "."};
    struct client *c = *state;

    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_int_equal(request(c, SYMLINK, "nssn", 0, "l", targets[i], 0), 0);
        assert_int_equal(walk(c, 0, 1, "l"), 0);
        assert_int_equal(c->reply[P9_HEADER + 2], 0x02); /* the link itself */
        assert_int_equal(request(c, WALK, "nnhss", 0, 2, 2, "l", "passwd"), 0);
        assert_int_equal(p9_get(&c->in, 2), 1);
        assert_int_equal(open_fid(c, 1, 0), -ENXIO);
        assert_int_equal(open_fid(c, 1, 01000), -ENXIO);
        assert_int_equal(request(c, LCREATE, "nsnnn", 0, "l", 2, 0644, 0), -ENXIO);
        assert_true(request(c, MKDIR, "nsnn", 1, "x", 0755, 0) < 0);
        assert_true(request(c, RENAMEAT, "nsns", 0, "hello", 1, "x") < 0);
        assert_true(request(c, UNLINKAT, "nsn", 1, "secret", 0) < 0);
        assert_true(request(c, SETATTR, "nnnnnqqqqq", 1, 1, 0777, 0, 0, 0, 0, 0, 0, 0) < 0);
        assert_true(request(c, SETATTR, "nnnnnqqqqq", 1, 8, 0, 0, 0, 0, 0, 0, 0, 0) < 0);
        assert_int_equal(request(c, CLUNK, "n", 1), 0);
        assert_int_equal(request(c, UNLINKAT, "nsn", 0, "l", 0), 0);
    }
}

/* A directory that becomes a link under a fid's path. */
static void a_path_that_turns_into_a_link_is_dead(void **state)
{
    struct client *c = *state;
    char dir[64], file[64];

    snprintf(dir, sizeof(dir), "%s/d", c->dir);
    snprintf(file, sizeof(file), "%s/d/secret", c->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    write_file(dir, "secret", "inside");
    assert_int_equal(request(c, WALK, "nnhss", 0, 1, 2, "d", "secret"), 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(symlink(c->top, dir), 0);
    assert_int_equal(open_fid(c, 1, 0), -ELOOP);
    assert_int_equal(request(c, GETATTR, "nq", 1, 0x7ff), -ELOOP);
    assert_int_equal(request(c, REMOVE, "n", 1), -ELOOP);
}

static void the_top_stays(void **state)
{
    struct client *c = *state;

    assert_int_equal(request(c, RENAME, "nns", 0, 0, "x"), -EBUSY);
    assert_int_equal(request(c, REMOVE, "n", 0), -EBUSY);
}

static void devices_and_setuid_are_not_made(void **state)
{
    struct client *c = *state;
    struct stat st;
    char path[64];

    assert_int_equal(request(c, MKNOD, "nsnnnn", 0, "dev", 020666, 1, 3, 0), -EPERM);
    assert_int_equal(request(c, MKNOD, "nsnnnn", 0, "fifo", 010666, 0, 0, 0), 0);
    assert_int_equal(walk(c, 0, 1, "fifo"), 0);
    assert_int_equal(open_fid(c, 1, 0), -ENXIO); /* and does not hang */
    assert_int_equal(request(c, WALK, "nnh", 0, 2, 0), 0);
    assert_int_equal(request(c, LCREATE, "nsnnn", 2, "s", 2, 06755, 0), 0);
    snprintf(path, sizeof(path), "%s/s", c->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(request(c, SETATTR, "nnnnnqqqqq", 2, 1, 06711, 0, 0, 0, 0, 0, 0, 0), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
}

/* --- Messages that cannot be --- */

static void short_and_wrong_messages(void **state)
{
    struct client *c = *state;

    for (unsigned type = 0; type < 256; type++) {
        if (type == FLUSH)
            continue;
        begin(c, (uint8_t)type);
        assert_true(ask(c) < 0);
    }
    assert_int_equal(request(c, WALK, "nnh", 0, 1, 17), -EINVAL);
    assert_int_equal(request(c, WALK, "nnhs", 0, 1, 2, "hello"), 0);
    assert_int_equal(p9_get(&c->in, 2), 1);
    assert_int_equal(request(c, VERSION, "ns", 100, "9P2000.L"), -EINVAL);
    begin(c, CLUNK);
    p9_put(&c->out, 4, 0);
    memcpy(c->request, "\xff\xff\xff\xff", 4);
    assert_int_equal(p9_server_answer(&c->server, c->request, 11, c->reply, 11), 11);
    assert_int_equal(c->reply[4], LERROR);
}

static void replies_that_do_not_fit(void **state)
{
    struct client *c = *state;

    begin(c, GETATTR);
    p9_put(&c->out, 4, 0);
    p9_put(&c->out, 8, 0x7ff);
    c->out.at = 0;
    p9_put(&c->out, 4, 19);
    assert_int_equal(p9_server_answer(&c->server, c->request, 19, c->reply, P9_REPLY_MIN), 11);
    assert_int_equal(c->reply[4], LERROR);
    assert_int_equal(c->reply[7], EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_read_and_written, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_made_moved_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_is_listed_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(dot_dot_stops_at_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_single_components, setup, teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_that_turns_into_a_link_is_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(the_top_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(devices_and_setuid_are_not_made, setup, teardown),
        cmocka_unit_test_setup_teardown(short_and_wrong_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_that_do_not_fit, setup, teardown),
    };

    return cmocka_run_group_tests_name("p9", tests, NULL, NULL);
}
