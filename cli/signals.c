/* SPDX-License-Identifier: MIT */
/*
 * The ending signals are blocked, and a thread waits for them: no handler runs in the midst of
 * anything. It also waits for SIGUSR1 directed at it, which ends it.
 */
#include "cli/signals.h"

#include "cli/cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int crashing[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

struct signals {
    struct isthmus *m;
    pthread_t thread;
    sigset_t set, before;
    int came;
};

/* What the terminal was like: a signal handler can know it from nowhere else. */
static struct termios terminal;
static volatile sig_atomic_t terminal_known;

static void on_crash(int number)
{
    if (terminal_known)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
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
    int number;

    while (!sigwait(&s->set, &number) && number != SIGUSR1) {
        s->came = number;
        isthmus_stop(s->m);
    }
    return NULL;
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
    s->m = m;
    sigemptyset(&s->set);
    sigaddset(&s->set, SIGUSR1);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
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

    pthread_kill(s->thread, SIGUSR1);
    pthread_join(s->thread, NULL);
    came = s->came;
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
    return came;
}

void signals_die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
    exit(EXIT_FAILED); /* it was ignored */
}
