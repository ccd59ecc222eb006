/* SPDX-License-Identifier: MIT */
/* What the device tree asks for: memory, harts, guests and windows (docs/hypervisor.md). */
#ifndef HYPERVISOR_CONFIG_H
#define HYPERVISOR_CONFIG_H

#include "hv.h"

/** Fill the pool with the machine's memory but for what firmware, loader and hypervisor use. */
void config_memory(struct hv *hv, uint64_t image_start, uint64_t image_end);

/** Allocate hv->harts for the harts that the device tree lists. NULL, or what is wrong. */
const char *config_harts(struct hv *hv);

/** Read guests, windows and shared regions from /chosen/isthmus. NULL, or what is wrong. */
const char *config_guests(struct hv *hv);

#endif
