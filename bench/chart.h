/* SPDX-License-Identifier: MIT */
/* A bar chart of a bench's ratios, as SVG. */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <jansson.h>
#include <stdio.h>

/* Write a chart of the rows that have a ratio into the file, a bar each on a logarithmic scale,
 * with a line at 1, and close it. Result: 0 or a negative errno. */
int bench_chart(FILE *file, const json_t *rows);

#endif
