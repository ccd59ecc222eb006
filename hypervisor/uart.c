/* SPDX-License-Identifier: MIT */
#include "uart.h"
#include "console.h"
#include "device.h"
#include "hv.h"
#include "plic.h"
#include "string.h"

/* Registers, and those that the divisor latch bit changes. */
enum { RBR = 0, THR = 0, IER, IIR, FCR = IIR, LCR, MCR, LSR, MSR, SCR, DLL = 0, DLM = 1 };

enum { IER_RX = 1, IER_THRE = 2, IER_MASK = 0xF };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_FIFOS = 0xC0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80 };
enum { MCR_LOOP = 0x10, MCR_MASK = 0x1F };
enum { LSR_DATA = 1, LSR_IDLE = 0x60 }; /* THR and shift register empty */
enum { MSR_CONNECTED = 0xB0 };          /* CTS, DSR, DCD */

static void update(struct vm *vm)
{
    const struct uart *u = &vm->uart;

    plic_set(vm, DEVICE_UART_IRQ,
             (u->ier & IER_RX && u->count) || (u->ier & IER_THRE && u->thr_empty));
}

void uart_reset(struct vm *vm)
{
    memset(&vm->uart, 0, sizeof(vm->uart));
}

bool uart_listens(const struct vm *vm)
{
    return vm->uart.ier & IER_RX;
}

bool uart_input(struct vm *vm, char c)
{
    struct uart *u = &vm->uart;

    if (u->count == UART_INPUT_SIZE)
        return false;
    u->input[(u->first + u->count++) % UART_INPUT_SIZE] = c;
    update(vm);
    return true;
}

int uart_take_input(struct vm *vm)
{
    struct uart *u = &vm->uart;
    char c;

    if (!u->count)
        return -1;
    c = u->input[u->first];
    u->first = (u->first + 1) % UART_INPUT_SIZE;
    u->count--;
    update(vm);
    return (uint8_t)c;
}

static uint8_t read_iir(struct vm *vm)
{
    struct uart *u = &vm->uart;
    uint8_t fifos = u->fcr & FCR_ENABLE ? IIR_FIFOS : 0;

    if (u->ier & IER_RX && u->count)
        return fifos | IIR_RX;
    if (u->ier & IER_THRE && u->thr_empty) {
        u->thr_empty = false; /* reading it ends it */
        update(vm);
        return fifos | IIR_THRE;
    }
    return fifos | IIR_NONE;
}

/* In loopback the modem's outputs are its inputs, by which drivers find out what chip it is. */
static uint8_t read_msr(const struct uart *u)
{
    uint8_t out = u->mcr;

    if (!(out & MCR_LOOP))
        return MSR_CONNECTED;
    return (uint8_t)((out & 2) << 3 | (out & 1) << 5 | (out & 4) << 4 | (out & 8) << 4);
}

uint8_t uart_read(struct vm *vm, unsigned reg)
{
    struct uart *u = &vm->uart;
    int c;

    if (u->lcr & LCR_DLAB && reg <= DLM)
        return reg == DLL ? u->dll : u->dlm;
    switch (reg) {
    case RBR:
        c = uart_take_input(vm);
        return c < 0 ? 0 : (uint8_t)c;
    case IER:
        return u->ier;
    case IIR:
        return read_iir(vm);
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case LSR:
        return LSR_IDLE | (u->count ? LSR_DATA : 0);
    case MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void transmit(struct vm *vm, char c)
{
    if (vm->uart.mcr & MCR_LOOP)
        uart_input(vm, c);
    else
        console_guest_write(vm, &c, 1);
    vm->uart.thr_empty = true;
}

void uart_write(struct vm *vm, unsigned reg, uint8_t value)
{
    struct uart *u = &vm->uart;

    if (u->lcr & LCR_DLAB && reg <= DLM) {
        *(reg == DLL ? &u->dll : &u->dlm) = value;
        return;
    }
    switch (reg) {
    case THR:
        transmit(vm, (char)value);
        break;
    case IER:
        if (value & ~u->ier & IER_THRE)
            u->thr_empty = true;
        u->ier = value & IER_MASK;
        if (u->ier & IER_RX)
            console_listen(vm->hv);
        break;
    case FCR:
        u->fcr = value;
        if (value & FCR_CLEAR_RX)
            u->count = 0;
        break;
    case LCR:
        u->lcr = value;
        break;
    case MCR:
        u->mcr = value & MCR_MASK;
        break;
    case SCR:
        u->scr = value;
        break;
    }
    update(vm);
}
