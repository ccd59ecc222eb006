/* SPDX-License-Identifier: MIT */
/*
 * Signals while a machine runs. Those that ask the program to end stop the machine, so that the
 * terminal, files and memory are put in order first; a signal that tells of a crash puts the
 * terminal in order and then does what it does.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "isthmus.h"

struct signals;

/* Start to watch for m. NULL after complaining. */
struct signals *signals_watch(struct isthmus *m);
/* Stop to watch. Result: the signal that came, or 0. */
int signals_end(struct signals *s);
/* End this process by that signal. */
_Noreturn void signals_die(int number);

#endif
