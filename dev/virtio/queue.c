/* SPDX-License-Identifier: MIT */
/* What is the same for both ring formats: chains and the bytes in them. */
#include "dev/virtio/ring.h"

void virtq_clear(struct virtq *q, const struct mem *mem)
{
    *q = (struct virtq){.mem = mem, .size = VIRTQ_SIZE_MAX};
}

const char *virtq_enable(struct virtq *q)
{
    const char *why;

    if (q->size == 0 || q->size > VIRTQ_SIZE_MAX)
        return "the queue's size is not possible";
    if (q->desc_pa % DESC_BYTES)
        return "the descriptor table is not aligned";
    q->desc = mem_ram(q->mem, q->desc_pa, (uint64_t)q->size * DESC_BYTES);
    if (!q->desc)
        return "the descriptor table is not in RAM";
    q->told_valid = q->held = false;
    why = q->packed ? packed_enable(q) : split_enable(q);
    q->told = q->used;
    q->ready = !why;
    return why;
}

/* --- Taking and giving --- */

int virtq_pop(struct virtq *q, struct virtq_chain *chain, const char **why)
{
    int n;

    chain->iov_n = 0;
    chain->slots = 0;
    chain->out = chain->in = (struct virtq_side){.iov = chain->iov};
    n = q->packed ? packed_pop(q, chain, why) : split_pop(q, chain, why);
    chain->in.iov = chain->iov + chain->out.n;
    chain->in_size = chain->in.bytes;
    return n;
}

void virtq_fill(struct virtq *q, const struct virtq_chain *chain, uint64_t written)
{
    if (q->packed)
        packed_fill(q, chain, (uint32_t)written);
    else
        split_fill(q, chain, (uint32_t)written);
}

void virtq_publish(struct virtq *q)
{
    if (q->packed)
        packed_publish(q);
    else
        split_publish(q);
}

bool virtq_should_tell(struct virtq *q)
{
    return q->packed ? packed_should_tell(q) : split_should_tell(q);
}

void virtq_want_notify(struct virtq *q, bool on)
{
    if (q->packed)
        packed_want_notify(q, on);
    else
        split_want_notify(q, on);
    /* The driver's next look at this, and ours at its ring, are in this order (2.7.7.3). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- Chains --- */

const char *ring_add(const struct virtq *q, struct virtq_chain *chain, uint64_t addr, uint32_t len,
                     bool write)
{
    struct virtq_side *side = write ? &chain->in : &chain->out;
    uint8_t *bytes;

    if (!write && chain->in.n)
        return "a descriptor to read stands behind one to write";
    if (len == 0)
        return NULL;
    if (chain->iov_n == VIRTQ_CHAIN_MAX)
        return "a chain has too many descriptors";
    bytes = mem_ram(q->mem, addr, len);
    if (!bytes)
        return "a buffer is not in RAM";
    chain->iov[chain->iov_n++] = (struct iovec){bytes, len};
    side->n++;
    side->bytes += len;
    return NULL;
}

const char *ring_table(const struct virtq *q, const struct ring_desc *d, const uint8_t **table,
                       unsigned *n)
{
    if (!q->indirect)
        return "an indirect descriptor, which was not negotiated";
    if (d->len == 0 || d->len % DESC_BYTES || d->len / DESC_BYTES > VIRTQ_CHAIN_MAX)
        return "an indirect table has an impossible length";
    *n = d->len / DESC_BYTES;
    *table = mem_ram(q->mem, d->addr, d->len);
    return *table ? NULL : "an indirect table is not in RAM";
}

/* --- Bytes --- */

/* Move n bytes, which there are, between the front of the side and buf; NULL: nowhere. */
static void consume(struct virtq_side *side, uint8_t *buf, uint64_t n, bool write)
{
    side->bytes -= n;
    while (n) {
        struct iovec *v = side->iov;
        size_t piece = min_u64(n, v->iov_len);

        if (buf) {
            memcpy(write ? v->iov_base : buf, write ? buf : v->iov_base, piece);
            buf += piece;
        }
        v->iov_base = (uint8_t *)v->iov_base + piece;
        v->iov_len -= piece;
        n -= piece;
        if (v->iov_len == 0) {
            side->iov++;
            side->n--;
        }
    }
}

bool virtq_read(struct virtq_side *out, void *to, size_t n)
{
    if (n > out->bytes)
        return false;
    consume(out, to, n, false);
    return true;
}

bool virtq_write(struct virtq_side *in, const void *from, size_t n)
{
    if (n > in->bytes)
        return false;
    consume(in, (uint8_t *)from, n, true);
    return true;
}

bool virtq_skip(struct virtq_side *side, uint64_t n)
{
    if (n > side->bytes)
        return false;
    consume(side, NULL, n, false);
    return true;
}

bool virtq_write_last(struct virtq_side *in, uint8_t value)
{
    struct iovec *v;

    if (in->bytes == 0)
        return false;
    v = &in->iov[in->n - 1];
    ((uint8_t *)v->iov_base)[--v->iov_len] = value;
    if (v->iov_len == 0)
        in->n--;
    in->bytes--;
    return true;
}
