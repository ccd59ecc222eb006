/* SPDX-License-Identifier: MIT */
/*
 * Zicsr, illegal encodings, and the machine and supervisor CSRs: what may be read and written from
 * where, and the WARL and WPRI rules (Unprivileged, "Zicsr"; Privileged, "CSRs", "Machine-Level
 * ISA", "Supervisor-Level ISA").
 */
#include "isa.h"

static u64 csr_op(u32 insn, u64 a0, i64 *cause)
{
    return try_words(&insn, 1, a0, 0, cause);
}

TEST(the_six_csr_instructions)
{
    csr_write(MSCRATCH, &m_trap); /* the trap entry needs it: use stval */
    csr_write(STVAL, 0xf0f0);
    CHECK_EQ(csr_op(CSRRW(A0, STVAL, A0), 0x1234, 0), 0xf0f0);
    CHECK_EQ(csr_op(CSRRS(A0, STVAL, A0), 0x0f00, 0), 0x1234);
    CHECK_EQ(csr_read(STVAL), 0x1f34);
    CHECK_EQ(csr_op(CSRRC(A0, STVAL, A0), 0x0030, 0), 0x1f34);
    CHECK_EQ(csr_read(STVAL), 0x1f04);
    CHECK_EQ(csr_op(I_TYPE(0x73, 5, A0, 31, STVAL), 0, 0), 0x1f04);
    CHECK_EQ(csr_read(STVAL), 31);
    CHECK_EQ(csr_op(I_TYPE(0x73, 6, A0, 12, STVAL), 0, 0), 31);
    CHECK_EQ(csr_read(STVAL), 31);
    CHECK_EQ(csr_op(I_TYPE(0x73, 7, A0, 12, STVAL), 0, 0), 31);
    CHECK_EQ(csr_read(STVAL), 19);
    CHECK_EQ(csr_op(CSRRW(0, STVAL, A0), 5, 0), 5); /* rd = x0: a0 is kept */
    CHECK_EQ(csr_read(STVAL), 5);
}

TEST_QEMU_DEVIATES(csrrs_with_x0_does_not_write, "looks at the value of rs1")
{
    /* A read-only CSR may be read by CSRRS and CSRRC with x0 or 0, and by nothing else. */
    i64 cause;
    csr_op(CSRRS(A0, MHARTID, 0), 1, &cause);
    CHECK_EQ(cause, -1);
    csr_op(CSRRC(A0, MHARTID, 0), 1, &cause);
    CHECK_EQ(cause, -1);
    csr_op(I_TYPE(0x73, 6, A0, 0, MHARTID), 1, &cause);
    CHECK_EQ(cause, -1);
    csr_op(I_TYPE(0x73, 7, A0, 0, MHARTID), 1, &cause);
    CHECK_EQ(cause, -1);
    static const u32 writes[] = {CSRRW(A0, MHARTID, 0), CSRRW(0, MHARTID, 0),
                                 CSRRS(A0, MHARTID, A0), CSRRC(A0, MHARTID, A0),
                                 I_TYPE(0x73, 5, A0, 0, MHARTID), I_TYPE(0x73, 6, A0, 1, MHARTID),
                                 I_TYPE(0x73, 7, A0, 1, MHARTID)};
    for (u64 i = 0; i < sizeof writes / sizeof *writes; i++) {
        note("write", i);
        /* a0 is 0 for the set and clear forms: it is the register number that counts. */
        CHECK_EQ(csr_op(writes[i], 0, &cause), 0);
        CHECK_EQ(cause, ILLEGAL);
        CHECK_EQ(m_trap.tval, writes[i]);
    }
}

TEST(illegal_encodings_leave_themselves_in_mtval)
{
    static const u32 words[] = {
        0x00000000 | 0x0000007f,     /* an encoding of 80 bits and more */
        0xffffffff,
        0x0000007b,                  /* custom-3 */
        0x0000000b,                  /* custom-0 */
        0x00000057,                  /* OP-V without V */
        0x0000006b, 0x00000077,      /* reserved major opcodes */
        I_TYPE(0x03, 7, A0, A0, 0),  /* LOAD, funct3 7 */
        S_TYPE(0x23, 4, A0, A0, 0),  /* STORE, funct3 4 */
        I_TYPE(0x67, 1, A0, A0, 0),  /* JALR, funct3 1 */
        R_TYPE(0x63, 2, 0, 0, 0, 0), /* BRANCH, funct3 2 */
        R_TYPE(0x33, 0, 2, A0, A0, A0), R_TYPE(0x33, 1, 0x40, A0, A0, A0),
        R_TYPE(0x3b, 2, 0, A0, A0, A0), R_TYPE(0x3b, 1, 1, A0, A0, A0),
        R_TYPE(0x1b, 1, 1, A0, A0, 1), /* SLLIW by 33 */
        R_TYPE(0x1b, 2, 0, A0, A0, 1),
        R_TYPE(0x2f, 2, 0x0a << 2, A0, A0, A0) | 0x50000000, R_TYPE(0x2f, 4, 0, A0, A0, A0),
        R_TYPE(0x2f, 2, 0x08, A0, A0, 1), /* LR with rs2 */
        R_TYPE(0x73, 0, 0, 0, 0, 2),      /* URET of old */
        R_TYPE(0x73, 0, 0, 1, 0, 0),      /* ECALL with rd */
        I_TYPE(0x73, 4, A0, A0, 0xfff),
        0x7b200073, /* DRET */
    };
    i64 cause;
    for (u64 i = 0; i < sizeof words / sizeof *words; i++) {
        note("word", words[i]);
        try_words(&words[i], 1, 0, 0, &cause);
        CHECK_EQ(cause, ILLEGAL);
        CHECK_EQ(m_trap.tval, words[i]);
    }
}

TEST(illegal_compressed_encodings_leave_themselves_in_mtval)
{
    static const u16 halves[] = {
        0x0000, /* defined illegal */
        0x8000, /* quadrant 0, funct3 4 */
        0x2001, /* C.ADDIW x0 */
        0x6101, /* C.ADDI16SP 0 */
        0x6081, /* C.LUI ra, 0 */
        0x9c41, 0x9c61, /* reserved in CA */
        0x4002, 0x6002, /* C.LWSP, C.LDSP with rd = 0 */
        0x8002, /* C.JR x0 */
        0x0004, /* C.ADDI4SPN with 0 */
    };
    for (u64 i = 0; i < sizeof halves / sizeof *halves; i++) {
        note("half", halves[i]);
        u32 word = halves[i];
        CHECK_EQ(run_words(M, &word, 1, 0, 0), ILLEGAL);
        CHECK_EQ(m_trap.tval, halves[i]);
        CHECK_EQ(m_trap.epc, insn_address());
    }
}

/* ---- who may touch what ---- */
TEST(csrs_are_closed_to_lower_levels)
{
    static const struct {
        u16 csr, lowest;
    } rows[] = {{SSTATUS, S}, {SIE, S}, {STVEC, S}, {SSCRATCH, S}, {SEPC, S}, {SCAUSE, S},
                {STVAL, S}, {SIP, S}, {SATP, S}, {SCOUNTEREN, S}, {SENVCFG, S},
                {MSTATUS, M}, {MISA, M}, {MEDELEG, M}, {MIDELEG, M}, {MIE, M}, {MTVEC, M},
                {MCOUNTEREN, M}, {MENVCFG, M}, {MCOUNTINHIBIT, M}, {MSCRATCH, M}, {MEPC, M},
                {MCAUSE, M}, {MTVAL, M}, {MIP, M}, {PMPCFG0, M}, {PMPADDR0, M}, {MCYCLE, M},
                {MINSTRET, M}, {MVENDORID, M}, {MARCHID, M}, {MIMPID, M}, {MHARTID, M},
                {0x323 /* mhpmevent3 */, M}, {0xb03 /* mhpmcounter3 */, M}};
    for (u64 i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int level = U; level <= M; level++) {
            if (level == 2)
                continue;
            note("csr and level", (u64)rows[i].csr << 4 | (u64)level);
            u32 insn = CSRR(A0, rows[i].csr);
            u64 cause = run_insn(level, insn, 0, 0);
            if (level >= rows[i].lowest) {
                CHECK_EQ(cause, ecall_of(level));
            } else {
                CHECK_EQ(cause, ILLEGAL);
                CHECK_EQ(m_trap.tval, insn);
            }
        }
}

TEST(absent_csrs_are_illegal)
{
    static const u16 absent[] = {0x5c0, 0x7b0, 0x8ff, 0xbff, 0xfff, 0x000, 0x004, 0x30b, 0x7c0};
    i64 cause;
    for (u64 i = 0; i < sizeof absent / sizeof *absent; i++) {
        note("csr", absent[i]);
        csr_op(CSRR(A0, absent[i]), 0, &cause);
        CHECK_EQ(cause, ILLEGAL);
    }
}

TEST(floating_point_csrs_need_fs)
{
    i64 cause;
    csr_clear(MSTATUS, MSTATUS_FS);
    csr_op(CSRR(A0, FCSR), 0, &cause);
    CHECK_EQ(cause, ILLEGAL);
    u32 insn = R_TYPE(0x53, 0, 0, 0, 0, 0); /* fadd.s */
    try_words(&insn, 1, 0, 0, &cause);
    CHECK_EQ(cause, ILLEGAL);
    CHECK_EQ(m_trap.tval, insn);
    insn = I_TYPE(0x07, 3, 0, A0, 0); /* fld */
    try_words(&insn, 1, (u64)data_page(0), 0, &cause);
    CHECK_EQ(cause, ILLEGAL);
    csr_set(MSTATUS, BIT(13)); /* initial */
    try_words(&insn, 1, (u64)data_page(0), 0, &cause);
    CHECK_EQ(cause, -1);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_FS, MSTATUS_FS); /* the write made it dirty */
    CHECK_EQ(csr_read(MSTATUS) >> 63, 1);
    CHECK_EQ(csr_read(SSTATUS) >> 63, 1);
}

TEST(fcsr_fields)
{
    csr_set(MSTATUS, MSTATUS_FS);
    csr_write(FCSR, -1UL);
    CHECK_EQ(csr_read(FCSR), 0xff);
    CHECK_EQ(csr_read(FRM), 7);
    CHECK_EQ(csr_read(FFLAGS), 0x1f);
    csr_write(FRM, 2);
    csr_write(FFLAGS, 0x15);
    CHECK_EQ(csr_read(FCSR), 0x55);
    /* A reserved dynamic rounding mode makes an operation that rounds illegal. */
    i64 cause;
    u32 dynamic = R_TYPE(0x53, 7, 0, 0, 0, 0), fixed = R_TYPE(0x53, 0, 0, 0, 0, 0);
    for (u64 rm = 0; rm < 8; rm++) {
        csr_write(FRM, rm);
        note("frm", rm);
        try_words(&dynamic, 1, 0, 0, &cause);
        CHECK_EQ(cause, rm < 5 ? -1 : ILLEGAL);
        try_words(&fixed, 1, 0, 0, &cause);
        CHECK_EQ(cause, -1);
    }
    csr_write(FRM, 0);
    for (u32 rm = 5; rm < 7; rm++) { /* reserved in the instruction */
        u32 insn = R_TYPE(0x53, rm, 0, 0, 0, 0);
        try_words(&insn, 1, 0, 0, &cause);
        CHECK_EQ(cause, ILLEGAL);
    }
}

/* ---- WARL ---- */
TEST(misa_shows_the_extensions)
{
    u64 misa = csr_read(MISA);
    CHECK_EQ(misa >> 62, 2);
    static const char letters[] = "acdfhimsu";
    for (int i = 0; letters[i]; i++) {
        note("extension", (u64)letters[i]);
        CHECK(misa & BIT(letters[i] - 'a'));
    }
    CHECK(!(misa & BIT('v' - 'a')));
}

TEST_QEMU_DEVIATES(mstatus_mpp_holds_only_levels_that_exist, "keeps 2")
{
    csr_write(MSTATUS, 3UL << 11);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_MPP, 3UL << 11);
    csr_write(MSTATUS, 1UL << 11);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_MPP, 1UL << 11);
    csr_write(MSTATUS, 0);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_MPP, 0);
    csr_write(MSTATUS, 2UL << 11);
    CHECK((csr_read(MSTATUS) & MSTATUS_MPP) != 2UL << 11);
}

TEST_QEMU_DEVIATES(mstatus_read_only_fields, "keeps UXL")
{
    csr_write(MSTATUS, -1UL);
    u64 v = csr_read(MSTATUS);
    CHECK_EQ(v >> 32 & 3, 2);      /* UXL */
    CHECK_EQ(v >> 34 & 3, 2);      /* SXL */
    CHECK_EQ(v & BIT(0), 0);       /* no UIE */
    CHECK_EQ(v & BIT(4), 0);
    CHECK_EQ(v & BIT(2), 0);
    csr_write(MSTATUS, 0);
    CHECK_EQ(csr_read(MSTATUS) >> 32 & 15, 10);
}

TEST(sstatus_is_a_view_of_mstatus)
{
    csr_write(MSTATUS, 0);
    csr_write(SSTATUS, -1UL);
    u64 vs = 3UL << 9; /* of the vector state: may stay zero without V */
    u64 m = csr_read(MSTATUS), s = csr_read(SSTATUS);
    CHECK_EQ(s & ~vs, m & (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM |
                     MSTATUS_MXR | 3UL << 32 | MSTATUS_SD | BIT(6)));
    CHECK_EQ(m & (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR),
             MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR);
    CHECK_EQ(m & (MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TVM |
                  MSTATUS_TW | MSTATUS_TSR), 0);
    csr_write(SSTATUS, 0);
    CHECK_EQ(csr_read(MSTATUS) & (MSTATUS_SIE | MSTATUS_SUM), 0);
}

TEST_QEMU_DEVIATES(medeleg_cannot_delegate_ecall_from_m, "keeps the bit")
{
    csr_write(MEDELEG, -1UL);
    u64 v = csr_read(MEDELEG);
    /* Machine, "Machine Trap Delegation": what cannot occur below M is read-only zero; with C a
     * fetch is never misaligned. */
    CHECK_EQ(v & (BIT(ECALL_M) | BIT(FETCH_MISALIGNED)), 0);
    u64 all = BIT(2) | BIT(3) | BIT(8) | BIT(12) | BIT(13) | BIT(15);
    CHECK_EQ(v & all, all);
    csr_write(MEDELEG, 0);
    CHECK_EQ(csr_read(MEDELEG), 0);
}

TEST(mideleg_delegates_supervisor_interrupts_alone)
{
    csr_write(MIDELEG, -1UL);
    u64 v = csr_read(MIDELEG);
    CHECK_EQ(v & 0x222, 0x222);
    CHECK_EQ(v & 0x888, 0);
    if (have_h)
        CHECK_EQ(v & 0x1444, 0x1444); /* read-only one with H */
    csr_write(MIDELEG, 0);
    CHECK_EQ(csr_read(MIDELEG), have_h ? 0x1444 : 0);
}

TEST(tvec_modes)
{
    csr_write(STVEC, 0x80000001);
    CHECK_EQ(csr_read(STVEC), 0x80000001);
    csr_write(STVEC, 0x80000004);
    CHECK_EQ(csr_read(STVEC), 0x80000004);
    csr_write(STVEC, 0x80000002); /* reserved mode */
    CHECK((csr_read(STVEC) & 3) < 2);
}

TEST_QEMU_DEVIATES(epc_bit_0_is_zero, "keeps it in mepc")
{
    csr_write(MEPC, 0x80000003);
    CHECK_EQ(csr_read(MEPC), 0x80000002);
    csr_write(SEPC, -1UL);
    CHECK_EQ(csr_read(SEPC), -2UL);
}

TEST(satp_ignores_modes_that_do_not_exist)
{
    for (u64 mode = 0; mode < 16; mode++) {
        csr_write(SATP, 0);
        u64 value = mode << 60 | 0x12345UL;
        csr_write(SATP, value);
        int known = mode == SV39 || mode == SV48 || mode == SV57;
        note("mode", mode);
        if (mode)
            CHECK_EQ(csr_read(SATP), known ? value : 0);
    }
    csr_write(SATP, SV39 * BIT(60) | 0xffffUL << 44);
    CHECK_EQ(csr_read(SATP) >> 44 & 0xffff, 0xffff); /* ASIDLEN is 16 */
    csr_write(SATP, 0);
}

TEST(supervisor_interrupt_registers_are_views)
{
    csr_write(MIDELEG, 0x222);
    csr_write(MIE, 0x888);
    csr_write(SIE, -1UL);
    CHECK_EQ(csr_read(SIE), 0x222);
    CHECK_EQ(csr_read(MIE), 0xaaa);
    csr_write(MIDELEG, 0x200);
    CHECK_EQ(csr_read(SIE), 0x200); /* what is not delegated reads zero */
    csr_write(SIE, 0);
    CHECK_EQ(csr_read(MIE), 0x8aa);
    csr_write(MIDELEG, 0x222);
    csr_write(MIP, 0x222);
    CHECK_EQ(csr_read(SIP), 0x222);
    csr_write(SIP, 0); /* software may clear SSIP alone */
    CHECK_EQ(csr_read(SIP), 0x220);
    csr_write(SIP, 2);
    CHECK_EQ(csr_read(MIP) & 2, 2);
    csr_write(MIP, 0);
    CHECK_EQ(csr_read(MIP) & 0x222, 0);
}

TEST(mip_machine_bits_are_read_only)
{
    u64 before = csr_read(MIP) & 0x888;
    csr_write(MIP, -1UL);
    CHECK_EQ(csr_read(MIP) & 0x888, before);
    csr_write(MIP, 0);
}

/* ---- counters ---- */
TEST(cycle_and_instret_count)
{
    u64 c0 = csr_read(MCYCLE), i0 = csr_read(MINSTRET);
    asm volatile("nop\n\tnop\n\tnop\n\tnop");
    CHECK(csr_read(MCYCLE) > c0);
    CHECK(csr_read(MINSTRET) > i0);
    CHECK(csr_read(CYCLE) >= c0);
}

TEST_QEMU_DEVIATES(minstret_counts_each_instruction, "counts time without icount")
{
    u64 a, b;
    asm volatile("csrr %0, minstret\n\tnop\n\tnop\n\tnop\n\tnop\n\tcsrr %1, minstret"
                 : "=r"(a), "=r"(b));
    CHECK_EQ(b - a, 5);
}

TEST_QEMU_DEVIATES(counters_can_be_written, "adds the time since")
{
    u64 v;
    csr_write(MINSTRET, 1000);
    v = csr_read(MINSTRET);
    CHECK_EQ(v, 1000);
    csr_write(MCYCLE, 5);
    CHECK(csr_read(MCYCLE) < 5000);
}

TEST(mcountinhibit_stops_counters)
{
    csr_write(MCOUNTINHIBIT, 5);
    if (csr_read(MCOUNTINHIBIT) == 5) {
        u64 c = csr_read(MCYCLE), i = csr_read(MINSTRET);
        asm volatile("nop\n\tnop");
        CHECK_EQ(csr_read(MCYCLE), c);
        CHECK_EQ(csr_read(MINSTRET), i);
    }
    csr_write(MCOUNTINHIBIT, 0);
}

TEST(time_follows_mtime)
{
    volatile u64 *mtime = (volatile u64 *)0x0200bff8;
    u64 a = *mtime, b = csr_read(TIME), c = *mtime;
    CHECK(a <= b && b <= c);
}

TEST(counteren_opens_counters_to_lower_levels)
{
    static const u16 counters[] = {CYCLE, TIME, INSTRET, 0xc03, 0xc0f};
    static const u8 bits[] = {0, 1, 2, 3, 15};
    for (u64 i = 0; i < sizeof bits; i++)
        for (int m = 0; m < 2; m++)
            for (int s = 0; s < 2; s++) {
                note("case", i << 8 | (u64)(m << 4 | s));
                csr_write(MCOUNTEREN, m ? BIT(bits[i]) : ~BIT(bits[i]));
                csr_write(SCOUNTEREN, s ? BIT(bits[i]) : ~BIT(bits[i]));
                /* The enables of counters that do not exist may be read-only zero. */
                int m_on = csr_read(MCOUNTEREN) >> bits[i] & 1;
                int s_on = csr_read(SCOUNTEREN) >> bits[i] & 1;
                if (bits[i] < 3) {
                    CHECK_EQ(m_on, m);
                    CHECK_EQ(s_on, s);
                }
                u32 insn = CSRR(A0, counters[i]);
                CHECK_EQ(run_insn(M, insn, 0, 0), ECALL_M);
                CHECK_EQ(run_insn(S, insn, 0, 0), m_on ? ECALL_S : ILLEGAL);
                CHECK_EQ(run_insn(U, insn, 0, 0), m_on && s_on ? ECALL_U : ILLEGAL);
            }
}

TEST_QEMU_DEVIATES(hpm_counters_exist, "has 16 only")
{
    i64 cause;
    for (u16 n = 3; n < 32; n++) {
        note("counter", n);
        csr_op(CSRR(A0, 0xb00 + n), 0, &cause);
        CHECK_EQ(cause, -1);
        csr_op(CSRR(A0, 0x320 + n), 0, &cause);
        CHECK_EQ(cause, -1);
        csr_op(CSRR(A0, 0xc00 + n), 0, &cause);
        CHECK_EQ(cause, -1);
    }
}
