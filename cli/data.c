/* SPDX-License-Identifier: MIT */
/* Where files that come with the program are. */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "DIR/NAME" where it can be read, else NULL. */
static char *readable(const char *dir, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        return NULL;
    if (!access(path, R_OK))
        return path;
    free(path);
    return NULL;
}

/* The folder of the running program, in dir. */
static bool program_folder(char *dir, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", dir, size - 1);
    char *slash;

    if (n < 0)
        return false;
    dir[n] = 0;
    slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

char *find_data(const char *name)
{
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    const char *env = getenv("ISTHMUS_DATADIR");
    char dir[PATH_MAX - 32], installed[PATH_MAX], *path = NULL;

    if (env && !(path = readable(env, name)))
        path = readable(env, base);
    if (!path && program_folder(dir, sizeof(dir)) && !(path = readable(dir, name))) {
        snprintf(installed, sizeof(installed), "%s/../share/isthmus", dir); /* moved as a whole */
        path = readable(installed, base);
    }
    if (!path)
        path = readable(ISTHMUS_DATADIR, base);
    if (!path)
        complain("%s: cannot find it beside the program, in %s or in $ISTHMUS_DATADIR", base,
                 ISTHMUS_DATADIR);
    return path;
}
