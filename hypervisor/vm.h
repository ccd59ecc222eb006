/* SPDX-License-Identifier: MIT */
/* A guest's life: filled from its pristine image, started, stopped, started again. */
#ifndef HYPERVISOR_VM_H
#define HYPERVISOR_VM_H

#include "hv.h"

/** The guest of that name, or NULL. */
struct vm *vm_find(struct hv *hv, const char *name);

/** Make tables and vCPUs of a configured guest; false when memory is out. */
bool vm_create(struct vm *vm, uint64_t ram_size, unsigned vcpus);

/** Fill the guest's memory and make its first vCPU ready. A guest that cannot start is over. */
void vm_start(struct vm *vm);

/** All vCPUs of a stopping guest are off: end its windows, then start it again or let it go. When
 * it was the last guest the machine powers off. */
void vm_finish(struct vm *vm);

#endif
