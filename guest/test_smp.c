/* SPDX-License-Identifier: MIT */
/*
 * A guest with several vCPUs: HSM, IPIs, the timer, remote fences, and floating-point registers
 * across preemption and migration (run it with more vCPUs than harts).
 */
#include "csr.h"
#include "demo.h"
#include "sbi.h"

#define SHARED_VA 0x1500000000ull
#define FENCE_ROUNDS 60
#define FP_ROUNDS 300
#define CSR_ROUNDS 100
#define OWN_ROUNDS 300
#define OWN_PAGES 5 /* a vCPU that goes around the harts finds another page at each turn */

static struct smp {
    struct space space;
    uint64_t pages[2]; /* physical */
    uint64_t hello[MAX_CPUS];
    uint64_t ipis[MAX_CPUS];
    uint64_t round, seen[MAX_CPUS];
    uint64_t fp_errors, csr_errors, own_errors;
    bool doubles; /* else single precision only */
    uint32_t allocating;
    bool stop;
} smp;

static uint64_t hart_status(uint64_t id)
{
    return (uint64_t)sbi_call(SBI_HSM, SBI_HSM_STATUS, id, 0, 0, 0, 0).value;
}

static bool wait_for(struct guest *g, const uint64_t *value, uint64_t wanted)
{
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

    while (__atomic_load_n(value, __ATOMIC_ACQUIRE) != wanted && time_now() < end)
        guest_sleep(g, 100);
    return *value == wanted;
}

static bool all_done(struct guest *g)
{
    for (unsigned i = 1; i < g->cpu_count; i++) {
        uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

        while (hart_status(i) != SBI_HSM_STOPPED && time_now() < end)
            guest_sleep(g, 100);
        if (!g->cpus[i].done || hart_status(i) != SBI_HSM_STOPPED)
            return false;
    }
    return true;
}

static void on_all(struct guest *g, void (*run)(struct cpu *cpu))
{
    for (unsigned i = 1; i < g->cpu_count; i++)
        if (!cpu_start(g, i, run))
            say("@error vCPU %u does not start\n", i);
}

static void say_hello(struct cpu *cpu)
{
    __atomic_store_n(&smp.hello[cpu->id], cpu->id + 1, __ATOMIC_RELEASE);
}

static void test_hsm(struct guest *g)
{
    bool ok = hart_status(0) == SBI_HSM_STARTED && hart_status(1) == SBI_HSM_STOPPED;

    ok &=
        sbi_call(SBI_HSM, SBI_HSM_START, 0, 0x80200000, 0, 0, 0).error == SBI_ERR_ALREADY_AVAILABLE;
    ok &= sbi_call(SBI_HSM, SBI_HSM_START, MAX_CPUS, 0x80200000, 0, 0, 0).error ==
          SBI_ERR_INVALID_PARAM;
    ok &= sbi_call(SBI_HSM, SBI_HSM_START, 1, 0x1000, 0, 0, 0).error == SBI_ERR_INVALID_ADDRESS;
    on_all(g, say_hello);
    ok &= all_done(g);
    for (unsigned i = 1; i < g->cpu_count; i++)
        ok &= smp.hello[i] == i + 1;
    say("@hsm %d\n", ok);
}

/* WFI with interrupts off, so that none slips in between the check and the wait. */
static void take_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
}

/* Each waits in WFI for an IPI, takes it, and answers vCPU 0. */
static void take_ipis(struct cpu *cpu)
{
    csr_set(CSR_SIE, 1ull << IRQ_SSI);
    while (cpu->interrupts < 10) {
        uint64_t before = cpu->interrupts;

        while (cpu->interrupts == before)
            take_interrupt();
        __atomic_store_n(&smp.ipis[cpu->id], cpu->interrupts, __ATOMIC_RELEASE);
    }
}

static void test_ipi(struct guest *g)
{
    uint64_t others = ((1ull << g->cpu_count) - 1) & ~1ull;
    bool ok = true;

    for (unsigned i = 1; i < g->cpu_count; i++)
        g->cpus[i].interrupts = 0;
    on_all(g, take_ipis);
    for (uint64_t n = 1; n <= 10; n++) {
        sbi_call(SBI_IPI, 0, others, 0, 0, 0, 0);
        for (unsigned i = 1; i < g->cpu_count; i++)
            ok &= wait_for(g, &smp.ipis[i], n);
    }
    ok &= all_done(g);
    ok &= sbi_call(SBI_IPI, 0, 1ull << MAX_CPUS, 0, 0, 0, 0).error == SBI_ERR_INVALID_PARAM;
    say("@ipi %d\n", ok);
}

/* Reads through a mapping that vCPU 0 keeps changing under them. */
static void read_mapping(struct cpu *cpu)
{
    space_use(&smp.space);
    while (!__atomic_load_n(&smp.stop, __ATOMIC_ACQUIRE)) {
        uint64_t round = __atomic_load_n(&smp.round, __ATOMIC_ACQUIRE);

        if (smp.seen[cpu->id] >> 8 == round) {
            guest_sleep(cpu->guest, 100);
            continue;
        }
        __atomic_store_n(&smp.seen[cpu->id], round << 8 | (*(volatile uint64_t *)SHARED_VA & 0xff),
                         __ATOMIC_RELEASE);
    }
}

static void test_fence(struct guest *g)
{
    bool ok = true;

    for (unsigned i = 0; i < 2; i++) {
        uint64_t *page = pages_alloc(g, 1);

        *page = i;
        smp.pages[i] = (uint64_t)page;
    }
    space_map(g, &smp.space, SHARED_VA, smp.pages[0], PAGE_SIZE, PTE_R);
    space_use(&smp.space);
    on_all(g, read_mapping);
    for (uint64_t n = 1; n <= FENCE_ROUNDS; n++) {
        space_map(g, &smp.space, SHARED_VA, smp.pages[n & 1], PAGE_SIZE, PTE_R);
        sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_VMA, 0, UINT64_MAX, SHARED_VA, PAGE_SIZE, 0);
        __atomic_store_n(&smp.round, n, __ATOMIC_RELEASE);
        for (unsigned i = 1; i < g->cpu_count; i++)
            ok &= wait_for(g, &smp.seen[i], n << 8 | (n & 1));
    }
    __atomic_store_n(&smp.stop, true, __ATOMIC_RELEASE);
    ok &= all_done(g);
    say("@fence %d\n", ok);
}

/* Gives its hart away, in ways that bring it to another one often. */
static void leave_hart(struct cpu *cpu, uint64_t n)
{
    if (n % 2)
        guest_yield();
    else
        guest_sleep(cpu->guest, 20 + 37 * (n + cpu->id) % 150);
}

/* Map the page of round @n at both addresses, and fence as if no other hart were there. */
static void remap(struct cpu *cpu, struct space *space, uint64_t *const *pages, const uint64_t *va,
                  uint64_t n)
{
    for (unsigned i = 0; i < 2; i++) {
        space_map(cpu->guest, space, va[i], (uint64_t)pages[n % OWN_PAGES], PAGE_SIZE, PTE_R);
        __asm__ volatile("sfence.vma %0, zero" : : "r"(va[i]) : "memory");
    }
}

/* Keeps its own values in registers that a careless world switch would lose. The compiler's own
   ones are lost with them: what is compared is held in integers. */
static void hold_fp(struct cpu *cpu)
{
    uint64_t seed = (smp.doubles ? 0x3ff8000000000000 : 0x3fc00000) | cpu->id;

    for (unsigned n = 0; n < FP_ROUNDS; n++) {
        uint64_t end = time_now() + cpu->guest->timebase / 10000;
        uint64_t low, high;

        if (smp.doubles)
            __asm__ volatile("fmv.d.x ft0, %0\n\tfmv.d.x ft11, %0" : : "r"(seed) : "ft0", "ft11");
        else
            __asm__ volatile("fmv.w.x ft0, %0\n\tfmv.w.x ft11, %0" : : "r"(seed) : "ft0", "ft11");
        if (n & 1)
            guest_yield();
        do {
            if (smp.doubles)
                __asm__ volatile("fmv.x.d %0, ft0\n\tfmv.x.d %1, ft11" : "=r"(low), "=r"(high));
            else
                __asm__ volatile("fmv.x.w %0, ft0\n\tfmv.x.w %1, ft11" : "=r"(low), "=r"(high));
        } while (time_now() < end);
        if (low != seed || high != seed)
            __atomic_fetch_add(&smp.fp_errors, 1, __ATOMIC_RELAXED);
    }
}

static void test_fp(struct guest *g)
{
    const char *isa = fdt_string(&g->fdt, fdt_find(&g->fdt, "/cpus/cpu"), "riscv,isa", "");

    while (*isa && *isa != '_' && *isa != 'd')
        isa++;
    smp.doubles = *isa == 'd';
    on_all(g, hold_fp);
    hold_fp(&g->cpus[0]);
    say("@fp %d\n", all_done(g) && !smp.fp_errors);
}

/* The same with the supervisor's registers, as far as each can hold what is written. */
#define EACH_CSR(X)                                                                                \
    X(CSR_SSCRATCH, 0)                                                                             \
    X(CSR_SEPC, 1)                                                                                 \
    X(CSR_SCAUSE, 2)                                                                               \
    X(CSR_STVAL, 3)                                                                                \
    X(CSR_SCOUNTEREN, 4)                                                                           \
    X(CSR_SENVCFG, 5)

static void hold_csrs(struct cpu *cpu)
{
#define KEEP(csr, i) kept[i] = csr_read(csr);
#define HOLD(csr, i)                                                                               \
    csr_write(csr, cpu->id << 4 | cpu->id << 1);                                                   \
    held[i] = csr_read(csr);
#define LOOK(csr, i) errors += csr_read(csr) != held[i];
#define GIVE_BACK(csr, i) csr_write(csr, kept[i]);
    uint64_t kept[6], held[6], errors = 0;

    EACH_CSR(KEEP)
    for (uint64_t n = 0; n < CSR_ROUNDS; n++) {
        EACH_CSR(HOLD)
        leave_hart(cpu, n);
        EACH_CSR(LOOK)
    }
    EACH_CSR(GIVE_BACK)
    __atomic_fetch_add(&smp.csr_errors, errors, __ATOMIC_RELAXED);
}

static void test_csrs(struct guest *g)
{
    on_all(g, hold_csrs);
    hold_csrs(&g->cpus[0]);
    say("@csrs %d\n", all_done(g) && !smp.csr_errors);
}

/*
 * Each vCPU changes its own tables, all under one ASID, with no other fence than its own
 * SFENCE.VMA. It must see neither what another vCPU left in the TLB of a hart nor what it left
 * itself before it moved to another hart and back. For the first it reads an address that all of
 * them use, for the second one that nobody else fences.
 */
static void read_own(struct cpu *cpu)
{
    const uint64_t va[2] = {SHARED_VA, SHARED_VA + (1 + cpu->id) * PAGE_SIZE};
    struct space space;
    uint64_t *pages[OWN_PAGES];

    while (__atomic_exchange_n(&smp.allocating, 1, __ATOMIC_ACQUIRE))
        guest_yield();
    space_create(cpu->guest, &space, 3);
    for (unsigned i = 0; i < OWN_PAGES; i++) {
        pages[i] = pages_alloc(cpu->guest, 1);
        *pages[i] = OWN_PAGES * cpu->id + i;
    }
    remap(cpu, &space, pages, va, 0);
    __atomic_store_n(&smp.allocating, 0, __ATOMIC_RELEASE);
    space_use(&space);
    for (uint64_t n = 0; n < 2 * OWN_ROUNDS; n++) {
        uint64_t wanted = OWN_PAGES * cpu->id + n / 2 % OWN_PAGES;

        if (n % 2)
            leave_hart(cpu, n / 2);
        else
            remap(cpu, &space, pages, va, n / 2);
        for (unsigned i = 0; i < 2; i++)
            if (*(volatile uint64_t *)va[i] != wanted)
                __atomic_fetch_add(&smp.own_errors, 1, __ATOMIC_RELAXED);
    }
}

static void test_own(struct guest *g)
{
    on_all(g, read_own);
    read_own(&g->cpus[0]);
    space_use(&smp.space);
    say("@own %d\n", all_done(g) && !smp.own_errors);
}

static void test_timer(struct guest *g)
{
    struct cpu *cpu = this_cpu();
    uint64_t start = time_now(), elapsed;
    bool ok = true;

    cpu->interrupts = 0;
    csr_set(CSR_SIE, 1ull << IRQ_STI);
    for (uint64_t n = 1; n <= 20; n++) {
        sbi_call(SBI_TIME, 0, time_now() + g->timebase / 1000, 0, 0, 0, 0);
        while (cpu->interrupts < n)
            take_interrupt();
    }
    csr_clear(CSR_SIE, 1ull << IRQ_STI);
    elapsed = (time_now() - start) * 1000 / g->timebase;
    ok &= cpu->interrupts == 20 && elapsed >= 20;
    say("@timer %d\n", ok);
}

int guest_main(struct guest *g)
{
    space_create(g, &smp.space, 3);
    space_use(&smp.space);
    if (g->cpu_count < 2) {
        say("@error test_smp needs several vCPUs\n");
        return 1;
    }
    test_hsm(g);
    test_ipi(g);
    test_timer(g);
    test_fence(g);
    test_fp(g);
    test_csrs(g);
    test_own(g);
    say("@done\n");
    return 0;
}
