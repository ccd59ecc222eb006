/* SPDX-License-Identifier: MIT */
/* The embedding interface, used as a program outside would: only isthmus.h. */
#include "isthmus.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RAM UINT64_C(0x80000000)

/* Code by hand: the tests need no compiler for RISC-V. */
static const uint32_t loop[] = {
    0x00150513, /* addi a0, a0, 1 */
    0xffdff06f, /* j -4 */
};
static const uint32_t sleep_for_ever[] = {
    0x30401073, /* csrw mie, zero */
    0x10500073, /* wfi */
    0xffdff06f, /* j -4 */
};
static const uint32_t print_and_pass[] = {
    0x10000537, /* lui a0, 0x10000 */
    0x04100593, /* li a1, 'A' */
    0x00b50023, /* sb a1, 0(a0) */
    0x04200593, /* li a1, 'B' */
    0x00b50023, /* sb a1, 0(a0) */
    0x00100537, /* lui a0, 0x100 */
    0x000055b7, /* lui a1, 5 */
    0x5555859b, /* addiw a1, a1, 0x555 */
    0x00b52023, /* sw a1, 0(a0) */
    0x0000006f, /* j . */
};
static const uint32_t echo[] = {
    0x10000537, /* lui a0, 0x10000 */
    0x00554583, /* lbu a1, 5(a0) */
    0x0015f593, /* andi a1, a1, 1 */
    0xfe058ce3, /* beqz a1, -8 */
    0x00054583, /* lbu a1, 0(a0) */
    0x00b50023, /* sb a1, 0(a0) */
    0xfedff06f, /* j -20 */
};

struct heard {
    char log[256];
    char output[64];
    size_t output_n;
    struct isthmus *m;
    char stop_at;
};

static void on_log(void *opaque, enum isthmus_log_level level, const char *text)
{
    struct heard *h = opaque;

    (void)level;
    snprintf(h->log, sizeof(h->log), "%s", text);
}

static void on_output(void *opaque, const void *bytes, size_t n)
{
    struct heard *h = opaque;

    for (size_t i = 0; i < n && h->output_n < sizeof(h->output) - 1; i++)
        h->output[h->output_n++] = ((const char *)bytes)[i];
    if (h->stop_at && memchr(bytes, h->stop_at, n))
        isthmus_stop(h->m);
}

static struct isthmus_config config_for(struct heard *h)
{
    *h = (struct heard){0};
    return (struct isthmus_config){.abi = ISTHMUS_ABI,
                                   .bios = "none",
                                   .memory = 4 << 20,
                                   .log = on_log,
                                   .log_opaque = h,
                                   .output = on_output,
                                   .output_opaque = h};
}

/* A machine with that code at the start of RAM. */
static struct isthmus *machine(struct heard *h, const uint32_t *code, size_t size,
                               bool deterministic, unsigned harts)
{
    struct isthmus_config config = config_for(h);
    struct isthmus *m;

    config.deterministic = deterministic;
    config.harts = harts;
    m = isthmus_new(&config, NULL);
    assert_non_null(m);
    assert_int_equal(isthmus_mem_write(m, RAM, code, size), 0);
    h->m = m;
    return m;
}
#define MACHINE(h, code, deterministic, harts) machine(h, code, sizeof(code), deterministic, harts)

static uint64_t reg(struct isthmus *m, unsigned hart, const char *name)
{
    uint64_t value = 0;
    int number = isthmus_reg_number(name);

    assert_true(number >= 0);
    assert_int_equal(isthmus_reg_read(m, hart, (unsigned)number, &value), 0);
    return value;
}

static void impossible_configs_are_refused_with_a_reason(void **state)
{
    struct heard h;
    struct isthmus_config config = config_for(&h);
    int err = 0;

    (void)state;
    config.abi = ISTHMUS_ABI + 1;
    assert_null(isthmus_new(&config, &err));
    assert_int_equal(err, -EINVAL);
    assert_non_null(strstr(h.log, "ABI"));
    config = config_for(&h);
    config.harts = ISTHMUS_HARTS_MAX + 1;
    assert_null(isthmus_new(&config, &err));
    assert_int_equal(err, -EINVAL);
    assert_non_null(strstr(h.log, "harts"));
    config = config_for(&h);
    config.memory = ISTHMUS_MEMORY_MAX + 4096;
    assert_null(isthmus_new(&config, &err));
    assert_non_null(strstr(h.log, "memory"));
    config = config_for(&h);
    config.kernel = "/nowhere/kernel";
    assert_null(isthmus_new(&config, &err));
    assert_int_equal(err, -ENOENT);
    assert_non_null(strstr(h.log, "/nowhere/kernel"));
    config = config_for(&h);
    config.console = "tty";
    assert_null(isthmus_new(&config, &err));
    assert_int_equal(err, -EINVAL);
    isthmus_free(NULL);
}

static void what_is_missing_in_a_config_is_named(void **state)
{
    static const struct isthmus_disk disk = {.path = NULL};
    static const struct isthmus_shared shared = {.guests_n = 1, .size = 4096};
    static const struct {
        struct isthmus_config config;
        const char *word;
    } configs[] = {
        {{.guests_n = 1}, "guests"},
        {{.windows_n = 1}, "windows"},
        {{.shared_n = 1}, "shared"},
        {{.shared_n = 1, .shared = &shared}, "shared"},
        {{.disks_n = 1}, "disks"},
        {{.disks_n = 1, .disks = &disk}, "disk 0"},
        {{.net = {.kind = ISTHMUS_NET_TAP}}, "ifname"},
        {{.net = {.kind = (enum isthmus_net_kind)9}}, "net"},
        {{.net = {.kind = ISTHMUS_NET_USER, .forwards_n = 1}}, "net.forwards"},
    };
    char why[100];

    (void)state;
    for (unsigned i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct heard h;
        struct isthmus_config base = config_for(&h), config = configs[i].config;
        int err = 0;

        config.abi = ISTHMUS_ABI;
        config.bios = base.bios;
        config.log = base.log;
        config.log_opaque = &h;
        assert_null(isthmus_new(&config, &err));
        assert_int_equal(err, -EINVAL);
        assert_non_null(strstr(h.log, configs[i].word));
    }
    assert_int_equal(isthmus_check_cpu(NULL, NULL, why, sizeof(why)), 0);
}

static void a_huge_machine_costs_what_it_touches(void **state)
{
    struct heard h;
    struct isthmus_config config = config_for(&h);
    struct isthmus *m;
    uint64_t word = 0x1122334455667788, back = 0;

    (void)state;
    config.memory = ISTHMUS_MEMORY_MAX;
    config.harts = ISTHMUS_HARTS_MAX;
    m = isthmus_new(&config, NULL);
    assert_non_null(m);
    assert_int_equal(isthmus_mem_write(m, RAM + ISTHMUS_MEMORY_MAX - 8, &word, 8), 0);
    assert_int_equal(isthmus_mem_read(m, RAM + ISTHMUS_MEMORY_MAX - 8, &back, 8), 0);
    assert_int_equal(back, word);
    assert_int_equal(isthmus_mem_read(m, RAM + ISTHMUS_MEMORY_MAX - 4, &back, 8), -EFAULT);
    isthmus_free(m);
}

static void harts_start_with_id_and_device_tree(void **state)
{
    struct heard h;
    uint32_t magic = 0;

    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct isthmus *m = MACHINE(&h, sleep_for_ever, deterministic, 3);
        struct isthmus_limits limits = {.instructions = 1000, .nanoseconds = 200000000};

        isthmus_run(m, &limits);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(reg(m, i, "a0"), i);
            assert_int_equal(reg(m, i, "priv"), 3);
            assert_int_equal(isthmus_mem_read(m, reg(m, i, "a1"), &magic, 4), 0);
            assert_int_equal(magic, 0xedfe0dd0); /* big-endian d00dfeed */
        }
        isthmus_free(m);
    }
}

static void stepping_is_exact(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, false, 2);
    uint64_t before = 0, after = 0;

    (void)state;
    assert_int_equal(reg(m, 1, "pc"), 0x1000);
    assert_int_equal(isthmus_reg_write(m, 1, ISTHMUS_REG_PC, RAM), 0);
    assert_int_equal(isthmus_reg_write(m, 1, ISTHMUS_REG_X + 10, 0), 0);
    assert_int_equal(isthmus_counter(m, "harts.1.instructions", &before), 0);
    for (unsigned i = 1; i <= 9; i++) {
        assert_int_equal(isthmus_step(m, 1, 1), 0);
        assert_int_equal(reg(m, 1, "pc"), i % 2 ? RAM + 4 : RAM);
        assert_int_equal(reg(m, 1, "a0"), (i + 1) / 2);
    }
    assert_int_equal(isthmus_step(m, 1, 1001), 0);
    assert_int_equal(reg(m, 1, "x10"), 505);
    assert_int_equal(isthmus_counter(m, "harts.1.instructions", &after), 0);
    assert_int_equal(after - before, 1010);
    assert_int_equal(isthmus_step(m, 2, 1), -EINVAL);
    assert_int_equal(isthmus_counter(m, "no.such.counter", &after), -ENOENT);
    isthmus_free(m);
}

static void a_limit_of_instructions_is_exact(void **state)
{
    struct heard h;

    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        for (unsigned harts = 1; harts <= 3; harts += 2) {
            struct isthmus *m = MACHINE(&h, loop, deterministic, harts);
            struct isthmus_limits limits = {.instructions = 100003};
            uint64_t n = 0;

            assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_LIMIT);
            assert_int_equal(isthmus_counter(m, "instructions", &n), 0);
            assert_int_equal(n, 100003);
            assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_LIMIT);
            assert_int_equal(isthmus_counter(m, "instructions", &n), 0);
            assert_int_equal(n, 200006);
            isthmus_free(m);
        }
    }
}

/* A run in pieces gives every hart its turns. */
static void deterministic_turns_go_on_over_short_runs(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, true, 2);
    struct isthmus_limits limits = {.instructions = 100};

    (void)state;
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_LIMIT);
    assert_int_equal(reg(m, 0, "a0"), (2000 - 6) / 2);
    assert_int_equal(reg(m, 1, "a0"), 1 + (2000 - 6) / 2);
    isthmus_free(m);
}

static void a_limit_of_time_is_kept(void **state)
{
    struct heard h;

    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct isthmus *m = MACHINE(&h, loop, deterministic, 1);
        struct isthmus_limits limits = {.nanoseconds = 20000000};

        assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_TIMEOUT);
        assert_true(reg(m, 0, "a0") > 1000);
        isthmus_free(m);
    }
}

static void *stop_soon(void *m)
{
    usleep(20000);
    isthmus_stop(m);
    return NULL;
}

static void another_thread_stops_it(void **state)
{
    struct heard h;
    pthread_t thread;

    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct isthmus *m = MACHINE(&h, loop, deterministic, 2);

        pthread_create(&thread, NULL, stop_soon, m);
        assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_REQUESTED);
        pthread_join(thread, NULL);
        isthmus_stop(m); /* before it runs */
        assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_REQUESTED);
        isthmus_free(m);
    }
}

static void sleepers_are_stopped_or_found_out(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, sleep_for_ever, false, 2);
    struct isthmus_limits limits = {.nanoseconds = 20000000};

    (void)state;
    assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_TIMEOUT);
    assert_int_equal(isthmus_step(m, 0, 1), -EAGAIN);
    isthmus_free(m);
    m = MACHINE(&h, sleep_for_ever, true, 2);
    assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_IDLE);
    isthmus_free(m);
}

static void a_guest_prints_and_powers_off(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, print_and_pass, false, 1);

    (void)state;
    assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_EXIT);
    assert_int_equal(isthmus_exit_code(m), 0);
    assert_string_equal(h.output, "AB");
    assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_EXIT); /* it stays off */
    assert_string_equal(h.output, "AB");
    isthmus_reset(m);
    assert_int_equal(reg(m, 0, "pc"), 0x1000);
    assert_int_equal(isthmus_mem_write(m, RAM, print_and_pass, sizeof(print_and_pass)), 0);
    assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_EXIT);
    assert_string_equal(h.output, "ABAB");
    isthmus_free(m);
}

/* A kernel of a size that the machine does not keep; the program, and something at its end. */
enum { LARGE = 1 << 20, LARGE_END = LARGE - 8 };

static void write_large(const char *path, char fill)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(print_and_pass, sizeof(print_and_pass), 1, f), 1);
    while (ftell(f) < LARGE)
        fputc(fill, f);
    assert_int_equal(fclose(f), 0);
}

static struct isthmus *machine_of_file(struct heard *h, char path[], char fill)
{
    struct isthmus_config config = config_for(h);
    struct isthmus *m;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    write_large(path, fill);
    config.kernel = path;
    m = isthmus_new(&config, NULL);
    assert_non_null(m);
    h->m = m;
    return m;
}

static void expect_large(struct isthmus *m, struct heard *h, char fill)
{
    char end[8], want[8];

    memset(want, fill, sizeof(want));
    assert_int_equal(isthmus_mem_read(m, RAM + LARGE_END, end, sizeof(end)), 0);
    assert_memory_equal(end, want, sizeof(end));
    h->output_n = 0;
    assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_EXIT);
    assert_memory_equal(h->output, "AB", 2);
}

/* Files that are replaced or removed, as compilers and editors do, are still there for a reset. */
static void a_reset_loads_files_again(void **state)
{
    char path[] = "/tmp/isthmus-api-XXXXXX", other[] = "/tmp/isthmus-api-XXXXXX";
    struct heard h;
    struct isthmus *m = machine_of_file(&h, path, 'x');
    int fd = mkstemp(other);

    (void)state;
    for (int i = 0; i < 3; i++) {
        expect_large(m, &h, 'x');
        assert_int_equal(isthmus_mem_write(m, RAM + LARGE_END, "changed!", 8), 0);
        if (i == 0) {
            write_large(other, 'y');
            assert_int_equal(rename(other, path), 0);
        } else {
            unlink(path);
        }
        assert_int_equal(isthmus_reset(m), 0);
    }
    expect_large(m, &h, 'x');
    assert_string_equal(h.log, "");
    close(fd);
    isthmus_free(m);
}

/* One that was changed in place is no more what the machine was made of. */
static void a_reset_with_a_changed_file_is_refused(void **state)
{
    for (int how = 0; how < 2; how++) {
        char path[] = "/tmp/isthmus-api-XXXXXX";
        struct heard h;
        struct isthmus *m = machine_of_file(&h, path, 'x');

        expect_large(m, &h, 'x');
        if (how == 0)
            assert_int_equal(truncate(path, 100), 0);
        else
            write_large(path, 'y');
        assert_int_equal(isthmus_reset(m), -ESTALE);
        assert_non_null(strstr(h.log, path));
        assert_non_null(strstr(h.log, "changed"));
        assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_ERROR);
        unlink(path);
        isthmus_free(m);
    }
}

static void typed_input_comes_back_and_a_hook_may_stop(void **state)
{
    struct heard h;

    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct isthmus *m = MACHINE(&h, echo, deterministic, 1);

        h.stop_at = '!';
        assert_int_equal(isthmus_input(m, "hello!", 6), 6);
        assert_int_equal(isthmus_run(m, NULL), ISTHMUS_STOP_REQUESTED);
        assert_string_equal(h.output, "hello!");
        isthmus_free(m);
    }
}

static void registers_have_names_and_rules(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, false, 1);
    uint64_t value;

    (void)state;
    assert_int_equal(isthmus_reg_number("x0"), 0);
    assert_int_equal(isthmus_reg_number("sp"), 2);
    assert_int_equal(isthmus_reg_number("t6"), 31);
    assert_int_equal(isthmus_reg_number("ft11"), ISTHMUS_REG_F + 31);
    assert_int_equal(isthmus_reg_number("f31"), ISTHMUS_REG_F + 31);
    assert_int_equal(isthmus_reg_number("mstatus"), ISTHMUS_REG_CSR + 0x300);
    assert_int_equal(isthmus_reg_number("hiwt"), ISTHMUS_REG_CSR + 0x6c0);
    assert_int_equal(isthmus_reg_number("x32"), -ENOENT);
    assert_int_equal(isthmus_reg_number("x01"), -ENOENT);
    assert_int_equal(isthmus_reg_number(""), -ENOENT);
    for (unsigned r = 0; r < 64; r++) {
        assert_int_equal(isthmus_reg_write(m, 0, r, r * 0x0101010101010101), 0);
        assert_int_equal(isthmus_reg_read(m, 0, r, &value), 0);
        assert_int_equal(value, r * 0x0101010101010101);
    }
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_CSR + 0x340, 77), 0);
    assert_int_equal(reg(m, 0, "mscratch"), 77);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_CSR + 0xf14, 1), -EINVAL); /* mhartid */
    assert_int_equal(isthmus_reg_read(m, 0, ISTHMUS_REG_CSR + 0x7ff, &value), -EINVAL);
    assert_int_equal(isthmus_reg_read(m, 0, 99, &value), -EINVAL);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_V, 1), -EINVAL); /* M-mode */
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PRIV, 1), 0);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_V, 1), 0);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PRIV, 2), -EINVAL);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PRIV, 3), 0);
    assert_int_equal(reg(m, 0, "v"), 0);
    isthmus_free(m);
}

/* An Sv39 table that maps 1 GiB at 0x4000000000 - one leaf - onto RAM. */
static void virtual_memory_is_seen_as_the_hart_sees_it(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, false, 1);
    uint64_t table = RAM + 0x100000, va = 0x1040000000, pte = (RAM >> 12) << 10 | 0xc7;
    char text[8] = "", across[8192];

    (void)state;
    assert_int_equal(isthmus_mem_write(m, table + (va >> 30) * 8, &pte, 8), 0);
    assert_int_equal(
        isthmus_reg_write(m, 0, ISTHMUS_REG_CSR + 0x180, UINT64_C(8) << 60 | table >> 12), 0);
    /* All of memory, by PMP, for less than M-mode. */
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_CSR + 0x3b0, UINT64_MAX), 0);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_CSR + 0x3a0, 0x1f), 0);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PRIV, 1), 0);
    assert_int_equal(isthmus_virt_write(m, 0, va + 0x2ffd, "across", 6), 0);
    assert_int_equal(isthmus_mem_read(m, RAM + 0x2ffd, text, 6), 0);
    assert_string_equal(text, "across");
    memset(text, 0, sizeof(text));
    assert_int_equal(isthmus_virt_read(m, 0, va + 0x2ffd, text, 6), 0);
    assert_string_equal(text, "across");
    assert_int_equal(isthmus_virt_read(m, 0, va - 1, text, 1), -EFAULT);
    assert_int_equal(isthmus_virt_read(m, 0, va + (4 << 20) - 4096, across, 8192), -EFAULT);
    assert_int_equal(isthmus_virt_read(m, 1, va, text, 1), -EINVAL);
    isthmus_free(m);
}

static void an_access_is_explained(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, true, 1);
    char text[512], little[8];

    (void)state;
    assert_int_equal(isthmus_explain(m, 0, RAM + 8, ISTHMUS_STORE, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "The store is allowed: va 0x80000008 is pa 0x80000008."));
    assert_int_equal(isthmus_explain(m, 0, 0x10, ISTHMUS_FETCH, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "fails with instruction access fault (1): "));
    assert_int_equal(isthmus_explain(m, 0, RAM, ISTHMUS_LOAD, little, sizeof(little)), 0);
    assert_string_equal(little, "load at");
    assert_int_equal(isthmus_explain(m, 0, RAM, ISTHMUS_LOAD, text, 0), -EINVAL);
    assert_int_equal(isthmus_explain(m, 1, RAM, ISTHMUS_LOAD, text, sizeof(text)), -EINVAL);
    assert_int_equal(isthmus_explain(m, 0, RAM, 3, text, sizeof(text)), -EINVAL);
    isthmus_free(m);
}

static void code_that_is_written_is_the_code_that_runs(void **state)
{
    struct heard h;
    struct isthmus *m = MACHINE(&h, loop, false, 1);
    uint32_t by_seven = 0x00750513; /* addi a0, a0, 7 */

    (void)state;
    isthmus_reg_write(m, 0, ISTHMUS_REG_PC, RAM);
    isthmus_step(m, 0, 100);
    isthmus_mem_write(m, RAM, &by_seven, 4);
    isthmus_reg_write(m, 0, ISTHMUS_REG_X + 10, 0);
    isthmus_step(m, 0, 100);
    assert_int_equal(reg(m, 0, "a0"), 350);
    isthmus_free(m);
}

static void instructions_are_disassembled(void **state)
{
    char text[64];
    uint32_t add = 0x00b50533;
    uint16_t ret = 0x8082;

    (void)state;
    assert_int_equal(isthmus_disassemble(0, &add, 4, text, sizeof(text)), 4);
    assert_int_equal(strncmp(text, "add", 3), 0);
    assert_int_equal(isthmus_disassemble(0, &ret, 2, text, sizeof(text)), 2);
    assert_int_equal(isthmus_disassemble(0, &add, 2, text, sizeof(text)), 0);
    assert_int_equal(isthmus_disassemble(0, &add, 1, text, sizeof(text)), 0);
}

static void versions_agree(void **state)
{
    (void)state;
    assert_int_equal(isthmus_abi(), ISTHMUS_ABI);
    assert_true(strlen(isthmus_version()) > 0);
}

/* A guest whose translations never have room enough, of as many rounds as a3 has; then it powers
 * off with code 7. a4: where it is. Result: instructions. */
static unsigned write_crowd(uint32_t *code)
{
    enum { BLOCKS = 400 };
    static const uint32_t end[] = {
        0xfff68693, /* addi a3, a3, -1 */
        0x00068463, /* beqz a3, 8 */
        0x00070067, /* jr a4 */
        0x00100537, /* lui a0, 0x100 */
        0x000735b7, /* lui a1, 0x73 */
        0x33358593, /* addi a1, a1, 0x333 */
        0x00b52023, /* sw a1, 0(a0) */
        0x0000006f, /* j . */
    };
    unsigned n = 0;

    while (n < 2 * BLOCKS) {
        code[n++] = 0x00158593; /* addi a1, a1, 1 */
        code[n++] = 0x0040006f; /* j 4 */
    }
    memcpy(code + n, end, sizeof(end));
    return n + (unsigned)(sizeof(end) / sizeof(end[0]));
}

/* Also where the run was to end for another reason. */
static void a_power_off_is_not_lost(void **state)
{
    static const uint32_t code[] = {
        0x00100537, /* lui a0, 0x100 */
        0x000635b7, /* lui a1, 0x63 */
        0x3335859b, /* addiw a1, a1, 0x333: fail, code 6 */
        0x00b52023, /* sw a1, 0(a0) */
        0x0000006f, /* j . */
    };
    struct isthmus_limits limits = {.nanoseconds = 300000000};
    struct heard h;
    struct isthmus *m = MACHINE(&h, code, false, 1);

    (void)state;
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PC, RAM), 0);
    isthmus_stop(m);
    assert_int_equal(isthmus_step(m, 0, 5), 0);
    assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_EXIT);
    assert_int_equal(isthmus_exit_code(m), 6);
    assert_int_equal(isthmus_reset(m), 0);
    assert_int_equal(isthmus_mem_write(m, RAM, code, sizeof(code)), 0);
    assert_int_equal(isthmus_reg_write(m, 0, ISTHMUS_REG_PC, RAM), 0);
    assert_int_equal(isthmus_step(m, 0, 5), 0);
    assert_int_equal(isthmus_reset(m), 0);
    assert_int_equal(isthmus_mem_write(m, RAM, &code[4], sizeof(code[4])), 0);
    assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_TIMEOUT);
    assert_int_equal(isthmus_exit_code(m), 0);
    isthmus_free(m);
}

/* Harts leave their loops while room is made; what ends the run at that moment is not lost. */
static void a_power_off_meets_a_full_code_buffer(void **state)
{
    enum { RUNS = 150, A3 = 13, A4 = 14 };
    struct isthmus_limits limits = {.nanoseconds = UINT64_C(20000000000)};
    uint32_t code[1024];
    size_t bytes = write_crowd(code) * sizeof(code[0]);

    (void)state;
    for (unsigned i = 0; i < RUNS; i++) {
        struct heard h;
        struct isthmus_config config = config_for(&h);
        struct isthmus *m;

        config.harts = 2;
        config.translate_after = 1;
        config.code_buffer = 64 << 10;
        m = isthmus_new(&config, NULL);
        assert_non_null(m);
        assert_int_equal(isthmus_mem_write(m, RAM, code, bytes), 0);
        for (unsigned hart = 0; hart < 2; hart++) {
            assert_int_equal(isthmus_reg_write(m, hart, ISTHMUS_REG_PC, RAM), 0);
            assert_int_equal(isthmus_reg_write(m, hart, ISTHMUS_REG_X + A3, 5 + i % 40), 0);
            assert_int_equal(isthmus_reg_write(m, hart, ISTHMUS_REG_X + A4, RAM), 0);
        }
        assert_int_equal(isthmus_run(m, &limits), ISTHMUS_STOP_EXIT);
        assert_int_equal(isthmus_exit_code(m), 7);
        isthmus_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_agree),
        cmocka_unit_test(impossible_configs_are_refused_with_a_reason),
        cmocka_unit_test(what_is_missing_in_a_config_is_named),
        cmocka_unit_test(a_huge_machine_costs_what_it_touches),
        cmocka_unit_test(harts_start_with_id_and_device_tree),
        cmocka_unit_test(stepping_is_exact),
        cmocka_unit_test(a_limit_of_instructions_is_exact),
        cmocka_unit_test(deterministic_turns_go_on_over_short_runs),
        cmocka_unit_test(a_limit_of_time_is_kept),
        cmocka_unit_test(another_thread_stops_it),
        cmocka_unit_test(sleepers_are_stopped_or_found_out),
        cmocka_unit_test(a_guest_prints_and_powers_off),
        cmocka_unit_test(a_power_off_is_not_lost),
        cmocka_unit_test(a_power_off_meets_a_full_code_buffer),
        cmocka_unit_test(a_reset_loads_files_again),
        cmocka_unit_test(a_reset_with_a_changed_file_is_refused),
        cmocka_unit_test(typed_input_comes_back_and_a_hook_may_stop),
        cmocka_unit_test(registers_have_names_and_rules),
        cmocka_unit_test(virtual_memory_is_seen_as_the_hart_sees_it),
        cmocka_unit_test(an_access_is_explained),
        cmocka_unit_test(code_that_is_written_is_the_code_that_runs),
        cmocka_unit_test(instructions_are_disassembled),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
