/* SPDX-License-Identifier: MIT */
#include "isa/isa.h"

#define CSR_FIELD(number, name, gate, mask, after) {number, #name},
#define CSR_VIEW(number, name, gate) {number, #name},
#define CSR_FAMILY(number, name, gate, family) {number, #name},
#define CSR_READ(number, name, gate) {number, #name},
#define CSR_CONST(number, name, gate, value) {number, #name},
static const struct {
    unsigned number;
    const char *name;
} names[] = {
#include "isa/csr.def"
};

const char *csr_name(unsigned num)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].number == num)
            return names[i].name;
    return NULL;
}
