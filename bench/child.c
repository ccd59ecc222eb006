/* SPDX-License-Identifier: MIT */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. What goes wrong is written to told, which starting the program closes. */
static _Noreturn void become(const char *program, const char *const argv[], const int streams[3],
                             pid_t parent, int told)
{
    bool ready = !prctl(PR_SET_PDEATHSIG, SIGKILL);

    for (int i = 0; i < 3 && ready; i++)
        ready = streams[i] < 0 || dup2(streams[i], i) >= 0;
    if (getppid() != parent)
        _exit(127);
    if (ready)
        execvp(program, (char **)argv);
    (void)!write(told, &errno, sizeof(errno));
    _exit(127);
}

int child_start(const char *program, const char *const argv[], int in, int out, int error,
                pid_t *pid)
{
    pid_t parent = getpid();
    int told[2], wrong = 0;

    if (pipe2(told, O_CLOEXEC))
        return errno;
    *pid = fork();
    if (*pid == 0)
        become(program, argv, (const int[]){in, out, error}, parent, told[1]);
    if (*pid < 0)
        wrong = errno;
    close(told[1]);
    if (!wrong && read(told[0], &wrong, sizeof(wrong)) > 0)
        waitpid(*pid, NULL, 0);
    close(told[0]);
    return wrong;
}
