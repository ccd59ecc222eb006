/* SPDX-License-Identifier: MIT */
/* Inside the stub: its state, and what its files offer each other. */
#ifndef DEBUG_GDB_INTERNAL_H
#define DEBUG_GDB_INTERNAL_H

#include "debug/gdb.h"
#include "debug/text.h"
#include "hart/breaks.h"

enum { GDB_HARTS_MAX = 64, GDB_PACKET = 16384 };

/* Numbers of registers in the protocol. */
enum { REG_PC = 32, REG_F = 33, REG_CSR = 65, REG_PRIV = 4161, REG_V = 4162, REG_COUNT = 4163 };

/* Which addresses are meant by those of the debugger. */
enum gdb_space {
    SPACE_CURRENT,        /* of the selected hart, as it is */
    SPACE_PHYSICAL,
    SPACE_SUPERVISOR,     /* by satp */
    SPACE_GUEST,          /* by vsatp and hgatp */
    SPACE_GUEST_PHYSICAL, /* by hgatp */
    SPACES
};
extern const char *const gdb_space_names[SPACES];

/* Types of Z packets. */
enum { POINT_SOFTWARE, POINT_HARDWARE, POINT_WRITE, POINT_READ, POINT_ACCESS, POINT_TYPES };

enum packet_state { PACKET_NONE, PACKET_BODY, PACKET_ESCAPE, PACKET_SUM_1, PACKET_SUM_2 };

struct gdb {
    struct gdb_machine m;
    bool attached, running, killed;
    bool no_ack, tells_breaks; /* what was agreed upon */
    bool take_interrupts;      /* while stepping */
    enum gdb_space space;
    unsigned hart;             /* of g, m and so on (Hg) */
    unsigned resume_hart;      /* of c and s (Hc) */
    uint8_t actions[GDB_HARTS_MAX]; /* enum gdb_action */
    char stop[96];             /* the last stop reply */

    /* Breakpoints: type_of[i] is of breaks.va[i]. Watchpoints: type_of_watch[i] of wanted.at[i];
     * `applied` is what the MMUs look at. */
    struct breaks breaks;
    uint8_t type_of[BREAKS_MAX], type_of_watch[MMU_WATCHES_MAX];
    struct mmu_watches wanted, applied;

    enum packet_state state;
    uint8_t sum, sent_sum;
    bool too_long;
    size_t n;
    char packet[GDB_PACKET + 1];
    struct text reply;    /* being made, without frame */
    char *reply_buffer;
    char *last;           /* with its frame, for retransmission */
    size_t last_n;
    char *description;    /* the target's, XML */
};

/* --- gdb.c --- */

/* Text for the debugger's user, at once. */
void gdb_print(struct gdb *g, const char *text);
/* Number of n hexadecimal digits at most; *at moves behind them. False: there is none, or it is
 * longer. */
bool gdb_hex(const char **at, uint64_t *value);
/* The 2 * n digits at text as bytes. False: they are none. */
bool gdb_hex_bytes(const char *text, void *bytes, size_t n);

/* --- gdb_registers.c --- */

/* The target description, malloc'ed; NULL: no memory. */
char *gdb_describe(struct hart *h);
/* False: no such register (now), or it cannot be written. */
bool gdb_read_register(struct hart *h, unsigned number, uint64_t *value);
bool gdb_write_register(struct hart *h, unsigned number, uint64_t value);
/* What a user wants to know of a hart at a glance, on one line without a newline. */
void gdb_describe_hart(const struct hart *h, struct text *t);

/* --- gdb_memory.c --- */

/* Copy up to n bytes from or to memory at address. Result: how many could be. */
size_t gdb_read_memory(struct gdb *g, uint64_t address, void *to, size_t n);
size_t gdb_write_memory(struct gdb *g, uint64_t address, const void *from, size_t n);

/* --- gdb_points.c --- */

/* Insert or remove a point of that type at [address, address + size). False: there is no room, or
 * no such thing. */
bool gdb_insert_point(struct gdb *g, unsigned type, uint64_t address, uint64_t size);
bool gdb_remove_point(struct gdb *g, unsigned type, uint64_t address, uint64_t size);
/* Have the machine look for what is inserted now. */
void gdb_apply_points(struct gdb *g);
/* Remove all, and leave no trace in the machine. */
void gdb_remove_points(struct gdb *g);
/* The watchpoint that has va: its type, or POINT_TYPES. *first is its first address. */
unsigned gdb_watch_at(const struct gdb *g, uint64_t va, uint64_t *first);

/* --- gdb_monitor.c --- */

/* The user's command, after "monitor". It may change it. */
void gdb_monitor(struct gdb *g, char *command);

#endif
