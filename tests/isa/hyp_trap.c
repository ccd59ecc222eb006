/* SPDX-License-Identifier: MIT */
/*
 * Virtual-instruction against illegal-instruction, transitions of V, delegation to HS and VS,
 * virtual interrupts (Privileged, "Hypervisor Extension": "Traps", "Machine-Level CSRs").
 */
#include "isa.h"

#define _ 0 /* permitted */
#define I ILLEGAL
#define V VIRTUAL

struct rule {
    const char *name;
    u32 insn;
    u8 want[5]; /* from U, HS, M, VU, VS */
};

static const enum level order[5] = {U, S, M, VU, VS};

static void check_rules(const struct rule *rules, u64 count)
{
    for (u64 i = 0; i < count; i++)
        for (int j = 0; j < 5; j++) {
            const struct rule *r = &rules[i];
            note(r->name, (u64)order[j]);
            u64 cause = run_insn(order[j], r->insn, (u64)data_page(0), 0);
            if (r->want[j] == _) {
                CHECK_EQ(cause, ecall_of(order[j]));
            } else {
                CHECK_EQ(cause, r->want[j]);
                CHECK_EQ(m_trap.tval, r->insn);
                CHECK_EQ(m_trap.tval2, 0);
            }
            csr_write(SATP, 0);
            csr_write(VSATP, 0);
        }
}
#define RULES(...)                                                                                 \
    static const struct rule rules[] = {__VA_ARGS__};                                              \
    check_rules(rules, sizeof rules / sizeof *rules)

/* Columns:                                         U  HS M  VU VS */
TEST_QEMU_DEVIATES(hypervisor_instructions, "mtval holds an earlier instruction")
{
    RULES({"hfence.vvma", HFENCE_VVMA(0, 0),        {I, _, _, V, V}},
          {"hfence.gvma", HFENCE_GVMA(0, 0),        {I, _, _, V, V}},
          {"hinval.vvma", HINVAL_VVMA(0, 0),        {I, _, _, V, V}},
          {"hinval.gvma", HINVAL_GVMA(0, 0),        {I, _, _, V, V}},
          {"hlv.b", HLV_B(A0, A0),                  {I, _, _, V, V}},
          {"hlv.bu", HLV_BU(A0, A0),                {I, _, _, V, V}},
          {"hlv.h", HLV_H(A0, A0),                  {I, _, _, V, V}},
          {"hlv.hu", HLV_HU(A0, A0),                {I, _, _, V, V}},
          {"hlvx.hu", HLVX_HU(A0, A0),              {I, _, _, V, V}},
          {"hlv.w", HLV_W(A0, A0),                  {I, _, _, V, V}},
          {"hlv.wu", HLV_WU(A0, A0),                {I, _, _, V, V}},
          {"hlvx.wu", HLVX_WU(A0, A0),              {I, _, _, V, V}},
          {"hlv.d", HLV_D(A0, A0),                  {I, _, _, V, V}},
          {"hsv.b", HSV_B(A1, A0),                  {I, _, _, V, V}},
          {"hsv.h", HSV_H(A1, A0),                  {I, _, _, V, V}},
          {"hsv.w", HSV_W(A1, A0),                  {I, _, _, V, V}},
          {"hsv.d", HSV_D(A1, A0),                  {I, _, _, V, V}});
}

TEST_QEMU_DEVIATES(supervisor_instructions, "is permissive in VU, and mtval is 0")
{
    RULES({"sfence.vma", SFENCE_VMA(0, 0),          {I, _, _, V, _}},
          {"sinval.vma", SINVAL_VMA(0, 0),          {I, _, _, V, _}},
          {"sfence.w.inval", SFENCE_W_INVAL,        {I, _, _, V, _}},
          {"sfence.inval.ir", SFENCE_INVAL_IR,      {I, _, _, V, _}});
    CHECK_EQ(run_insn(VU, MRET, 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VS, MRET, 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VU, SRET, 0, 0), VIRTUAL);
    CHECK_EQ(run_insn(U, SRET, 0, 0), ILLEGAL);
}

TEST(hypervisor_csrs)
{
    RULES({"hstatus", CSRR(A0, HSTATUS),            {I, _, _, V, V}},
          {"hedeleg", CSRR(A0, HEDELEG),            {I, _, _, V, V}},
          {"hideleg", CSRR(A0, HIDELEG),            {I, _, _, V, V}},
          {"hie", CSRR(A0, HIE),                    {I, _, _, V, V}},
          {"hip", CSRR(A0, HIP),                    {I, _, _, V, V}},
          {"hvip", CSRR(A0, HVIP),                  {I, _, _, V, V}},
          {"hgeie", CSRR(A0, HGEIE),                {I, _, _, V, V}},
          {"hgeip", CSRR(A0, HGEIP),                {I, _, _, V, V}},
          {"hcounteren", CSRR(A0, HCOUNTEREN),      {I, _, _, V, V}},
          {"htimedelta", CSRR(A0, HTIMEDELTA),      {I, _, _, V, V}},
          {"henvcfg", CSRR(A0, HENVCFG),            {I, _, _, V, V}},
          {"htval", CSRR(A0, HTVAL),                {I, _, _, V, V}},
          {"htinst", CSRR(A0, HTINST),              {I, _, _, V, V}},
          {"hgatp", CSRR(A0, HGATP),                {I, _, _, V, V}},
          {"vsstatus", CSRR(A0, VSSTATUS),          {I, _, _, V, V}},
          {"vsie", CSRR(A0, VSIE),                  {I, _, _, V, V}},
          {"vsip", CSRR(A0, VSIP),                  {I, _, _, V, V}},
          {"vstvec", CSRR(A0, VSTVEC),              {I, _, _, V, V}},
          {"vsscratch", CSRR(A0, VSSCRATCH),        {I, _, _, V, V}},
          {"vsepc", CSRR(A0, VSEPC),                {I, _, _, V, V}},
          {"vscause", CSRR(A0, VSCAUSE),            {I, _, _, V, V}},
          {"vstval", CSRR(A0, VSTVAL),              {I, _, _, V, V}},
          {"vsatp", CSRR(A0, VSATP),                {I, _, _, V, V}},
          {"mtval2", CSRR(A0, MTVAL2),              {I, I, _, I, I}},
          {"mtinst", CSRR(A0, MTINST),              {I, I, _, I, I}},
          {"mstatus", CSRR(A0, MSTATUS),            {I, I, _, I, I}},
          {"medeleg", CSRR(A0, MEDELEG),            {I, I, _, I, I}});
}

TEST_QEMU_DEVIATES(writes_to_read_only_hypervisor_csrs, "raises virtual-instruction")
{
    /* Not allowed in HS either: illegal. */
    RULES({"hgeip", CSRRW(0, HGEIP, 0),             {I, I, I, I, I}},
          {"absent h*", CSRR(A0, 0x6ff),            {I, I, I, I, I}},
          {"absent vs*", CSRR(A0, 0x2ff),           {I, I, I, I, I}});
}

TEST_QEMU_DEVIATES(supervisor_csrs_in_vu, "illegal-instruction")
{
    RULES({"sstatus", CSRR(A0, SSTATUS),            {I, _, _, V, _}},
          {"sie", CSRR(A0, SIE),                    {I, _, _, V, _}},
          {"stvec", CSRR(A0, STVEC),                {I, _, _, V, _}},
          {"scounteren", CSRR(A0, SCOUNTEREN),      {I, _, _, V, _}},
          {"sscratch", CSRR(A0, SSCRATCH),          {I, _, _, V, _}},
          {"sepc", CSRR(A0, SEPC),                  {I, _, _, V, _}},
          {"scause", CSRR(A0, SCAUSE),              {I, _, _, V, _}},
          {"stval", CSRR(A0, STVAL),                {I, _, _, V, _}},
          {"sip", CSRR(A0, SIP),                    {I, _, _, V, _}},
          {"senvcfg", CSRR(A0, SENVCFG),            {I, _, _, V, _}},
          {"satp", CSRR(A0, SATP),                  {I, _, _, V, _}});
}

TEST_QEMU_DEVIATES(vtvm, "illegal-instruction, and heeds TVM in VS")
{
    csr_write(HSTATUS, HSTATUS_VTVM);
    {
        RULES({"satp read", CSRR(A0, SATP),         {I, _, _, V, V}},
              {"satp write", CSRRW(0, SATP, 0),     {I, _, _, V, V}},
              {"sfence.vma", SFENCE_VMA(0, 0),      {I, _, _, V, V}},
              {"sinval.vma", SINVAL_VMA(0, 0),      {I, _, _, V, V}},
              {"sfence.w.inval", SFENCE_W_INVAL,    {I, _, _, V, _}});
    }
    csr_write(HSTATUS, 0);
    csr_write(MSTATUS, MSTATUS_TVM); /* of HS alone */
    {
        RULES({"satp read", CSRR(A0, SATP),         {I, I, _, V, _}},
              {"hgatp read", CSRR(A0, HGATP),       {I, I, _, V, V}},
              {"hfence.gvma", HFENCE_GVMA(0, 0),    {I, I, _, V, V}},
              {"hinval.gvma", HINVAL_GVMA(0, 0),    {I, I, _, V, V}},
              {"hfence.vvma", HFENCE_VVMA(0, 0),    {I, _, _, V, V}},
              {"vsatp read", CSRR(A0, VSATP),       {I, _, _, V, V}},
              {"sfence.vma", SFENCE_VMA(0, 0),      {I, I, _, V, _}});
    }
}

TEST_QEMU_DEVIATES(vtsr_and_tsr, "heeds TSR in VS")
{
    csr_write(HSTATUS, HSTATUS_VTSR);
    CHECK_EQ(run_insn(VS, SRET, 0, 0), VIRTUAL);
    CHECK_EQ(m_trap.tval, SRET);
    csr_write(HSTATUS, 0);
    csr_write(MSTATUS, MSTATUS_TSR); /* of HS alone */
    CHECK_EQ(run_insn(S, SRET, 0, 0), ILLEGAL);
    csr_write(VSEPC, (u64)data_page(0));
    *(u32 *)data_page(0) = ECALL;
    csr_write(VSSTATUS, 0);
    CHECK_EQ(run_insn(VS, SRET, 0, 0), ECALL_U);
}

TEST_QEMU_DEVIATES(vtw_and_tw, "raises virtual-instruction for TW in VU")
{
    csr_write(HSTATUS, HSTATUS_VTW);
    CHECK_EQ(run_insn(VS, WFI, 0, 0), VIRTUAL);
    CHECK_EQ(m_trap.tval, WFI);
    csr_write(HSTATUS, 0);
    csr_write(MSTATUS, MSTATUS_TW);
    CHECK_EQ(run_insn(VS, WFI, 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VU, WFI, 0, 0), ILLEGAL);
    csr_write(MSTATUS, 0);
    CHECK_EQ(run_insn(VU, WFI, 0, 0), VIRTUAL);
    /* With an interrupt pending it completes. */
    csr_write(HIE, 4);
    csr_write(HVIP, 4);
    csr_write(HIDELEG, 4);
    CHECK_EQ(run_insn(VS, WFI, 0, 0), ECALL_VS);
}

TEST(hu_opens_hypervisor_accesses_to_u)
{
    *(u64 *)data_page(0) = 0x8877665544332211;
    csr_write(HSTATUS, HSTATUS_HU);
    CHECK_EQ(run_insn(U, HLV_D(A0, A0), (u64)data_page(0), 0), ECALL_U);
    CHECK_EQ(m_trap.x[10], 0x8877665544332211);
    CHECK_EQ(run_insn(U, HSV_B(A1, A0), (u64)data_page(0), 0x99), ECALL_U);
    CHECK_EQ(data_page(0)[0], 0x99);
    CHECK_EQ(run_insn(U, HFENCE_VVMA(0, 0), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VU, HLV_D(A0, A0), (u64)data_page(0), 0), VIRTUAL);
    csr_write(HSTATUS, 0);
    CHECK_EQ(run_insn(U, HLV_D(A0, A0), (u64)data_page(0), 0), ILLEGAL);
}

TEST(counters_in_a_guest)
{
    static const u16 counters[] = {CYCLE, TIME, INSTRET};
    for (u64 c = 0; c < 3; c++)
        for (u64 m = 0; m < 2; m++)
            for (u64 h = 0; h < 2; h++)
                for (u64 s = 0; s < 2; s++) {
                    note("counter, m, h, s", c << 12 | m << 8 | h << 4 | s);
                    csr_write(MCOUNTEREN, m << c);
                    csr_write(HCOUNTEREN, h << c);
                    csr_write(SCOUNTEREN, s << c);
                    u32 insn = CSRR(A0, counters[c]);
                    CHECK_EQ(run_insn(VS, insn, 0, 0), !m ? ILLEGAL : !h ? VIRTUAL : ECALL_VS);
                    CHECK_EQ(run_insn(VU, insn, 0, 0),
                             !m ? ILLEGAL : h && s ? ECALL_U : VIRTUAL);
                    CHECK_EQ(run_insn(S, insn, 0, 0), m ? ECALL_S : ILLEGAL);
                    CHECK_EQ(run_insn(U, insn, 0, 0), m && s ? ECALL_U : ILLEGAL);
                }
}

/* ---- transitions of V ---- */
TEST(traps_into_m_from_a_guest)
{
    static const enum level from[] = {U, S, VU, VS};
    for (int i = 0; i < 4; i++) {
        note("level", from[i]);
        CHECK_EQ(run_insn(from[i], ECALL, 0, 0), ecall_of(from[i]));
        CHECK_EQ(!!(m_trap.status & MSTATUS_MPV), !!(from[i] & 4));
        CHECK_EQ(m_trap.status >> 11 & 3, from[i] & 3);
        CHECK_EQ(m_trap.status & MSTATUS_GVA, 0);
        CHECK_EQ(m_trap.tval2, 0);
        CHECK_EQ(m_trap.tinst, 0);
    }
}

TEST(traps_into_hs_from_a_guest)
{
    csr_write(MEDELEG, BIT(ECALL_U) | BIT(ECALL_VS) | BIT(VIRTUAL) | BIT(ILLEGAL));
    CHECK_EQ(run_insn(VS, ECALL, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, ECALL_VS);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPV, HSTATUS_SPV);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPVP, HSTATUS_SPVP);
    CHECK_EQ(s_trap.status & MSTATUS_SPP, MSTATUS_SPP);
    CHECK_EQ(run_insn(VU, ECALL, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, ECALL_U);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPV, HSTATUS_SPV);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPVP, 0);
    CHECK_EQ(s_trap.status & MSTATUS_SPP, 0);
    /* From V=0 SPV becomes 0 and SPVP stays. */
    csr_write(HSTATUS, HSTATUS_SPVP | HSTATUS_SPV);
    CHECK_EQ(run_insn(U, ECALL, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPV, 0);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPVP, HSTATUS_SPVP);
    CHECK_EQ(run_insn(VS, CSRR(A0, HSTATUS), 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, VIRTUAL);
    CHECK_EQ(s_trap.tval, CSRR(A0, HSTATUS));
}

TEST(traps_into_vs)
{
    csr_write(MEDELEG, BIT(ECALL_U) | BIT(BREAKPOINT) | BIT(LOAD_ACCESS));
    csr_write(HEDELEG, BIT(ECALL_U) | BIT(BREAKPOINT) | BIT(LOAD_ACCESS));
    csr_write(VSSTATUS, MSTATUS_SIE);
    csr_write(HSTATUS, HSTATUS_SPVP);
    CHECK_EQ(run_insn(VU, ECALL, 0, 0), ECALL_VS); /* the VS handler's own ECALL */
    CHECK_EQ(vs_trap.count, 1);
    CHECK_EQ(s_trap.count, 0);
    CHECK_EQ(vs_trap.cause, ECALL_U);
    CHECK_EQ(vs_trap.epc, insn_address());
    CHECK_EQ(vs_trap.status & MSTATUS_SPP, 0);
    CHECK_EQ(vs_trap.status & MSTATUS_SPIE, MSTATUS_SPIE);
    CHECK_EQ(vs_trap.status & MSTATUS_SIE, 0);
    CHECK_EQ(csr_read(HSTATUS) & HSTATUS_SPVP, HSTATUS_SPVP); /* HS state is untouched */
    CHECK_EQ(run_insn(VS, EBREAK, 0, 0), ECALL_VS);
    CHECK_EQ(vs_trap.cause, BREAKPOINT);
    CHECK_EQ(vs_trap.status & MSTATUS_SPP, MSTATUS_SPP);
    CHECK_EQ(run_insn(VS, LD(A0, A0, 0), 24, 0), ECALL_VS);
    CHECK_EQ(vs_trap.cause, LOAD_ACCESS);
    CHECK_EQ(vs_trap.tval, 24);
    /* The same from V=0 goes to HS whatever hedeleg says. */
    CHECK_EQ(run_insn(U, ECALL, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(vs_trap.count, 0);
}

TEST_QEMU_DEVIATES(illegal_instructions_into_vs, "takes one from the cause")
{
    csr_write(MEDELEG, BIT(ILLEGAL));
    csr_write(HEDELEG, BIT(ILLEGAL));
    CHECK_EQ(run_insn(VS, 0xffffffff, 0, 0), ECALL_VS);
    CHECK_EQ(vs_trap.cause, ILLEGAL);
    CHECK_EQ(vs_trap.tval, 0xffffffff);
}

TEST(sret_into_a_guest)
{
    csr_write(SEPC, (u64)data_page(0));
    *(u32 *)data_page(0) = ECALL;
    for (int spv = 0; spv < 2; spv++)
        for (int spp = 0; spp < 2; spp++) {
            note("SPV, SPP", (u64)(spv << 4 | spp));
            csr_write(HSTATUS, spv ? HSTATUS_SPV : 0);
            csr_write(MSTATUS, spp ? MSTATUS_SPP : 0);
            u64 want = spp ? spv ? ECALL_VS : ECALL_S : ECALL_U;
            CHECK_EQ(run_insn(S, SRET, 0, 0), want);
            CHECK_EQ(m_trap.epc, data_page(0));
            CHECK_EQ(!!(m_trap.status & MSTATUS_MPV), spv);
            CHECK_EQ(csr_read(HSTATUS) & HSTATUS_SPV, 0);
            CHECK_EQ(csr_read(MSTATUS) & MSTATUS_SPP, 0);
        }
}

TEST(sret_within_a_guest_uses_vsstatus)
{
    csr_write(VSEPC, (u64)data_page(0));
    csr_write(SEPC, 0);
    *(u32 *)data_page(0) = ECALL;
    csr_write(VSSTATUS, MSTATUS_SPP | MSTATUS_SPIE);
    csr_write(MSTATUS, 0);
    CHECK_EQ(run_insn(VS, SRET, 0, 0), ECALL_VS);
    CHECK_EQ(m_trap.epc, data_page(0));
    CHECK_EQ(csr_read(VSSTATUS) & (MSTATUS_SPP | MSTATUS_SIE), MSTATUS_SIE);
    csr_write(VSSTATUS, 0);
    CHECK_EQ(run_insn(VS, SRET, 0, 0), ECALL_U);
    CHECK_EQ(m_trap.status & MSTATUS_MPV, MSTATUS_MPV); /* still V=1 */
}

TEST(mret_with_mpp_m_ignores_mpv)
{
    csr_write(MSTATUS, 0);
    u32 code[] = {NOP};
    CHECK_EQ(run_words(M, code, 1, 0, 0), ECALL_M);
    csr_set(MSTATUS, MSTATUS_MPV);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_MPV, MSTATUS_MPV);
    /* An MRET in M, to M, with MPV set. */
    csr_write(MEPC, (u64)data_page(0));
    *(u32 *)data_page(0) = CSRR(A0, MHARTID); /* only M may */
    *(u32 *)(data_page(0) + 4) = ECALL;
    asm volatile("fence.i");
    u32 to_m[] = {CSRRS(0, MSTATUS, A0), CSRRW(0, MEPC, A1), MRET};
    CHECK_EQ(run_words(M, to_m, 3, MSTATUS_MPV | MSTATUS_MPP, (u64)data_page(0)), ECALL_M);
    CHECK_EQ(m_trap.epc, data_page(0) + 4);
}

/* ---- virtual interrupts ---- */
TEST(vs_interrupts_go_to_vs_when_delegated)
{
    static const u8 irq[] = {IRQ_VSSI, IRQ_VSTI, IRQ_VSEI};
    for (int i = 0; i < 3; i++) {
        note("interrupt", irq[i]);
        csr_write(HVIP, BIT(irq[i]));
        csr_write(HIE, BIT(irq[i]));
        csr_write(HIDELEG, BIT(irq[i]));
        csr_write(VSSTATUS, 0);
        CHECK_EQ(run_insn(VS, NOP, 0, 0), ECALL_VS);
        CHECK_EQ(vs_trap.count, 0); /* SIE = 0 */
        csr_write(VSSTATUS, MSTATUS_SIE);
        CHECK_EQ(run_insn(VS, NOP, 0, 0), ECALL_VS);
        CHECK_EQ(vs_trap.count, 1);
        CHECK_EQ(vs_trap.cause, INTERRUPT | (irq[i] - 1u));
        CHECK_EQ(vs_trap.epc, insn_address());
        csr_write(VSSTATUS, 0);
        CHECK_EQ(run_insn(VU, NOP, 0, 0), ECALL_VS); /* always below VS */
        CHECK_EQ(vs_trap.count, 1);
        csr_write(VSSTATUS, MSTATUS_SIE);
        csr_write(MSTATUS, MSTATUS_SIE); /* never in HS, U or M */
        CHECK_EQ(run_insn(S, NOP, 0, 0), ECALL_S);
        CHECK_EQ(s_trap.count, 0);
        CHECK_EQ(run_insn(U, NOP, 0, 0), ECALL_U);
        CHECK_EQ(run_insn(M, NOP, 0, 0), ECALL_M);
        csr_write(MSTATUS, 0);
    }
    csr_write(HVIP, 0);
}

TEST(vs_interrupts_go_to_hs_when_not_delegated)
{
    csr_write(HVIP, BIT(IRQ_VSSI));
    csr_write(HIE, BIT(IRQ_VSSI));
    csr_write(MSTATUS, 0);
    CHECK_EQ(run_insn(VS, NOP, 0, 0), ECALL_S); /* V=1 is below HS */
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_VSSI);
    CHECK_EQ(s_trap.hstatus & HSTATUS_SPV, HSTATUS_SPV);
    CHECK_EQ(run_insn(S, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 0);
    csr_write(MSTATUS, MSTATUS_SIE);
    CHECK_EQ(run_insn(S, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(run_insn(M, NOP, 0, 0), ECALL_M);
    csr_write(HVIP, 0);
}

TEST(hs_interrupts_are_taken_in_a_guest)
{
    csr_write(MIDELEG, 0x222);
    csr_write(MIE, BIT(IRQ_SSI));
    csr_write(MIP, BIT(IRQ_SSI));
    csr_write(MSTATUS, 0);
    CHECK_EQ(run_insn(VS, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_SSI);
    csr_write(MIP, 0);
}

TEST_QEMU_DEVIATES(virtual_interrupt_priority, "goes by number")
{
    static const u8 sequence[] = {IRQ_VSEI, IRQ_VSSI, IRQ_VSTI};
    csr_write(HIDELEG, 0x444);
    csr_write(HVIP, 0x444);
    csr_write(HIE, 0x444);
    for (int i = 0; i < 3; i++) {
        note("place", (u64)i);
        CHECK_EQ(run_insn(VU, NOP, 0, 0), ECALL_VS);
        CHECK_EQ(vs_trap.cause, INTERRUPT | (sequence[i] - 1u));
        csr_clear(HIE, BIT(sequence[i]));
    }
    csr_write(HVIP, 0);
}

TEST(vectored_traps_in_vs)
{
    csr_write(VSTVEC, (u64)vs_vectors | 1);
    csr_write(HIDELEG, 0x444);
    csr_write(HVIP, BIT(IRQ_VSTI));
    csr_write(HIE, BIT(IRQ_VSTI));
    vector_taken = 99;
    CHECK_EQ(run_insn(VU, NOP, 0, 0), ECALL_VS);
    CHECK_EQ(vector_taken, IRQ_STI);
    csr_write(HVIP, 0);
}
