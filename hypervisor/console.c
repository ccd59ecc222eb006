/* SPDX-License-Identifier: MIT */
#include "console.h"
#include "firmware.h"
#include "format.h"
#include "sched.h"
#include "string.h"

/* The registers and bits of a 16550 that printing needs. */
enum { UART_DATA = 0, UART_FCR = 2, UART_LSR = 5 };
enum { FCR_ENABLE = 1, LSR_DATA_READY = 1, LSR_THR_EMPTY = 0x20, FIFO_SIZE = 16 };

#define NEXT_GUEST 0x1D /* Ctrl-] */
#define LOOKS_A_SECOND 50

void console_init(struct hv *hv)
{
    const char *path;
    char node_path[64];
    int chosen = fdt_find(&hv->fdt, "/chosen");
    const void *reg;
    int node, len;

    path = chosen < 0 ? NULL : fdt_string(&hv->fdt, chosen, "stdout-path", NULL);
    if (!path)
        return;
    for (len = 0; path[len] && path[len] != ':' && len < (int)sizeof(node_path) - 1; len++)
        node_path[len] = path[len];
    node_path[len] = '\0';
    node = fdt_find(&hv->fdt, node_path);
    if (node < 0 || !fdt_compatible(&hv->fdt, node, "ns16550a"))
        return;
    reg = fdt_prop(&hv->fdt, node, "reg", &len);
    if (!reg || len < 8)
        return;
    hv->console.uart = (volatile uint8_t *)fdt_cells(reg, 2);
    hv->console.reg_shift = (unsigned)fdt_number(&hv->fdt, node, "reg-shift", 0);
    hv->console.uart[UART_FCR << hv->console.reg_shift] = FCR_ENABLE;
}

static void put(void *ctx, char c)
{
    struct console *con = ctx;

    if (!con->uart) {
        firmware_putchar(c);
        return;
    }
    if (!con->room) {
        while (!(con->uart[UART_LSR << con->reg_shift] & LSR_THR_EMPTY))
            ;
        con->room = FIFO_SIZE; /* THRE with FIFOs: the whole FIFO is empty */
    }
    con->room--;
    con->uart[UART_DATA] = (uint8_t)c;
}

static void put_text(struct console *con, const char *s)
{
    while (*s)
        put(con, *s++);
}

/* Ends the unfinished line that stands on the console: its guest will show it again. */
static void end_open_line(struct console *con)
{
    if (!con->open)
        return;
    con->open->line_shown = 0;
    con->open = NULL;
    put(con, '\n');
}

void console_log(struct hv *hv, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    lock(&hv->console.lock);
    end_open_line(&hv->console);
    put_text(&hv->console, "hypervisor: ");
    format_v(put, &hv->console, fmt, ap);
    put(&hv->console, '\n');
    unlock(&hv->console.lock);
    va_end(ap);
}

/* Shows what the guest has of its line and is not on the console yet. */
static void show_line(struct console *con, struct vm *vm)
{
    if (con->open != vm) {
        end_open_line(con);
        put(con, '[');
        put_text(con, vm->name);
        put_text(con, "] ");
        con->open = vm;
    }
    while (vm->line_shown < vm->line_len)
        put(con, vm->line[vm->line_shown++]);
}

static void print_line(struct vm *vm)
{
    struct console *con = &vm->hv->console;

    lock(&con->lock);
    show_line(con, vm);
    end_open_line(con);
    unlock(&con->lock);
    vm->line_len = 0;
}

static void show_unfinished_line(struct vm *vm)
{
    struct console *con = &vm->hv->console;

    lock(&vm->line_lock);
    lock(&con->lock);
    if (vm->line_len > vm->line_shown)
        show_line(con, vm);
    unlock(&con->lock);
    unlock(&vm->line_lock);
}

void console_guest_write(struct vm *vm, const char *text, size_t n)
{
    lock(&vm->line_lock);
    for (; n--; text++) {
        if (*text == '\n') {
            print_line(vm);
            continue;
        }
        if (*text == '\r')
            continue;
        if (vm->line_len == sizeof(vm->line))
            print_line(vm);
        vm->line[vm->line_len++] = *text;
    }
    unlock(&vm->line_lock);
}

void console_guest_flush(struct vm *vm)
{
    lock(&vm->line_lock);
    if (vm->line_len)
        print_line(vm);
    unlock(&vm->line_lock);
}

void console_listen(struct hv *hv)
{
    if (__atomic_exchange_n(&hv->console.listening, 1, __ATOMIC_SEQ_CST))
        return;
    firmware_send_ipi(&hv->harts[0]); /* for its timer's sake */
}

uint64_t console_deadline(const struct hart *hart)
{
    const struct console *con = &hart->hv->console;

    if (hart->index || !__atomic_load_n(&con->listening, __ATOMIC_RELAXED))
        return NEVER;
    return con->next_look;
}

void console_tick(struct hart *hart)
{
    struct hv *hv = hart->hv;

    if (console_deadline(hart) > time_now())
        return;
    hv->console.next_look = time_now() + hv->timebase / LOOKS_A_SECOND;
    console_poll(hv, NULL);
    if (hv->console.typed)
        show_unfinished_line(&hv->vms[hv->console.focus]);
}

/* The input goes to the next guest that is there. */
static void pass_focus(struct hv *hv)
{
    struct console *con = &hv->console;

    for (unsigned i = 0; i < hv->vm_count; i++) {
        con->focus = (con->focus + 1) % hv->vm_count;
        if (hv->vms[con->focus].state != VM_OFF)
            break;
    }
    con->queued = 0;
    console_log(hv, "input goes to %s", hv->vms[con->focus].name);
}

static int read_uart(const struct console *con)
{
    if (!con->uart || !(con->uart[UART_LSR << con->reg_shift] & LSR_DATA_READY))
        return -1;
    return con->uart[UART_DATA];
}

/* Takes in what is typed while there is room: what waits longer stays with whoever sends it. */
static void fill_queue(struct hv *hv)
{
    struct console *con = &hv->console;
    int c;

    while (con->queued < sizeof(con->queue) && (c = read_uart(con)) >= 0) {
        con->typed = true;
        if (c == NEXT_GUEST)
            pass_focus(hv);
        else
            con->queue[con->queued++] = (char)c;
    }
}

/* A guest that does not listen yet finds its input later: drivers clear the FIFO when they start.
 */
static void hand_out(struct console *con, struct vm *vm, bool asking)
{
    unsigned taken = 0;

    lock(&vm->device_lock);
    if (asking || uart_listens(vm))
        while (taken < con->queued && uart_input(vm, con->queue[taken]))
            taken++;
    unlock(&vm->device_lock);
    con->queued -= taken;
    memmove(con->queue, con->queue + taken, con->queued);
}

void console_poll(struct hv *hv, struct vm *asking)
{
    struct console *con = &hv->console;
    struct vm *vm;

    lock(&con->input_lock);
    if (con->typed && hv->vms[con->focus].state == VM_OFF)
        pass_focus(hv);
    fill_queue(hv);
    vm = &hv->vms[con->focus];
    if (con->queued)
        hand_out(con, vm, vm == asking);
    unlock(&con->input_lock);
}

int console_getchar(struct vm *vm)
{
    int c;

    console_poll(vm->hv, vm);
    lock(&vm->device_lock);
    c = uart_take_input(vm);
    unlock(&vm->device_lock);
    return c;
}
