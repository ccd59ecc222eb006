/* SPDX-License-Identifier: MIT */
/* virtio-console: what the driver sends comes out, what is typed comes in, none of it is lost. */
#include "virtio_driver.h"

#include "dev/virtio/console.h"

#include <unistd.h>

enum { RX, TX };

struct fixture {
    struct driver d;
    struct chardev c;
    char out[4096];
    size_t out_n;
};

static void heard(void *opaque, const void *bytes, size_t n)
{
    struct fixture *f = opaque;

    assert_true(f->out_n + n < sizeof(f->out));
    memcpy(f->out + f->out_n, bytes, n);
    f->out_n += n;
    f->out[f->out_n] = '\0';
}

static int set_up(void **state, uint64_t features)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct virtio_setup s;
    int err;

    assert_non_null(f);
    driver_init(&f->d);
    assert_int_equal(chardev_open(&f->c, "console", "none", true, &f->d.log), 0);
    f->c.hook = heard;
    f->c.hook_opaque = f;
    s = driver_setup(&f->d);
    driver_attach(&f->d, virtio_console_new(&f->c, &s, &err));
    driver_start(&f->d, features, 2);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return set_up(state, 0);
}

static int setup_packed(void **state)
{
    return set_up(state, VIRTIO_F_RING_PACKED);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    driver_end(&f->d);
    chardev_close(&f->c);
    free(f);
    return 0;
}

static void it_is_a_console_of_one_port(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reg_read(&f->d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
    assert_int_equal(reg_read(&f->d, VIRTIO_MMIO_CONFIG + 4), 1);
    assert_int_equal(offered(&f->d) & 7, 0); /* no size, no more ports, no emergency write */
}

static void what_is_sent_comes_out_in_order(void **state)
{
    struct fixture *f = *state;
    struct part parts[] = {{RAM + DATA, 6, false}, {RAM + DATA + 600, 300, false}};

    memcpy(ram(&f->d, RAM + DATA), "hello ", 6);
    memset(ram(&f->d, RAM + DATA + 600), 'x', 300);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(exchange(&f->d, TX, parts, 2, false), 0);
    assert_int_equal(f->out_n, 3 * 306);
    assert_memory_equal(f->out, "hello xxx", 9);
    assert_memory_equal(f->out + 306, "hello xxx", 9);
}

static void what_is_typed_fills_the_buffers_that_there_are(void **state)
{
    struct fixture *f = *state;
    struct part first = {RAM + DATA, 4, true}, second = {RAM + DATA + 64, 64, true};

    offer(&f->d, RX, &first, 1, false);
    offer(&f->d, RX, &second, 1, false);
    notify(&f->d, RX);
    assert_int_equal(take_used(&f->d, RX, 1), -1); /* nothing was typed */
    assert_int_equal(chardev_input(&f->c, "abcdefg", 7), 7);
    assert_int_equal(take_used(&f->d, RX, 1), 4);
    assert_int_equal(take_used(&f->d, RX, 1), 3);
    assert_true(f->d.irq);
    assert_memory_equal(ram(&f->d, RAM + DATA), "abcd", 4);
    assert_memory_equal(ram(&f->d, RAM + DATA + 64), "efg", 3);
}

static void input_waits_for_a_buffer(void **state)
{
    struct fixture *f = *state;
    struct part p = {RAM + DATA, 2, true};

    assert_int_equal(chardev_input(&f->c, "abc", 3), 3);
    assert_int_equal(exchange(&f->d, RX, &p, 1, false), 2);
    assert_memory_equal(ram(&f->d, RAM + DATA), "ab", 2);
    assert_int_equal(exchange(&f->d, RX, &p, 1, false), 1);
    assert_memory_equal(ram(&f->d, RAM + DATA), "c", 1);
}

static void a_buffer_outside_ram_ends_it(void **state)
{
    struct fixture *f = *state;
    struct part p = {RAM + RAM_BYTES - 1, 2, false};

    assert_int_equal(exchange(&f->d, TX, &p, 1, false), -1);
    assert_true(needs_reset(&f->d));
    assert_int_equal(f->out_n, 0);
    assert_int_equal(f->d.lines, 1);
    assert_int_equal(chardev_input(&f->c, "abc", 3), 3); /* and nothing happens */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_a_console_of_one_port, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_comes_out_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_comes_out_in_order, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(what_is_typed_fills_the_buffers_that_there_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_typed_fills_the_buffers_that_there_are,
                                        setup_packed, teardown),
        cmocka_unit_test_setup_teardown(input_waits_for_a_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_outside_ram_ends_it, setup, teardown),
    };

    return cmocka_run_group_tests_name("virtio_console", tests, NULL, NULL);
}
