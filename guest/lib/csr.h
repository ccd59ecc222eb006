/* SPDX-License-Identifier: MIT */
/*
 * Control and status registers for freestanding code, by number, so that neither assembler needs
 * to know an extension's names. The Privileged Architecture manual, chapter "CSRs".
 */
#ifndef GUEST_LIB_CSR_H
#define GUEST_LIB_CSR_H

#define CSR_SSTATUS 0x100
#define CSR_SIE 0x104
#define CSR_STVEC 0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SENVCFG 0x10A
#define CSR_SSTATEEN0 0x10C
#define CSR_SSCRATCH 0x140
#define CSR_SEPC 0x141
#define CSR_SCAUSE 0x142
#define CSR_STVAL 0x143
#define CSR_SIP 0x144
#define CSR_STIMECMP 0x14D
#define CSR_SISELECT 0x150
#define CSR_SIREG 0x151
#define CSR_STOPEI 0x15C
#define CSR_STOPI 0xDB0
#define CSR_SATP 0x180
#define CSR_VSSTATUS 0x200
#define CSR_VSIE 0x204
#define CSR_VSTVEC 0x205
#define CSR_VSSCRATCH 0x240
#define CSR_VSEPC 0x241
#define CSR_VSCAUSE 0x242
#define CSR_VSTVAL 0x243
#define CSR_VSIP 0x244
#define CSR_VSTIMECMP 0x24D
#define CSR_VSATP 0x280
#define CSR_HSTATUS 0x600
#define CSR_HEDELEG 0x602
#define CSR_HIDELEG 0x603
#define CSR_HIE 0x604
#define CSR_HTIMEDELTA 0x605
#define CSR_HCOUNTEREN 0x606
#define CSR_HENVCFG 0x60A
#define CSR_HSTATEEN0 0x60C
#define CSR_HSTATEEN1 0x60D
#define CSR_HSTATEEN2 0x60E
#define CSR_HSTATEEN3 0x60F
#define CSR_HTVAL 0x643
#define CSR_HVIP 0x645
#define CSR_HTINST 0x64A
#define CSR_HGATP 0x680
#define CSR_TIME 0xC01

#define SSTATUS_SIE 0x2
#define SSTATUS_SPIE 0x20
#define SSTATUS_SPP 0x100
#define SSTATUS_FS 0x6000
#define SSTATUS_FS_INITIAL 0x2000
#define SSTATUS_FS_CLEAN 0x4000
#define SSTATUS_SUM 0x40000
#define SSTATUS_MXR 0x80000

#define HSTATUS_SPV 0x80
#define HSTATUS_SPVP 0x100
#define HSTATUS_VTW 0x200000

#define ENVCFG_CBO 0xF0 /* CBIE, CBCFE, CBZE */
#define ENVCFG_ADUE (1ull << 61)
#define ENVCFG_PBMTE (1ull << 62)
#define ENVCFG_STCE (1ull << 63)

#define IRQ_SSI 1
#define IRQ_VSSI 2
#define IRQ_STI 5
#define IRQ_VSTI 6
#define IRQ_SEI 9
#define IRQ_VSEI 10
#define CAUSE_INTERRUPT (1ull << 63)

#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_VS 10
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_FETCH_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_VIRTUAL 22
#define CAUSE_STORE_GUEST_PAGE 23

#define ATP_MODE_SHIFT 60
#define ATP_MODE_BARE 0
#define ATP_MODE_SV39 8
#define ATP_MODE_SV48 9
#define ATP_MODE_SV57 10
#define ATP_PPN_MASK ((1ull << 44) - 1)
#define HGATP_VMID_SHIFT 44
#define HGATP_VMID_MASK 0x3fff

#define PTE_V 0x1
#define PTE_R 0x2
#define PTE_W 0x4
#define PTE_X 0x8
#define PTE_U 0x10
#define PTE_G 0x20
#define PTE_A 0x40
#define PTE_D 0x80
#define PTE_PPN_SHIFT 10
#define PTE_PPN_MASK ((1ull << 44) - 1)
#define PTE_N (1ull << 63)
#define PTE_PBMT (3ull << 61)
#define PTE_RESERVED (0x7full << 54)

#ifndef __ASSEMBLER__
#include <stdint.h>

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, %1" : "=r"(value_) : "i"(csr) : "memory");                      \
        value_;                                                                                    \
    })
#define csr_write(csr, value)                                                                      \
    __asm__ volatile("csrw %0, %1" : : "i"(csr), "rK"((uint64_t)(value)) : "memory")
#define csr_set(csr, bits)                                                                         \
    __asm__ volatile("csrs %0, %1" : : "i"(csr), "rK"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits)                                                                       \
    __asm__ volatile("csrc %0, %1" : : "i"(csr), "rK"((uint64_t)(bits)) : "memory")
#define csr_swap(csr, value)                                                                       \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrrw %0, %1, %2"                                                        \
                         : "=r"(value_)                                                            \
                         : "i"(csr), "rK"((uint64_t)(value))                                       \
                         : "memory");                                                              \
        value_;                                                                                    \
    })
#endif

#endif
