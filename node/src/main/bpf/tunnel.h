// Packets of sessions that another member owns: handed to it over the sync link in Geneve, and taken from others. The Java side is io.ambo.node.redirect; both
// sides of it are the same on the wire, but a worker's datagrams (lane 0) are known by other keys and numbers than a kernel's (lane 1), so that each lane's replays
// are noticed in one place.
#pragma once

#include <linux/udp.h>

#include "classify.h"
#include "punt.h"

#define AMBO_AF_INET 2
#define AMBO_AF_INET6 10
#define AMBO_LOOPBACK 1
// A next hop is asked for again after this, whatever the generation says: nobody counts it while the JVM is away.
#define AMBO_HOP_NS 500000000ull
// So long after a packet that did not fit the sync link its flow goes through Java; a note has no next hop of its own, and keeps the time there.
#define AMBO_NARROW_NS 1000000000ull

#define AMBO_LANE_KERNEL 1
#define AMBO_HOPS_FINAL 2
#define AMBO_GENEVE_FIRST 0x0740
#define AMBO_GENEVE_OPTION 0xFF01C106
#define AMBO_TAGGED_INNER 64
#define AMBO_HANDED_MARK 0x0241

// Geneve.java has the drawing.
struct geneve {
    __be16 first;
    __be16 type;
    __be32 zone; // 24 bits, then 8 of zero
    __be32 option;
    __be16 sender;
    __be16 ingress;
    __u8 hops;
    __u8 lane;
    __be16 reserved;
    __be32 sequence_high;
    __be32 sequence_low;
    __u32 tag[2];
} __attribute__((packed, aligned(2)));
_Static_assert(sizeof(struct geneve) == 36, "as in Geneve.java");
#define AMBO_GENEVE_TAGGED 28

// The Ethernet header of a packet that was handed over, as HandedFrame reads it.
struct handed {
    __be16 mark;
    __be16 zone;
    __u8 hops;
    __u8 lane;
    __be16 second_mark;
    __be16 ingress;
    __be16 sender;
    __be16 type;
} __attribute__((packed, aligned(2)));
_Static_assert(sizeof(struct handed) == 14, "an Ethernet header");

// What a tag is taken over.
union tagged {
    struct {
        __be32 source[4];
        __be32 destination[4];
        __u32 head[7]; // of the Geneve header, up to the tag
        __be32 length; // of the inner packet
        __u8 inner[AMBO_TAGGED_INNER];
    };
    __u64 words[16];
};
_Static_assert(sizeof(union tagged) == 128, "sixteen words");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ambo_tunnel);
} tunnel SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_MEMBERS);
    __type(key, __u32);
    __type(value, struct ambo_target);
} redirect_targets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_MEMBERS);
    __type(key, __u32);
    __type(value, struct ambo_source);
} redirect_sources SEC(".maps");

// Zone of the interface that frames of a device with this tag (0: without one) come by.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_INTERFACES);
    __type(key, struct ambo_vlan);
    __type(value, __u32);
} zones SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, union tagged);
} tag_scratch SEC(".maps");

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIP_ROUND                                                            \
    do {                                                                     \
        v0 += v1; v1 = ROTATE(v1, 13); v1 ^= v0; v0 = ROTATE(v0, 32);        \
        v2 += v3; v3 = ROTATE(v3, 16); v3 ^= v2;                             \
        v0 += v3; v3 = ROTATE(v3, 21); v3 ^= v0;                             \
        v2 += v1; v1 = ROTATE(v1, 17); v1 ^= v2; v2 = ROTATE(v2, 32);        \
    } while (0)

// SipHash-2-4 of sixteen words. Words are little-endian in memory, as are the machines that this runs on.
static __noinline __u64 siphash(const union tagged *tagged, __u64 key0, __u64 key1)
{
    __u64 v0 = key0 ^ 0x736f6d6570736575ull, v1 = key1 ^ 0x646f72616e646f6dull;
    __u64 v2 = key0 ^ 0x6c7967656e657261ull, v3 = key1 ^ 0x7465646279746573ull;
    for (int i = 0; i < 16; i++) {
        __u64 word = tagged->words[i];
        v3 ^= word;
        SIP_ROUND;
        SIP_ROUND;
        v0 ^= word;
    }
    v3 ^= 128ull << 56;
    SIP_ROUND;
    SIP_ROUND;
    v0 ^= 128ull << 56;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

// The tag of the datagram whose Geneve header is at this offset of the frame; 0 when the frame is shorter than it says.
static __always_inline int take_tag(struct xdp_md *ctx, const __be32 *source, const __be32 *destination, __u32 geneve, __u32 length, const __u64 *key,
    __u64 *tag)
{
    __u32 zero = 0;
    union tagged *tagged = bpf_map_lookup_elem(&tag_scratch, &zero);
    if (!tagged) return 0;
    __builtin_memcpy(tagged->source, source, 16);
    __builtin_memcpy(tagged->destination, destination, 16);
    if (bpf_xdp_load_bytes(ctx, geneve, tagged->head, AMBO_GENEVE_TAGGED)) return 0;
    tagged->length = bpf_htonl(length);
    __u64 *inner = &tagged->words[8];
    for (int i = 0; i < 8; i++) inner[i] = 0;
    __u32 head = length < AMBO_TAGGED_INNER ? length : AMBO_TAGGED_INNER;
    if (head < 1 || head > AMBO_TAGGED_INNER) return 0;
    if (bpf_xdp_load_bytes(ctx, geneve + sizeof(struct geneve), tagged->inner, head)) return 0;
    *tag = siphash(tagged, key[0], key[1]);
    return 1;
}

// The way to a member. Returns 0 when Java has to see to it: no neighbour yet, or too big for the sync link.
static __always_inline int find_target_hop(struct xdp_md *ctx, const struct ambo_tunnel *own, struct ambo_target *target, __u32 length, __u64 now,
    __u32 generation)
{
    struct ambo_hop *hop = &target->hop;
    if (hop->valid_until_ns > now && hop->generation == generation) return length <= hop->mtu;
    struct bpf_fib_lookup fib = {};
    fib.ifindex = AMBO_LOOPBACK;
    fib.l4_protocol = IPPROTO_UDP;
    fib.tot_len = length;
    if (own->ipv6) {
        fib.family = AMBO_AF_INET6;
        __builtin_memcpy(fib.ipv6_src, own->address, 16);
        __builtin_memcpy(fib.ipv6_dst, target->address, 16);
    } else {
        fib.family = AMBO_AF_INET;
        fib.ipv4_src = own->address[3];
        fib.ipv4_dst = target->address[3];
    }
    if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS || fib.ifindex != own->ifindex) return 0;
    hop->ifindex = fib.ifindex;
    hop->mtu = fib.mtu_result;
    __builtin_memcpy(hop->mac, fib.dmac, 6);
    __builtin_memcpy(hop->mac + 3, fib.smac, 6);
    hop->generation = generation;
    hop->valid_until_ns = now + AMBO_HOP_NS;
    return 1;
}

static __always_inline void write_outer4(struct iphdr *ip, const struct ambo_tunnel *own, const struct ambo_target *target, __u32 length)
{
    __builtin_memset(ip, 0, sizeof(*ip));
    ip->version = 4;
    ip->ihl = 5;
    ip->tot_len = bpf_htons(length);
    ip->frag_off = bpf_htons(0x4000);
    ip->ttl = 64;
    ip->protocol = IPPROTO_UDP;
    ip->saddr = own->address[3];
    ip->daddr = target->address[3];
    const __u16 *words = (const __u16 *)ip;
    __u32 sum = 0;
    for (int i = 0; i < 10; i++) sum += words[i];
    sum = (sum & 0xFFFF) + (sum >> 16);
    ip->check = ~((sum & 0xFFFF) + (sum >> 16));
}

static __always_inline void write_outer6(struct ipv6hdr *ip, const struct ambo_tunnel *own, const struct ambo_target *target, __u32 length)
{
    __builtin_memset(ip, 0, sizeof(*ip));
    ip->version = 6;
    ip->payload_len = bpf_htons(length - sizeof(*ip));
    ip->nexthdr = IPPROTO_UDP;
    ip->hop_limit = 64;
    __builtin_memcpy(&ip->saddr, own->address, 16);
    __builtin_memcpy(&ip->daddr, target->address, 16);
}

// Hands the packet to the member that owns its session, as it came in. Returns the action, or -1 when Java has to do it.
static __always_inline int hand_over(struct xdp_md *ctx, const struct packet *packet, const struct ambo_flow *flow, struct ambo_direction *direction,
    __u32 ports_hash, __u32 length, __u64 now, __u32 generation, int tagged, enum ambo_verdict *verdict)
{
    __u32 zero = 0, owner = flow->flags >> AMBO_FLOW_OWNER_SHIFT;
    struct ambo_tunnel *own = bpf_map_lookup_elem(&tunnel, &zero);
    struct ambo_target *target = bpf_map_lookup_elem(&redirect_targets, &owner);
    struct ambo_vlan where = { .ifindex = ctx->ingress_ifindex, .id = tagged ? packet->vlan : 0 };
    const __u32 *zone = bpf_map_lookup_elem(&zones, &where);
    *verdict = AMBO_punted_redirect;
    if (!own || !own->ifindex || !target || !zone) return -1;
    int ipv6 = own->ipv6 != 0;
    __u32 outer = (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + sizeof(struct udphdr) + sizeof(struct geneve);
    // What did not fit goes through Java, and takes longer: what comes behind it in this direction must not overtake it.
    if (direction->hop.valid_until_ns > now) return -1;
    if (!find_target_hop(ctx, own, target, length + outer, now, generation)) {
        if (target->hop.mtu && length + outer > target->hop.mtu) direction->hop.valid_until_ns = now + AMBO_NARROW_NS;
        return -1;
    }
    direction->packets++;
    direction->bytes += length;
    direction->last_seen_ns = now;

    __u16 type = packet->type;
    if (bpf_xdp_adjust_head(ctx, (tagged ? (int)sizeof(struct vlan_header) : 0) - (int)outer)) {
        count(AMBO_dropped_no_headroom);
        return XDP_DROP;
    }
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct udphdr *udp;
    if (ipv6) {
        if (data + sizeof(*ethernet) + sizeof(struct ipv6hdr) + sizeof(*udp) + sizeof(struct geneve) > end) return XDP_DROP;
        write_outer6((struct ipv6hdr *)(ethernet + 1), own, target, length + outer);
        ethernet->h_proto = bpf_htons(ETH_P_IPV6);
        udp = (void *)(ethernet + 1) + sizeof(struct ipv6hdr);
    } else {
        if (data + sizeof(*ethernet) + sizeof(struct iphdr) + sizeof(*udp) + sizeof(struct geneve) > end) return XDP_DROP;
        write_outer4((struct iphdr *)(ethernet + 1), own, target, length + outer);
        ethernet->h_proto = bpf_htons(ETH_P_IP);
        udp = (void *)(ethernet + 1) + sizeof(struct iphdr);
    }
    if ((void *)(udp + 1) + sizeof(struct geneve) > end) return XDP_DROP;
    __builtin_memcpy(ethernet, target->hop.mac, 12);
    // The source port spreads flows over the receiver's queues (RFC 8926, 3.3). Without a checksum (RFC 6935): the tag is better.
    udp->source = bpf_htons(0xC000 | (ports_hash & 0x3FFF));
    udp->dest = target->udp_port;
    udp->len = bpf_htons(sizeof(*udp) + sizeof(struct geneve) + length);
    udp->check = 0;
    struct geneve *geneve = (struct geneve *)(udp + 1);
    __u64 sequence = __sync_fetch_and_add(&own->sequence, 1) + 1;
    geneve->first = bpf_htons(AMBO_GENEVE_FIRST);
    geneve->type = bpf_htons(type);
    geneve->zone = bpf_htonl(*zone << 8);
    geneve->option = bpf_htonl(AMBO_GENEVE_OPTION);
    geneve->sender = own->node;
    geneve->ingress = own->node;
    geneve->hops = AMBO_HOPS_FINAL;
    geneve->lane = AMBO_LANE_KERNEL;
    geneve->reserved = 0;
    geneve->sequence_high = bpf_htonl(sequence >> 32);
    geneve->sequence_low = bpf_htonl((__u32)sequence);
    __u32 at = sizeof(*ethernet) + outer - sizeof(struct geneve);
    __u64 tag;
    if (!take_tag(ctx, own->address, target->address, at, length, own->key, &tag)) return XDP_DROP;
    if (bpf_xdp_store_bytes(ctx, at + AMBO_GENEVE_TAGGED, &tag, sizeof(tag))) return XDP_DROP;
    count(AMBO_redirected_in_kernel);
    return bpf_redirect(target->hop.ifindex, 0);
}

// Returns 0 for a number that has been seen, or is too old to tell.
static __always_inline int is_new(struct ambo_source *source, __u64 number)
{
    __u64 word = number >> 6;
    int fresh = 0;
    bpf_spin_lock(&source->lock);
    __u64 newest_word = source->newest >> 6;
    if (number && word + AMBO_WINDOW_WORDS > newest_word) {
        if (number > source->newest) {
            // The words between are those of numbers that went by.
            for (__u32 i = 1; i <= AMBO_WINDOW_WORDS; i++) {
                if (newest_word + i > word) break;
                source->seen[(newest_word + i) & (AMBO_WINDOW_WORDS - 1)] = 0;
            }
            source->newest = number;
        }
        __u64 bit = 1ull << (number & 63);
        __u64 seen = source->seen[word & (AMBO_WINDOW_WORDS - 1)];
        fresh = !(seen & bit);
        source->seen[word & (AMBO_WINDOW_WORDS - 1)] = seen | bit;
    }
    bpf_spin_unlock(&source->lock);
    return fresh;
}

// Whether the inner packet is as long as its datagram says.
static __always_inline int is_inner_sound(void *inner, void *end, __u16 type, __u32 length)
{
    if (type == ETH_P_IP) {
        const struct iphdr *ip = inner;
        return (void *)(ip + 1) <= end && ip->version == 4 && bpf_ntohs(ip->tot_len) == length;
    }
    if (type != ETH_P_IPV6) return 0;
    const struct ipv6hdr *ip = inner;
    return (void *)(ip + 1) <= end && ip->version == 6 && bpf_ntohs(ip->payload_len) + sizeof(*ip) == length;
}

static __always_inline int refuse(enum ambo_verdict verdict)
{
    count(verdict);
    return XDP_DROP;
}

static __always_inline int pass_sync(void)
{
    count(AMBO_passed_sync);
    return XDP_PASS;
}

// Takes a frame of the sync link. Returns -1 when it was a packet that a member's kernel has handed over, and is now what that member had received, behind a
// header of `struct handed`; else the action: all else is the kernel's.
static __always_inline int take_handed(struct xdp_md *ctx)
{
    __u32 zero = 0;
    const struct ambo_tunnel *own = bpf_map_lookup_elem(&tunnel, &zero);
    struct packet packet = { .cursor = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
    if (!own || !own->ifindex || !parse_ethernet(&packet)) return pass_sync();
    __be32 from[4] = {};
    __u32 at, carried;
    if (packet.type == ETH_P_IP && !own->ipv6) {
        if (!parse_ipv4(&packet) || packet.ipv4->ihl != 5 || packet.protocol != IPPROTO_UDP || (packet.ipv4->frag_off & bpf_htons(0x3FFF))
            || packet.ipv4->daddr != own->address[3])
            return pass_sync();
        from[2] = bpf_htonl(0x0000FFFF);
        from[3] = packet.ipv4->saddr;
        carried = bpf_ntohs(packet.ipv4->tot_len) - sizeof(struct iphdr);
        at = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr);
    } else if (packet.type == ETH_P_IPV6 && own->ipv6) {
        if (!parse_ipv6(&packet) || packet.protocol != IPPROTO_UDP) return pass_sync();
        __builtin_memcpy(from, &packet.ipv6->daddr, 16);
        if (from[0] != own->address[0] || from[1] != own->address[1] || from[2] != own->address[2] || from[3] != own->address[3])
            return pass_sync();
        __builtin_memcpy(from, &packet.ipv6->saddr, 16);
        carried = bpf_ntohs(packet.ipv6->payload_len);
        at = sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct udphdr);
    } else {
        return pass_sync();
    }
    const struct udphdr *udp = take(&packet, sizeof(*udp));
    if (!udp || udp->dest != own->udp_port) return pass_sync();
    const struct geneve *geneve = take(&packet, sizeof(*geneve));
    if (!geneve || geneve->lane != AMBO_LANE_KERNEL) return pass_sync();

    __u16 type = bpf_ntohs(geneve->type);
    __u32 length = carried - sizeof(*udp) - sizeof(*geneve);
    if (carried < sizeof(*udp) + sizeof(*geneve) + sizeof(struct iphdr) || carried > 0xFFFF || bpf_ntohs(udp->len) != carried
        || geneve->first != bpf_htons(AMBO_GENEVE_FIRST) || geneve->option != bpf_htonl(AMBO_GENEVE_OPTION)
        || (geneve->zone & bpf_htonl(0xFF0000FF)) || geneve->reserved || geneve->hops != AMBO_HOPS_FINAL
        || !is_inner_sound(packet.cursor, packet.end, type, length))
        return refuse(AMBO_dropped_redirect_malformed);
    __u32 sender = bpf_ntohs(geneve->sender);
    struct ambo_source *source = bpf_map_lookup_elem(&redirect_sources, &sender);
    if (!source || from[0] != source->address[0] || from[1] != source->address[1] || from[2] != source->address[2]
        || from[3] != source->address[3])
        return refuse(AMBO_dropped_redirect_sender);
    __u64 sequence = (__u64)bpf_ntohl(geneve->sequence_high) << 32 | bpf_ntohl(geneve->sequence_low);
    __u64 said = (__u64)geneve->tag[1] << 32 | geneve->tag[0];
    struct handed header = {
        .mark = bpf_htons(AMBO_HANDED_MARK), .zone = bpf_htons(bpf_ntohl(geneve->zone) >> 8), .hops = AMBO_HOPS_FINAL, .lane = AMBO_LANE_KERNEL,
        .second_mark = bpf_htons(AMBO_HANDED_MARK), .ingress = geneve->ingress, .sender = geneve->sender, .type = geneve->type,
    };
    __u64 tag;
    if (!take_tag(ctx, from, own->address, at, length, source->key, &tag) || tag != said) return refuse(AMBO_dropped_redirect_unauthentic);
    if (!is_new(source, sequence)) return refuse(AMBO_dropped_redirect_replayed);

    if (bpf_xdp_adjust_head(ctx, at + sizeof(struct geneve) - sizeof(struct handed))) return refuse(AMBO_dropped_redirect_malformed);
    if (bpf_xdp_store_bytes(ctx, 0, &header, sizeof(header))) return refuse(AMBO_dropped_redirect_malformed);
    return -1;
}
