/* SPDX-License-Identifier: MIT */
#include "dev/rtc.h"

enum {
    TIME_LOW = 0x00,
    TIME_HIGH = 0x04,
    ALARM_LOW = 0x08,
    ALARM_HIGH = 0x0c,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c,
};

static uint64_t now_ns(struct rtc *r)
{
    return r->offset_ns + clock_ticks(r->clock) * CLOCK_NS;
}

static void update(struct rtc *r)
{
    irq_drive(&r->irq, r->asserted && r->enabled);
}

static void alarm_fired(void *opaque)
{
    struct rtc *r = opaque;

    pthread_mutex_lock(&r->lock);
    if (r->running && now_ns(r) >= r->alarm_ns) {
        r->running = false;
        r->asserted = true;
        update(r);
    }
    pthread_mutex_unlock(&r->lock);
}

static void start_alarm(struct rtc *r)
{
    uint64_t now = now_ns(r);

    r->running = r->alarm_ns > now;
    if (!r->running)
        r->asserted = true; /* it is past */
    timer_set(r->timers, &r->alarm,
              r->running ? (r->alarm_ns - r->offset_ns + CLOCK_NS - 1) / CLOCK_NS : TIMER_NEVER);
    update(r);
}

static void stop_alarm(struct rtc *r)
{
    r->running = false;
    timer_set(r->timers, &r->alarm, TIMER_NEVER);
}

static void clear(struct rtc *r)
{
    r->offset_ns = r->clock->epoch_ns;
    r->alarm_ns = 0;
    r->time_high = r->alarm_high = 0;
    r->asserted = r->enabled = false;
    stop_alarm(r);
}

void rtc_init(struct rtc *r, struct clock *clock, struct timers *timers, struct irq_wire irq)
{
    *r = (struct rtc){.clock = clock, .timers = timers, .irq = irq};
    pthread_mutex_init(&r->lock, NULL);
    r->alarm = (struct timer){.deadline = TIMER_NEVER, .fire = alarm_fired, .opaque = r};
    clear(r);
}

void rtc_free(struct rtc *r)
{
    stop_alarm(r);
    pthread_mutex_destroy(&r->lock);
}

void rtc_reset(struct rtc *r)
{
    pthread_mutex_lock(&r->lock);
    clear(r);
    update(r);
    pthread_mutex_unlock(&r->lock);
}

static uint32_t read_register(struct rtc *r, uint64_t off)
{
    uint64_t now;

    switch (off) {
    case TIME_LOW:
        now = now_ns(r);
        r->time_high = (uint32_t)(now >> 32);
        return (uint32_t)now;
    case TIME_HIGH:
        return r->time_high;
    case ALARM_LOW:
        return (uint32_t)r->alarm_ns;
    case ALARM_HIGH:
        return (uint32_t)(r->alarm_ns >> 32);
    case IRQ_ENABLED:
        return r->enabled;
    case ALARM_STATUS:
        return r->running;
    default:
        return 0;
    }
}

static void set_time(struct rtc *r, uint64_t mask, uint64_t value)
{
    uint64_t now = now_ns(r);

    r->offset_ns += ((now & mask) | value) - now;
    if (r->running)
        start_alarm(r);
}

static void write_register(struct rtc *r, uint64_t off, uint32_t value)
{
    switch (off) {
    case TIME_LOW:
        set_time(r, ~UINT64_C(0xffffffff), value);
        break;
    case TIME_HIGH:
        set_time(r, 0xffffffff, (uint64_t)value << 32);
        break;
    case ALARM_LOW:
        r->alarm_ns = (uint64_t)r->alarm_high << 32 | value;
        start_alarm(r);
        break;
    case ALARM_HIGH:
        r->alarm_high = value;
        break;
    case IRQ_ENABLED:
        r->enabled = value & 1;
        update(r);
        break;
    case CLEAR_ALARM:
        stop_alarm(r);
        break;
    case CLEAR_INTERRUPT:
        r->asserted = false;
        update(r);
        break;
    }
}

static bool rtc_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct rtc *r = dev;

    if (size != 4)
        return false;
    pthread_mutex_lock(&r->lock);
    *value = read_register(r, off);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static bool rtc_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct rtc *r = dev;

    if (size != 4)
        return false;
    pthread_mutex_lock(&r->lock);
    write_register(r, off, (uint32_t)value);
    pthread_mutex_unlock(&r->lock);
    return true;
}

const struct device_ops rtc_ops = {"rtc", rtc_read, rtc_write};
