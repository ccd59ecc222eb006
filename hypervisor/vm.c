/* SPDX-License-Identifier: MIT */
#include "vm.h"
#include "console.h"
#include "csr.h"
#include "device.h"
#include "firmware.h"
#include "gstage.h"
#include "guest_dt.h"
#include "image.h"
#include "pool.h"
#include "sched.h"
#include "string.h"
#include "vcpu.h"
#include "window.h"

struct vm *vm_find(struct hv *hv, const char *name)
{
    for (unsigned i = 0; i < hv->vm_count; i++)
        if (strcmp(hv->vms[i].name, name) == 0)
            return &hv->vms[i];
    return NULL;
}

bool vm_create(struct vm *vm, uint64_t ram_size, unsigned vcpus)
{
    struct hv *hv = vm->hv;
    uint64_t vmid = hv->flush_on_switch ? 0 : vm->index + 1;

    if (!gstage_init(&vm->gstage, &hv->pool, hv->gstage_mode, vmid, GUEST_RAM_BASE, ram_size))
        return false;
    vm->vcpu_count = vcpus;
    vm->vcpus = pool_alloc(&hv->pool, vcpus * sizeof(struct vcpu), 64);
    for (unsigned i = 0; vm->vcpus && i < vcpus; i++) {
        vm->vcpus[i].vm = vm;
        vm->vcpus[i].id = i;
    }
    return vm->vcpus != NULL;
}

static bool map_shared(struct vm *vm)
{
    struct hv *hv = vm->hv;

    for (unsigned i = 0; i < hv->shared_count; i++) {
        const struct shared *s = &hv->shared[i];

        for (const char *name = s->guests; name < s->guests + s->guests_len;
             name += strlen(name) + 1)
            if (strcmp(name, vm->name) == 0 &&
                !gstage_map_foreign(&vm->gstage, s->gpa, s->hpa, s->size))
                return false;
    }
    return true;
}

/* The device tree goes to the end of the guest's RAM, and the initrd below it. */
static const char *place_data(struct vm *vm, uint64_t image_end, void *dt)
{
    uint64_t top = vm->gstage.ram_base + vm->gstage.ram_size - GUEST_DT_SIZE;
    uint64_t initrd = 0;
    size_t dt_size;

    if (image_end > top || vm->initrd.size > top - image_end)
        return "its image and initrd are larger than its memory";
    vm->dtb = top & -PAGE_SIZE;
    if (vm->initrd.size) {
        initrd = (vm->dtb - vm->initrd.size) & -PAGE_SIZE;
        if (gstage_write(&vm->gstage, initrd, vm->initrd.data, vm->initrd.size))
            return "no memory left";
    }
    dt_size = guest_dt_write(vm, initrd, dt);
    if (!dt_size)
        return "its device tree is too large";
    return gstage_write(&vm->gstage, vm->dtb, dt, dt_size) ? "no memory left" : NULL;
}

/* Returns NULL, or why the guest cannot start. */
static const char *fill(struct vm *vm)
{
    _Static_assert(GUEST_DT_SIZE <= BLOCK_SIZE, "the tree is built in a block");
    void *dt = pool_block(&vm->hv->pool);
    uint64_t image_end;
    const char *wrong;

    if (!dt || !map_shared(vm)) {
        wrong = "no memory left";
    } else {
        wrong = image_load(vm, &image_end);
        if (!wrong)
            wrong = place_data(vm, image_end, dt);
    }
    if (dt)
        pool_free_block(&vm->hv->pool, dt);
    return wrong;
}

/* The guest's memory goes back; no hart may keep a translation to it. */
static void empty(struct vm *vm)
{
    uint64_t vmid = vm->gstage.hgatp >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;

    gstage_clear(&vm->gstage);
    firmware_hfence_gvma(vm->hv, vmid);
    memset(vm->last_on, 0, sizeof(vm->last_on));
}

static void guest_over(struct vm *vm)
{
    struct hv *hv = vm->hv;
    bool last, failed;

    lock(&hv->sched.lock);
    vm->state = VM_OFF;
    hv->sched.any_failed |= vm->failed;
    last = --hv->sched.guests_left == 0;
    failed = hv->sched.any_failed;
    unlock(&hv->sched.lock);
    if (last) {
        console_log(hv, "all guests have stopped%s", failed ? ", not all of them well" : "");
        firmware_power_off(failed);
    }
}

void vm_start(struct vm *vm)
{
    const char *wrong = fill(vm);

    if (wrong) {
        console_log(vm->hv, "guest %s cannot start: %s", vm->name, wrong);
        vm->failed = true;
        guest_over(vm);
        return;
    }
    device_reset(vm);
    vm->state = VM_RUNNING;
    vcpu_reset(&vm->vcpus[0], vm->entry, vm->dtb);
    sched_start(&vm->vcpus[0]);
}

void vm_finish(struct vm *vm)
{
    bool restart = vm->restart;

    console_guest_flush(vm);
    windows_end(vm);
    empty(vm);
    if (restart) {
        console_log(vm->hv, "guest %s restarts", vm->name);
        vm->restart = false;
        windows_begin(vm);
        vm_start(vm);
        return;
    }
    if (!vm->failed)
        console_log(vm->hv, "guest %s has shut down", vm->name);
    guest_over(vm);
}
