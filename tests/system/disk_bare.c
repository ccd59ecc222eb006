/* SPDX-License-Identifier: MIT */
/*
 * A bare-metal program in M-mode that writes to its disk for ever: block n of 4 KiB, filled with
 * the byte n + 1, then a flush, then the line "n ok", or "n failed". Behind the last block it
 * begins anew. SILENT: it prints only what failed, and "round" behind the last block.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define UART ((volatile u8 *)0x10000000)
#define SLOT(n) ((volatile u32 *)(0x10001000UL + (n) * 0x1000))
enum { SLOTS = 8, RING = 8, BLOCK = 4096, SECTORS_A_BLOCK = BLOCK / 512 };
enum { T_OUT = 1, T_FLUSH = 4 };
enum { F_FLUSH = 1 << 9, F_VERSION_1_HIGH = 1 };

__asm__(".section .start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    csrr t0, mhartid\n"
        "1:  bnez t0, 1b\n"
        "    la sp, stack\n"
        "    li t1, 8192\n"
        "    add sp, sp, t1\n"
        "    call main\n"
        ".text\n");
char stack[8192] __attribute__((aligned(4096)));

static struct {
    u64 address;
    u32 length;
    u16 flags, next;
} desc[RING] __attribute__((aligned(16)));
static struct {
    u16 flags, index, ring[RING];
} avail;
static volatile struct {
    u16 flags, index;
    struct {
        u32 id, length;
    } ring[RING];
} used __attribute__((aligned(4)));
static struct {
    u32 type, reserved;
    u64 sector;
} header;
static volatile u8 status;
static volatile u8 data[BLOCK] __attribute__((aligned(BLOCK)));
static volatile u32 *disk;

static void put(const char *text)
{
    while (*text)
        *UART = (u8)*text++;
}

static void put_number(u64 n)
{
    char text[24], *at = text + sizeof(text) - 1;

    *at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    put(at);
}

static int start(void)
{
    for (u32 n = 0; n < SLOTS && !disk; n++)
        if (SLOT(n)[2] == 2)
            disk = SLOT(n);
    if (!disk)
        return 0;
    disk[0x70 / 4] = 0;
    disk[0x70 / 4] = 3; /* acknowledge, driver */
    disk[0x24 / 4] = 0;
#ifndef NO_FLUSH
    disk[0x20 / 4] = F_FLUSH;
#endif
    disk[0x24 / 4] = 1;
    disk[0x20 / 4] = F_VERSION_1_HIGH;
    disk[0x70 / 4] = 11; /* features ok */
    disk[0x30 / 4] = 0;
    disk[0x38 / 4] = RING;
    disk[0x80 / 4] = (u32)(u64)desc;
    disk[0x90 / 4] = (u32)(u64)&avail;
    disk[0xa0 / 4] = (u32)(u64)&used;
    disk[0x44 / 4] = 1;
    disk[0x70 / 4] = 15; /* driver ok */
    return 1;
}

static u8 request(u32 type, u64 sector, u32 bytes)
{
    u16 before = used.index;
    u32 n = 0;

    header.type = type;
    header.sector = sector;
    status = 0xff;
    desc[n].address = (u64)&header, desc[n].length = sizeof(header), desc[n].flags = 1;
    desc[n].next = (u16)(n + 1), n++;
    if (bytes) {
        desc[n].address = (u64)data, desc[n].length = bytes, desc[n].flags = 1;
        desc[n].next = (u16)(n + 1), n++;
    }
    desc[n].address = (u64)&status, desc[n].length = 1, desc[n].flags = 2;
    avail.ring[avail.index % RING] = 0;
    __sync_synchronize();
    avail.index++;
    __sync_synchronize();
    disk[0x50 / 4] = 0;
    while (used.index == before)
        ;
    __sync_synchronize();
    return status;
}

static int write_block(u64 n)
{
    for (u32 i = 0; i < BLOCK; i++)
        data[i] = (u8)(n + 1);
    if (request(T_OUT, n * SECTORS_A_BLOCK, BLOCK))
        return 0;
#ifdef NO_FLUSH
    return 1;
#else
    return request(T_FLUSH, 0, 0) == 0;
#endif
}

int main(void)
{
    u64 blocks;

    if (!start()) {
        put("no disk\n");
        for (;;)
            ;
    }
    blocks = disk[0x100 / 4] / SECTORS_A_BLOCK;
    for (u64 n = 0;; n = (n + 1) % blocks) {
        int ok = write_block(n);

#ifdef SILENT
        if (n == blocks - 1)
            put("round\n");
        if (ok)
            continue;
#endif
        put_number(n);
        put(ok ? " ok\n" : " failed\n");
    }
}
