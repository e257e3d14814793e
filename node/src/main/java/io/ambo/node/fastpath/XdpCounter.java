package io.ambo.node.fastpath;

import io.ambo.cluster.metrics.CounterName;
import java.util.Locale;

/** What the XDP program counts, frame by frame: each frame in exactly one of these. The order is that of struct ambo_counters in ambo.h. */
public enum XdpCounter implements CounterName {
    // @formatter:off
    PASSED_MAC("passed to the kernel: the destination MAC is not the interface's own (other hosts, broadcast, multicast)"),
    PASSED_ETHERNET_TYPE("passed to the kernel: ARP, or an Ethernet type that is not IP"),
    PASSED_LOCAL("passed to the kernel: to an address of this host"),
    PASSED_LINK("passed to the kernel: to a link-local, multicast or broadcast address"),
    PASSED_NEIGHBOUR_DISCOVERY("passed to the kernel: ICMPv6 neighbour discovery"),
    PASSED_PROTOCOL("passed to the kernel: neither TCP nor UDP nor ICMP"),
    PASSED_PORT("passed to the kernel: the interface is not attached any more"),
    PUNTED("sent to a worker; what its socket could not take is counted there"),
    PUNTED_MALFORMED("sent to a worker, which drops and counts it: truncated, or with headers that are not followed"),
    DROPPED_RUNT("dropped: shorter than an Ethernet header"),
    DROPPED_GATE_CLOSED("dropped: the node takes no traffic yet"),
    DROPPED_NO_SOCKET("dropped: no worker has a socket on the queue"),
    FORWARDED("forwarded in the kernel: an established session in the flow cache"),
    PUNTED_OUT_OF_WINDOW("sent to the workers: a segment of a session in the flow cache, outside its window"),
    PUNTED_NEXT_HOP("sent to the workers: a packet of a session in the flow cache whose next hop is unknown, or takes no packet of this size"),
    DROPPED_NO_HEADROOM("dropped: the driver left no room for the VLAN tag of the next hop"),
    HANDED_TO_DEPUTY("handed to a peer on the same link, since this node could not take it: its process was silent, its gate closed, or it drains"),
    REDIRECTED_IN_KERNEL("handed over in the kernel: a flow that another member owns"),
    PUNTED_REDIRECT("sent to the workers: a flow that another member owns, which cannot be reached from here, or not with so large a packet"),
    PUNTED_HANDED("handed over by a member's kernel and sent to a worker: not in the flow cache, or nothing that it forwards"),
    PASSED_SYNC("passed to the kernel: frames of the sync link"),
    DROPPED_REDIRECT_MALFORMED("dropped: handed over by a kernel, they say, but not of that form"),
    DROPPED_REDIRECT_SENDER("dropped: handed over by a kernel, they say, but by none that is known, or not from its address"),
    DROPPED_REDIRECT_UNAUTHENTIC("dropped: handed over by a kernel, they say, but not made with this cluster's key, or changed on the way"),
    DROPPED_REDIRECT_REPLAYED("dropped: handed over by a kernel, but seen before, or too old to tell");
    // @formatter:on

    private final String help;

    XdpCounter(String help) { this.help = help; }

    @Override
    public String label() { return name().toLowerCase(Locale.ROOT); }

    @Override
    public String help() { return help; }
}
