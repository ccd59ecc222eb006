/* SPDX-License-Identifier: MIT */
#include "plic.h"
#include "hv.h"
#include "sched.h"
#include "string.h"

#define PENDING 0x1000
#define ENABLE 0x2000
#define ENABLE_STRIDE 0x80
#define CONTEXT 0x200000
#define CONTEXT_STRIDE 0x1000
#define CLAIM 4
#define MAX_PRIORITY 7

_Static_assert(PLIC_CONTEXTS == MAX_VCPUS, "a context a vCPU");

/* The source that the context would claim: the highest priority, of equal ones the lowest number.
   0: none. */
static unsigned best(const struct plic *p, unsigned context, uint32_t above)
{
    uint32_t ready = p->pending & p->enable[context];
    unsigned found = 0;

    for (unsigned i = 1; i < PLIC_SOURCES; i++)
        if (ready >> i & 1 && p->priority[i] > above) {
            above = p->priority[i];
            found = i;
        }
    return found;
}

/* Gateways pass their lines on; vCPUs whose interrupt came or went are told. */
static void update(struct vm *vm)
{
    struct plic *p = &vm->plic;

    p->pending |= p->level & ~p->claimed;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        bool raise = best(p, i, p->threshold[i]);

        if (raise == (p->raised >> i & 1))
            continue;
        p->raised ^= 1u << i;
        sched_external(&vm->vcpus[i], raise);
    }
}

void plic_reset(struct vm *vm)
{
    memset(&vm->plic, 0, sizeof(vm->plic));
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_external(&vm->vcpus[i], false);
}

void plic_set(struct vm *vm, unsigned source, bool level)
{
    uint32_t bit = 1u << source;

    if (level == !!(vm->plic.level & bit))
        return;
    vm->plic.level ^= bit;
    if (!level)
        vm->plic.pending &= ~bit;
    update(vm);
}

static uint32_t claim(struct vm *vm, unsigned context)
{
    struct plic *p = &vm->plic;
    unsigned source = best(p, context, 0);

    p->pending &= ~(1u << source);
    p->claimed |= source ? 1u << source : 0;
    update(vm);
    return source;
}

uint32_t plic_read(struct vm *vm, uint64_t offset)
{
    const struct plic *p = &vm->plic;
    uint64_t context;

    if (offset < 4 * PLIC_SOURCES)
        return p->priority[offset / 4];
    if (offset == PENDING)
        return p->pending;
    context = (offset - ENABLE) / ENABLE_STRIDE;
    if (offset >= ENABLE && context < vm->vcpu_count)
        return offset % ENABLE_STRIDE ? 0 : p->enable[context];
    context = (offset - CONTEXT) / CONTEXT_STRIDE;
    if (offset < CONTEXT || context >= vm->vcpu_count)
        return 0;
    switch (offset % CONTEXT_STRIDE) {
    case 0:
        return p->threshold[context];
    case CLAIM:
        return claim(vm, (unsigned)context);
    default:
        return 0;
    }
}

void plic_write(struct vm *vm, uint64_t offset, uint32_t value)
{
    struct plic *p = &vm->plic;
    uint64_t enable = (offset - ENABLE) / ENABLE_STRIDE;
    uint64_t context = (offset - CONTEXT) / CONTEXT_STRIDE;

    if (offset >= 4 && offset < 4 * PLIC_SOURCES) {
        p->priority[offset / 4] = value & MAX_PRIORITY;
    } else if (offset >= ENABLE && enable < vm->vcpu_count) {
        if (offset % ENABLE_STRIDE == 0)
            p->enable[enable] = value & ~1u;
    } else if (offset >= CONTEXT && context < vm->vcpu_count) {
        if (offset % CONTEXT_STRIDE == 0)
            p->threshold[context] = value & MAX_PRIORITY;
        else if (offset % CONTEXT_STRIDE == CLAIM && value < PLIC_SOURCES &&
                 p->enable[context] >> value & 1)
            p->claimed &= ~(1u << value);
    }
    update(vm);
}
