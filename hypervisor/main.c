/* SPDX-License-Identifier: MIT */
/*
 * From the firmware to the first guest: find out what the machine is, read what it is to run, start
 * the other harts, start the guests. After that every hart is in the scheduler or in a guest.
 */
#include "config.h"
#include "console.h"
#include "csr.h"
#include "exit.h"
#include "firmware.h"
#include "pool.h"
#include "probe.h"
#include "sched.h"
#include "string.h"
#include "vm.h"
#include "window.h"
#include "xisthmus.h"

extern char image_start[], image_end[];
extern struct hart *hart_starting; /* start.S: the one that may come */

void trap_entry(void);
void secondary_start(void);
_Noreturn void hv_main(uint64_t hartid, const void *dtb);
_Noreturn void hart_main(struct hart *hart);

/* Exceptions that guests take by themselves: misaligned fetch, access faults, illegal instruction,
   breakpoint, misaligned data, ECALL from VU-mode, page faults. */
#define DELEGATED_EXCEPTIONS 0xB1FFull
#define DELEGATED_INTERRUPTS (1ull << IRQ_VSSI | 1ull << IRQ_VSTI | 1ull << IRQ_VSEI)
#define GUEST_COUNTERS 7 /* cycle, time, instret */
/* hstateen0: senvcfg, which each vCPU has. Not sstateen0 and the AIA's registers, which none has.
 */
#define GUEST_STATE (1ull << 62)

/* FLEN by the single letters of an ISA string. */
static unsigned find_flen(const char *isa)
{
    unsigned flen = 0;

    for (; *isa && *isa != '_'; isa++)
        flen = *isa == 'd' ? 64 : *isa == 'f' && !flen ? 32 : flen;
    return flen;
}

/* What this machine has, by asking its registers. */
static void find_features(struct hv *hv)
{
    static const unsigned MODES[] = {ATP_MODE_SV39, ATP_MODE_SV48, ATP_MODE_SV57};
    uint64_t value = 0;

    hv->flen = find_flen(hv->isa);
    hv->has_xisthmus = probe(csr_read(CSR_HIWT));
    hv->updates_flags = !strstr(hv->isa, "_svad");
    if (probe({
            csr_write(CSR_HENVCFG, ENVCFG_STCE | ENVCFG_PBMTE | ENVCFG_CBO);
            value = csr_read(CSR_HENVCFG);
        }))
        hv->henvcfg = value;
    hv->has_sstc = hv->henvcfg & ENVCFG_STCE && probe(csr_read(CSR_STIMECMP));
    for (unsigned i = sizeof(MODES) / sizeof(MODES[0]); i--;) {
        if (!probe({
                csr_write(CSR_HGATP, (uint64_t)MODES[i] << ATP_MODE_SHIFT |
                                         (uint64_t)HGATP_VMID_MASK << HGATP_VMID_SHIFT);
                value = csr_read(CSR_HGATP);
            }))
            return; /* no H extension */
        if (value >> ATP_MODE_SHIFT == MODES[i]) {
            hv->gstage_mode = MODES[i]; /* the smallest that there is */
            hv->vmid_mask = value >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;
        }
    }
    csr_write(CSR_HGATP, 0);
}

/* The registers that stay as they are while this hart runs guests. */
static void set_up_hart(struct hart *hart)
{
    struct hv *hv = hart->hv;

    csr_write(CSR_HEDELEG, DELEGATED_EXCEPTIONS);
    csr_write(CSR_HIDELEG, DELEGATED_INTERRUPTS);
    csr_write(CSR_HCOUNTEREN, GUEST_COUNTERS);
    csr_write(CSR_HTIMEDELTA, 0);
    csr_write(CSR_HVIP, 0);
    if (hv->henvcfg)
        csr_write(CSR_HENVCFG, hv->henvcfg);
    (void)probe({
        csr_write(CSR_HSTATEEN0, GUEST_STATE);
        csr_write(CSR_HSTATEEN1, 0);
        csr_write(CSR_HSTATEEN2, 0);
        csr_write(CSR_HSTATEEN3, 0);
    });
    windows_enable(hv);
    csr_write(CSR_SIE, 1ull << IRQ_SSI | 1ull << IRQ_STI);
    hart->started = true;
}

_Noreturn void hart_main(struct hart *hart)
{
    set_up_hart(hart);
    sched_enter(NULL);
}

_Noreturn static void give_up(struct hv *hv, const char *wrong)
{
    console_log(hv, "%s", wrong);
    firmware_power_off(true);
}

static void start_other_harts(struct hv *hv, const struct hart *self)
{
    for (unsigned i = 0; i < hv->hart_count; i++) {
        struct hart *hart = &hv->harts[i];
        int64_t error;

        if (hart == self)
            continue;
        __atomic_store_n(&hart_starting, hart, __ATOMIC_SEQ_CST);
        error = firmware_start_hart(hart->id, (uint64_t)secondary_start, (uint64_t)hart);
        if (error) {
            console_log(hv, "hart %lu does not start: SBI error %ld", hart->id, error);
            continue;
        }
        while (!__atomic_load_n(&hart->started, __ATOMIC_ACQUIRE))
            ;
    }
}

static struct hart *find_hart(struct hv *hv, uint64_t hartid)
{
    for (unsigned i = 0; i < hv->hart_count; i++)
        if (hv->harts[i].id == hartid)
            return &hv->harts[i];
    give_up(hv, "the hart that booted is not in the device tree");
}

/* start.S: the first hart. */
_Noreturn void hv_main(uint64_t hartid, const void *dtb)
{
    static struct hv machine; /* reached through tp from here on */
    struct hv *hv = &machine;
    struct hart *hart;
    const char *wrong;

    if (!fdt_open(&hv->fdt, dtb))
        give_up(hv, "the firmware passed no device tree");
    console_init(hv);
    config_memory(hv, (uint64_t)image_start, (uint64_t)image_end);
    wrong = config_harts(hv);
    if (wrong)
        give_up(hv, wrong);
    hart = find_hart(hv, hartid);
    __asm__ volatile("mv tp, %0" : : "r"(hart));
    find_features(hv);
    wrong = hv->gstage_mode ? config_guests(hv) : "the machine has no H extension";
    if (wrong)
        give_up(hv, wrong);
    console_log(hv, "%u harts, %u guests, %u windows; %s, %s", hv->hart_count, hv->vm_count,
                hv->window_count, hv->has_sstc ? "Sstc" : "no Sstc",
                hv->has_xisthmus ? "Xisthmus" : "no Xisthmus: windows by hypercall");
    set_up_hart(hart);
    windows_allocate(hv);
    start_other_harts(hv, hart);
    for (unsigned i = 0; i < hv->vm_count; i++)
        vm_start(&hv->vms[i]);
    sched_enter(NULL);
}
