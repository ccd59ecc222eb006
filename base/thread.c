/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <time.h>

int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!err)
        pthread_setname_np(*thread, name);
    return -err;
}

struct thread_hold thread_hold_write_signals(void)
{
    static const int numbers[] = {SIGPIPE, SIGXFSZ};
    struct thread_hold hold;

    sigemptyset(&hold.held);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&hold.held, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &hold.held, &hold.before);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigismember(&hold.before, numbers[i]))
            sigdelset(&hold.held, numbers[i]);
    return hold;
}

void thread_release_signals(const struct thread_hold *hold)
{
    if (sigisemptyset(&hold->held))
        return;
    while (sigtimedwait(&hold->held, NULL, &(struct timespec){0}) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}
