/* SPDX-License-Identifier: MIT */
/*
 * A hart: its architectural state and how it runs.
 *
 * Guest code is decoded once, into blocks (code.h), and executed by one small function an
 * instruction (exec/). While a block runs, hart.pc is the address of the block's first
 * instruction, and hart.left was charged with all its instructions: an instruction's own address
 * is pc + op->off, and op->rest says how many were charged and not yet retired. hart_pc() and
 * hart_instret() undo both, so that every trap is precise.
 *
 * Other threads touch only what is marked so: they set bits of irq_lines and wait_event and call
 * hart_kick().
 */
#ifndef HART_HART_H
#define HART_HART_H

#include "base/bits.h"
#include "isa/isa.h"
#include "mem/mem.h"
#include "mmu/mmu.h"

#include <pthread.h>

struct hart;
struct op;
struct code_cache;
struct window_hart;
struct imsic;
struct window_result;

/* One decoded instruction. */
typedef const struct op *(*exec_fn)(struct hart *h, const struct op *op);
struct op {
    exec_fn fn;
    int32_t imm;
    uint32_t raw;              /* as fetched; a compressed one has its upper half zero */
    uint16_t off;              /* bytes from the start of its block */
    uint8_t rd, rs1, rs2, rs3; /* rd is REG_SINK where the instruction names x0 */
    uint8_t rest;              /* instructions of the block from this one on, itself included */
    uint8_t len : 3;           /* 2 or 4 bytes; 0 for the pseudo-op that ends a block */
    uint8_t alone : 1;         /* of a private block: executed once, never linked */
    struct block *link;        /* atomic: the block that a jump of constant distance goes to, if it
                                  is in the same page; NULL: not known yet */
};
enum { REG_SINK = 32 };

/* Exception and interrupt codes (Privileged, table of mcause values). */
enum {
    EXC_FETCH_MISALIGNED = 0,
    EXC_FETCH_ACCESS = 1,
    EXC_ILLEGAL = 2,
    EXC_BREAKPOINT = 3,
    EXC_LOAD_MISALIGNED = 4,
    EXC_LOAD_ACCESS = 5,
    EXC_STORE_MISALIGNED = 6,
    EXC_STORE_ACCESS = 7,
    EXC_ECALL_U = 8,
    EXC_ECALL_S = 9, /* HS */
    EXC_ECALL_VS = 10,
    EXC_ECALL_M = 11,
    EXC_FETCH_PAGE = 12,
    EXC_LOAD_PAGE = 13,
    EXC_STORE_PAGE = 15,
    EXC_FETCH_GUEST_PAGE = 20,
    EXC_LOAD_GUEST_PAGE = 21,
    EXC_VIRTUAL = 22,
    EXC_STORE_GUEST_PAGE = 23,
};
enum {
    IRQ_SSI = 1,
    IRQ_VSSI = 2,
    IRQ_MSI = 3,
    IRQ_STI = 5,
    IRQ_VSTI = 6,
    IRQ_MTI = 7,
    IRQ_SEI = 9,
    IRQ_VSEI = 10,
    IRQ_MEI = 11,
    IRQ_SGEI = 12,
    IRQ_LCOF = 13, /* Sscofpmf: a counter overflowed */
};
#define CAUSE_INTERRUPT BIT(63)

/* Why a hart should leave its blocks: bits of wait_event, each set from any thread. */
enum {
    EVENT_IRQ = 1,  /* look for interrupts again: a line, a timer or an enable changed */
    EVENT_STOP = 2, /* return from hart_run: pause, reset, power-off */
};

/* An exception on its way to being taken. */
struct trap {
    uint64_t cause; /* code, with CAUSE_INTERRUPT for interrupts */
    uint64_t tval;  /* mtval/stval/vstval */
    uint64_t gpa;   /* guest-page faults: GPA, written shifted right by 2 to mtval2/htval */
    uint64_t tinst; /* mtinst/htinst: transformed or pseudo instruction, or 0 */
    bool gva;       /* tval is a guest virtual address: mstatus.GVA/hstatus.GVA */
    uint8_t to;     /* enum trap_to */
    uint16_t iid;   /* TO_VS: the interrupt's code as VS level numbers it */
};
/* Where a trap goes: where medeleg, mideleg and so on send it, or to the level for which
 * hart_pending_interrupt found an interrupt. */
enum trap_to { TO_DELEGATED, TO_M, TO_HS, TO_VS };

/* Why a hart left translated code (jit/jit.h). */
enum native_exit {
    NATIVE_EXIT_COLD,   /* the block that follows is not translated, or no block: it straddles */
    NATIVE_EXIT_FETCH,  /* its page is not in the exec TLB */
    NATIVE_EXIT_EVENT,  /* wait_event was set */
    NATIVE_EXIT_BUDGET, /* fewer instructions are left than it has */
    NATIVE_EXIT_TRAP,   /* inside an instruction: an exception, a return from one, WFI */
    NATIVE_EXIT_SPLIT,  /* accesses that one look-up was to serve lie in two pages or a device */
    NATIVE_EXITS,
};

/* Translator: where accesses found their TLB entries last, or what was in them, as guesses for the
 * next time. A compiler has some hundred thousand that are executed often; what is not used takes
 * no memory. */
enum { HART_SITES = 128 * 1024 };
struct hart_sites {
    uint32_t entry[HART_SITES];  /* offset in the bank's entries for loads, or for stores */
    uint32_t misses[HART_SITES]; /* counted in steps: the carry tells when there were many */
    uint64_t seen[HART_SITES];   /* instructions retired when there were many before */
    uint64_t addend[HART_SITES]; /* of those whose entry is not guessed */
};

/* Translator: words that a translation may put aside. */
enum { HART_ASIDE = 17 };

/* What a hart counts beside instructions (read by --stats). */
struct hart_counters {
    uint64_t exceptions[64], interrupts[64]; /* taken, by code, to any level */
    uint64_t world_switches;                 /* changes of V in either direction */
    uint64_t exits[64];                      /* V=1 to V=0, by exception code; interrupts at 63 */
    uint64_t native_entries, native_exits[NATIVE_EXITS]; /* of translated code */
};

/* CSRs. A field holds the register's own bits; aliases (sstatus, sie, sip, hie, hip, hvip, vsie,
 * vsip, fcsr, ...) are views made in csr_*.c. */
struct csrs {
    uint64_t mstatus, medeleg, mideleg, mie, mtvec, mscratch, mepc, mcause, mtval;
    /* Atomic: the bits that software sets: SSIP, STIP, SEIP, and VSSIP, VSTIP, VSEIP, which are
     * hvip. The lines are irq_lines. */
    uint64_t mip;
    uint64_t mtval2, mtinst, menvcfg, mcounteren, mcountinhibit, mstateen[4];
    /* Counter = retired instructions + base; the counter itself where inhibited. */
    uint64_t mcycle_base, minstret_base;
    uint64_t stvec, sscratch, sepc, scause, stval, satp, senvcfg, scounteren;
    uint64_t stimecmp;
    uint64_t hstatus, hedeleg, hideleg, hcounteren, hgeie, htval, htinst, hgatp;
    uint64_t henvcfg, htimedelta, hstateen[4];
    uint64_t vsstatus, vstvec, vsscratch, vsepc, vscause, vstval, vsatp, vstimecmp;
    uint64_t hiwt;
    /* AIA (aia.c): enables of virtual interrupts, what is pending and enabled of those that have a
     * bit of their own (not an alias of mip or mie), and the windows. */
    uint64_t mvien, mvip, virtual_sie;
    uint64_t hvien, hvip_local, virtual_vsie;
    uint64_t hvictl, hviprio1, hviprio2;
    uint64_t miselect, siselect, vsiselect;
    uint8_t miprio[64], siprio[64]; /* priority numbers of major interrupts; 0: default order */
    /* Counters 3 and up (hpm.c): the event's register, what to add to the event's count (the value
     * itself while it stands still), and the value when overflow was last looked for. */
    uint64_t mhpmevent[32], hpm_base[32], hpm_seen[32];
};

/* Who looks on: trace and counts by guest (debug/events.h). */
struct hart_hooks {
    /* A trap is about to be taken, to TO_M, TO_HS or TO_VS; the state is as before. */
    void (*trap)(struct hart *h, const struct trap *t, enum trap_to to);
    /* V has changed. */
    void (*switched)(struct hart *h);
    /* The window instruction op, with the values of rs1, rs2, rs3, has executed so. */
    void (*window)(struct hart *h, const struct op *op, const uint64_t operands[3],
                   const struct window_result *result);
};

/* Why a hart stopped for a debugger, before the instruction at pc. */
enum hart_halt_why { HALT_NONE, HALT_BREAK, HALT_WATCH };
struct hart_halt {
    enum hart_halt_why why;
    uint64_t va; /* the breakpoint's, or the first watched byte that would be accessed */
};

struct hart_clock {
    /* Value of the time CSR (10 MHz ticks) as hart h sees it now; h may be NULL. */
    uint64_t (*now)(void *opaque, const struct hart *h);
    void *opaque;
};

/* The code of a physical page that this hart has fetched from: since then nothing has happened that
 * code must be compared for (mmu.code_epoch), in the same guest. */
enum { CODE_KNOWN = 4096 };
struct code_known {
    uint64_t ppn, gatp, epoch;
    struct code_page *page;
};

struct hart {
    uint64_t x[33]; /* x[0] stays 0; x[REG_SINK] takes what is written to x0 */
    uint64_t pc;    /* see above */
    int64_t left;   /* instructions to the end of this run, minus those charged */
    struct tlb_bank *dbank; /* of loads and stores, MPRV included */
    struct tlb_bank *xbank; /* of fetches */
    uint32_t wait_event;    /* atomic: EVENT_* */
    uint8_t priv;           /* PRV_U, PRV_S or PRV_M */
    bool v;                 /* virtualization mode V */
    bool may_zero;          /* CBO.ZERO is enabled: context.c */
    bool fp_on;             /* FS is not Off: context.c */
    /* Side by side, so that a translator compares them at once: */
    bool fp_dirty __attribute__((aligned(2))); /* FS is Dirty (both levels where V): context.c */
    uint8_t frm;
    uint8_t fflags;         /* lacks what the host FPU still holds: exec/fp.c */
    uint64_t vpage;         /* translator: address of the page that it executes in */
    int64_t left_aside;     /* translator: part of left, behind the slice that it is in */
    int64_t later;          /* translator: charged for blocks behind that of a slow way */
    struct block *split;    /* translator: accesses of this block's translation lie apart; NULL */
    void *frame;            /* translator: stack pointer where no call is noted on the stack */
    uint64_t aside[HART_ASIDE];
    uint64_t f[32];         /* single precision is NaN-boxed */
    uint32_t host_fp;       /* the thread's own FPU state while the hart runs */

    uint64_t instret_end; /* minstret-to-be when left reaches 0 */
    int64_t slack;        /* a run may end with so many instructions left: hart_run */
    uint8_t *reserved;    /* LR: host address of the reserved datum, NULL: none */
    uint64_t reserved_value;
    unsigned reserved_size;

    uint64_t irq_lines; /* atomic: mip bits driven by devices: MSIP, MTIP, MEIP, SEIP */
    uint64_t hgeip;     /* atomic: guest external interrupts, bits geilen:1 */
    uint64_t timers_due; /* mip bits of the timers, as when interrupts were last looked for */
    uint8_t geilen;     /* guest external interrupts that the board wires up */
    bool virtual_irqs;  /* mvien, hvien or hvictl.VTI: not all interrupts are in mip */
    struct imsic *imsic; /* imsic.h; NULL: this hart has none */
    uint8_t external_priority[2]; /* atomic: of MEI and SEI, as the APLIC says */
    uint32_t hpm_running;  /* counters that count now, by number */
    bool hpm_filtered;     /* some of them count in some modes only */
    bool hpm_watched;      /* some of them raise LCOFI when they overflow */
    uint64_t mtimecmp;  /* atomic; of the ACLINT; MTIP is compared when interrupts are looked for */
    bool waiting;       /* executed WFI and nothing is pending yet */
    bool may_stall;     /* it has a thread of its own, which may wait a little: hart_stall, */
    bool may_poll;      /* and others run beside it: HART_POLLING */
    unsigned pauses;    /* PAUSEs executed, where it may */
    unsigned polls;     /* WFIs that something pending ended, since an interrupt was taken */
    /* Of its thread (machine/run.c), atomic: calls of hart_run that have ended; it waits. */
    uint32_t turns;
    bool idle;
    uint64_t slept;     /* ticks, the last time: hart_sleep */

    struct csrs csr;
    struct mmu mmu;
    struct code_cache *code;
    struct window_hart *window;   /* window_env.c */
    struct mmu_fault window_fault; /* of the local address of the last put or get */
    const struct isa *isa;
    struct mem *mem;
    struct hart_clock clock;
    uint64_t hartid;
    unsigned index;
    struct code_known known[CODE_KNOWN]; /* by page number; context.c has gatp */
    void *private_block; /* where run.c decodes what is executed once */
    struct hart_counters counters;
    struct hart_hooks *hooks; /* NULL: nobody */
    struct hart_halt halt;    /* the debugger clears it */
    bool stepping;            /* for a debugger: breakpoints do not count, */
    bool hold_interrupts;     /* and interrupts wait */
    pthread_mutex_t sleep_lock;
    pthread_cond_t sleep;
    bool sleeping; /* atomic */

    struct hart_sites sites; /* the last: hart_init leaves it alone */
};

/* Prepare a hart over mem and code; state as after reset (hart_reset). Where code has a translator
 * h->sites is of zeros, as new memory is. 0 or -ENOMEM. */
int hart_init(struct hart *h, unsigned index, const struct isa *isa, struct mem *mem,
              struct code_cache *code, struct hart_clock clock);
void hart_free(struct hart *h);

/* Reset: M-mode at pc, registers 0 (Privileged, "Reset"). */
void hart_reset(struct hart *h, uint64_t pc);

enum hart_stop {
    HART_QUANTUM, /* executed all the instructions asked for */
    HART_WAITING, /* in WFI with nothing pending */
    HART_STOPPED, /* EVENT_STOP was set (and is cleared) */
    HART_POLLING, /* where may_poll: behind a WFI that something pending has ended which is not
                   * taken: the program may look at memory in a loop. h->polls came so far */
};

/* Run for at most n instructions, taking interrupts and traps on the way: exactly n unless it
 * returns HART_WAITING, HART_STOPPED or HART_POLLING, or h->slack is not 0: then up to so many
 * fewer. (A slack of BLOCK_MAX - 1 spares it from executing a part of a block as the last thing of
 * a run.) A taken trap counts as no instruction, but as one toward n, so that a hart that only
 * traps comes back too. Only the hart's own thread calls this. */
enum hart_stop hart_run(struct hart *h, uint64_t n);

/* The code of the page that va is in, in the exec TLB from now on. NULL: it cannot be cached, or
 * *faulted with the trap taken, at h->pc. For hart_run and translated code. */
struct code_page *hart_load_code(struct hart *h, uint64_t va, bool *faulted);

/* Block in WFI until something may be pending: an event, or the hart's next timer deadline. Only
 * where the clock's ticks are those of the host's time. */
void hart_sleep(struct hart *h);
/* Block for so many ticks, or until an event is there. */
void hart_nap(struct hart *h, uint64_t ticks);

/* The hart's program waits for another hart's. On a host with fewer cores than harts that one may
 * wait for the core that this thread is on. Nothing of the sort is done where !h->may_stall.
 * hart_stall, for WRS: returns when the reserved datum has changed or an event is there, or after
 * some microseconds. hart_pause, for PAUSE: now and then lets other threads have the core. */
void hart_stall(struct hart *h);
void hart_pause(struct hart *h);

/* From any thread: set bits of wait_event and wake the hart if it sleeps. */
void hart_kick(struct hart *h, uint32_t events);

/* From any thread: drive the mip bits in mask to level, and kick the hart. */
void hart_set_irq(struct hart *h, uint64_t mask, bool level);

/* From any thread: drive guest external interrupt n (1..geilen). */
void hart_set_guest_irq(struct hart *h, unsigned n, bool level);

/* Instructions retired, between runs. */
uint64_t hart_retired(const struct hart *h);
/* Ticks of its clock. */
uint64_t hart_time(const struct hart *h);
/* Earliest time (ticks) at which a timer interrupt of this hart becomes pending; UINT64_MAX:
 * none. */
uint64_t hart_deadline(const struct hart *h);

/* --- trap.c: the virtual machine control logic (Privileged, "Trap Delegation", H "Traps") --- */

/* Take the trap t now, with h->pc the address that goes to epc: choose M, HS or VS, write its
 * CSRs, change privilege and V, go to its vector. */
void hart_take_trap(struct hart *h, const struct trap *t);
/* All of mip as hardware sees it now: software bits, device lines, timers, hvip. */
uint64_t hart_mip(const struct hart *h);
/* The interrupt to take now, highest priority first: true with cause (CAUSE_INTERRUPT set), to and
 * iid of *t. */
bool hart_pending_interrupt(struct hart *h, struct trap *t);
/* WFI's wake-up condition: something is pending and enabled, whatever the global enables. */
bool hart_wakeup_pending(struct hart *h);
/* mret, sret (with V from the current mode): h->pc becomes the return address. The exec functions
 * have checked permission. */
void hart_mret(struct hart *h);
void hart_sret(struct hart *h);

/* --- context.c --- */

/* Choose dbank, xbank, may_zero, fp_on and fp_dirty anew from privilege, V and the CSRs: call after
 * any change of these. */
void hart_update_context(struct hart *h);
/* may_zero alone: call after any change of menvcfg, henvcfg or senvcfg. */
void hart_update_cbo(struct hart *h);
/* Whether field of menvcfg, henvcfg and senvcfg lets a cache-block instruction through now (Control
 * and Status Register State). False: it raises a virtual-instruction exception, if *is_virtual, or
 * an illegal-instruction exception. */
bool hart_cbo_enabled(const struct hart *h, uint64_t field, bool *is_virtual);
/* After a change that may let an interrupt through: have the run loop look, if so. Timers are
 * those that were due when it last looked; after a change to a timer set EVENT_IRQ itself. */
void hart_irq_changed(struct hart *h);
/* The context of loads and stores at effective privilege priv with V=v (HLV, MPRV). */
struct mmu_ctx hart_context(const struct hart *h, unsigned priv, bool v);

/* --- for exec/ --- */

/* Address of the instruction op while its block runs. */
static inline uint64_t hart_pc(const struct hart *h, const struct op *op)
{
    return h->pc + op->off;
}

/* Instructions retired before op while its block runs. */
static inline uint64_t hart_instret(const struct hart *h, const struct op *op)
{
    return h->instret_end - (uint64_t)h->left - op->rest;
}

/* Take an exception at op: refund what was charged, set pc, take the trap. Result: NULL, which an
 * exec function returns to leave the block. */
const struct op *hart_raise(struct hart *h, const struct op *op, uint64_t cause, uint64_t tval);
/* The same for a fault of the MMU on an explicit access of op: makes the transformed instruction
 * of a guest-page fault (H, "Transformed Instruction or Pseudoinstruction for mtinst or htinst").
 * va is the address that the instruction named (its offset from fault->va is part of it); v: the
 * access was a virtual one (GVA). */
const struct op *hart_raise_fault(struct hart *h, const struct op *op, const struct mmu_fault *f,
                                  uint64_t va, bool v);
/* Stop before op for a debugger: hart_run comes back with HART_STOPPED. Result: NULL. */
const struct op *hart_halt(struct hart *h, const struct op *op, enum hart_halt_why why,
                           uint64_t va);
/* Illegal-instruction or virtual-instruction exception at op, with the instruction in tval. */
const struct op *hart_illegal(struct hart *h, const struct op *op);
const struct op *hart_virtual(struct hart *h, const struct op *op);

#endif
