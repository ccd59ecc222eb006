/* SPDX-License-Identifier: MIT */
#include "tests/model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETIRE(value)                                                                              \
    return (struct window_result)                                                                  \
    {                                                                                              \
        .outcome = WINDOW_DONE, .rd = (value)                                                      \
    }
#define RAISE(what)                                                                                \
    return (struct window_result)                                                                  \
    {                                                                                              \
        .outcome = (what)                                                                          \
    }

int model_init(struct model *m, const struct world *w)
{
    *m = (struct model){.world = w, .ram = malloc(RAM_BYTES)};
    if (!m->ram)
        return -ENOMEM;
    memcpy(m->ram, w->ram, RAM_BYTES);
    return 0;
}

void model_free(struct model *m)
{
    free(m->ram);
}

/* --- memory --- */

static uint8_t *byte(struct model *m, uint64_t pa)
{
    return m->ram + (pa - RAM_BASE);
}

static uint64_t read64(struct model *m, uint64_t pa)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)*byte(m, pa + i) << (8 * i);
    return value;
}

static void write64(struct model *m, uint64_t pa, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        *byte(m, pa + i) = (uint8_t)(value >> (8 * i));
}

/* --- hiwt and who executes --- */

uint64_t model_set_hiwt(struct model *m, unsigned hart, uint64_t value)
{
    uint64_t size = value >> 58 & 0x1f;

    if (size > 20)
        size = 20;
    m->hiwt[hart] = (value & 1ull << 63) | size << 58 | (value & 0xfffffffffffull);
    return m->hiwt[hart];
}

static uint64_t table_size(const struct model *m, unsigned hart)
{
    return 1ull << (m->hiwt[hart] >> 58 & 0x1f);
}

static const struct window_caller *caller(const struct model *m, unsigned hart)
{
    return &m->world->context[hart].caller;
}

static bool is_host(const struct model *m, unsigned hart)
{
    return !caller(m, hart)->virt;
}

static bool is_user(const struct model *m, unsigned hart)
{
    return caller(m, hart)->level == WINDOW_USER;
}

/* "Domains". Result: false where the caller is no domain. */
static bool domain(const struct model *m, unsigned hart, uint64_t *d)
{
    const struct window_caller *c = caller(m, hart);

    *d = c->virt ? c->hgatp & 0xfffffffffffull : 0;
    return !c->virt || (c->hgatp >> 60 != 0 && *d != 0);
}

/* "Privilege": the exception, or WINDOW_DONE. */
static enum window_outcome any_level(const struct model *m, unsigned hart)
{
    if (!(m->hiwt[hart] >> 63))
        return WINDOW_ILLEGAL;
    if (caller(m, hart)->level == WINDOW_MACHINE)
        return WINDOW_ILLEGAL;
    return WINDOW_DONE;
}

static enum window_outcome kernel_level(const struct model *m, unsigned hart)
{
    if (any_level(m, hart) != WINDOW_DONE)
        return any_level(m, hart);
    if (is_user(m, hart))
        return is_host(m, hart) ? WINDOW_ILLEGAL : WINDOW_VIRTUAL;
    return WINDOW_DONE;
}

static enum window_outcome host_level(const struct model *m, unsigned hart)
{
    if (any_level(m, hart) != WINDOW_DONE)
        return any_level(m, hart);
    if (!is_host(m, hart))
        return WINDOW_VIRTUAL;
    return is_user(m, hart) ? WINDOW_ILLEGAL : WINDOW_DONE;
}

/* --- descriptors --- */

static uint64_t descriptor_pa(const struct model *m, unsigned hart, uint64_t index)
{
    return ((m->hiwt[hart] & 0xfffffffffffull) << 12) + index * 128;
}

/* Physical address of descriptor index; 0 where there is none or it cannot be accessed. */
static uint64_t reach(struct model *m, unsigned hart, uint64_t index)
{
    uint64_t pa = descriptor_pa(m, hart, index);

    return index < table_size(m, hart) && world_descriptor_ok(m->world, pa) ? pa : 0;
}

static bool owner_well_formed(uint64_t owner)
{
    uint64_t mode = owner >> 60;

    return owner == 0 || ((mode == 8 || mode == 9 || mode == 10) && (owner & 0xfffffffffffull));
}

static bool ctl(struct model *m, uint64_t d, unsigned bit)
{
    return read64(m, d + IGD_CTL) >> bit & 1;
}

static void set_ctl(struct model *m, uint64_t d, unsigned bit, bool value)
{
    uint64_t word = read64(m, d + IGD_CTL);

    write64(m, d + IGD_CTL, value ? word | 1ull << bit : word & ~(1ull << bit));
}

enum { ALLOC = 0, OPEN, SUSPENDED, R, W, CR, CW, CU, PHYS, ASU, ZB, BOUND };

static uint64_t key_of(struct model *m, uint64_t d)
{
    return read64(m, d + IGD_CTL) >> 32 & 0xfff;
}

static bool i_am_owner(struct model *m, unsigned hart, uint64_t d)
{
    uint64_t me, owner = read64(m, d + IGD_OWNER);

    return domain(m, hart, &me) && owner_well_formed(owner) && (owner & 0xfffffffffffull) == me;
}

static bool i_am_peer(struct model *m, unsigned hart, uint64_t d)
{
    uint64_t me;

    return domain(m, hart, &me) && owner_well_formed(read64(m, d + IGD_OWNER)) &&
           read64(m, d + IGD_PEER) == me;
}

static bool same_space(uint64_t a, uint64_t b)
{
    return a >> 60 == b >> 60 && (a & 0xfffffffffffull) == (b & 0xfffffffffffull);
}

static bool bound_to_me(struct model *m, unsigned hart, uint64_t d)
{
    return ctl(m, d, BOUND) && same_space(read64(m, d + IGD_PEER_ATP), caller(m, hart)->atp);
}

/* The descriptor of the allocated window with that handle, or 0. */
static uint64_t by_handle(struct model *m, unsigned hart, uint64_t handle)
{
    uint64_t d = reach(m, hart, handle & 0xfffff), key = handle >> 20 & 0xfff;

    return d && ctl(m, d, ALLOC) && key != 0 && key == key_of(m, d) ? d : 0;
}

/* --- put, get, ring --- */

/* "Checks", for n bytes at remote. Result: 0 with the descriptor and the address in the owner's
 * space, or a status. */
static int check(struct model *m, unsigned hart, uint64_t handle, unsigned right, uint64_t remote,
                 uint64_t n, uint64_t *d, uint64_t *va)
{
    uint64_t base, len;

    *d = by_handle(m, hart, handle);
    if (!*d || !ctl(m, *d, OPEN) || !i_am_peer(m, hart, *d) || !ctl(m, *d, right) ||
        (is_user(m, hart) && !bound_to_me(m, hart, *d))) {
        *d = 0;
        return IG_DENIED;
    }
    if (ctl(m, *d, SUSPENDED))
        return IG_BUSY;
    base = read64(m, *d + IGD_BASE);
    len = read64(m, *d + IGD_LEN);
    for (uint64_t i = 0; i<n; i += n> 1 ? n - 1 : 1) { /* the first byte and the last */
        uint64_t offset = ctl(m, *d, ZB) ? remote : remote - base;

        if (offset + i < offset || offset + i >= len)
            return IG_RANGE;
    }
    *va = ctl(m, *d, ZB) ? base + remote : remote;
    return 0;
}

static struct window_result finish(struct model *m, uint64_t d, int status)
{
    if (d)
        write64(m, d + IGD_FAULTS, read64(m, d + IGD_FAULTS) + 1);
    RETIRE(status);
}

static int remote_byte(struct model *m, uint64_t d, uint64_t va, bool write, uint64_t *pa)
{
    uint64_t atp = ctl(m, d, PHYS) ? 0 : read64(m, d + IGD_OWNER_ATP);

    switch (world_translate(m->world, read64(m, d + IGD_OWNER), atp, va, ctl(m, d, ASU), false,
                            write, pa)) {
    case FAULT_NONE:
        return 0;
    case FAULT_GUEST_PAGE:
        return IG_NOT_RESIDENT;
    default:
        return IG_REMOTE_FAULT;
    }
}

static enum fault local_byte(struct model *m, unsigned hart, uint64_t va, bool write, uint64_t *pa)
{
    const struct context *c = &m->world->context[hart];

    return world_translate(m->world, is_host(m, hart) ? 0 : c->caller.hgatp, c->caller.atp, va,
                           is_user(m, hart), c->sum, write, pa);
}

/* Whether some byte is read and written. */
static bool overlaps(struct model *m)
{
    uint8_t *written = m->written;
    bool found = false;

    for (uint64_t i = 0; i < m->copied; i++)
        written[m->src_pa[i] - RAM_BASE] = written[m->dst_pa[i] - RAM_BASE] = 0;
    for (uint64_t i = 0; i < m->copied; i++)
        found |= written[m->dst_pa[i] - RAM_BASE]++ > 0;
    for (uint64_t i = 0; i < m->copied; i++)
        found |= written[m->src_pa[i] - RAM_BASE] > 0;
    return found;
}

static struct window_result put_or_get(struct model *m, unsigned hart, uint64_t remote,
                                       uint64_t local, uint64_t rs3, bool put)
{
    uint64_t len = rs3 & 0xffffffff, d, va, n;
    int status;

    m->copied = 0;
    m->overlap = false;
    if (any_level(m, hart) != WINDOW_DONE)
        RAISE(any_level(m, hart));
    status = check(m, hart, rs3 >> 32, put ? W : R, remote, len, &d, &va);
    if (status)
        return finish(m, d, status);
    if (len == 0)
        RETIRE(0);
    for (n = 0; n < len && n < IG_MAX_PIECE; n++) {
        uint64_t *remote_pa = put ? &m->dst_pa[n] : &m->src_pa[n];
        uint64_t *local_pa = put ? &m->src_pa[n] : &m->dst_pa[n];
        enum fault fault = local_byte(m, hart, local + n, !put, local_pa);

        status = remote_byte(m, d, va + n, put, remote_pa);
        if (n == 0 && fault != FAULT_NONE) {
            m->fault = fault;
            m->fault_va = local;
            RAISE(WINDOW_LOCAL_FAULT);
        }
        if (n == 0 && status)
            return finish(m, d, status);
        if (fault != FAULT_NONE || status)
            break;
    }
    m->copied = n;
    for (uint64_t i = 0; i < n; i++)
        *byte(m, m->dst_pa[i]) = *byte(m, m->src_pa[i]);
    m->overlap = overlaps(m);
    write64(m, d + (put ? IGD_BYTES_PUT : IGD_BYTES_GOT),
            read64(m, d + (put ? IGD_BYTES_PUT : IGD_BYTES_GOT)) + n);
    RETIRE((int64_t)n);
}

struct window_result model_put(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                               uint64_t rs3)
{
    return put_or_get(m, hart, rs1, rs2, rs3, true);
}

struct window_result model_get(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                               uint64_t rs3)
{
    return put_or_get(m, hart, rs1, rs2, rs3, false);
}

struct window_result model_ring(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2)
{
    uint64_t d, va, pa;
    int status;

    if (any_level(m, hart) != WINDOW_DONE)
        RAISE(any_level(m, hart));
    status = check(m, hart, rs2 & 0xffffffff, W, rs1, 8, &d, &va);
    if (status)
        return finish(m, d, status);
    if (va % 8 != 0)
        return finish(m, d, IG_RANGE);
    status = remote_byte(m, d, va, false, &pa);
    if (!status)
        status = remote_byte(m, d, va, true, &pa);
    if (status)
        return finish(m, d, status);
    write64(m, pa, read64(m, pa) + 1);
    if (read64(m, d + IGD_NOTIFY_ADDR) != 0) {
        m->notice.pa = read64(m, d + IGD_NOTIFY_ADDR);
        m->notice.data = (uint32_t)read64(m, d + IGD_NOTIFY_DATA);
        m->notice.count++;
    }
    RETIRE(0);
}

/* --- the owner --- */

struct window_result model_store(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2,
                                 uint64_t rs3)
{
    uint64_t d;

    if (kernel_level(m, hart) != WINDOW_DONE)
        RAISE(kernel_level(m, hart));
    d = by_handle(m, hart, rs3 & 0xffffffff);
    if (!d || !i_am_owner(m, hart, d))
        RETIRE(IG_DENIED);
    if (rs3 >> 37 != 0)
        RETIRE(IG_CEILING);
    if ((rs3 >> 32 & 1) && !ctl(m, d, CR))
        RETIRE(IG_CEILING);
    if ((rs3 >> 33 & 1) && !ctl(m, d, CW))
        RETIRE(IG_CEILING);
    if (rs2 > read64(m, d + IGD_MAX_LEN))
        RETIRE(IG_RANGE);
    if (rs2 != 0 && rs1 + rs2 - 1 < rs1)
        RETIRE(IG_RANGE);
    write64(m, d + IGD_BASE, rs1);
    write64(m, d + IGD_LEN, rs2);
    write64(m, d + IGD_OWNER_ATP, (rs3 >> 34 & 1) ? 0 : caller(m, hart)->atp);
    set_ctl(m, d, R, rs3 >> 32 & 1);
    set_ctl(m, d, W, rs3 >> 33 & 1);
    set_ctl(m, d, PHYS, rs3 >> 34 & 1);
    set_ctl(m, d, ASU, rs3 >> 35 & 1);
    set_ctl(m, d, ZB, rs3 >> 36 & 1);
    set_ctl(m, d, OPEN, true);
    RETIRE(0);
}

static void close_window(struct model *m, uint64_t d)
{
    static const unsigned cleared[] = {OPEN, R, W, PHYS, ASU, ZB};

    for (unsigned i = 0; i < ARRAY_SIZE(cleared); i++)
        set_ctl(m, d, cleared[i], false);
    write64(m, d + IGD_BASE, 0);
    write64(m, d + IGD_LEN, 0);
    write64(m, d + IGD_OWNER_ATP, 0);
}

struct window_result model_drop(struct model *m, unsigned hart, uint64_t rs1)
{
    uint64_t d;

    if (kernel_level(m, hart) != WINDOW_DONE)
        RAISE(kernel_level(m, hart));
    d = by_handle(m, hart, rs1 & 0xffffffff);
    if (!d || !i_am_owner(m, hart, d))
        RETIRE(IG_DENIED);
    close_window(m, d);
    RETIRE(0);
}

/* --- the peer --- */

struct window_result model_bind(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2)
{
    uint64_t d;

    if (kernel_level(m, hart) != WINDOW_DONE)
        RAISE(kernel_level(m, hart));
    d = by_handle(m, hart, rs1 & 0xffffffff);
    if (!d || !i_am_peer(m, hart, d))
        RETIRE(IG_DENIED);
    if (rs2 != 0 && rs2 != 1)
        RETIRE(IG_RANGE);
    if (rs2 == 1 && !ctl(m, d, CU))
        RETIRE(IG_CEILING);
    set_ctl(m, d, BOUND, rs2 == 1);
    write64(m, d + IGD_PEER_ATP, rs2 == 1 ? caller(m, hart)->atp : 0);
    RETIRE(0);
}

struct window_result model_query(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2)
{
    uint64_t d, me;
    bool owner, peer;

    if (any_level(m, hart) != WINDOW_DONE)
        RAISE(any_level(m, hart));
    if (!domain(m, hart, &me))
        RETIRE(0);
    if (rs1 == UINT64_MAX) {
        if (rs2 == 0)
            RETIRE((int64_t)table_size(m, hart));
        RETIRE(rs2 == 1 ? IG_MAX_PIECE : 0);
    }
    d = reach(m, hart, rs1);
    if (!d || !ctl(m, d, ALLOC) || key_of(m, d) == 0)
        RETIRE(0);
    owner = i_am_owner(m, hart, d) && !is_user(m, hart);
    peer = i_am_peer(m, hart, d) && (!is_user(m, hart) || bound_to_me(m, hart, d));
    if (!owner && !peer)
        RETIRE(0);
    switch (rs2) {
    case 0:
        RETIRE((int64_t)(key_of(m, d) << 20 | rs1));
    case 1:
        RETIRE((int64_t)((read64(m, d + IGD_CTL) & 0xfff) | (uint64_t)owner << 32 |
                         (uint64_t)peer << 33));
    case 2:
        RETIRE(ctl(m, d, ZB) && !owner ? 0 : (int64_t)read64(m, d + IGD_BASE));
    case 3:
        RETIRE((int64_t)read64(m, d + IGD_LEN));
    case 4:
        RETIRE((int64_t)read64(m, d + IGD_MAX_LEN));
    case 5:
        RETIRE((int64_t)read64(m, d + IGD_BYTES_PUT));
    case 6:
        RETIRE((int64_t)read64(m, d + IGD_BYTES_GOT));
    default:
        RETIRE(0);
    }
}

/* --- the host --- */

struct window_result model_alloc(struct model *m, unsigned hart, uint64_t rs1)
{
    uint64_t d, key, ceilings;

    if (host_level(m, hart) != WINDOW_DONE)
        RAISE(host_level(m, hart));
    if (rs1 >= table_size(m, hart))
        RETIRE(IG_RANGE);
    d = reach(m, hart, rs1);
    if (!d)
        RETIRE(IG_DENIED);
    if (ctl(m, d, ALLOC))
        RETIRE(IG_BUSY);
    if (!owner_well_formed(read64(m, d + IGD_OWNER)) || read64(m, d + IGD_PEER) >> 44 != 0)
        RETIRE(IG_DENIED);
    key = key_of(m, d) == 0xfff ? 1 : key_of(m, d) + 1;
    ceilings = read64(m, d + IGD_CTL) & (1u << CR | 1u << CW | 1u << CU);
    write64(m, d + IGD_CTL, key << 32 | ceilings | 1u << ALLOC);
    write64(m, d + IGD_BASE, 0);
    write64(m, d + IGD_LEN, 0);
    write64(m, d + IGD_OWNER_ATP, 0);
    write64(m, d + IGD_PEER_ATP, 0);
    write64(m, d + IGD_BYTES_PUT, 0);
    write64(m, d + IGD_BYTES_GOT, 0);
    write64(m, d + IGD_FAULTS, 0);
    RETIRE((int64_t)(key << 20 | rs1));
}

struct window_result model_free_window(struct model *m, unsigned hart, uint64_t rs1)
{
    uint64_t d;

    if (host_level(m, hart) != WINDOW_DONE)
        RAISE(host_level(m, hart));
    d = by_handle(m, hart, rs1 & 0xffffffff);
    if (!d)
        RETIRE(IG_DENIED);
    close_window(m, d);
    set_ctl(m, d, ALLOC, false);
    set_ctl(m, d, SUSPENDED, false);
    set_ctl(m, d, BOUND, false);
    write64(m, d + IGD_PEER_ATP, 0);
    RETIRE(0);
}

struct window_result model_fence(struct model *m, unsigned hart, bool all, uint64_t rs1)
{
    uint64_t d, me;

    if (kernel_level(m, hart) != WINDOW_DONE)
        RAISE(kernel_level(m, hart));
    if (!domain(m, hart, &me))
        RETIRE(IG_DENIED);
    if (all)
        RETIRE(0);
    d = by_handle(m, hart, rs1 & 0xffffffff);
    if (!d || (!is_host(m, hart) && !i_am_owner(m, hart, d)))
        RETIRE(IG_DENIED);
    RETIRE(0);
}

struct window_result model_suspend(struct model *m, unsigned hart, uint64_t rs1, uint64_t rs2)
{
    uint64_t d;

    if (host_level(m, hart) != WINDOW_DONE)
        RAISE(host_level(m, hart));
    d = by_handle(m, hart, rs1 & 0xffffffff);
    if (!d)
        RETIRE(IG_DENIED);
    if (rs2 != 0 && rs2 != 1)
        RETIRE(IG_RANGE);
    set_ctl(m, d, SUSPENDED, rs2 == 1);
    RETIRE(0);
}
