/* SPDX-License-Identifier: MIT */
/* The text of --cpu: refused with one line, or a set that is consistent and whose ISA string names
 * extensions that give the same set again. */
#include "isa/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256], why[160] = "", again[1024], isa[CPU_ISA_STRING];
    struct cpu cpu, second;
    const char *name;
    size_t n;

    if (size == 0 || size > sizeof(text))
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (cpu_parse(&cpu, text, data[0] & 1, why, sizeof(why))) {
        if (!*why)
            abort();
        return 0;
    }
    if (cpu.asidlen > CPU_ASIDLEN || cpu.vmidlen > CPU_VMIDLEN || cpu.geilen > CPU_GEILEN ||
        cpu.pmp > CPU_PMP || cpu.satp_mode < 8 || cpu.satp_mode > 10)
        abort();
    n = (size_t)snprintf(again, sizeof(again), "rv64gch,-m,-a,-f,-h,-zicntr");
    for (unsigned e = 0; (name = cpu_next_name(&cpu, &e));)
        n += (size_t)snprintf(again + n, sizeof(again) - n, ",%s", name);
    if (cpu_parse(&second, again, false, why, sizeof(why)) || (cpu.extensions & ~second.extensions))
        abort();
    cpu_isa_string(&cpu, isa, sizeof(isa));
    if (strncmp(isa, "rv64i", 5) || strlen(isa) >= CPU_ISA_STRING - 1)
        abort();
    return 0;
}
