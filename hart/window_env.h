/* SPDX-License-Identifier: MIT */
/* The window engine's view of a hart: translation, descriptors and interrupts over its MMU. */
#ifndef HART_WINDOW_ENV_H
#define HART_WINDOW_ENV_H

#include "hart/hart.h"
#include "window/window.h"

/* Give hart h its part of the machine's window engine. Result: 0 or -ENOMEM. */
int hart_attach_windows(struct hart *h, struct window_engine *engine);
void hart_detach_windows(struct hart *h);

/* Write hiwt: the window engine applies its WARL rules. It stays 0 on a hart without windows. */
void hart_set_hiwt(struct hart *h, uint64_t value);
/* PMP changed: the window engine forgets what it translated. */
void hart_flush_windows(struct hart *h);

/* Who executes the instruction that hart h is at. */
static inline struct window_caller hart_window_caller(const struct hart *h)
{
    enum window_level level = h->priv == PRV_U   ? WINDOW_USER
                              : h->priv == PRV_S ? WINDOW_SUPERVISOR
                                                 : WINDOW_MACHINE;

    return (struct window_caller){.virt = h->v,
                                  .level = level,
                                  .hgatp = h->csr.hgatp,
                                  .atp = h->v ? h->csr.vsatp : h->csr.satp};
}

#endif
