/* SPDX-License-Identifier: MIT */
/* Archives in cpio's newc format, as the Linux kernel unpacks them. */
#ifndef BENCH_CPIO_H
#define BENCH_CPIO_H

#include <stdio.h>

/* An executable file owned by root. The stream's position counts for alignment. */
void cpio_file(FILE *f, const char *name, const void *data, size_t size);
void cpio_end(FILE *f);
/* Zeros up to where an archive may begin. */
void cpio_pad(FILE *f);

#endif
