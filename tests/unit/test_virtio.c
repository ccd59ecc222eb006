/* SPDX-License-Identifier: MIT */
/* The virtio transport, rings of both formats, and what is done about drivers that break the rules.
 * The device behind them is the entropy device: it fills what it is given. */
#include "virtio_driver.h"

#include "dev/virtio/entropy.h"

#define ALL_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_RESET)

static int setup(void **state)
{
    struct driver *d = malloc(sizeof(*d));
    struct virtio_setup s;
    int err;

    assert_non_null(d);
    driver_init(d);
    s = driver_setup(d);
    driver_attach(d, entropy_new(true, &s, &err));
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    driver_end(*state);
    free(*state);
    return 0;
}

/* --- Transport --- */

static void slots_tell_who_they_are(void **state)
{
    struct driver *d = *state, empty = *d;

    empty.slot.device = NULL;
    assert_int_equal(reg_read(d, VIRTIO_MMIO_MAGIC), 0x74726976);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_VERSION), 2);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_ENTROPY);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_VENDOR_ID), 0x554d4551); /* xv6 looks at it */
    assert_int_equal(reg_read(&empty, VIRTIO_MMIO_MAGIC), 0x74726976);
    assert_int_equal(reg_read(&empty, VIRTIO_MMIO_VERSION), 2);
    assert_int_equal(reg_read(&empty, VIRTIO_MMIO_DEVICE_ID), 0);
    reg_write(&empty, VIRTIO_MMIO_STATUS, 1);
    assert_int_equal(reg_read(&empty, VIRTIO_MMIO_STATUS), 0);
}

static void registers_take_aligned_words_only(void **state)
{
    struct driver *d = *state;
    uint64_t value;

    assert_false(virtio_mmio_ops.read(&d->slot, VIRTIO_MMIO_MAGIC, 1, &value));
    assert_false(virtio_mmio_ops.read(&d->slot, VIRTIO_MMIO_MAGIC, 8, &value));
    assert_false(virtio_mmio_ops.write(&d->slot, VIRTIO_MMIO_STATUS, 2, 1));
    assert_true(virtio_mmio_ops.read(&d->slot, VIRTIO_MMIO_CONFIG + 0xff, 1, &value));
    assert_int_equal(value, 0);
}

static void features_beyond_the_offer_are_refused(void **state)
{
    struct driver *d = *state;

    assert_true(offered(d) & VIRTIO_F_VERSION_1);
    assert_false(negotiate(d, VIRTIO_F_VERSION_1 | BIT(0)));
    assert_true(negotiate(d, 0)); /* xv6 never asks for VERSION_1 */
    assert_true(negotiate(d, VIRTIO_F_VERSION_1));
    /* Then they stay. */
    reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    assert_int_equal(d->slot.device->features, VIRTIO_F_VERSION_1);
}

static void driver_ok_needs_features_ok(void **state)
{
    struct driver *d = *state;

    reg_write(d, VIRTIO_MMIO_STATUS, 3 | VIRTIO_STATUS_DRIVER_OK);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_STATUS), 3);
}

static void reset_forgets_everything(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 64, true};

    driver_start(d, ALL_FEATURES, 1);
    assert_int_equal(exchange(d, 0, &p, 1, false), 64);
    assert_true(d->irq);
    reg_write(d, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_false(d->irq);
    notify(d, 0);
}

static void a_queue_can_be_reset_alone(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 64, true};

    driver_start(d, ALL_FEATURES, 1);
    reg_write(d, VIRTIO_MMIO_QUEUE_RESET, 1);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_RESET), 0);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(exchange(d, 0, &p, 1, false), -1);
    queue_up(d, 0, RING);
    assert_int_equal(exchange(d, 0, &p, 1, false), 64);
}

static void acknowledging_lowers_the_wire(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 1, true};

    driver_start(d, 0, 1);
    exchange(d, 0, &p, 1, false);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED);
    reg_write(d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED);
    assert_false(d->irq);
}

/* --- Rings that are used as they should be --- */

static bool filled(struct driver *d, uint64_t pa, size_t n)
{
    unsigned zeros = 0;

    for (size_t i = 0; i < n; i++)
        zeros += *ram(d, pa + i) == 0;
    return zeros < 1 + n / 16;
}

static void chains_of_all_shapes(struct driver *d, uint64_t features)
{
    struct part parts[] = {
        {RAM + DATA, 3, false}, {RAM + DATA + 0x100, 100, true}, {RAM + DATA + 0x203, 57, true},
        {0, 0, true},
    };

    driver_start(d, features, 1);
    for (unsigned turn = 0; turn < 5 * RING; turn++) {
        bool indirect = (features & VIRTIO_F_INDIRECT_DESC) && turn % 3 == 0;
        unsigned n = 1 + turn % 3;

        memset(ram(d, RAM + DATA), 0, 0x400);
        assert_int_equal(exchange(d, 0, parts + 1, n, indirect), n == 1 ? 100 : 157);
        assert_true(filled(d, RAM + DATA + 0x100, 100));
        assert_true(n == 1 || filled(d, RAM + DATA + 0x203, 57));
        assert_int_equal(*ram(d, RAM + DATA + 0x100 + 100), 0);
        assert_int_equal(*ram(d, RAM + DATA + 0x203 + 57), 0);
        assert_int_equal(exchange(d, 0, parts, 2, indirect), 100);
        assert_int_equal(*ram(d, RAM + DATA), 0);
    }
    assert_int_equal(d->lines, 0);
}

static void split_chains(void **state)
{
    chains_of_all_shapes(*state, 0);
    chains_of_all_shapes(*state, ALL_FEATURES);
}

static void packed_chains(void **state)
{
    chains_of_all_shapes(*state, VIRTIO_F_RING_PACKED);
    chains_of_all_shapes(*state, VIRTIO_F_RING_PACKED | ALL_FEATURES);
}

static void many_buffers_on_one_notification(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 10, true};

    for (unsigned format = 0; format < 2; format++) {
        driver_start(d, format ? VIRTIO_F_RING_PACKED : 0, 1);
        for (unsigned i = 0; i < RING; i++)
            offer(d, 0, &p, 1, false);
        notify(d, 0);
        for (unsigned i = 0; i < RING; i++)
            assert_int_equal(take_used(d, 0, 1), 10);
        assert_int_equal(take_used(d, 0, 1), -1);
    }
}

static void buffers_offered_before_driver_ok_are_served_then(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 10, true};

    assert_true(negotiate(d, VIRTIO_F_VERSION_1));
    d->packed = false;
    queue_up(d, 0, RING);
    offer(d, 0, &p, 1, false);
    notify(d, 0);
    assert_int_equal(take_used(d, 0, 1), -1);
    reg_write(d, VIRTIO_MMIO_STATUS, 15);
    assert_int_equal(take_used(d, 0, 1), 10);
}

/* Whether serving one buffer raises the interrupt. */
static bool interrupts(struct driver *d)
{
    struct part p = {RAM + DATA, 10, true};

    reg_write(d, VIRTIO_MMIO_INTERRUPT_ACK, 3);
    assert_int_equal(exchange(d, 0, &p, 1, false), 10);
    return d->irq;
}

static void split_interrupts_are_suppressed(void **state)
{
    struct driver *d = *state;
    uint64_t driver = area(0) + DRIVER_PART, event = driver + 4 + 2 * RING;

    driver_start(d, 0, 1);
    assert_true(interrupts(d));
    put16(d, driver, 1);
    assert_false(interrupts(d));
    put16(d, driver, 0);
    assert_true(interrupts(d));

    driver_start(d, VIRTIO_F_EVENT_IDX, 1);
    assert_true(interrupts(d));
    put16(d, event, 3);
    assert_false(interrupts(d));
    assert_false(interrupts(d));
    assert_true(interrupts(d)); /* the used index passed 3 */
    assert_false(interrupts(d));
}

static void packed_interrupts_are_suppressed(void **state)
{
    struct driver *d = *state;
    uint64_t driver = area(0) + DRIVER_PART;

    driver_start(d, VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX, 1);
    assert_true(interrupts(d));
    put16(d, driver + 2, 1);
    assert_false(interrupts(d));
    put16(d, driver, 1 << 15 | 4); /* entry 4 of this turn */
    put16(d, driver + 2, 2);
    assert_false(interrupts(d)); /* 2 */
    assert_false(interrupts(d));
    assert_true(interrupts(d)); /* 4 */
    put16(d, driver, 1);        /* entry 1 of the next turn */
    for (unsigned i = 5; i < RING + 1; i++)
        assert_false(interrupts(d));
    assert_true(interrupts(d));
}

static void the_device_says_where_it_waits(void **state)
{
    struct driver *d = *state;
    struct part p = {RAM + DATA, 10, true};
    uint64_t device = area(0) + DEVICE_PART;

    driver_start(d, VIRTIO_F_EVENT_IDX, 1);
    for (unsigned i = 1; i < 20; i++) {
        exchange(d, 0, &p, 1, false);
        assert_int_equal(get16(d, device + 4 + 8 * RING), i);
    }
    driver_start(d, VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED, 1);
    exchange(d, 0, &p, 1, false);
    assert_int_equal(get16(d, device), 1 << 15 | 1);
    assert_int_equal(get16(d, device + 2), 2);
}

/* --- Drivers that break the rules --- */

static void gives_up(struct driver *d, const char *what)
{
    struct part good = {RAM + DATA, 8, true};
    unsigned lines = d->lines;

    notify(d, 0);
    if (!needs_reset(d) || !strstr(d->logged, what))
        fail_msg("expected the device to give up over '%s'; it said '%s'", what, d->logged);
    assert_int_equal(d->lines, lines + 1);
    assert_true(d->irq); /* the configuration-change interrupt */
    assert_int_equal(exchange(d, 0, &good, 1, false), -1);
    assert_int_equal(d->lines, lines + 1);
    /* A reset makes it good again. */
    driver_start(d, ALL_FEATURES | (d->packed ? VIRTIO_F_RING_PACKED : 0), 1);
    assert_int_equal(exchange(d, 0, &good, 1, false), 8);
    driver_start(d, ALL_FEATURES | (d->packed ? VIRTIO_F_RING_PACKED : 0), 1);
}

static void buffers_outside_ram(void **state)
{
    static const struct part bad[] = {
        {0, 8, true},
        {0x1000, 8, true}, /* boot ROM */
        {RAM + RAM_BYTES - 7, 8, true},
        {RAM - 1, 8, true},
        {RAM + DATA, UINT32_MAX, true},
        {UINT64_MAX - 3, 8, true},
        {UINT64_MAX - 3, 8, false},
    };
    struct driver *d = *state;

    for (unsigned i = 0; i < 4 * ARRAY_SIZE(bad); i++) {
        driver_start(d, ALL_FEATURES | (i & 1 ? VIRTIO_F_RING_PACKED : 0), 1);
        offer(d, 0, &bad[i / 4], 1, i & 2);
        gives_up(d, "a buffer is not in RAM");
    }
}

static void what_is_read_behind_what_is_written(void **state)
{
    struct part parts[] = {{RAM + DATA, 8, true}, {RAM + DATA, 8, false}};
    struct driver *d = *state;

    for (unsigned i = 0; i < 4; i++) {
        driver_start(d, ALL_FEATURES | (i & 1 ? VIRTIO_F_RING_PACKED : 0), 1);
        offer(d, 0, parts, 2, i & 2);
        gives_up(d, "stands behind one to write");
    }
}

static void indirect_tables_that_cannot_be(void **state)
{
    static const struct {
        uint64_t pa;
        uint32_t len;
        const char *what;
    } bad[] = {
        {RAM + DATA, 0, "impossible length"},
        {RAM + DATA, 17, "impossible length"},
        {RAM + DATA, 16 * (VIRTQ_CHAIN_MAX + 1), "impossible length"},
        {RAM + RAM_BYTES - 16, 32, "table is not in RAM"},
        {0, 16, "table is not in RAM"},
    };
    struct driver *d = *state;

    for (unsigned i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
        bool packed = i & 1;

        driver_start(d, ALL_FEATURES | (packed ? VIRTIO_F_RING_PACKED : 0), 1);
        if (packed) {
            put_desc(d, area(0), bad[i / 2].pa, bad[i / 2].len, 7, INDIRECT | AVAIL);
        } else {
            put_desc(d, area(0), bad[i / 2].pa, bad[i / 2].len, INDIRECT, 0);
            make_available(d, 0, 0);
        }
        gives_up(d, bad[i / 2].what);
    }
}

static void indirect_where_none_may_be(void **state)
{
    struct driver *d = *state;

    driver_start(d, 0, 1); /* not negotiated */
    put_desc(d, area(0), RAM + DATA, 16, INDIRECT, 0);
    make_available(d, 0, 0);
    gives_up(d, "not negotiated");
    put_desc(d, area(0), RAM + DATA, 16, INDIRECT | NEXT, 1);
    make_available(d, 0, 0);
    gives_up(d, "where none may be");
    put_desc(d, area(0), RAM + DATA, 16, INDIRECT, 0); /* a table in a table */
    put_desc(d, RAM + DATA, RAM + DATA, 16, INDIRECT, 0);
    make_available(d, 0, 0);
    gives_up(d, "where none may be");
}

static void split_chains_that_cannot_be(void **state)
{
    struct driver *d = *state;

    driver_start(d, ALL_FEATURES, 1);
    put_desc(d, area(0), RAM + DATA, 8, NEXT | WRITE, 0); /* follows itself */
    make_available(d, 0, 0);
    gives_up(d, "does not end");
    put_desc(d, area(0), RAM + DATA, 8, NEXT | WRITE, RING);
    make_available(d, 0, 0);
    gives_up(d, "number is too large");
    make_available(d, 0, RING);
    gives_up(d, "number is too large");
    put_desc(d, area(0), RAM + DATA, 32, INDIRECT, 0); /* a table that follows itself */
    put_desc(d, RAM + DATA, RAM + DATA, 8, NEXT | WRITE, 1);
    put_desc(d, RAM + DATA + 16, RAM + DATA, 8, NEXT | WRITE, 0);
    make_available(d, 0, 0);
    gives_up(d, "does not end");
    put16(d, area(0) + DRIVER_PART + 2, RING + 1);
    gives_up(d, "more buffers are available");
}

static void packed_chains_that_cannot_be(void **state)
{
    struct driver *d = *state;

    driver_start(d, ALL_FEATURES | VIRTIO_F_RING_PACKED, 1);
    for (unsigned i = 0; i < RING; i++)
        put_desc(d, area(0) + 16 * i, RAM + DATA, 8, 7, NEXT | WRITE | AVAIL);
    gives_up(d, "does not end");
    put_desc(d, area(0), RAM + DATA, 8, 7, NEXT | WRITE | AVAIL);
    put_desc(d, area(0) + 16, RAM + DATA, 16, 7, INDIRECT | AVAIL);
    gives_up(d, "where none may be");
}

static void rings_in_places_that_cannot_be(void **state)
{
    static const struct {
        uint32_t size;
        uint64_t desc, driver, device;
        bool packed_too;
        const char *what;
    } bad[] = {
        {0, RAM, RAM, RAM, true, "size is not possible"},
        {VIRTQ_SIZE_MAX + 1, RAM, RAM, RAM, true, "size is not possible"},
        {6, RAM, RAM, RAM, false, "not a power of 2"},
        {8, RAM + 8, RAM, RAM, true, "not aligned"},
        {8, RAM, RAM + 1, RAM, true, "not aligned"},
        {8, RAM, RAM, RAM + 2, true, "not aligned"},
        {8, RAM + RAM_BYTES - 64, RAM, RAM, true, "table is not in RAM"},
        {8, 0, RAM, RAM, true, "table is not in RAM"},
        {8, RAM, RAM + RAM_BYTES, RAM, true, "not in RAM"},
        {8, RAM, RAM, RAM + RAM_BYTES - 8, false, "not in RAM"},
        {8, RAM, RAM, UINT64_MAX & ~UINT64_C(15), true, "not in RAM"},
    };
    struct driver *d = *state;

    for (unsigned i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
        unsigned k = i / 2;

        if ((i & 1) && !bad[k].packed_too)
            continue;
        negotiate(d, VIRTIO_F_VERSION_1 | (i & 1 ? VIRTIO_F_RING_PACKED : 0));
        reg_write(d, VIRTIO_MMIO_QUEUE_SIZE, bad[k].size);
        set_address(d, VIRTIO_MMIO_QUEUE_DESC, bad[k].desc);
        set_address(d, VIRTIO_MMIO_QUEUE_DRIVER, bad[k].driver);
        set_address(d, VIRTIO_MMIO_QUEUE_DEVICE, bad[k].device);
        reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
        assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
        assert_true(needs_reset(d));
        if (!strstr(d->logged, bad[k].what))
            fail_msg("row %u: expected '%s', it said '%s'", k, bad[k].what, d->logged);
    }
}

static void queues_that_do_not_exist(void **state)
{
    struct driver *d = *state;

    driver_start(d, 0, 1);
    reg_write(d, VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_SIZE_MAX), 0);
    reg_write(d, VIRTIO_MMIO_QUEUE_SIZE, 8);
    reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
    reg_write(d, VIRTIO_MMIO_QUEUE_RESET, 1);
    assert_int_equal(reg_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
    notify(d, 1);
    notify(d, UINT32_MAX);
    assert_false(needs_reset(d));
}

/* Worker threads: a device that serves on its own answers all the same, and pauses. */
static void work_on_a_thread(void **state)
{
    struct driver *d = *state;
    struct virtio_setup s = driver_setup(d);
    struct part p = {RAM + DATA, 10, true};
    int err;

    virtio_free(d->slot.device);
    s.threaded = true;
    driver_attach(d, entropy_new(false, &s, &err));
    for (unsigned format = 0; format < 2; format++) {
        driver_start(d, ALL_FEATURES | (format ? VIRTIO_F_RING_PACKED : 0), 1);
        for (unsigned i = 0; i < 100; i++) {
            int64_t n;

            offer(d, 0, &p, 1, false);
            notify(d, 0);
            do {
                worker_pause(&d->slot.device->worker);
                n = take_used(d, 0, 1);
                worker_resume(&d->slot.device->worker);
            } while (n < 0);
            assert_int_equal(n, 10);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slots_tell_who_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(registers_take_aligned_words_only, setup, teardown),
        cmocka_unit_test_setup_teardown(features_beyond_the_offer_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(driver_ok_needs_features_ok, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_forgets_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_can_be_reset_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(acknowledging_lowers_the_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(split_chains, setup, teardown),
        cmocka_unit_test_setup_teardown(packed_chains, setup, teardown),
        cmocka_unit_test_setup_teardown(many_buffers_on_one_notification, setup, teardown),
        cmocka_unit_test_setup_teardown(buffers_offered_before_driver_ok_are_served_then, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(split_interrupts_are_suppressed, setup, teardown),
        cmocka_unit_test_setup_teardown(packed_interrupts_are_suppressed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_device_says_where_it_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(buffers_outside_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_behind_what_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(indirect_tables_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(indirect_where_none_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(split_chains_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(packed_chains_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(rings_in_places_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(queues_that_do_not_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(work_on_a_thread, setup, teardown),
    };

    return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
