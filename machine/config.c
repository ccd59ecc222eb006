/* SPDX-License-Identifier: MIT */
/* What kind of harts and interrupt controllers a configuration asks for. */
#include "machine/machine.h"

#include "hart/imsic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CPU "rv64gch"

int machine_choose_aia(const struct isthmus_config *config, const struct log *log, enum aia *aia)
{
    static const char *const names[] = {
        [AIA_NONE] = "none", [AIA_APLIC] = "aplic", [AIA_APLIC_IMSIC] = "aplic-imsic"};
    const char *name = config->aia ? config->aia : names[AIA_NONE];
    unsigned i = 0;

    while (i < ARRAY_SIZE(names) && strcmp(name, names[i]))
        i++;
    if (i == ARRAY_SIZE(names)) {
        log_error(log, "aia: %s: expected none, aplic or aplic-imsic", name);
        return -EINVAL;
    }
    if (config->aia_guests > IMSIC_GUESTS_MAX) {
        log_error(log, "aia-guests: %u is too many; expected 0 to %u", config->aia_guests,
                  IMSIC_GUESTS_MAX);
        return -EINVAL;
    }
    if (config->aia_guests && i != AIA_APLIC_IMSIC) {
        log_error(log, "aia-guests: guest interrupt files need aia aplic-imsic");
        return -EINVAL;
    }
    *aia = i;
    return 0;
}

/* Smaia and Ssaia come with an APLIC or IMSIC, unless text says otherwise; interrupt files cannot
 * be reached without. */
static int choose_cpu(const char *text, const char *aia, struct cpu *cpu, char *why, size_t size)
{
    bool any = aia && strcmp(aia, "none"), imsic = aia && !strcmp(aia, "aplic-imsic");

    if (cpu_parse(cpu, text, any, why, size))
        return -EINVAL;
    if (imsic && !cpu_has(cpu, EXT_SMAIA)) {
        snprintf(why, size, "aia aplic-imsic needs smaia and ssaia");
        return -EINVAL;
    }
    return 0;
}

int machine_choose_cpu(const struct isthmus_config *config, const struct log *log, struct cpu *cpu)
{
    const char *text = config->cpu ? config->cpu : DEFAULT_CPU;
    char why[160];

    if (choose_cpu(text, config->aia, cpu, why, sizeof(why))) {
        log_error(log, "cpu %s: %s", text, why);
        return -EINVAL;
    }
    return 0;
}

int isthmus_check_cpu(const char *text, const char *aia, char *why, size_t size)
{
    struct cpu cpu;

    return choose_cpu(text ? text : DEFAULT_CPU, aia, &cpu, why, size);
}
