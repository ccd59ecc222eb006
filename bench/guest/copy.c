/* SPDX-License-Identifier: MIT */
/*
 * Copies between guests (levels.h): guest 0 puts into and gets from windows that the others own, in
 * 4 KiB pages all around. Prints a line for each measurement:
 *   copy WAY SIZE COUNT TICKS      WAY: put, get; memcpy: the guest's own, inside its memory;
 *                                  two-copy: through a shared region, with a call between
 *   windows N COUNT TICKS TICKS_1  64-byte puts, while N windows are open: through each in turn,
 *                                  and through one of them
 *   guests N COUNT TICKS TICKS_1   the same, each window another guest's
 *   instruction COUNT TICKS        a loop of one ordinary instruction, less than which none costs
 * On a machine without Xisthmus only memcpy and two-copy.
 */
#include "bench/guest/levels.h"
#include "guest/include/ig.h"

enum {
    SIZE_MAX_LOG2 = 24,
    SHARED_SIZE = 65536,
    GUESTS_MAX = 64,
    WINDOWS_MAX_LOG2 = 20,
    SMALL_PAGES = 16,
};
#define SIZE_BIG (UINT64_C(1) << SIZE_MAX_LOG2)

static struct guest guests[GUESTS_MAX];
static u64 table; /* of windows */

static void numbers(u64 a, u64 b, u64 c, u64 d)
{
    const u64 v[] = {a, b, c, d};

    for (int i = 0; i < 4; i++) {
        print(" ");
        print_dec(v[i]);
    }
    print("\n");
}

static void fail(const char *what, u64 value)
{
    print("error ");
    print(what);
    print(" ");
    print_hex(value);
    print("\n");
    __asm__ volatile("ebreak");
}

/* Window i is allocated once: its key is 1. */
static uint32_t handle_of(u64 i)
{
    return (uint32_t)(i | 1 << IGH_KEY_SHIFT);
}

/* --- in VS-mode --- */

/* Open n windows over the first len bytes. Result: how many opened. */
static u64 vs_store(u64 first, u64 n, u64 len)
{
    u64 done = 0;

    while (done < n && ig_store(handle_of(first + done), GUEST_DATA, len, IGS_R | IGS_W) == 0)
        done++;
    return done;
}

/* count times size bytes; result: ticks, or 0 after a status. */
static u64 vs_transfer(u64 put, u64 count, u64 handle, u64 size)
{
    u64 begin = csr_read("time");

    for (u64 i = 0; i < count; i++)
        for (u64 done = 0; done < size;) {
            uint32_t len = (uint32_t)(size - done < IG_MAX_PIECE ? size - done : IG_MAX_PIECE);
            int64_t n =
                put ? ig_put((uint32_t)handle, GUEST_DATA + done, (void *)(GUEST_DATA + done), len)
                    : ig_get((uint32_t)handle, GUEST_DATA + done, (void *)(GUEST_DATA + done), len);
            if (n < 0)
                return 0;
            done += (u64)n;
        }
    return csr_read("time") - begin;
}

/* 64-byte puts through n windows in turn, `step` further each time. */
static u64 vs_rotate(u64 n, u64 count, u64 step)
{
    u64 begin = csr_read("time"), at = 0;

    for (u64 i = 0; i < count; i++) {
        if (ig_put(handle_of(at), GUEST_DATA, (void *)GUEST_DATA, 64) != 64)
            return 0;
        at += step;
        at -= at >= n ? n : 0;
    }
    return csr_read("time") - begin;
}

static u64 vs_nothing(u64 count)
{
    u64 begin = csr_read("time");

    for (u64 i = 0; i < count; i++)
        __asm__ volatile("");
    return csr_read("time") - begin;
}

static u64 vs_memcpy(u64 count, u64 size)
{
    u64 begin = csr_read("time");

    for (u64 i = 0; i < count; i++)
        memcpy((void *)(GUEST_DATA + SIZE_BIG), (void *)GUEST_DATA, size);
    return csr_read("time") - begin;
}

/* The sender copies into the shared region, the receiver out of it; a call hands over. Both run
 * this, each in its turn. */
static u64 vs_two_copy(u64 count, u64 size)
{
    u64 begin = csr_read("time");

    for (u64 i = 0; i < count; i++)
        for (u64 done = 0; done < size; done += SHARED_SIZE) {
            u64 len = size - done < SHARED_SIZE ? size - done : SHARED_SIZE;

            memcpy((void *)GUEST_SHARED, (void *)(GUEST_DATA + done), len);
            guest_turn();
            memcpy((void *)(GUEST_DATA + done), (void *)GUEST_SHARED, len);
            guest_turn();
        }
    return csr_read("time") - begin;
}

/* --- in M-mode --- */

/* hiwt exists and takes a value: the extension is there. */
static bool have_xisthmus(void)
{
    u64 value = HIWT_EN, old;

    __asm__ volatile("la t0, 1f\n"
                     "csrrw %1, mtvec, t0\n"
                     "csrw %2, %0\n"
                     "csrr %0, %2\n"
                     "j 2f\n"
                     ".balign 4\n"
                     "1: li %0, 0\n"
                     "2: csrw mtvec, %1\n"
                     : "+r"(value), "=&r"(old)
                     : "i"(CSR_HIWT)
                     : "t0", "memory");
    return value & HIWT_EN;
}

/* ig.alloc from M-mode, where it is illegal: in HS-mode, and back by ECALL. */
int64_t hs_alloc(u64 index);
__asm__(".text\n"
        "hs_alloc:\n"
        "la t0, 2f\n"
        "csrrw t1, mtvec, t0\n"
        "li t0, 3 << 11\n" /* MPP */
        "csrc mstatus, t0\n"
        "li t0, 1 << 11\n"
        "csrs mstatus, t0\n"
        "li t0, 1 << 39\n" /* MPV */
        "csrc mstatus, t0\n"
        "la t0, 1f\n"
        "csrw mepc, t0\n"
        "mret\n"
        "1: .insn r 0x2b, 1, 8, a0, a0, x0\n"
        "ecall\n"
        ".balign 4\n"
        "2: csrw mtvec, t1\n"
        "ret\n");

/* Windows first to first + n - 1 for guest 0, which their owner opens. */
static void open_windows(u64 first, u64 n, struct guest *owner, u64 len)
{
    u64 opened;

    for (u64 i = first; i < first + n; i++) {
        u64 *d = (u64 *)(table + i * IGD_SIZE);
        int64_t handle;

        d[IGD_CTL / 8] = IGC_CR | IGC_CW;
        d[IGD_OWNER / 8] = owner->hgatp;
        d[IGD_PEER / 8] = guests[0].hgatp & IGA_PPN_MASK;
        d[IGD_MAX_LEN / 8] = len;
        handle = hs_alloc(i);
        if (handle != handle_of(i))
            fail("alloc", (u64)handle);
    }
    opened = levels_run(owner, false, vs_store, first, n, len, 0, 0);
    if (opened != n)
        fail("store", first + opened);
}

/* How many transfers of this size make a measurement. */
static u64 count_for(u64 size)
{
    u64 count = (UINT64_C(64) << 20) / size;

    return count > 20000 ? 20000 : count;
}

static void measure_transfers(bool xisthmus)
{
    static const struct {
        const char *name;
        u64 put;
    } ways[] = {{"put", 1}, {"get", 0}};

    for (unsigned log2 = 6; log2 <= SIZE_MAX_LOG2; log2 += 2) {
        u64 size = UINT64_C(1) << log2, count = count_for(size), slow = count / 16 + 1;

        for (unsigned w = 0; w < 2 && xisthmus; w++) {
            print("copy ");
            print(ways[w].name);
            numbers(
                size, count,
                levels_best(guests, false, vs_transfer, ways[w].put, count, handle_of(0), size, 0),
                0);
        }
        print("copy memcpy");
        numbers(size, slow, levels_best(guests, false, vs_memcpy, slow, size, 0, 0, 0), 0);
        print("copy two-copy");
        numbers(size, slow, levels_best(guests, true, vs_two_copy, slow, size, 0, 0, 0), 0);
    }
}

/* Puts through windows 0 to n - 1. */
static void measure_rotation(const char *what, u64 number, u64 n)
{
    enum { COUNT = 50000 };
    u64 step = n > 4 ? (n * 5 / 8) | 1 : 1, all, one;

    levels_run(guests, false, vs_rotate, n, n, 1, 0, 0);
    all = levels_best(guests, false, vs_rotate, n, COUNT, n > 1 ? step : 0, 0, 0);
    one = levels_best(guests, false, vs_rotate, n, COUNT, 0, 0, 0);
    print(what);
    numbers(number, COUNT, all, one);
}

static void measure_numbers(void)
{
    enum { OWNERS = GUESTS_MAX - 1 };
    static const u64 guest_counts[] = {2, 4, 16, 64};
    u64 open = 1;

    for (unsigned i = 0; i < sizeof(guest_counts) / sizeof(guest_counts[0]); i++) {
        for (; open < guest_counts[i] - 1; open++)
            open_windows(open, 1, &guests[1 + open], SMALL_PAGES * 4096);
        measure_rotation("guests", guest_counts[i], open);
    }
    for (unsigned log2 = 0; log2 <= WINDOWS_MAX_LOG2; log2 += 4) {
        u64 n = UINT64_C(1) << log2;

        if (n > open)
            open_windows(open, n - open, &guests[1], SMALL_PAGES * 4096);
        open = n > open ? n : open;
        measure_rotation("windows", n, n);
    }
}

void bare_main(void)
{
    enum { BIG_PAGES = SIZE_BIG / 4096, LOOPS = 100000 };
    bool xisthmus = have_xisthmus();
    u64 shared;

    levels_init();
    shared = levels_alloc(SHARED_SIZE, 4096);
    for (u64 i = 0; i < GUESTS_MAX; i++)
        levels_make_guest(&guests[i], i + 1,
                          i == 0   ? 2 * BIG_PAGES
                          : i == 1 ? BIG_PAGES
                                   : SMALL_PAGES,
                          shared, SHARED_SIZE / 4096);
    guests[0].next = &guests[1];
    guests[1].next = &guests[0];
    if (xisthmus) {
        table = levels_alloc(IGD_SIZE << WINDOWS_MAX_LOG2, 4096);
        csr_write("0x6c0", HIWT_EN | (u64)WINDOWS_MAX_LOG2 << HIWT_SIZE_SHIFT | table >> 12);
        open_windows(0, 1, &guests[1], SIZE_BIG);
    }
    print("instruction");
    numbers(LOOPS, levels_best(guests, false, vs_nothing, LOOPS, 0, 0, 0, 0), 0, 0);
    measure_transfers(xisthmus);
    if (xisthmus)
        measure_numbers();
}
