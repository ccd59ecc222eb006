/* SPDX-License-Identifier: MIT */
#include "dev/aplic.h"

#include "base/bits.h"

#include <string.h>

/* Offsets of registers ("Memory-mapped control region for an interrupt domain"). */
enum {
    DOMAINCFG = 0x0000,
    SOURCECFG = 0x0004,
    SOURCECFG_END = 0x1000,
    MSIADDRCFG = 0x1bc0, /* four registers */
    SETIP = 0x1c00,
    SETIPNUM = 0x1cdc,
    IN_CLRIP = 0x1d00,
    CLRIPNUM = 0x1ddc,
    SETIE = 0x1e00,
    SETIENUM = 0x1edc,
    CLRIE = 0x1f00,
    CLRIENUM = 0x1fdc,
    SETIPNUM_LE = 0x2000,
    GENMSI = 0x3000,
    TARGET = 0x3004,
    TARGET_END = 0x4000,
    IDC = 0x4000,
    ARRAY_BYTES = 0x80, /* of setip and so on */
};
enum {
    IDELIVERY = 0x00,
    IFORCE = 0x04,
    ITHRESHOLD = 0x08,
    TOPI = 0x18,
    CLAIMI = 0x1c,
    IDC_SIZE = 32
};

#define DOMAINCFG_READ 0x80000000u
#define DOMAINCFG_IE (1u << 8)
#define DOMAINCFG_DM (1u << 2)
#define SOURCECFG_D (1u << 10)
enum {
    SM_MASK = 7,
    SM_INACTIVE = 0,
    SM_DETACHED = 1,
    SM_EDGE1 = 4,
    SM_EDGE0,
    SM_LEVEL1,
    SM_LEVEL0
};

#define TARGET_HART_SHIFT 18
#define TARGET_DIRECT 0xfffc00ffu /* Hart Index, IPRIO */
#define TARGET_MSI_M 0xfffc07ffu  /* Hart Index, EIID */
#define TARGET_MSI_S 0xfffff7ffu  /* and Guest Index */
#define GENMSI_MASK 0xfffc07ffu

/* mmsiaddrcfgh and smsiaddrcfgh. */
enum { MMSI, MMSIH, SMSI, SMSIH };
#define MSIADDR_L 0x80000000u
static const uint32_t msiaddr_mask[4] = {UINT32_MAX, 0x9f77ffffu, UINT32_MAX, 0x00700fffu};

static bool get(const uint32_t *map, unsigned n)
{
    return map[n / 32] >> (n % 32) & 1;
}

static void put(uint32_t *map, unsigned n, bool value)
{
    map[n / 32] = (map[n / 32] & ~(UINT32_C(1) << n % 32)) | (uint32_t)value << n % 32;
}

static bool is_source(uint32_t n)
{
    return n >= 1 && n <= APLIC_SOURCES;
}

/* The source is this domain's to configure: the root's, unless the root delegated it. */
static bool owns(const struct aplic_domain *d, unsigned n)
{
    const struct aplic_domain *root = &d->aplic->domains[APLIC_M];
    return is_source(n) && (d == root || root->sourcecfg[n] & SOURCECFG_D);
}

static unsigned mode_of(const struct aplic_domain *d, unsigned n)
{
    return d->sourcecfg[n] & SOURCECFG_D ? SM_INACTIVE : d->sourcecfg[n] & SM_MASK;
}

static bool active(const struct aplic_domain *d, unsigned n)
{
    return owns(d, n) && mode_of(d, n) != SM_INACTIVE;
}

static bool is_level(unsigned mode)
{
    return mode == SM_LEVEL1 || mode == SM_LEVEL0;
}

/* The rectified input value. */
static bool input(const struct aplic_domain *d, unsigned n)
{
    bool wire = get(d->aplic->wires, n);

    switch (mode_of(d, n)) {
    case SM_EDGE1:
    case SM_LEVEL1:
        return wire;
    case SM_EDGE0:
    case SM_LEVEL0:
        return !wire;
    default:
        return false;
    }
}

/* --- Delivery --- */

/* The first interrupt for a hart, as topi has it; 0: none ("Top interrupt"). */
static uint32_t top(const struct aplic_domain *d, unsigned hart)
{
    unsigned threshold = d->idc[hart].threshold, best = threshold ? threshold : 256;
    uint32_t value = 0;

    for (unsigned w = 0; w < APLIC_WORDS; w++) {
        for (uint32_t m = d->pending[w] & d->enable[w]; m; m &= m - 1) {
            unsigned n = w * 32 + (unsigned)__builtin_ctz(m), priority = d->target[n] & 0xff;

            if (d->target[n] >> TARGET_HART_SHIFT == hart && priority < best) {
                best = priority;
                value = n << 16 | priority;
            }
        }
    }
    return value;
}

static void drive(struct aplic_domain *d)
{
    struct aplic *a = d->aplic;

    for (unsigned hart = 0; hart < a->harts; hart++) {
        struct aplic_idc *idc = &d->idc[hart];
        bool on = d->enabled && !d->msi && idc->delivers;
        uint32_t first = on ? top(d, hart) : 0;
        uint8_t priority = first & 0xff;

        on = on && (first || idc->force);
        if (on == idc->output && priority == idc->priority)
            continue;
        idc->output = on;
        idc->priority = priority;
        a->sink.drive(a->sink.opaque, d->level, hart, on, priority);
    }
}

/* "Addresses and data for outgoing MSIs". */
static uint64_t msi_address(const struct aplic_domain *d, unsigned hart, unsigned guest)
{
    const uint32_t *cfg = d->aplic->msiaddr;
    bool machine = d->level == APLIC_M;
    uint32_t high = machine ? cfg[MMSIH] : cfg[SMSIH];
    uint64_t base = (uint64_t)(high & 0xfff) << 32 | cfg[machine ? MMSI : SMSI];
    unsigned lhxs = bits(high, 22, 20), lhxw = bits(cfg[MMSIH], 15, 12);
    unsigned hhxs = bits(cfg[MMSIH], 28, 24), hhxw = bits(cfg[MMSIH], 18, 16);
    uint64_t group = hart >> lhxw & (BIT(hhxw) - 1), in_group = hart & (BIT(lhxw) - 1);

    return (base | group << (hhxs + 12) | in_group << lhxs | guest) << 12;
}

static void send(struct aplic_domain *d, uint32_t target)
{
    unsigned guest = d->level == APLIC_S ? (unsigned)bits(target, 17, 12) : 0;
    struct aplic *a = d->aplic;

    a->sink.msi(a->sink.opaque, msi_address(d, target >> TARGET_HART_SHIFT, guest), target & 0x7ff);
}

/* Forward what is pending and enabled; it is pending no longer. */
static void forward(struct aplic_domain *d)
{
    if (!d->enabled || !d->msi)
        return;
    for (unsigned w = 0; w < APLIC_WORDS; w++) {
        uint32_t set = d->pending[w] & d->enable[w];

        d->pending[w] &= ~set;
        for (; set; set &= set - 1)
            send(d, d->target[w * 32 + (unsigned)__builtin_ctz(set)]);
    }
}

static void deliver(struct aplic_domain *d)
{
    forward(d);
    drive(d);
}

/* --- Pending bits ("Precise effects on interrupt-pending bits") --- */

static void wire_changed(struct aplic_domain *d, unsigned n)
{
    if (!active(d, n) || mode_of(d, n) == SM_DETACHED)
        return;
    if (input(d, n))
        put(d->pending, n, true);
    else if (is_level(mode_of(d, n)))
        put(d->pending, n, false);
    deliver(d);
}

static void set_pending(struct aplic_domain *d, uint32_t n)
{
    if (!is_source(n) || !active(d, n))
        return;
    if (is_level(mode_of(d, n)) && (!d->msi || !input(d, n)))
        return;
    put(d->pending, n, true);
}

static void clear_pending(struct aplic_domain *d, uint32_t n)
{
    if (is_source(n) && active(d, n) && !(is_level(mode_of(d, n)) && !d->msi))
        put(d->pending, n, false);
}

static void set_enable(struct aplic_domain *d, uint32_t n)
{
    if (is_source(n) && active(d, n))
        put(d->enable, n, true);
}

static void clear_enable(struct aplic_domain *d, uint32_t n)
{
    if (is_source(n))
        put(d->enable, n, false);
}

void aplic_set(void *aplic, unsigned source, bool level)
{
    struct aplic *a = aplic;

    pthread_mutex_lock(&a->lock);
    if (level != get(a->wires, source)) {
        put(a->wires, source, level);
        for (unsigned i = 0; i < APLIC_DOMAINS; i++)
            wire_changed(&a->domains[i], source);
    }
    pthread_mutex_unlock(&a->lock);
}

/* --- Registers --- */

static uint32_t target_mask(const struct aplic_domain *d)
{
    if (!d->msi)
        return TARGET_DIRECT;
    return d->level == APLIC_M ? TARGET_MSI_M : TARGET_MSI_S;
}

/* Hart Index is of a hart there is; a priority is not 0. */
static void write_target(struct aplic_domain *d, unsigned n, uint32_t value)
{
    if (!active(d, n))
        return;
    value &= target_mask(d);
    if (value >> TARGET_HART_SHIFT >= d->aplic->harts)
        value &= (1u << TARGET_HART_SHIFT) - 1;
    if (!d->msi && !(value & 0xff))
        value |= 1;
    d->target[n] = value;
}

static void make_inactive(struct aplic_domain *d, unsigned n)
{
    d->sourcecfg[n] = 0;
    d->target[n] = 0;
    put(d->pending, n, false);
    put(d->enable, n, false);
}

static void write_sourcecfg(struct aplic_domain *d, unsigned n, uint32_t value)
{
    struct aplic_domain *child = &d->aplic->domains[APLIC_S];
    bool was_active;

    if (!owns(d, n))
        return;
    was_active = active(d, n);
    if (value & SOURCECFG_D && d->level == APLIC_M) {
        make_inactive(d, n);
        d->sourcecfg[n] = SOURCECFG_D; /* Child Index 0: there is one child */
        return;
    }
    if (d->level == APLIC_M)
        make_inactive(child, n);
    value = value & SOURCECFG_D ? 0 : value & SM_MASK;
    if (value == SM_INACTIVE || (value > SM_DETACHED && value < SM_EDGE1)) {
        make_inactive(d, n);
        return;
    }
    d->sourcecfg[n] = (uint16_t)value;
    if (!was_active)
        write_target(d, n, 0);
    if (is_level(value))
        put(d->pending, n, input(d, n));
}

/* A change of the delivery mode leaves targets that make sense in the new one. */
static void write_domaincfg(struct aplic_domain *d, uint32_t value)
{
    bool msi = value & DOMAINCFG_DM && d->aplic->has_msi;

    d->enabled = value & DOMAINCFG_IE;
    if (msi == d->msi)
        return;
    d->msi = msi;
    for (unsigned n = 1; n <= APLIC_SOURCES; n++) {
        write_target(d, n, 0);
        if (active(d, n) && is_level(mode_of(d, n)))
            put(d->pending, n, input(d, n));
    }
}

static uint32_t read_claimi(struct aplic_domain *d, unsigned hart)
{
    uint32_t value = top(d, hart);
    unsigned n = value >> 16;

    if (!value)
        d->idc[hart].force = false;
    else if (!is_level(mode_of(d, n)))
        put(d->pending, n, false);
    drive(d);
    return value;
}

static uint32_t read_idc(struct aplic_domain *d, unsigned hart, unsigned reg)
{
    switch (reg) {
    case IDELIVERY:
        return d->idc[hart].delivers;
    case IFORCE:
        return d->idc[hart].force;
    case ITHRESHOLD:
        return d->idc[hart].threshold;
    case TOPI:
        return top(d, hart);
    case CLAIMI:
        return read_claimi(d, hart);
    default:
        return 0;
    }
}

static void write_idc(struct aplic_domain *d, unsigned hart, unsigned reg, uint32_t value)
{
    switch (reg) {
    case IDELIVERY:
        d->idc[hart].delivers = value & 1;
        break;
    case IFORCE:
        d->idc[hart].force = value & 1;
        break;
    case ITHRESHOLD:
        d->idc[hart].threshold = (uint8_t)value;
        break;
    }
    drive(d);
}

/* The word of an array of bits that off names, or -1. */
static int word_of(uint64_t off, uint64_t array)
{
    uint64_t w = (off - array) / 4;
    return off >= array && off < array + ARRAY_BYTES && w < APLIC_WORDS ? (int)w : -1;
}

static uint32_t inputs(const struct aplic_domain *d, unsigned w)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 32; i++)
        if (active(d, w * 32 + i) && input(d, w * 32 + i))
            value |= UINT32_C(1) << i;
    return value;
}

static bool is_msiaddr(const struct aplic_domain *d, uint64_t off)
{
    return d->level == APLIC_M && d->aplic->has_msi && off >= MSIADDRCFG && off < MSIADDRCFG + 16;
}

static uint32_t read_register(struct aplic_domain *d, uint64_t off)
{
    int w;

    if (off == DOMAINCFG)
        return DOMAINCFG_READ | (d->enabled ? DOMAINCFG_IE : 0) | (d->msi ? DOMAINCFG_DM : 0);
    if (off < SOURCECFG_END)
        return owns(d, (unsigned)off / 4) ? d->sourcecfg[off / 4] : 0;
    if (is_msiaddr(d, off))
        return d->aplic->msiaddr[(off - MSIADDRCFG) / 4];
    if ((w = word_of(off, SETIP)) >= 0)
        return d->pending[w];
    if ((w = word_of(off, IN_CLRIP)) >= 0)
        return inputs(d, (unsigned)w);
    if ((w = word_of(off, SETIE)) >= 0)
        return d->enable[w];
    if (off == GENMSI)
        return d->msi ? d->genmsi : 0;
    if (off >= TARGET && off < TARGET_END) {
        unsigned n = (unsigned)(off - TARGET) / 4 + 1;
        return is_source(n) ? d->target[n] : 0;
    }
    if (off >= IDC && (off - IDC) / IDC_SIZE < d->aplic->harts)
        return read_idc(d, (unsigned)(off - IDC) / IDC_SIZE, (unsigned)(off - IDC) % IDC_SIZE);
    return 0;
}

static void write_bits(struct aplic_domain *d, unsigned w, uint32_t value,
                       void (*each)(struct aplic_domain *d, uint32_t n))
{
    for (; value; value &= value - 1)
        each(d, w * 32 + (unsigned)__builtin_ctz(value));
}

/* The registers that set and clear by word or by number. Result: false where off is none. */
static bool write_by_source(struct aplic_domain *d, uint64_t off, uint32_t value)
{
    static const struct {
        uint16_t array, number;
        void (*each)(struct aplic_domain *d, uint32_t n);
    } table[] = {
        {SETIP, SETIPNUM, set_pending},
        {IN_CLRIP, CLRIPNUM, clear_pending},
        {SETIE, SETIENUM, set_enable},
        {CLRIE, CLRIENUM, clear_enable},
    };

    if (off == SETIPNUM_LE) {
        set_pending(d, value);
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        int w = word_of(off, table[i].array);

        if (w >= 0)
            write_bits(d, (unsigned)w, value, table[i].each);
        else if (off == table[i].number)
            table[i].each(d, value);
        else
            continue;
        return true;
    }
    return false;
}

static void write_msiaddr(struct aplic *a, unsigned i, uint32_t value)
{
    if (!(a->msiaddr[MMSIH] & MSIADDR_L))
        a->msiaddr[i] = value & msiaddr_mask[i];
}

static void write_register(struct aplic_domain *d, uint64_t off, uint32_t value)
{
    if (off == DOMAINCFG) {
        write_domaincfg(d, value);
    } else if (off < SOURCECFG_END) {
        write_sourcecfg(d, (unsigned)off / 4, value);
    } else if (is_msiaddr(d, off)) {
        write_msiaddr(d->aplic, (unsigned)(off - MSIADDRCFG) / 4, value);
    } else if (write_by_source(d, off, value)) {
        /* done */
    } else if (off == GENMSI && d->msi) {
        d->genmsi = value & GENMSI_MASK;
        send(d, d->genmsi);
    } else if (off >= TARGET && off < TARGET_END) {
        unsigned n = (unsigned)(off - TARGET) / 4 + 1;
        if (is_source(n))
            write_target(d, n, value);
    } else if (off >= IDC && (off - IDC) / IDC_SIZE < d->aplic->harts) {
        write_idc(d, (unsigned)(off - IDC) / IDC_SIZE, (unsigned)(off - IDC) % IDC_SIZE, value);
    }
    deliver(d);
}

static bool aplic_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
    struct aplic_domain *d = dev;

    if (size != 4)
        return false;
    pthread_mutex_lock(&d->aplic->lock);
    *value = read_register(d, off);
    pthread_mutex_unlock(&d->aplic->lock);
    return true;
}

static bool aplic_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
    struct aplic_domain *d = dev;

    if (size != 4)
        return false;
    pthread_mutex_lock(&d->aplic->lock);
    write_register(d, off, (uint32_t)value);
    pthread_mutex_unlock(&d->aplic->lock);
    return true;
}

const struct device_ops aplic_ops = {"aplic", aplic_read, aplic_write};

/* --- Life --- */

static void clear(struct aplic *a)
{
    memset(a->msiaddr, 0, sizeof(a->msiaddr));
    for (unsigned i = 0; i < APLIC_DOMAINS; i++) {
        struct aplic_domain *d = &a->domains[i];

        d->enabled = d->msi = false;
        d->genmsi = 0;
        memset(d->sourcecfg, 0, sizeof(d->sourcecfg));
        memset(d->target, 0, sizeof(d->target));
        memset(d->pending, 0, sizeof(d->pending));
        memset(d->enable, 0, sizeof(d->enable));
        for (unsigned hart = 0; hart < a->harts; hart++) {
            d->idc[hart].delivers = d->idc[hart].force = false;
            d->idc[hart].threshold = 0;
        }
        drive(d);
    }
}

void aplic_init(struct aplic *a, unsigned harts, bool has_msi, struct aplic_sink sink)
{
    memset(a, 0, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    a->harts = harts;
    a->has_msi = has_msi;
    a->sink = sink;
    for (unsigned i = 0; i < APLIC_DOMAINS; i++) {
        a->domains[i].aplic = a;
        a->domains[i].level = i;
    }
}

void aplic_free(struct aplic *a)
{
    pthread_mutex_destroy(&a->lock);
}

/* The wires keep their levels: they are the devices'. */
void aplic_reset(struct aplic *a)
{
    pthread_mutex_lock(&a->lock);
    clear(a);
    pthread_mutex_unlock(&a->lock);
}
