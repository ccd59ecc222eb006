/* SPDX-License-Identifier: MIT */
/* The machines that benches run on. */
#ifndef BENCH_MACHINES_H
#define BENCH_MACHINES_H

#include <stdbool.h>
#include <stdint.h>

/* Run a bare-metal image to its end. Result: what it printed (malloc'ed), or NULL with a reason of
 * at most size bytes in why. */
char *bench_on_isthmus(const char *image, uint64_t memory, char *why, unsigned size);
char *bench_on_qemu(const char *image, uint64_t memory, char *why, unsigned size);
bool bench_have_qemu(void);
/* Run guests "holder" and "peer" of an image on the reference hypervisor. Result as above. */
char *bench_hosted(const char *image, const char *hypervisor, char *why, unsigned size);

#endif
