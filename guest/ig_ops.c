/* SPDX-License-Identifier: MIT */
#include "ig_hypercall.h"
#include "isthmus_sbi.h"
#include "sbi.h"

static int64_t call(uint64_t fid, uint64_t a, uint64_t b, uint64_t c)
{
    struct sbiret ret = sbi_call(ISTHMUS_EID, fid, a, b, c, 0, 0);

    return ret.error ? IG_DENIED : ret.value;
}

static uint64_t what(uint32_t handle, uint32_t len)
{
    return (uint64_t)handle << IG_XFER_HANDLE_SHIFT | len;
}

static int64_t igh_put(uint32_t handle, uint64_t remote, const void *local, uint32_t len)
{
    return call(ISTHMUS_PUT, remote, (uint64_t)local, what(handle, len));
}

int64_t igh_put_as_user(uint32_t handle, uint64_t remote, const void *local, uint32_t len)
{
    return call(ISTHMUS_PUT | ISTHMUS_AS_USER, remote, (uint64_t)local, what(handle, len));
}

static int64_t igh_get(uint32_t handle, uint64_t remote, void *local, uint32_t len)
{
    return call(ISTHMUS_GET, remote, (uint64_t)local, what(handle, len));
}

static int64_t igh_ring(uint32_t handle, uint64_t remote)
{
    return call(ISTHMUS_RING, remote, handle, 0);
}

static int64_t igh_store(uint32_t handle, uint64_t base, uint64_t len, uint64_t flags)
{
    return call(ISTHMUS_STORE, base, len, flags | handle);
}

static int64_t igh_drop(uint32_t handle)
{
    return call(ISTHMUS_DROP, handle, 0, 0);
}

static int64_t igh_bind(uint32_t handle, uint64_t bind)
{
    return call(ISTHMUS_BIND, handle, bind, 0);
}

static uint64_t igh_query(uint64_t index, uint64_t field)
{
    struct sbiret ret = sbi_call(ISTHMUS_EID, ISTHMUS_QUERY, index, field, 0, 0, 0);

    return ret.error ? 0 : (uint64_t)ret.value;
}

static int64_t igh_fence(uint32_t handle)
{
    return call(ISTHMUS_FENCE, handle, 0, 0);
}

static int64_t resident(uint32_t handle, uint64_t remote, uint64_t len)
{
    return call(ISTHMUS_RESIDENT, handle, remote, len);
}

const struct ig_ops IG_INSTRUCTIONS = {
    .name = "instructions",
    .put = ig_put,
    .get = ig_get,
    .ring = ig_ring,
    .store = ig_store,
    .drop = ig_drop,
    .bind = ig_bind,
    .query = ig_query,
    .fence = ig_fence,
    .resident = resident,
};

const struct ig_ops IG_HYPERCALLS = {
    .name = "hypercalls",
    .put = igh_put,
    .get = igh_get,
    .ring = igh_ring,
    .store = igh_store,
    .drop = igh_drop,
    .bind = igh_bind,
    .query = igh_query,
    .fence = igh_fence,
    .resident = resident,
};
