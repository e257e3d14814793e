// Stage 0: established flows. What is in the flow cache, and needs nothing but a hop less, new hardware addresses and perhaps new ends (NAT), is forwarded
// here; all else goes on to the stages after this one. Nothing is opened, closed or refused here: what is out of window goes to Java, which says so.
#pragma once

#include <linux/tcp.h>
#include <linux/udp.h>

#include "classify.h"
#include "punt.h"
#include "tunnel.h"

// The same numbers as in TcpTracker.
#define AMBO_DELTA_SLACK 65536
#define AMBO_UNSCALED_WINDOW 65535
#define AMBO_OLDEST_ACK 66000
#define AMBO_WIDEST (1u << 30)

#define AMBO_FLOW_MAP(name, key_type)            \
    struct {                                     \
        __uint(type, BPF_MAP_TYPE_HASH);         \
        __uint(max_entries, 1); /* set at load */ \
        __type(key, key_type);                   \
        __type(value, struct ambo_flow);         \
    } name SEC(".maps")

AMBO_FLOW_MAP(flows4, struct ambo_flow_key4);
AMBO_FLOW_MAP(flows6, struct ambo_flow_key6);

// Few nodes translate all that they forward, so an entry has no memory before it is there.
#define AMBO_TRANSLATION_MAP(name, key_type, value_type) \
    struct {                                             \
        __uint(type, BPF_MAP_TYPE_HASH);                 \
        __uint(map_flags, BPF_F_NO_PREALLOC);            \
        __uint(max_entries, 1); /* set at load */        \
        __type(key, key_type);                           \
        __type(value, value_type);                       \
    } name SEC(".maps")

AMBO_TRANSLATION_MAP(translations4, struct ambo_flow_key4, struct ambo_translation4);
AMBO_TRANSLATION_MAP(translations6, struct ambo_flow_key6, struct ambo_translation6);

// What a look-up says of a packet besides its session's entry: the direction in there that it belongs to, and the ends that it leaves with.
struct match {
    int from;
    const struct ambo_translation *translation; // NULL: it keeps its ends
    const __be32 *source;                       // of the translation
    const __be32 *destination;
};

struct ports {
    __be16 source;
    __be16 destination;
};

static __always_inline int is_after(__u32 a, __u32 b)
{
    return (__s32)(a - b) > 0;
}

static __always_inline __u32 add_windows(__u32 a, __u32 b)
{
    __u32 sum = a + b;
    return sum > AMBO_WIDEST ? AMBO_WIDEST : sum;
}

// The checks of TcpTracker.checkWindow.
static __always_inline int is_in_window(const struct ambo_half *sender, const struct ambo_half *receiver, __u32 seq, __u32 end, __u32 ack, int whole)
{
    __u32 receiver_window = receiver->max_window;
    __u32 sender_window = sender->max_window;
    __u32 least = whole ? 1 : AMBO_UNSCALED_WINDOW;
    if (receiver_window < least) receiver_window = least;

    __u32 upper = sender->max_end;
    if (!whole) {
        // What the receiver has allowed since is perhaps known to the peer alone. All that this end sends passes here, and a window more it cannot be.
        __u32 sent = sender->seq_end + add_windows(receiver_window, 0);
        if (is_after(sent, upper)) upper = sent;
        upper += add_windows(receiver_window, AMBO_DELTA_SLACK);
    }
    if (is_after(end, upper)) return 0;
    if ((__s32)(seq - (sender->seq_end - add_windows(receiver_window, 1))) < 0) return 0;

    __u32 newest = receiver->seq_end;
    if (!whole) {
        if (is_after(receiver->max_end, newest)) newest = receiver->max_end;
        newest += add_windows(sender_window, AMBO_DELTA_SLACK);
    }
    if (is_after(ack, newest)) return 0;
    if (sender_window < AMBO_OLDEST_ACK) sender_window = AMBO_OLDEST_ACK;
    return (__s32)(ack - (receiver->seq_end - add_windows(sender_window, 1))) >= 0;
}

// What TcpTracker.advance does with an accepted segment without SYN and FIN.
static __always_inline void advance(struct ambo_half *sender, struct ambo_half *receiver, __u32 end, __u32 ack, __u32 window)
{
    if (is_after(end, sender->seq_end)) sender->seq_end = end;
    if (is_after(ack, sender->ack)) sender->ack = ack;
    if (window > sender->max_window) sender->max_window = window;
    __u32 limit = ack + (window ? window : 1);
    if (is_after(limit, receiver->max_end)) receiver->max_end = limit;
    if (is_after(ack, receiver->seq_end)) receiver->seq_end = ack;
}

// ACK, perhaps with PSH and the ECN bits: all else ends or begins something.
static __always_inline int is_plain(const struct tcphdr *tcp)
{
    return tcp->ack && !tcp->syn && !tcp->fin && !tcp->rst && !tcp->urg;
}

static __always_inline int step_tcp(struct ambo_flow *flow, int from, const struct tcphdr *tcp, __u32 length)
{
    struct ambo_half *sender = &flow->half[from & 1];
    struct ambo_half *receiver = &flow->half[!from];
    __u32 seq = bpf_ntohl(tcp->seq);
    __u32 ack = bpf_ntohl(tcp->ack_seq);
    __u32 end = seq + length;
    if (!is_in_window(sender, receiver, seq, end, ack, flow->flags & AMBO_FLOW_SEEN_WHOLE)) return 0;
    advance(sender, receiver, end, ack, (__u32)bpf_ntohs(tcp->window) << (sender->scale & 15));
    return 1;
}

// The next hop, from the cache or anew. Returns 0 when Java has to see to it: no route, no neighbour, not a data interface, too big.
static __always_inline int find_hop(struct xdp_md *ctx, struct ambo_hop *hop, const struct packet *packet, const struct match *match, __u32 length,
    __u64 now, __u32 generation)
{
    if (hop->valid_until_ns > now && hop->generation == generation) return length <= hop->mtu;

    struct bpf_fib_lookup fib = {};
    fib.ifindex = AMBO_LOOPBACK; // forwarding is off on the data interfaces: it fails closed
    fib.l4_protocol = packet->protocol;
    fib.tot_len = length;
    if (packet->ipv4) {
        fib.family = AMBO_AF_INET;
        fib.tos = packet->ipv4->tos;
        fib.ipv4_src = packet->ipv4->saddr;
        fib.ipv4_dst = match->translation ? *match->destination : packet->ipv4->daddr;
    } else if (packet->ipv6) {
        fib.family = AMBO_AF_INET6;
        __builtin_memcpy(fib.ipv6_src, &packet->ipv6->saddr, 16);
        if (match->translation) __builtin_memcpy(fib.ipv6_dst, match->destination, 16);
        else __builtin_memcpy(fib.ipv6_dst, &packet->ipv6->daddr, 16);
    } else {
        return 0;
    }
    if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS) return 0;
    __u32 index = fib.ifindex;
    const struct ambo_egress *egress = bpf_map_lookup_elem(&egresses, &index);
    if (!egress) return 0;
    hop->ifindex = egress->ifindex;
    hop->vlan = egress->vlan;
    hop->mtu = fib.mtu_result;
    __builtin_memcpy(hop->mac, fib.dmac, 6);
    __builtin_memcpy(hop->mac + 3, fib.smac, 6);
    hop->generation = generation;
    hop->valid_until_ns = now + AMBO_HOP_NS;
    return 1;
}

// The rest of a look-up, for a packet whose own ends have the entry `found`, or none. A packet that names a translated session by the wrong ends, or an
// earlier life of it, is Java's to judge.
static __always_inline struct ambo_flow *of_translated(struct match *match, const struct ambo_translation *translation, struct ambo_flow *flow)
{
    if (!flow || flow->created != translation->created) return NULL;
    match->translation = translation;
    match->from = translation->from;
    return flow;
}

static __always_inline struct ambo_flow *find_flow4(const struct iphdr *ip, const struct ports *ports_, struct match *match)
{
    struct ambo_flow_key4 key = { .protocol = ip->protocol };
    __u32 source = bpf_ntohl(ip->saddr), destination = bpf_ntohl(ip->daddr);
    int high = source != destination ? source > destination : bpf_ntohs(ports_->source) > bpf_ntohs(ports_->destination);
    key.low = high ? ip->daddr : ip->saddr;
    key.high = high ? ip->saddr : ip->daddr;
    key.low_port = high ? ports_->destination : ports_->source;
    key.high_port = high ? ports_->source : ports_->destination;
    match->from = high;
    struct ambo_flow *flow = bpf_map_lookup_elem(&flows4, &key);
    if (flow && !flow->direction[high & 1].translated) return flow;
    struct ambo_translation4 *translation = bpf_map_lookup_elem(&translations4, &key);
    if (!translation || translation->common.wire_from != high) return NULL;
    match->source = &translation->source;
    match->destination = &translation->destination;
    return of_translated(match, &translation->common, flow ? flow : bpf_map_lookup_elem(&flows4, &translation->session));
}

static __always_inline int is_higher6(const struct ipv6hdr *ip, const struct ports *ports_)
{
    for (int i = 0; i < 4; i++) {
        __u32 source = bpf_ntohl(ip->saddr.in6_u.u6_addr32[i]), destination = bpf_ntohl(ip->daddr.in6_u.u6_addr32[i]);
        if (source != destination) return source > destination;
    }
    return bpf_ntohs(ports_->source) > bpf_ntohs(ports_->destination);
}

static __always_inline struct ambo_flow *find_flow6(const struct ipv6hdr *ip, const struct ports *ports_, struct match *match)
{
    struct ambo_flow_key6 key = { .protocol = ip->nexthdr };
    int high = is_higher6(ip, ports_);
    __builtin_memcpy(key.low, high ? &ip->daddr : &ip->saddr, 16);
    __builtin_memcpy(key.high, high ? &ip->saddr : &ip->daddr, 16);
    key.low_port = high ? ports_->destination : ports_->source;
    key.high_port = high ? ports_->source : ports_->destination;
    match->from = high;
    struct ambo_flow *flow = bpf_map_lookup_elem(&flows6, &key);
    if (flow && !flow->direction[high & 1].translated) return flow;
    struct ambo_translation6 *translation = bpf_map_lookup_elem(&translations6, &key);
    if (!translation || translation->common.wire_from != high) return NULL;
    match->source = translation->source;
    match->destination = translation->destination;
    return of_translated(match, &translation->common, flow ? flow : bpf_map_lookup_elem(&flows6, &translation->session));
}

static __always_inline __u16 changed(__u16 check, __u16 change)
{
    __u32 sum = (__u16)~check + (__u32)change;
    return ~((sum & 0xFFFF) + (sum >> 16));
}

// Gives the packet the ends that its session is translated to.
static __always_inline void translate(const struct packet *packet, const struct match *match, struct ports *ports_, struct tcphdr *tcp)
{
    const struct ambo_translation *translation = match->translation;
    if (packet->ipv4) {
        struct iphdr *ip = (struct iphdr *)packet->ipv4;
        ip->saddr = *match->source;
        ip->daddr = *match->destination;
        ip->check = changed(ip->check, translation->addresses);
    } else {
        struct ipv6hdr *ip = (struct ipv6hdr *)packet->ipv6;
        __builtin_memcpy(&ip->saddr, match->source, 16);
        __builtin_memcpy(&ip->daddr, match->destination, 16);
    }
    if (tcp) {
        tcp->check = changed(tcp->check, translation->ends);
    } else {
        struct udphdr *udp = (struct udphdr *)ports_;
        // 0 means that there is none (RFC 768).
        if (udp->check) udp->check = changed(udp->check, translation->ends) ?: 0xFFFF;
    }
    ports_->source = translation->source_port;
    ports_->destination = translation->destination_port;
}

static __always_inline void decrement_ttl(struct iphdr *ip)
{
    // RFC 1624: the TTL is the high byte of its word, so the checksum grows by one there.
    __u32 check = ip->check;
    check += bpf_htons(0x0100);
    ip->check = (__u16)(check + (check >= 0xFFFF));
    ip->ttl--;
}

// Whether frames with this tag, or without one, belong to a data interface. A priority tag (id 0) is looked at by Java.
static __always_inline int is_data_interface(const struct xdp_md *ctx, const struct ambo_port *port, const struct packet *packet, int tagged)
{
    if (!tagged) return port->untagged;
    struct ambo_vlan key = { .ifindex = ctx->ingress_ifindex, .id = packet->vlan };
    return bpf_map_lookup_elem(&vlans, &key) != NULL;
}

// The coarse clock may lag behind the one that Java reads, so a moment may lie in the future.
static __always_inline int is_longer_ago(__u64 moment, __u64 now, __u64 span)
{
    return now > moment && now - moment > span;
}

// Neither end has been heard within the session's timeout: Java, which has perhaps heard of it, decides whether it is over.
static __always_inline int is_idle(const struct ambo_flow *flow, int from, __u64 now)
{
    __u64 idle_ns = flow->direction[from & 1].idle_ms * 1000000ull;
    return is_longer_ago(flow->direction[from & 1].last_seen_ns, now, idle_ns)
        && is_longer_ago(flow->direction[!from].last_seen_ns, now, idle_ns) && is_longer_ago(flow->installed_ns, now, idle_ns);
}

// Leaves the frame with the next hop's addresses and tag. Returns 0 when the driver left no room for a tag.
static __always_inline int write_link_header(struct xdp_md *ctx, const struct ambo_hop *hop, __u16 type, int tagged)
{
    if (tagged && !hop->vlan) {
        if (bpf_xdp_adjust_head(ctx, sizeof(struct vlan_header))) return 0;
    } else if (!tagged && hop->vlan) {
        if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct vlan_header))) return 0;
    }
    struct packet packet = { .cursor = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
    struct ethhdr *ethernet = take(&packet, sizeof(struct ethhdr));
    if (!ethernet) return 0;
    __builtin_memcpy(ethernet, hop->mac, 12);
    if (!hop->vlan) {
        ethernet->h_proto = bpf_htons(type);
        return 1;
    }
    struct vlan_header *vlan = take(&packet, sizeof(struct vlan_header));
    if (!vlan) return 0;
    ethernet->h_proto = bpf_htons(ETH_P_8021Q);
    vlan->tag = bpf_htons(hop->vlan);
    vlan->type = bpf_htons(type);
    return 1;
}

// The transport header of what the kernel may forward: a whole datagram, or a plain segment. Returns 0 for all else.
static __always_inline int parse_transport(struct packet *packet, __u32 length, struct tcphdr **tcp, __u32 *payload)
{
    if (packet->protocol == IPPROTO_UDP) {
        const struct udphdr *udp = take(packet, sizeof(struct udphdr));
        return udp && bpf_ntohs(udp->len) == length;
    }
    if (packet->protocol != IPPROTO_TCP) return 0;
    struct tcphdr *header = take(packet, sizeof(struct tcphdr));
    if (!header || !is_plain(header) || header->doff < 5 || length < header->doff * 4) return 0;
    *tcp = header;
    *payload = length - header->doff * 4;
    return 1;
}

// From the IP header to the wire. It is compiled twice, for IPv4 and IPv6, so that each lookup has one map that the compiler knows.
static __always_inline int forward_ip(struct xdp_md *ctx, struct packet *packet, int is_ipv6, int tagged, int handed,
    enum ambo_verdict *verdict)
{
    const void *start = packet->cursor;
    __u32 length, header;
    if (is_ipv6) {
        if (!parse_ipv6(packet) || packet->ipv6->hop_limit <= 1) return -1;
        header = sizeof(struct ipv6hdr);
        length = bpf_ntohs(packet->ipv6->payload_len) + header;
    } else {
        if (!parse_ipv4(packet)) return -1;
        if (packet->ipv4->ihl != 5 || (packet->ipv4->frag_off & bpf_htons(0x3FFF)) || packet->ipv4->ttl <= 1) return -1;
        header = sizeof(struct iphdr);
        length = bpf_ntohs(packet->ipv4->tot_len);
    }
    // The frame may be longer than its packet (padding), never shorter.
    if (start + length > packet->end) return -1;
    struct ports *ports_ = packet->cursor;
    struct tcphdr *tcp = NULL;
    __u32 payload = 0;
    if (!parse_transport(packet, length - header, &tcp, &payload)) return -1;

    struct match match = {};
    struct ambo_flow *flow = is_ipv6 ? find_flow6(packet->ipv6, ports_, &match) : find_flow4(packet->ipv4, ports_, &match);
    if (!flow) return -1;
    int from = match.from;
    __u32 zero = 0;
    const struct ambo_settings *set = bpf_map_lookup_elem(&settings, &zero);
    if (!set) return -1;
    struct ambo_direction *direction = &flow->direction[from & 1];
    __u64 now = bpf_ktime_get_coarse_ns();
    if (now > set->forward_until_ns || is_idle(flow, from, now)) return -1;
    if (flow->flags & AMBO_FLOW_REDIRECT) {
        // Never twice: who was handed a packet of another's session says so to who handed it over.
        if (handed) return -1;
        return hand_over(ctx, packet, flow, direction, ports_->source ^ ports_->destination, length, now, set->route_generation, tagged, verdict);
    }
    if (!find_hop(ctx, &direction->hop, packet, &match, length, now, set->route_generation)) {
        *verdict = AMBO_punted_next_hop;
        return -1;
    }
    if (tcp && !step_tcp(flow, from, tcp, payload)) {
        *verdict = AMBO_punted_out_of_window;
        return -1;
    }
    direction->packets++;
    direction->bytes += length;
    direction->last_seen_ns = now;

    if (match.translation) translate(packet, &match, ports_, tcp);
    if (is_ipv6) ((struct ipv6hdr *)packet->ipv6)->hop_limit--;
    else decrement_ttl((struct iphdr *)packet->ipv4);
    if (tagged || direction->hop.vlan) {
        if (!write_link_header(ctx, &direction->hop, packet->type, tagged)) {
            count(AMBO_dropped_no_headroom);
            return XDP_DROP;
        }
    } else {
        __builtin_memcpy((void *)packet->ethernet, direction->hop.mac, 12);
    }
    count(AMBO_forwarded);
    return bpf_redirect(direction->hop.ifindex, 0);
}

// Forwards the frame, or says that it is not for this stage (-1). `verdict` is set when Java should get it for a reason worth counting.
static __always_inline int forward_flow(struct xdp_md *ctx, const struct ambo_port *port, int handed, enum ambo_verdict *verdict)
{
    struct packet packet = { .cursor = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
    if (!parse_ethernet(&packet) || (!handed && !is_addressed_to(port, packet.ethernet))) return -1;
    int tagged = packet.type == ETH_P_8021Q;
    if (!parse_vlan(&packet) || (!handed && !is_data_interface(ctx, port, &packet, tagged))) return -1;
    if (packet.type == ETH_P_IP) return forward_ip(ctx, &packet, 0, tagged, handed, verdict);
    if (packet.type == ETH_P_IPV6) return forward_ip(ctx, &packet, 1, tagged, handed, verdict);
    return -1;
}
