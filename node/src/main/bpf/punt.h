// Stage 3: the way to the worker of the queue, if there is one and the node may take traffic. Otherwise the frame ends here: it fails closed.
#pragma once

#include "ambo.h"
#include "deputy.h"

// By port * AMBO_MAX_QUEUES + queue. A socket that is closed, by its process or by the end of it, leaves the map by itself.
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, AMBO_MAX_PORTS * AMBO_MAX_QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ambo_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ambo_counters);
} counters SEC(".maps");

static __always_inline void count(enum ambo_verdict verdict)
{
    __u32 key = 0;
    __u64 *counter = bpf_map_lookup_elem(&counters, &key);
    if (counter && verdict < AMBO_VERDICTS_END) counter[verdict]++;
}

static __always_inline int is_gate_open(void)
{
    __u32 key = 0;
    const struct ambo_settings *now = bpf_map_lookup_elem(&settings, &key);
    return now && now->gate_open;
}

// Whether the process would take it. `process_until_ns` is 0 while nobody can be its deputy.
static __always_inline int is_taking(void)
{
    __u32 key = 0;
    const struct ambo_settings *now = bpf_map_lookup_elem(&settings, &key);
    return now && now->gate_open && (!now->process_until_ns || bpf_ktime_get_coarse_ns() < now->process_until_ns);
}

static __always_inline int punt(const struct xdp_md *ctx, const struct ambo_port *port, const struct packet *packet, enum ambo_verdict verdict)
{
    __u32 queue = ctx->rx_queue_index;
    int action = XDP_DROP;
    if (!is_taking()) {
        action = hand_to_deputy(ctx, port, packet);
        if (action >= 0) {
            count(AMBO_handed_to_deputy);
            return action;
        }
        action = XDP_DROP;
    }
    if (!is_gate_open()) {
        verdict = AMBO_dropped_gate_closed;
    } else {
        if (queue < AMBO_MAX_QUEUES) action = bpf_redirect_map(&sockets, port->number * AMBO_MAX_QUEUES + queue, XDP_DROP);
        if (action != XDP_REDIRECT) verdict = AMBO_dropped_no_socket;
    }
    count(verdict);
    return action;
}
