// Stage 2: whose packet is it? The kernel's: what this host sends and receives itself. The workers': TCP, UDP and ICMP for others.
#pragma once

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_PORTS);
    __type(key, __u32); // interface index
    __type(value, struct ambo_port);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, AMBO_NEAR_PORTS);
    __type(key, __u32);
    __type(value, struct ambo_port);
} near_ports SEC(".maps");

// The value means nothing.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_INTERFACES);
    __type(key, struct ambo_vlan);
    __type(value, __u8);
} vlans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_INTERFACES);
    __type(key, __u32); // interface index
    __type(value, struct ambo_egress);
} egresses SEC(".maps");

// Addresses of this host. The value means nothing.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_LOCAL_ADDRESSES);
    __type(key, __be32);
    __type(value, __u8);
} local4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_LOCAL_ADDRESSES);
    __type(key, struct ambo_address6);
    __type(value, __u8);
} local6 SEC(".maps");

static __always_inline const struct ambo_port *find_port(__u32 ifindex)
{
    __u32 place = ifindex % AMBO_NEAR_PORTS;
    const struct ambo_port *port = bpf_map_lookup_elem(&near_ports, &place);
    if (port && port->ifindex == ifindex) return port;
    return bpf_map_lookup_elem(&ports, &ifindex);
}

// A switch may flood frames of other hosts, and an interface that somebody watches with tcpdump receives them all. Were they forwarded,
// both nodes of a pair would forward them. Broadcast and multicast are never forwarded either.
static __always_inline int is_addressed_to(const struct ambo_port *port, const struct ethhdr *ethernet)
{
    const __u16 *destination = (const __u16 *)ethernet->h_dest;
    return destination[0] == port->mac[0] && destination[1] == port->mac[1] && destination[2] == port->mac[2];
}

// Multicast (RFC 5771), limited broadcast (RFC 919), link-local (RFC 3927).
static __always_inline int stays_on_link4(__be32 destination)
{
    __u32 address = bpf_ntohl(destination);
    return (address >> 28) == 0xE || address == 0xFFFFFFFF || (address >> 16) == 0xA9FE;
}

// ff00::/8 and fe80::/10 (RFC 4291, 2.4).
static __always_inline int stays_on_link6(const struct in6_addr *destination)
{
    __u32 prefix = bpf_ntohl(destination->in6_u.u6_addr32[0]);
    return (prefix >> 24) == 0xFF || (prefix >> 22) == 0xFE80 >> 6;
}

static __always_inline int is_local4(__be32 destination)
{
    return bpf_map_lookup_elem(&local4, &destination) != NULL;
}

static __always_inline int is_local6(const struct in6_addr *destination)
{
    struct ambo_address6 key = { {
        destination->in6_u.u6_addr32[0], destination->in6_u.u6_addr32[1],
        destination->in6_u.u6_addr32[2], destination->in6_u.u6_addr32[3],
    } };
    return bpf_map_lookup_elem(&local6, &key) != NULL;
}

// Router and neighbour solicitation and advertisement, redirect (RFC 4861, 4).
static __always_inline int is_neighbour_discovery(__u8 icmp_type)
{
    return icmp_type >= 133 && icmp_type <= 137;
}

static __always_inline enum ambo_verdict classify_ipv4(struct packet *packet)
{
    if (!parse_ipv4(packet)) return AMBO_punted_malformed;
    if (stays_on_link4(packet->ipv4->daddr)) return AMBO_passed_link;
    if (is_local4(packet->ipv4->daddr)) return AMBO_passed_local;
    switch (packet->protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
        return AMBO_punted;
    default:
        return AMBO_passed_protocol;
    }
}

static __always_inline enum ambo_verdict classify_ipv6(struct packet *packet)
{
    if (!parse_ipv6(packet)) return AMBO_punted_malformed;
    if (stays_on_link6(&packet->ipv6->daddr)) return AMBO_passed_link;
    if (is_local6(&packet->ipv6->daddr)) return AMBO_passed_local;
    if (!walk_extension_headers(packet)) return AMBO_punted_malformed;
    switch (packet->protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
        return AMBO_punted;
    case IPPROTO_ICMPV6:
        if (packet->later_fragment) return AMBO_punted;
        if (!parse_icmpv6(packet)) return AMBO_punted_malformed;
        return is_neighbour_discovery(packet->icmp_type) ? AMBO_passed_neighbour_discovery : AMBO_punted;
    case IPPROTO_DSTOPTS:
        // The transport protocol of a later fragment stands in the first one: the worker remembers it.
        return AMBO_punted;
    default:
        return AMBO_passed_protocol;
    }
}

// The way of every frame, in order.
static __always_inline enum ambo_verdict classify(struct packet *packet, const struct ambo_port *port)
{
    if (!parse_ethernet(packet)) return AMBO_dropped_runt;
    if (!is_addressed_to(port, packet->ethernet)) return AMBO_passed_mac;
    if (!parse_vlan(packet)) return AMBO_punted_malformed;
    switch (packet->type) {
    case ETH_P_IP:
        return classify_ipv4(packet);
    case ETH_P_IPV6:
        return classify_ipv6(packet);
    default:
        return AMBO_passed_ethernet_type;
    }
}
