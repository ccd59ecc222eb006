/* SPDX-License-Identifier: MIT */
/*
 * The host's FPU, as far as exact RISC-V results need to know it. It is used in round-to-nearest,
 * ties-to-even mode only, and its sticky flags are read lazily. x86-64 has it all; other hosts go
 * through <fenv.h>, and do in integers (fp_soft.h) what their FPU might do differently.
 */
#ifndef HART_EXEC_FP_HOST_H
#define HART_EXEC_FP_HOST_H

#include "hart/exec/fp_soft.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Underflow is raised as RISC-V has it: tininess detected after rounding (SSE does; Arm detects
 * it before). */
#define FP_HOST_TINY_AFTER 1
/* Functions that use the fused multiply-add instruction, where the CPU has it. */
#define FP_HOST_FMA __attribute__((target("fma")))
static inline bool fp_host_has_fma(void)
{
    return __builtin_cpu_supports("fma");
}

enum { FP_MXCSR_DEFAULT = 0x1f80, FP_MXCSR_FLAGS = 0x3f };

/* Prepare the calling thread for guest arithmetic. Result: what fp_host_leave restores. */
static inline uint32_t fp_host_enter(void)
{
    uint32_t saved = _mm_getcsr();
    _mm_setcsr(FP_MXCSR_DEFAULT);
    return saved;
}

static inline void fp_host_leave(uint32_t saved)
{
    _mm_setcsr(saved);
}

/* Flags raised since they were taken last, as bits of fflags. */
static inline uint8_t fp_host_take_flags(void)
{
    uint32_t csr = _mm_getcsr();

    if (!(csr & FP_MXCSR_FLAGS))
        return 0;
    _mm_setcsr(csr & ~(uint32_t)FP_MXCSR_FLAGS);
    return (csr & _MM_EXCEPT_INVALID ? FP_NV : 0) | (csr & _MM_EXCEPT_DIV_ZERO ? FP_DZ : 0) |
           (csr & _MM_EXCEPT_OVERFLOW ? FP_OF : 0) | (csr & _MM_EXCEPT_UNDERFLOW ? FP_UF : 0) |
           (csr & _MM_EXCEPT_INEXACT ? FP_NX : 0);
}

#else
#include <fenv.h>

#define FP_HOST_TINY_AFTER 0
#define FP_HOST_FMA
static inline bool fp_host_has_fma(void)
{
    return false; /* its underflow flag would be wrong all the same: see FP_HOST_TINY_AFTER */
}

static inline uint32_t fp_host_enter(void)
{
    uint32_t saved = (uint32_t)fegetround();

    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    return saved;
}

static inline void fp_host_leave(uint32_t saved)
{
    fesetround((int)saved);
    feclearexcept(FE_ALL_EXCEPT);
}

static inline uint8_t fp_host_take_flags(void)
{
    int raised = fetestexcept(FE_ALL_EXCEPT);

    feclearexcept(FE_ALL_EXCEPT);
    return (raised & FE_INVALID ? FP_NV : 0) | (raised & FE_DIVBYZERO ? FP_DZ : 0) |
           (raised & FE_OVERFLOW ? FP_OF : 0) | (raised & FE_UNDERFLOW ? FP_UF : 0) |
           (raised & FE_INEXACT ? FP_NX : 0);
}
#endif

/* Keeps the compiler from computing anything from the double v before this point: a conversion
 * moved above the test that guards it would raise flags. */
#if defined(__x86_64__)
#define FP_HERE(v) __asm__ volatile("" : "+x"(v))
#else
#define FP_HERE(v) __asm__ volatile("" : "+m"(v))
#endif

#endif
