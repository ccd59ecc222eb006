/* SPDX-License-Identifier: MIT */
/*
 * The console, shared by lines: a guest's characters gather until its newline, and then go out
 * whole behind the guest's name, so that guests that print at once stay readable and a program can
 * sort them. Once somebody types, the unfinished line of the guest that gets the input (a prompt)
 * is shown, too; if another line comes in between it is shown again from its start.
 *
 * Input goes to one guest, at first to the first one; Ctrl-] passes it on to the next.
 */
#ifndef HYPERVISOR_CONSOLE_H
#define HYPERVISOR_CONSOLE_H

#include "hv.h"

/** Find the UART that the device tree's stdout-path names; without one the firmware prints. */
void console_init(struct hv *hv);

/** Print a line behind "hypervisor: ". */
void console_log(struct hv *hv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Take @n characters that a guest printed. */
void console_guest_write(struct vm *vm, const char *text, size_t n);

/** Print what a guest left of an unfinished line. */
void console_guest_flush(struct vm *vm);

/** A guest waits for interrupts of input: from now on the first hart looks for it now and then. */
void console_listen(struct hv *hv);

/** When @hart is to call console_tick(), in time units; NEVER: it need not. */
uint64_t console_deadline(const struct hart *hart);

/** Look for input, if it is time and this hart's to do. The scheduler's lock is not held. */
void console_tick(struct hart *hart);

/** Look for input and pass it on to the guest that gets it: if it waits for interrupts of it, or is
 * @asking (may be NULL). */
void console_poll(struct hv *hv, struct vm *asking);

/** A character of input for @vm, or -1 when there is none. */
int console_getchar(struct vm *vm);

#endif
