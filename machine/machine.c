/* SPDX-License-Identifier: MIT */
/* Making, wiring and resetting a machine. */
#include "machine/machine.h"

#include "debug/events.h"
#include "hart/code.h"
#include "hart/imsic.h"
#include "jit/jit.h"
#include "hart/window_env.h"
#include "machine/console.h"
#include "machine/memmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MEMORY_DEFAULT_MIB = 128 };

/* --- Wires --- */

/* PLIC contexts are M and S of each hart in turn. */
static void drive_context(void *opaque, unsigned context, bool level)
{
    struct machine *m = opaque;

    hart_set_irq(&m->harts[context / 2], context % 2 ? BIT(IRQ_SEI) : BIT(IRQ_MEI), level);
}

static void drive_aplic(void *opaque, enum aplic_level level, unsigned hart, bool on,
                        uint8_t priority)
{
    struct machine *m = opaque;
    struct hart *h = &m->harts[hart];

    if (m->aia == AIA_APLIC_IMSIC)
        return; /* the interrupt files drive these wires ("eidelivery") */
    __atomic_store_n(&h->external_priority[level], priority, __ATOMIC_RELAXED);
    hart_set_irq(h, level == APLIC_M ? BIT(IRQ_MEI) : BIT(IRQ_SEI), on);
}

/* MSIs of the APLIC reach interrupt files and nothing else. */
static void send_msi(void *opaque, uint64_t pa, uint32_t data)
{
    struct machine *m = opaque;

    if (m->aia == AIA_APLIC_IMSIC && !imsic_pages_write(&m->imsic_m, pa, data))
        imsic_pages_write(&m->imsic_s, pa, data);
}

struct irq_wire machine_wire(struct machine *m, unsigned source)
{
    if (m->aia == AIA_NONE)
        return (struct irq_wire){plic_set, &m->plic, source};
    return (struct irq_wire){aplic_set, &m->aplic, source};
}

static void power_off(void *opaque, unsigned code)
{
    struct machine *m = opaque;
    uint32_t on = 0;

    __atomic_compare_exchange_n(&m->off, &on, 1 + min_u64(code, 255), false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
    machine_halt(m, ISTHMUS_STOP_EXIT);
}

static void ask_reset(void *opaque)
{
    machine_halt(opaque, STOP_RESET);
}

static void timers_changed(void *opaque)
{
    machine_wake(opaque);
}

static void user_quits(void *opaque)
{
    machine_request_stop(opaque, ISTHMUS_STOP_QUIT);
}

static void console_closed(void *opaque)
{
    machine_request_stop(opaque, STOP_CONSOLE);
}

/* Whether what is left of the output may be dropped where nobody reads it: not where the guest came
 * to its end by itself. */
static bool is_ending(void *opaque)
{
    return machine_is_ending(opaque);
}

static void log_to_hook(void *opaque, enum log_level level, const char *text)
{
    const struct isthmus_config *hooks = opaque;

    hooks->log(hooks->log_opaque, (enum isthmus_log_level)level, text);
}

/* --- Making --- */

static int check_translator(const struct isthmus_config *config, const struct log *log)
{
    uint64_t buffer = config->code_buffer;

    if (buffer && (buffer < ISTHMUS_CODE_BUFFER_MIN || buffer > ISTHMUS_CODE_BUFFER_MAX)) {
        log_error(log, "code_buffer: %" PRIu64 " bytes is not possible; expected 64 KiB to 1 GiB",
                  buffer);
        return -EINVAL;
    }
    if (config->translate_after > ISTHMUS_TRANSLATE_AFTER_MAX) {
        log_error(log, "translate_after: %u is too many; expected 1 to %u",
                  config->translate_after, ISTHMUS_TRANSLATE_AFTER_MAX);
        return -EINVAL;
    }
    return 0;
}
_Static_assert(ISTHMUS_CODE_BUFFER_MIN == JIT_BUFFER_MIN, "one limit");
_Static_assert((int)ISTHMUS_TRANSLATE_AFTER_MAX == CODE_HOT_MAX, "one limit");

/* Lists that are told to hold something are there. */
static int check_lists(const struct isthmus_config *c, const struct log *log)
{
    const struct {
        const char *name;
        const void *list;
        uint32_t n;
    } lists[] = {{"guests", c->guests, c->guests_n},
                 {"windows", c->windows, c->windows_n},
                 {"shared", c->shared, c->shared_n},
                 {"disks", c->disks, c->disks_n},
                 {"net.forwards", c->net.forwards, c->net.forwards_n}};

    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
        if (lists[i].n && !lists[i].list) {
            log_error(log, "%s: NULL; expected %u of them", lists[i].name, lists[i].n);
            return -EINVAL;
        }
    return 0;
}

static int check_config(const struct isthmus_config *config, const struct log *log)
{
    uint64_t memory = config->memory;

    if (config->abi != ISTHMUS_ABI) {
        log_error(log, "the program was built for ABI %u of the library, which has %u", config->abi,
                  ISTHMUS_ABI);
        return -EINVAL;
    }
    if (config->harts > ISTHMUS_HARTS_MAX) {
        log_error(log, "harts: %u is too many; expected 1 to %u", config->harts, ISTHMUS_HARTS_MAX);
        return -EINVAL;
    }
    if (memory && (memory < ISTHMUS_MEMORY_MIN || memory > ISTHMUS_MEMORY_MAX || memory % 4096)) {
        log_error(log,
                  "memory: %" PRIu64 " bytes is not possible; expected 1 MiB to 64 GiB, a multiple "
                  "of 4096",
                  memory);
        return -EINVAL;
    }
    return check_translator(config, log) ? -EINVAL : check_lists(config, log);
}

static void add_chips(struct machine *m)
{
    const struct {
        uint64_t base, size;
        const struct device_ops *ops;
        void *dev;
    } chips[] = {
        {TEST_BASE, TEST_SIZE, &syscon_ops, &m->syscon},
        {RTC_BASE, RTC_SIZE, &rtc_ops, &m->rtc},
        {CLINT_BASE, ACLINT_SIZE, &aclint_ops, &m->aclint},
        {SSWI_BASE, SSWI_SIZE, &sswi_ops, &m->aclint},
        {UART_BASE, UART_SIZE, &uart_ops, &m->uart},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(chips); i++)
        mem_add_device(&m->mem, chips[i].base, chips[i].size, chips[i].ops, chips[i].dev);
}

/* Bits of a guest interrupt file's number in an address: room for the hart's own file, too. */
static unsigned guest_bits(unsigned guests)
{
    unsigned bits = 0;

    while (1u << bits < guests + 1)
        bits++;
    return bits;
}

static void make_interrupt_controllers(struct machine *m)
{
    struct aplic_sink sink = {drive_aplic, send_msi, m};

    if (m->aia == AIA_NONE) {
        plic_init(&m->plic, 2 * m->harts_n, drive_context, m);
        mem_add_device(&m->mem, PLIC_BASE, PLIC_SIZE, &plic_ops, &m->plic);
        return;
    }
    aplic_init(&m->aplic, m->harts_n, m->aia == AIA_APLIC_IMSIC, sink);
    mem_add_device(&m->mem, APLIC_M_BASE, APLIC_SIZE, &aplic_ops, &m->aplic.domains[APLIC_M]);
    mem_add_device(&m->mem, APLIC_S_BASE, APLIC_SIZE, &aplic_ops, &m->aplic.domains[APLIC_S]);
    if (m->aia != AIA_APLIC_IMSIC)
        return;
    m->imsic_m = (struct imsic_pages){m->harts, m->harts_n, IMSIC_M_BASE, true, 0};
    m->imsic_s =
        (struct imsic_pages){m->harts, m->harts_n, IMSIC_S_BASE, false, guest_bits(m->aia_guests)};
    mem_add_device(&m->mem, IMSIC_M_BASE, imsic_pages_size(&m->imsic_m), &imsic_ops, &m->imsic_m);
    mem_add_device(&m->mem, IMSIC_S_BASE, imsic_pages_size(&m->imsic_s), &imsic_ops, &m->imsic_s);
}

static void free_interrupt_controllers(struct machine *m)
{
    if (m->aia == AIA_NONE)
        plic_free(&m->plic);
    else
        aplic_free(&m->aplic);
}

static void reset_interrupt_controllers(struct machine *m)
{
    if (m->aia == AIA_NONE)
        plic_reset(&m->plic);
    else
        aplic_reset(&m->aplic);
}

static void make_chips(struct machine *m)
{
    make_interrupt_controllers(m);
    uart_init(&m->uart, &m->console, machine_wire(m, UART_IRQ));
    rtc_init(&m->rtc, &m->clock, &m->timers, machine_wire(m, RTC_IRQ));
    m->aclint = (struct aclint){&m->clock, m->harts, m->harts_n};
    m->syscon = (struct syscon){power_off, ask_reset, m};
    m->console.ready = uart_input_ready;
    m->console.ready_opaque = &m->uart;
    add_chips(m);
}

static void free_chips(struct machine *m)
{
    rtc_free(&m->rtc);
    uart_free(&m->uart);
    free_interrupt_controllers(m);
}

/* The interrupt files of a hart, and the guest external interrupts that they make. */
static int add_imsic(struct machine *m, struct hart *h)
{
    if (m->aia != AIA_APLIC_IMSIC)
        return 0;
    h->geilen = (uint8_t)min_u64(m->aia_guests, m->isa.cpu.geilen);
    h->imsic = imsic_new(h);
    return h->imsic ? 0 : -ENOMEM;
}

static int make_harts(struct machine *m)
{
    struct hart_clock clock = {clock_mtime, &m->clock};

    for (unsigned i = 0; i < m->harts_n; i++) {
        int err = hart_init(&m->harts[i], i, &m->isa, &m->mem, m->code, clock);
        if (!err) {
            err = hart_attach_windows(&m->harts[i], m->windows);
            if (!err)
                err = add_imsic(m, &m->harts[i]);
            if (err)
                hart_free(&m->harts[i]);
        }
        if (err) {
            while (i-- > 0) {
                hart_detach_windows(&m->harts[i]);
                hart_free(&m->harts[i]);
            }
            return err;
        }
    }
    return 0;
}

static void free_harts(struct machine *m)
{
    for (unsigned i = 0; i < m->harts_n; i++) {
        hart_detach_windows(&m->harts[i]);
        hart_free(&m->harts[i]);
    }
}

/* Harts have more room than they use (struct hart_sites), and calloc gives so much memory as it is
 * needed, of zeros. harts_memory NULL: there is none. */
static void alloc_harts(struct machine *m)
{
    enum { CACHE_LINE = 64 };

    m->harts_memory = calloc(1, m->harts_n * sizeof(*m->harts) + CACHE_LINE);
    m->harts = (struct hart *)(((uintptr_t)m->harts_memory + CACHE_LINE - 1) &
                               ~(uintptr_t)(CACHE_LINE - 1));
}

#define CODE_BUFFER_DEFAULT (UINT64_C(256) << 20)

/* What harts share, and the harts. */
static int make_core(struct machine *m, const struct isthmus_config *config,
                     const struct cpu *cpu)
{
    uint64_t buffer = config->code_buffer ? config->code_buffer : CODE_BUFFER_DEFAULT;
    struct jit_options options = {.bytes = buffer & ~UINT64_C(4095),
                                  .hot = config->translate_after,
                                  .perf_map = config->perf_map};
    int err = -ENOMEM;

    isa_init(&m->isa, cpu);
    if (!config->interpret && jit_supported())
        m->jit = jit_new(&m->isa, &options, &m->log);
    m->code = code_cache_new(&m->isa, m->jit ? jit_translator(m->jit) : NULL);
    m->windows = window_engine_new();
    alloc_harts(m);
    m->retired_before = calloc(m->harts_n, sizeof(*m->retired_before));
    if (m->code && m->windows && m->harts_memory && m->retired_before)
        err = make_harts(m);
    if (err) {
        log_error(&m->log, "not enough host memory for %u harts", m->harts_n);
        if (m->code)
            code_cache_free(m->code);
        jit_free(m->jit);
        window_engine_free(m->windows);
        free(m->harts_memory);
        free(m->retired_before);
    }
    return err;
}

static void free_core(struct machine *m)
{
    machine_debug_free(m);
    free_harts(m);
    code_cache_free(m->code);
    jit_free(m->jit);
    window_engine_free(m->windows);
    free(m->harts_memory);
    free(m->retired_before);
}

static int load(struct machine *m, const struct isthmus_config *config)
{
    int err;

    images_init(&m->images, m->mem.ram_base, m->mem.ram_size, &m->log);
    err = machine_load(m, config);
    if (!err && m->boot.htif)
        err = htif_init(&m->htif, &m->mem, m->boot.tohost, m->boot.fromhost, &m->console, power_off,
                        m);
    if (err)
        images_free(&m->images);
    return err;
}

static void wire_console(struct machine *m, struct chardev *c)
{
    c->quit = user_quits;
    c->closed = console_closed;
    c->ending = is_ending;
    c->machine = m;
}

/* The outer ends of both consoles. Runs of a deterministic machine are the same: nobody types. */
static int open_consoles(struct machine *m, const struct isthmus_config *config)
{
    const char *console = config->console ? config->console : "none";
    const char *hvc = config->virtio_console ? config->virtio_console : "none";
    int err;

    if (!strcmp(console, "stdio") && !strcmp(hvc, "stdio")) {
        log_error(&m->log, "virtio console stdio: the serial console is there; expected another "
                           "place for one of them");
        return -EINVAL;
    }
    err = chardev_open(&m->console, "console", console, !m->deterministic, &m->log);
    if (err)
        return err;
    err = chardev_open(&m->hvc, "virtio console", hvc, !m->deterministic, &m->log);
    if (err) {
        chardev_close(&m->console);
        return err;
    }
    m->console.hook = config->output;
    m->console.hook_opaque = config->output_opaque;
    wire_console(m, &m->console);
    wire_console(m, &m->hvc);
    return 0;
}

static void close_consoles(struct machine *m)
{
    chardev_close(&m->hvc);
    chardev_close(&m->console);
}

/* Each step undoes what was made before it where it fails. */
static int make(struct machine *m, const struct isthmus_config *config, const struct cpu *cpu)
{
    uint64_t memory = config->memory ? config->memory : (uint64_t)MEMORY_DEFAULT_MIB << 20;
    int err = open_consoles(m, config);

    if (err)
        return err;
    err = mem_init(&m->mem, RAM_BASE, memory, ROM_BASE, ROM_SIZE, &m->log);
    if (err)
        goto no_mem;
    err = make_core(m, config, cpu);
    if (err)
        goto no_core;
    clock_init(&m->clock, m->deterministic);
    timers_init(&m->timers, timers_changed, m);
    make_chips(m);
    err = virtio_slots_init(m, config);
    if (!err) {
        err = machine_debug_init(m, config);
        if (!err)
            err = load(m, config);
        if (!err) {
            machine_reset(m); /* cannot fail while all is in memory */
            images_release(&m->images);
            return 0;
        }
        virtio_slots_free(m);
    }
    free_chips(m);
    timers_free(&m->timers);
    free_core(m);
no_core:
    mem_free(&m->mem);
no_mem:
    close_consoles(m);
    return err;
}

struct machine *machine_new(const struct isthmus_config *config, int *error)
{
    struct isthmus_config *hooks = NULL;
    struct machine *m = calloc(1, sizeof(*m));
    struct cpu cpu;

    *error = -ENOMEM;
    if (!m)
        return NULL;
    if (config->log && (hooks = malloc(sizeof(*hooks)))) {
        *hooks = *config;
        m->log = (struct log){log_to_hook, hooks};
    }
    pthread_mutex_init(&m->budget_lock, NULL);
    *error = check_config(config, &m->log);
    if (!*error)
        *error = machine_choose_aia(config, &m->log, &m->aia);
    if (!*error)
        *error = machine_choose_cpu(config, &m->log, &cpu);
    m->aia_guests = config->aia_guests;
    m->harts_n = config->harts ? config->harts : 1;
    m->deterministic = config->deterministic;
    m->limit = UINT64_MAX;
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!*error && m->wake < 0) {
        *error = -errno;
        log_error(&m->log, "cannot make an eventfd: %s", strerror(errno));
    }
    if (!*error)
        *error = make(m, config, &cpu);
    if (*error) {
        if (m->wake >= 0)
            close(m->wake);
        pthread_mutex_destroy(&m->budget_lock);
        free(hooks);
        free(m);
        return NULL;
    }
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    if (m->boot.htif)
        htif_free(&m->htif);
    virtio_slots_free(m);
    images_free(&m->images);
    free_chips(m);
    timers_free(&m->timers);
    free_core(m);
    mem_free(&m->mem);
    close_consoles(m);
    close(m->wake);
    pthread_mutex_destroy(&m->budget_lock);
    free(m->log.opaque);
    free(m);
}

uint64_t machine_retired(const struct machine *m, unsigned hart)
{
    return m->retired_before[hart] + hart_retired(&m->harts[hart]);
}

static void reset_harts(struct machine *m)
{
    for (unsigned i = 0; i < m->harts_n; i++) {
        struct hart *h = &m->harts[i];

        m->retired_before[i] += hart_retired(h);
        __atomic_store_n(&h->wait_event, 0, __ATOMIC_RELAXED);
        hart_reset(h, ROM_BASE);
    }
}

int machine_reset(struct machine *m)
{
    uint32_t off = ISTHMUS_STOP_EXIT;
    int err;

    consoles_flush(m);
    virtio_slots_reset(m); /* before RAM changes under them */
    mem_clear_ram(&m->mem);
    err = images_lay(&m->images, &m->mem);
    m->unloaded = err;
    clock_turn_end(&m->clock);
    if (m->events)
        events_reset(m->events);
    reset_harts(m);
    code_collect(m->code);
    uart_reset(&m->uart);
    rtc_reset(&m->rtc);
    reset_interrupt_controllers(m);
    aclint_reset(&m->aclint);
    if (m->boot.htif)
        htif_reset(&m->htif);
    m->turn = 0;
    m->turn_left = 0;
    m->round_idle = true;
    m->off = 0;
    /* A step may have powered it off. */
    __atomic_compare_exchange_n(&m->stop, &off, STOP_NONE, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return err;
}
