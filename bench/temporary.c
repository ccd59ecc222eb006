/* SPDX-License-Identifier: MIT */
#include "bench/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *temporary_folder(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/tmp";
}

bool temporary_make(struct temporary *t)
{
    char name[PATH_MAX];

    if (strlen(temporary_folder()) > PATH_MAX / 2) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(name, sizeof(name), "%s/isthmus-XXXXXX", temporary_folder());
    t->fd = mkostemp(name, O_CLOEXEC);
    if (t->fd < 0) {
        t->fd = 0;
        return false;
    }
    unlink(name);
    snprintf(t->path, sizeof(t->path), "/proc/%d/fd/%d", (int)getpid(), t->fd);
    return true;
}

void temporary_close(struct temporary *t)
{
    if (t->fd > 0)
        close(t->fd);
    t->fd = 0;
}
