// Stage 1: where the headers are and what they say. Nothing is decided here; reading beyond the frame is impossible, the verifier proves it.
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "ambo.h"

// IPv6 extension headers that are followed. Each costs time, so an attacker chooses the length of the chain, but not beyond this;
// ordinary packets have none or one. Longer chains go to Java, which drops and counts them.
#define AMBO_MAX_EXTENSION_HEADERS 6

struct vlan_header {
    __be16 tag;
    __be16 type;
};

// RFC 8200, 4: every extension header but the fragment header begins so; length is in units of 8 bytes and does not count the first.
struct extension_header {
    __u8 next;
    __u8 length;
};

struct fragment_header {
    __u8 next;
    __u8 reserved;
    __be16 offset; // 13 bits of offset, 2 reserved, 1 "more fragments"
    __be32 id;
};

struct packet {
    void *cursor; // the first byte that is not parsed yet
    void *end;
    const struct ethhdr *ethernet;
    const struct iphdr *ipv4;
    const struct ipv6hdr *ipv6;
    __u16 type;     // Ethernet type after any VLAN tag, host order
    __u8 protocol;  // behind any extension headers
    __u8 icmp_type; // of ICMPv6
    __u8 later_fragment; // not the first: there is no transport header
    __u16 vlan;          // 802.1Q id, 0: no tag
};

// Takes `size` bytes off the rest of the frame, or returns NULL when there are fewer.
static __always_inline void *take(struct packet *packet, __u32 size)
{
    void *header = packet->cursor;
    if (header + size > packet->end) return NULL;
    packet->cursor = header + size;
    return header;
}

static __always_inline int parse_ethernet(struct packet *packet)
{
    packet->ethernet = take(packet, sizeof(struct ethhdr));
    if (!packet->ethernet) return 0;
    packet->type = bpf_ntohs(packet->ethernet->h_proto);
    return 1;
}

// One 802.1Q tag is looked through. A second one is left as the type, which is none of ours.
static __always_inline int parse_vlan(struct packet *packet)
{
    if (packet->type != ETH_P_8021Q) return 1;
    const struct vlan_header *vlan = take(packet, sizeof(*vlan));
    if (!vlan) return 0;
    packet->type = bpf_ntohs(vlan->type);
    packet->vlan = bpf_ntohs(vlan->tag) & 0x0FFF;
    return 1;
}

static __always_inline int parse_ipv4(struct packet *packet)
{
    packet->ipv4 = take(packet, sizeof(struct iphdr));
    if (!packet->ipv4 || packet->ipv4->version != 4 || packet->ipv4->ihl < 5) return 0;
    packet->protocol = packet->ipv4->protocol;
    return 1;
}

static __always_inline int parse_ipv6(struct packet *packet)
{
    packet->ipv6 = take(packet, sizeof(struct ipv6hdr));
    if (!packet->ipv6 || packet->ipv6->version != 6) return 0;
    packet->protocol = packet->ipv6->nexthdr;
    return 1;
}

// Follows the extension headers to the transport protocol. Returns 0 when the frame ends before that, or the chain is too long.
static __always_inline int walk_extension_headers(struct packet *packet)
{
    for (int i = 0; i < AMBO_MAX_EXTENSION_HEADERS; i++) {
        switch (packet->protocol) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS: {
            const struct extension_header *header = take(packet, 8);
            if (!header) return 0;
            packet->protocol = header->next;
            if (!take(packet, header->length * 8)) return 0;
            break;
        }
        case IPPROTO_FRAGMENT: {
            const struct fragment_header *fragment = take(packet, sizeof(*fragment));
            if (!fragment) return 0;
            packet->protocol = fragment->next;
            if (fragment->offset & bpf_htons(0xFFF8)) {
                packet->later_fragment = 1;
                return 1;
            }
            break;
        }
        default:
            return 1;
        }
    }
    return 0;
}

static __always_inline int parse_icmpv6(struct packet *packet)
{
    const __u8 *type = take(packet, 1);
    if (!type) return 0;
    packet->icmp_type = *type;
    return 1;
}
