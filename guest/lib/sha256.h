/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4). */
#ifndef GUEST_LIB_SHA256_H
#define GUEST_LIB_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
/** Finish; the digest is written as 64 lower-case hexadecimal digits and a final 0. */
void sha256_hex(struct sha256 *s, char out[65]);

#endif
