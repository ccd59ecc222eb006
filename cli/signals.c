/* SPDX-License-Identifier: MIT */
/*
 * The ending signals are blocked, and a thread waits for them: no handler runs in the midst of
 * anything. One that comes when the end has been asked for long ago is obeyed at once.
 */
#include "cli/signals.h"

#include "cli/cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const int ending[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                             SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU};
static const int crashing[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

enum { PATIENCE_S = 3 };

struct signals {
    struct isthmus *m;
    pthread_t thread;
    sigset_t set, before;
    int came;  /* the first one */
    bool over; /* atomic: the thread should end */
};

/* What the terminal was like: a signal handler can know it from nowhere else. */
static struct termios terminal;
static volatile sig_atomic_t terminal_known;

static void restore_terminal(void)
{
    pid_t group = tcgetpgrp(STDIN_FILENO);

    if (terminal_known && (group < 0 || group == getpgrp()))
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

static void on_crash(int number)
{
    restore_terminal();
    raise(number); /* SA_RESETHAND: now with its default action */
}

static void watch_crashes(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    terminal_known = tcgetattr(STDIN_FILENO, &terminal) == 0;
    for (size_t i = 0; terminal_known && i < sizeof(crashing) / sizeof(crashing[0]); i++)
        sigaction(crashing[i], &action, NULL);
}

static void *wait_for_signal(void *arg)
{
    struct signals *s = arg;
    time_t first = 0;
    int number;

    while (!sigwait(&s->set, &number) && !__atomic_load_n(&s->over, __ATOMIC_SEQ_CST)) {
        if (s->came && time(NULL) - first >= PATIENCE_S) {
            restore_terminal();
            signals_die(s->came);
        }
        if (!s->came) {
            s->came = number;
            first = time(NULL);
        }
        isthmus_stop(s->m);
    }
    return NULL;
}

/* Who started us with SIGHUP ignored wants us to survive the terminal (nohup). The others end us in
 * any case: shells ignore SIGINT and SIGQUIT for what scripts run in the background. */
static bool is_wanted(int number)
{
    struct sigaction now;

    return number != SIGHUP || sigaction(number, NULL, &now) || now.sa_handler != SIG_IGN;
}

static void do_nothing(int number)
{
    (void)number;
}

/* A write that cannot succeed is an error, and told. Programs that we start have the default. */
static void let_writes_fail(void)
{
    struct sigaction action = {.sa_handler = do_nothing};

    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

struct signals *signals_watch(struct isthmus *m)
{
    struct signals *s = calloc(1, sizeof(*s));
    int err;

    if (!s) {
        complain("not enough memory");
        return NULL;
    }
    watch_crashes();
    let_writes_fail();
    s->m = m;
    sigemptyset(&s->set);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        if (is_wanted(ending[i]))
            sigaddset(&s->set, ending[i]);
    pthread_sigmask(SIG_BLOCK, &s->set, &s->before);
    err = pthread_create(&s->thread, NULL, wait_for_signal, s);
    if (err) {
        complain("cannot start a thread: %s", strerror(err));
        pthread_sigmask(SIG_SETMASK, &s->before, NULL);
        free(s);
        return NULL;
    }
    return s;
}

int signals_end(struct signals *s)
{
    int came;

    __atomic_store_n(&s->over, true, __ATOMIC_SEQ_CST);
    pthread_kill(s->thread, SIGUSR1);
    pthread_join(s->thread, NULL);
    came = s->came;
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
    return came;
}

void signals_die(int number)
{
    sigset_t set;

    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    exit(EXIT_FAILED); /* it was ignored */
}
