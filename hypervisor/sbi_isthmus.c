/* SPDX-License-Identifier: MIT */
/* The hypervisor's own SBI extension, as guest/include/isthmus_sbi.h numbers it. */
#include "copy.h"
#include "csr.h"
#include "exit.h"
#include "gstage.h"
#include "isthmus_sbi.h"
#include "sbi_guest.h"
#include "sched.h"
#include "vcpu.h"

static int64_t exits(const struct vcpu *v, uint64_t class)
{
    uint64_t sum = 0;

    if (class != ISTHMUS_EXITS_ALL)
        return class < ISTHMUS_EXITS_CLASSES ? (int64_t)v->exits[class] : 0;
    for (unsigned i = 1; i < ISTHMUS_EXITS_CLASSES; i++)
        sum += v->exits[i];
    return (int64_t)sum;
}

/* Raises a local fault of a copy where the ECALL is, which software may then repeat. A kernel that
   asked for its user mode gets an error instead: the fault is not its own. */
static bool local_fault(struct vcpu *v, const struct copy_fault *fault, bool user,
                        struct sbiret *ret)
{
    bool guest_page =
        fault->cause == CAUSE_LOAD_GUEST_PAGE || fault->cause == CAUSE_STORE_GUEST_PAGE;

    if (user) {
        ret->error = SBI_ERR_INVALID_ADDRESS;
        return true;
    }
    csr_write(CSR_SEPC, csr_read(CSR_SEPC) - 4);
    ret->error = SBI_RAISED;
    if (guest_page) {
        guest_misbehaved(v, "a copy's local address outside of its memory", fault->gpa);
        return false;
    }
    vcpu_raise(fault->cause, fault->va);
    return true;
}

static bool transfer(struct vcpu *v, bool put, bool user, struct sbiret *ret)
{
    const uint64_t *a = &v->regs[REG_A0];
    struct copy_fault fault = {0};

    ret->value = copy_transfer(v, put, user, a[0], a[1], a[2], &fault);
    return fault.cause ? local_fault(v, &fault, user, ret) : true;
}

static bool window_call(struct vcpu *v, uint64_t fid, struct sbiret *ret)
{
    const uint64_t *a = &v->regs[REG_A0];
    bool user = fid & ISTHMUS_AS_USER;

    switch (fid) {
    case ISTHMUS_PUT:
    case ISTHMUS_PUT | ISTHMUS_AS_USER:
        return transfer(v, true, user, ret);
    case ISTHMUS_GET:
    case ISTHMUS_GET | ISTHMUS_AS_USER:
        return transfer(v, false, user, ret);
    case ISTHMUS_RING:
    case ISTHMUS_RING | ISTHMUS_AS_USER:
        ret->value = copy_ring(v, user, a[0], (uint32_t)a[1]);
        break;
    case ISTHMUS_STORE:
        ret->value = copy_store(v, a[0], a[1], a[2]);
        break;
    case ISTHMUS_DROP:
        ret->value = copy_drop(v, (uint32_t)a[0]);
        break;
    case ISTHMUS_BIND:
        ret->value = copy_bind(v, (uint32_t)a[0], a[1]);
        break;
    case ISTHMUS_QUERY:
    case ISTHMUS_QUERY | ISTHMUS_AS_USER:
        ret->value = (int64_t)copy_query(v, user, a[0], a[1]);
        break;
    case ISTHMUS_FENCE: /* nothing is cached */
        break;
    default:
        ret->error = SBI_ERR_NOT_SUPPORTED;
    }
    return true;
}

static bool yield(struct vcpu *v)
{
    if (!sched_others_ready(v->vm->hv))
        return true;
    v->park = PARK_READY;
    return false;
}

bool sbi_isthmus(struct vcpu *v, struct sbiret *ret)
{
    const struct hv *hv = v->vm->hv;
    const uint64_t *a = &v->regs[REG_A0];
    uint64_t fid = v->regs[REG_A6];

    switch (fid) {
    case ISTHMUS_NULL:
        return true;
    case ISTHMUS_FEATURES:
        ret->value = (hv->has_xisthmus ? ISTHMUS_HAS_INSTRUCTIONS : 0) |
                     (hv->has_hypercalls ? ISTHMUS_HAS_HYPERCALLS : 0);
        return true;
    case ISTHMUS_YIELD:
        return yield(v);
    case ISTHMUS_EXITS:
        ret->value = exits(v, a[0]);
        return true;
    case ISTHMUS_RESIDENT:
        ret->value = copy_make_resident(v, (uint32_t)a[0], a[1], a[2]);
        return true;
    default:
        if (hv->has_hypercalls)
            return window_call(v, fid, ret);
        ret->error = SBI_ERR_NOT_SUPPORTED;
        return true;
    }
}
