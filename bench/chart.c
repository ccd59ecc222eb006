/* SPDX-License-Identifier: MIT */
#include "bench/chart.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Pixels. */
enum { LINE = 18, LABELS = 280, BARS = 420, NUMBERS = 70, TOP = 34, BOTTOM = 12 };

struct chart {
    FILE *f;
    double low, high; /* ends of the scale, powers of ten */
};

static double ratio_of(const json_t *row)
{
    const json_t *r = json_object_get(row, "ratio");

    return json_is_number(r) ? json_number_value(r) : NAN;
}

static double x_of(const struct chart *c, double ratio)
{
    return LABELS + BARS * (log10(ratio) - log10(c->low)) / (log10(c->high) - log10(c->low));
}

/* Result: how many bars there will be. */
static unsigned measure(struct chart *c, const json_t *rows)
{
    double least = 1, most = 1;
    unsigned n = 0;
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        double r = ratio_of(row);

        if (isnan(r))
            continue;
        least = fmin(least, r);
        most = fmax(most, r);
        n++;
    }
    c->low = pow(10, floor(log10(least)));
    c->high = pow(10, ceil(log10(fmax(most, 1.01))));
    return n;
}

static void escape(FILE *f, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else
            fputc(*text, f);
    }
}

static void draw_scale(const struct chart *c, unsigned bars)
{
    for (double at = c->low; at <= c->high * 1.01; at *= 10) {
        fprintf(c->f,
                "<line x1='%.1f' x2='%.1f' y1='%d' y2='%u' stroke='%s'/>\n"
                "<text x='%.1f' y='%d' text-anchor='middle'>%g</text>\n",
                x_of(c, at), x_of(c, at), TOP - 8, TOP + bars * LINE,
                fabs(at - 1) < 1e-9 ? "#444" : "#ddd", x_of(c, at), TOP - 14, at);
    }
}

static void draw_bar(const struct chart *c, const json_t *row, unsigned at)
{
    double ratio = ratio_of(row), one = x_of(c, 1), end = x_of(c, ratio);
    int y = TOP + (int)at * LINE;

    fprintf(c->f, "<text x='%d' y='%d' text-anchor='end'>", LABELS - 8, y + LINE - 6);
    escape(c->f, json_string_value(json_object_get(row, "name")));
    fprintf(c->f, " %lld, ", (long long)json_integer_value(json_object_get(row, "size")));
    escape(c->f, json_string_value(json_object_get(row, "peer")));
    fprintf(c->f,
            "</text><rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s'/>"
            "<text x='%.1f' y='%d'>%.*f</text>\n",
            fmin(one, end), y + 3, fabs(end - one), LINE - 6, ratio >= 1 ? "#3a7" : "#c64",
            fmax(one, end) + 4, y + LINE - 6, ratio < 10 ? 2 : 0, ratio);
}

int bench_chart(FILE *file, const json_t *rows)
{
    struct chart c = {.f = file};
    unsigned bars, at = 0;
    bool failed;
    size_t i;
    json_t *row;

    if (ftruncate(fileno(file), 0))
        errno = 0; /* not a regular file */
    bars = measure(&c, rows);
    fprintf(c.f,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%u' "
            "font-family='sans-serif' font-size='11'>\n"
            "<rect width='100%%' height='100%%' fill='#fff'/>\n",
            LABELS + BARS + NUMBERS, TOP + bars * LINE + BOTTOM);
    draw_scale(&c, bars);
    json_array_foreach(rows, i, row) if (!isnan(ratio_of(row))) draw_bar(&c, row, at++);
    fprintf(c.f, "</svg>\n");
    errno = 0;
    failed = ferror(c.f);
    if (fclose(c.f) || failed)
        return errno ? -errno : -EIO;
    return 0;
}
