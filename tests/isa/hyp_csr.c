/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor extension's CSRs: WARL rules, views of one register in another, substitution in
 * V=1, state enables (Privileged, "Hypervisor Extension": CSRs; "Smstateen").
 */
#include "isa.h"

TEST(hstatus)
{
    csr_write(HSTATUS, -1UL);
    u64 v = csr_read(HSTATUS);
    u64 all = HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_HU | HSTATUS_VTVM | HSTATUS_VTW |
              HSTATUS_VTSR;
    CHECK_EQ(v & all, all);
    CHECK_EQ(v & HSTATUS_VSBE, 0); /* little-endian alone */
    CHECK_EQ(v >> 32 & 3, 2);      /* VSXL */
    csr_write(HSTATUS, 0);
    CHECK_EQ(csr_read(HSTATUS), 2UL << 32);
}

TEST_QEMU_DEVIATES(hstatus_wpri_bits_are_zero, "keeps VGEIN and VSXL")
{
    csr_write(HSTATUS, -1UL);
    u64 v = csr_read(HSTATUS);
    CHECK_EQ(v & ~(HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_HU | HSTATUS_VTVM |
                   HSTATUS_VTW | HSTATUS_VTSR | 3UL << 32 | 0x3fUL << 12), 0);
    /* VGEIN: no more than GEILEN. */
    csr_write(HGEIE, -1UL);
    u64 geilen = 0;
    for (u64 e = csr_read(HGEIE) >> 1; e; e >>= 1)
        geilen++;
    CHECK((v >> 12 & 0x3f) <= geilen);
}

TEST(hedeleg_bits)
{
    csr_write(HEDELEG, -1UL);
    u64 v = csr_read(HEDELEG);
    u64 writable = 0xb1ff;                               /* 0-8, 12, 13, 15 */
    u64 zero = 0x600 | BIT(10) | BIT(20) | BIT(21) | BIT(22) | BIT(23) | BIT(11);
    CHECK_EQ(v & zero, 0);
    CHECK_EQ(v & writable & ~1UL, writable & ~1UL);
    csr_write(HEDELEG, 0);
    CHECK_EQ(csr_read(HEDELEG), 0);
}

TEST(hideleg_bits)
{
    csr_write(HIDELEG, -1UL);
    CHECK_EQ(csr_read(HIDELEG) & ~BIT(13), 0x444);
    csr_write(HIDELEG, 0);
    CHECK_EQ(csr_read(HIDELEG), 0);
}

TEST(mideleg_shows_vs_interrupts_as_delegated)
{
    csr_write(MIDELEG, 0);
    CHECK_EQ(csr_read(MIDELEG), 0x1444);
}

TEST(medeleg_takes_guest_causes)
{
    u64 guest = BIT(ECALL_VS) | BIT(FETCH_GUEST_PAGE) | BIT(LOAD_GUEST_PAGE) | BIT(VIRTUAL) |
                BIT(STORE_GUEST_PAGE);
    csr_write(MEDELEG, -1UL);
    CHECK_EQ(csr_read(MEDELEG) & guest, guest);
    csr_write(MEDELEG, 0);
}

TEST(hvip_hip_and_mip)
{
    csr_write(HVIP, -1UL);
    CHECK_EQ(csr_read(HVIP), 0x444);
    CHECK_EQ(csr_read(HIP) & 0x444, 0x444);
    CHECK_EQ(csr_read(MIP) & 0x444, 0x444);
    csr_write(HIP, 0); /* only VSSIP can be written there */
    CHECK_EQ(csr_read(HVIP), 0x440);
    csr_write(HIP, 4);
    CHECK_EQ(csr_read(HVIP), 0x444);
    csr_write(MIP, 0);
    CHECK_EQ(csr_read(HVIP) & 4, 0);
    csr_write(HVIP, 0);
    CHECK_EQ(csr_read(HIP) & 0x444, 0);
}

TEST(hie_and_mie)
{
    csr_write(HIE, -1UL);
    CHECK_EQ(csr_read(HIE) & 0x444, 0x444);
    CHECK_EQ(csr_read(MIE) & 0x444, 0x444);
    CHECK_EQ(csr_read(MIE) & 0xbbb, 0);
    csr_write(MIE, 0);
    CHECK_EQ(csr_read(HIE), 0);
}

TEST_QEMU_DEVIATES(vsip_and_vsie_follow_hideleg, "vsip shows VSSIP alone")
{
    csr_write(HVIP, 0x444);
    csr_write(HIDELEG, 0);
    csr_write(HIE, 0x444);
    CHECK_EQ(csr_read(VSIP), 0);
    CHECK_EQ(csr_read(VSIE), 0);
    for (u64 bit = 2; bit <= 10; bit += 4) {
        note("interrupt", bit);
        csr_write(HIDELEG, BIT(bit));
        CHECK_EQ(csr_read(VSIP), BIT(bit - 1));
        CHECK_EQ(csr_read(VSIE), BIT(bit - 1));
        csr_write(VSIE, 0);
        CHECK_EQ(csr_read(HIE), 0x444 & ~BIT(bit));
        csr_write(VSIE, -1UL);
        CHECK_EQ(csr_read(HIE), 0x444);
    }
    csr_write(HIDELEG, 0x444);
    csr_write(VSIP, 0); /* SSIP alone */
    CHECK_EQ(csr_read(HVIP), 0x440);
    csr_write(VSIP, 2);
    CHECK_EQ(csr_read(HVIP), 0x444);
}

TEST_QEMU_DEVIATES(vsstatus, "keeps WPRI bits")
{
    csr_write(VSSTATUS, -1UL);
    u64 v = csr_read(VSSTATUS);
    u64 all = MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR |
              MSTATUS_SD;
    CHECK_EQ(v & all, all);
    CHECK_EQ(v & (MSTATUS_MIE | MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW |
                  MSTATUS_TSR | MSTATUS_MPV), 0);
    csr_write(VSSTATUS, 0);
    CHECK_EQ(csr_read(VSSTATUS) & ~(3UL << 32), 0);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_SUM, 0);
}

TEST_QEMU_DEVIATES(hgatp_modes_and_vmid, "keeps any mode")
{
    for (u64 mode = 0; mode < 16; mode++) {
        note("mode", mode);
        csr_write(HGATP, 0);
        csr_write(HGATP, mode << 60 | 0x1234UL << 44 | 0x80300);
        u64 v = csr_read(HGATP);
        if (mode == SV39 || mode == SV48 || mode == SV57)
            CHECK_EQ(v, mode << 60 | 0x1234UL << 44 | 0x80300);
        else
            CHECK_EQ(v >> 60, 0);
    }
    csr_write(HGATP, 8UL << 60 | 0x3fffUL << 44);
    CHECK_EQ(csr_read(HGATP) >> 44 & 0xffff, 0x3fff); /* VMIDLEN 14 */
    csr_write(HGATP, 0);
}

TEST_QEMU_DEVIATES(hgatp_ppn_is_16_kib_aligned, "keeps the low bits")
{
    csr_write(HGATP, 8UL << 60 | 0x80303);
    CHECK_EQ(csr_read(HGATP) & 3, 0);
    csr_write(HGATP, 0);
}

TEST_QEMU_DEVIATES(vsatp_modes, "keeps any mode")
{
    for (u64 mode = 0; mode < 16; mode++) {
        note("mode", mode);
        csr_write(VSATP, 0);
        u64 value = mode << 60 | 0xabcdUL << 44 | 0x80300;
        csr_write(VSATP, value);
        int known = mode == SV39 || mode == SV48 || mode == SV57;
        if (mode && known)
            CHECK_EQ(csr_read(VSATP), value);
        else if (mode)
            CHECK_EQ(csr_read(VSATP) >> 60, 0);
    }
    csr_write(VSATP, 0);
}

TEST(hcounteren_htimedelta_and_the_like)
{
    csr_write(HCOUNTEREN, 7);
    CHECK_EQ(csr_read(HCOUNTEREN), 7);
    csr_write(HTIMEDELTA, 0x123456789abcdef0);
    CHECK_EQ(csr_read(HTIMEDELTA), 0x123456789abcdef0);
    csr_write(HTVAL, 0x1234);
    CHECK_EQ(csr_read(HTVAL), 0x1234);
    csr_write(MTVAL2, 0x5678);
    CHECK_EQ(csr_read(MTVAL2), 0x5678);
    csr_write(VSEPC, 0x8001);
    CHECK_EQ(csr_read(VSEPC) & ~1UL, 0x8000);
    csr_write(VSCAUSE, INTERRUPT | 5);
    CHECK_EQ(csr_read(VSCAUSE), INTERRUPT | 5);
    csr_write(VSTVAL, -1UL);
    CHECK_EQ(csr_read(VSTVAL), -1UL);
    CHECK_EQ(csr_read(HGEIP) & 1, 0);
}

/* In VS the supervisor CSRs are the VS ones; the HS ones keep their values. */
TEST(supervisor_csrs_are_substituted_in_vs)
{
    static const u16 pairs[][2] = {{STVAL, VSTVAL}, {SCAUSE, VSCAUSE}, {SEPC, VSEPC},
                                   {SSCRATCH, VSSCRATCH}};
    for (int i = 0; i < 4; i++) {
        note("csr", pairs[i][0]);
        u32 set[] = {CSRRW(0, pairs[i][0], A0), CSRRW(0, pairs[i][1], A1)};
        i64 cause;
        u64 scratch = csr_read(SSCRATCH), vsscratch = csr_read(VSSCRATCH);
        try_words(set, 2, 0x10, 0x20, &cause);
        CHECK_EQ(cause, -1);
        u32 in_guest[] = {CSRRW(A0, pairs[i][0], A1)};
        CHECK_EQ(run_words(VS, in_guest, 1, 0, 0x30), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 0x20);
        u32 get = CSRR(A0, pairs[i][0]);
        CHECK_EQ(try_words(&get, 1, 0, 0, 0), 0x10);
        get = CSRR(A0, pairs[i][1]);
        CHECK_EQ(try_words(&get, 1, 0, 0, 0), 0x30);
        csr_write(SSCRATCH, scratch);
        csr_write(VSSCRATCH, vsscratch);
    }
    csr_write(MSTATUS, MSTATUS_SUM);
    CHECK_EQ(run_insn(VS, CSRRS(A0, SSTATUS, A1), 0, MSTATUS_MXR), ECALL_VS);
    CHECK_EQ(m_trap.x[10] & (MSTATUS_SUM | MSTATUS_MXR), 0);
    CHECK_EQ(csr_read(VSSTATUS) & (MSTATUS_SUM | MSTATUS_MXR), MSTATUS_MXR);
    CHECK_EQ(csr_read(MSTATUS) & (MSTATUS_SUM | MSTATUS_MXR), MSTATUS_SUM);
}

TEST_QEMU_DEVIATES(interrupt_bits_in_vs_stand_one_lower, "sip shows SSIP alone")
{
    csr_write(HIDELEG, 0x444);
    csr_write(HVIP, 0x440);
    CHECK_EQ(run_insn(VS, CSRR(A0, SIP), 0, 0), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 0x220);
    CHECK_EQ(run_insn(VS, CSRRS(A0, SIP, A1), 0, 2), ECALL_VS);
    CHECK_EQ(csr_read(HVIP), 0x444);
    csr_write(HVIP, 0);
    CHECK_EQ(run_insn(VS, CSRRW(A0, SIE, A1), 0, 0x222), ECALL_VS);
    CHECK_EQ(csr_read(HIE), 0x444);
}

TEST(writing_satp_in_vs_ignores_modes_that_do_not_exist)
{
    csr_write(VSATP, 0);
    CHECK_EQ(run_insn(VS, CSRRW(0, SATP, A0), 3UL << 60 | 5, 0), ECALL_VS);
    CHECK_EQ(csr_read(VSATP), 0);
}

TEST_QEMU_DEVIATES(floating_point_needs_both_fs_in_a_guest, "vsstatus.SD stays 0")
{
    u32 insn = CSRR(A0, FCSR);
    for (int m = 0; m < 2; m++)
        for (int vs = 0; vs < 2; vs++) {
            note("mstatus.FS, vsstatus.FS", (u64)(m << 4 | vs));
            csr_write(MSTATUS, m ? BIT(13) : 0);
            csr_write(VSSTATUS, vs ? BIT(13) : 0);
            CHECK_EQ(run_insn(VS, insn, 0, 0), m && vs ? ECALL_VS : ILLEGAL);
        }
    csr_write(MSTATUS, BIT(13));
    csr_write(VSSTATUS, BIT(13));
    u32 dirty = R_TYPE(0x53, 0, 0x78, 0, 0, 0); /* fmv.w.x */
    CHECK_EQ(run_insn(VS, dirty, 0, 0), ECALL_VS);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_FS, MSTATUS_FS);
    CHECK_EQ(csr_read(VSSTATUS) & MSTATUS_FS, MSTATUS_FS);
    CHECK_EQ(csr_read(VSSTATUS) >> 63, 1);
}

TEST(time_in_a_guest_is_shifted)
{
    csr_write(MCOUNTEREN, 2);
    csr_write(HCOUNTEREN, 2);
    csr_write(HTIMEDELTA, 1UL << 40);
    u64 before = csr_read(TIME);
    CHECK_EQ(run_insn(VS, CSRR(A0, TIME), 0, 0), ECALL_VS);
    u64 seen = m_trap.x[10] - (1UL << 40);
    CHECK(before <= seen && seen <= csr_read(TIME));
    csr_write(HTIMEDELTA, 0);
}

TEST_QEMU_DEVIATES(henvcfg_is_bounded_by_menvcfg, "is not")
{
    u64 bits = MENVCFG_STCE | MENVCFG_PBMTE;
    csr_write(MENVCFG, bits);
    csr_write(HENVCFG, bits);
    CHECK_EQ(csr_read(HENVCFG) & bits, bits);
    csr_write(MENVCFG, 0);
    CHECK_EQ(csr_read(HENVCFG) & bits, 0);
}

TEST_QEMU_DEVIATES(henvcfg_adue_is_bounded_by_menvcfg, "has no ADUE")
{
    csr_write(MENVCFG, MENVCFG_ADUE);
    csr_write(HENVCFG, MENVCFG_ADUE);
    CHECK_EQ(csr_read(HENVCFG) & MENVCFG_ADUE, MENVCFG_ADUE);
    csr_write(MENVCFG, 0);
    CHECK_EQ(csr_read(HENVCFG) & MENVCFG_ADUE, 0);
}

/* ---- Smstateen ---- */
TEST_QEMU_DEVIATES(mstateen0_guards_envcfg_and_stateen, "has no Smstateen")
{
    const u64 SE0 = BIT(63), ENVCFG = BIT(62);
    csr_write(MSTATEEN0, -1UL);
    CHECK_EQ(csr_read(MSTATEEN0) & (SE0 | ENVCFG), SE0 | ENVCFG);
    csr_write(HSTATEEN0, -1UL);
    CHECK_EQ(run_insn(S, CSRR(A0, SENVCFG), 0, 0), ECALL_S);
    CHECK_EQ(run_insn(S, CSRR(A0, HENVCFG), 0, 0), ECALL_S);
    CHECK_EQ(run_insn(S, CSRR(A0, HSTATEEN0), 0, 0), ECALL_S);
    CHECK_EQ(run_insn(VS, CSRR(A0, SENVCFG), 0, 0), ECALL_VS);
    CHECK_EQ(run_insn(VS, CSRR(A0, SSTATEEN0), 0, 0), ECALL_VS);
    csr_write(HSTATEEN0, ~ENVCFG);
    CHECK_EQ(run_insn(VS, CSRR(A0, SENVCFG), 0, 0), VIRTUAL);
    CHECK_EQ(run_insn(S, CSRR(A0, SENVCFG), 0, 0), ECALL_S);
    csr_write(HSTATEEN0, ~SE0);
    CHECK_EQ(run_insn(VS, CSRR(A0, SSTATEEN0), 0, 0), VIRTUAL);
    csr_write(HSTATEEN0, -1UL);
    csr_write(MSTATEEN0, ~ENVCFG);
    CHECK_EQ(csr_read(HSTATEEN0) & ENVCFG, 0); /* read-only zero where mstateen0 is */
    CHECK_EQ(run_insn(S, CSRR(A0, SENVCFG), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(S, CSRR(A0, HENVCFG), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VS, CSRR(A0, SENVCFG), 0, 0), ILLEGAL);
    csr_write(MSTATEEN0, ~SE0);
    CHECK_EQ(run_insn(S, CSRR(A0, HSTATEEN0), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(S, CSRR(A0, SSTATEEN0), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(M, CSRR(A0, HSTATEEN0), 0, 0), ECALL_M);
    csr_write(MSTATEEN0, -1UL);
}

/* ---- Sstc in a guest ---- */
TEST(vstimecmp_sets_vstip)
{
    csr_write(MENVCFG, MENVCFG_STCE);
    csr_write(HENVCFG, MENVCFG_STCE);
    csr_write(MCOUNTEREN, 2);
    csr_write(HCOUNTEREN, 2);
    csr_write(VSTIMECMP, -1UL);
    CHECK_EQ(csr_read(HIP) & BIT(IRQ_VSTI), 0);
    /* VS reaches it as stimecmp. */
    CHECK_EQ(run_insn(VS, CSRRW(0, STIMECMP, A0), 0, 0), ECALL_VS);
    CHECK_EQ(csr_read(VSTIMECMP), 0);
    CHECK_EQ(csr_read(HIP) & BIT(IRQ_VSTI), BIT(IRQ_VSTI));
    CHECK_EQ(csr_read(HVIP) & BIT(IRQ_VSTI), 0);
    /* Compared with time + htimedelta. */
    csr_write(VSTIMECMP, 1UL << 50);
    CHECK_EQ(csr_read(HIP) & BIT(IRQ_VSTI), 0);
    csr_write(HTIMEDELTA, 1UL << 50);
    csr_write(VSTIMECMP, 1UL << 50);
    CHECK_EQ(csr_read(HIP) & BIT(IRQ_VSTI), BIT(IRQ_VSTI));
    csr_write(HTIMEDELTA, 0);
    csr_write(VSTIMECMP, -1UL);
    csr_write(STIMECMP, -1UL);
}

TEST(stimecmp_in_a_guest_needs_henvcfg_and_hcounteren)
{
    u32 insn = CSRR(A0, STIMECMP);
    for (int m = 0; m < 8; m++) {
        int stce = m & 1, counter = m & 2, machine = m & 4;
        note("machine, hcounteren, henvcfg", (u64)m);
        csr_write(MENVCFG, machine ? MENVCFG_STCE : 0);
        csr_write(HENVCFG, stce ? MENVCFG_STCE : 0);
        csr_write(MCOUNTEREN, 2);
        csr_write(HCOUNTEREN, counter ? 2 : 0);
        CHECK_EQ(run_insn(VS, insn, 0, 0),
                 !machine ? ILLEGAL : stce && counter ? ECALL_VS : VIRTUAL);
    }
    csr_write(MENVCFG, MENVCFG_STCE);
    csr_write(HENVCFG, MENVCFG_STCE);
    csr_write(HCOUNTEREN, 2);
    csr_write(MCOUNTEREN, 0);
    CHECK_EQ(run_insn(VS, insn, 0, 0), ILLEGAL);
}
