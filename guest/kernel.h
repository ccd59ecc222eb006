/* SPDX-License-Identifier: MIT */
/*
 * A small kernel for guests: console, memory and paging, traps, user mode, more harts. A program
 * defines guest_main(), is entered with paging off, and finds everything in struct guest.
 * Kernel code and data are mapped at their guest-physical addresses once paging is on.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include "fdt.h"
#include "ig.h"
#include "kernel_offsets.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ull
#define MEGAPAGE_SIZE (2ull << 20)
#define MAX_CPUS 8

struct guest;

/** Registers at a trap; start.S fills it. */
struct trap_frame {
    uint64_t regs[32];
    uint64_t sepc;
    uint64_t sstatus;
};

/** A hart of the guest. start.S knows the first three. */
struct cpu {
    uint64_t stack_top;
    uint64_t kernel_sp;
    uint64_t user_sp;
    struct guest *guest;
    uint64_t id;
    bool catching; /* a trap is expected; the two below say which came */
    uint64_t caught_cause, caught_tval;
    uint64_t interrupts; /* taken */
    void (*run)(struct cpu *cpu);
    bool done;
};

/** An address space. */
struct space {
    uint64_t *root;
    unsigned levels; /* 3: Sv39, 4: Sv48 */
    uint64_t satp;
};

/** All that a guest program knows of its machine. */
struct guest {
    struct fdt fdt;
    const char *name; /* of the guest, "" outside of the reference hypervisor */
    const char *bootargs;
    uint64_t ram_base, ram_size;
    uint64_t timebase; /* time units a second */
    const uint8_t *initrd;
    uint64_t initrd_size;
    uint64_t free_page;       /* next page to allocate */
    const struct ig_ops *ops; /* windows by instructions or calls; NULL: no windows */
    struct cpu cpus[MAX_CPUS];
    unsigned cpu_count;
    /** Serves ECALLs of user mode: a7 the number, a0 to a5 arguments, result in a0. */
    int64_t (*user_call)(struct cpu *cpu, uint64_t number, const uint64_t *args);
};

/** The program. Returning shuts the guest down; a value other than 0 as a failure. */
int guest_main(struct guest *g);

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("mv %0, tp" : "=r"(cpu));
    return cpu;
}

/** Print. A line is best printed by one call. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_bytes(const char *text, size_t n);

_Noreturn void guest_shutdown(bool failed);
_Noreturn void guest_reboot(void);

/** Time in units of the timebase. */
static inline uint64_t time_now(void)
{
    uint64_t t;

    __asm__ volatile("csrr %0, 0xC01" : "=r"(t)::"memory");
    return t;
}

/** Wait in WFI for @microseconds, or until another interrupt. */
void guest_sleep(struct guest *g, uint64_t microseconds);

/** Let another vCPU of the hypervisor run. */
void guest_yield(void);

/** Contiguous zeroed memory, @pages of it, at its physical address. Stops the guest when it is out.
 */
void *pages_alloc(struct guest *g, uint64_t pages);

/** An address space with RAM mapped for the kernel where it is. */
void space_create(struct guest *g, struct space *space, unsigned levels);

/** Map @size bytes at @va to @pa with PTE_R, PTE_W, PTE_X, PTE_U as given, in pages of 4 KiB. */
void space_map(struct guest *g, struct space *space, uint64_t va, uint64_t pa, uint64_t size,
               uint64_t flags);

/** Remove the mapping of one page. */
void space_unmap(struct space *space, uint64_t va);

/** Let this hart use the space (SFENCE.VMA included). */
void space_use(const struct space *space);

/** Run a statement that may trap: true when it did not; else caught_cause and caught_tval tell. */
#define catch_trap(statement)                                                                      \
    ({                                                                                             \
        struct cpu *cpu_ = this_cpu();                                                             \
        cpu_->caught_cause = UINT64_MAX;                                                           \
        cpu_->catching = true;                                                                     \
        __asm__ volatile("" ::: "memory");                                                         \
        statement;                                                                                 \
        __asm__ volatile("" ::: "memory");                                                         \
        cpu_->catching = false;                                                                    \
        cpu_->caught_cause == UINT64_MAX;                                                          \
    })

/** Code for user mode: it may use its arguments, its stack and what is inline. */
#define USER_CODE __attribute__((section(".user"), noinline))
extern char user_start[], user_end[];

/** Number of the ECALL by which user mode ends; a0 is what user_run() returns. */
#define USER_EXIT 0

/**
 * Run user-mode code at virtual address @entry with stack pointer @stack and @argument in a0.
 * Returns what it leaves with, or the negated cause of the exception that ended it.
 */
int64_t user_run(uint64_t entry, uint64_t stack, uint64_t argument);

/** Run @run on hart @id. False when it does not start. */
bool cpu_start(struct guest *g, uint64_t id, void (*run)(struct cpu *cpu));

/** The windows of this guest in its device tree: how many, and the @nth with that role and partner.
 */
#define NO_WINDOW UINT64_MAX
uint64_t window_find(const struct guest *g, const char *role, const char *with, unsigned nth);

/** A region that this guest shares with others: its address and size, or NULL. */
void *shared_region(const struct guest *g, uint64_t *size);

_Static_assert(offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "start.S");
_Static_assert(offsetof(struct cpu, kernel_sp) == CPU_KERNEL_SP, "start.S");
_Static_assert(offsetof(struct cpu, user_sp) == CPU_USER_SP, "start.S");
_Static_assert(offsetof(struct trap_frame, sepc) == FRAME_SEPC, "start.S");
_Static_assert(sizeof(struct trap_frame) <= FRAME_SIZE, "start.S");

#endif
