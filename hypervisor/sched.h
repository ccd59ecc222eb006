/* SPDX-License-Identifier: MIT */
/*
 * vCPUs over harts. One queue of ready vCPUs in the order in which they became ready; each hart
 * takes from its head. A running vCPU has a time slice only while others wait, so a guest that has
 * its hart to itself is not interrupted. A vCPU in WFI stays with the hart that it ran on last,
 * which keeps its timer; whoever has an interrupt for it makes it ready.
 *
 * One lock guards all of this. It is taken when a vCPU leaves a hart or gets an interrupt, not on
 * other exits.
 */
#ifndef HYPERVISOR_SCHED_H
#define HYPERVISOR_SCHED_H

#include "hv.h"

/** The time in units of the timebase. */
static inline uint64_t time_now(void)
{
    uint64_t t;

    __asm__ volatile("csrr %0, 0xC01" : "=r"(t)::"memory");
    return t;
}

/**
 * The vCPU @leaving (NULL at first) leaves this hart in the manner of its park member; its
 * general registers are saved. Returns the vCPU that runs next, its other state loaded; waits until
 * there is one.
 */
struct vcpu *sched_switch(struct vcpu *leaving);

/** trap.S: enter the scheduler of a hart for good; @none is NULL. */
_Noreturn void sched_enter(struct vcpu *none);

/** Make an OFF vCPU that was reset run. False when it is not OFF or its guest is going down. */
bool sched_start(struct vcpu *v);

/** Whether vCPUs wait for a hart. */
bool sched_others_ready(struct hv *hv);

/** Raise a supervisor software interrupt in @v. */
void sched_interrupt(struct vcpu *v);

/** Tell @v whether the PLIC interrupts it. */
void sched_external(struct vcpu *v, bool raised);

/** The state of @v, for HSM. */
enum vcpu_state sched_state(struct vcpu *v);

/**
 * The hart's timer fired, or another hart kicked it, out of guest @v. False when @v must make room
 * (its park member is set).
 */
bool sched_tick(struct vcpu *v);
bool sched_kicked(struct vcpu *v);

/** Without Sstc: the guest's timer is to fire at @time. */
void sched_set_guest_timer(struct vcpu *v, uint64_t time);

/**
 * Take all vCPUs of @vm off their harts. The calling vCPU, if it is one of them, leaves by its park
 * member. When the last one has left, vm_finish() runs on its hart.
 */
void sched_stop(struct vm *vm, bool restart, bool failed);

#endif
