/* SPDX-License-Identifier: MIT */
/*
 * The console, shared by lines: a guest's characters gather until its newline, and then go out
 * whole behind the guest's name, so that guests that print at once stay readable and a program can
 * sort them.
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

/** A character of input, or -1 when there is none. */
int console_getchar(struct hv *hv);

#endif
