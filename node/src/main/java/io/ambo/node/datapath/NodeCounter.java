package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterName;
import java.util.Locale;

/** What a worker does, beside dropping ({@link io.ambo.node.packet.DropReason}). The order is the id: add at the end, keep retired entries. */
public enum NodeCounter implements CounterName {
    // @formatter:off
    PACKETS_RECEIVED("packets that came to the slow path"),
    PACKETS_FORWARDED("packets that left it"),
    BYTES_FORWARDED("bytes of IP that left it"),
    SESSIONS_OPENED("sessions that a packet opened on this node"),
    SESSIONS_OPENED_MID_STREAM("of these, TCP sessions picked up without a SYN"),
    SESSIONS_REOPENED("of these, new lives of a key whose last session was over"),
    SESSIONS_EXPIRED("sessions this node has ended by timeout"),
    SESSIONS_ADOPTED("of these, sessions whose owner had left the cluster"),
    SESSIONS_FORGOTTEN("tombstones removed"),
    STRAYS_PARKED("strays held until their delta comes"),
    STRAYS_RELEASED_BY_DELTA("of these, released by the delta"),
    STRAYS_EXPIRED("of these, whose delta did not come in time"),
    DEFERRED("first packets held until a peer had the session"),
    DEFERRED_ACKNOWLEDGED("of these, released by the peer's acknowledgement"),
    DEFERRED_EXPIRED("of these, sent without it, as no peer answered in time"),
    NEIGHBOUR_WAITS("packets held until their next hop was resolved"),
    FRAGMENTS_MADE("IPv4 fragments made of packets too big for the next link"),
    ICMP_ERRORS_SENT("ICMP errors this node has sent"),
    ICMP_ERRORS_SUPPRESSED("ICMP errors and resets not sent for want of tokens (RFC 1812, 4.3.2.8)"),
    RESETS_SENT("TCP resets this node has sent"),
    COMMANDS_LOST("messages to a worker that found its queue full; what they were about waits for its deadline"),
    STRAYS_REDIRECTED("strays handed to a peer: sync mode, as their delta did not come in time; redirect mode, to one who knows the owner"),
    STRAYS_TAKEN("strays that a peer handed over"),
    SESSIONS_REVOKED("sessions that ended because the policy of a reload forbids them"),
    FLOWS_ADOPTED("sessions found in the kernel's flow cache at start, and taken over from the process before"),
    FLOWS_INSTALLED("sessions put into the flow cache of the kernel"),
    FLOWS_REMOVED("entries of the flow cache whose session was over or unknown"),
    FLOW_CACHE_FULL("sessions that found the flow cache full and stay on the slow path"),
    FLOWS_REFUSED("sessions that the kernel did not take into the flow cache"),
    SESSIONS_TRANSLATED("sessions that were opened with translated ends"),
    REDIRECTED("redirect mode: packets handed to the owner of their session"),
    FLOWS_REDIRECTED("redirect mode: entries of the flow cache by which the kernel hands packets to the owner of their session"),
    SEGMENTS_DOUBTED("segments refused by what this node knows of their session, and held, as a delta under way may know better"),
    SEGMENTS_VINDICATED("of these, for which a delta came"),
    RECEIVE_RING_FULL("frames lost before any look at them: their worker did not take them in time"),
    RECEIVE_NO_FRAME("frames lost before any look at them: no packet memory was left, or they were too long for it");
    // @formatter:on

    private final String help;

    NodeCounter(String help) { this.help = help; }

    @Override
    public String label() { return name().toLowerCase(Locale.ROOT); }

    @Override
    public String help() { return help; }
}
