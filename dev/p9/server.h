/* SPDX-License-Identifier: MIT */
/*
 * A 9P2000.L server for one directory of the host, for one client. Requests are answered one at
 * a time, in order, so that there is never one to be flushed.
 *
 * Not there: extended attributes (EOPNOTSUPP) and authentication. Locks are always granted: they
 * hold within the guest, whose kernel keeps them, not against the host.
 */
#ifndef DEV_P9_SERVER_H
#define DEV_P9_SERVER_H

#include "dev/p9/fid.h"
#include "dev/p9/tree.h"

#include <stddef.h>

enum { P9_MSIZE_MAX = 512 * 1024, P9_MSIZE_MIN = 4096, P9_REPLY_MIN = 11 };

struct p9_server {
    struct tree tree;
    struct fids fids;
    uint32_t msize; /* as agreed; P9_MSIZE_MAX at first */
    uint64_t device; /* st_dev of the directory */
};

int p9_server_init(struct p9_server *s, const char *dir);
void p9_server_free(struct p9_server *s);
/* Forget the client. */
void p9_server_reset(struct p9_server *s);

/* Answer the message request[n] in reply[room], room >= P9_REPLY_MIN. Result: the reply's size. */
size_t p9_server_answer(struct p9_server *s, const uint8_t *request, size_t n, uint8_t *reply,
                        size_t room);

#endif
