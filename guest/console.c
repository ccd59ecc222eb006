/* SPDX-License-Identifier: MIT */
/* The console, by SBI: the debug console where there is one, else a character at a time. */
#include "format.h"
#include "kernel.h"
#include "sbi.h"

void say_bytes(const char *text, size_t n)
{
    /* The kernel's memory is mapped where it is: the address is the physical one, too. */
    while (n) {
        struct sbiret ret = sbi_call(SBI_DBCN, 0, n, (uint64_t)text, 0, 0, 0);

        if (ret.error)
            break;
        text += ret.value;
        n -= (size_t)ret.value;
    }
    while (n--)
        sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)*text++, 0, 0, 0, 0);
}

struct line {
    char text[512];
    size_t len;
};

static void put(void *ctx, char c)
{
    struct line *line = ctx;

    if (line->len == sizeof(line->text)) {
        say_bytes(line->text, line->len);
        line->len = 0;
    }
    line->text[line->len++] = c;
}

void say(const char *fmt, ...)
{
    struct line line = {.len = 0};
    va_list ap;

    va_start(ap, fmt);
    format_v(put, &line, fmt, ap);
    va_end(ap);
    say_bytes(line.text, line.len);
}
