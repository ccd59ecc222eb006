/* SPDX-License-Identifier: MIT */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Start a thread that runs fn(arg), with all signals blocked, so that signals go to the threads of
 * the program around us. name, of at most 15 bytes, is what ps and debuggers show. Result: 0, or a
 * negative errno. */
int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg);

#endif
