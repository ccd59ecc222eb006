/* SPDX-License-Identifier: MIT */
/* Guest images: ELF64, the Linux "Image" format, and flat binaries. */
#ifndef HYPERVISOR_IMAGE_H
#define HYPERVISOR_IMAGE_H

#include "hv.h"

/**
 * Copy the guest's image into its memory: an ELF's PT_LOAD segments to their physical addresses, a
 * Linux Image to RAM base + text_offset, anything else to RAM base + 2 MiB, where virt firmware
 * puts a payload. Sets vm->entry and, through @end, the address after the last byte that the image
 * uses. Returns NULL, or what is wrong with the image.
 */
const char *image_load(struct vm *vm, uint64_t *end);

#endif
