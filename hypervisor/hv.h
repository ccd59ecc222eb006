/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's objects. One struct hv holds everything: harts (the processors that it runs
 * on), guests (struct vm) with their vCPUs and G-stage tables, the windows between guests, the
 * pool of free memory and the console. tp points at the running hart's struct hart, and from there
 * everything is reached; there are no other globals but what start.S needs.
 *
 * The hypervisor runs in HS-mode with satp Bare and with interrupts off (sstatus.SIE = 0): it takes
 * interrupts only out of a guest, or waits for them in WFI. So no path here can be interrupted, and
 * a trap from HS-mode is a defect in the hypervisor itself (trap.c).
 */
#ifndef HYPERVISOR_HV_H
#define HYPERVISOR_HV_H

#include "asm_offsets.h"
#include "fdt.h"
#include "lock.h"
#include "plic.h"
#include "uart.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_HARTS 64
#define MAX_GUESTS 256
#define MAX_VCPUS 8
#define MAX_SHARED 8
#define HART_STACK_SIZE 16384
#define PAGE_SIZE 4096ull
#define BLOCK_SIZE (2ull << 20)
#define GUEST_RAM_BASE 0x80000000ull
#define GUEST_SHARED_BASE 0x40000000ull
#define NEVER UINT64_MAX

/* The registers by number, as vcpu.regs holds them. */
enum { REG_RA = 1, REG_SP = 2, REG_A0 = 10, REG_A1 = 11, REG_A6 = 16, REG_A7 = 17 };

struct hv;
struct vm;

/** What vcpu->park says is to become of a vCPU that leaves its hart. */
/** PARK_DEVICE: nothing, a device is to be accessed before it goes on. */
enum park { PARK_READY, PARK_WAIT, PARK_OFF, PARK_DEVICE };

enum vcpu_state { VCPU_OFF, VCPU_READY, VCPU_RUNNING, VCPU_WAITING };

/* Bits of vcpu->requests: work that others leave for a vCPU. */
#define REQUEST_IPI 1u      /* set VSSIP */
#define REQUEST_STOP 2u     /* the guest is going down: leave the hart for good */
#define REQUEST_EXTERNAL 4u /* external changed */

/** A virtual hart. trap.S knows the offsets of regs and hart. */
struct vcpu {
    uint64_t regs[32]; /* x1 to x31; [0] unused */
    struct hart *hart; /* where it runs, or ran last; NULL before */
    uint32_t requests; /* REQUEST_*, atomic */
    unsigned id;       /* its hartid in the guest */
    struct vm *vm;
    enum vcpu_state state; /* under sched.lock, as are park, next, prev and waiting */
    enum park park;
    struct vcpu *next, *prev;
    uint64_t timer; /* the guest's deadline in time units when there is no Sstc */
    uint64_t exits[9];
    bool external; /* the PLIC interrupts it; under sched.lock */

    /* The VS-level state while the vCPU is not on a hart. */
    uint64_t sepc, sstatus, hstatus, hvip;
    uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp, vstimecmp;
    uint64_t senvcfg, scounteren;
    uint64_t fregs[32];
    uint64_t fcsr;
};

/** A two-stage queue of vCPUs, by next and prev. */
struct vcpu_queue {
    struct vcpu *head, *tail;
};

/** A processor. trap.S knows the offsets of current and stack_top. */
struct hart {
    struct vcpu *current;
    uint64_t stack_top;
    struct hv *hv;
    uint64_t id; /* hartid */
    unsigned index;
    bool started;
    bool idle;    /* in WFI for want of vCPUs; under sched.lock */
    bool probing; /* a trap is expected: skip the instruction and set probe_failed */
    bool probe_failed;
    struct vcpu *loaded;       /* the vCPU whose VS-level state is in this hart's registers */
    struct vcpu_queue waiting; /* vCPUs in WFI that ran here last: this hart keeps their timers */
    uint64_t slice_end;
    uint64_t timer; /* the deadline programmed */
};

/** Memory for everything that is allocated, in pages and 2 MiB blocks (pool.c). */
struct pool {
    struct lock lock;
    struct {
        uint64_t start, end;
    } ranges[32];
    unsigned range_count;
    uint64_t free_pages;  /* address of the first free page, chained; 0: none */
    uint64_t free_blocks; /* likewise, blocks */
};

/** A guest's G-stage tables (gstage.c). */
struct gstage {
    struct lock lock;
    uint64_t *root;
    unsigned levels; /* 3: Sv39x4, 4: Sv48x4, 5: Sv57x4 */
    uint64_t hgatp;
    struct pool *pool;
    uint64_t ram_base, ram_size;
};

/** Bytes that the loader placed in host memory. */
struct blob {
    const uint8_t *data;
    uint64_t size;
};

enum vm_state { VM_RUNNING, VM_STOPPING, VM_OFF };

/** A guest. */
struct vm {
    struct hv *hv;
    const char *name;
    unsigned index;
    struct blob image, initrd;
    const char *bootargs;
    uint64_t entry; /* GPA where vCPU 0 starts */
    uint64_t dtb;   /* GPA of the device tree */
    struct gstage gstage;
    unsigned vcpu_count;
    struct vcpu *vcpus;
    enum vm_state state; /* under sched.lock, as are the next four */
    bool restart;
    bool failed;
    unsigned running;                /* vCPUs on a hart */
    uint64_t ran_on;                 /* harts (by index) whose TLB may hold entries of this VMID */
    struct vcpu *last_on[MAX_HARTS]; /* the vCPU of this guest that a hart ran last */
    struct lock hsm_lock;            /* one vCPU start at a time */
    struct lock device_lock;
    struct plic plic;
    struct uart uart;
    struct lock line_lock;
    unsigned line_len;
    unsigned line_shown; /* characters of it on the console already, under console.lock */
    char line[1024];     /* console output up to the newline */
};

/** A region that several guests map: the two-copy way of sharing, for comparison. */
struct shared {
    const char *guests; /* strings in a row, as in the device tree */
    int guests_len;
    uint64_t hpa, gpa, size;
};

/** What one window links, beside its descriptor. */
struct window {
    struct vm *owner, *peer;
    uint64_t ceilings; /* IGC_CR, IGC_CW, IGC_CU */
    uint32_t handle;
    uint32_t users; /* hypercall copies in flight, atomic */
    struct lock lock;
    bool allocated;
};

struct sched {
    struct lock lock;
    struct vcpu_queue ready;
    unsigned guests_left;
    bool any_failed;
};

struct console {
    struct lock lock;       /* of output */
    volatile uint8_t *uart; /* NULL: through SBI */
    unsigned reg_shift;
    unsigned room;   /* characters that fit the FIFO for sure */
    struct vm *open; /* whose unfinished line stands last on the console */

    struct lock input_lock;
    uint32_t listening; /* a guest waits for interrupts of input: look for it */
    bool typed;         /* there has been input: show unfinished lines */
    uint64_t next_look; /* in time units */
    unsigned focus;     /* index of the guest that gets the input */
    unsigned queued;    /* characters for it that it has not taken */
    char queue[64];
};

/** The machine and all that runs on it. */
struct hv {
    struct fdt fdt;
    struct console console;
    struct pool pool;
    struct sched sched;

    unsigned hart_count;
    struct hart *harts;
    uint64_t timebase;
    uint64_t slice; /* in time units */
    const char *isa;
    unsigned flen; /* bits of a floating-point register; 0: none */
    bool has_sstc;
    bool has_xisthmus;
    bool has_hypercalls;
    uint64_t henvcfg;
    bool updates_flags;   /* the machine sets A and D by itself */
    uint64_t vmid_mask;   /* VMIDs that hgatp holds; 0: none */
    bool flush_on_switch; /* too few VMIDs: all guests use 0 */
    unsigned gstage_mode; /* hgatp.MODE */

    unsigned vm_count;
    struct vm *vms;

    struct desc *table; /* window descriptors */
    unsigned table_log2;
    unsigned window_count;
    struct window *windows;

    unsigned shared_count;
    struct shared shared[MAX_SHARED];
};

static inline struct hart *this_hart(void)
{
    struct hart *hart;

    __asm__("mv %0, tp" : "=r"(hart));
    return hart;
}

_Static_assert(offsetof(struct vcpu, regs) == VCPU_REGS, "trap.S");
_Static_assert(offsetof(struct vcpu, hart) == VCPU_HART, "trap.S");
_Static_assert(offsetof(struct hart, current) == HART_CURRENT, "trap.S");
_Static_assert(offsetof(struct hart, stack_top) == HART_STACK_TOP, "start.S");
_Static_assert(offsetof(struct hart, id) == HART_ID, "start.S");

#endif
