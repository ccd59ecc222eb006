/* SPDX-License-Identifier: MIT */
#include "hart/imsic.h"

#include <stdlib.h>
#include <string.h>

/* Register numbers (AIA, "Indirectly accessed interrupt-file registers"). */
enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIP = 0x80, EIE = 0xc0 };

struct imsic *imsic_new(struct hart *h)
{
    struct imsic *s = calloc(1, sizeof(*s));

    if (s) {
        pthread_mutex_init(&s->lock, NULL);
        s->hart = h;
    }
    return s;
}

void imsic_free(struct imsic *s)
{
    if (s)
        pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Lower numbers come first. */
static unsigned top(const struct imsic_file *f)
{
    for (unsigned w = 0; w < ARRAY_SIZE(f->pending); w++) {
        uint64_t set = f->pending[w] & f->enabled[w];

        if (set) {
            unsigned id = 64 * w + (unsigned)__builtin_ctzll(set);
            return f->threshold && id >= f->threshold ? 0 : id;
        }
    }
    return 0;
}

static void drive(struct imsic *s, unsigned file)
{
    bool level = s->files[file].delivers && top(&s->files[file]);

    if (file == IMSIC_M)
        hart_set_irq(s->hart, BIT(IRQ_MEI), level);
    else if (file == IMSIC_S)
        hart_set_irq(s->hart, BIT(IRQ_SEI), level);
    else
        hart_set_guest_irq(s->hart, file - IMSIC_S, level);
}

void imsic_reset(struct imsic *s)
{
    pthread_mutex_lock(&s->lock);
    memset(s->files, 0, sizeof(s->files));
    for (unsigned file = 0; file < IMSIC_FILES_MAX; file++)
        drive(s, file);
    pthread_mutex_unlock(&s->lock);
}

void imsic_receive(struct imsic *s, unsigned file, uint32_t id)
{
    if (id == 0 || id > IMSIC_IDS)
        return;
    pthread_mutex_lock(&s->lock);
    s->files[file].pending[id / 64] |= BIT(id % 64);
    drive(s, file);
    pthread_mutex_unlock(&s->lock);
}

unsigned imsic_top(struct imsic *s, unsigned file, bool claim)
{
    struct imsic_file *f = &s->files[file];
    unsigned id;

    pthread_mutex_lock(&s->lock);
    id = top(f);
    if (claim && id) {
        f->pending[id / 64] &= ~BIT(id % 64);
        drive(s, file);
    }
    pthread_mutex_unlock(&s->lock);
    return id;
}

/* The word of eip or eie that select names; NULL: no such word, which reads as zero. */
static uint64_t *word(struct imsic_file *f, unsigned select)
{
    unsigned w = (select & 0x3f) / 2;

    if (select < EIP || w >= ARRAY_SIZE(f->pending))
        return NULL;
    return select < EIE ? &f->pending[w] : &f->enabled[w];
}

uint64_t imsic_read(struct imsic *s, unsigned file, unsigned select)
{
    struct imsic_file *f = &s->files[file];
    const uint64_t *at = word(f, select);
    uint64_t value = 0;

    pthread_mutex_lock(&s->lock);
    if (at)
        value = *at;
    else if (select == EIDELIVERY)
        value = f->delivers;
    else if (select == EITHRESHOLD)
        value = f->threshold;
    pthread_mutex_unlock(&s->lock);
    return value;
}

void imsic_write(struct imsic *s, unsigned file, unsigned select, uint64_t value, uint64_t bits)
{
    struct imsic_file *f = &s->files[file];
    uint64_t *at = word(f, select);

    pthread_mutex_lock(&s->lock);
    if (at == &f->pending[0] || at == &f->enabled[0])
        bits &= ~BIT(0); /* identity 0 is none */
    if (at)
        *at = (*at & ~bits) | (value & bits);
    else if (select == EIDELIVERY && value <= 1)
        f->delivers = value;
    else if (select == EITHRESHOLD)
        f->threshold = value & IMSIC_IDS;
    drive(s, file);
    pthread_mutex_unlock(&s->lock);
}
