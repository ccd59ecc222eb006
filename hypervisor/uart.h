/* SPDX-License-Identifier: MIT */
/*
 * A guest's serial port, a 16550: what the guest prints goes to the shared console by lines, what
 * is typed for the guest comes in through a queue. Baud rates mean nothing; a character is out as
 * soon as it is written. All functions are called with the guest's device lock held.
 */
#ifndef HYPERVISOR_UART_H
#define HYPERVISOR_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_INPUT_SIZE 256 /* a power of two */

struct vm;

struct uart {
    uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
    bool thr_empty;        /* the interrupt "transmitter empty" is due */
    unsigned first, count; /* of input */
    char input[UART_INPUT_SIZE];
};

/** As it is after a reset. */
void uart_reset(struct vm *vm);

/** Read or write register @reg (0 to 7). */
uint8_t uart_read(struct vm *vm, unsigned reg);
void uart_write(struct vm *vm, unsigned reg, uint8_t value);

/** Hand the guest a character of input; false when it has no room for it. */
bool uart_input(struct vm *vm, char c);

/** Whether the guest waits for interrupts of input. */
bool uart_listens(const struct vm *vm);

/** Take a character of input past the registers, for SBI's console; -1 when there is none. */
int uart_take_input(struct vm *vm);

#endif
