/* SPDX-License-Identifier: MIT */
#include "firmware.h"
#include "sbi.h"

void firmware_putchar(char c)
{
    sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)c, 0, 0, 0, 0);
}

int64_t firmware_start_hart(uint64_t hartid, uint64_t entry, uint64_t arg)
{
    return sbi_call(SBI_HSM, SBI_HSM_START, hartid, entry, arg, 0, 0).error;
}

void firmware_send_ipi(const struct hart *hart)
{
    sbi_call(SBI_IPI, 0, 1, hart->id, 0, 0, 0);
}

void firmware_set_timer(uint64_t time)
{
    sbi_call(SBI_TIME, 0, time, 0, 0, 0, 0);
}

/* One call a hart: hartids need not be consecutive, and the firmware takes a mask from a base. */
static void on_harts(struct hv *hv, uint64_t harts, uint64_t fid, uint64_t start, uint64_t size,
                     uint64_t id)
{
    uint64_t base = NEVER;
    uint64_t mask = 0;

    for (unsigned i = 0; i < hv->hart_count; i++) {
        if (!(harts >> i & 1) || !hv->harts[i].started)
            continue;
        if (mask && (hv->harts[i].id < base || hv->harts[i].id >= base + 64)) {
            sbi_call(SBI_RFENCE, fid, mask, base, start, size, id);
            mask = 0;
        }
        if (!mask)
            base = hv->harts[i].id;
        mask |= 1ull << (hv->harts[i].id - base);
    }
    if (mask)
        sbi_call(SBI_RFENCE, fid, mask, base, start, size, id);
}

void firmware_hfence_vvma(struct hv *hv, uint64_t harts, uint64_t start, uint64_t size,
                          int64_t asid)
{
    if (asid < 0)
        on_harts(hv, harts, SBI_RFENCE_HFENCE_VVMA, start, size, 0);
    else
        on_harts(hv, harts, SBI_RFENCE_HFENCE_VVMA_ASID, start, size, (uint64_t)asid);
}

void firmware_hfence_gvma(struct hv *hv, uint64_t vmid)
{
    on_harts(hv, ~0ull, SBI_RFENCE_HFENCE_GVMA_VMID, 0, NEVER, vmid);
}

void firmware_fence_i(struct hv *hv, uint64_t harts)
{
    on_harts(hv, harts, SBI_RFENCE_FENCE_I, 0, 0, 0);
}

_Noreturn void firmware_power_off(bool failed)
{
    for (;;)
        sbi_call(SBI_SRST, 0, SBI_SRST_SHUTDOWN, failed ? SBI_SRST_FAILURE : 0, 0, 0, 0);
}
