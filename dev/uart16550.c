/* SPDX-License-Identifier: MIT */
#include "dev/uart16550.h"

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR, REGISTERS };
enum { IER_RDI = 1, IER_THRI = 2, IER_RLSI = 4, IER_MSI = 8, IER_MASK = 15 };
enum {
    IIR_NONE = 1,
    IIR_THRI = 2,
    IIR_RDI = 4,
    IIR_RLSI = 6,
    IIR_CTI = 12,
    IIR_MSI = 0,
    IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_MASK = 31 };
enum { LSR_DR = 1, LSR_BI = 16, LSR_THRE = 32, LSR_TEMT = 64 };
enum { MSR_CTS = 16, MSR_DSR = 32, MSR_RI = 64, MSR_DCD = 128 };

static unsigned capacity(const struct uart *u)
{
    return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

/* How many characters raise the receive interrupt. */
static unsigned trigger(const struct uart *u)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return u->fcr & FCR_ENABLE ? levels[u->fcr >> 6] : 1;
}

static void refill(struct uart *u)
{
    int value;

    while (!(u->mcr & MCR_LOOP) && u->fifo_n < capacity(u) &&
           (value = chardev_take(u->chardev)) >= 0)
        u->fifo[u->fifo_n++] = (uint16_t)value;
}

static bool at_break(const struct uart *u)
{
    return u->fifo_n && u->fifo[0] == CHARDEV_BREAK;
}

/* The source of highest priority that asks, as IIR says it. Fewer characters than the trigger
 * level are at once a time-out: more may not come for long. */
static unsigned interrupt_id(const struct uart *u)
{
    if ((u->ier & IER_RLSI) && at_break(u))
        return IIR_RLSI;
    if ((u->ier & IER_RDI) && u->fifo_n)
        return u->fifo_n >= trigger(u) ? IIR_RDI : IIR_CTI;
    if ((u->ier & IER_THRI) && u->thre)
        return IIR_THRI;
    if ((u->ier & IER_MSI) && u->msr_delta)
        return IIR_MSI;
    return IIR_NONE;
}

static void update(struct uart *u)
{
    irq_drive(&u->irq, interrupt_id(u) != IIR_NONE);
}

static void clear(struct uart *u)
{
    u->fifo_n = 0;
    u->ier = u->fcr = u->lcr = u->scr = u->msr_delta = 0;
    u->mcr = MCR_OUT2;
    u->dll = 12; /* 9600 baud; nothing depends on it */
    u->dlm = 0;
    u->thre = false;
}

void uart_init(struct uart *u, struct chardev *chardev, struct irq_wire irq)
{
    pthread_mutex_init(&u->lock, NULL);
    u->chardev = chardev;
    u->irq = irq;
    clear(u);
}

void uart_free(struct uart *u)
{
    pthread_mutex_destroy(&u->lock);
}

void uart_reset(struct uart *u)
{
    pthread_mutex_lock(&u->lock);
    clear(u);
    refill(u);
    update(u);
    pthread_mutex_unlock(&u->lock);
}

void uart_input_ready(void *uart)
{
    struct uart *u = uart;

    pthread_mutex_lock(&u->lock);
    refill(u);
    update(u);
    pthread_mutex_unlock(&u->lock);
}

static uint8_t receive(struct uart *u)
{
    uint16_t value = 0;

    if (u->fifo_n) {
        value = u->fifo[0];
        u->fifo_n--;
        for (unsigned i = 0; i < u->fifo_n; i++)
            u->fifo[i] = u->fifo[i + 1];
    }
    refill(u);
    return (uint8_t)value; /* a break reads as 0 */
}

static void transmit(struct uart *u, uint8_t value)
{
    if ((u->mcr & MCR_LOOP) && u->fifo_n < capacity(u))
        u->fifo[u->fifo_n++] = value;
    u->thre = true;
}

static uint8_t line_status(const struct uart *u)
{
    uint8_t lsr = LSR_THRE | LSR_TEMT;

    if (u->fifo_n)
        lsr |= LSR_DR;
    if (at_break(u))
        lsr |= LSR_BI;
    return lsr;
}

/* In loopback the outputs are wired to the inputs, else all is ready. */
static uint8_t modem_lines(const struct uart *u)
{
    uint8_t msr = 0;

    if (!(u->mcr & MCR_LOOP))
        return MSR_DCD | MSR_DSR | MSR_CTS;
    msr |= u->mcr & MCR_RTS ? MSR_CTS : 0;
    msr |= u->mcr & MCR_DTR ? MSR_DSR : 0;
    msr |= u->mcr & MCR_OUT1 ? MSR_RI : 0;
    msr |= u->mcr & MCR_OUT2 ? MSR_DCD : 0;
    return msr;
}

static void write_mcr(struct uart *u, uint8_t value)
{
    uint8_t before = modem_lines(u), after, delta;

    u->mcr = value & MCR_MASK;
    after = modem_lines(u);
    delta = (before ^ after) >> 4;
    if ((after & MSR_RI) || !((before ^ after) & MSR_RI))
        delta &= ~(MSR_RI >> 4); /* of RI only the trailing edge counts */
    u->msr_delta |= delta;
    refill(u);
}

static void write_fcr(struct uart *u, uint8_t value)
{
    if (((value ^ u->fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RX))
        u->fifo_n = 0;
    u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    refill(u);
}

static uint8_t read_iir(struct uart *u)
{
    unsigned id = interrupt_id(u);

    if (id == IIR_THRI)
        u->thre = false;
    return (uint8_t)(id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t msr = modem_lines(u) | u->msr_delta;

    u->msr_delta = 0;
    return msr;
}

static uint8_t read_register(struct uart *u, unsigned reg)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (reg) {
    case RBR_THR_DLL:
        return dlab ? u->dll : receive(u);
    case IER_DLM:
        return dlab ? u->dlm : u->ier;
    case IIR_FCR:
        return read_iir(u);
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case LSR:
        return line_status(u);
    case MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void write_register(struct uart *u, unsigned reg, uint8_t value)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (reg) {
    case RBR_THR_DLL:
        if (dlab)
            u->dll = value;
        else
            transmit(u, value);
        break;
    case IER_DLM:
        if (dlab) {
            u->dlm = value;
            break;
        }
        if (value & ~u->ier & IER_THRI)
            u->thre = true; /* newly enabled, and the transmitter is empty */
        u->ier = value & IER_MASK;
        break;
    case IIR_FCR:
        write_fcr(u, value);
        break;
    case LCR:
        u->lcr = value;
        break;
    case MCR:
        write_mcr(u, value);
        break;
    case SCR:
        u->scr = value;
        break;
    }
}

/* A wider access reaches the one register that it names. */
static bool uart_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct uart *u = dev;

    (void)size;
    if (off >= REGISTERS)
        return false;
    pthread_mutex_lock(&u->lock);
    *value = read_register(u, (unsigned)off);
    update(u);
    pthread_mutex_unlock(&u->lock);
    return true;
}

static bool uart_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct uart *u = dev;
    bool sent;

    (void)size;
    if (off >= REGISTERS)
        return false;
    pthread_mutex_lock(&u->lock);
    sent = off == RBR_THR_DLL && !(u->lcr & LCR_DLAB) && !(u->mcr & MCR_LOOP);
    write_register(u, (unsigned)off, (uint8_t)value);
    update(u);
    pthread_mutex_unlock(&u->lock);
    /* Not under the lock: who watches the output may answer with input. */
    if (sent)
        chardev_put(u->chardev, (uint8_t)value);
    return true;
}

const struct device_ops uart_ops = {"serial", uart_read, uart_write};
