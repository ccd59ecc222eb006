/* SPDX-License-Identifier: MIT */
/*
 * The ig.* instructions of Xisthmus as C functions, for guest kernels, user mode and the host, with
 * GNU as and clang alike, freestanding. docs/spec/xisthmus.md describes each under its name.
 *
 *   int64_t got = ig_get_all(&IG_INSTRUCTIONS, handle, remote, buffer, len);
 *
 * ig_put_all() and ig_get_all() hide that an instruction completes a piece at a time. struct ig_ops
 * names the same operations behind function pointers, so that code runs on a machine without the
 * instructions through a hypervisor's calls (ig_hypercall.h).
 */
#ifndef IG_H
#define IG_H

#include "xisthmus.h"
#include <stdint.h>

#define IG_STRING_(x) #x
#define IG_STRING(x) IG_STRING_(x)
#define IG_INSN(format, funct3, funct)                                                             \
    ".insn " format " " IG_STRING(IG_OPCODE) ", " IG_STRING(funct3) ", " IG_STRING(funct) ", "
#define IG_R4(funct2, rd, rs1, rs2, rs3)                                                           \
    __asm__ volatile(IG_INSN("r4", IG_FUNCT3_R4, funct2) "%0, %1, %2, %3"                          \
                     : "=r"(rd)                                                                    \
                     : "r"(rs1), "r"(rs2), "r"(rs3)                                                \
                     : "memory")
#define IG_R(funct7, rd, rs1, rs2)                                                                 \
    __asm__ volatile(IG_INSN("r", IG_FUNCT3_R, funct7) "%0, %z1, %z2"                              \
                     : "=r"(rd)                                                                    \
                     : "rJ"(rs1), "rJ"(rs2)                                                        \
                     : "memory")

/** Bytes moved (at most @len) or a negative status; local virtual address @local. */
static inline int64_t ig_put(uint32_t handle, uint64_t remote, const void *local, uint32_t len)
{
    uint64_t what = (uint64_t)handle << IG_XFER_HANDLE_SHIFT | len;
    int64_t rd;

    IG_R4(IG_FUNCT2_PUT, rd, remote, local, what);
    return rd;
}

static inline int64_t ig_get(uint32_t handle, uint64_t remote, void *local, uint32_t len)
{
    uint64_t what = (uint64_t)handle << IG_XFER_HANDLE_SHIFT | len;
    int64_t rd;

    IG_R4(IG_FUNCT2_GET, rd, remote, local, what);
    return rd;
}

/** Owner: open [@base, @base + @len) with IGS_* @flags. 0 or a status. */
static inline int64_t ig_store(uint32_t handle, uint64_t base, uint64_t len, uint64_t flags)
{
    uint64_t what = flags | handle;
    int64_t rd;

    IG_R4(IG_FUNCT2_STORE, rd, base, len, what);
    return rd;
}

/** Owner: close. When it returns nothing is copied through the window any more. */
static inline int64_t ig_drop(uint32_t handle)
{
    int64_t rd;

    IG_R(IG_FUNCT7_DROP, rd, (uint64_t)handle, 0);
    return rd;
}

/** Peer: let user mode of the current address space use the window (@bind 1), or not (0). */
static inline int64_t ig_bind(uint32_t handle, uint64_t bind)
{
    int64_t rd;

    IG_R(IG_FUNCT7_BIND, rd, (uint64_t)handle, bind);
    return rd;
}

/** Field IGQ_* of the window with @index; 0 where it is not the caller's. */
static inline uint64_t ig_query(uint64_t index, uint64_t field)
{
    uint64_t rd;

    IG_R(IG_FUNCT7_QUERY, rd, index, field);
    return rd;
}

/** Peer: add 1 to the 64-bit word at @remote, after all earlier puts, and notify the owner. */
static inline int64_t ig_ring(uint32_t handle, uint64_t remote)
{
    int64_t rd;

    IG_R(IG_FUNCT7_RING, rd, remote, (uint64_t)handle);
    return rd;
}

/** Owner: its tables under the window changed. Handle 0, which no window has: all its windows. */
static inline int64_t ig_fence(uint32_t handle)
{
    int64_t rd;

    if (handle)
        IG_R(IG_FUNCT7_FENCE, rd, (uint64_t)handle, 0);
    else
        __asm__ volatile(IG_INSN("r", IG_FUNCT3_R, IG_FUNCT7_FENCE) "%0, x0, x0"
                         : "=r"(rd)
                         :
                         : "memory");
    return rd;
}

/** Host: make the described window @index usable; its handle or a status. */
static inline int64_t ig_alloc(uint64_t index)
{
    int64_t rd;

    IG_R(IG_FUNCT7_ALLOC, rd, index, 0);
    return rd;
}

/** Host: end a window. */
static inline int64_t ig_free(uint32_t handle)
{
    int64_t rd;

    IG_R(IG_FUNCT7_FREE, rd, (uint64_t)handle, 0);
    return rd;
}

/** Host: let the peer get BUSY (@suspend 1), or go on (0). */
static inline int64_t ig_suspend(uint32_t handle, uint64_t suspend)
{
    int64_t rd;

    IG_R(IG_FUNCT7_SUSPEND, rd, (uint64_t)handle, suspend);
    return rd;
}

/** The operations of guests, by instructions or by calls of a hypervisor. */
struct ig_ops {
    const char *name;
    int64_t (*put)(uint32_t handle, uint64_t remote, const void *local, uint32_t len);
    int64_t (*get)(uint32_t handle, uint64_t remote, void *local, uint32_t len);
    int64_t (*ring)(uint32_t handle, uint64_t remote);
    int64_t (*store)(uint32_t handle, uint64_t base, uint64_t len, uint64_t flags);
    int64_t (*drop)(uint32_t handle);
    int64_t (*bind)(uint32_t handle, uint64_t bind);
    uint64_t (*query)(uint64_t index, uint64_t field);
    int64_t (*fence)(uint32_t handle);
    /** Ask for the owner's pages after NOT_RESIDENT: 0 when to try again, or a status. */
    int64_t (*resident)(uint32_t handle, uint64_t remote, uint64_t len);
};

/** Move @len bytes, by as many pieces as it takes. Returns @len, or the status that ended it. */
static inline int64_t ig_put_all(const struct ig_ops *ops, uint32_t handle, uint64_t remote,
                                 const void *local, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        uint64_t left = len - done;
        uint32_t piece = left < IG_MAX_PIECE ? (uint32_t)left : IG_MAX_PIECE;
        int64_t n = ops->put(handle, remote + done, (const char *)local + done, piece);

        if (n == IG_NOT_RESIDENT && ops->resident)
            n = ops->resident(handle, remote + done, piece);
        if (n < 0)
            return n;
        done += (uint64_t)n;
    }
    return (int64_t)len;
}

static inline int64_t ig_get_all(const struct ig_ops *ops, uint32_t handle, uint64_t remote,
                                 void *local, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        uint64_t left = len - done;
        uint32_t piece = left < IG_MAX_PIECE ? (uint32_t)left : IG_MAX_PIECE;
        int64_t n = ops->get(handle, remote + done, (char *)local + done, piece);

        if (n == IG_NOT_RESIDENT && ops->resident)
            n = ops->resident(handle, remote + done, piece);
        if (n < 0)
            return n;
        done += (uint64_t)n;
    }
    return (int64_t)len;
}

#endif
