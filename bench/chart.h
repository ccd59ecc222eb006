/* SPDX-License-Identifier: MIT */
/* A bar chart of a bench's ratios, as SVG. */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <jansson.h>

/* Write a chart of the rows that have a ratio into the file, a bar each on a logarithmic scale,
 * with a line at 1. Result: 0 or a negative errno; a file that was begun is removed. */
int bench_chart(const char *path, const json_t *rows);

#endif
