// What the XDP program and Java share: sizes, and the layout of every map's key and value.
// Java's side is io.ambo.node.fastpath.XdpProgram; it compares names and offsets when it loads the program.
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define AMBO_MAX_PORTS 64
#define AMBO_NEAR_PORTS 256
#define AMBO_MAX_QUEUES 64
#define AMBO_MAX_INTERFACES 1024
#define AMBO_MAX_LOCAL_ADDRESSES 4096
#define AMBO_MAX_MEMBERS 64
// The port of packets that other members have handed over, and of the device that they come by.
#define AMBO_REDIRECT_PORT 63

// One name for each way a frame can go, in the order of XdpCounter. All before `punted` go to the kernel.
#define AMBO_VERDICTS(X)            \
    X(passed_mac)                   \
    X(passed_ethernet_type)         \
    X(passed_local)                 \
    X(passed_link)                  \
    X(passed_neighbour_discovery)   \
    X(passed_protocol)              \
    X(passed_port)                  \
    X(punted)                       \
    X(punted_malformed)             \
    X(dropped_runt)                 \
    X(dropped_gate_closed)          \
    X(dropped_no_socket)            \
    X(forwarded)                    \
    X(punted_out_of_window)         \
    X(punted_next_hop)              \
    X(dropped_no_headroom)          \
    X(handed_to_deputy)         \
    X(redirected_in_kernel)         \
    X(punted_redirect)              \
    X(punted_handed)                \
    X(passed_sync)                  \
    X(dropped_redirect_malformed)   \
    X(dropped_redirect_sender)      \
    X(dropped_redirect_unauthentic) \
    X(dropped_redirect_replayed)

enum ambo_verdict {
#define X(name) AMBO_##name,
    AMBO_VERDICTS(X)
#undef X
    AMBO_VERDICTS_END
};

// Map `counters`: frames by verdict, one such struct for each CPU.
struct ambo_counters {
#define X(name) __u64 name;
    AMBO_VERDICTS(X)
#undef X
};
_Static_assert(sizeof(struct ambo_counters) == 8 * AMBO_VERDICTS_END, "one counter for each verdict");

// Map `settings`: its only entry. Zeroed memory means: take no traffic, forward nothing.
struct ambo_settings {
    __u32 layout; // which build's structs the pinned maps hold, see XdpProgram
    __u32 gate_open;
    __u32 route_generation; // another number with each change of routes, neighbours or links
    __u32 reserved;
    __u64 forward_until_ns; // CLOCK_MONOTONIC_COARSE; the node moves it on while it lives
    __u64 process_until_ns; // the same, a moment ahead: beyond it the process is silent
};
_Static_assert(sizeof(struct ambo_settings) == 32, "shared with XdpProgram");

// Map `ports`, by interface index: which of the node's ports that is, and the hardware address it answers to. Map `near_ports` has the same in an array,
// by the lowest bits of the index, which costs a tenth of a hash look-up; of two that would share a place there, the second is only in the other.
struct ambo_port {
    __u8 number;
    __u8 untagged; // frames without a tag belong to a data interface
    __u16 mac[3];  // network order, as in the frame
    __u32 ifindex;
};
_Static_assert(sizeof(struct ambo_port) == 12, "shared with XdpProgram");

// Key of map `vlans`: the tags of the data interfaces.
struct ambo_vlan {
    __u32 ifindex; // of the device that carries the frames
    __u32 id;
};
_Static_assert(sizeof(struct ambo_vlan) == 8, "shared with XdpProgram");

// Map `egresses`, by index of a data interface: how its frames leave.
struct ambo_egress {
    __u32 ifindex; // of the device that carries the frames
    __u32 vlan;    // 0: no tag
};
_Static_assert(sizeof(struct ambo_egress) == 8, "shared with XdpProgram");

// Value of map `deputies`, by struct ambo_vlan (id 0: no tag): the peer on that link that takes what this node cannot take.
struct ambo_deputy {
    __u16 mac[3]; // network order, as in the frame
    __u16 reserved;
};
_Static_assert(sizeof(struct ambo_deputy) == 8, "shared with XdpProgram");

// Key of map `flows4`: both ends of a session, the lower one (by address, then port) first. Network order.
struct ambo_flow_key4 {
    __be32 low;
    __be32 high;
    __be16 low_port;
    __be16 high_port;
    __u8 protocol;
    __u8 reserved;
    __be16 routing_zone;
};
_Static_assert(sizeof(struct ambo_flow_key4) == 16, "shared with FlowCache");

// Key of map `flows6`: the bytes of SessionKey.
struct ambo_flow_key6 {
    __be32 low[4];
    __be32 high[4];
    __be16 low_port;
    __be16 high_port;
    __u8 protocol;
    __u8 reserved;
    __be16 routing_zone;
};
_Static_assert(sizeof(struct ambo_flow_key6) == 40, "shared with FlowCache");

// What is known of one end as a sender of TCP: the bytes of TcpHalf.
struct ambo_half {
    __u32 seq_end;
    __u32 max_end;
    __u32 ack;
    __u32 max_window;
    __u8 state;
    __u8 scale;
    __u8 known;
    __u8 reserved;
};
_Static_assert(sizeof(struct ambo_half) == 20, "shared with FlowCache");

// A next hop as bpf_fib_lookup named it. Worth something until a time, and as long as nothing has changed in the kernel's tables.
struct ambo_hop {
    __u64 valid_until_ns;
    __u32 generation;
    __u32 ifindex;
    __u16 mtu;
    __u16 mac[6]; // destination, source: the first 12 bytes of the frame
    __u16 vlan;   // 0: no tag
};
_Static_assert(sizeof(struct ambo_hop) == 32, "written by the program alone");

// One direction of a session: 0 from the low end, 1 from the high end. A cache line: a datagram touches this and the line of the key, no more.
struct ambo_direction {
    __u64 packets;
    __u64 bytes;        // of IP
    __u64 last_seen_ns; // CLOCK_MONOTONIC_COARSE; 0: not yet
    struct ambo_hop hop;
    __u32 idle_ms; // the session's timeout; both directions have the same
    __u32 translated; // packets of this direction leave with other ends; both directions have the same
};
_Static_assert(sizeof(struct ambo_direction) == 64, "shared with FlowCache");

// The node has seen the whole session: window checks need no slack.
#define AMBO_FLOW_SEEN_WHOLE 1
// Not a session: packets with these ends go to the member whose id is in the upper half of the flags.
#define AMBO_FLOW_REDIRECT 2
#define AMBO_FLOW_OWNER_SHIFT 16

// Value of `flows4` and `flows6`. Two CPUs may write different directions of one session at once; of the fields that both write (a half's max_end
// and seq_end) the loser's is written again by its next packet.
struct ambo_flow {
    struct ambo_direction direction[2];
    struct ambo_half half[2]; // of the end that sends in that direction
    __u64 created;            // of the incarnation that this is a copy of
    __u32 epoch;
    __u32 flags;
    __u64 installed_ns; // when it was last heard of, by anybody, before it came here
};
// With the kernel's 48 bytes and a key of 16 an entry is four cache lines, each part in its own.
_Static_assert(sizeof(struct ambo_flow) == 192, "shared with FlowCache");

// What Java tells of a packet that it has forwarded itself, of a flow that is in the cache: see account.h.
struct ambo_account {
    struct ambo_flow_key6 key; // for flows4 its first 16 bytes are a struct ambo_flow_key4
    __u32 ipv6;
    __u32 from;                // the packet's direction
    struct ambo_half half[2];  // as Java knows them now
    __u64 created;             // of the session's incarnation
    __u32 epoch;
    __u32 bytes;
    __u32 flags;               // AMBO_FLOW_SEEN_WHOLE: still
    __u32 reserved;
};
_Static_assert(sizeof(struct ambo_account) == 112, "shared with FlowCache");

// What becomes of the ends of a packet, after the packet's own ends. The checksums' changes are one's complement sums (RFC 1624).
struct ambo_translation {
    __u64 created; // of the session's incarnation: an entry of an earlier one counts for nothing
    __be16 source_port;
    __be16 destination_port;
    __u16 addresses; // what changes in the checksum of the IPv4 header
    __u16 ends;      // and in that of the transport header: addresses and ports
    __u8 wire_from;  // the end of this entry's key that such a packet comes from
    __u8 from;       // the same of the session's key: its direction in the flow cache
    __u8 reserved[6];
};
_Static_assert(sizeof(struct ambo_translation) == 24, "shared with FlowCache");

// Values of `translations4` and `translations6`. Each translated session has an entry under its own ends, for packets of the original flow, and one under
// those that it is translated to, for the reply flow.
struct ambo_translation4 {
    struct ambo_translation common;
    struct ambo_flow_key4 session;
    __be32 source;
    __be32 destination;
};
_Static_assert(sizeof(struct ambo_translation4) == 48, "shared with FlowCache");

struct ambo_translation6 {
    struct ambo_translation common;
    struct ambo_flow_key6 session;
    __be32 source[4];
    __be32 destination[4];
};
_Static_assert(sizeof(struct ambo_translation6) == 96, "shared with FlowCache");

// Map `tunnel`: its only entry. How packets are handed to other members, see tunnel.h. Zeroed memory means: not at all.
struct ambo_tunnel {
    __u32 ifindex; // of the sync link's device
    __u32 ipv6;    // of the addresses
    __be16 node;   // this member's id
    __be16 udp_port;
    __u32 reserved;
    __be32 address[4]; // this host's; IPv4 mapped
    __u64 key[2];
    __u64 sequence; // of the datagram sent last
    __u8 salt[16];  // that the key was made of: a next process tells it to the members
};
_Static_assert(sizeof(struct ambo_tunnel) == 72, "shared with KernelRedirect");

// Map `redirect_targets`, by node id: the members that packets may be handed to.
struct ambo_target {
    __be32 address[4];
    __be16 udp_port;
    __u16 reserved[3];
    struct ambo_hop hop;
};
_Static_assert(sizeof(struct ambo_target) == 56, "shared with KernelRedirect");

#define AMBO_WINDOW_WORDS 32

// Map `redirect_sources`, by node id: by what datagrams of a member's kernel are known, and which have been seen (RFC 6479).
struct ambo_source {
    struct bpf_spin_lock lock;
    __u32 reserved;
    __be32 address[4];
    __u64 key[2];
    __u64 newest;
    __u64 seen[AMBO_WINDOW_WORDS];
};
_Static_assert(sizeof(struct ambo_source) == 304, "shared with KernelRedirect");

// Key of map `local6`.
struct ambo_address6 {
    __u32 word[4]; // network order
};
_Static_assert(sizeof(struct ambo_address6) == 16, "shared with XdpProgram");
