/* SPDX-License-Identifier: MIT */
/*
 * Runtime of the random programs, C half: puts the machine into a known state, runs each program's
 * segments, and prints all that they left: registers, the log of traps, CSRs, sums of memory. The
 * text is the same on two machines that agree.
 */
#include "cosim.h"

#define UART ((volatile u8 *)0x10000000)

struct record {
    u64 level, cause, tval, epc, status, tval2, tinst, extra;
};
extern struct record log[];
extern u32 log_count;
extern u64 final_x[32], final_f[33], segment_fs;
extern char s_entry[], vs_entry[], m_save[];
void segment_enter(u64 pc, const u64 *x, const u64 *f, u64 fcsr);
void cosim_main(void);

/* Bits that may differ rightly: FS and VS dirtiness (mstatus), with SD. */
#define STATUS_MASK ~(1UL << 63 | 3UL << 13 | 3UL << 9)

static void put(char c)
{
    while (!(UART[5] & 0x20))
        ;
    UART[0] = (u8)c;
}

static void text(const char *s)
{
    while (*s)
        put(*s++);
}

static void hex(u64 value)
{
    int shift = 60;
    while (shift && !(value >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
}

static void field(const char *name, u64 value)
{
    put(' ');
    text(name);
    put('=');
    hex(value);
}

#define csr_write(csr, value) asm volatile("csrw " #csr ", %0" ::"r"((u64)(value)) : "memory")
#define csr_read(csr)                                                                              \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                       \
        v_;                                                                                        \
    })

static u64 sum(const u64 *at, u64 bytes)
{
    u64 h = 0xcbf29ce484222325;
    for (u64 i = 0; i < bytes / 8; i++)
        h = ((h << 5 | h >> 59) ^ at[i]) * 0x100000001b3;
    return h;
}

/* All state that a program may change, put to what every program starts from. */
static void reset(const struct program *program)
{
    log_count = 0; /* some of these CSRs are absent on QEMU 7.2: a trap that is stepped over */
    csr_write(mscratch, m_save);
    csr_write(mstatus, 3UL << 13);
    csr_write(mie, 0);
    csr_write(mip, 0);
    csr_write(medeleg, 0);
    csr_write(mideleg, 0);
    csr_write(mcounteren, 0);
    csr_write(0x30a, 7UL << 61); /* menvcfg: Sstc, Svpbmt, Svadu */
    csr_write(0x30c, -1UL); /* mstateen0 */
    csr_write(0x30d, 0);
    csr_write(0x30e, 0);
    csr_write(0x30f, 0);
    csr_write(0x60c, -1UL); /* hstateen0 */
    csr_write(0x10c, -1UL); /* sstateen0 */
    csr_write(satp, 0);
    csr_write(stvec, s_entry);
    csr_write(scounteren, 0);
    csr_write(0x10a, 0);
    csr_write(sepc, 0);
    csr_write(scause, 0);
    csr_write(stval, 0);
    csr_write(pmpaddr7, -1UL);
    csr_write(pmpcfg0, 0x1fUL << 56); /* all memory, behind what a program sets */
    csr_write(0x14d, -1UL);    /* stimecmp */
    csr_write(0x600, 0);       /* hstatus */
    csr_write(0x602, 0);       /* hedeleg */
    csr_write(0x603, 0);       /* hideleg */
    csr_write(0x645, 0);       /* hvip */
    csr_write(0x604, 0);       /* hie */
    csr_write(0x606, 0);       /* hcounteren */
    csr_write(0x607, 0);       /* hgeie */
    csr_write(0x60a, 7UL << 61); /* henvcfg */
    csr_write(0x605, 0);       /* htimedelta */
    csr_write(0x680, 0);       /* hgatp */
    csr_write(0x643, 0);       /* htval */
    csr_write(0x64a, 0);       /* htinst */
    csr_write(0x200, 0);       /* vsstatus */
    csr_write(0x204, 0);       /* vsie */
    csr_write(0x205, vs_entry);
    csr_write(0x241, 0);
    csr_write(0x242, 0);
    csr_write(0x243, 0);
    csr_write(0x280, 0);       /* vsatp */
    csr_write(0x24d, -1UL);    /* vstimecmp */
    csr_write(0x34b, 0);       /* mtval2 */
    csr_write(0x34a, 0);       /* mtinst */
    csr_write(mcause, 0);
    csr_write(mtval, 0);

    csr_write(mstatus, 3UL << 13); /* again: a trap above has set MPIE */

    u64 x = program->seed * 0x9e3779b97f4a7c15 + 1;
    for (u64 *p = (u64 *)DATA_BASE; p < (u64 *)(DATA_BASE + DATA_BYTES); p++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *p = x;
    }
    for (u64 *p = (u64 *)TABLE_BASE; p < (u64 *)(TABLE_BASE + TABLE_BYTES); p++)
        *p = 0;
    for (const u64 *pair = program->memory; *pair; pair += 2)
        *(u64 *)pair[0] = pair[1];
    asm volatile("fence.i\n\tsfence.vma\n\t.word 0x22000073, 0x62000073" ::: "memory");
}

static void print_csrs(void)
{
    text("C");
    field("mstatus", csr_read(mstatus) & STATUS_MASK);
    field("medeleg", csr_read(medeleg));
    field("mideleg", csr_read(mideleg));
    field("mie", csr_read(mie));
    field("mip", csr_read(mip) & ~0xaa0UL); /* not the bits of timers and lines */
    field("satp", csr_read(satp));
    field("sepc", csr_read(sepc));
    field("scounteren", csr_read(scounteren));
    field("hstatus", csr_read(0x600));
    field("hedeleg", csr_read(0x602));
    field("hideleg", csr_read(0x603));
    field("hie", csr_read(0x604));
    field("hvip", csr_read(0x645));
    field("hgatp", csr_read(0x680));
    field("vsstatus", csr_read(0x200) & STATUS_MASK);
    field("vsie", csr_read(0x204));
    field("vsepc", csr_read(0x241));
    field("vsatp", csr_read(0x280));
    put('\n');
}

static void print_segment(u64 index)
{
    static const char *const level[] = {"U", "HS", "VS", "M"};
    for (u32 i = 0; i < log_count; i++) {
        const struct record *r = &log[i];
        text("T ");
        text(level[r->level & 3]);
        field("cause", r->cause);
        field("tval", r->tval);
        field("epc", r->epc);
        field("status", r->status & STATUS_MASK);
        field("tval2", r->tval2);
        field("tinst", r->tinst);
        field("extra", r->extra);
        put('\n');
    }
    text("S");
    hex(index);
    text(" x");
    for (int i = 1; i < 32; i++) {
        put(' ');
        hex(final_x[i]);
    }
    text("\nF");
    for (int i = 0; i < 33; i++) {
        put(' ');
        hex(final_f[i]);
    }
    put('\n');
}

void cosim_main(void)
{
    for (u64 i = 0; i < program_count; i++) {
        const struct program *program = &programs[i];
        reset(program);
        text("P ");
        hex(program->seed);
        put('\n');
        program->setup();
        for (u64 s = 0; s < program->segment_count; s++) {
            const struct segment *segment = &program->segments[s];
            log_count = 0;
            segment_fs = segment->fs;
            csr_write(mstatus, (csr_read(mstatus) & ~(3UL << 11 | 1UL << 39)) | segment->level);
            segment_enter(segment->pc, segment->x, segment->f, segment->fcsr);
            print_segment(s);
        }
        if (program->privileged)
            print_csrs();
        csr_write(mstatus, 3UL << 13);
        csr_write(pmpcfg0, 0x1fUL << 56); /* an entry that matches in part binds M as well */
#ifdef DUMP
        for (u64 *p = (u64 *)TABLE_BASE; p < (u64 *)(TABLE_BASE + TABLE_BYTES); p++) {
            if (*p) {
                text("W");
                field("at", (u64)p);
                field("is", *p);
                put('\n');
            }
        }
#endif
        text("D");
        field("data", sum((u64 *)DATA_BASE, DATA_BYTES));
        field("tables", sum((u64 *)TABLE_BASE, TABLE_BYTES));
        put('\n');
    }
    text("E\n");
}
