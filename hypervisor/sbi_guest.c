/* SPDX-License-Identifier: MIT */
#include "sbi_guest.h"
#include "console.h"
#include "csr.h"
#include "firmware.h"
#include "gstage.h"
#include "isthmus_sbi.h"
#include "sched.h"
#include "vcpu.h"
#include "walk.h"

#define SBI_VERSION_2_0 0x2000000
#define IMPLEMENTATION_ID 0x69
#define IMPLEMENTATION_VERSION 1
#define DBCN_PIECE 16384

typedef bool sbi_handler(struct vcpu *v, struct sbiret *ret);

static uint64_t arg(const struct vcpu *v, unsigned n)
{
    return v->regs[REG_A0 + n];
}

static const struct extension *find_extension(uint64_t eid);

static bool sbi_base(struct vcpu *v, struct sbiret *ret)
{
    switch (arg(v, 6)) {
    case 0:
        ret->value = SBI_VERSION_2_0;
        break;
    case 1:
        ret->value = IMPLEMENTATION_ID;
        break;
    case 2:
        ret->value = IMPLEMENTATION_VERSION;
        break;
    case 3:
        ret->value = find_extension(arg(v, 0)) != NULL;
        break;
    case 4: /* mvendorid, marchid, mimpid: none */
    case 5:
    case 6:
        break;
    default:
        ret->error = SBI_ERR_NOT_SUPPORTED;
    }
    return true;
}

static bool sbi_time(struct vcpu *v, struct sbiret *ret)
{
    if (arg(v, 6) != 0)
        ret->error = SBI_ERR_NOT_SUPPORTED;
    else
        sched_set_guest_timer(v, arg(v, 0));
    return true;
}

/* The vCPUs that a mask and its base name; false when one of them does not exist. */
static bool vcpu_mask(const struct vcpu *v, uint64_t mask, uint64_t base, uint64_t *vcpus)
{
    uint64_t all = (1ull << v->vm->vcpu_count) - 1;

    if (base == NEVER) {
        *vcpus = all;
        return true;
    }
    if (base >= 64 || (mask << base) >> base != mask)
        return !mask;
    *vcpus = mask << base;
    return !(*vcpus & ~all);
}

static void interrupt_vcpus(struct vm *vm, uint64_t vcpus)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vcpus >> i & 1)
            sched_interrupt(&vm->vcpus[i]);
}

static bool sbi_ipi(struct vcpu *v, struct sbiret *ret)
{
    uint64_t vcpus = 0;

    if (arg(v, 6) != 0)
        ret->error = SBI_ERR_NOT_SUPPORTED;
    else if (!vcpu_mask(v, arg(v, 0), arg(v, 1), &vcpus))
        ret->error = SBI_ERR_INVALID_PARAM;
    else
        interrupt_vcpus(v->vm, vcpus);
    return true;
}

/* A fence acts on every hart on which the guest has run: a vCPU that waits has left its entries on
   its last hart, and they are tagged with the guest's VMID. */
static uint64_t harts_of(const struct vm *vm)
{
    return __atomic_load_n(&vm->ran_on, __ATOMIC_SEQ_CST);
}

static bool sbi_rfence(struct vcpu *v, struct sbiret *ret)
{
    struct hv *hv = v->vm->hv;
    uint64_t vcpus;

    if (arg(v, 6) > SBI_RFENCE_SFENCE_VMA_ASID) {
        ret->error = SBI_ERR_NOT_SUPPORTED;
        return true;
    }
    if (!vcpu_mask(v, arg(v, 0), arg(v, 1), &vcpus)) {
        ret->error = SBI_ERR_INVALID_PARAM;
        return true;
    }
    switch (arg(v, 6)) {
    case SBI_RFENCE_FENCE_I:
        firmware_fence_i(hv, harts_of(v->vm));
        break;
    case SBI_RFENCE_SFENCE_VMA:
        firmware_hfence_vvma(hv, harts_of(v->vm), arg(v, 2), arg(v, 3), -1);
        break;
    default:
        firmware_hfence_vvma(hv, harts_of(v->vm), arg(v, 2), arg(v, 3),
                             (int64_t)(arg(v, 4) & 0xffff));
        break;
    }
    return true;
}

static int64_t hsm_start(struct vm *vm, uint64_t id, uint64_t pc, uint64_t opaque)
{
    struct vcpu *target;
    int64_t error = SBI_ERR_ALREADY_AVAILABLE;

    if (id >= vm->vcpu_count)
        return SBI_ERR_INVALID_PARAM;
    if (!gstage_is_ram(&vm->gstage, pc))
        return SBI_ERR_INVALID_ADDRESS;
    target = &vm->vcpus[id];
    lock(&vm->hsm_lock);
    if (sched_state(target) == VCPU_OFF) {
        vcpu_reset(target, pc, opaque);
        error = sched_start(target) ? SBI_OK : SBI_ERR_FAILED;
    }
    unlock(&vm->hsm_lock);
    return error;
}

static bool sbi_hsm(struct vcpu *v, struct sbiret *ret)
{
    static const int64_t STATUS[] = {
        [VCPU_OFF] = SBI_HSM_STOPPED,
        [VCPU_READY] = SBI_HSM_STARTED,
        [VCPU_RUNNING] = SBI_HSM_STARTED,
        [VCPU_WAITING] = SBI_HSM_STARTED,
    };
    struct vm *vm = v->vm;

    switch (arg(v, 6)) {
    case SBI_HSM_START:
        ret->error = hsm_start(vm, arg(v, 0), arg(v, 1), arg(v, 2));
        return true;
    case SBI_HSM_STOP:
        v->park = PARK_OFF;
        return false;
    case SBI_HSM_STATUS:
        if (arg(v, 0) >= vm->vcpu_count)
            ret->error = SBI_ERR_INVALID_PARAM;
        else
            ret->value = STATUS[sched_state(&vm->vcpus[arg(v, 0)])];
        return true;
    case SBI_HSM_SUSPEND:
        if ((uint32_t)arg(v, 0) == SBI_HSM_RETENTIVE) {
            v->park = PARK_WAIT;
            return false;
        }
        ret->error = (uint32_t)arg(v, 0) == SBI_HSM_NON_RETENTIVE ? SBI_ERR_NOT_SUPPORTED
                                                                  : SBI_ERR_INVALID_PARAM;
        return true;
    default:
        ret->error = SBI_ERR_NOT_SUPPORTED;
        return true;
    }
}

static bool stop_guest(struct vcpu *v, bool restart, bool failed)
{
    console_guest_flush(v->vm);
    if (failed)
        console_log(v->vm->hv, "guest %s shuts down and reports a failure", v->vm->name);
    sched_stop(v->vm, restart, failed);
    v->park = PARK_OFF;
    return false;
}

static bool sbi_srst(struct vcpu *v, struct sbiret *ret)
{
    uint32_t type = (uint32_t)arg(v, 0), reason = (uint32_t)arg(v, 1);

    if (arg(v, 6) != 0 || type >= SBI_SRST_OF_VENDORS) {
        ret->error = SBI_ERR_NOT_SUPPORTED;
        return true;
    }
    if (reason > SBI_SRST_FAILURE && reason < SBI_SRST_REASON_OF_OTHERS) {
        ret->error = SBI_ERR_INVALID_PARAM;
        return true;
    }
    switch (type) {
    case SBI_SRST_SHUTDOWN:
        return stop_guest(v, false, reason != 0);
    case SBI_SRST_COLD_REBOOT:
    case SBI_SRST_WARM_REBOOT:
        return stop_guest(v, true, false);
    default:
        ret->error = SBI_ERR_INVALID_PARAM;
        return true;
    }
}

/* Writes a bounded piece, as the extension allows, so that a guest does not hold its hart. */
static int64_t dbcn_write(struct vm *vm, uint64_t n, uint64_t gpa, int64_t *written)
{
    uint64_t span = 0;
    const char *text = n ? gstage_host(&vm->gstage, gpa, &span) : NULL;

    if (n && !text)
        return SBI_ERR_INVALID_PARAM;
    n = n < span ? n : span;
    n = n < DBCN_PIECE ? n : DBCN_PIECE;
    console_guest_write(vm, text, n);
    *written = (int64_t)n;
    return SBI_OK;
}

static int64_t dbcn_read(struct vm *vm, uint64_t n, uint64_t gpa, int64_t *count)
{
    n = n < DBCN_PIECE ? n : DBCN_PIECE;
    for (; (uint64_t)*count < n; ++*count) {
        uint64_t span;
        uint8_t *to = gstage_host(&vm->gstage, gpa + (uint64_t)*count, &span);
        int c;

        if (!to)
            return SBI_ERR_INVALID_PARAM;
        c = console_getchar(vm);
        if (c < 0)
            break;
        *to = (uint8_t)c;
    }
    return SBI_OK;
}

static bool sbi_dbcn(struct vcpu *v, struct sbiret *ret)
{
    char c = (char)arg(v, 0);

    switch (arg(v, 6)) {
    case 0:
        ret->error = arg(v, 2) ? SBI_ERR_INVALID_PARAM
                               : dbcn_write(v->vm, arg(v, 0), arg(v, 1), &ret->value);
        break;
    case 1:
        ret->error =
            arg(v, 2) ? SBI_ERR_INVALID_PARAM : dbcn_read(v->vm, arg(v, 0), arg(v, 1), &ret->value);
        break;
    case 2:
        console_guest_write(v->vm, &c, 1);
        break;
    default:
        ret->error = SBI_ERR_NOT_SUPPORTED;
    }
    return true;
}

/* The legacy extensions return one value, in a0: what is left in ret->error. */

static bool legacy_set_timer(struct vcpu *v, struct sbiret *ret)
{
    sched_set_guest_timer(v, arg(v, 0));
    return true;
}

static bool legacy_putchar(struct vcpu *v, struct sbiret *ret)
{
    char c = (char)arg(v, 0);

    console_guest_write(v->vm, &c, 1);
    return true;
}

static bool legacy_getchar(struct vcpu *v, struct sbiret *ret)
{
    ret->error = console_getchar(v->vm);
    return true;
}

static bool legacy_clear_ipi(struct vcpu *v, struct sbiret *ret)
{
    csr_clear(CSR_HVIP, 1ull << IRQ_VSSI);
    return true;
}

/* Legacy calls pass a mask by a guest-virtual address; 0 means all. */
static uint64_t legacy_mask(struct vcpu *v, uint64_t va)
{
    struct walk w = {
        .gstage = &v->vm->gstage,
        .atp = csr_read(CSR_VSATP),
        .va = va,
        .access = WALK_READ,
        .update = true,
        .populate = true,
    };

    if (!va || va & 7 || walk(&w) != WALK_OK)
        return NEVER;
    return *(const uint64_t *)w.hpa;
}

static bool legacy_send_ipi(struct vcpu *v, struct sbiret *ret)
{
    interrupt_vcpus(v->vm, legacy_mask(v, arg(v, 0)));
    return true;
}

static bool legacy_fence_i(struct vcpu *v, struct sbiret *ret)
{
    firmware_fence_i(v->vm->hv, harts_of(v->vm));
    return true;
}

static bool legacy_sfence_vma(struct vcpu *v, struct sbiret *ret)
{
    firmware_hfence_vvma(v->vm->hv, harts_of(v->vm), arg(v, 1), arg(v, 2), -1);
    return true;
}

static bool legacy_shutdown(struct vcpu *v, struct sbiret *ret)
{
    return stop_guest(v, false, false);
}

static const struct extension {
    uint64_t eid;
    sbi_handler *handler;
} EXTENSIONS[] = {
    {ISTHMUS_EID, sbi_isthmus},
    {SBI_TIME, sbi_time},
    {SBI_IPI, sbi_ipi},
    {SBI_RFENCE, sbi_rfence},
    {SBI_DBCN, sbi_dbcn},
    {SBI_HSM, sbi_hsm},
    {SBI_SRST, sbi_srst},
    {SBI_BASE, sbi_base},
    {SBI_LEGACY_SET_TIMER, legacy_set_timer},
    {SBI_LEGACY_PUTCHAR, legacy_putchar},
    {SBI_LEGACY_GETCHAR, legacy_getchar},
    {SBI_LEGACY_CLEAR_IPI, legacy_clear_ipi},
    {SBI_LEGACY_SEND_IPI, legacy_send_ipi},
    {SBI_LEGACY_FENCE_I, legacy_fence_i},
    {SBI_LEGACY_SFENCE_VMA, legacy_sfence_vma},
    {SBI_LEGACY_SFENCE_VMA_ASID, legacy_sfence_vma},
    {SBI_LEGACY_SHUTDOWN, legacy_shutdown},
};

static const struct extension *find_extension(uint64_t eid)
{
    for (unsigned i = 0; i < sizeof(EXTENSIONS) / sizeof(EXTENSIONS[0]); i++)
        if (EXTENSIONS[i].eid == eid)
            return &EXTENSIONS[i];
    return NULL;
}

bool sbi_guest_call(struct vcpu *v)
{
    uint64_t eid = v->regs[REG_A7];
    const struct extension *ext = find_extension(eid);
    struct sbiret ret = {0, 0};
    bool stay = true;

    v->exits[ISTHMUS_EXITS_ECALL]++;
    csr_write(CSR_SEPC, csr_read(CSR_SEPC) + 4);
    if (ext)
        stay = ext->handler(v, &ret);
    else
        ret.error = SBI_ERR_NOT_SUPPORTED;
    if (ret.error == SBI_RAISED)
        return stay;
    v->regs[REG_A0] = (uint64_t)ret.error;
    if (eid > SBI_LEGACY_SHUTDOWN)
        v->regs[REG_A1] = (uint64_t)ret.value;
    return stay;
}
