/* SPDX-License-Identifier: MIT */
#include "device.h"
#include "console.h"
#include "csr.h"
#include "exit.h"
#include "plic.h"
#include "uart.h"

/** A load or store, taken apart. */
struct access {
    bool write;
    bool is_signed;
    unsigned size; /* bytes; 0: no such instruction */
    unsigned reg;  /* rd or rs2 */
    unsigned length;
};

enum { UART_LSR = 5 };

static struct access decode_compressed(uint32_t insn)
{
    unsigned funct3 = insn >> 13 & 7;
    struct access a = {.write = funct3 & 4, .is_signed = true, .length = 2};

    if ((funct3 & 3) == 2)
        a.size = 4; /* c.lw, c.sw, c.lwsp, c.swsp */
    else if ((funct3 & 3) == 3)
        a.size = 8; /* c.ld, c.sd, c.ldsp, c.sdsp */
    if ((insn & 3) == 0)
        a.reg = 8 + (insn >> 2 & 7);
    else if ((insn & 3) == 2)
        a.reg = a.write ? insn >> 2 & 31 : insn >> 7 & 31;
    else
        a.size = 0;
    return a;
}

static struct access decode(uint32_t insn)
{
    unsigned funct3 = insn >> 12 & 7;
    struct access a = {.write = insn & 0x20, .is_signed = funct3 < 4, .length = 4};

    if ((insn & 3) != 3)
        return decode_compressed(insn);
    if ((insn & 0x5F) != 0x03 || funct3 > (a.write ? 3 : 6))
        return a; /* neither LOAD nor STORE */
    a.size = 1u << (funct3 & 3);
    a.reg = a.write ? insn >> 20 & 31 : insn >> 7 & 31;
    return a;
}

bool device_at(uint64_t gpa)
{
    return gpa - DEVICE_PLIC_BASE < DEVICE_PLIC_SIZE || gpa - DEVICE_UART_BASE < DEVICE_UART_SIZE;
}

void device_reset(struct vm *vm)
{
    lock(&vm->device_lock);
    uart_reset(vm);
    plic_reset(vm);
    unlock(&vm->device_lock);
}

/* The PLIC is accessed by words, the UART by its lowest byte; other sizes read as 0 and do nothing,
   as on a bus that does not pass them on. */
static uint64_t read_device(struct vm *vm, uint64_t gpa, unsigned size)
{
    if (gpa >= DEVICE_UART_BASE)
        return gpa - DEVICE_UART_BASE < 8 ? uart_read(vm, gpa & 7) : 0;
    return size == 4 && !(gpa & 3) ? plic_read(vm, gpa - DEVICE_PLIC_BASE) : 0;
}

static void write_device(struct vm *vm, uint64_t gpa, unsigned size, uint64_t value)
{
    if (gpa >= DEVICE_UART_BASE) {
        if (gpa - DEVICE_UART_BASE < 8)
            uart_write(vm, gpa & 7, (uint8_t)value);
    } else if (size == 4 && !(gpa & 3)) {
        plic_write(vm, gpa - DEVICE_PLIC_BASE, (uint32_t)value);
    }
}

static uint64_t extend(uint64_t value, const struct access *a)
{
    unsigned unused = 64 - 8 * a->size;

    value <<= unused;
    return a->is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused;
}

bool device_access(struct vcpu *v)
{
    uint64_t gpa = csr_read(CSR_HTVAL) << 2 | (csr_read(CSR_STVAL) & 3);
    struct vm *vm = v->vm;
    struct access a = {0};
    uint32_t insn;

    if (guest_fetch(v, &insn))
        a = decode(insn);
    if (!a.size || a.write != (csr_read(CSR_SCAUSE) == CAUSE_STORE_GUEST_PAGE)) {
        guest_misbehaved(v, "a device accessed by other than a load or store", gpa);
        return false;
    }
    if (!a.write && gpa == DEVICE_UART_BASE + UART_LSR)
        console_poll(vm->hv, vm); /* a driver that takes no interrupts */
    lock(&vm->device_lock);
    if (a.write)
        write_device(vm, gpa, a.size, v->regs[a.reg]);
    else if (a.reg)
        v->regs[a.reg] = extend(read_device(vm, gpa, a.size), &a);
    else
        (void)read_device(vm, gpa, a.size);
    unlock(&vm->device_lock);
    csr_write(CSR_SEPC, csr_read(CSR_SEPC) + a.length);
    return true;
}
