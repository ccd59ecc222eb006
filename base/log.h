/* SPDX-License-Identifier: MIT */
/*
 * Where a failure says why, once, at the place that knows. A function that can fail takes a
 * struct log, writes one line to it and returns a negative errno or NULL; its callers only pass
 * the code on.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

struct log {
    void (*sink)(void *opaque, enum log_level level, const char *text);
    void *opaque;
};

/* Write one printf-formatted line, without a newline, to log's sink; to stderr where log or its
 * sink is NULL. Truncated at 1023 bytes. */
void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write(log, LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_write(log, LOG_WARN, __VA_ARGS__)
#define log_info(log, ...) log_write(log, LOG_INFO, __VA_ARGS__)

#endif
