// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/isthmus promises, from both ends: `linux_windows owner` in one guest, `linux_windows
 * peer` in the other, with two windows between them. Through the first one, which stays open, the
 * peer tells the owner what to do to the memory under the second one, and then looks what it can
 * get. Prints a line a case: "@ok NAME" or "@bad NAME what came instead".
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ig.h"
#include "isthmus_ioctl.h"

#define PAGE 4096ul
#define TRIAL (64 * PAGE)
#define OK 0

/** The first window: the peer writes what to do, the owner that it is done. */
struct control {
    uint64_t wanted; /* number of the deed, counted up with each */
    uint64_t deed;
    uint64_t done; /* the last number that is done */
    uint64_t result;
};

enum deed {
    CLOSE,
    OPEN,
    UNMAP,
    PROTECT,
    DISCARD,
    PAGE_OUT,
    FORK,
    KILL,
    EXEC,
    NO_CHILD,
    OWNERS_ERRORS,
    END
};

static int device;
static struct isthmus_window control_window, trial_window;

static void verdict(const char *name, bool good, const char *format, ...)
{
    char text[128];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    printf(good ? "@ok %s\n" : "@bad %s: %s\n", name, text);
    fflush(stdout);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    printf("@bad %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

static struct isthmus_window describe(uint32_t number)
{
    struct isthmus_window w = {.number = number};

    must(ioctl(device, ISTHMUS_IOC_WINDOW, &w) == 0, "describe");
    return w;
}

static int error_of(int result)
{
    return result ? errno : 0;
}

static int open_at(uint32_t number, const void *p, uint64_t length, uint32_t rights)
{
    struct isthmus_open o = {number, rights, (uintptr_t)p, length};

    return error_of(ioctl(device, ISTHMUS_IOC_OPEN, &o));
}

static char *memory(uint64_t length)
{
    void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED, "memory");
    return p;
}

/* The owner */

static char *trial;

static void reopen(uint64_t number)
{
    ioctl(device, ISTHMUS_IOC_CLOSE, trial_window.number);
    munmap(trial, TRIAL);
    trial = memory(TRIAL);
    memset(trial, (char)number, TRIAL);
    must(open_at(trial_window.number, trial, TRIAL, ISTHMUS_READ | ISTHMUS_WRITE) == 0, "reopen");
}

/* A child writes nothing; the parent's pages stay its own, and the peer's. */
static void fork_and_write(uint64_t number)
{
    pid_t child;

    reopen(number - 1);
    child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    memset(trial, (char)number, TRIAL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Another process opens the window; it is killed, or executes another program that goes on. */
static uint64_t open_in_child(uint64_t number, bool exec)
{
    int ready[2];
    pid_t child;
    char c;

    ioctl(device, ISTHMUS_IOC_CLOSE, trial_window.number);
    must(pipe(ready) == 0, "pipe");
    child = fork();
    if (!child) {
        device = open("/dev/isthmus", O_RDWR); /* stays open when it executes something */
        reopen(number);
        if (exec)
            execl("/bin/sh", "sh", "-c", "echo x >&$0; exec sleep 1000",
                  (char[]){(char)('0' + ready[1]), 0}, NULL);
        must(write(ready[1], "x", 1) == 1, "write");
        pause();
    }
    must(read(ready[0], &c, 1) == 1, "read");
    close(ready[0]);
    close(ready[1]);
    if (!exec) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return exec ? (uint64_t)child : 0;
}

static void owners_errors(void)
{
    uint32_t n = trial_window.number;
    struct rlimit none = {0, 0}, before;
    char *hole = memory(2 * PAGE), *constant;
    int got;

    ioctl(device, ISTHMUS_IOC_CLOSE, n);
    constant = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole + PAGE, PAGE);
#define REFUSED(name, call, wanted)                                                                \
    got = call;                                                                                    \
    verdict(name, got == (wanted), "%s", strerror(got))
    REFUSED("no-rights", open_at(n, trial, PAGE, 0), EINVAL);
    REFUSED("unknown-rights", open_at(n, trial, PAGE, ISTHMUS_READ | ISTHMUS_USER), EINVAL);
    REFUSED("no-length", open_at(n, trial, 0, ISTHMUS_READ), EINVAL);
    REFUSED("too-long", open_at(n, trial, 1 << 30, ISTHMUS_READ), ERANGE);
    REFUSED("wraps", open_at(n, trial, -PAGE, ISTHMUS_READ), EINVAL);
    REFUSED("of-the-kernel", open_at(n, (void *)-(1ul << 30), PAGE, ISTHMUS_READ), EINVAL);
    REFUSED("not-mapped", open_at(n, hole, 2 * PAGE, ISTHMUS_READ), EFAULT);
    REFUSED("not-writable", open_at(n, constant, PAGE, ISTHMUS_WRITE), EFAULT);
    REFUSED("no-such-window", open_at(1000, trial, PAGE, ISTHMUS_READ), ENOENT);
    REFUSED("owner-binds", error_of(ioctl(device, ISTHMUS_IOC_BIND, n)), EPERM);
    REFUSED("close-not-open", error_of(ioctl(device, ISTHMUS_IOC_CLOSE, n)), EPERM);
    REFUSED("open-twice", open_at(control_window.number, trial, PAGE, ISTHMUS_READ), EBUSY);
    getrlimit(RLIMIT_MEMLOCK, &before);
    setrlimit(RLIMIT_MEMLOCK, &none);
    must(seteuid(1000) == 0, "seteuid");
    REFUSED("locked-memory", open_at(n, trial, PAGE, ISTHMUS_READ), ENOMEM);
    must(seteuid(0) == 0, "seteuid");
    setrlimit(RLIMIT_MEMLOCK, &before);
    REFUSED("read-only", open_at(n, constant, PAGE, ISTHMUS_READ), 0);
    ioctl(device, ISTHMUS_IOC_CLOSE, n);
#undef REFUSED
}

static void owner(void)
{
    struct control *c = (struct control *)memory(PAGE);
    uint64_t child = 0;

    trial = memory(TRIAL);
    must(open_at(control_window.number, c, sizeof(*c), ISTHMUS_READ | ISTHMUS_WRITE) == 0, "open");
    for (uint64_t n = 1;; n++) {
        uint64_t result = n;

        while (__atomic_load_n(&c->wanted, __ATOMIC_ACQUIRE) != n)
            usleep(1000);
        switch (c->deed) {
        case CLOSE:
            must(ioctl(device, ISTHMUS_IOC_CLOSE, trial_window.number) == 0, "close");
            break;
        case OPEN:
            reopen(n);
            break;
        case UNMAP:
            reopen(n);
            munmap(trial + PAGE, PAGE);
            break;
        case PROTECT:
            reopen(n);
            mprotect(trial + PAGE, PAGE, PROT_READ);
            break;
        case DISCARD:
            reopen(n);
            madvise(trial, PAGE, MADV_DONTNEED);
            break;
        case PAGE_OUT:
            reopen(n);
            madvise(trial, TRIAL, MADV_PAGEOUT);
            break;
        case FORK:
            fork_and_write(n);
            break;
        case KILL:
        case EXEC:
            child = open_in_child(n, c->deed == EXEC);
            break;
        case NO_CHILD: /* as long as it has the file it has the window */
            kill((pid_t)child, SIGKILL);
            waitpid((pid_t)child, NULL, 0);
            break;
        case OWNERS_ERRORS:
            owners_errors();
            break;
        }
        c->result = result;
        __atomic_store_n(&c->done, n, __ATOMIC_RELEASE);
        if (c->deed == END)
            break;
    }
    sleep(1); /* the peer reads that it is done */
}

/* The peer */

static const char *status_name(int64_t status)
{
    static const char *const NAMES[] = {"DENIED",       "RANGE", "REMOTE_FAULT",
                                        "NOT_RESIDENT", "BUSY",  "CEILING"};

    return status >= 0 ? "OK" : NAMES[-status - 1];
}

static uint32_t handle_of(const struct isthmus_window *w)
{
    return (uint32_t)ig_query(w->index, IGQ_HANDLE);
}

static uint64_t numbered;

/* Has the owner do it; what the window's bytes are then. */
static uint64_t tell(enum deed deed)
{
    uint32_t h = handle_of(&control_window);
    struct control c = {.wanted = ++numbered, .deed = deed};

    must(ig_put(h, 8, &c.deed, 8) == 8, "put");
    __asm__ volatile("fence rw, rw" ::: "memory");
    must(ig_put(h, 0, &c.wanted, 8) == 8, "put");
    do {
        usleep(1000);
        must(ig_get(h, 0, &c, sizeof(c)) == sizeof(c), "get");
    } while (c.done != numbered);
    return c.result;
}

/* Gets from the trial window, and takes what arrives for good when it is what the owner wrote. */
static int64_t trial_get(uint64_t offset, char wanted)
{
    static const struct ig_ops ops = {.get = ig_get}; /* by pieces: to the next local page fault */
    char buffer[PAGE];
    int64_t n = ig_get_all(&ops, handle_of(&trial_window), offset, buffer, sizeof(buffer));

    for (unsigned i = 0; n > 0 && i < n; i++)
        if (buffer[i] != wanted)
            return -7;
    return n < 0 ? n : OK;
}

static void after(const char *name, enum deed deed, uint64_t offset, int64_t wanted)
{
    uint64_t result;
    int64_t got;

    result = tell(deed);
    got = trial_get(offset, (char)result);
    verdict(name, got == wanted, "%s", got == -7 ? "other bytes" : status_name(got));
}

/* Runs it in a child, whose status is the verdict. */
static void in_child(const char *name, bool (*run)(void))
{
    pid_t child = fork();
    int status;

    if (!child)
        _exit(run() ? 0 : 1);
    waitpid(child, &status, 0);
    verdict(name, status == 0, "status %d", status);
}

static bool child_uses(void)
{
    char c;

    return ig_query(trial_window.index, IGQ_HANDLE) == 0 &&
           ig_get(describe(trial_window.number).handle, 0, &c, 1) == IG_DENIED;
}

static bool child_binds(void)
{
    device = open("/dev/isthmus", O_RDWR | O_CLOEXEC);
    return error_of(ioctl(device, ISTHMUS_IOC_BIND, trial_window.number)) == EBUSY;
}

static bool bound(void)
{
    return describe(trial_window.number).state & ISTHMUS_BOUND;
}

/* The child binds; it is killed, or executes something that has the file open. */
static bool bind_in_child(bool exec)
{
    pid_t child = fork();
    int status = 0;

    if (!child) {
        device = open("/dev/isthmus", O_RDWR);
        if (ioctl(device, ISTHMUS_IOC_BIND, trial_window.number) || !bound())
            _exit(1);
        if (exec)
            execl("/bin/sleep", "sleep", "1", NULL);
        raise(SIGKILL);
    }
    if (exec)
        sleep(1);
    for (int i = 0; exec && i < 1000 && bound(); i++)
        usleep(1000);
    if (exec && bound())
        return false;
    waitpid(child, &status, 0);
    return !bound() && (exec ? status == 0 : WIFSIGNALED(status));
}

static bool bind_and_die(void)
{
    return bind_in_child(false);
}

static bool bind_and_exec(void)
{
    return bind_in_child(true);
}

/* More address spaces than there are ASIDs, many times, while this one uses the window. */
static bool outlive_asids(uint8_t wanted)
{
    for (unsigned i = 0; i < 300; i++) {
        pid_t child = fork();

        if (!child) {
            char c;

            _exit(ig_get(handle_of(&control_window), 0, &c, 1) == IG_DENIED ? 0 : 1);
        }
        if (i % 16 == 15) {
            int status;

            while (waitpid(-1, &status, 0) > 0)
                if (status)
                    return false;
        }
        if (trial_get(0, (char)wanted))
            return false;
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return true;
}

static void peers_errors(void)
{
    uint32_t n = trial_window.number;
    char buffer[PAGE];
    int got;

#define GIVES(name, call, wanted)                                                                  \
    got = (int)(call);                                                                             \
    verdict(name, got == (wanted), "%d", got)
    GIVES("peer-opens", open_at(n, buffer, PAGE, ISTHMUS_READ), EPERM);
    GIVES("bind-twice", error_of(ioctl(device, ISTHMUS_IOC_BIND, n)), EBUSY);
    GIVES("bind-no-window", error_of(ioctl(device, ISTHMUS_IOC_BIND, 1000)), ENOENT);
    GIVES("no-such-call", error_of(ioctl(device, _IO('i', 99), 0)), ENOTTY);
    GIVES("bad-pointer", error_of(ioctl(device, ISTHMUS_IOC_WINDOW, 8)), EFAULT);
    GIVES("past-the-end", ig_get(handle_of(&trial_window), TRIAL, buffer, 1), IG_RANGE);
#undef GIVES
}

static void peer(void)
{
    uint64_t wanted;
    char c;

    while (!(describe(control_window.number).state & ISTHMUS_OPEN))
        usleep(10000);
    verdict("unbound", ig_get(describe(control_window.number).handle, 0, &c, 1) == IG_DENIED, "");
    must(ioctl(device, ISTHMUS_IOC_BIND, control_window.number) == 0, "bind");
    in_child("child-binds-and-dies", bind_and_die);
    in_child("child-binds-and-executes", bind_and_exec);
    must(ioctl(device, ISTHMUS_IOC_BIND, trial_window.number) == 0, "bind");
    after("open", OPEN, 0, OK);
    in_child("child-is-another-space", child_uses);
    in_child("child-cannot-bind", child_binds);
    peers_errors();
    wanted = tell(OPEN);
    verdict("many-spaces", outlive_asids((uint8_t)wanted), "denied or other bytes");
    after("unmap", UNMAP, 0, IG_DENIED);
    after("protect", PROTECT, 0, IG_DENIED);
    after("discard", DISCARD, 0, IG_DENIED);
    after("page-out", PAGE_OUT, TRIAL - PAGE, OK);
    after("fork", FORK, 0, OK);
    after("close", CLOSE, 0, IG_DENIED);
    after("owner-is-killed", KILL, 0, IG_DENIED);
    after("owner-executes", EXEC, 0, IG_DENIED);
    tell(NO_CHILD);
    tell(OWNERS_ERRORS);
    must(ioctl(device, ISTHMUS_IOC_UNBIND, trial_window.number) == 0, "unbind");
    verdict("no-longer-bound", trial_get(0, 0) == IG_DENIED, "");
    tell(END);
}

int main(int argc, char **argv)
{
    device = open("/dev/isthmus", O_RDWR | O_CLOEXEC);
    must(device >= 0, "/dev/isthmus");
    control_window = describe(0);
    trial_window = describe(1);
    if (argc == 2 && strcmp(argv[1], "owner") == 0)
        owner();
    else
        peer();
    puts("@done");
    return 0;
}
