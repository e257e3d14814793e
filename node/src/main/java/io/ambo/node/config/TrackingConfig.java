package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;
import java.util.List;

/**
 * Section tracking: what a node must have besides the interface of an address to be as good as its peers.
 *
 * @param interfaces   data interfaces that must have a link
 * @param reachability neighbours that must answer
 * @param intervalMs   between two questions to a neighbour
 * @param misses       answers in a row that may be missing, after so many it counts as unreachable
 */
public record TrackingConfig(List<String> interfaces, List<Neighbour> reachability, int intervalMs, int misses) {

    /** A host on the link of a data interface. */
    public record Neighbour(IpAddress address, String interfaceName) {
        @Override
        public String toString() { return address + " on " + interfaceName; }
    }

    public TrackingConfig {
        interfaces = List.copyOf(interfaces);
        reachability = List.copyOf(reachability);
    }
}
