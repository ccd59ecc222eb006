/* SPDX-License-Identifier: MIT */
/*
 * The test environment for bare-metal programs that check themselves.
 *
 * A program is a set of cases: TEST(name) { ... CHECK_EQ(got, want); ... }. They run in M-mode, one
 * after another, each from the same reset state (reset_state() in env.c), and the program prints a
 * TAP line for each through the UART. A failed check or an unexpected trap ends its case alone.
 * The program ends through the test finisher: 0 when all cases passed, 1 otherwise.
 *
 * Code at another level is run by run() or run_insn(): they go to the level, and come back with
 * the first trap that reaches M, which is in m_trap; traps delegated to HS and VS are in s_trap and
 * vs_trap (their handlers end with an ECALL to M).
 *
 * With paging on, the image is mapped by identity for S (map_image()) and, for U, at USER_ALIAS.
 */
#ifndef ISA_TEST_H
#define ISA_TEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;
typedef int i32;

struct trap {
    u64 count; /* traps taken at this level since reset_state() or run() */
    u64 cause, tval, epc, status;
    u64 tval2, tinst; /* mtval2 and mtinst, or htval and htinst */
    u64 hstatus;      /* HS only */
    u64 x[32];        /* the integer registers when the trap was taken */
};
extern struct trap m_trap, s_trap, vs_trap;
extern u64 vector_taken;
extern int have_h;
extern char m_entry[], s_entry[], vs_entry[], m_vectors[], s_vectors[], vs_vectors[];
extern int m_policy;
#define POLICY_FATAL 0
#define POLICY_SKIP 2

struct isa_case {
    const char *name;
    void (*fn)(void);
    const char *qemu; /* why QEMU 7.2 is expected to fail it, or NULL */
};

#define ISA_CASE_(ident, reason)                                                                   \
    static void ident(void);                                                                       \
    static const struct isa_case ident##_case                                                      \
        __attribute__((section(".isa_cases"), used, aligned(8))) = {#ident, ident, reason};        \
    static void ident(void)
#define TEST(ident) ISA_CASE_(ident, (const char *)0)
/* A case that QEMU 7.2 is known to fail, where it deviates from the manual. */
#define TEST_QEMU_DEVIATES(ident, reason) ISA_CASE_(ident, reason)

void fail_eq(const char *file, int line, const char *what, u64 got, u64 want)
    __attribute__((noreturn));
void fail_vector(const char *insn, u64 index, u64 got, u64 want) __attribute__((noreturn));
/* Adds a note to the message of checks that fail from now on in this case (for loops). */
void note(const char *text, u64 value);

#define CHECK_EQ(got, want)                                                                        \
    do {                                                                                           \
        u64 got_ = (u64)(got), want_ = (u64)(want);                                                \
        if (got_ != want_)                                                                         \
            fail_eq(__FILE__, __LINE__, #got " == " #want, got_, want_);                           \
    } while (0)
#define CHECK(condition) CHECK_EQ(!!(condition), 1)

void print(const char *text);
void print_hex(u64 value);

/* ---- CSRs ---- */
#define STR_(x) #x
#define STR(x) STR_(x)
#define csr_read(csr)                                                                              \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile("csrr %0, " STR(csr) : "=r"(v_)::"memory");                                   \
        v_;                                                                                        \
    })
#define csr_write(csr, value) asm volatile("csrw " STR(csr) ", %0" ::"r"((u64)(value)) : "memory")
#define csr_swap(csr, value)                                                                       \
    ({                                                                                             \
        u64 v_;                                                                                    \
        asm volatile("csrrw %0, " STR(csr) ", %1" : "=r"(v_) : "r"((u64)(value)) : "memory");      \
        v_;                                                                                        \
    })
#define csr_set(csr, value) asm volatile("csrs " STR(csr) ", %0" ::"r"((u64)(value)) : "memory")
#define csr_clear(csr, value) asm volatile("csrc " STR(csr) ", %0" ::"r"((u64)(value)) : "memory")
#define csr_write_read(csr, value) (csr_write(csr, value), csr_read(csr))

#define FFLAGS 0x001
#define FRM 0x002
#define FCSR 0x003
#define CYCLE 0xc00
#define TIME 0xc01
#define INSTRET 0xc02
#define SSTATUS 0x100
#define SIE 0x104
#define STVEC 0x105
#define SCOUNTEREN 0x106
#define SENVCFG 0x10a
#define SSTATEEN0 0x10c
#define SSCRATCH 0x140
#define SEPC 0x141
#define SCAUSE 0x142
#define STVAL 0x143
#define SIP 0x144
#define STIMECMP 0x14d
#define SATP 0x180
#define VSSTATUS 0x200
#define VSIE 0x204
#define VSTVEC 0x205
#define VSSCRATCH 0x240
#define VSEPC 0x241
#define VSCAUSE 0x242
#define VSTVAL 0x243
#define VSIP 0x244
#define VSTIMECMP 0x24d
#define VSATP 0x280
#define HSTATUS 0x600
#define HEDELEG 0x602
#define HIDELEG 0x603
#define HIE 0x604
#define HTIMEDELTA 0x605
#define HCOUNTEREN 0x606
#define HGEIE 0x607
#define HENVCFG 0x60a
#define HSTATEEN0 0x60c
#define HTVAL 0x643
#define HIP 0x644
#define HVIP 0x645
#define HTINST 0x64a
#define HGATP 0x680
#define HGEIP 0xe12
#define MSTATUS 0x300
#define MISA 0x301
#define MEDELEG 0x302
#define MIDELEG 0x303
#define MIE 0x304
#define MTVEC 0x305
#define MCOUNTEREN 0x306
#define MENVCFG 0x30a
#define MSTATEEN0 0x30c
#define MCOUNTINHIBIT 0x320
#define MSCRATCH 0x340
#define MEPC 0x341
#define MCAUSE 0x342
#define MTVAL 0x343
#define MIP 0x344
#define MTINST 0x34a
#define MTVAL2 0x34b
#define PMPCFG0 0x3a0
#define PMPADDR0 0x3b0
#define PMPADDR1 0x3b1
#define PMPADDR2 0x3b2
#define PMPADDR3 0x3b3
#define PMPADDR7 0x3b7
#define PMPADDR15 0x3bf
#define MCYCLE 0xb00
#define MINSTRET 0xb02
#define MVENDORID 0xf11
#define MARCHID 0xf12
#define MIMPID 0xf13
#define MHARTID 0xf14

#define BIT(n) (1UL << (n))
#define MSTATUS_SIE BIT(1)
#define MSTATUS_MIE BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP BIT(8)
#define MSTATUS_MPP (3UL << 11)
#define MSTATUS_FS (3UL << 13)
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM BIT(18)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_TVM BIT(20)
#define MSTATUS_TW BIT(21)
#define MSTATUS_TSR BIT(22)
#define MSTATUS_GVA BIT(38)
#define MSTATUS_MPV BIT(39)
#define MSTATUS_SD BIT(63)
#define HSTATUS_VSBE BIT(5)
#define HSTATUS_GVA BIT(6)
#define HSTATUS_SPV BIT(7)
#define HSTATUS_SPVP BIT(8)
#define HSTATUS_HU BIT(9)
#define HSTATUS_VTVM BIT(20)
#define HSTATUS_VTW BIT(21)
#define HSTATUS_VTSR BIT(22)
#define MENVCFG_STCE BIT(63)
#define MENVCFG_PBMTE BIT(62)
#define MENVCFG_ADUE BIT(61)

/* Interrupt numbers. */
#define IRQ_SSI 1
#define IRQ_VSSI 2
#define IRQ_MSI 3
#define IRQ_STI 5
#define IRQ_VSTI 6
#define IRQ_MTI 7
#define IRQ_SEI 9
#define IRQ_VSEI 10
#define IRQ_MEI 11
#define IRQ_SGEI 12
#define INTERRUPT BIT(63)

enum cause {
    FETCH_MISALIGNED = 0,
    FETCH_ACCESS = 1,
    ILLEGAL = 2,
    BREAKPOINT = 3,
    LOAD_MISALIGNED = 4,
    LOAD_ACCESS = 5,
    STORE_MISALIGNED = 6,
    STORE_ACCESS = 7,
    ECALL_U = 8,
    ECALL_S = 9,
    ECALL_VS = 10,
    ECALL_M = 11,
    FETCH_PAGE = 12,
    LOAD_PAGE = 13,
    STORE_PAGE = 15,
    FETCH_GUEST_PAGE = 20,
    LOAD_GUEST_PAGE = 21,
    VIRTUAL = 22,
    STORE_GUEST_PAGE = 23,
};

/* ---- running code at a level ---- */
enum level { U, S, M = 3, VU = 4, VS = 5 };
/* The ECALL cause by which code that met no trap comes back from a level. */
u64 ecall_of(enum level level);
const char *level_name(enum level level);

/*
 * Runs code at level with a0..a3, until the first trap into M. The code may be a C function; it
 * returns into an ECALL. Returns the cause (m_trap.cause); a0 is then m_trap.x[10].
 */
u64 run(enum level level, const void *code, u64 a0, u64 a1, u64 a2, u64 a3);
/* Runs one instruction (given by its encoding, 16 or 32 bits) followed by ECALL. */
u64 run_insn(enum level level, u32 insn, u64 a0, u64 a1);
/* Runs count instruction words followed by ECALL. */
u64 run_words(enum level level, const u32 *words, int count, u64 a0, u64 a1);
/* The address at which run_insn() put the instruction, as its level saw it. */
u64 insn_address(void);
/* In M: executes instruction words, traps skip the instruction. Returns a0; cause or -1. */
u64 try_words(const u32 *words, int count, u64 a0, u64 a1, i64 *cause);

/* Addresses run() adds to code and stack for each level (USER_ALIAS with paging, else 0). */
extern u64 alias_of[8];
#define USER_ALIAS 0x40000000UL

/* Instruction encodings used by run_insn(). */
#define A0 10
#define A1 11
#define R_TYPE(op, f3, f7, rd, rs1, rs2)                                                           \
    ((u32)(op) | (u32)(rd) << 7 | (u32)(f3) << 12 | (u32)(rs1) << 15 | (u32)(rs2) << 20 |          \
     (u32)(f7) << 25)
#define I_TYPE(op, f3, rd, rs1, imm)                                                               \
    ((u32)(op) | (u32)(rd) << 7 | (u32)(f3) << 12 | (u32)(rs1) << 15 | ((u32)(imm) & 0xfff) << 20)
#define S_TYPE(op, f3, rs1, rs2, imm)                                                              \
    ((u32)(op) | ((u32)(imm) & 31) << 7 | (u32)(f3) << 12 | (u32)(rs1) << 15 | (u32)(rs2) << 20 |  \
     ((u32)(imm) >> 5 & 127) << 25)
#define CSRRW(rd, csr, rs1) I_TYPE(0x73, 1, rd, rs1, csr)
#define CSRRS(rd, csr, rs1) I_TYPE(0x73, 2, rd, rs1, csr)
#define CSRRC(rd, csr, rs1) I_TYPE(0x73, 3, rd, rs1, csr)
#define CSRRWI(rd, csr, imm) I_TYPE(0x73, 5, rd, imm, csr)
#define CSRR(rd, csr) CSRRS(rd, csr, 0)
#define NOP 0x00000013u
#define ECALL 0x00000073u
#define EBREAK 0x00100073u
#define SRET 0x10200073u
#define MRET 0x30200073u
#define WFI 0x10500073u
#define LB(rd, rs1, imm) I_TYPE(0x03, 0, rd, rs1, imm)
#define LD(rd, rs1, imm) I_TYPE(0x03, 3, rd, rs1, imm)
#define LW(rd, rs1, imm) I_TYPE(0x03, 2, rd, rs1, imm)
#define SB(rs2, rs1, imm) S_TYPE(0x23, 0, rs1, rs2, imm)
#define SW(rs2, rs1, imm) S_TYPE(0x23, 2, rs1, rs2, imm)
#define SD(rs2, rs1, imm) S_TYPE(0x23, 3, rs1, rs2, imm)
#define AMOADD_D(rd, rs2, rs1) R_TYPE(0x2f, 3, 0, rd, rs1, rs2)
#define LR_D(rd, rs1) R_TYPE(0x2f, 3, 0x08, rd, rs1, 0)
#define SC_D(rd, rs2, rs1) R_TYPE(0x2f, 3, 0x0c, rd, rs1, rs2)
#define SFENCE_VMA(rs1, rs2) R_TYPE(0x73, 0, 0x09, 0, rs1, rs2)
#define SINVAL_VMA(rs1, rs2) R_TYPE(0x73, 0, 0x0b, 0, rs1, rs2)
#define SFENCE_W_INVAL R_TYPE(0x73, 0, 0x0c, 0, 0, 0)
#define SFENCE_INVAL_IR R_TYPE(0x73, 0, 0x0c, 0, 0, 1)
#define HFENCE_VVMA(rs1, rs2) R_TYPE(0x73, 0, 0x11, 0, rs1, rs2)
#define HINVAL_VVMA(rs1, rs2) R_TYPE(0x73, 0, 0x13, 0, rs1, rs2)
#define HFENCE_GVMA(rs1, rs2) R_TYPE(0x73, 0, 0x31, 0, rs1, rs2)
#define HINVAL_GVMA(rs1, rs2) R_TYPE(0x73, 0, 0x33, 0, rs1, rs2)
#define HLV_B(rd, rs1) R_TYPE(0x73, 4, 0x30, rd, rs1, 0)
#define HLV_BU(rd, rs1) R_TYPE(0x73, 4, 0x30, rd, rs1, 1)
#define HLV_H(rd, rs1) R_TYPE(0x73, 4, 0x32, rd, rs1, 0)
#define HLV_HU(rd, rs1) R_TYPE(0x73, 4, 0x32, rd, rs1, 1)
#define HLVX_HU(rd, rs1) R_TYPE(0x73, 4, 0x32, rd, rs1, 3)
#define HLV_W(rd, rs1) R_TYPE(0x73, 4, 0x34, rd, rs1, 0)
#define HLV_WU(rd, rs1) R_TYPE(0x73, 4, 0x34, rd, rs1, 1)
#define HLVX_WU(rd, rs1) R_TYPE(0x73, 4, 0x34, rd, rs1, 3)
#define HLV_D(rd, rs1) R_TYPE(0x73, 4, 0x36, rd, rs1, 0)
#define HSV_B(rs2, rs1) R_TYPE(0x73, 4, 0x31, 0, rs1, rs2)
#define HSV_H(rs2, rs1) R_TYPE(0x73, 4, 0x33, 0, rs1, rs2)
#define HSV_W(rs2, rs1) R_TYPE(0x73, 4, 0x35, 0, rs1, rs2)
#define HSV_D(rs2, rs1) R_TYPE(0x73, 4, 0x37, 0, rs1, rs2)

/* ---- page tables ---- */
#define PTE_V BIT(0)
#define PTE_R BIT(1)
#define PTE_W BIT(2)
#define PTE_X BIT(3)
#define PTE_U BIT(4)
#define PTE_G BIT(5)
#define PTE_A BIT(6)
#define PTE_D BIT(7)
#define PTE_N BIT(63)
#define PTE_PBMT_NC BIT(61)
#define PTE_PBMT_IO BIT(62)
#define PTE_RWX (PTE_R | PTE_W | PTE_X)
#define PTE_LEAF (PTE_V | PTE_RWX | PTE_A | PTE_D)
#define PAGE 4096UL

enum mode { BARE = 0, SV39 = 8, SV48 = 9, SV57 = 10 };
int mode_levels(enum mode mode);
/* A root table, zeroed: 4 KiB, or 16 KiB when it is a G-stage's. */
u64 *table_new(int g_stage);
void tables_free(void); /* all of them; the atp registers must not point to any */
/* The PTE that maps va at level (0: 4 KiB page), made with the tables above it. */
u64 *pte_of(u64 *root, enum mode mode, u64 va, int level);
/* Maps va to pa with a leaf at level. */
void map(u64 *root, enum mode mode, u64 va, u64 pa, int level, u64 flags);
/* Maps the image for S by identity and for U at USER_ALIAS (first stage). */
void map_image(u64 *root, enum mode mode);
u64 atp_value(u64 *root, enum mode mode, u64 id); /* satp or vsatp, id = ASID */
u64 gatp_value(u64 *root, enum mode mode, u64 vmid);
/* New tables in hgatp (Sv39x4): the image by identity, and gpa leads to data_page(0). */
u64 *guest_tables(u64 gpa);
/* New tables in vsatp (Sv39): the image, and va leads to gpa. */
u64 *guest_own_tables(u64 va, u64 gpa);
void fence_all(void);

/* --- PMP: reset_state() gives all of memory all rights in entry 7 --- */
#define CFG_R 1UL
#define CFG_W 2UL
#define CFG_X 4UL
#define CFG_TOR (1UL << 3)
#define CFG_NA4 (2UL << 3)
#define CFG_NAPOT (3UL << 3)
#define CFG_L 0x80UL
#define RWX 7UL
#define PMPCFG0_ALL ((CFG_NAPOT | RWX) << 56) /* that entry */
u64 napot(u64 base, u64 size);

/* A page-aligned scratch area for tests; data_page(i) is page i of it, zeroed at reset. */
#define DATA_PAGES 16 /* and one more, which reset does not touch */
u8 *data_page(int i);
void reset_state(void);

#endif
