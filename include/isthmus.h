/* SPDX-License-Identifier: MIT */
/*
 * isthmus: a RISC-V machine (RV64GC with the hypervisor extension and Xisthmus) to embed.
 *
 *     struct isthmus_config config = {.abi = ISTHMUS_ABI, .bios = "none", .kernel = "hello.elf"};
 *     struct isthmus *m = isthmus_new(&config, NULL);
 *     if (m && isthmus_run(m, NULL) == ISTHMUS_STOP_EXIT)
 *         printf("the guest's exit code is %d\n", isthmus_exit_code(m));
 *     isthmus_free(m);
 *
 * Rules. A machine is used by one thread at a time, but for isthmus_stop, isthmus_input and
 * isthmus_output_flush, which any thread may call at any time. While isthmus_run runs, only these
 * and, from within the hooks, nothing else may be called for the same machine. Machines are
 * independent of each other. No function here ends the process, whatever a guest does.
 *
 * Errors: a function that can fail returns NULL or a negative errno, after giving one line of text
 * to the log hook (or, without one, to stderr). -EINVAL means that the caller's argument itself is
 * wrong; other codes that something else stood in the way (a file, memory, an image's contents).
 */
#ifndef ISTHMUS_H
#define ISTHMUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Version of this interface. It is raised when a program built against an older one would break. */
#define ISTHMUS_ABI 3

enum { ISTHMUS_HARTS_MAX = 64, ISTHMUS_VCPUS_MAX = 8, ISTHMUS_GUESTS_MAX = 256 };
enum { ISTHMUS_AIA_GUESTS_MAX = 7 }; /* guest interrupt files a hart */
#define ISTHMUS_GUEST_MEMORY_MIN (UINT64_C(4) << 20)
#define ISTHMUS_MEMORY_MIN (UINT64_C(1) << 20)
#define ISTHMUS_MEMORY_MAX (UINT64_C(64) << 30)

#define ISTHMUS_CODE_BUFFER_MIN (UINT64_C(64) << 10)
#define ISTHMUS_CODE_BUFFER_MAX (UINT64_C(1) << 30)
enum { ISTHMUS_TRANSLATE_AFTER_MAX = 255 };

struct isthmus; /* a machine */

/* The ABI and version of the library that is linked in. */
unsigned isthmus_abi(void);
const char *isthmus_version(void);

/* ---- Making a machine ---- */

enum isthmus_log_level { ISTHMUS_LOG_ERROR, ISTHMUS_LOG_WARN, ISTHMUS_LOG_INFO };

/* A guest of the reference hypervisor. */
struct isthmus_guest {
    const char *image;  /* file: ELF or raw */
    const char *name;   /* NULL: guest0, guest1, ... */
    const char *append; /* its command line; NULL: none */
    const char *initrd; /* file; NULL: none */
    uint64_t memory;    /* bytes, at least ISTHMUS_GUEST_MEMORY_MIN; 0: 64 MiB */
    uint32_t vcpus;     /* 1 to ISTHMUS_VCPUS_MAX; 0: 1 */
};

enum { ISTHMUS_WINDOW_R = 1, ISTHMUS_WINDOW_W = 2, ISTHMUS_WINDOW_USER = 4 };

/* A window that the reference hypervisor allocates before its guests start. */
struct isthmus_window {
    const char *owner, *peer; /* names of guests */
    uint32_t rights;          /* ISTHMUS_WINDOW_*: the ceiling */
    uint32_t count;           /* that many windows alike; 0: 1 */
    uint64_t size;            /* most bytes that the owner may open */
};

/* Memory that several guests see at one guest-physical address: what they would use without the
 * extension, for comparison. */
struct isthmus_shared {
    const char *const *guests; /* names */
    uint32_t guests_n;
    uint64_t size; /* bytes */
};

/* A disk: virtio-blk over a raw file or a block device. */
struct isthmus_disk {
    const char *path;
    bool readonly;
};

/* A port of the host that leads to one of the guest, with ISTHMUS_NET_USER. */
struct isthmus_forward {
    bool udp;             /* else TCP */
    const char *host;     /* dotted IPv4 address to listen at; NULL: 127.0.0.1 */
    const char *guest;    /* NULL: 10.0.2.15, the guest's address by DHCP */
    uint16_t host_port, guest_port;
};

enum isthmus_net_kind {
    ISTHMUS_NET_NONE,
    ISTHMUS_NET_USER, /* 10.0.2.0/24 behind this process's sockets; the host is 10.0.2.2 */
    ISTHMUS_NET_TAP,  /* an interface of the host */
};

/* A network card: virtio-net. Not in deterministic machines. */
struct isthmus_net {
    enum isthmus_net_kind kind;
    const char *ifname; /* TAP */
    const struct isthmus_forward *forwards; /* USER */
    uint32_t forwards_n;
    uint8_t mac[6]; /* all zero: 52:54:00:12:34:56 */
};

/* What kind of machine. All zero but for abi is a machine with one hart, 128 MiB of RAM, OpenSBI
 * and nothing to boot. Strings and arrays are only used during isthmus_new. */
struct isthmus_config {
    uint32_t abi;           /* ISTHMUS_ABI */
    uint32_t harts;         /* 1 to ISTHMUS_HARTS_MAX; 0: 1 */
    uint64_t memory;        /* bytes of RAM, a multiple of 4096; 0: 128 MiB */
    const char *bios;       /* firmware file, raw or ELF; "none"; NULL: OpenSBI where installed */
    const char *kernel;     /* what the firmware starts: ELF, Linux Image or raw; NULL: nothing.
                             * With bios "none" it is started itself, in M-mode */
    const char *initrd;     /* file; NULL: none */
    const char *append;     /* the kernel's command line; NULL: none */
    const char *cpu;        /* what harts implement: "BASE[,[+-]EXT|LIMIT=N]...", see docs/cpu.md;
                             * NULL: "rv64gch" */
    const char *aia;        /* interrupt controllers: "none" (PLIC), "aplic" or "aplic-imsic";
                             * NULL: "none" */
    uint32_t aia_guests;    /* guest interrupt files a hart, 0 to 7; with "aplic-imsic" */
    const char *console;    /* "stdio", "file:PATH" or "none"; NULL: "none" */
    const char *virtio_console; /* the same for a virtio console, the guest's hvc0. Not both of them
                                 * are stdio; NULL: there is none */
    const char *hypervisor; /* the reference hypervisor's image; NULL: hypervisor.elf as it is
                             * installed, or in the folder $ISTHMUS_DATADIR. Used as
                             * kernel where there are guests and kernel is NULL */
    const struct isthmus_guest *guests;
    const struct isthmus_window *windows;
    const struct isthmus_shared *shared;
    uint32_t guests_n, windows_n, shared_n;
    const struct isthmus_disk *disks; /* the guest's vda, vdb, ... */
    uint32_t disks_n;
    struct isthmus_net net;
    const char *share;    /* a directory for the guest, by 9P under the tag "share"; NULL: none */
    uint32_t slice_ms;    /* of the hypervisor's scheduler; 0: its default */
    bool copy_hypercalls; /* the hypervisor offers its copy hypercalls, too */
    bool deterministic;   /* one thread, time from retired instructions: every run is the same */
    bool interpret;       /* do not translate hot code to the host's instructions, only interpret */
    bool perf_map;        /* name translated code for perf, in /tmp/perf-PID.map */
    uint64_t code_buffer; /* bytes for translated code, ISTHMUS_CODE_BUFFER_*; 0: 256 MiB */
    uint32_t translate_after; /* translate code that was entered so often, 1 to
                               * ISTHMUS_TRANSLATE_AFTER_MAX times; 0: 16 */

    const char *gdb;          /* "PORT[,wait]": let GDB connect to this port of the local host (0:
                               * to any, which is logged); wait: no hart runs before; NULL: no */
    bool count_guests;        /* count by guest, too: "guests.0xROOT..." of isthmus_counters */
    const char *trace;        /* "KIND[,KIND]...:FILE": a line an event into FILE ("-": stderr);
                               * kinds exits, switch, ig, irq, mmu, see docs/debugging.md; NULL:
                               * none */

    /* Takes messages, one line each without newline. NULL: stderr. */
    void (*log)(void *opaque, enum isthmus_log_level level, const char *text);
    void *log_opaque;
    /* Sees what guests write to the console, in pieces, beside where `console` sends it. Called
     * from the machine's threads, one at a time. It may call isthmus_stop and isthmus_input. */
    void (*output)(void *opaque, const void *bytes, size_t n);
    void *output_opaque;
};

/* Whether harts can be what isthmus_config.cpu says, with its aia; NULL: what it is there. Result: 0, or -EINVAL with one
 * line in why[size]. */
int isthmus_check_cpu(const char *cpu, const char *aia, char *why, size_t size);

/* Make a machine and load its images; it is then in the state after reset. NULL on failure, with
 * *error, where error is not NULL, the negative errno. */
struct isthmus *isthmus_new(const struct isthmus_config *config, int *error);

/* End a machine that does not run. m may be NULL. */
void isthmus_free(struct isthmus *m);

/* Back to the state after reset, with RAM and the images as they were first loaded. Large files are
 * read again; they may have been removed, or replaced under their names. Result: 0; -ESTALE where a
 * file was written to meanwhile, or another negative errno where it cannot be read: the machine
 * then does not run until a later reset succeeds. */
int isthmus_reset(struct isthmus *m);

/* ---- Running ---- */

enum isthmus_stop {
    ISTHMUS_STOP_ERROR = -1,    /* it could not run: no thread, no memory, or its console (a pipe,
                                 * a terminal) was closed */
    ISTHMUS_STOP_EXIT = 1,      /* the guest powered the machine off: isthmus_exit_code */
    ISTHMUS_STOP_LIMIT = 2,     /* the limit of instructions was reached */
    ISTHMUS_STOP_TIMEOUT = 3,   /* the limit of time was reached */
    ISTHMUS_STOP_REQUESTED = 4, /* isthmus_stop */
    ISTHMUS_STOP_QUIT = 5,      /* the user left: Ctrl-A x on the console */
    ISTHMUS_STOP_IDLE = 6,      /* deterministic: every hart waits and nothing can wake it */
};

struct isthmus_limits {
    uint64_t instructions; /* retired by all harts together in this run; 0: no limit. A trap that
                            * is taken counts as one too */
    uint64_t nanoseconds;  /* of host time in this run; 0: no limit */
};

/* Run until something stops the machine; limits may be NULL: none. A machine that stopped for
 * another reason than EXIT goes on where it was at the next call; after EXIT it has to be reset. */
enum isthmus_stop isthmus_run(struct isthmus *m, const struct isthmus_limits *limits);

/* Make isthmus_run return soon, or at once if it is called later. Any thread, any time; safe in
 * signal handlers. */
void isthmus_stop(struct isthmus *m);

/* After ISTHMUS_STOP_EXIT: 0 where the guest said success, else 1 to 255 (greater codes: 255). */
int isthmus_exit_code(const struct isthmus *m);

/* Run n instructions of one hart alone (taken traps count). Result: 0; -EAGAIN where it waits in
 * WFI and nothing is pending; -EINVAL: no such hart. */
int isthmus_step(struct isthmus *m, unsigned hart, uint64_t n);

/* ---- Registers: between runs ---- */

/* Numbers of registers. */
enum {
    ISTHMUS_REG_X = 0,  /* + 0..31 */
    ISTHMUS_REG_F = 32, /* + 0..31 */
    ISTHMUS_REG_PC = 64,
    ISTHMUS_REG_PRIV = 65,  /* 0 U, 1 S, 3 M, which makes V 0 */
    ISTHMUS_REG_V = 66,     /* virtualization mode: 0 or 1; privilege must not be M where 1 */
    ISTHMUS_REG_CSR = 4096, /* + CSR number */
};

/* The number of the register with this name: x0..x31 or ABI name, f0..f31 or ABI name, pc, priv,
 * v, or a CSR's name. -ENOENT (without a message): no such register. */
int isthmus_reg_number(const char *name);

/* Read or write register reg of a hart. CSRs are accessed as M-mode does, so writing follows
 * their WARL rules. Result: 0; -EINVAL: no such hart or register, or it is read-only. */
int isthmus_reg_read(struct isthmus *m, unsigned hart, unsigned reg, uint64_t *value);
int isthmus_reg_write(struct isthmus *m, unsigned hart, unsigned reg, uint64_t value);

/* ---- Memory: between runs ---- */

/* Copy n bytes from or to physical memory (RAM or boot ROM; devices are not memory). Result: 0, or
 * -EFAULT (without a message) where the range is not wholly memory; then nothing is copied. */
int isthmus_mem_read(struct isthmus *m, uint64_t pa, void *to, size_t n);
int isthmus_mem_write(struct isthmus *m, uint64_t pa, const void *from, size_t n);

/* The same for virtual addresses, translated as a load or store of that hart would be now (A and D
 * bits are set as it sets them). -EFAULT where a page of it does not translate; what was before it
 * is then copied. */
int isthmus_virt_read(struct isthmus *m, unsigned hart, uint64_t va, void *to, size_t n);
int isthmus_virt_write(struct isthmus *m, unsigned hart, uint64_t va, const void *from, size_t n);

enum isthmus_access { ISTHMUS_LOAD, ISTHMUS_STORE, ISTHMUS_FETCH };

/* Explain in text[size], of several lines, what an access of that hart to va would meet now: both
 * stages level by level with each PTE and its address, PMP, and one sentence that says why it
 * fails. Nothing is changed, A and D bits neither. 16 KiB hold any explanation; more than size is
 * cut off. Result: 0 where the access is allowed; else the code of the exception (1 to 23);
 * -EINVAL: no such hart or access, or size is 0. */
int isthmus_explain(struct isthmus *m, unsigned hart, uint64_t va, enum isthmus_access access,
                    char *text, size_t size);

/* ---- Console ---- */

/* Type n bytes into the console. Any thread. Result: how many were taken: the rest finds no room
 * until the guest has read. */
size_t isthmus_input(struct isthmus *m, const void *bytes, size_t n);
/* Hand output on that is still gathered for the hook and the file. Any thread, but the hook. */
void isthmus_output_flush(struct isthmus *m);

/* Between runs: whether something could not be written where `console`, `virtio_console` or `trace`
 * said. */
bool isthmus_output_lost(const struct isthmus *m);

/* ---- Counters: between runs ---- */

/* Call each(opaque, name, value) for every counter. Names are paths with dots, such as
 * "instructions", "harts.0.mmu.walks" or "exceptions.ecall_vs"; all are cumulative since the
 * machine was made. */
void isthmus_counters(struct isthmus *m,
                      void (*each)(void *opaque, const char *name, uint64_t value), void *opaque);
/* One counter by name. Result: 0, or -ENOENT (without a message). */
int isthmus_counter(struct isthmus *m, const char *name, uint64_t *value);

/* ---- Disassembly ---- */

/* Text of the instruction in the n >= 2 bytes at code, at address pc, into text[size]. Result: its
 * length, 2 or 4 bytes; 0 where n is too small. */
unsigned isthmus_disassemble(uint64_t pc, const void *code, size_t n, char *text, size_t size);

/* One line of a disassembled file. */
struct isthmus_line {
    uint64_t pc;
    const char *symbol; /* that starts here, or NULL */
    uint32_t raw;       /* the instruction's bits */
    unsigned length;    /* bytes */
    const char *text;
};

/* Disassemble the code of a RISC-V ELF file, or all of a raw one from address 0.
 * Messages go to stderr. Result: 0 or a negative errno. */
int isthmus_disassemble_file(const char *path,
                             void (*line)(void *opaque, const struct isthmus_line *line),
                             void *opaque);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
