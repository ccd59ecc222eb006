/* SPDX-License-Identifier: MIT */
/*
 * Goldfish real-time clock: nanoseconds since 1970 in two 32-bit halves, with an alarm. It runs on
 * the board's ticks, so that it is reproducible where they are.
 */
#ifndef DEV_RTC_H
#define DEV_RTC_H

#include "base/timer.h"
#include "dev/clock.h"
#include "dev/irq.h"

#define RTC_SIZE UINT64_C(0x1000)

struct rtc {
    pthread_mutex_t lock;
    struct clock *clock;
    struct timers *timers;
    struct timer alarm;
    struct irq_wire irq;
    uint64_t offset_ns; /* calendar time at tick 0 */
    uint64_t alarm_ns;
    uint32_t time_high;  /* latched by a read of TIME_LOW */
    uint32_t alarm_high; /* kept until ALARM_LOW is written */
    bool running, asserted, enabled;
};

void rtc_init(struct rtc *r, struct clock *clock, struct timers *timers, struct irq_wire irq);
void rtc_free(struct rtc *r);
void rtc_reset(struct rtc *r);

extern const struct device_ops rtc_ops;

#endif
