package io.ambo.node.config;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;

/**
 * Section cluster.
 *
 * @param name           equal on all members
 * @param bindAddress    this host's address on the sync link
 * @param bindPort       TCP port of the sync link with transport tcp; 0: chosen by the system (transport udp)
 * @param transport      how members talk
 * @param multicast      group and port with transport udp
 * @param peers          host and port of every member with transport tcp (unresolved); may name this node too
 * @param keyFile        the cluster's key, equal on all members; at least {@link #KEY_BYTES_MIN} bytes
 * @param parkNs         how long a stray waits for its delta
 * @param deferTimeoutNs how long a rule with defer holds a packet for a peer's acknowledgement; then it goes out anyway
 */
public record ClusterConfig(String name, InetAddress bindAddress, int bindPort, Transport transport, InetSocketAddress multicast,
        List<InetSocketAddress> peers, Path keyFile, long parkNs, long deferTimeoutNs) {
    public static final int KEY_BYTES_MIN = 32;
    public static final int KEY_BYTES_MAX = 4096;

    public ClusterConfig {
        peers = List.copyOf(peers);
    }
}
