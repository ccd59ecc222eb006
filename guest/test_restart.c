/* SPDX-License-Identifier: MIT */
/*
 * A guest that reboots must come up from its pristine image, and its windows with new keys. phoenix
 * owns a window; witness tells it through the window which life this is, and it reboots until the
 * third. In each life witness tries the handle of the life before.
 */
#include "demo.h"
#include "string.h"

#define LIVES 3
#define WORD_VA 0x3000000000ull

static uint64_t pristine = 0x600d;

static uint64_t wait_word(struct guest *g, const volatile uint64_t *word)
{
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

    while (!*word && time_now() < end)
        guest_sleep(g, 500);
    return *word;
}

/* What other vCPUs do when the guest goes down under them. */
static void spin(struct cpu *cpu)
{
    for (;;)
        ++*(volatile uint64_t *)&cpu->caught_tval;
}

static void doze(struct cpu *cpu)
{
    for (;;)
        __asm__ volatile("wfi" ::: "memory");
}

static int phoenix(struct guest *g)
{
    uint64_t index = window_find(g, "owner", "witness", 0);
    struct space space;
    uint64_t life;

    if (g->cpu_count > 2 && (!cpu_start(g, 1, spin) || !cpu_start(g, 2, doze)))
        return 1;
    say("@pristine %d\n", pristine == 0x600d);
    pristine = 0;
    space_create(g, &space, 3);
    demo_map(g, &space, WORD_VA, 1, false);
    space_use(&space);
    if (g->ops->store((uint32_t)g->ops->query(index, IGQ_HANDLE), WORD_VA, PAGE_SIZE,
                      IGS_R | IGS_W | IGS_ZB))
        return 1;
    life = wait_word(g, (const volatile uint64_t *)WORD_VA);
    say("@life %lu\n", life);
    if (life < LIVES)
        guest_reboot();
    return life != LIVES;
}

/* The window's handle once it is open under another key than @last. */
static uint32_t wait_life(struct guest *g, uint64_t index, uint32_t last)
{
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

    while (time_now() < end) {
        uint32_t handle = (uint32_t)g->ops->query(index, IGQ_HANDLE);

        if (handle && handle != last && g->ops->query(index, IGQ_ROLE) & IGC_OPEN)
            return handle;
        guest_sleep(g, 500);
    }
    return 0;
}

static int witness(struct guest *g)
{
    uint64_t index = window_find(g, "peer", "phoenix", 0);
    uint32_t handle = 0;

    for (uint64_t life = 1; life <= LIVES; life++) {
        uint32_t last = handle;
        uint64_t word;

        handle = wait_life(g, index, last);
        if (!handle) {
            say("@error no life %lu\n", life);
            return 1;
        }
        if (last)
            say("@old_handle %s\n", demo_status(g->ops->get(last, 0, &word, 8)));
        say("@fresh_memory %d\n", g->ops->get(handle, 0, &word, 8) == 8 && word == 0);
        if (g->ops->put(handle, 0, &life, 8) != 8)
            return 1;
    }
    return 0;
}

int guest_main(struct guest *g)
{
    if (!g->ops)
        return 1;
    return strcmp(g->name, "phoenix") == 0 ? phoenix(g) : witness(g);
}
