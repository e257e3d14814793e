package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One rule of address translation. Everything it names must match.
 *
 * @param name        unique
 * @param from        zones of the arriving interface; empty: any
 * @param to          zones of the leaving interface; empty: any. With snat only
 * @param source      addresses of the opener
 * @param destination addresses it opens to
 * @param protocols   never empty; any means all of them
 * @param ports       destination ports; empty: any
 * @param snat        addresses that sources become, or null
 * @param snatPorts   ports that the cluster gives out there; each member has its share
 * @param dnat        address that destinations become, or null
 * @param dnatPort    port that destinations become; 0: as it is
 */
public record NatConfig(String name, Set<String> from, Set<String> to, AddressMatch source, AddressMatch destination,
        Set<Protocol> protocols, List<PortRange> ports, @Nullable Cidr snat, PortRange snatPorts, @Nullable IpAddress dnat, int dnatPort) {
    public NatConfig {
        // Sorted, as in RuleConfig.
        from = Collections.unmodifiableSortedSet(new TreeSet<>(from));
        to = Collections.unmodifiableSortedSet(new TreeSet<>(to));
        protocols = Collections.unmodifiableSortedSet(new TreeSet<>(protocols));
        ports = List.copyOf(ports);
    }
}
