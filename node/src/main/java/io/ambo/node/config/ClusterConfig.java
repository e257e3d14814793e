package io.ambo.node.config;

import io.ambo.cluster.ClusterSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;

/**
 * Section cluster.
 *
 * @param name               equal on all members
 * @param bindAddress        this host's address on the sync link
 * @param bindPort           TCP port of the sync link with transport tcp
 * @param transport          how members talk
 * @param multicast          group and port with transport udp
 * @param peers              host and port of every member with transport tcp (numeric, resolved); may name this node too
 * @param members            names of all members, in the same order on all: each has its share of the ports for translation
 * @param mode               which members have a session; equal on all members
 * @param redirectPort       UDP port on the sync link for packets that members hand to each other; equal on all members
 * @param keyFile            the cluster's key, equal on all members; at least {@link io.ambo.cluster.ClusterKey#SHORTEST} bytes
 * @param parkNs             how long a stray waits for its delta
 * @param deferTimeoutNs     how long a rule with defer holds a packet for a peer's acknowledgement; then it goes out anyway
 * @param joinTimeoutMs      how long a starting node looks for members before it is the first
 * @param heartbeatMs        interval of heartbeats
 * @param heartbeatTimeoutMs a member that was silent for so long is suspected
 * @param probeMs            interval of the probes that a member's kernel answers
 * @param probeTimeoutMs     a host that has answered none for so long is dead, or cut off
 * @param processTimeoutMs   a process that is silent for so long, on a host that lives, loses its floating addresses
 */
public record ClusterConfig(String name, InetAddress bindAddress, int bindPort, Transport transport, InetSocketAddress multicast,
        List<InetSocketAddress> peers, List<String> members, ClusterSettings.Mode mode, int redirectPort,
        Path keyFile, long parkNs, long deferTimeoutNs, int joinTimeoutMs,
        int heartbeatMs,
        int heartbeatTimeoutMs, int probeMs, int probeTimeoutMs, int processTimeoutMs) {
    public ClusterConfig {
        peers = List.copyOf(peers);
        members = List.copyOf(members);
    }

    public ClusterConfig withMembers(List<String> others) {
        return new ClusterConfig(name, bindAddress, bindPort, transport, multicast, peers, others, mode, redirectPort, keyFile, parkNs,
                deferTimeoutNs, joinTimeoutMs, heartbeatMs, heartbeatTimeoutMs, probeMs, probeTimeoutMs, processTimeoutMs);
    }
}
