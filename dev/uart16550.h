/* SPDX-License-Identifier: MIT */
/*
 * UART 16550A (registers a byte apart), as on QEMU's virt board. Transmission takes no time: the
 * transmitter is always empty again when a store to it retires. The receive FIFO is the chardev's
 * input, of which the guest sees 16 characters, or one where FIFOs are off; so nothing overruns.
 */
#ifndef DEV_UART16550_H
#define DEV_UART16550_H

#include "dev/chardev.h"
#include "dev/irq.h"
#include "mem/mem.h"

#define UART_SIZE UINT64_C(0x100)
enum { UART_FIFO = 16 };

struct uart {
    pthread_mutex_t lock;
    struct chardev *chardev;
    struct irq_wire irq;
    uint16_t fifo[UART_FIFO]; /* characters, or CHARDEV_BREAK */
    unsigned fifo_n;
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm, msr_delta;
    bool thre; /* "transmitter empty" is to be told, and was not yet */
};

void uart_init(struct uart *u, struct chardev *chardev, struct irq_wire irq);
void uart_free(struct uart *u);
void uart_reset(struct uart *u);
/* The chardev has input: its ready function, with the UART as opaque. */
void uart_input_ready(void *uart);

extern const struct device_ops uart_ops;

#endif
