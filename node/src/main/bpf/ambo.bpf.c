// The fast path: what happens to a frame in the kernel, before any socket.
//
//   frame --> flow cache ------> out of the next hop's interface: an established flow, and nothing special about the packet
//                        ------> to the member that owns the flow, in Geneve over the sync link (redirect mode)
//         --> parse --> classify --> the kernel   what is for this host, and what is neither TCP nor UDP nor ICMP
//                                --> punt         to the worker (Java) of the queue; while it cannot take it to a peer on the link, if one is known; else dropped
//
// A frame of the sync link that holds such a packet begins there as the packet that the other member had received; other frames of the sync link are the
// kernel's.
//
// One program serves all interfaces; it finds the port by the interface's index.
#include "account.h"
#include "flow.h"

SEC("xdp")
int ambo(struct xdp_md *ctx)
{
    const struct ambo_port *port = find_port(ctx->ingress_ifindex);
    if (!port) {
        count(AMBO_passed_port);
        return XDP_PASS;
    }

    int handed = port->number == AMBO_REDIRECT_PORT;
    if (handed) {
        int done = take_handed(ctx);
        if (done >= 0) return done;
    }
    enum ambo_verdict reason = handed ? AMBO_punted_handed : AMBO_punted;
    int action = forward_flow(ctx, port, handed, &reason);
    if (action >= 0) return action;
    if (handed) {
        // No peer on the sync link can take it in this one's place.
        struct packet none = {};
        return punt(ctx, port, &none, reason);
    }

    struct packet packet = { .cursor = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
    enum ambo_verdict verdict = classify(&packet, port);
    if (verdict == AMBO_punted || verdict == AMBO_punted_malformed) return punt(ctx, port, &packet, verdict == AMBO_punted ? reason : verdict);
    count(verdict);
    return verdict < AMBO_punted ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
