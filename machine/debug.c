/* SPDX-License-Identifier: MIT */
/* Looking into a machine: what isthmus_config asks of debug/. */
#include "debug/events.h"
#include "machine/machine.h"

#include <errno.h>
#include <string.h>

/* trace is "KIND[,KIND]...:FILE", or NULL. */
static int make_events(struct machine *m, const char *trace, bool count_guests)
{
    const char *colon = trace ? strchr(trace, ':') : NULL;
    unsigned kinds = colon ? events_kinds(trace, (size_t)(colon - trace)) : 0;

    if (trace && (!kinds || !colon[1])) {
        log_error(&m->log,
                  "trace: %s: expected KIND[,KIND]...:FILE, with kinds exits, switch, ig, irq, mmu",
                  trace);
        return -EINVAL;
    }
    if (!trace && !count_guests)
        return 0;
    m->events = events_new(m->harts, m->harts_n);
    if (!m->events)
        return -ENOMEM;
    if (count_guests)
        events_count_guests(m->events);
    return trace ? events_trace(m->events, kinds, colon + 1, &m->log) : 0;
}

int machine_debug_init(struct machine *m, const struct isthmus_config *config)
{
    return make_events(m, config->trace, config->count_guests);
}

void machine_debug_free(struct machine *m)
{
    events_free(m->events);
}
