// The fast path: what happens to a packet in the kernel, before any socket.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int ambo(struct xdp_md *ctx)
{
    (void)ctx;
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
