/* SPDX-License-Identifier: MIT */
/*
 * The copy kernel. Guest memory may be read and written by other harts at the same time; that is
 * the guests' affair, but each naturally aligned unit must move whole. A libc memcpy does not do:
 * it covers odd ends with overlapping accesses, which move some units twice. So the ends are moved
 * by single aligned units of growing and falling size, and the middle by 16-byte vectors, which
 * processors access as whole doublewords (x86-64 and Arm do for any 8-byte alignment). That is as
 * fast as memcpy.
 *
 * Where source and destination are not congruent modulo 8, no access is aligned on both sides; the
 * bytes then go through a buffer of the hart, aligned with the source on the way in.
 *
 * On x86-64 long copies use the string instruction, whose elements are doublewords: on recent
 * processors it moves whole cache lines. It is slow where the destination lies just behind the
 * source within a 4 KiB page; there the vectors are better.
 *
 * The guests' races are no errors of this program, so ThreadSanitizer is not to see the accesses. A
 * test of the revocation protocol defines WINDOW_COPY_CHECKED and lets it see them.
 */
#include "window/copy.h"

#ifdef WINDOW_COPY_CHECKED
#define GUEST_RACES
#else
#define GUEST_RACES __attribute__((no_sanitize("thread")))
#endif

typedef uint64_t vec __attribute__((vector_size(16), may_alias));

/* Units of the copy: a store is naturally aligned, a load is so where the two are congruent. */
#define UNIT(type, name)                                                                           \
    typedef type name __attribute__((may_alias));                                                  \
    typedef name name##_any __attribute__((aligned(1)))
UNIT(uint8_t, unit1);
UNIT(uint16_t, unit2);
UNIT(uint32_t, unit4);
UNIT(uint64_t, unit8);
UNIT(vec, unit16);

#define LOAD(unit, s) (*(const volatile unit##_any *)(s))
#define STORE(unit, d, v) (*(volatile unit *)(d) = (v))
#define MOVE(unit, d, s, n)                                                                        \
    do {                                                                                           \
        STORE(unit, d, LOAD(unit, s));                                                             \
        (d) += sizeof(unit);                                                                       \
        (s) += sizeof(unit);                                                                       \
        (n) -= sizeof(unit);                                                                       \
    } while (0)
/* Move one unit where the destination is not aligned to the next size. */
#define ALIGN(unit, d, s, n)                                                                       \
    do {                                                                                           \
        if ((uintptr_t)(d) & sizeof(unit) && (n) >= sizeof(unit))                                  \
            MOVE(unit, d, s, n);                                                                   \
    } while (0)

#if defined(__x86_64__) && !defined(WINDOW_COPY_CHECKED)
enum { STRING_MIN = 1024, STRING_BEHIND = 64 };

/* Copy the whole doublewords of n bytes by string instruction, if that is worth it. Result: the
 * bytes copied. */
static uint64_t copy_string(uint8_t *d, const uint8_t *s, uint64_t n)
{
    uint64_t words = n / 8, behind = ((uintptr_t)d - (uintptr_t)s) % 4096;

    if (n < STRING_MIN || behind % 8 || (behind && behind < STRING_BEHIND))
        return 0;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
    return n / 8 * 8;
}
#else
static uint64_t copy_string(uint8_t *d, const uint8_t *s, uint64_t n)
{
    return 0;
}
#endif

GUEST_RACES void copy_congruent(uint8_t *d, const uint8_t *s, uint64_t n)
{
    uint64_t string;

    ALIGN(unit1, d, s, n);
    ALIGN(unit2, d, s, n);
    ALIGN(unit4, d, s, n);
    ALIGN(unit8, d, s, n);
    string = copy_string(d, s, n);
    d += string, s += string, n -= string;
    for (; n >= 64; d += 64, s += 64, n -= 64) {
        vec v0 = LOAD(unit16, s), v1 = LOAD(unit16, s + 16);
        vec v2 = LOAD(unit16, s + 32), v3 = LOAD(unit16, s + 48);

        STORE(unit16, d, v0);
        STORE(unit16, d + 16, v1);
        STORE(unit16, d + 32, v2);
        STORE(unit16, d + 48, v3);
    }
    while (n >= 16)
        MOVE(unit16, d, s, n);
    if (n >= 8)
        MOVE(unit8, d, s, n);
    if (n >= 4)
        MOVE(unit4, d, s, n);
    if (n >= 2)
        MOVE(unit2, d, s, n);
    if (n >= 1)
        MOVE(unit1, d, s, n);
}

/* Copy run by run; every unit is whole on a side whose runs are guest memory, where the other side
 * is congruent to it or is private. */
static void copy_paired(const struct runs *dst, const struct runs *src, uint64_t len)
{
    const struct run *d = dst->run, *s = src->run;
    uint64_t d_off = 0, s_off = 0;

    while (len) {
        uint64_t n = min_u64(len, min_u64(d->len - d_off, s->len - s_off));

        copy_congruent(d->host + d_off, s->host + s_off, n);
        len -= n;
        d_off += n;
        s_off += n;
        if (d_off == d->len)
            d++, d_off = 0;
        if (s_off == s->len)
            s++, s_off = 0;
    }
}

void copy_runs(const struct runs *dst, const struct runs *src, uint64_t len, uint8_t *bounce)
{
    struct runs via;

    if (!len)
        return;
    if ((((uintptr_t)dst->run[0].host ^ (uintptr_t)src->run[0].host) & 7) == 0) {
        copy_paired(dst, src, len);
        return;
    }
    via.n = 0;
    via.len = 0;
    runs_add(&via, bounce + ((uintptr_t)src->run[0].host & 7), len);
    copy_paired(&via, src, len);
    copy_paired(dst, &via, len);
}
