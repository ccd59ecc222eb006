/* SPDX-License-Identifier: MIT */
/*
 * Counters live where they are counted: in each hart, its MMU and its part of the window engine.
 * Here they get names. A hart's counters are gathered into one flat array by tables of offsets,
 * and the machine's are the sums of these arrays.
 */
#include "debug/counters.h"

#include "window/window.h"

#include <stdio.h>
#include <string.h>

struct named {
    const char *name;
    size_t offset;
};

#define HART(name, field) {name, offsetof(struct hart, field)}
static const struct named hart_table[] = {
    HART("world_switches", counters.world_switches),
    HART("mmu.tlb_misses", mmu.counters.tlb_misses),
    HART("mmu.walks", mmu.counters.walks),
    HART("mmu.gstage_walks", mmu.counters.gstage_walks),
    HART("mmu.bank_switches", mmu.counters.bank_switches),
    HART("mmu.bank_misses", mmu.counters.bank_misses),
    HART("mmu.fences", mmu.counters.fences),
    HART("translator.entries", counters.native_entries),
    HART("translator.exits.not_translated", counters.native_exits[NATIVE_EXIT_COLD]),
    HART("translator.exits.exec_tlb_miss", counters.native_exits[NATIVE_EXIT_FETCH]),
    HART("translator.exits.event", counters.native_exits[NATIVE_EXIT_EVENT]),
    HART("translator.exits.budget", counters.native_exits[NATIVE_EXIT_BUDGET]),
    HART("translator.exits.trap", counters.native_exits[NATIVE_EXIT_TRAP]),
    HART("translator.exits.split", counters.native_exits[NATIVE_EXIT_SPLIT]),
};

#define WINDOW(name) {"windows." #name, offsetof(struct window_counters, name)}
#define REFUSED(name, status)                                                                      \
    {"windows.refused." name, offsetof(struct window_counters, refused[-(status)])}
static const struct named window_table[] = {
    WINDOW(puts),
    WINDOW(gets),
    WINDOW(rings),
    WINDOW(bytes_put),
    WINDOW(bytes_got),
    WINDOW(local_faults),
    REFUSED("denied", -1),
    REFUSED("range", -2),
    REFUSED("remote_fault", -3),
    REFUSED("not_resident", -4),
    REFUSED("busy", -5),
    REFUSED("ceiling", -6),
    WINDOW(translation_hits),
    WINDOW(translation_misses),
    WINDOW(revocations),
};

/* Names of exceptions, by code (Privileged, table of mcause values). */
static const char *const exception_names[64] = {
    [EXC_FETCH_MISALIGNED] = "fetch_misaligned",
    [EXC_FETCH_ACCESS] = "fetch_access",
    [EXC_ILLEGAL] = "illegal_instruction",
    [EXC_BREAKPOINT] = "breakpoint",
    [EXC_LOAD_MISALIGNED] = "load_misaligned",
    [EXC_LOAD_ACCESS] = "load_access",
    [EXC_STORE_MISALIGNED] = "store_misaligned",
    [EXC_STORE_ACCESS] = "store_access",
    [EXC_ECALL_U] = "ecall_u",
    [EXC_ECALL_S] = "ecall_s",
    [EXC_ECALL_VS] = "ecall_vs",
    [EXC_ECALL_M] = "ecall_m",
    [EXC_FETCH_PAGE] = "fetch_page_fault",
    [EXC_LOAD_PAGE] = "load_page_fault",
    [EXC_STORE_PAGE] = "store_page_fault",
    [EXC_FETCH_GUEST_PAGE] = "fetch_guest_page_fault",
    [EXC_LOAD_GUEST_PAGE] = "load_guest_page_fault",
    [EXC_VIRTUAL] = "virtual_instruction",
    [EXC_STORE_GUEST_PAGE] = "store_guest_page_fault",
};
static const char *const interrupt_names[64] = {
    [IRQ_SSI] = "supervisor_software", [IRQ_VSSI] = "vs_software", [IRQ_MSI] = "machine_software",
    [IRQ_STI] = "supervisor_timer",    [IRQ_VSTI] = "vs_timer",    [IRQ_MTI] = "machine_timer",
    [IRQ_SEI] = "supervisor_external", [IRQ_VSEI] = "vs_external", [IRQ_MEI] = "machine_external",
    [IRQ_SGEI] = "supervisor_guest_external", [IRQ_LCOF] = "counter_overflow",
};
enum { EXIT_BY_INTERRUPT = 63 };

const char *counters_cause_name(uint64_t cause)
{
    const char *const *names = cause & CAUSE_INTERRUPT ? interrupt_names : exception_names;
    const char *name = names[cause & 63];

    return name ? name : "other";
}

/* One hart's counters, or a machine's. */
struct totals {
    uint64_t instructions;
    uint64_t hart[ARRAY_SIZE(hart_table)];
    uint64_t window[ARRAY_SIZE(window_table)];
    uint64_t exceptions[64], interrupts[64], exits[64], exits_all;
};

struct teller {
    void (*each)(void *opaque, const char *name, uint64_t value);
    void *opaque;
    char prefix[32];
    bool all; /* also what is 0 in the families by code */
};

static uint64_t field(const void *base, size_t offset)
{
    return __atomic_load_n((const uint64_t *)((const char *)base + offset), __ATOMIC_RELAXED);
}

static void gather(struct totals *t, const struct hart *h, uint64_t retired)
{
    const struct window_counters *w = h->window ? window_hart_counters(h->window) : NULL;

    memset(t, 0, sizeof(*t));
    t->instructions = retired;
    for (unsigned i = 0; i < ARRAY_SIZE(hart_table); i++)
        t->hart[i] = field(h, hart_table[i].offset);
    for (unsigned i = 0; w && i < ARRAY_SIZE(window_table); i++)
        t->window[i] = field(w, window_table[i].offset);
    memcpy(t->exceptions, h->counters.exceptions, sizeof(t->exceptions));
    memcpy(t->interrupts, h->counters.interrupts, sizeof(t->interrupts));
    memcpy(t->exits, h->counters.exits, sizeof(t->exits));
    for (unsigned i = 0; i < 64; i++)
        t->exits_all += t->exits[i];
}

static void add(struct totals *sum, const struct totals *t)
{
    const uint64_t *from = (const uint64_t *)t;
    uint64_t *to = (uint64_t *)sum;

    for (size_t i = 0; i < sizeof(*t) / sizeof(*to); i++)
        to[i] += from[i];
}

static void tell(const struct teller *t, const char *family, const char *name, uint64_t value)
{
    char full[96];

    snprintf(full, sizeof(full), "%s%s%s", t->prefix, family, name);
    t->each(t->opaque, full, value);
}

static void tell_codes(const struct teller *t, const char *family, const char *const names[64],
                       const uint64_t *values)
{
    for (unsigned i = 0; i < 64; i++)
        if (names[i] && (t->all || values[i]))
            tell(t, family, names[i], values[i]);
}

static void tell_totals(const struct teller *t, const struct totals *v)
{
    tell(t, "", "instructions", v->instructions);
    for (unsigned i = 0; i < ARRAY_SIZE(hart_table); i++)
        tell(t, "", hart_table[i].name, v->hart[i]);
    tell_codes(t, "exceptions.", exception_names, v->exceptions);
    tell_codes(t, "interrupts.", interrupt_names, v->interrupts);
    tell(t, "exits.", "all", v->exits_all);
    tell_codes(t, "exits.", exception_names, v->exits);
    if (t->all || v->exits[EXIT_BY_INTERRUPT])
        tell(t, "exits.", "interrupt", v->exits[EXIT_BY_INTERRUPT]);
    for (unsigned i = 0; i < ARRAY_SIZE(window_table); i++)
        tell(t, "", window_table[i].name, v->window[i]);
}

void counters_walk(const struct hart *harts, unsigned n, const uint64_t *retired,
                   void (*each)(void *opaque, const char *name, uint64_t value), void *opaque)
{
    struct teller t = {.each = each, .opaque = opaque, .all = true};
    struct totals sum = {0}, one;

    for (unsigned i = 0; i < n; i++) {
        gather(&one, &harts[i], retired[i]);
        add(&sum, &one);
    }
    tell_totals(&t, &sum);
    t.all = false;
    for (unsigned i = 0; i < n; i++) {
        snprintf(t.prefix, sizeof(t.prefix), "harts.%u.", i);
        gather(&one, &harts[i], retired[i]);
        tell_totals(&t, &one);
    }
}
