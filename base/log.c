/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
{
    static const char *const prefix[] = {"error", "warning", "info"};
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (log && log->sink)
        log->sink(log->opaque, level, text);
    else
        fprintf(stderr, "isthmus: %s: %s\n", prefix[level], text);
}
