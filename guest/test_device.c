/* SPDX-License-Identifier: MIT */
/* The devices that the hypervisor shows its guests: a 16550 and a PLIC, accessed in every way. */
#include "csr.h"
#include "demo.h"
#include "sbi.h"

#define UART 0x10000000ull
#define UART_SOURCE 10
#define PLIC 0x0C000000ull
#define PLIC_PRIORITY(source) (PLIC + 4 * (source))
#define PLIC_PENDING (PLIC + 0x1000)
#define PLIC_ENABLE(context) (PLIC + 0x2000 + 0x80 * (context))
#define PLIC_THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (context))
#define PLIC_CLAIM(context) (PLIC_THRESHOLD(context) + 4)

enum { DATA = 0, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };
enum { IER_RX = 1, IER_THRE = 2, LCR_DLAB = 0x80, LOOP = 0x10 };

static uint64_t woken;

static uint8_t in(unsigned reg)
{
    return *(volatile uint8_t *)(UART + reg);
}

static void out(unsigned reg, uint8_t value)
{
    *(volatile uint8_t *)(UART + reg) = value;
}

static uint32_t read32(uint64_t address)
{
    return *(volatile uint32_t *)address;
}

static void write32(uint64_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* Whether an external interrupt is taken when it may be. (QEMU 7.2 does not show it in sip.) */
static bool interrupted(void)
{
    uint64_t before = this_cpu()->interrupts;

    csr_set(CSR_SIE, 1ull << IRQ_SEI);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    csr_clear(CSR_SIE, 1ull << IRQ_SEI);
    return this_cpu()->interrupts != before;
}

/* A load by @text into a register that C code keeps to itself, and into one that it does not; both
   of those that compressed instructions name. */
#define LOAD(text, address)                                                                        \
    ({                                                                                             \
        uint64_t kept_, other_;                                                                    \
        __asm__ volatile("mv s1, %2\n\t" text " s0, 0(s1)\n\t" text " a5, 0(s1)\n\t"               \
                         "mv %0, s0\n\tmv %1, a5"                                                  \
                         : "=&r"(kept_), "=&r"(other_)                                             \
                         : "r"(address)                                                            \
                         : "s0", "s1", "a5", "memory");                                            \
        kept_ == other_ ? kept_ : 0xbad;                                                           \
    })
#define STORE(text, address, value)                                                                \
    __asm__ volatile("mv s1, %0\n\tmv s0, %1\n\t" text " s0, 0(s1)"                                \
                     :                                                                             \
                     : "r"(address), "r"((uint64_t)(value))                                        \
                     : "s0", "s1", "memory")

static void test_widths(void)
{
    uint64_t scratch = UART + SCRATCH, priority = PLIC_PRIORITY(4);
    bool ok = true;

    STORE("sb", scratch, 0x1234a5);
    ok &= LOAD("lb", scratch) == (uint64_t)(int8_t)0xa5 && LOAD("lbu", scratch) == 0xa5;
    ok &= LOAD("lh", scratch - 1) == 0xb0 && LOAD("lhu", scratch - 1) == 0xb0; /* MSR */
    STORE("sh", scratch - 1, 0);
    ok &= in(SCRATCH) == 0xa5;
    STORE("c.sw", priority, 5);
    ok &= LOAD("c.lw", priority) == 5 && LOAD("lwu", priority) == 5;
    STORE(".option push\n\t.option norvc\n\tsw", priority, 6);
    ok &= LOAD("lw", priority) == 6;
    __asm__ volatile(".option pop");
    STORE("c.sd", priority, 7); /* no access for a PLIC */
    ok &= LOAD("c.ld", priority) == 0 && LOAD("c.lw", priority) == 6;
    /* with the stack in the device */
    __asm__ volatile("mv s2, sp\n\tmv sp, %0\n\tc.lwsp s3, 0(sp)\n\taddi s3, s3, -2\n\t"
                     "c.swsp s3, 0(sp)\n\tmv sp, s2"
                     :
                     : "r"(priority)
                     : "s2", "s3", "memory");
    ok &= LOAD("c.lw", priority) == 4;
    __asm__ volatile("lb x0, 0(%0)" : : "r"(scratch)); /* writes nothing */
    write32(priority, 0);
    say("@widths %d\n", ok);
}

static void test_registers(void)
{
    bool ok = true;

    out(LCR, 3);
    out(IER, 0xff);
    ok &= in(IER) == 0xf && in(LCR) == 3;
    out(IER, 0);
    out(LCR, LCR_DLAB | 3);
    out(DATA, 0x12);
    out(IER, 0x34);
    ok &= in(DATA) == 0x12 && in(IER) == 0x34;
    out(LCR, 3);
    ok &= in(IER) == 0 && in(LSR) == 0x60 && in(MSR) == 0xb0;
    ok &= in(IIR) == 1;
    out(IIR, 1); /* FCR: FIFOs on */
    ok &= in(IIR) == 0xc1;
    write32(PLIC_ENABLE(0), -1u);
    ok &= read32(PLIC_ENABLE(0)) == -2u && read32(PLIC_ENABLE(2)) == 0;
    write32(PLIC_ENABLE(0), 0);
    write32(PLIC_THRESHOLD(0), 0xff);
    ok &= read32(PLIC_THRESHOLD(0)) == 7;
    write32(PLIC_THRESHOLD(0), 0);
    ok &= read32(PLIC + 0x5ffffc) == 0;
    say("@registers %d\n", ok);
}

static void test_uart(void)
{
    static const char TEXT[] = "by the UART\r\n";
    bool ok = true;

    for (const char *s = TEXT; *s; s++)
        out(DATA, (uint8_t)*s);
    out(IER, IER_THRE);
    ok &= (in(IIR)&0xf) == 2 && (in(IIR)&0xf) == 1; /* reading it ends it */
    out(IER, 0);
    out(MCR, LOOP);
    for (unsigned i = 0; i < 10; i++)
        out(DATA, (uint8_t)('a' + i));
    for (unsigned i = 0; i < 10; i++)
        ok &= in(LSR) == 0x61 && in(DATA) == 'a' + i;
    ok &= in(LSR) == 0x60 && in(DATA) == 0;
    out(DATA, 'x');
    out(IIR, 3); /* FCR: clear what was received */
    ok &= in(LSR) == 0x60;
    out(MCR, 0);
    say("@uart %d\n", ok);
}

static void test_plic(void)
{
    const uint32_t bit = 1u << UART_SOURCE;
    bool ok = true;

    out(MCR, LOOP);
    out(IER, IER_RX);
    write32(PLIC_ENABLE(0), bit);
    out(DATA, 'y');
    ok &= read32(PLIC_PENDING) == bit && !interrupted() && read32(PLIC_CLAIM(0)) == 0;
    write32(PLIC_PRIORITY(UART_SOURCE), 2);
    ok &= interrupted();
    write32(PLIC_THRESHOLD(0), 2);
    ok &= !interrupted();
    write32(PLIC_THRESHOLD(0), 1);
    ok &= interrupted();
    ok &= read32(PLIC_CLAIM(1)) == 0 && read32(PLIC_CLAIM(0)) == UART_SOURCE;
    ok &= !interrupted() && read32(PLIC_CLAIM(0)) == 0;
    write32(PLIC_CLAIM(0), UART_SOURCE); /* its line is still high */
    ok &= interrupted() && read32(PLIC_CLAIM(0)) == UART_SOURCE;
    ok &= in(DATA) == 'y';
    write32(PLIC_CLAIM(0), UART_SOURCE);
    ok &= !interrupted() && read32(PLIC_PENDING) == 0;
    write32(PLIC_THRESHOLD(0), 0);
    write32(PLIC_ENABLE(0), 0);
    say("@plic %d\n", ok);
}

/* Without leaving the hart, unless the hypervisor makes it. */
static void spin_until_interrupted(void)
{
    const volatile uint64_t *taken = &this_cpu()->interrupts;
    uint64_t before = *taken;

    csr_set(CSR_SIE, 1ull << IRQ_SEI);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    while (*taken == before)
        ;
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
}

/* vCPU 1 sleeps or computes until the UART interrupts it. */
static void sleep_for_uart(struct cpu *cpu)
{
    write32(PLIC_ENABLE(1), 1u << UART_SOURCE);
    for (uint64_t n = 1; n <= 20; n++) {
        if (n & 1) {
            while (!interrupted()) {
                csr_set(CSR_SIE, 1ull << IRQ_SEI);
                __asm__ volatile("wfi" ::: "memory");
            }
        } else {
            spin_until_interrupted();
        }
        if (read32(PLIC_CLAIM(1)) != UART_SOURCE || in(DATA) != n)
            return;
        write32(PLIC_CLAIM(1), UART_SOURCE);
        __atomic_store_n(&woken, n, __ATOMIC_RELEASE);
    }
}

static void test_wakes(struct guest *g)
{
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

    if (!cpu_start(g, 1, sleep_for_uart))
        say("@error vCPU 1 does not start\n");
    for (uint64_t n = 1; n <= 20; n++) {
        guest_sleep(g, n & 2 ? 2000 : 10); /* asleep by then, or not */
        out(DATA, (uint8_t)n);
        while (__atomic_load_n(&woken, __ATOMIC_ACQUIRE) != n && time_now() < end)
            guest_yield();
    }
    say("@wakes %d\n", woken == 20);
}

int guest_main(struct guest *g)
{
    test_widths();
    test_registers();
    test_uart();
    test_plic();
    test_wakes(g);
    return 0;
}
