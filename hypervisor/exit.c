/* SPDX-License-Identifier: MIT */
#include "exit.h"
#include "console.h"
#include "csr.h"
#include "device.h"
#include "firmware.h"
#include "format.h"
#include "gstage.h"
#include "isthmus_sbi.h"
#include "sbi_guest.h"
#include "sched.h"
#include "vcpu.h"
#include "walk.h"

#define WFI 0x10500073u
#define WRS_NTO 0x00D00073u
/* Pseudoinstructions in htinst: the walk of the guest's own tables faulted. */
#define HTINST_TABLE_READ 0x3000u
#define HTINST_TABLE_WRITE 0x20u

/* The exceptions that a guest takes by itself: all that hedeleg may pass to VS-mode. */
static const char *const CAUSES[] = {
    [CAUSE_FETCH_MISALIGNED] = "instruction address misaligned",
    [CAUSE_FETCH_ACCESS] = "instruction access fault",
    [CAUSE_ILLEGAL] = "illegal instruction",
    [CAUSE_BREAKPOINT] = "breakpoint",
    [CAUSE_LOAD_MISALIGNED] = "load address misaligned",
    [CAUSE_LOAD_ACCESS] = "load access fault",
    [CAUSE_STORE_MISALIGNED] = "store address misaligned",
    [CAUSE_STORE_ACCESS] = "store access fault",
    [CAUSE_ECALL_U] = "environment call from U-mode",
    [CAUSE_ECALL_VS] = "environment call from VS-mode",
    [CAUSE_FETCH_PAGE] = "instruction page fault",
    [CAUSE_LOAD_PAGE] = "load page fault",
    [CAUSE_STORE_PAGE] = "store page fault",
    [CAUSE_FETCH_GUEST_PAGE] = "instruction fetch outside of its memory",
    [CAUSE_LOAD_GUEST_PAGE] = "load outside of its memory",
    [CAUSE_VIRTUAL] = "virtual instruction",
    [CAUSE_STORE_GUEST_PAGE] = "store outside of its memory",
};

static const char *cause_name(uint64_t cause)
{
    const char *name = cause < sizeof(CAUSES) / sizeof(CAUSES[0]) ? CAUSES[cause] : NULL;

    return name ? name : "unknown exception";
}

bool guest_fetch(struct vcpu *v, uint32_t *insn)
{
    uint64_t pc = csr_read(CSR_SEPC);
    uint32_t value = 0;

    for (unsigned i = 0; i < 2; i++) {
        struct walk w = {
            .gstage = &v->vm->gstage,
            .atp = csr_read(CSR_VSATP),
            .va = pc + 2 * i,
            .access = WALK_EXECUTE,
            .user = !(csr_read(CSR_SSTATUS) & SSTATUS_SPP),
            .update = true,
        };

        if (walk(&w) != WALK_OK)
            return false;
        value |= (uint32_t) * (const uint16_t *)w.hpa << (16 * i);
        if ((value & 3) != 3)
            break;
    }
    *insn = value;
    return true;
}

void guest_misbehaved(struct vcpu *v, const char *what, uint64_t gpa)
{
    char at[48] = "", insn_text[32] = "", handler[80] = "";
    uint32_t insn;

    if (gpa != NEVER)
        format_s(at, sizeof(at), " at gpa 0x%lx (gva 0x%lx)", gpa, csr_read(CSR_STVAL));
    if (guest_fetch(v, &insn))
        format_s(insn_text, sizeof(insn_text), ", instruction 0x%x", insn);
    if (csr_read(CSR_SEPC) == (csr_read(CSR_VSTVEC) & ~3ull))
        format_s(handler, sizeof(handler), ", at the trap vector after: %s, vsepc 0x%lx",
                 cause_name(csr_read(CSR_VSCAUSE)), csr_read(CSR_VSEPC));
    console_guest_flush(v->vm);
    console_log(v->vm->hv, "guest %s stopped: vCPU %u: %s%s, sepc 0x%lx%s%s", v->vm->name, v->id,
                what, at, csr_read(CSR_SEPC), insn_text, handler);
    sched_stop(v->vm, false, true);
    v->park = PARK_OFF;
}

static bool on_guest_page_fault(struct vcpu *v, uint64_t cause)
{
    bool table = (csr_read(CSR_HTINST) & ~HTINST_TABLE_WRITE) == HTINST_TABLE_READ;
    uint64_t gpa = csr_read(CSR_HTVAL) << 2 | (table ? 0 : csr_read(CSR_STVAL) & 3);
    int error;

    if (!table && cause != CAUSE_FETCH_GUEST_PAGE && device_at(gpa)) {
        v->exits[ISTHMUS_EXITS_DEVICE]++;
        v->park = PARK_DEVICE;
        return false;
    }
    v->exits[ISTHMUS_EXITS_MEMORY]++;
    error = gstage_populate(&v->vm->gstage, gpa);
    if (!error)
        return true;
    guest_misbehaved(v,
                     error != -1 ? "no memory left"
                     : table     ? "page table outside of its memory"
                                 : cause_name(cause),
                     gpa);
    return false;
}

static bool on_virtual_instruction(struct vcpu *v)
{
    uint32_t insn = (uint32_t)csr_read(CSR_STVAL);

    if (!insn && !guest_fetch(v, &insn))
        insn = 0;
    if (insn == WFI && csr_read(CSR_SSTATUS) & SSTATUS_SPP) {
        v->exits[ISTHMUS_EXITS_WFI]++;
        csr_write(CSR_SEPC, csr_read(CSR_SEPC) + 4);
        v->park = PARK_WAIT;
        return false;
    }
    v->exits[ISTHMUS_EXITS_VIRTUAL]++;
    if (insn == WRS_NTO) { /* it may end at any time */
        csr_write(CSR_SEPC, csr_read(CSR_SEPC) + 4);
        v->park = PARK_READY;
        return !sched_others_ready(v->vm->hv);
    }
    if (!csr_read(CSR_VSTVEC)) {
        guest_misbehaved(v, "virtual instruction before it set a trap vector", NEVER);
        return false;
    }
    vcpu_raise(CAUSE_ILLEGAL, insn); /* as on a machine without the H extension */
    return true;
}

static bool on_interrupt(struct vcpu *v, uint64_t cause)
{
    switch (cause & ~CAUSE_INTERRUPT) {
    case IRQ_STI:
        v->exits[ISTHMUS_EXITS_TIMER]++;
        return sched_tick(v);
    case IRQ_SSI:
        v->exits[ISTHMUS_EXITS_IPI]++;
        return sched_kicked(v);
    default:
        v->exits[ISTHMUS_EXITS_OTHER]++;
        csr_clear(CSR_SIE, 1ull << (cause & 63));
        return true;
    }
}

static bool on_exception(struct vcpu *v, uint64_t cause)
{
    switch (cause) {
    case CAUSE_FETCH_GUEST_PAGE:
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        return on_guest_page_fault(v, cause);
    case CAUSE_VIRTUAL:
        return on_virtual_instruction(v);
    default:
        v->exits[ISTHMUS_EXITS_OTHER]++;
        guest_misbehaved(v, cause_name(cause), NEVER);
        return false;
    }
}

/* What others asked of a running vCPU. False when it must leave. */
static bool serve_requests(struct vcpu *v)
{
    uint32_t requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);

    if (requests & REQUEST_IPI)
        csr_set(CSR_HVIP, 1ull << IRQ_VSSI);
    if (requests & REQUEST_EXTERNAL)
        vcpu_show_external(v);
    if (requests & REQUEST_STOP)
        v->park = PARK_OFF;
    return !(requests & REQUEST_STOP);
}

struct vcpu *vcpu_exit(struct vcpu *v)
{
    uint64_t cause = csr_read(CSR_SCAUSE);
    bool stay;

    if (cause == CAUSE_ECALL_VS)
        stay = sbi_guest_call(v);
    else if (cause & CAUSE_INTERRUPT)
        stay = on_interrupt(v, cause);
    else
        stay = on_exception(v, cause);
    if (stay && __atomic_load_n(&v->requests, __ATOMIC_RELAXED))
        stay = serve_requests(v);
    return stay ? v : NULL;
}

struct vcpu *vcpu_left(struct vcpu *v)
{
    if (v && v->park == PARK_DEVICE && device_access(v))
        return v;
    return sched_switch(v);
}

void host_trap(void)
{
    struct hart *hart = this_hart();

    if (hart && hart->probing) {
        hart->probe_failed = true;
        csr_write(CSR_SEPC, csr_read(CSR_SEPC) + 4);
        return;
    }
    if (hart)
        console_log(hart->hv, "defect: %s in the hypervisor, sepc 0x%lx, stval 0x%lx",
                    cause_name(csr_read(CSR_SCAUSE)), csr_read(CSR_SEPC), csr_read(CSR_STVAL));
    firmware_power_off(true);
}
