/* SPDX-License-Identifier: MIT */
/*
 * Packets: "$BODY#SUM", acknowledged by '+' or '-' until both agree not to (GDB manual, "Overview"
 * of the protocol). Packets are handled one by one as their last byte arrives. While harts run GDB
 * only ever sends the byte 3; anything else that a client may send then stops them as well.
 */
#include "debug/gdb_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_SIZE = 2 * GDB_PACKET + 64, FRAME = 4, SIGNAL_INT = 2, SIGNAL_TRAP = 5, BREAK = 3 };
enum { ERROR_ARGUMENT = 22, ERROR_ADDRESS = 14 };

/* --- Text --- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool gdb_hex(const char **at, uint64_t *value)
{
    unsigned n = 0;

    *value = 0;
    for (; digit(**at) >= 0; ++*at, n++) {
        if (n == 16)
            return false;
        *value = *value << 4 | (uint64_t)digit(**at);
    }
    return n > 0;
}

bool gdb_hex_bytes(const char *text, void *bytes, size_t n)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < n; i++, text += 2) {
        if (digit(text[0]) < 0 || digit(text[1]) < 0)
            return false;
        to[i] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    }
    return true;
}

static void reply_hex(struct gdb *g, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_add(&g->reply, "%02x", ((const uint8_t *)bytes)[i]);
}

/* Two numbers with a comma between. */
static bool two_numbers(const char **at, uint64_t *a, uint64_t *b)
{
    if (!gdb_hex(at, a) || **at != ',')
        return false;
    ++*at;
    return gdb_hex(at, b);
}

/* --- Sending --- */

static void send_bytes(struct gdb *g, const void *bytes, size_t n)
{
    g->m.send(g->m.opaque, bytes, n);
}

/* Send the n bytes as a packet's body; they have no '$', '#', '}' or '*'. */
static void send_body(struct gdb *g, const char *body, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (uint8_t)body[i];
    g->last[0] = '$';
    memcpy(g->last + 1, body, n);
    g->last[n + 1] = '#';
    g->last[n + 2] = digits[sum >> 4];
    g->last[n + 3] = digits[sum & 15];
    g->last_n = n + FRAME;
    send_bytes(g, g->last, g->last_n);
}

static void send_reply(struct gdb *g)
{
    send_body(g, g->reply.at, g->reply.n);
    text_init(&g->reply, g->reply_buffer, REPLY_SIZE);
}

void gdb_print(struct gdb *g, const char *text)
{
    enum { PIECE = 1000 };
    char body[2 * PIECE + 2];
    size_t n = strlen(text);

    while (n) {
        size_t piece = n < PIECE ? n : PIECE;

        body[0] = 'O';
        for (size_t i = 0; i < piece; i++)
            snprintf(body + 1 + 2 * i, 3, "%02x", (uint8_t)text[i]);
        send_body(g, body, 1 + 2 * piece);
        text += piece;
        n -= piece;
    }
}

static void ok(struct gdb *g)
{
    text_add(&g->reply, "OK");
}

static void error(struct gdb *g, unsigned number)
{
    text_add(&g->reply, "E%02x", number);
}

static void ok_or(struct gdb *g, bool done, unsigned number)
{
    if (done)
        ok(g);
    else
        error(g, number);
}

/* --- Stopping and going on --- */

static void say_stop(struct gdb *g, unsigned hart, unsigned signal, const char *why)
{
    snprintf(g->stop, sizeof(g->stop), "T%02xthread:%x;%s", signal, hart + 1, why);
    g->hart = g->resume_hart = hart;
}

/* Why a hart whose halt is set stopped, as a stop reply has it. */
static void say_halt(struct gdb *g, unsigned hart)
{
    static const char *const watches[] = {
        [POINT_WRITE] = "watch", [POINT_READ] = "rwatch", [POINT_ACCESS] = "awatch"};
    const struct hart_halt *halt = &g->m.harts[hart].halt;
    uint64_t first = 0;
    unsigned type = POINT_TYPES;
    char why[48] = "";

    if (halt->why == HALT_WATCH)
        type = gdb_watch_at(g, halt->va, &first);
    if (type != POINT_TYPES) {
        snprintf(why, sizeof(why), "%s:%" PRIx64 ";", watches[type], first);
    } else if (halt->why == HALT_BREAK && g->tells_breaks) {
        for (unsigned i = 0; i < g->breaks.n; i++)
            if (g->breaks.va[i] == halt->va)
                snprintf(why, sizeof(why), "%s:;",
                         g->type_of[i] == POINT_HARDWARE ? "hwbreak" : "swbreak");
    }
    say_stop(g, hart, SIGNAL_TRAP, why);
}

/* The hart that has something to say, those that were stepped first; -1: none. */
static int who_stopped(const struct gdb *g)
{
    int found = -1;

    for (unsigned i = g->m.harts_n; i-- > 0;) {
        if (g->m.harts[i].halt.why != HALT_NONE)
            found = (int)i;
    }
    for (unsigned i = 0; i < g->m.harts_n; i++)
        if (g->actions[i] == GDB_STEP)
            return (int)i;
    return found;
}

static void come_to_rest(struct gdb *g)
{
    g->running = false;
    for (unsigned i = 0; i < g->m.harts_n; i++) {
        g->m.harts[i].halt.why = HALT_NONE;
        g->m.harts[i].stepping = g->m.harts[i].hold_interrupts = false;
    }
}

static void send_stop(struct gdb *g)
{
    text_add(&g->reply, "%s", g->stop);
    send_reply(g);
}

bool gdb_stopped(struct gdb *g)
{
    int hart = who_stopped(g);

    if (!g->attached || !g->running || hart < 0) {
        for (unsigned i = 0; i < g->m.harts_n; i++)
            g->m.harts[i].halt.why = HALT_NONE;
        return false;
    }
    if (g->m.harts[hart].halt.why != HALT_NONE)
        say_halt(g, (unsigned)hart);
    else
        say_stop(g, (unsigned)hart, SIGNAL_TRAP, "");
    come_to_rest(g);
    send_stop(g);
    return true;
}

/* The debugger's user wants them to stop. */
static void interrupted(struct gdb *g)
{
    say_stop(g, g->hart, SIGNAL_INT, "");
    come_to_rest(g);
    send_stop(g);
}

/* Harts go on by g->actions. The reply is the next stop's. False: all of them would stand still. */
static bool resume(struct gdb *g)
{
    bool any = false;

    for (unsigned i = 0; i < g->m.harts_n; i++) {
        struct hart *h = &g->m.harts[i];

        any |= g->actions[i] != GDB_HALT;
        h->stepping = g->actions[i] == GDB_STEP;
        h->hold_interrupts = h->stepping && !g->take_interrupts;
    }
    if (!any)
        return false;
    gdb_apply_points(g);
    g->running = true;
    return true;
}

static void set_actions(struct gdb *g, enum gdb_action action)
{
    memset(g->actions, (int)action, sizeof(g->actions));
}

/* c, C, s, S: "[SIGNAL][;][ADDRESS]". */
static void packet_resume(struct gdb *g, const char *at)
{
    bool step = g->packet[0] == 's' || g->packet[0] == 'S', with_signal = g->packet[0] < 'a';
    struct hart *h = &g->m.harts[g->resume_hart];
    uint64_t value;

    if (with_signal && !gdb_hex(&at, &value)) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    if (with_signal && *at == ';')
        at++;
    if (*at && (!gdb_hex(&at, &value) || !gdb_write_register(h, REG_PC, value))) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    set_actions(g, step ? GDB_HALT : GDB_RUN);
    if (step)
        g->actions[g->resume_hart] = GDB_STEP;
    resume(g);
}

/* A thread's number: *hart, or -1 for all, or any (0). False: there is none such. */
static bool thread_number(const struct gdb *g, const char **at, int *hart)
{
    uint64_t value;

    *hart = -1;
    if ((*at)[0] == '-' && (*at)[1] == '1') {
        *at += 2;
        return true;
    }
    if (!gdb_hex(at, &value) || value > g->m.harts_n)
        return false;
    *hart = (int)value - 1;
    return true;
}

/* ";ACTION[:THREAD]...": for each hart the first action that names it, or all. */
static bool parse_actions(const struct gdb *g, const char *at, uint8_t actions[GDB_HARTS_MAX])
{
    bool given[GDB_HARTS_MAX] = {false};

    memset(actions, GDB_HALT, GDB_HARTS_MAX);
    while (*at) {
        enum gdb_action action;
        uint64_t signal;
        int hart = -1;

        if (at[0] != ';' || !strchr("cCsS", at[1]) || !at[1])
            return false;
        action = at[1] == 'c' || at[1] == 'C' ? GDB_RUN : GDB_STEP;
        at += 2;
        if (at[-1] < 'a' && !gdb_hex(&at, &signal))
            return false;
        if (*at == ':') {
            at++;
            if (!thread_number(g, &at, &hart))
                return false;
        }
        for (unsigned i = 0; i < g->m.harts_n; i++) {
            if (given[i] || (hart >= 0 && (unsigned)hart != i))
                continue;
            given[i] = true;
            actions[i] = (uint8_t)action;
        }
    }
    return true;
}

static void packet_vcont(struct gdb *g, const char *at)
{
    uint8_t actions[GDB_HARTS_MAX];

    if (!parse_actions(g, at, actions)) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    memcpy(g->actions, actions, sizeof(actions));
    if (!resume(g))
        error(g, ERROR_ARGUMENT);
}

/* --- Registers and memory --- */

static struct hart *selected(struct gdb *g)
{
    return &g->m.harts[g->hart];
}

/* "g": those that every access to a stopped hart wants: x, pc, f. */
static void packet_read_all(struct gdb *g, const char *at)
{
    for (unsigned i = 0; i < REG_CSR; i++) {
        uint64_t value = 0;

        gdb_read_register(selected(g), i, &value);
        reply_hex(g, &value, sizeof(value));
    }
}

static void packet_write_all(struct gdb *g, const char *at)
{
    uint64_t value;

    for (unsigned i = 0; i < REG_CSR && gdb_hex_bytes(at, &value, sizeof(value)); i++, at += 16)
        gdb_write_register(selected(g), i, value);
    ok(g);
}

static void packet_read_register(struct gdb *g, const char *at)
{
    uint64_t number, value;

    if (!gdb_hex(&at, &number) || number >= REG_COUNT)
        error(g, ERROR_ARGUMENT);
    else if (gdb_read_register(selected(g), (unsigned)number, &value))
        reply_hex(g, &value, sizeof(value));
    else
        text_add(&g->reply, "xxxxxxxxxxxxxxxx"); /* not there now */
}

static void packet_write_register(struct gdb *g, const char *at)
{
    uint64_t number, value;

    ok_or(g, gdb_hex(&at, &number) && number < REG_COUNT && *at++ == '=' &&
                 gdb_hex_bytes(at, &value, sizeof(value)) &&
                 gdb_write_register(selected(g), (unsigned)number, value),
          ERROR_ARGUMENT);
}

static void packet_read_memory(struct gdb *g, const char *at)
{
    static uint8_t nothing;
    uint64_t address, n;
    uint8_t *bytes = &nothing;
    size_t got;

    if (!two_numbers(&at, &address, &n)) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    n = min_u64(n, GDB_PACKET / 2);
    if (n && !(bytes = malloc(n))) {
        error(g, ERROR_ADDRESS);
        return;
    }
    got = gdb_read_memory(g, address, bytes, n);
    if (!got && n)
        error(g, ERROR_ADDRESS);
    reply_hex(g, bytes, got);
    if (n)
        free(bytes);
}

/* "M ADDRESS,LENGTH:HEX", "X ADDRESS,LENGTH:BINARY" */
static void packet_write_memory(struct gdb *g, const char *at)
{
    uint64_t address, n;
    size_t here;

    if (!two_numbers(&at, &address, &n) || *at++ != ':') {
        error(g, ERROR_ARGUMENT);
        return;
    }
    here = g->n - (size_t)(at - g->packet);
    if (g->packet[0] == 'M') {
        if (n > here / 2 || !gdb_hex_bytes(at, g->packet, n)) {
            error(g, ERROR_ARGUMENT);
            return;
        }
        at = g->packet;
    } else if (n > here) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    ok_or(g, gdb_write_memory(g, address, at, n) == n, ERROR_ADDRESS);
}

/* "Z TYPE,ADDRESS,SIZE", "z ..." */
static void packet_point(struct gdb *g, const char *at)
{
    uint64_t type, address, size;

    if (!gdb_hex(&at, &type) || *at++ != ',' || !two_numbers(&at, &address, &size) || *at) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    if (type >= POINT_TYPES)
        return; /* not known: an empty reply */
    ok_or(g, g->packet[0] == 'Z' ? gdb_insert_point(g, (unsigned)type, address, size)
                                 : gdb_remove_point(g, (unsigned)type, address, size),
          ERROR_ARGUMENT);
}

/* --- Threads --- */

/* "H" and the kind of what follows, then a thread. */
static void packet_select(struct gdb *g, const char *at)
{
    char kind = *at;
    int hart;

    if (!kind || (++at, !thread_number(g, &at, &hart))) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    if (hart >= 0 && kind == 'g')
        g->hart = (unsigned)hart;
    if (hart >= 0 && kind == 'c')
        g->resume_hart = (unsigned)hart;
    ok(g);
}

static void packet_alive(struct gdb *g, const char *at)
{
    int hart;

    ok_or(g, thread_number(g, &at, &hart) && hart >= 0, ERROR_ARGUMENT);
}

static void query_threads(struct gdb *g, const char *at)
{
    for (unsigned i = 0; i < g->m.harts_n; i++)
        text_add(&g->reply, "%s%x", i ? "," : "m", i + 1);
}

static void query_no_more(struct gdb *g, const char *at)
{
    text_add(&g->reply, "l");
}

static void query_current(struct gdb *g, const char *at)
{
    text_add(&g->reply, "QC%x", g->hart + 1);
}

static void query_extra(struct gdb *g, const char *at)
{
    char buffer[128];
    struct text t;
    int hart;

    if (!thread_number(g, &at, &hart) || hart < 0) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    text_init(&t, buffer, sizeof(buffer));
    text_add(&t, "hart %d: ", hart);
    gdb_describe_hart(&g->m.harts[hart], &t);
    reply_hex(g, t.at, t.n);
}

/* --- Other queries --- */

/* The piece "OFFSET,LENGTH" of a document: "m" or, the last, "l" and its bytes. */
static void reply_piece(struct gdb *g, const char *document, const char *at)
{
    size_t size = strlen(document);
    uint64_t offset, n;

    if (!two_numbers(&at, &offset, &n) || offset > size) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    n = min_u64(n, GDB_PACKET);
    text_add(&g->reply, "%c", n < size - offset ? 'm' : 'l');
    for (const char *p = document + offset; n && *p; n--, p++) {
        if (strchr("#$}*", *p))
            text_add(&g->reply, "}%c", *p ^ 0x20);
        else
            text_add(&g->reply, "%c", *p);
    }
}

static void query_features(struct gdb *g, const char *at)
{
    reply_piece(g, g->description, at);
}

static void query_thread_list(struct gdb *g, const char *at)
{
    enum { LIST_SIZE = 64 + 192 * GDB_HARTS_MAX };
    char *buffer = malloc(LIST_SIZE);
    struct text t;

    if (!buffer) {
        error(g, ERROR_ADDRESS);
        return;
    }
    text_init(&t, buffer, LIST_SIZE);
    text_add(&t, "<?xml version=\"1.0\"?>\n<threads>\n");
    for (unsigned i = 0; i < g->m.harts_n; i++) {
        text_add(&t, "<thread id=\"%x\" core=\"%u\" name=\"hart %u\">", i + 1, i, i);
        gdb_describe_hart(&g->m.harts[i], &t);
        text_add(&t, "</thread>\n");
    }
    text_add(&t, "</threads>\n");
    reply_piece(g, buffer, at);
    free(buffer);
}

static void query_supported(struct gdb *g, const char *at)
{
    g->tells_breaks = strstr(at, "swbreak+") && strstr(at, "hwbreak+");
    text_add(&g->reply, "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                        "vContSupported+;swbreak+;hwbreak+", GDB_PACKET);
}

static void query_attached(struct gdb *g, const char *at)
{
    text_add(&g->reply, "1");
}

static void query_command(struct gdb *g, const char *at)
{
    char command[256] = "";
    size_t n = strlen(at) / 2;

    if (strlen(at) % 2 || n >= sizeof(command) || !gdb_hex_bytes(at, command, n)) {
        error(g, ERROR_ARGUMENT);
        return;
    }
    gdb_monitor(g, command);
    ok(g);
}

static void query_physical(struct gdb *g, const char *at)
{
    text_add(&g->reply, "%d", g->space == SPACE_PHYSICAL);
}

static void set_physical(struct gdb *g, const char *at)
{
    g->space = *at == '1' ? SPACE_PHYSICAL : SPACE_CURRENT;
    ok(g);
}

static void set_no_ack(struct gdb *g, const char *at)
{
    g->no_ack = true;
    ok(g);
}

static void query_ok(struct gdb *g, const char *at)
{
    ok(g);
}

/* --- Coming and going --- */

static void packet_why(struct gdb *g, const char *at)
{
    text_add(&g->reply, "%s", g->stop);
}

static void go(struct gdb *g)
{
    come_to_rest(g);
    set_actions(g, GDB_RUN);
    gdb_remove_points(g);
    g->running = true;
}

static void packet_detach(struct gdb *g, const char *at)
{
    ok(g);
    send_reply(g);
    gdb_detach(g);
}

static void packet_kill(struct gdb *g, const char *at)
{
    go(g);
    g->killed = true;
}

static void packet_vkill(struct gdb *g, const char *at)
{
    ok(g);
    send_reply(g);
    packet_kill(g, at);
}

static void query_vcont(struct gdb *g, const char *at)
{
    text_add(&g->reply, "vCont;c;C;s;S");
}

static void packet_unknown(struct gdb *g, const char *at)
{
    /* the empty reply */
}

/* What packets start with, longer ones before their beginnings; the rest is handed over. */
static const struct {
    const char *name;
    void (*handle)(struct gdb *g, const char *at);
} packets[] = {
    {"?", packet_why},
    {"c", packet_resume},
    {"C", packet_resume},
    {"D", packet_detach},
    {"g", packet_read_all},
    {"G", packet_write_all},
    {"H", packet_select},
    {"k", packet_kill},
    {"m", packet_read_memory},
    {"M", packet_write_memory},
    {"p", packet_read_register},
    {"P", packet_write_register},
    {"qAttached", query_attached},
    {"qCRC", packet_unknown},
    {"qC", query_current},
    {"qfThreadInfo", query_threads},
    {"qsThreadInfo", query_no_more},
    {"qqemu.PhyMemMode", query_physical},
    {"Qqemu.PhyMemMode:", set_physical},
    {"qRcmd,", query_command},
    {"qSupported", query_supported},
    {"qSymbol::", query_ok},
    {"QStartNoAckMode", set_no_ack},
    {"qThreadExtraInfo,", query_extra},
    {"qXfer:features:read:target.xml:", query_features},
    {"qXfer:threads:read::", query_thread_list},
    {"s", packet_resume},
    {"S", packet_resume},
    {"T", packet_alive},
    {"vCont?", query_vcont},
    {"vCont", packet_vcont},
    {"vKill", packet_vkill},
    {"X", packet_write_memory},
    {"z", packet_point},
    {"Z", packet_point},
    {"", packet_unknown},
};

static void handle_packet(struct gdb *g)
{
    bool acks = !g->no_ack;
    unsigned i = 0;

    g->packet[g->n] = 0;
    if (acks)
        send_bytes(g, "+", 1);
    while (strncmp(g->packet, packets[i].name, strlen(packets[i].name)))
        i++;
    packets[i].handle(g, g->packet + strlen(packets[i].name));
    if (!g->running)
        send_reply(g);
}

/* --- Receiving --- */

static void take_body(struct gdb *g, uint8_t byte)
{
    if (g->n == GDB_PACKET)
        g->too_long = true;
    else
        g->packet[g->n++] = (char)byte;
}

/* The packet is complete: handle it, or ask for it again. */
static void take_end(struct gdb *g)
{
    g->state = PACKET_NONE;
    if (g->sum == g->sent_sum && !g->too_long)
        handle_packet(g);
    else if (!g->no_ack)
        send_bytes(g, "-", 1);
}

static void take_sum(struct gdb *g, uint8_t byte)
{
    int d = digit((char)byte);

    g->sent_sum = (uint8_t)(g->sent_sum << 4 | (d & 15));
    if (d < 0)
        g->too_long = true;
    if (g->state == PACKET_SUM_1)
        g->state = PACKET_SUM_2;
    else
        take_end(g);
}

/* Between packets. */
static void take_idle(struct gdb *g, uint8_t byte)
{
    if (byte == '$') {
        g->state = PACKET_BODY;
        g->sum = g->sent_sum = 0;
        g->n = 0;
        g->too_long = false;
    } else if (byte == '-' && !g->no_ack && g->last_n) {
        send_bytes(g, g->last, g->last_n);
    }
}

static void take(struct gdb *g, uint8_t byte)
{
    if (g->running && (byte == BREAK || byte == '$'))
        interrupted(g);
    switch (g->state) {
    case PACKET_NONE:
        take_idle(g, byte);
        break;
    case PACKET_BODY:
        if (byte == '#') {
            g->state = PACKET_SUM_1;
            break;
        }
        g->sum += byte;
        if (byte == '}')
            g->state = PACKET_ESCAPE;
        else
            take_body(g, byte);
        break;
    case PACKET_ESCAPE:
        g->sum += byte;
        take_body(g, byte ^ 0x20);
        g->state = PACKET_BODY;
        break;
    default:
        take_sum(g, byte);
    }
}

void gdb_input(struct gdb *g, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n && g->attached && !g->killed; i++)
        take(g, ((const uint8_t *)bytes)[i]);
}

/* --- A stub's life --- */

struct gdb *gdb_new(const struct gdb_machine *machine)
{
    struct gdb *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->m = *machine;
    g->reply_buffer = malloc(REPLY_SIZE);
    g->last = malloc(REPLY_SIZE + FRAME);
    g->description = gdb_describe(&machine->harts[0]);
    if (!g->reply_buffer || !g->last || !g->description) {
        gdb_free(g);
        return NULL;
    }
    text_init(&g->reply, g->reply_buffer, REPLY_SIZE);
    g->running = true;
    return g;
}

void gdb_free(struct gdb *g)
{
    if (!g)
        return;
    free(g->reply_buffer);
    free(g->last);
    free(g->description);
    free(g);
}

void gdb_attach(struct gdb *g)
{
    come_to_rest(g);
    g->attached = true;
    g->no_ack = g->tells_breaks = g->take_interrupts = false;
    g->space = SPACE_CURRENT;
    g->breaks.scope = g->wanted.scope = g->applied.scope = (struct mmu_scope){0};
    g->state = PACKET_NONE;
    g->last_n = 0;
    set_actions(g, GDB_RUN);
    say_stop(g, 0, SIGNAL_INT, "");
}

void gdb_detach(struct gdb *g)
{
    go(g);
    g->attached = false;
}

bool gdb_attached(const struct gdb *g)
{
    return g->attached;
}

bool gdb_running(const struct gdb *g)
{
    return g->running;
}

enum gdb_action gdb_action(const struct gdb *g, unsigned hart)
{
    return (enum gdb_action)g->actions[hart];
}

bool gdb_killed(const struct gdb *g)
{
    return g->killed;
}

void gdb_exited(struct gdb *g, int code)
{
    enum { SIGNAL_TERM = 15 };

    if (g->attached && code >= 0)
        text_add(&g->reply, "W%02x", (unsigned)code & 0xff);
    else if (g->attached)
        text_add(&g->reply, "X%02x", SIGNAL_TERM);
    if (g->attached)
        send_reply(g);
    gdb_detach(g);
}
