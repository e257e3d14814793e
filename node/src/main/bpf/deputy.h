// Stage 3, first half: what this node cannot take now, because its process is silent, its gate is closed or it drains, goes to a peer on the same link, as if
// the sender had sent it there. So new flows go on through the peer while the kernel here forwards the established ones.
#pragma once

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_INTERFACES);
    __type(key, struct ambo_vlan);
    __type(value, struct ambo_deputy);
} deputies SEC(".maps");

// Hardware addresses of all peers on all links, as the low 48 bits of a number. The value means nothing.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, AMBO_MAX_INTERFACES);
    __type(key, __u64);
    __type(value, __u8);
} peer_macs SEC(".maps");

// Sends the frame on to the deputy, or returns -1: there is none, or a peer has handed it to this node and would get it back.
static __always_inline int hand_to_deputy(const struct xdp_md *ctx, const struct ambo_port *port, const struct packet *packet)
{
    struct ambo_vlan key = { .ifindex = ctx->ingress_ifindex, .id = packet->vlan };
    const struct ambo_deputy *deputy = bpf_map_lookup_elem(&deputies, &key);
    if (!deputy || !packet->ethernet) return -1;
    struct ethhdr *ethernet = (struct ethhdr *)packet->ethernet;
    __u64 source = 0;
#pragma unroll
    for (int i = 0; i < ETH_ALEN; i++) source = source << 8 | ethernet->h_source[i];
    if (bpf_map_lookup_elem(&peer_macs, &source)) return -1;
    __builtin_memcpy(ethernet->h_dest, deputy->mac, ETH_ALEN);
    __builtin_memcpy(ethernet->h_source, port->mac, ETH_ALEN);
    return bpf_redirect(ctx->ingress_ifindex, 0);
}
