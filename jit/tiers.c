/* SPDX-License-Identifier: MIT */
/* Which translation of a block is made, and when: what slices, misses and splits tell. */
#include "jit/jit_internal.h"

/* jit.slice (some microseconds), and how often blocks are seen: 32,000 instructions in a block
 * make it a path, half a million have that guess, and as many again have it keep the guesses. Soon:
 * where blocks are translated early. */
enum { SLICE = 16384, SEEN_SOME = 1, SEEN_MANY = 2, SEEN_MORE = 32, SEEN_MOST = 64 };
enum { SLICE_SOON = 2 * PATH_MAX }; /* any path can be charged */
enum { SEEN_SOME_SOON = 2, SEEN_MANY_SOON = 4, SEEN_MORE_SOON = 8, SEEN_MOST_SOON = 12 };

void jit_set_tiers(struct jit *jit, bool soon)
{
    jit->slice = soon ? SLICE_SOON : SLICE;
    jit->seen_some = soon ? SEEN_SOME_SOON : SEEN_SOME;
    jit->seen_many = soon ? SEEN_MANY_SOON : SEEN_MANY;
    jit->seen_more = soon ? SEEN_MORE_SOON : SEEN_MORE;
    jit->seen_most = soon ? SEEN_MOST_SOON : SEEN_MOST;
}

enum made jit_most_of(const struct block *b)
{
    return __atomic_load_n(&b->moves, __ATOMIC_RELAXED) ? OF_GUESSES : OF_PLACES;
}

/* Have b translated anew. The lock is held. */
static void replace(struct jit *jit, struct block *b, enum made of, const struct hart *h)
{
    uint8_t *entry = jit_translate(jit, b, of, h);

    if (!entry)
        return;
    jit_divert(jit, b, entry);
    jit_link_jumps_to(jit, b, entry);
    __atomic_store_n(&b->native, entry, __ATOMIC_RELEASE);
    __atomic_store_n(&b->made, of, __ATOMIC_RELAXED);
}

/* What was known of b's translation has changed; places are learnt again. own: of the one that a
 * path retreats to, too. */
static void translate_again(struct jit *jit, struct block *b, bool own)
{
    pthread_mutex_lock(&jit->lock);
    if (b->made && own)
        jit_translate(jit, b, OF_BLOCK, NULL);
    replace(jit, b, b->made == OF_PLACES ? OF_GUESSES : b->made, NULL);
    pthread_mutex_unlock(&jit->lock);
}

/* Have all blocks counted that the path from b would go through. Result: they are. */
static bool count_path(struct jit *jit, struct block *b)
{
    bool are = true;
    struct trans t;

    jit_begin(&t, jit, b, OF_PATH);
    jit_plan_path(&t);
    for (unsigned i = 0; i < t.n; i++) {
        struct block *on = t.steps[i].block;

        if (on->made == OF_BLOCK && jit_may_count(jit->isa, on)) {
            replace(jit, on, OF_COUNTS, NULL);
            are = false;
        }
    }
    return are;
}

/* b was seen so often, by h now: what is to be made of it? The lock is held. */
static void promote(struct jit *jit, struct block *b, unsigned seen, const struct hart *h)
{
    enum { TRIES = 4 };

    if (b->made == OF_BLOCK && jit_may_count(jit->isa, b))
        replace(jit, b, OF_COUNTS, NULL);
    else if (b->made < OF_PATH && seen >= jit->seen_many &&
             (count_path(jit, b) || seen >= jit->seen_many + TRIES))
        replace(jit, b, OF_PATH, NULL);
    else if (b->made == OF_PATH && seen >= jit->seen_more)
        replace(jit, b, OF_GUESSES, NULL);
    else if (b->made == OF_GUESSES && b->made < jit_most_of(b) && seen >= jit->seen_most)
        replace(jit, b, OF_PLACES, h);
}

void jit_note_block(struct hart *h, void *off, int64_t left)
{
    struct jit *jit = code_translator(h->code)->opaque;
    struct block *b = jit_block_at(h, h->vpage + (uintptr_t)off);
    unsigned seen;

    if (!b)
        return;
    seen = __atomic_add_fetch(&b->seen, 1, __ATOMIC_RELAXED);
    if (seen < jit->seen_some)
        return;
    pthread_mutex_lock(&jit->lock);
    if (b->body && !code_straddles(b))
        promote(jit, b, seen, h);
    pthread_mutex_unlock(&jit->lock);
}

/* True where something that happened n times since *seen, instructions ago, is frequent: once in so
 * many instructions. */
static bool is_frequent(uint64_t now, uint64_t *seen, uint64_t n, uint64_t instructions)
{
    return now - __atomic_exchange_n(seen, now, __ATOMIC_RELAXED) < n * instructions;
}

/* A site that misses once in so many instructions, or less often, goes on guessing. */
static uint64_t misses_allowed(const struct site_note *note)
{
    /* A constant is wrong for as long as the program runs, a guess is right the next time. A wrong
     * one has the host throw away what it began, so it is worth its while where execution waits. */
    enum { MISSES_MOVED = 8000, MISSES_WAITED = 20, MISSES_NOT_WAITED = 100, COPIES_MIN = 4 };
    uint64_t copies = note->copies < COPIES_MIN ? COPIES_MIN : note->copies;

    if (note->guess == GUESS_CONSTANT)
        return MISSES_MOVED;
    return copies * (note->is_waited_for ? MISSES_WAITED : MISSES_NOT_WAITED);
}

void jit_note_misses(struct hart *h, const struct site_note *note, int64_t left)
{
    enum { MISSES_MANY = 1024 };
    struct jit *jit = code_translator(h->code)->opaque;
    struct block *b = note->block;

    if (!is_frequent(h->instret_end - (uint64_t)left, &h->sites.seen[note->site], MISSES_MANY,
                     misses_allowed(note)))
        return;
    jit_see_code(jit);
    if (note->guess == GUESS_CONSTANT)
        __atomic_store_n(&note->head->moves, true, __ATOMIC_RELAXED);
    else
        __atomic_fetch_or(note->guess == GUESS_PLACE ? &b->scattered : &b->dispersed, BIT(note->op),
                          __ATOMIC_RELAXED);
    if (__atomic_load_n(&note->head->native, __ATOMIC_RELAXED) == note->entry)
        translate_again(jit, note->head, false);
}

/* The block adds a number to the base of the access. */
static bool steps_along(const struct jit *jit, const struct block *b, const struct op *access)
{
    struct insn in, other;

    isa_decode(jit->isa, access->raw, &in);
    for (unsigned i = 0; i < b->n; i++) {
        isa_decode(jit->isa, b->ops[i].raw, &other);
        if (jit_steps(&other, in.rs1))
            return true;
    }
    return false;
}

void jit_note_split(struct hart *h, struct block *head, struct block *b, const struct op *at)
{
    /* Who steps along an array comes to the end of a page now and then; a frame that lies over one
     * does so each time that its function is called. */
    enum { SPLITS_MANY = 64, SPLITS_APART = 20000, SPLITS_APART_STEPPED = 4000 };
    struct jit *jit = code_translator(h->code)->opaque;
    uint64_t now = h->instret_end - (uint64_t)h->left, leader = BIT(at - 1 - b->ops);

    if (__atomic_add_fetch(&b->splits, 1, __ATOMIC_RELAXED) % SPLITS_MANY)
        return;
    if (__atomic_load_n(&head->made, __ATOMIC_RELAXED) >= OF_GUESSES &&
        !(__atomic_fetch_or(&b->unaligned, leader, __ATOMIC_RELAXED) & leader)) {
        translate_again(jit, head, false);
    } else if (is_frequent(now, &b->splits_seen, SPLITS_MANY,
                           steps_along(jit, b, at - 1) ? SPLITS_APART_STEPPED : SPLITS_APART)) {
        __atomic_fetch_or(&b->apart, leader, __ATOMIC_RELAXED);
        translate_again(jit, head, true);
    }
}
