/* SPDX-License-Identifier: MIT */
/*
 * The 9P server: the input is messages, each a length byte and that much of it. What must hold: the
 * reply has a sound header and fits; nothing beside the shared directory changes, and what is read
 * never comes from there: the secret is looked for in every reply.
 */
#include "dev/p9/message.h"
#include "dev/p9/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE = 256, REPLY = 4096, RUNS_A_TREE = 512 };
#define SECRET "the secret beside the share"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char top[] = "/tmp/isthmus-fuzz-p9-XXXXXX", share[64];

static void run(const char *fmt)
{
    char command[256];

    snprintf(command, sizeof(command), fmt, top);
    if (system(command))
        abort();
}

static void make_tree(void)
{
    snprintf(share, sizeof(share), "%s/share", top);
    run("cd %s && chmod -R u+rwx . && rm -rf share && mkdir -p share/d && echo hello > share/f && "
        "ln -s .. share/l && ln -s ../secret share/m && printf '" SECRET "' > secret");
}

static void clean(void)
{
    run("chmod -R u+rwx %1$s; rm -rf %1$s");
}

/* The secret is there, and alone. */
static void check_outside(void)
{
    run("test \"$(ls %s)\" = \"$(printf 'secret\\nshare')\"");
    run("test \"$(cat %s/secret)\" = '" SECRET "'");
}

static void send(struct p9_server *s, uint8_t *message, size_t n)
{
    static uint8_t reply[REPLY];
    size_t got;

    for (unsigned i = 0; i < 4 && n >= 4; i++)
        message[i] = (uint8_t)(n >> (8 * i));
    got = p9_server_answer(s, message, n, reply, sizeof(reply));
    if (got < P9_HEADER || got > sizeof(reply) || (reply[0] | reply[1] << 8) != (int)got)
        abort();
    if (memmem(reply, got, SECRET, strlen(SECRET)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static unsigned runs;
    struct p9_server s;

    if (runs == 0) {
        if (!mkdtemp(top))
            abort();
        atexit(clean);
    }
    if (runs % RUNS_A_TREE == 0) {
        if (runs)
            check_outside();
        make_tree();
    }
    runs++;
    if (p9_server_init(&s, share))
        make_tree(); /* it took its own rights to the share away */
    else {
        uint8_t attach[] = {0, 0, 0, 0, 104, 1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0,
                            0, 0, 0, 0};
        send(&s, attach, sizeof(attach));
        while (n > 1) {
            uint8_t message[MESSAGE + 4] = {0};
            size_t size = bytes[0] < n - 1 ? bytes[0] : n - 1;

            memcpy(message + 4, bytes + 1, size);
            send(&s, message, size + 4);
            bytes += 1 + size;
            n -= 1 + size;
        }
        p9_server_free(&s);
    }
    return 0;
}
