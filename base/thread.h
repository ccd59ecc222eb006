/* SPDX-License-Identifier: MIT */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Start a thread that runs fn(arg), with all signals blocked, so that signals go to the threads of
 * the program around us. name, of at most 15 bytes, is what ps and debuggers show. Result: 0, or a
 * negative errno. */
int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg);

/* Between these two calls, a write to a closed pipe or beyond the limit of a file's size gives an
 * error alone, no signal, whatever thread of whosoever program this is. */
struct thread_hold {
    sigset_t before, held;
};
struct thread_hold thread_hold_write_signals(void);
void thread_release_signals(const struct thread_hold *hold);

#endif
