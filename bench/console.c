/* SPDX-License-Identifier: MIT */
#include "bench/console.h"
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 900, LINE_MAX_BYTES = 1024, WORDS_MAX = 64, STARTS_MAX = 8, KEY_MAX = 32 };

struct console {
    const struct console_machine *machine;
    enum bench_side side;
    struct bench_samples *samples;
    double begin;
    int in, out; /* its input and output */
    pid_t pid;
    unsigned answered;
    size_t n;
    char line[LINE_MAX_BYTES], last[LINE_MAX_BYTES];
    unsigned starts_n;
    struct {
        char key[KEY_MAX];
        double at;
    } starts[STARTS_MAX];
};

static const char *name(enum bench_side side)
{
    return side == BENCH_QEMU ? "QEMU" : "isthmus";
}

/* --- starting --- */

struct words {
    unsigned n;
    const char *word[WORDS_MAX];
};

static void add(struct words *w, const char *const *more)
{
    for (; *more && w->n < WORDS_MAX - 1; more++)
        w->word[w->n++] = *more;
    w->word[w->n] = NULL;
}

static void command(const struct console_machine *m, enum bench_side side, struct words *w)
{
    static const char *const ours[] = {"isthmus", "run", "--harts", "2", "--memory", "1G", NULL};
    static const char *const qemu[] = {"qemu-system-riscv64",
                                       "-M",
                                       "virt",
                                       "-cpu",
                                       "rv64,h=true",
                                       "-smp",
                                       "2",
                                       "-m",
                                       "1G",
                                       "-serial",
                                       "stdio",
                                       "-display",
                                       "none",
                                       "-monitor",
                                       "none",
                                       NULL};
    bool peer = side == BENCH_QEMU;

    add(w, peer ? qemu : ours);
    if (!access(m->firmware, R_OK))
        add(w, (const char *const[]){peer ? "-bios" : "--bios", m->firmware, NULL});
    add(w, (const char *const[]){peer ? "-kernel" : "--kernel", m->kernel,
                                 peer ? "-initrd" : "--initrd", m->initrd, NULL});
    add(w, peer ? m->qemu : m->isthmus);
}

/* Start it with its console on pipes. Result: 0, or an error's number. */
static int start(struct console *c)
{
    struct words w = {.n = 0};
    int in[2], out[2], err;

    command(c->machine, c->side, &w);
    /* A socket, so that typing to a machine that has ended is no signal. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
        return errno;
    if (pipe2(out, O_CLOEXEC)) {
        err = errno;
        close(in[0]);
        close(in[1]);
        return err;
    }
    c->begin = bench_seconds();
    err = child_start(c->side == BENCH_QEMU ? w.word[0] : "/proc/self/exe", w.word, in[0], out[1],
                      out[1], &c->pid);
    close(in[0]);
    close(out[1]);
    c->in = in[1];
    c->out = out[0];
    if (err) {
        close(c->in);
        close(c->out);
    }
    return err;
}

/* --- following --- */

static double now(const struct console *c)
{
    return bench_seconds() - c->begin;
}

static void take_moment(struct console *c, const char *key)
{
    static const char suffix[] = "-start";
    size_t n = strlen(key), cut = sizeof(suffix) - 1;
    double since = 0;

    if (n > cut && !strcmp(key + n - cut, suffix)) {
        if (c->starts_n == STARTS_MAX)
            return;
        snprintf(c->starts[c->starts_n].key, KEY_MAX, "%.*s", (int)(n - cut), key);
        c->starts[c->starts_n++].at = now(c);
        return;
    }
    for (unsigned i = 0; i < c->starts_n; i++)
        if (!strcmp(c->starts[i].key, key))
            since = c->starts[i].at;
    bench_add(c->samples, c->side, now(c) - since, "%s", key);
}

static void take_line(struct console *c)
{
    char key[KEY_MAX];
    double value;
    int n = strncmp(c->line, "@ ", 2) ? 0 : sscanf(c->line, "@ %31s %lf", key, &value);

    if (n == 2)
        bench_add(c->samples, c->side, value, "%s", key);
    else if (n == 1)
        take_moment(c, key);
    else if (*c->line)
        strcpy(c->last, c->line);
}

/* Type the next answer if the line, as far as it is there, asks for it. */
static void answer(struct console *c)
{
    const struct console_answer *a = &c->machine->answers[c->answered];
    size_t n = c->answered < CONSOLE_ANSWERS_MAX && a->end ? strlen(a->end) : SIZE_MAX;

    if (n > c->n || strcmp(c->line + c->n - n, a->end) || !strstr(c->line, a->text))
        return;
    c->answered++;
    if (a->key)
        take_moment(c, a->key);
    if (send(c->in, a->answer, strlen(a->answer), MSG_NOSIGNAL) < 0)
        snprintf(c->last, sizeof(c->last), "cannot type: %s", strerror(errno));
}

static void take_character(struct console *c, char character)
{
    if (character == '\n' || character == '\r' || c->n == sizeof(c->line) - 1) {
        take_line(c);
        c->n = 0;
        return;
    }
    c->line[c->n++] = character;
    c->line[c->n] = 0;
    answer(c);
}

/* Follow it to its end. Result: false where it was cut off after SECONDS_MAX. */
static bool follow(struct console *c)
{
    while (now(c) < SECONDS_MAX) {
        struct pollfd p = {.fd = c->out, .events = POLLIN};
        char buffer[256];
        ssize_t n;

        if (poll(&p, 1, 1000) == 0)
            continue;
        n = read(c->out, buffer, sizeof(buffer));
        if (n <= 0)
            return true;
        for (ssize_t i = 0; i < n; i++)
            take_character(c, buffer[i]);
    }
    return false;
}

bool console_run(const struct console_machine *m, enum bench_side side, struct bench_samples *s,
                 char *why, unsigned size)
{
    struct console c = {.machine = m, .side = side, .samples = s};
    int status = -1, err = start(&c);
    bool ended;

    if (err) {
        snprintf(why, size, "%s could not be started: %s", name(side), strerror(err));
        return false;
    }
    ended = follow(&c);
    if (!ended)
        kill(c.pid, SIGKILL);
    close(c.in);
    close(c.out);
    waitpid(c.pid, &status, 0);
    snprintf(why, size, "%s %s: %s", name(side), ended ? "failed" : "did not end", c.last);
    return ended && WIFEXITED(status) && !WEXITSTATUS(status);
}

bool console_said(const struct bench_samples *s, enum bench_side side, const char *key, char *why,
                  unsigned size)
{
    if (!isnan(bench_median(s, side, "%s", key)))
        return true;
    snprintf(why, size, "%s did not come to \"%s\"", name(side), key);
    return false;
}
