/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's SBI: what it answers to wrong arguments, that it leaves the registers alone, and
 * that calls at random do it no harm; and the registers and instructions that it withholds. One
 * vCPU, and one window of which it is owner and peer.
 */
#include "csr.h"
#include "demo.h"
#include "isthmus_sbi.h"
#include "xisthmus.h"
#include "sbi.h"

#define USER_VA 0x10000000ull
#define NULL_LOADS 20000
#define NULL_SPACES 4
#define RANDOM_CALLS 30000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An ECALL with a value of its own in every register that the call must leave alone: 0 when they
   are all there afterwards. */
int64_t call_and_check(uint64_t eid, uint64_t fid);

#define CALLEE_SAVED "1,3,4,8,9,18,19,20,21,22,23,24,25,26,27"
#define ALL_OTHERS "1,3,4,5,6,7,8,9,12,13,14,15,18,19,20,21,22,23,24,25,26,27,28,29,30,31"

__asm__(".text\n"
        "call_and_check:\n"
        "    addi sp, sp, -256\n"
        "    .irp n, " CALLEE_SAVED "\n"
        "    sd x\\n, 8*\\n(sp)\n"
        "    .endr\n"
        "    mv a7, a0\n"
        "    mv a6, a1\n"
        "    .irp n, " ALL_OTHERS "\n"
        "    li x\\n, 0x1234 + 77*\\n\n"
        "    .endr\n"
        "    li a0, 0\n"
        "    li a1, 0\n"
        "    ecall\n"
        "    .irp n, " ALL_OTHERS "\n"
        "    li a0, 0x1234 + 77*\\n\n"
        "    bne x\\n, a0, 1f\n"
        "    .endr\n"
        "    li a0, 0\n"
        "1:\n"
        "    .irp n, " CALLEE_SAVED "\n"
        "    ld x\\n, 8*\\n(sp)\n"
        "    .endr\n"
        "    addi sp, sp, 256\n"
        "    ret\n");

static const struct {
    const char *name;
    uint64_t eid, fid, args[3];
    int64_t error;
} ANSWERS[] = {
    {"no such extension", 0x12345678, 0, {0}, SBI_ERR_NOT_SUPPORTED},
    {"legacy 9", 9, 0, {0}, SBI_ERR_NOT_SUPPORTED},
    {"base 7", SBI_BASE, 7, {0}, SBI_ERR_NOT_SUPPORTED},
    {"time 1", SBI_TIME, 1, {0}, SBI_ERR_NOT_SUPPORTED},
    {"ipi to nobody", SBI_IPI, 0, {0, 0}, SBI_OK},
    {"ipi to hart 1", SBI_IPI, 0, {2, 0}, SBI_ERR_INVALID_PARAM},
    {"ipi from base 1", SBI_IPI, 0, {1, 1}, SBI_ERR_INVALID_PARAM},
    {"ipi from base 64", SBI_IPI, 0, {1, 64}, SBI_ERR_INVALID_PARAM},
    {"ipi past 63", SBI_IPI, 0, {6, 63}, SBI_ERR_INVALID_PARAM},
    {"ipi to all", SBI_IPI, 0, {0, -1ull}, SBI_OK},
    {"rfence to hart 1", SBI_RFENCE, 1, {2, 0}, SBI_ERR_INVALID_PARAM},
    {"rfence of all", SBI_RFENCE, 1, {1, 0, -1ull}, SBI_OK},
    {"rfence for a hypervisor", SBI_RFENCE, 3, {1, 0}, SBI_ERR_NOT_SUPPORTED},
    {"start of hart 8", SBI_HSM, SBI_HSM_START, {8, 0x80200000}, SBI_ERR_INVALID_PARAM},
    {"start of itself", SBI_HSM, SBI_HSM_START, {0, 0x80200000}, SBI_ERR_ALREADY_AVAILABLE},
    {"status of hart 1", SBI_HSM, SBI_HSM_STATUS, {1}, SBI_ERR_INVALID_PARAM},
    {"non-retentive suspend", SBI_HSM, SBI_HSM_SUSPEND, {0x80000000}, SBI_ERR_NOT_SUPPORTED},
    {"reserved suspend", SBI_HSM, SBI_HSM_SUSPEND, {1}, SBI_ERR_INVALID_PARAM},
    {"platform's suspend", SBI_HSM, SBI_HSM_SUSPEND, {0x10000000}, SBI_ERR_INVALID_PARAM},
    {"hsm 4", SBI_HSM, 4, {0}, SBI_ERR_NOT_SUPPORTED},
    {"reserved reset", SBI_SRST, 0, {3, 0}, SBI_ERR_INVALID_PARAM},
    {"reset for a reserved reason", SBI_SRST, 0, {0, 2}, SBI_ERR_INVALID_PARAM},
    {"srst 1", SBI_SRST, 1, {0}, SBI_ERR_NOT_SUPPORTED},
    {"text above 2^64", SBI_DBCN, 0, {1, 0x80200000, 1}, SBI_ERR_INVALID_PARAM},
    {"text outside of memory", SBI_DBCN, 0, {1, 0x1000, 0}, SBI_ERR_INVALID_PARAM},
    {"text in a device", SBI_DBCN, 0, {1, 0x10000000, 0}, SBI_ERR_INVALID_PARAM},
    {"no text", SBI_DBCN, 0, {0, 0x1000, 0}, SBI_OK},
    {"input above 2^64", SBI_DBCN, 1, {1, 0x80200000, 1}, SBI_ERR_INVALID_PARAM},
    {"input outside of memory", SBI_DBCN, 1, {1, 0x1000, 0}, SBI_ERR_INVALID_PARAM},
    {"dbcn 3", SBI_DBCN, 3, {0}, SBI_ERR_NOT_SUPPORTED},
    {"isthmus 5", ISTHMUS_EID, 5, {0}, SBI_ERR_NOT_SUPPORTED},
};

static void test_answers(void)
{
    bool ok = true;

    for (unsigned i = 0; i < COUNT(ANSWERS); i++) {
        const uint64_t *a = ANSWERS[i].args;
        struct sbiret ret = sbi_call(ANSWERS[i].eid, ANSWERS[i].fid, a[0], a[1], a[2], 0, 0);

        if (ret.error == ANSWERS[i].error)
            continue;
        ok = false;
        say("%s: %ld, not %ld\n", ANSWERS[i].name, ret.error, ANSWERS[i].error);
    }
    say("@answers %d\n", ok);
}

static void test_registers(void)
{
    static const uint64_t CALLS[][2] = {
        {SBI_BASE, 0},      {SBI_TIME, 0},    {SBI_IPI, 0},
        {SBI_RFENCE, 0},    {SBI_RFENCE, 1},  {SBI_HSM, SBI_HSM_STATUS},
        {SBI_DBCN, 0},      {ISTHMUS_EID, 0}, {ISTHMUS_EID, ISTHMUS_YIELD},
        {ISTHMUS_EID, 999}, {0x12345678, 0},  {SBI_LEGACY_CLEAR_IPI, 0},
    };
    bool ok = true;

    for (unsigned i = 0; i < COUNT(CALLS); i++)
        ok &= !call_and_check(CALLS[i][0], CALLS[i][1]);
    say("@registers %d\n", ok);
}

static uint64_t random_number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* What would end or stop this vCPU, or fill the console. */
static bool harmful(uint64_t eid, uint64_t fid, const uint64_t *a)
{
    if (eid == SBI_LEGACY_SHUTDOWN || eid == SBI_LEGACY_PUTCHAR)
        return true;
    if (eid == SBI_SRST && fid == 0)
        return (uint32_t)a[0] <= SBI_SRST_WARM_REBOOT;
    if (eid == SBI_HSM)
        return fid == SBI_HSM_STOP || (fid == SBI_HSM_SUSPEND && !(uint32_t)a[0]);
    return eid == SBI_DBCN && (fid == 2 || (fid == 0 && a[0]));
}

static void test_random_calls(struct guest *g)
{
    static const uint64_t EIDS[] = {
        0,          1,        2,        3,           4,           5,           6,
        7,          8,        9,        SBI_BASE,    SBI_TIME,    SBI_IPI,     SBI_HSM,
        SBI_RFENCE, SBI_SRST, SBI_DBCN, ISTHMUS_EID, ISTHMUS_EID, ISTHMUS_EID, 0x0A000000};
    static uint8_t buffer[3 * PAGE_SIZE];
    const uint64_t values[] = {0,
                               1,
                               2,
                               8,
                               63,
                               64,
                               4095,
                               -1ull,
                               -8ull,
                               1ull << 32,
                               1ull << 63,
                               0x10000000,
                               g->ram_base + g->ram_size - 4,
                               g->ram_base + g->ram_size,
                               (uint64_t)buffer,
                               (uint64_t)buffer + 4093,
                               1ull << 38,
                               g->ops ? g->ops->query(0, IGQ_HANDLE) : 0,
                               (g->ops ? g->ops->query(0, IGQ_HANDLE) << 32 : 0) | 5000};
    uint64_t state = 0x9e3779b97f4a7c15, answered = 0;

    for (unsigned i = 0; i < RANDOM_CALLS; i++) {
        uint64_t eid = EIDS[random_number(&state) % COUNT(EIDS)], fid = random_number(&state) % 8;
        uint64_t a[5];

        for (unsigned k = 0; k < COUNT(a); k++)
            a[k] = values[random_number(&state) % COUNT(values)];
        if (eid == ISTHMUS_EID && random_number(&state) & 1)
            fid = (fid + ISTHMUS_PUT) | (random_number(&state) & 1 ? ISTHMUS_AS_USER : 0);
        if (!harmful(eid, fid, a))
            answered += catch_trap(sbi_call(eid, fid, a[0], a[1], a[2], a[3], a[4]));
    }
    say("@random %d\n", answered > RANDOM_CALLS / 2);
}

/* Registers of the hypervisor, and those that it does not keep for each guest. */
#define WITHHELD(X)                                                                                \
    X(CSR_VSSTATUS)                                                                                \
    X(CSR_HSTATUS)                                                                                 \
    X(CSR_HGATP)                                                                                   \
    X(CSR_HVIP) X(CSR_HIWT) X(CSR_SSTATEEN0) X(CSR_SISELECT) X(CSR_SIREG) X(CSR_STOPEI)            \
        X(CSR_STOPI)

USER_CODE static void user_wfi(uint64_t argument)
{
    __asm__ volatile("wfi\n\tmv a0, zero\n\tmv a7, zero\n\tecall");
}

static void test_withheld(struct guest *g, struct space *space)
{
    uint64_t entry = USER_VA + ((uint64_t)user_wfi - (uint64_t)user_start);
    bool ok = true;
    int64_t left;

#define TRY(csr)                                                                                   \
    if (catch_trap((void)csr_read(csr)) || this_cpu()->caught_cause != CAUSE_ILLEGAL) {            \
        say(#csr " can be read\n");                                                                \
        ok = false;                                                                                \
    }
    WITHHELD(TRY)
#undef TRY
    space_map(g, space, USER_VA, (uint64_t)user_start, (uint64_t)(user_end - user_start),
              PTE_R | PTE_X | PTE_U);
    space_use(space);
    left = user_run(entry, 0, 0);
    if (left != -CAUSE_ILLEGAL)
        say("WFI in user mode: %ld\n", left);
    say("@withheld %d\n", ok && left == -CAUSE_ILLEGAL);
}

static __attribute__((noinline)) uint8_t load(const volatile uint8_t *p)
{
    return *p;
}

/* Page 0 is not mapped: neither where a load went often to another page before, nor in a space that
   never saw that page. */
static void test_null(struct guest *g)
{
    static uint8_t buffer[2 * PAGE_SIZE];
    unsigned faults = 0;

    for (unsigned n = 0; n < NULL_SPACES; n++) {
        struct space other;

        for (unsigned i = 0; i < NULL_LOADS; i++)
            load(buffer + i % sizeof(buffer));
        space_create(g, &other, 3);
        space_use(&other);
        for (uint64_t at = 0; at < PAGE_SIZE; at += 8)
            faults += !catch_trap(load((const uint8_t *)at));
    }
    say("@null %d\n", faults == NULL_SPACES * PAGE_SIZE / 8);
}

int guest_main(struct guest *g)
{
    struct space space;

    space_create(g, &space, 3);
    space_use(&space);
    test_withheld(g, &space);
    test_answers();
    test_registers();
    test_random_calls(g);
    test_null(g);
    return 0;
}
