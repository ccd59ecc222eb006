/* SPDX-License-Identifier: MIT */
/* virtio-net: frames between rings and a backend, and the work that headers leave over. */
#include "virtio_driver.h"

#include "dev/virtio/net.h"

#define MRG_RXBUF BIT(15)
enum { RX, TX, HEADER = 12 };

struct net_test {
    struct driver d;
    struct net_backend backend;
    struct net_header header; /* of the last frame sent */
    uint8_t frame[2048];
    size_t n;
    bool room;
};

static void sent(struct net_backend *b, const struct net_header *header, uint8_t *frame, size_t n)
{
    struct net_test *t = (struct net_test *)((char *)b - offsetof(struct net_test, backend));

    t->header = *header;
    t->n = n;
    memcpy(t->frame, frame, min_u64(n, sizeof(t->frame)));
}

static unsigned prepare(struct net_backend *b, struct pollfd *fds, unsigned max, int *timeout_ms,
                        bool room)
{
    (void)fds;
    (void)max;
    (void)timeout_ms;
    ((struct net_test *)((char *)b - offsetof(struct net_test, backend)))->room = room;
    return 0;
}

static void polled(struct net_backend *b, struct pollfd *fds, unsigned n)
{
    (void)b;
    (void)fds;
    (void)n;
}

static void nothing(struct net_backend *b)
{
    (void)b;
}

static int setup(void **state)
{
    static const struct net_backend_ops ops = {
        .send = sent, .prepare = prepare, .polled = polled, .free = nothing};
    static const uint8_t mac[MAC_BYTES] = {2, 3, 4, 5, 6, 7};
    struct net_test *t = calloc(1, sizeof(*t));
    struct virtio_setup s;
    int err;

    driver_init(&t->d);
    t->backend = (struct net_backend){.ops = &ops, .features = NET_F_CSUM | NET_F_GUEST_CSUM};
    s = driver_setup(&t->d);
    driver_attach(&t->d, virtio_net_new(&t->backend, mac, &s, &err));
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct net_test *t = *state;

    driver_end(&t->d);
    free(t);
    return 0;
}

/* A frame of n bytes, all `value`, comes from outside; polled as the worker does. */
static void comes(struct net_test *t, size_t n, uint8_t value)
{
    const struct net_header header = {.flags = NET_DATA_VALID};
    struct virtio *v = t->d.slot.device;
    uint8_t *frame = malloc(n);

    memset(frame, value, n);
    t->backend.receive(t->backend.card, &header, frame, n);
    v->ops->polled(v, NULL, 0);
    free(frame);
}

static void the_header_is_that_of_version_1(void **state)
{
    struct net_test *t = *state;

    assert_false(negotiate(&t->d, 0));
    assert_true(negotiate(&t->d, VIRTIO_F_VERSION_1));
}

static void frames_go_out(void **state)
{
    struct net_test *t = *state;
    struct part parts[] = {{RAM + DATA, 20, false}, {RAM + DATA + 20, 92, false}};

    driver_start(&t->d, 0, 2);
    memset(ram(&t->d, RAM + DATA), 0, HEADER);
    memset(ram(&t->d, RAM + DATA + HEADER), 0x5a, 100);
    assert_int_equal(exchange(&t->d, TX, parts, 2, false), 0);
    assert_int_equal(t->n, 100);
    assert_int_equal(t->frame[0], 0x5a);
    assert_int_equal(t->frame[99], 0x5a);
    parts[0].len = 11; /* less than a header */
    exchange(&t->d, TX, parts, 1, false);
    assert_true(needs_reset(&t->d));
}

static void frames_come_in(void **state)
{
    struct net_test *t = *state;
    struct part p = {RAM + DATA, 200, true};

    driver_start(&t->d, NET_F_GUEST_CSUM, 2);
    assert_int_equal(exchange(&t->d, RX, &p, 1, false), -1);
    comes(t, 100, 0x11);
    assert_int_equal(take_used(&t->d, RX, 1), HEADER + 100);
    assert_int_equal(*ram(&t->d, RAM + DATA), NET_DATA_VALID);
    assert_int_equal(get16(&t->d, RAM + DATA + 10), 1);
    assert_int_equal(*ram(&t->d, RAM + DATA + HEADER + 99), 0x11);
}

static void flags_that_were_not_agreed_on_are_not_shown(void **state)
{
    struct net_test *t = *state;
    struct part p = {RAM + DATA, 200, true};

    driver_start(&t->d, 0, 2);
    exchange(&t->d, RX, &p, 1, false);
    comes(t, 100, 0x11);
    assert_int_equal(take_used(&t->d, RX, 1), HEADER + 100);
    assert_int_equal(*ram(&t->d, RAM + DATA), 0);
}

static void frames_wait_for_buffers(void **state)
{
    struct net_test *t = *state;
    struct part p = {RAM + DATA, 200, true};
    struct virtio *v = t->d.slot.device;
    int timeout;

    driver_start(&t->d, 0, 2);
    comes(t, 50, 1);
    comes(t, 60, 2);
    v->ops->prepare(v, NULL, 0, &timeout);
    assert_false(t->room);
    assert_int_equal(exchange(&t->d, RX, &p, 1, false), HEADER + 50);
    assert_int_equal(exchange(&t->d, RX, &p, 1, false), HEADER + 60);
    v->ops->prepare(v, NULL, 0, &timeout);
    assert_true(t->room);
}

static void large_frames_take_several_buffers(void **state)
{
    struct net_test *t = *state;

    for (unsigned format = 0; format < 2; format++) {
        driver_start(&t->d, MRG_RXBUF | (format ? VIRTIO_F_RING_PACKED : 0), 2);
        for (unsigned i = 0; i < 4; i++)
            offer(&t->d, RX, &(struct part){RAM + DATA + 0x200 * i, 100, true}, 1, false);
        notify(&t->d, RX);
        comes(t, 250, 0x33); /* 262 bytes: three buffers */
        assert_int_equal(get16(&t->d, RAM + DATA + 10), 3);
        assert_int_equal(take_used(&t->d, RX, 1), 100);
        assert_int_equal(take_used(&t->d, RX, 1), 100);
        assert_int_equal(take_used(&t->d, RX, 1), 62);
        assert_int_equal(take_used(&t->d, RX, 1), -1);
        assert_int_equal(*ram(&t->d, RAM + DATA + 0x400 + 61), 0x33);
        /* One buffer is left: the next waits until there are enough, and is whole then. */
        comes(t, 150, 0x44);
        assert_int_equal(take_used(&t->d, RX, 1), -1);
        assert_int_equal(exchange(&t->d, RX, &(struct part){RAM + DATA, 100, true}, 1, false), 100);
        assert_int_equal(take_used(&t->d, RX, 1), 62);
    }
}

static void frames_too_large_for_any_buffer_are_lost(void **state)
{
    struct net_test *t = *state;
    struct part p = {RAM + DATA, 100, true};

    driver_start(&t->d, 0, 2);
    for (unsigned i = 0; i < 3; i++)
        offer(&t->d, RX, &p, 1, false);
    notify(&t->d, RX);
    comes(t, 150, 0x44);
    assert_int_equal(take_used(&t->d, RX, 1), -1);
    comes(t, 50, 0x55);
    assert_int_equal(take_used(&t->d, RX, 1), HEADER + 50);
}

/* --- Segments --- */

enum { SEGMENTS = 8, TCP_AT = 14 + 20, DATA_AT = TCP_AT + 20 };

struct segments {
    unsigned n;
    size_t size[SEGMENTS];
    uint8_t bytes[SEGMENTS][2048];
};

static void keep(void *opaque, const uint8_t *frame, size_t n)
{
    struct segments *s = opaque;

    assert_true(s->n < SEGMENTS && n <= sizeof(s->bytes[0]));
    s->size[s->n] = n;
    memcpy(s->bytes[s->n++], frame, n);
}

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The one's complement sum of n bytes and `more`: 0xffff over data with its checksum. */
static unsigned ones_sum(const uint8_t *p, size_t n, uint32_t more)
{
    for (size_t i = 0; i < n; i++)
        more += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (more >> 16)
        more = (more & 0xffff) + (more >> 16);
    return more;
}

/* A TCP frame over IPv4 with n bytes of data. */
static size_t tcp_frame(uint8_t *frame, size_t n)
{
    memset(frame, 0, DATA_AT);
    memcpy(frame + 12, "\x08\x00\x45\x00", 4);
    memcpy(frame + 14 + 8, "\x40\x06", 2);
    memcpy(frame + 14 + 12, "\x0a\x00\x02\x0f\x0a\x00\x02\x02", 8);
    memcpy(frame + TCP_AT + 4, "\xff\xff\xff\x00", 4); /* the sequence number wraps */
    frame[TCP_AT + 12] = 0x50;
    frame[TCP_AT + 13] = 0x19; /* ACK, PSH, FIN */
    for (size_t i = 0; i < n; i++)
        frame[DATA_AT + i] = (uint8_t)(i * 7 + i / 256);
    return DATA_AT + n;
}

static const struct net_header tso = {
    .flags = NET_NEEDS_CSUM,
    .gso_type = NET_GSO_TCPV4,
    .gso_size = 1000,
    .csum_start = TCP_AT,
    .csum_offset = 16,
};

static void large_segments_are_cut(void **state)
{
    static struct segments s;
    uint8_t frame[4096];
    size_t n = tcp_frame(frame, 2501);

    (void)state;
    s.n = 0;
    assert_true(net_segment(&tso, frame, n, keep, &s));
    assert_int_equal(s.n, 3);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *f = s.bytes[i];
        size_t data = i < 2 ? 1000 : 501;

        assert_int_equal(s.size[i], DATA_AT + data);
        assert_memory_equal(f + DATA_AT, frame + DATA_AT + 1000 * i, data);
        assert_int_equal(be16(f + 14 + 2), 40 + data);
        assert_int_equal(be16(f + 14 + 4), i);
        assert_int_equal(ones_sum(f + 14, 20, 0), 0xffff);
        assert_int_equal(be16(f + TCP_AT + 6), (uint16_t)(0xff00 + 1000 * i));
        assert_int_equal(be16(f + TCP_AT + 4), i == 0 ? 0xffff : 0);
        assert_int_equal(f[TCP_AT + 13], i == 2 ? 0x19 : 0x10);
        assert_int_equal(ones_sum(f + TCP_AT, 20 + data,
                                  ones_sum(f + 14 + 12, 8, 0) + 6 + 20 + (uint32_t)data),
                         0xffff);
    }
}

static void headers_that_do_not_fit_send_nothing(void **state)
{
    static struct segments s;
    uint8_t frame[4096];
    size_t n = tcp_frame(frame, 2501);
    struct net_header h;

    (void)state;
    s.n = 0;
    for (unsigned start = 0; start < 65536; start += start < 64 ? 1 : 997) {
        h = tso;
        h.csum_start = (uint16_t)start;
        if (start != TCP_AT)
            assert_false(net_segment(&h, frame, n, keep, &s));
    }
    h = tso;
    h.gso_size = 1;
    assert_false(net_segment(&h, frame, n, keep, &s));
    h.gso_size = 1000;
    h.gso_type = 3; /* UDP */
    assert_false(net_segment(&h, frame, n, keep, &s));
    assert_false(net_segment(&tso, frame, DATA_AT - 1, keep, &s));
    frame[TCP_AT + 12] = 0xf0; /* options beyond the frame */
    assert_false(net_segment(&tso, frame, DATA_AT + 10, keep, &s));
    assert_int_equal(s.n, 0);
}

static void checksums_are_filled_in(void **state)
{
    struct net_header h = {.flags = NET_NEEDS_CSUM, .csum_start = 14, .csum_offset = 2};
    uint8_t frame[20] = {[14] = 0x12, 0x34, 0x00, 0x10, 0xff, 0xf0};

    (void)state;
    assert_true(net_checksum(&h, frame, sizeof(frame)));
    assert_int_equal(be16(frame + 16), (uint16_t)~(0x1234 + 0x10 + 0xfff0 - 0xffff));
    h.csum_offset = 5;
    assert_false(net_checksum(&h, frame, sizeof(frame)));
    h.csum_start = UINT16_MAX;
    h.csum_offset = UINT16_MAX;
    assert_false(net_checksum(&h, frame, sizeof(frame)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_header_is_that_of_version_1, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_go_out, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_come_in, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_that_were_not_agreed_on_are_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_wait_for_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(large_frames_take_several_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_too_large_for_any_buffer_are_lost, setup, teardown),
        cmocka_unit_test(large_segments_are_cut),
        cmocka_unit_test(headers_that_do_not_fit_send_nothing),
        cmocka_unit_test(checksums_are_filled_in),
    };

    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
