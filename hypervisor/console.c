/* SPDX-License-Identifier: MIT */
#include "console.h"
#include "firmware.h"
#include "format.h"
#include "string.h"

/* The registers and bits of a 16550 that printing needs. */
enum { UART_DATA = 0, UART_FCR = 2, UART_LSR = 5 };
enum { FCR_ENABLE = 1, LSR_DATA_READY = 1, LSR_THR_EMPTY = 0x20, FIFO_SIZE = 16 };

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

void console_log(struct hv *hv, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    lock(&hv->console.lock);
    put_text(&hv->console, "hypervisor: ");
    format_v(put, &hv->console, fmt, ap);
    put(&hv->console, '\n');
    unlock(&hv->console.lock);
    va_end(ap);
}

static void print_line(struct vm *vm)
{
    struct console *con = &vm->hv->console;

    lock(&con->lock);
    put(con, '[');
    put_text(con, vm->name);
    put_text(con, "] ");
    for (unsigned i = 0; i < vm->line_len; i++)
        put(con, vm->line[i]);
    put(con, '\n');
    unlock(&con->lock);
    vm->line_len = 0;
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

int console_getchar(struct hv *hv)
{
    struct console *con = &hv->console;

    if (!con->uart || !(con->uart[UART_LSR << con->reg_shift] & LSR_DATA_READY))
        return -1;
    return con->uart[UART_DATA];
}
