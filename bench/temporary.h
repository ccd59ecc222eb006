/* SPDX-License-Identifier: MIT */
/* Files in $TMPDIR that have no name, so that nothing is left however the process ends. */
#ifndef BENCH_TEMPORARY_H
#define BENCH_TEMPORARY_H

#include <stdbool.h>

struct temporary {
    int fd;
    char path[64]; /* by which machines that are started open it */
};

/* Where they are. */
const char *temporary_folder(void);
/* Result: false, and errno. */
bool temporary_make(struct temporary *t);
/* One that was not made may be all zeros. */
void temporary_close(struct temporary *t);

#endif
