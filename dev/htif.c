/* SPDX-License-Identifier: MIT */
#include "dev/htif.h"

#include <errno.h>

enum { DEVICE_SYSCALL = 0, DEVICE_CONSOLE = 1 };
enum { CONSOLE_GET = 0, CONSOLE_PUT = 1 };
enum { SYS_WRITE = 64, SYS_EXIT = 93 };
enum { GOT_CHARACTER = 0x100 };

static uint64_t *variable(struct mem *mem, uint64_t pa)
{
    return pa % 8 == 0 ? (uint64_t *)mem_ram(mem, pa, 8) : NULL;
}

int htif_init(struct htif *h, struct mem *mem, uint64_t tohost, uint64_t fromhost,
              struct chardev *chardev, void (*power_off)(void *opaque, unsigned code), void *opaque)
{
    *h = (struct htif){.mem = mem, .chardev = chardev, .power_off = power_off, .opaque = opaque};
    h->tohost = variable(mem, tohost);
    h->fromhost = fromhost ? variable(mem, fromhost) : NULL;
    if (!h->tohost || (fromhost && !h->fromhost))
        return -EFAULT;
    pthread_mutex_init(&h->lock, NULL);
    return 0;
}

void htif_reset(struct htif *h)
{
    h->reading = false;
}

void htif_free(struct htif *h)
{
    pthread_mutex_destroy(&h->lock);
}

static void answer(struct htif *h, unsigned device, unsigned command, uint64_t payload)
{
    uint64_t value = (uint64_t)device << 56 | (uint64_t)command << 48 | payload;

    if (h->fromhost)
        __atomic_store_n(h->fromhost, value, __ATOMIC_RELEASE);
}

static uint64_t sys_write(struct htif *h, uint64_t buf, uint64_t n)
{
    const uint8_t *bytes = mem_ram(h->mem, buf, n);

    if (!bytes)
        return (uint64_t)-EFAULT;
    for (uint64_t i = 0; i < n; i++)
        chardev_put(h->chardev, bytes[i]);
    return n;
}

/* Proxied system call: eight doublewords, the number and its arguments; the first becomes the
 * result. */
static void syscall_proxy(struct htif *h, uint64_t pa)
{
    uint64_t *call = (uint64_t *)mem_ram(h->mem, pa, 64);

    if (call && pa % 8 == 0) {
        if (call[0] == SYS_WRITE && (call[1] == 1 || call[1] == 2))
            call[0] = sys_write(h, call[2], call[3]);
        else if (call[0] == SYS_EXIT)
            h->power_off(h->opaque, (unsigned)min_u64(call[1], 255));
        else
            call[0] = (uint64_t)-ENOSYS;
    }
    answer(h, DEVICE_SYSCALL, 0, 1);
}

static bool is_exit(uint64_t value)
{
    return value >> 48 == 0 && (value & 1);
}

static void command(struct htif *h, uint64_t value)
{
    unsigned device = bits(value, 63, 56), cmd = bits(value, 55, 48);
    uint64_t payload = bits(value, 47, 0);

    if (device == DEVICE_SYSCALL && cmd == 0) {
        if (is_exit(value))
            h->power_off(h->opaque, (unsigned)min_u64(payload >> 1, 255));
        else
            syscall_proxy(h, payload);
    } else if (device == DEVICE_CONSOLE && cmd == CONSOLE_PUT) {
        chardev_put(h->chardev, (uint8_t)payload);
    } else if (device == DEVICE_CONSOLE && cmd == CONSOLE_GET) {
        h->reading = true;
    }
}

static bool answer_taken(const struct htif *h)
{
    return !h->fromhost || !__atomic_load_n(h->fromhost, __ATOMIC_ACQUIRE);
}

bool htif_poll(struct htif *h)
{
    bool found = false;
    int c;

    if (!__atomic_load_n(h->tohost, __ATOMIC_RELAXED) && !h->reading)
        return false;
    pthread_mutex_lock(&h->lock);
    /* An exit needs no answer, so it does not wait for the last one to be taken. */
    if (answer_taken(h) || is_exit(__atomic_load_n(h->tohost, __ATOMIC_RELAXED))) {
        uint64_t value = __atomic_exchange_n(h->tohost, 0, __ATOMIC_ACQUIRE);
        if (value)
            command(h, value);
        found = value;
    }
    if (h->reading && answer_taken(h) && (c = chardev_take(h->chardev)) >= 0) {
        h->reading = false;
        answer(h, DEVICE_CONSOLE, CONSOLE_GET, GOT_CHARACTER | (c & 0xff));
        found = true;
    }
    pthread_mutex_unlock(&h->lock);
    return found;
}
