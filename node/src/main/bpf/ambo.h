// What the XDP program and Java share: sizes, and the layout of every map's key and value.
// Java's side is io.ambo.node.fastpath.XdpProgram; it compares names and offsets when it loads the program.
#pragma once

#include <linux/types.h>

#define AMBO_MAX_PORTS 64
#define AMBO_MAX_QUEUES 64
#define AMBO_MAX_LOCAL_ADDRESSES 4096

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
    X(dropped_no_socket)

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

// Map `settings`: its only entry. Zeroed memory means: take no traffic.
struct ambo_settings {
    __u32 gate_open;
};
_Static_assert(sizeof(struct ambo_settings) == 4, "shared with XdpProgram");

// Map `ports`, by interface index: which of the node's ports that is, and the hardware address it answers to.
struct ambo_port {
    __u16 number;
    __u16 mac[3]; // network order, as in the frame
};
_Static_assert(sizeof(struct ambo_port) == 8, "shared with XdpProgram");

// Key of map `local6`.
struct ambo_address6 {
    __u32 word[4]; // network order
};
_Static_assert(sizeof(struct ambo_address6) == 16, "shared with XdpProgram");
