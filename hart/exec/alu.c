/* SPDX-License-Identifier: MIT */
/* RV64I computational instructions (Unprivileged, "RV32I" and "RV64I"). */
#include "hart/exec/exec.h"

#define ALU(id, expr)                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        RD = (uint64_t)(expr);                                                                     \
        NEXT;                                                                                      \
    }
/* A result of 32 bits, sign-extended. */
#define ALUW(id, expr) ALU(id, (int64_t)(int32_t)(expr))

ALU(lui, IMM)
ALU(auipc, hart_pc(h, op) + IMM)

ALU(addi, RS1 + IMM)
ALU(slti, (int64_t)RS1 < IMM)
ALU(sltiu, RS1 < (uint64_t)IMM)
ALU(xori, RS1 ^ IMM)
ALU(ori, RS1 | IMM)
ALU(andi, RS1 & IMM)
ALU(slli, RS1 << IMM)
ALU(srli, RS1 >> IMM)
ALU(srai, (int64_t)RS1 >> IMM)

ALU(add, RS1 + RS2)
ALU(sub, RS1 - RS2)
ALU(sll, RS1 << (RS2 & 63))
ALU(slt, (int64_t)RS1 < (int64_t)RS2)
ALU(sltu, RS1 < RS2)
ALU(xor, RS1 ^ RS2)
ALU(srl, RS1 >> (RS2 & 63))
ALU(sra, (int64_t)RS1 >> (RS2 & 63))
ALU(or, RS1 | RS2)
ALU(and, RS1 & RS2)

ALUW(addiw, RS1 + IMM)
ALUW(slliw, (uint32_t)RS1 << IMM)
ALUW(srliw, (uint32_t)RS1 >> IMM)
ALUW(sraiw, (int32_t)RS1 >> IMM)
ALUW(addw, RS1 + RS2)
ALUW(subw, RS1 - RS2)
ALUW(sllw, (uint32_t)RS1 << (RS2 & 31))
ALUW(srlw, (uint32_t)RS1 >> (RS2 & 31))
ALUW(sraw, (int32_t)RS1 >> (RS2 & 31))

/* FENCE: host loads and stores are ordered at least as guest ones on x86-64; a full fence is right
 * on every host (Unprivileged, "Memory Ordering Instructions"). PAUSE is one that orders nothing
 * (Zihintpause). */
EXEC(fence)
{
    if (op->raw == RAW_PAUSE)
        hart_pause(h);
    else
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    NEXT;
}

EXEC(illegal)
{
    return hart_illegal(h, op);
}

/* Zicond (Unprivileged, "Zicond"). */
ALU(czero_eqz, RS2 ? RS1 : 0)
ALU(czero_nez, RS2 ? 0 : RS1)
