/* SPDX-License-Identifier: MIT */
/*
 * What network hardware does for a driver: checksums and TCP segmentation (RFC 1071, 9293). The
 * frame is the guest's word: all offsets in it are checked before they are used.
 */
#include "dev/net/net.h"

#include <string.h>

enum { ETHERNET = 14, IPV4_MIN = 20, IPV6_HEADER = 40, TCP_MIN = 20, HEADERS_MAX = 14 + 60 + 60 };
enum { SEGMENT_MIN = 48, SEGMENT_BUFFER = HEADERS_MAX + 65536 };
enum { PROTOCOL_TCP = 6, TCP_FIN = 1, TCP_PSH = 8, TCP_CWR = 0x80 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value & 0xffff);
}

/* The sum of big-endian words, the last padded by zero. */
static uint64_t sum(const uint8_t *p, size_t n)
{
    uint64_t total = 0;

    for (; n > 1; n -= 2, p += 2)
        total += get16(p);
    return n ? total + ((uint32_t)*p << 8) : total;
}

/* The one's complement of a sum. */
static uint16_t fold(uint64_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

bool net_checksum(const struct net_header *h, uint8_t *frame, size_t n)
{
    size_t at = (size_t)h->csum_start + h->csum_offset;
    uint16_t value;

    if (!(h->flags & NET_NEEDS_CSUM))
        return true;
    if (h->csum_start >= n || at + 2 > n)
        return false;
    /* The field holds the pseudo-header's sum. Zero would mean "none" to UDP. */
    value = fold(sum(frame + h->csum_start, n - h->csum_start));
    put16(frame + at, value ? value : 0xffff);
    return true;
}

/* Where things are in a TCP frame. */
struct layout {
    bool v6;
    size_t ip, tcp, data; /* offsets */
};

/* The TCP header is where the checksum starts; what is in between may be options. */
static bool find_layout(const struct net_header *h, const uint8_t *frame, size_t n,
                        struct layout *l)
{
    size_t ip_min;

    l->v6 = (h->gso_type & ~NET_GSO_ECN) == NET_GSO_TCPV6;
    l->ip = ETHERNET;
    ip_min = l->v6 ? IPV6_HEADER : IPV4_MIN;
    if (!l->v6 && (h->gso_type & ~NET_GSO_ECN) != NET_GSO_TCPV4)
        return false;
    l->tcp = h->csum_start;
    if (!(h->flags & NET_NEEDS_CSUM) || l->tcp < l->ip + ip_min || l->tcp + TCP_MIN > n)
        return false;
    if (frame[l->ip] >> 4 != (l->v6 ? 6 : 4))
        return false;
    if (!l->v6 && l->ip + 4 * (frame[l->ip] & 15u) != l->tcp)
        return false;
    l->data = l->tcp + 4 * (frame[l->tcp + 12] >> 4);
    return l->data >= l->tcp + TCP_MIN && l->data < n && l->data <= HEADERS_MAX;
}

static void finish_ip(const struct layout *l, uint8_t *frame, size_t n, unsigned index)
{
    uint8_t *ip = frame + l->ip;

    if (l->v6) {
        put16(ip + 4, (uint32_t)(n - l->ip - IPV6_HEADER));
        return;
    }
    put16(ip + 2, (uint32_t)(n - l->ip));
    put16(ip + 4, get16(ip + 4) + index);
    put16(ip + 10, 0);
    put16(ip + 10, fold(sum(ip, l->tcp - l->ip)));
}

static void finish_tcp(const struct layout *l, uint8_t *frame, size_t n)
{
    const uint8_t *addresses = frame + l->ip + (l->v6 ? 8 : 12);
    uint64_t total = sum(addresses, l->v6 ? 32 : 8) + PROTOCOL_TCP + (n - l->tcp);
    uint8_t *tcp = frame + l->tcp;

    put16(tcp + 16, 0);
    put16(tcp + 16, fold(total + sum(tcp, n - l->tcp)));
}

bool net_segment(const struct net_header *h, uint8_t *frame, size_t n,
                 void (*emit)(void *opaque, const uint8_t *frame, size_t n), void *opaque)
{
    uint8_t segment[SEGMENT_BUFFER];
    struct layout l;
    uint32_t seq;
    uint8_t flags;

    if (h->gso_type == NET_GSO_NONE) {
        if (!net_checksum(h, frame, n))
            return false;
        emit(opaque, frame, n);
        return true;
    }
    if (h->gso_size < SEGMENT_MIN || n > NET_FRAME_MAX || !find_layout(h, frame, n, &l))
        return false;
    seq = get32(frame + l.tcp + 4);
    flags = frame[l.tcp + 13];
    for (size_t at = l.data, i = 0; at < n; at += h->gso_size, i++) {
        size_t piece = min_u64(h->gso_size, n - at);
        bool last = at + piece == n;

        memcpy(segment, frame, l.data);
        memcpy(segment + l.data, frame + at, piece);
        put32(segment + l.tcp + 4, seq + (uint32_t)(at - l.data));
        segment[l.tcp + 13] = (uint8_t)(flags & ~(last ? 0 : TCP_FIN | TCP_PSH) &
                                        ~(i ? TCP_CWR : 0));
        finish_ip(&l, segment, l.data + piece, (unsigned)i);
        finish_tcp(&l, segment, l.data + piece);
        emit(opaque, segment, l.data + piece);
    }
    return true;
}
