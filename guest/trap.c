/* SPDX-License-Identifier: MIT */
/* Traps of the kernel: interrupts are counted, expected exceptions skipped, ECALLs of user mode
   served; anything else ends the guest with a line. */
#include "csr.h"
#include "kernel.h"
#include "sbi.h"

enum { REG_A0 = 10, REG_A7 = 17 };

void kernel_trap(struct trap_frame *frame);
int64_t user_enter(uint64_t entry, uint64_t stack, uint64_t argument);
_Noreturn void user_leave(int64_t value);

int64_t user_run(uint64_t entry, uint64_t stack, uint64_t argument)
{
    return user_enter(entry, stack, argument);
}

static void on_interrupt(struct cpu *cpu, uint64_t cause)
{
    cpu->interrupts++;
    if ((cause & ~CAUSE_INTERRUPT) == IRQ_SSI)
        csr_clear(CSR_SIP, 1ull << IRQ_SSI);
    else if ((cause & ~CAUSE_INTERRUPT) == IRQ_SEI)
        csr_clear(CSR_SIE, 1ull << IRQ_SEI); /* it stays until the device is served */
    else
        sbi_call(SBI_TIME, 0, UINT64_MAX, 0, 0, 0, 0);
}

static uint64_t insn_length(uint64_t pc)
{
    return (*(const uint16_t *)pc & 3) == 3 ? 4 : 2;
}

static void on_user_trap(struct cpu *cpu, struct trap_frame *frame, uint64_t cause)
{
    uint64_t number = frame->regs[REG_A7];

    if (cause != CAUSE_ECALL_U)
        user_leave(-(int64_t)cause);
    if (number == USER_EXIT || !cpu->guest->user_call)
        user_leave((int64_t)frame->regs[REG_A0]);
    frame->sepc += 4;
    frame->regs[REG_A0] = (uint64_t)cpu->guest->user_call(cpu, number, &frame->regs[REG_A0]);
}

void kernel_trap(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    uint64_t cause = csr_read(CSR_SCAUSE);

    if (cause & CAUSE_INTERRUPT) {
        on_interrupt(cpu, cause);
    } else if (!(frame->sstatus & SSTATUS_SPP)) {
        on_user_trap(cpu, frame, cause);
    } else if (cpu->catching) {
        cpu->caught_cause = cause;
        cpu->caught_tval = csr_read(CSR_STVAL);
        frame->sepc += insn_length(frame->sepc);
    } else {
        say("unexpected trap: scause %lu, sepc 0x%lx, stval 0x%lx\n", cause, frame->sepc,
            csr_read(CSR_STVAL));
        guest_shutdown(true);
    }
}
