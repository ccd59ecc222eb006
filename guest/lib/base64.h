/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4). */
#ifndef GUEST_LIB_BASE64_H
#define GUEST_LIB_BASE64_H

#include <stddef.h>

/** Encode @n bytes; @out gets 4 * ceil(n / 3) characters and a final 0. Returns the characters. */
size_t base64_encode(char *out, const void *data, size_t n);

#endif
