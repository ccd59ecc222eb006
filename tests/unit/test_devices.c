/* SPDX-License-Identifier: MIT */
/* The chips, each alone, through the bus operations that a guest's accesses become. */
#include "dev/chardev.h"
#include "dev/htif.h"
#include "dev/plic.h"
#include "dev/rtc.h"
#include "dev/syscon.h"
#include "dev/uart16550.h"
#include "base/timer.h"
#include "mem/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t rd(const struct device_ops *ops, void *dev, uint64_t off, unsigned size)
{
    uint64_t value = 0xdead;

    assert_true(ops->read(dev, off, size, &value));
    return value;
}

static void wr(const struct device_ops *ops, void *dev, uint64_t off, unsigned size, uint64_t value)
{
    assert_true(ops->write(dev, off, size, value));
}

/* --- PLIC --- */

struct plic_bench {
    struct plic plic;
    bool output[4];
};

static void plic_output(void *opaque, unsigned context, bool level)
{
    ((struct plic_bench *)opaque)->output[context] = level;
}

enum { M0, S0, M1, S1 };
#define ENABLE(c) (0x2000 + 0x80 * (c))
#define THRESHOLD(c) (0x200000 + 0x1000 * (c))
#define CLAIM(c) (THRESHOLD(c) + 4)

static uint32_t plic_rd(struct plic_bench *b, uint64_t off)
{
    return (uint32_t)rd(&plic_ops, &b->plic, off, 4);
}

static void plic_wr(struct plic_bench *b, uint64_t off, uint32_t value)
{
    wr(&plic_ops, &b->plic, off, 4, value);
}

static int plic_setup(void **state)
{
    struct plic_bench *b = calloc(1, sizeof(*b));

    plic_init(&b->plic, 4, plic_output, b);
    *state = b;
    return 0;
}

static int plic_teardown(void **state)
{
    struct plic_bench *b = *state;

    plic_free(&b->plic);
    free(b);
    return 0;
}

static void an_interrupt_is_claimed_and_completed(void **state)
{
    struct plic_bench *b = *state;

    plic_wr(b, 4 * 10, 1);
    plic_wr(b, ENABLE(S0), 1 << 10);
    assert_false(b->output[S0]);
    plic_set(&b->plic, 10, true);
    assert_true(b->output[S0]);
    assert_false(b->output[M0] || b->output[M1] || b->output[S1]);
    assert_int_equal(plic_rd(b, 0x1000), 1 << 10);
    assert_int_equal(plic_rd(b, CLAIM(S0)), 10);
    assert_false(b->output[S0]);
    assert_int_equal(plic_rd(b, 0x1000), 0);
    assert_int_equal(plic_rd(b, CLAIM(S0)), 0);
    plic_wr(b, CLAIM(S0), 10); /* the wire is still up: again */
    assert_true(b->output[S0]);
    assert_int_equal(plic_rd(b, CLAIM(S0)), 10);
    plic_set(&b->plic, 10, false);
    plic_wr(b, CLAIM(S0), 10);
    assert_false(b->output[S0]);
}

static void one_context_gets_each_request(void **state)
{
    struct plic_bench *b = *state;

    plic_wr(b, 4 * 3, 1);
    plic_wr(b, ENABLE(S0), 1 << 3);
    plic_wr(b, ENABLE(S1), 1 << 3);
    plic_set(&b->plic, 3, true);
    assert_true(b->output[S0] && b->output[S1]);
    assert_int_equal(plic_rd(b, CLAIM(S1)), 3);
    assert_false(b->output[S0] || b->output[S1]);
    assert_int_equal(plic_rd(b, CLAIM(S0)), 0);
}

static void the_highest_priority_then_the_lowest_number_comes_first(void **state)
{
    struct plic_bench *b = *state;
    static const struct {
        unsigned source, priority;
    } sources[] = {{5, 2}, {40, 7}, {41, 7}, {96, 3}};

    for (unsigned i = 0; i < 4; i++) {
        plic_wr(b, 4 * sources[i].source, sources[i].priority);
        plic_set(&b->plic, sources[i].source, true);
    }
    for (unsigned w = 0; w < 4; w++)
        plic_wr(b, ENABLE(M1) + 4 * w, UINT32_MAX);
    assert_int_equal(plic_rd(b, CLAIM(M1)), 40);
    assert_int_equal(plic_rd(b, CLAIM(M1)), 41);
    assert_int_equal(plic_rd(b, CLAIM(M1)), 96);
    assert_int_equal(plic_rd(b, CLAIM(M1)), 5);
    assert_int_equal(plic_rd(b, CLAIM(M1)), 0);
}

static void the_threshold_masks_the_wire_to_the_hart(void **state)
{
    struct plic_bench *b = *state;

    plic_wr(b, 4 * 7, 3);
    plic_wr(b, ENABLE(M0), 1 << 7);
    plic_set(&b->plic, 7, true);
    assert_true(b->output[M0]);
    plic_wr(b, THRESHOLD(M0), 3);
    assert_false(b->output[M0]);
    plic_wr(b, THRESHOLD(M0), 2);
    assert_true(b->output[M0]);
    plic_wr(b, 4 * 7, 0); /* priority 0: never */
    assert_false(b->output[M0]);
}

static void what_does_not_exist_reads_as_zero(void **state)
{
    struct plic_bench *b = *state;

    plic_wr(b, 0, 7);
    assert_int_equal(plic_rd(b, 0), 0);
    plic_wr(b, 4 * 97, 7);
    assert_int_equal(plic_rd(b, 4 * 97), 0);
    plic_wr(b, 4 * 1, 0xff);
    assert_int_equal(plic_rd(b, 4 * 1), 7);
    plic_wr(b, ENABLE(M0), UINT32_MAX);
    assert_int_equal(plic_rd(b, ENABLE(M0)), 0xfffffffe);
    plic_wr(b, ENABLE(M0) + 12, UINT32_MAX);
    assert_int_equal(plic_rd(b, ENABLE(M0) + 12), 1); /* source 96 */
    plic_wr(b, ENABLE(4), 2);
    assert_int_equal(plic_rd(b, ENABLE(4)), 0);
    assert_int_equal(plic_rd(b, CLAIM(4)), 0);
    plic_wr(b, CLAIM(M0), 5000);
    assert_int_equal(plic_rd(b, PLIC_SIZE - 4), 0);
    assert_false(plic_ops.read(&b->plic, 0, 8, &(uint64_t){0}));
    assert_false(plic_ops.write(&b->plic, 4, 1, 0));
}

static void a_completion_by_who_has_it_not_enabled_is_ignored(void **state)
{
    struct plic_bench *b = *state;

    plic_wr(b, 4 * 9, 1);
    plic_wr(b, ENABLE(M0), 1 << 9);
    plic_set(&b->plic, 9, true);
    assert_int_equal(plic_rd(b, CLAIM(M0)), 9);
    plic_wr(b, CLAIM(M1), 9);
    assert_false(b->output[M0]);
    plic_wr(b, CLAIM(M0), 9);
    assert_true(b->output[M0]);
}

/* --- UART --- */

struct uart_bench {
    struct uart uart;
    struct chardev chardev;
    bool irq;
    char out[64];
    size_t out_n;
};

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static void uart_irq(void *sink, unsigned number, bool level)
{
    assert_int_equal(number, 10);
    ((struct uart_bench *)sink)->irq = level;
}

static void uart_out(void *opaque, const void *bytes, size_t n)
{
    struct uart_bench *b = opaque;

    memcpy(b->out + b->out_n, bytes, n);
    b->out_n += n;
}

static int uart_setup(void **state)
{
    struct uart_bench *b = calloc(1, sizeof(*b));

    chardev_open(&b->chardev, "console", "none", false, NULL);
    b->chardev.hook = uart_out;
    b->chardev.hook_opaque = b;
    uart_init(&b->uart, &b->chardev, (struct irq_wire){uart_irq, b, 10});
    b->chardev.ready = uart_input_ready;
    b->chardev.ready_opaque = &b->uart;
    *state = b;
    return 0;
}

static int uart_teardown(void **state)
{
    struct uart_bench *b = *state;

    uart_free(&b->uart);
    chardev_close(&b->chardev);
    free(b);
    return 0;
}

static uint8_t uart_rd(struct uart_bench *b, unsigned reg)
{
    return (uint8_t)rd(&uart_ops, &b->uart, reg, 1);
}

static void uart_wr(struct uart_bench *b, unsigned reg, uint8_t value)
{
    wr(&uart_ops, &b->uart, reg, 1, value);
}

static void characters_go_out(void **state)
{
    struct uart_bench *b = *state;

    assert_int_equal(uart_rd(b, LSR), 0x60);
    uart_wr(b, RBR, 'x');
    uart_wr(b, RBR, 'y');
    chardev_flush(&b->chardev);
    assert_string_equal(b->out, "xy");
    uart_wr(b, LCR, 0x80); /* now it is the divisor */
    uart_wr(b, RBR, 3);
    uart_wr(b, IER, 1);
    assert_int_equal(uart_rd(b, RBR), 3);
    assert_int_equal(uart_rd(b, IER), 1);
    uart_wr(b, LCR, 3);
    assert_int_equal(uart_rd(b, IER), 0);
    chardev_flush(&b->chardev);
    assert_int_equal(b->out_n, 2);
}

static void characters_come_in(void **state)
{
    struct uart_bench *b = *state;

    uart_wr(b, IIR, 1); /* FIFOs on */
    uart_wr(b, IER, 1);
    assert_false(b->irq);
    assert_int_equal(chardev_input(&b->chardev, "ab", 2), 2);
    assert_true(b->irq);
    assert_int_equal(uart_rd(b, IIR), 0xc4);
    assert_int_equal(uart_rd(b, LSR), 0x61);
    assert_int_equal(uart_rd(b, RBR), 'a');
    assert_true(b->irq);
    assert_int_equal(uart_rd(b, RBR), 'b');
    assert_false(b->irq);
    assert_int_equal(uart_rd(b, LSR), 0x60);
    assert_int_equal(uart_rd(b, IIR), 0xc1);
    assert_int_equal(uart_rd(b, RBR), 0);
}

static void fewer_than_the_trigger_time_out(void **state)
{
    struct uart_bench *b = *state;

    uart_wr(b, IIR, 0x81); /* trigger at 8 */
    uart_wr(b, IER, 1);
    chardev_input(&b->chardev, "1234567", 7);
    assert_int_equal(uart_rd(b, IIR), 0xcc);
    chardev_input(&b->chardev, "8", 1);
    assert_int_equal(uart_rd(b, IIR), 0xc4);
}

static void nothing_typed_is_lost(void **state)
{
    struct uart_bench *b = *state;

    uart_wr(b, IIR, 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(chardev_input(&b->chardev, &(char){(char)i}, 1), 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(uart_rd(b, RBR), i & 0xff);
    assert_int_equal(uart_rd(b, LSR), 0x60);
}

static void a_full_ring_takes_no_more(void **state)
{
    struct uart_bench *b = *state;
    char text[CHARDEV_IN + 100] = {0};

    assert_int_equal(chardev_input(&b->chardev, text, sizeof(text)), CHARDEV_IN);
    assert_int_equal(chardev_room(&b->chardev), 1); /* the UART has taken one */
}

static void the_empty_transmitter_interrupts_once(void **state)
{
    struct uart_bench *b = *state;

    uart_wr(b, IER, 2);
    assert_true(b->irq);
    assert_int_equal(uart_rd(b, IIR), 2); /* reading it clears it */
    assert_false(b->irq);
    assert_int_equal(uart_rd(b, IIR), 1);
    uart_wr(b, RBR, 'x');
    assert_true(b->irq);
    uart_wr(b, IER, 0);
    assert_false(b->irq);
}

static void loopback_joins_both_ends(void **state)
{
    struct uart_bench *b = *state;

    assert_int_equal(uart_rd(b, MSR), 0xb0);
    uart_wr(b, MCR, 0x10 | 2); /* RTS only */
    assert_int_equal(uart_rd(b, MSR) & 0xf0, 0x10);
    uart_wr(b, RBR, 'L');
    chardev_flush(&b->chardev);
    assert_int_equal(b->out_n, 0);
    assert_int_equal(uart_rd(b, RBR), 'L');
    uart_wr(b, IER, 8);
    uart_wr(b, MCR, 0x10 | 2 | 1);
    assert_true(b->irq);
    assert_int_equal(uart_rd(b, IIR), 0);
    assert_int_equal(uart_rd(b, MSR), 0x32); /* DSR, and that it changed */
    assert_false(b->irq);
}

static void the_scratch_register_keeps_and_the_rest_faults(void **state)
{
    struct uart_bench *b = *state;
    uint64_t value;

    uart_wr(b, SCR, 0x5a);
    assert_int_equal(uart_rd(b, SCR), 0x5a);
    assert_false(uart_ops.read(&b->uart, 8, 1, &value));
    assert_false(uart_ops.write(&b->uart, 0xf8, 1, 0));
    uart_reset(&b->uart);
    assert_int_equal(uart_rd(b, SCR), 0);
}

/* --- RTC --- */

struct rtc_bench {
    struct clock clock;
    struct timers timers;
    struct rtc rtc;
    bool irq;
};

enum {
    TIME_LOW = 0,
    TIME_HIGH = 4,
    ALARM_LOW = 8,
    ALARM_HIGH = 12,
    IRQ_ENABLED = 16,
    CLEAR_ALARM = 20,
    ALARM_STATUS = 24,
    CLEAR_INTERRUPT = 28
};

static void rtc_irq(void *sink, unsigned number, bool level)
{
    (void)number;
    ((struct rtc_bench *)sink)->irq = level;
}

static int rtc_setup(void **state)
{
    struct rtc_bench *b = calloc(1, sizeof(*b));

    clock_init(&b->clock, true);
    timers_init(&b->timers, NULL, NULL);
    rtc_init(&b->rtc, &b->clock, &b->timers, (struct irq_wire){rtc_irq, b, 11});
    *state = b;
    return 0;
}

static int rtc_teardown(void **state)
{
    struct rtc_bench *b = *state;

    rtc_free(&b->rtc);
    timers_free(&b->timers);
    free(b);
    return 0;
}

static uint64_t rtc_now(struct rtc_bench *b)
{
    uint64_t low = rd(&rtc_ops, &b->rtc, TIME_LOW, 4);

    return rd(&rtc_ops, &b->rtc, TIME_HIGH, 4) << 32 | low;
}

static void pass(struct rtc_bench *b, uint64_t ticks)
{
    clock_jump(&b->clock, clock_ticks(&b->clock) + ticks);
    timers_fire(&b->timers, clock_ticks(&b->clock));
}

static void time_passes_and_can_be_set(void **state)
{
    struct rtc_bench *b = *state;
    uint64_t start = rtc_now(b);

    pass(b, 10000000);
    assert_int_equal(rtc_now(b) - start, 1000000000);
    wr(&rtc_ops, &b->rtc, TIME_HIGH, 4, 5);
    wr(&rtc_ops, &b->rtc, TIME_LOW, 4, 7);
    assert_int_equal(rtc_now(b), UINT64_C(5) << 32 | 7);
    assert_false(rtc_ops.read(&b->rtc, 0, 8, &(uint64_t){0}));
}

static void the_alarm_rings_when_enabled(void **state)
{
    struct rtc_bench *b = *state;
    uint64_t at = rtc_now(b) + 250;

    wr(&rtc_ops, &b->rtc, ALARM_HIGH, 4, at >> 32);
    wr(&rtc_ops, &b->rtc, ALARM_LOW, 4, at & 0xffffffff);
    wr(&rtc_ops, &b->rtc, IRQ_ENABLED, 4, 1);
    assert_int_equal(rd(&rtc_ops, &b->rtc, ALARM_STATUS, 4), 1);
    pass(b, 2);
    assert_false(b->irq);
    pass(b, 1);
    assert_true(b->irq);
    assert_int_equal(rd(&rtc_ops, &b->rtc, ALARM_STATUS, 4), 0);
    wr(&rtc_ops, &b->rtc, CLEAR_INTERRUPT, 4, 1);
    assert_false(b->irq);
}

static void a_cleared_alarm_stays_silent_and_a_past_one_rings_at_once(void **state)
{
    struct rtc_bench *b = *state;
    uint64_t at = rtc_now(b) + 1000;

    wr(&rtc_ops, &b->rtc, IRQ_ENABLED, 4, 1);
    wr(&rtc_ops, &b->rtc, ALARM_HIGH, 4, at >> 32);
    wr(&rtc_ops, &b->rtc, ALARM_LOW, 4, at & 0xffffffff);
    wr(&rtc_ops, &b->rtc, CLEAR_ALARM, 4, 1);
    pass(b, 100);
    assert_false(b->irq);
    wr(&rtc_ops, &b->rtc, ALARM_LOW, 4, at & 0xffffffff);
    assert_true(b->irq);
}

/* --- Finisher --- */

struct ending {
    int code, resets;
};

static void ending_off(void *opaque, unsigned code)
{
    ((struct ending *)opaque)->code = (int)code;
}

static void ending_reset(void *opaque)
{
    ((struct ending *)opaque)->resets++;
}

static void the_finisher_ends_the_machine(void **state)
{
    struct ending e = {.code = -1};
    struct syscon s = {ending_off, ending_reset, &e};

    (void)state;
    wr(&syscon_ops, &s, 0, 4, 0x1234);
    wr(&syscon_ops, &s, 4, 4, 0x5555);
    assert_int_equal(e.code, -1);
    wr(&syscon_ops, &s, 0, 4, 0x5555);
    assert_int_equal(e.code, 0);
    wr(&syscon_ops, &s, 0, 4, 0x3333 | 17 << 16);
    assert_int_equal(e.code, 17);
    wr(&syscon_ops, &s, 0, 4, 0x3333);
    assert_int_equal(e.code, 1);
    wr(&syscon_ops, &s, 0, 4, 0x7777);
    assert_int_equal(e.resets, 1);
    assert_false(syscon_ops.write(&s, 0, 8, 0x5555));
}

/* --- HTIF --- */

static void htif_serves_what_it_knows(void **state)
{
    struct uart_bench *b = *state; /* for its chardev */
    struct ending e = {.code = -1};
    struct htif htif;
    struct mem mem;
    uint64_t *words;

    assert_int_equal(mem_init(&mem, 0x80000000, 8192, 0x1000, 4096, NULL), 0);
    words = (uint64_t *)mem.ram;
    assert_int_equal(htif_init(&htif, &mem, 0x80000004, 0, &b->chardev, ending_off, &e), -14);
    assert_int_equal(htif_init(&htif, &mem, 0x70000000, 0, &b->chardev, ending_off, &e), -14);
    assert_int_equal(htif_init(&htif, &mem, 0x80000000, 0x80000008, &b->chardev, ending_off, &e),
                     0);
    assert_false(htif_poll(&htif));
    words[0] = UINT64_C(0x0101) << 48 | 'c';
    assert_true(htif_poll(&htif));
    assert_int_equal(words[0], 0);
    words[0] = UINT64_C(0x0100) << 48; /* getchar: answered when there is one */
    assert_true(htif_poll(&htif));
    assert_int_equal(words[1], 0);
    assert_false(htif_poll(&htif));
    b->chardev.ready = NULL;
    chardev_input(&b->chardev, "k", 1);
    assert_true(htif_poll(&htif));
    assert_int_equal(words[1], UINT64_C(0x0100) << 48 | 0x100 | 'k');
    words[0] = UINT64_C(0x0101) << 48 | 'd'; /* not before the answer was taken */
    assert_false(htif_poll(&htif));
    assert_int_not_equal(words[0], 0);
    words[1] = 0;
    htif_poll(&htif);
    assert_int_equal(words[0], 0);
    memcpy(words + 8, (uint64_t[]){64, 1, 0x80000100, 2}, 32);
    memcpy(mem.ram + 0x100, "ef", 2);
    words[0] = 0x80000040;
    htif_poll(&htif);
    assert_int_equal(words[8], 2);
    assert_int_equal(words[1], 1);
    words[1] = 0;
    memcpy(words + 8, (uint64_t[]){64, 1, 0x80001fff, 2}, 32); /* beyond RAM */
    words[0] = 0x80000040;
    htif_poll(&htif);
    assert_int_equal((int64_t)words[8], -14);
    words[1] = 0;
    words[0] = 0x90000000; /* no memory there at all */
    htif_poll(&htif);
    words[0] = 42 << 1 | 1;
    htif_poll(&htif);
    assert_int_equal(e.code, 42);
    chardev_flush(&b->chardev);
    assert_string_equal(b->out, "cdef");
    htif_free(&htif);
    mem_free(&mem);
}

/* --- Timers --- */

static void note(void *opaque)
{
    (*(unsigned *)opaque)++;
}

static void timers_fire_in_their_time(void **state)
{
    struct timers t;
    unsigned a = 0, b = 0;
    struct timer ta = {.deadline = TIMER_NEVER, .fire = note, .opaque = &a};
    struct timer tb = {.deadline = TIMER_NEVER, .fire = note, .opaque = &b};

    (void)state;
    timers_init(&t, NULL, NULL);
    assert_int_equal(timers_next(&t), TIMER_NEVER);
    timer_set(&t, &ta, 20);
    timer_set(&t, &tb, 10);
    assert_int_equal(timers_next(&t), 10);
    timer_set(&t, &tb, 30);
    assert_int_equal(timers_next(&t), 20);
    timers_fire(&t, 19);
    assert_int_equal(a + b, 0);
    timers_fire(&t, 20);
    assert_int_equal(a, 1);
    timer_set(&t, &tb, TIMER_NEVER);
    timers_fire(&t, 100);
    assert_int_equal(a, 1);
    assert_int_equal(b, 0);
    timers_free(&t);
}

/* --- The host's memory --- */

/* A file of a balloon's features, bit 0 first. */
static void write_features(const char *name, const char *digits)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_true(fputs(digits, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_host_that_reports_free_pages_is_told(void **state)
{
    char dir[] = "/tmp/isthmus-devices-XXXXXX", a[64], b[64], all[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof(a), "%s/virtio0", dir);
    snprintf(b, sizeof(b), "%s/virtio1", dir);
    snprintf(all, sizeof(all), "%s/virtio*", dir);
    assert_false(mem_host_reports_free(all));
    write_features(a, "1101101100000000\n");
    assert_false(mem_host_reports_free(all));
    write_features(b, "11011");
    assert_false(mem_host_reports_free(all));
    write_features(b, "0000010000000000\n");
    assert_true(mem_host_reports_free(all));
    assert_int_equal(unlink(a), 0);
    assert_int_equal(unlink(b), 0);
    assert_int_equal(rmdir(dir), 0);
}

#define WITH_PLIC(f) cmocka_unit_test_setup_teardown(f, plic_setup, plic_teardown)
#define WITH_UART(f) cmocka_unit_test_setup_teardown(f, uart_setup, uart_teardown)
#define WITH_RTC(f) cmocka_unit_test_setup_teardown(f, rtc_setup, rtc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLIC(an_interrupt_is_claimed_and_completed),
        WITH_PLIC(one_context_gets_each_request),
        WITH_PLIC(the_highest_priority_then_the_lowest_number_comes_first),
        WITH_PLIC(the_threshold_masks_the_wire_to_the_hart),
        WITH_PLIC(what_does_not_exist_reads_as_zero),
        WITH_PLIC(a_completion_by_who_has_it_not_enabled_is_ignored),
        WITH_UART(characters_go_out),
        WITH_UART(characters_come_in),
        WITH_UART(fewer_than_the_trigger_time_out),
        WITH_UART(nothing_typed_is_lost),
        WITH_UART(a_full_ring_takes_no_more),
        WITH_UART(the_empty_transmitter_interrupts_once),
        WITH_UART(loopback_joins_both_ends),
        WITH_UART(the_scratch_register_keeps_and_the_rest_faults),
        WITH_RTC(time_passes_and_can_be_set),
        WITH_RTC(the_alarm_rings_when_enabled),
        WITH_RTC(a_cleared_alarm_stays_silent_and_a_past_one_rings_at_once),
        cmocka_unit_test(the_finisher_ends_the_machine),
        WITH_UART(htif_serves_what_it_knows),
        cmocka_unit_test(timers_fire_in_their_time),
        cmocka_unit_test(a_host_that_reports_free_pages_is_told),
    };

    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
