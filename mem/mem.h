/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: main memory (RAM), boot ROM and devices on one bus.
 *
 * RAM and ROM are host memory; RAM is reserved whole and costs the host only the pages that were
 * touched. Everything else is a device: a range with a read and a write function. All functions
 * here may be called from any hart's thread.
 */
#ifndef MEM_MEM_H
#define MEM_MEM_H

#include "base/bits.h"
#include "base/log.h"

/* What a device does. off is in bytes from the start of its range; size is 1, 2, 4 or 8, off is a
 * multiple of it. Result: false where the device refuses such an access (an access fault). */
struct device_ops {
    const char *name;
    bool (*read)(void *dev, uint64_t off, unsigned size, uint64_t *value);
    bool (*write)(void *dev, uint64_t off, unsigned size, uint64_t value);
};

struct device_range {
    uint64_t base, size;
    const struct device_ops *ops;
    void *dev;
};

enum { MEM_DEVICES_MAX = 64 };

struct mem {
    uint8_t *ram; /* host address of the first byte of RAM */
    uint64_t ram_base, ram_size;
    uint8_t *rom; /* read and execute only */
    uint64_t rom_base, rom_size;
    struct device_range devices[MEM_DEVICES_MAX]; /* sorted by base */
    unsigned devices_n;
    const struct log *log;
};

/* Reserve ram_size bytes of RAM at ram_base and rom_size bytes of ROM at rom_base, all zero; both
 * sizes are multiples of 4096. Result: 0, or a negative errno after logging why. */
int mem_init(struct mem *m, uint64_t ram_base, uint64_t ram_size, uint64_t rom_base,
             uint64_t rom_size, const struct log *log);
void mem_free(struct mem *m);
/* All of RAM becomes zero again, and costs the host nothing. No hart runs. */
void mem_clear_ram(struct mem *m);

/* True where the host is itself a virtual machine whose balloon hands free pages back to its host
 * (virtio, "Memory Balloon Device", "Free Page Reporting"). features: a pattern of the names of
 * files that have the bits of a balloon's features as digits, as Linux shows them. */
bool mem_host_reports_free(const char *features);

/* Put a device on the bus. Result: 0, -EEXIST where the range overlaps another, -ENOSPC. */
int mem_add_device(struct mem *m, uint64_t base, uint64_t size, const struct device_ops *ops,
                   void *dev);

/* Host address of RAM [pa, pa + len), or NULL where any byte of it is not RAM. */
static inline uint8_t *mem_ram(const struct mem *m, uint64_t pa, uint64_t len)
{
    uint64_t off = pa - m->ram_base;
    return off < m->ram_size && len <= m->ram_size - off ? m->ram + off : NULL;
}

/* The same for RAM or ROM: memory that can be read and executed. */
static inline const uint8_t *mem_readable(const struct mem *m, uint64_t pa, uint64_t len)
{
    uint64_t off = pa - m->rom_base;
    if (off < m->rom_size && len <= m->rom_size - off)
        return m->rom + off;
    return mem_ram(m, pa, len);
}

/* One access to a device; size 1, 2, 4 or 8, naturally aligned. Result: false where there is no
 * device or it refuses: an access fault. */
bool mem_device_read(const struct mem *m, uint64_t pa, unsigned size, uint64_t *value);
bool mem_device_write(const struct mem *m, uint64_t pa, unsigned size, uint64_t value);

/* Copy between the caller's buffer and RAM or ROM (loading may write ROM). Result: 0, or -EFAULT
 * where the range is not wholly memory; then nothing is copied. */
int mem_copy_in(struct mem *m, uint64_t pa, const void *from, uint64_t len);
int mem_copy_out(const struct mem *m, uint64_t pa, void *to, uint64_t len);

#endif
