/* SPDX-License-Identifier: MIT */
#include "mem/mem.h"

#include "base/clock.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE = 2 << 20 };
#define BALLOON_FEATURES "/sys/bus/virtio/drivers/virtio_balloon/virtio*/features"

bool mem_host_reports_free(const char *features)
{
    enum { REPORTING = 5 }; /* VIRTIO_BALLOON_F_PAGE_REPORTING */
    bool reports = false;
    glob_t found;

    if (glob(features, 0, NULL, &found))
        return false;
    for (size_t i = 0; i < found.gl_pathc && !reports; i++) {
        FILE *f = fopen(found.gl_pathv[i], "r");

        if (!f)
            continue;
        reports = !fseek(f, REPORTING, SEEK_SET) && getc(f) == '1';
        fclose(f);
    }
    globfree(&found);
    return reports;
}

/* Guests' accesses are spread over all of RAM, and the host's TLB is not: ask for huge pages. They
 * are got when they are touched first, which is quicker than to get small ones, as a rule. Not so
 * where the host is a virtual machine that hands free memory back to its own host: there each costs
 * 512 small ones, got one by one, most of which may never be needed, and RAM has small ones. Where
 * this cannot be told the first one is timed; that it is quick says little, as it may have been
 * freed a moment ago. */
static void ask_for_huge_pages(uint8_t *p, uint64_t size)
{
    enum { SLOW_NS = 1000000 }; /* 512 small ones are as slow; one at hand takes some 200,000 */
    uint64_t begin = host_ns();

    if (mem_host_reports_free(BALLOON_FEATURES))
        return;
    madvise(p, HUGE, MADV_HUGEPAGE); /* a wish: without, it works as well */
    *(volatile uint8_t *)p = 0;
    if (host_ns() - begin < SLOW_NS)
        madvise(p, size, MADV_HUGEPAGE);
}

/* Host memory that costs nothing until it is touched, where it is large aligned for huge pages. */
static uint8_t *reserve(uint64_t size)
{
    uint64_t slack = size >= HUGE ? HUGE : 0;
    uint8_t *p = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t head;

    if (p == MAP_FAILED)
        return NULL;
    if (!slack)
        return p;
    head = -(uintptr_t)p & (HUGE - 1);
    if (head)
        munmap(p, head);
    if (head < slack)
        munmap(p + head + size, slack - head);
    ask_for_huge_pages(p + head, size);
    return p + head;
}

int mem_init(struct mem *m, uint64_t ram_base, uint64_t ram_size, uint64_t rom_base,
             uint64_t rom_size, const struct log *log)
{
    *m = (struct mem){.ram_base = ram_base,
                      .ram_size = ram_size,
                      .rom_base = rom_base,
                      .rom_size = rom_size,
                      .log = log};
    m->ram = reserve(ram_size);
    m->rom = reserve(rom_size);
    if (!m->ram || !m->rom) {
        log_error(log, "cannot reserve %llu MiB of host memory for RAM: %s",
                  (unsigned long long)(ram_size >> 20), strerror(errno));
        mem_free(m);
        return -ENOMEM;
    }
    return 0;
}

void mem_free(struct mem *m)
{
    if (m->ram)
        munmap(m->ram, m->ram_size);
    if (m->rom)
        munmap(m->rom, m->rom_size);
    m->ram = m->rom = NULL;
}

void mem_clear_ram(struct mem *m)
{
    if (madvise(m->ram, m->ram_size, MADV_DONTNEED))
        memset(m->ram, 0, m->ram_size);
}

int mem_add_device(struct mem *m, uint64_t base, uint64_t size, const struct device_ops *ops,
                   void *dev)
{
    unsigned at = 0;

    if (m->devices_n == MEM_DEVICES_MAX)
        return -ENOSPC;
    while (at < m->devices_n && m->devices[at].base < base)
        at++;
    if ((at > 0 && m->devices[at - 1].base + m->devices[at - 1].size > base) ||
        (at < m->devices_n && base + size > m->devices[at].base))
        return -EEXIST;
    memmove(&m->devices[at + 1], &m->devices[at], (m->devices_n - at) * sizeof(m->devices[0]));
    m->devices[at] = (struct device_range){base, size, ops, dev};
    m->devices_n++;
    return 0;
}

static const struct device_range *find(const struct mem *m, uint64_t pa, unsigned size)
{
    unsigned lo = 0, hi = m->devices_n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct device_range *r = &m->devices[mid];
        if (pa < r->base)
            hi = mid;
        else if (pa - r->base >= r->size)
            lo = mid + 1;
        else
            return size <= r->size - (pa - r->base) ? r : NULL;
    }
    return NULL;
}

bool mem_device_read(const struct mem *m, uint64_t pa, unsigned size, uint64_t *value)
{
    const struct device_range *r = find(m, pa, size);

    *value = 0;
    return r && r->ops->read && r->ops->read(r->dev, pa - r->base, size, value);
}

bool mem_device_write(const struct mem *m, uint64_t pa, unsigned size, uint64_t value)
{
    const struct device_range *r = find(m, pa, size);

    return r && r->ops->write && r->ops->write(r->dev, pa - r->base, size, value);
}

int mem_copy_in(struct mem *m, uint64_t pa, const void *from, uint64_t len)
{
    uint8_t *to = (uint8_t *)mem_readable(m, pa, len);

    if (!to)
        return -EFAULT;
    memcpy(to, from, len);
    return 0;
}

int mem_copy_out(const struct mem *m, uint64_t pa, void *to, uint64_t len)
{
    const uint8_t *from = mem_readable(m, pa, len);

    if (!from)
        return -EFAULT;
    memcpy(to, from, len);
    return 0;
}
