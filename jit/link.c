/* SPDX-License-Identifier: MIT */
/*
 * Translations that go to each other: jumps that wait for what is not translated yet, jumps to
 * other pages, which wait to be taken, and translations that newer ones replace, to which jumps go
 * from then on. All of it changes code that harts may be executing, by one store each. The lock is
 * held.
 */
#include "jit/jit_internal.h"

#include <string.h>

/* Store n bytes of code, which lie in one aligned quadword (keep_together). */
static void store_code(uint8_t *at, const void *bytes, size_t n)
{
    unsigned before = (uintptr_t)at % sizeof(uint64_t);
    uint64_t word;

    at -= before;
    memcpy(&word, at, sizeof(word));
    memcpy((uint8_t *)&word + before, bytes, n);
    __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE);
}

static struct known_jump **jumps_to(struct jit *jit, const struct code_page *page, uint32_t off)
{
    uint64_t place = page->ppn * (PAGE_SIZE / 2) + off / 2;

    return &jit->jumps[place * UINT64_C(0x9e3779b97f4a7c15) >> (64 - JUMPS_BITS)];
}

static void enlist(struct jit *jit, struct known_jump *k)
{
    struct known_jump **at = jumps_to(jit, k->page, k->off);

    k->next = *at;
    *at = k;
}

void jit_enlist_jumps(struct jit *jit, struct known_jump *list)
{
    for (struct known_jump *k = list, *next; k; k = next) {
        next = k->next;
        enlist(jit, k);
    }
}

/* A jump to b that no translation being made has is known, too, where there is room for that. */
static void know_jump(struct jit *jit, const struct block *b, fixup jump)
{
    struct known_jump *k;

    if (jit->data - jit->rare < sizeof(*k))
        return;
    jit->data -= sizeof(*k);
    k = (struct known_jump *)(jit->write + jit->data);
    *k = (struct known_jump){NULL, b->page, (uint32_t)(jump - jit->write), b->off, true};
    enlist(jit, k);
}

/* Have the jump go to target from now on. */
static void link_jump(const struct jit *jit, fixup jump, const uint8_t *target)
{
    int32_t distance = (int32_t)(target - (jump + sizeof(distance) - jit->write + jit->exec));

    store_code(jump, &distance, sizeof(distance));
}

void jit_link_jumps_to(struct jit *jit, const struct block *b, const uint8_t *entry)
{
    struct known_jump **at = jumps_to(jit, b->page, b->off);

    while (*at) {
        struct known_jump *k = *at;
        bool is_to = k->page == b->page && k->off == b->off;

        if (is_to)
            link_jump(jit, jit->write + k->jump, entry);
        if (is_to && !k->to_newest)
            *at = k->next;
        else
            at = &k->next;
    }
}

void jit_divert(struct jit *jit, const struct block *b, const uint8_t *to)
{
    uint8_t *from = (uint8_t *)b->native - jit->exec + jit->write;
    int32_t distance = (int32_t)(to - ((uint8_t *)b->native + DIVERTED));
    uint8_t jump[DIVERTED] = {0xe9};

    memcpy(jump + 1, &distance, sizeof(distance));
    store_code(from, jump, sizeof(jump));
    know_jump(jit, b, from + 1);
}

enum fetch jit_fetch(struct hart *h)
{
    bool taken = tlb_exec_taken(h->xbank, h->pc), faulted = false;

    if (!hart_load_code(h, h->pc, &faulted))
        return FETCH_NOT;
    return taken ? FETCH_FOR_ANOTHER : FETCH_DONE;
}

struct block *jit_block_at(const struct hart *h, uint64_t va)
{
    const struct code_page *page = tlb_exec(h->xbank, va);

    return page ? __atomic_load_n(&page->blocks[va % PAGE_SIZE / 2], __ATOMIC_ACQUIRE) : NULL;
}

void jit_link_far(struct hart *h, struct far_jump *far, int64_t left)
{
    struct jit *jit = code_translator(h->code)->opaque;
    const struct block *b = jit_block_at(h, h->pc);
    const uint8_t *native;

    far = (struct far_jump *)((uint8_t *)far - jit->exec + jit->write);
    pthread_mutex_lock(&jit->lock);
    native = b ? __atomic_load_n(&b->native, __ATOMIC_ACQUIRE) : jit->thunks.cold;
    if (far->tries)
        far->tries--;
    if (far->tries && native != jit->thunks.cold) {
        /* Who sees the page, and not where to go, goes the slow way. */
        link_jump(jit, far->jump, native);
        store_code(far->page, &b->page, sizeof(b->page));
        know_jump(jit, b, far->jump);
        far->tries = 0;
    }
    pthread_mutex_unlock(&jit->lock);
}
