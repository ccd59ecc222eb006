/* SPDX-License-Identifier: MIT */
/* The C half of the test environment; see isa.h. */
#include "isa.h"

#define UART ((volatile u8 *)0x10000000)
#define TABLE_PAGES 96

extern const struct isa_case isa_cases_begin[], isa_cases_end[];
extern char run_stack_top[], return_stub[];
int case_enter(void (*fn)(void));
void case_leave(void) __attribute__((noreturn));
void enter(u64 pc, const u64 *args, u64 sp, u64 ra);
int isa_main(void);
void unexpected_trap(void);

u64 alias_of[8];
static u64 tables[TABLE_PAGES][512] __attribute__((aligned(16384)));
static int tables_used;
static u8 data[DATA_PAGES + 1][4096] __attribute__((aligned(65536)));
static u32 code[64] __attribute__((aligned(64)));
static enum level code_level;
static const char *note_text;
static u64 note_value;

/* ---- printing and results ---- */
static void put(char c)
{
    while (!(UART[5] & 0x20))
        ;
    UART[0] = (u8)c;
}

void print(const char *text)
{
    while (*text)
        put(*text++);
}

void print_hex(u64 value)
{
    print("0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        if (value >> shift || shift == 0)
            put("0123456789abcdef"[value >> shift & 15]);
}

static void print_decimal(u64 value)
{
    if (value >= 10)
        print_decimal(value / 10);
    put((char)('0' + value % 10));
}

void note(const char *text, u64 value)
{
    note_text = text;
    note_value = value;
}

static void print_note(void)
{
    if (note_text) {
        print(" (");
        print(note_text);
        print(" ");
        print_hex(note_value);
        print(")");
    }
    print("\n");
}

static void print_values(u64 got, u64 want)
{
    print(": got ");
    print_hex(got);
    print(", want ");
    print_hex(want);
}

void fail_eq(const char *file, int line, const char *what, u64 got, u64 want)
{
    print("# ");
    print(file);
    print(":");
    print_decimal((u64)line);
    print(": ");
    print(what);
    print_values(got, want);
    print_note();
    print("#   M: cause ");
    print_hex(m_trap.cause);
    print(" tval ");
    print_hex(m_trap.tval);
    print(" epc ");
    print_hex(m_trap.epc);
    print("; HS: count ");
    print_hex(s_trap.count);
    print(" cause ");
    print_hex(s_trap.cause);
    print("; VS: count ");
    print_hex(vs_trap.count);
    print(" cause ");
    print_hex(vs_trap.cause);
    print("\n");
    case_leave();
}

void fail_vector(const char *insn, u64 index, u64 got, u64 want)
{
    print("# ");
    print(insn);
    print(": vector ");
    print_decimal(index);
    print_values(got, want);
    print_note();
    case_leave();
}

void unexpected_trap(void)
{
    print("# unexpected trap: mcause ");
    print_hex(m_trap.cause);
    print(" mepc ");
    print_hex(m_trap.epc);
    print(" mtval ");
    print_hex(m_trap.tval);
    print_note();
    case_leave();
}

static void clear(void *at, u64 bytes)
{
    for (u64 *p = at; bytes; bytes -= 8)
        *p++ = 0;
}

/* ---- levels ---- */
u64 ecall_of(enum level level)
{
    static const u8 cause[8] = {[U] = ECALL_U, [S] = ECALL_S, [M] = ECALL_M, [VU] = ECALL_U,
                                [VS] = ECALL_VS};
    return cause[level];
}

const char *level_name(enum level level)
{
    return level == U ? "U" : level == S ? "S" : level == M ? "M" : level == VU ? "VU" : "VS";
}

u64 run(enum level level, const void *entry, u64 a0, u64 a1, u64 a2, u64 a3)
{
    u64 args[8] = {a0, a1, a2, a3, 0, 0, 0, 0}, alias = alias_of[level];
    u64 status = csr_read(MSTATUS) & ~(MSTATUS_MPP | MSTATUS_MPV);
    status |= (u64)(level & 3) << 11 | (level & 4 ? MSTATUS_MPV : 0);
    csr_write(MSTATUS, status);
    m_trap.count = s_trap.count = vs_trap.count = 0;
    asm volatile("fence.i" ::: "memory");
    enter((u64)entry + alias, args, (u64)run_stack_top + alias, (u64)return_stub + alias);
    return m_trap.cause;
}

u64 run_words(enum level level, const u32 *words, int count, u64 a0, u64 a1)
{
    u16 *at = (u16 *)code;
    for (int i = 0; i < count; i++) {
        *at++ = (u16)words[i];
        if ((words[i] & 3) == 3)
            *at++ = (u16)(words[i] >> 16);
    }
    *at++ = (u16)ECALL;
    *at++ = (u16)(ECALL >> 16);
    code_level = level;
    return run(level, code, a0, a1, 0, 0);
}

u64 run_insn(enum level level, u32 insn, u64 a0, u64 a1)
{
    return run_words(level, &insn, 1, a0, a1);
}

u64 insn_address(void)
{
    return (u64)code + alias_of[code_level];
}

u64 try_words(const u32 *words, int count, u64 a0, u64 a1, i64 *cause)
{
    for (int i = 0; i < count; i++)
        code[i] = words[i];
    code[count] = 0x00008067; /* ret */
    u64 before = m_trap.count;
    m_policy = POLICY_SKIP;
    asm volatile("fence.i" ::: "memory");
    a0 = ((u64(*)(u64, u64))code)(a0, a1);
    m_policy = POLICY_FATAL;
    if (cause)
        *cause = m_trap.count == before ? -1 : (i64)m_trap.cause;
    return a0;
}

/* ---- page tables ---- */
int mode_levels(enum mode mode)
{
    return mode == SV39 ? 3 : mode == SV48 ? 4 : 5;
}

static u64 *tables_take(int pages)
{
    tables_used = (tables_used + pages - 1) / pages * pages;
    CHECK(tables_used + pages <= TABLE_PAGES);
    u64 *table = tables[tables_used];
    tables_used += pages;
    clear(table, (u64)pages * PAGE);
    return table;
}

void tables_free(void)
{
    tables_used = 0;
}

u64 *table_new(int g_stage)
{
    return tables_take(g_stage ? 4 : 1);
}

u64 *pte_of(u64 *root, enum mode mode, u64 va, int level)
{
    u64 *table = root;
    int top = mode_levels(mode) - 1;
    for (int i = top;; i--) {
        /* The root's index takes two bits more in a G-stage; masking by 2047 would be wrong for
         * sign-extended first-stage addresses, so only the G-stage's alignment asks for it. */
        int wide = i == top && ((u64)root & 0x3fff) == 0 && va >> (12 + 9 * (top + 1)) < 4;
        u64 *pte = &table[va >> (12 + 9 * i) & (wide ? 2047 : 511)];
        if (i == level)
            return pte;
        if (!(*pte & PTE_V))
            *pte = (u64)tables_take(1) >> 12 << 10 | PTE_V;
        table = (u64 *)(*pte >> 10 << 12);
    }
}

void map(u64 *root, enum mode mode, u64 va, u64 pa, int level, u64 flags)
{
    *pte_of(root, mode, va, level) = pa >> 12 << 10 | flags;
}

void map_image(u64 *root, enum mode mode)
{
    map(root, mode, 0x80000000, 0x80000000, 2, PTE_LEAF);
    map(root, mode, 0x80000000 + USER_ALIAS, 0x80000000, 2, PTE_LEAF | PTE_U);
}

u64 *guest_tables(u64 gpa)
{
    u64 *g = table_new(1);
    map(g, SV39, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map(g, SV39, gpa, (u64)data_page(0), 0, PTE_LEAF | PTE_U);
    csr_write(HGATP, gatp_value(g, SV39, 1));
    return g;
}

u64 *guest_own_tables(u64 va, u64 gpa)
{
    u64 *vs = table_new(0);
    map_image(vs, SV39);
    map(vs, SV39, va, gpa, 0, PTE_LEAF);
    csr_write(VSATP, atp_value(vs, SV39, 1));
    return vs;
}

u64 napot(u64 base, u64 size)
{
    return base >> 2 | (size / 8 - 1);
}

u64 atp_value(u64 *root, enum mode mode, u64 id)
{
    return (u64)mode << 60 | id << 44 | (u64)root >> 12;
}

u64 gatp_value(u64 *root, enum mode mode, u64 vmid)
{
    return (u64)mode << 60 | vmid << 44 | (u64)root >> 12;
}

void fence_all(void)
{
    asm volatile("sfence.vma" ::: "memory");
    if (have_h)
        asm volatile(".word 0x22000073\n\t.word 0x62000073" ::: "memory"); /* hfence.vvma, .gvma */
}

u8 *data_page(int i)
{
    return data[i];
}

/* ---- cases ---- */
/* Puts every CSR that a case may change to the state that all cases start from. */
void reset_state(void)
{
    m_policy = POLICY_SKIP; /* a CSR that is absent is left alone */
    have_h = csr_read(MISA) >> 7 & 1;
    csr_write(MTVEC, m_entry);
    csr_write(MSCRATCH, &m_trap);
    csr_write(MSTATUS, 0);
    csr_write(MIE, 0);
    csr_write(MIP, 0);
    csr_write(MEDELEG, 0);
    csr_write(MIDELEG, 0);
    csr_write(MCOUNTEREN, 0);
    csr_write(MENVCFG, 0);
    csr_write(MSTATEEN0, -1UL);
    csr_write(SATP, 0);
    csr_write(STVEC, s_entry);
    csr_write(SSCRATCH, &s_trap);
    csr_write(SCOUNTEREN, 0);
    csr_write(SENVCFG, 0);
    csr_write(SSTATEEN0, -1UL);
    csr_write(PMPADDR7, -1UL);
    csr_write(PMPCFG0, PMPCFG0_ALL); /* behind those of a case */
    if (have_h) {
        csr_write(HSTATUS, 0);
        csr_write(HEDELEG, 0);
        csr_write(HIDELEG, 0);
        csr_write(HVIP, 0);
        csr_write(HIE, 0);
        csr_write(HCOUNTEREN, 0);
        csr_write(HGEIE, 0);
        csr_write(HENVCFG, 0);
        csr_write(HSTATEEN0, -1UL);
        csr_write(HTIMEDELTA, 0);
        csr_write(HGATP, 0);
        csr_write(HTVAL, 0);
        csr_write(HTINST, 0);
        csr_write(VSSTATUS, 0);
        csr_write(VSATP, 0);
        csr_write(VSTVEC, vs_entry);
        csr_write(VSSCRATCH, &vs_trap);
        csr_write(MTVAL2, 0);
        csr_write(MTINST, 0);
    }
    fence_all();
    m_policy = POLICY_FATAL;
    tables_used = 0;
    note_text = (const char *)0;
    clear(data, DATA_PAGES * PAGE);
    clear(alias_of, sizeof alias_of);
    clear(&m_trap, sizeof m_trap);
    clear(&s_trap, sizeof s_trap);
    clear(&vs_trap, sizeof vs_trap);
}

int isa_main(void)
{
    int count = (int)(isa_cases_end - isa_cases_begin), failed = 0;
    print("1..");
    print_decimal((u64)count);
    print("\n");
    for (int i = 0; i < count; i++) {
        const struct isa_case *test = &isa_cases_begin[i];
        reset_state();
        int bad = case_enter(test->fn);
        reset_state();
        failed |= bad;
        print(bad ? "not ok " : "ok ");
        print_decimal((u64)i + 1);
        print(" - ");
        print(test->name);
        if (test->qemu) {
            print(" # qemu: ");
            print(test->qemu);
        }
        print("\n");
    }
    return failed;
}
