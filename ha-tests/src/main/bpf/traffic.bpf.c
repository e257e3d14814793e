// Traffic for benchmarks and drills, made and counted in the kernel, so that neither end is in the way of what is measured.
//
//   generate    run on live frames (BPF_PROG_TEST_RUN): writes the whole frame anew, since pages come back as the forwarder left them, and sends it out
//   sink        on the far interface: counts what arrives, notices gaps and delays, drops it
//   answer      on both interfaces: makes a SYN's SYN-ACK and a SYN-ACK's ACK and sends it back; counts the ACK that completes the
//               handshake, and every datagram
//   redirect    from one interface to the other with nothing between: the limit for any forwarder
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FIRST_PORT 10000
#define PORTS 50000
#define MAX_FLOWS (1 << 20)
// Buckets of a delay: 32 for each power of two.
#define SUB_BITS 5
#define BUCKETS (64 << SUB_BITS)

// What Java writes before a run (Generator.java). Flow i comes from client + i / PORTS, port FIRST_PORT + i % PORTS.
struct plan {
    __u32 ifindex;
    __u32 flows;
    __u32 client; // host order
    __u32 server;
    __u16 server_port;
    __u16 window;
    __u8 protocol;
    __u8 reverse; // from the server
    __u8 stamped; // UDP: 1 number and time in the payload; 2 the sink looks for them, but others write them (Probe.java)
    __u8 tcp_flags;
    __u32 seq;
    __u32 ack;
    __u32 payload;
    __u32 flow;  // the next packet's
    __u64 round; // packets of each flow before that
    __u8 mac[12]; // destination, source
    __u32 reserved;
};
_Static_assert(sizeof(struct plan) == 64, "shared with Generator");

struct tally {
    __u64 packets;
    __u64 bytes;
    __u64 missing;
    __u64 late; // numbers that came after a higher one
    __u64 last_ns; // when the last packet came, CLOCK_MONOTONIC
};
_Static_assert(sizeof(struct tally) == 40, "shared with Generator");

struct way {
    __u32 ifindex;
    __u8 mac[12];
};
_Static_assert(sizeof(struct way) == 16, "shared with Generator");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct plan);
} plans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct tally);
} tallies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, MAX_FLOWS);
    __type(key, __u32);
    __type(value, __u64); // round that comes next
} rounds SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BUCKETS);
    __type(key, __u32);
    __type(value, __u64);
} delays SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4096);
    __type(key, __u32); // incoming interface
    __type(value, struct way);
} ways SEC(".maps");

struct stamp {
    __u64 round;
    __u64 time_ns;
} __attribute__((packed, aligned(2)));

static __always_inline __u16 fold(__u64 sum)
{
    sum = (sum >> 32) + (sum & 0xFFFFFFFF);
    sum = (sum >> 32) + (sum & 0xFFFFFFFF);
    sum = (sum >> 16) + (sum & 0xFFFF);
    sum = (sum >> 16) + (sum & 0xFFFF);
    sum = (sum >> 16) + (sum & 0xFFFF);
    return ~sum;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
    __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 zero = 0;
    struct plan *plan = bpf_map_lookup_elem(&plans, &zero);
    if (!plan || data + 60 > end) return XDP_ABORTED;
    __u32 flow = plan->flow;
    __u64 round = plan->round;
    plan->flow = flow + 1;
    if (plan->flow == plan->flows) {
        plan->flow = 0;
        plan->round = round + 1;
    }
    __u32 client = plan->client + flow / PORTS;
    __u16 port = FIRST_PORT + flow % PORTS;
    int reverse = plan->reverse;

    struct ethhdr *ethernet = (void *)data;
    __builtin_memcpy(ethernet, plan->mac, 12);
    ethernet->h_proto = bpf_htons(ETH_P_IP);
    struct iphdr *ip = (void *)(data + sizeof(*ethernet));
    int options = plan->tcp_flags & 2 ? 4 : 0;
    __u32 header = plan->protocol == IPPROTO_UDP ? sizeof(struct udphdr) : sizeof(struct tcphdr) + options;
    __u16 length = sizeof(*ip) + header + plan->payload;
    ip->version = 4;
    ip->ihl = 5;
    ip->tos = 0;
    ip->tot_len = bpf_htons(length);
    ip->id = 0;
    ip->frag_off = bpf_htons(0x4000);
    ip->ttl = 64;
    ip->protocol = plan->protocol;
    ip->saddr = bpf_htonl(reverse ? plan->server : client);
    ip->daddr = bpf_htonl(reverse ? client : plan->server);
    // One's complement addition does not care for the byte order, as long as all words have the same.
    __u64 addresses = (__u64)ip->saddr + ip->daddr;
    ip->check = fold(addresses + bpf_htons(0x4500) + ip->tot_len + ip->frag_off + bpf_htons(64 << 8 | plan->protocol));
    __be16 source = bpf_htons(reverse ? plan->server_port : port), destination = bpf_htons(reverse ? port : plan->server_port);
    if (plan->protocol == IPPROTO_UDP) {
        struct udphdr *udp = (void *)(ip + 1);
        udp->source = source;
        udp->dest = destination;
        udp->len = bpf_htons(header + plan->payload);
        udp->check = 0;
        struct stamp *stamp = (void *)(udp + 1);
        stamp->round = round;
        stamp->time_ns = plan->stamped == 1 ? bpf_ktime_get_ns() : 0;
    } else {
        __be32 *tcp = (void *)(ip + 1);
        __u32 words = header / 4;
        tcp[0] = source | (__u32)destination << 16; // little-endian machine
        tcp[1] = bpf_htonl(plan->seq + (__u32)round * plan->payload);
        tcp[2] = bpf_htonl(plan->ack);
        tcp[3] = bpf_htonl(words << 28 | (__u32)plan->tcp_flags << 16 | plan->window);
        tcp[4] = 0;
        __u64 sum = addresses + bpf_htons(IPPROTO_TCP) + bpf_htons(header + plan->payload) + tcp[0] + tcp[1] + tcp[2] + tcp[3];
        if (options) {
            tcp[5] = bpf_htonl(0x0103030E); // window scale 14
            sum += tcp[5];
        }
        tcp[4] = fold(sum);
    }
    // 0: how fast frames are made when nobody takes them.
    return plan->ifindex ? bpf_redirect(plan->ifindex, 0) : XDP_DROP;
}

static __always_inline __u32 bucket_of(__u64 ns)
{
    if (ns < (1 << SUB_BITS)) return ns;
    // The position of the highest bit (clang 14 has no __builtin_clzll for BPF).
    __u32 high = 0;
    for (__u32 step = 32; step; step >>= 1) {
        if (ns >> (high + step)) high += step;
    }
    return ((high - SUB_BITS + 1) << SUB_BITS) + ((ns >> (high - SUB_BITS)) & ((1 << SUB_BITS) - 1));
}

static __always_inline void check_stamp(const struct plan *plan, struct tally *tally, const struct iphdr *ip, const struct udphdr *udp, void *end)
{
    const struct stamp *stamp = (void *)(udp + 1);
    if ((void *)(stamp + 1) > end) return;
    __u32 client = bpf_ntohl(plan->reverse ? ip->daddr : ip->saddr);
    __u16 port = bpf_ntohs(plan->reverse ? udp->dest : udp->source);
    __u32 flow = (client - plan->client) * PORTS + (port - FIRST_PORT);
    __u64 *next = bpf_map_lookup_elem(&rounds, &flow);
    if (next) {
        __u64 round = stamp->round;
        if (round >= *next) {
            tally->missing += round - *next;
            *next = round + 1;
        } else {
            tally->late++;
        }
    }
    __u64 sent = stamp->time_ns, now = bpf_ktime_get_ns();
    __u32 bucket = bucket_of(now > sent ? now - sent : 0);
    __u64 *delay = bpf_map_lookup_elem(&delays, &bucket);
    if (sent && delay) ++*delay;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
    __u8 *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    __u32 zero = 0;
    const struct ethhdr *ethernet = (void *)data;
    const struct iphdr *ip = (void *)(data + sizeof(*ethernet));
    const struct udphdr *udp = (void *)(ip + 1);
    if ((void *)(udp + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP) return XDP_PASS;
    const struct plan *plan = bpf_map_lookup_elem(&plans, &zero);
    struct tally *tally = bpf_map_lookup_elem(&tallies, &zero);
    if (!plan || !tally) return XDP_PASS;
    if ((plan->reverse ? udp->source : udp->dest) != bpf_htons(plan->server_port)) return XDP_PASS;
    tally->packets++;
    tally->bytes += bpf_ntohs(ip->tot_len);
    if (plan->stamped) tally->last_ns = bpf_ktime_get_ns();
    if (plan->stamped) check_stamp(plan, tally, ip, udp, end);
    return XDP_DROP;
}

#define TCP_SYN 0x02
#define TCP_ACK 0x10

SEC("xdp")
int answer(struct xdp_md *ctx)
{
    __u8 *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    __u32 zero = 0;
    struct ethhdr *ethernet = (void *)data;
    struct iphdr *ip = (void *)(data + sizeof(*ethernet));
    __be32 *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 5) > end || ethernet->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP) return XDP_PASS;
    __u8 flags = ip->protocol == IPPROTO_UDP ? 0 : bpf_ntohl(tcp[3]) >> 16 & 0x3F;
    if (flags != TCP_SYN && flags != (TCP_SYN | TCP_ACK)) {
        struct tally *tally = bpf_map_lookup_elem(&tallies, &zero);
        if ((flags == TCP_ACK || ip->protocol == IPPROTO_UDP) && tally) tally->packets++;
        return XDP_DROP;
    }
    __u32 seq = bpf_ntohl(tcp[1]);
    tcp[1] = tcp[2]; // 0 in a SYN: a number as good as any
    tcp[2] = bpf_htonl(seq + 1);
    tcp[3] = bpf_htonl(5u << 28 | (flags == TCP_SYN ? TCP_SYN | TCP_ACK : TCP_ACK) << 16 | 65535);
    tcp[0] = tcp[0] << 16 | tcp[0] >> 16;
    __be32 source = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = source;
    ip->tot_len = bpf_htons(40);
    ip->check = fold((__u64)ip->saddr + ip->daddr + *(__u32 *)ip + *((__u32 *)ip + 1) + *(__u16 *)((__u8 *)ip + 8));
    tcp[4] = fold((__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) + bpf_htons(20) + tcp[0] + tcp[1] + tcp[2] + tcp[3]);
    __u8 mac[6];
    __builtin_memcpy(mac, ethernet->h_dest, 6);
    __builtin_memcpy(ethernet->h_dest, ethernet->h_source, 6);
    __builtin_memcpy(ethernet->h_source, mac, 6);
    // Not XDP_TX: veth then wakes the other end only if that has an XDP program too.
    return bpf_redirect(ctx->ingress_ifindex, 0);
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
    __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 index = ctx->ingress_ifindex;
    const struct way *way = bpf_map_lookup_elem(&ways, &index);
    if (!way || data + sizeof(struct ethhdr) > end) return XDP_PASS;
    __builtin_memcpy(data, way->mac, 12);
    return bpf_redirect(way->ifindex, 0);
}

char _license[] SEC("license") = "GPL";
