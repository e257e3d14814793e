package io.ambo.node.firewall;

import io.ambo.node.config.AddressMatch;
import io.ambo.node.packet.PacketView;

/**
 * The left-hand side of a rule. Each part is a set in which an empty array means "any"; all parts must agree. Arrays are flat so that matching walks
 * memory in order and allocates nothing; nobody changes them after construction.
 */
public final class Match {
    public static final Match EVERYTHING = new Match(new int[0], new int[0], AddressMatch.ANY, AddressMatch.ANY, new int[0], new int[0],
            new int[0]);

    private final int[] fromZones;
    private final int[] toZones;
    private final AddressMatch sources;
    private final AddressMatch destinations;
    private final int[] protocols;
    /** Pairs: first, last. */
    private final int[] sourcePorts;
    private final int[] destinationPorts;

    /**
     * @param fromZones        zone ids
     * @param toZones          zone ids
     * @param protocols        of {@link PacketView}; ICMP stands for both versions
     * @param sourcePorts      pairs of first and last port
     * @param destinationPorts pairs of first and last port
     */
    public Match(int[] fromZones, int[] toZones, AddressMatch sources, AddressMatch destinations, int[] protocols, int[] sourcePorts,
            int[] destinationPorts) {
        this.fromZones = fromZones.clone();
        this.toZones = toZones.clone();
        this.sources = sources;
        this.destinations = destinations;
        this.protocols = protocols.clone();
        this.sourcePorts = sourcePorts.clone();
        this.destinationPorts = destinationPorts.clone();
    }

    /** Addresses as 128 bits, IPv4 mapped; ports as 0 to 65535. */
    boolean matches(int fromZone, int toZone, int protocol, long sourceHigh, long sourceLow, int sourcePort, long destinationHigh,
            long destinationLow, int destinationPort) {
        return has(fromZones, fromZone) && has(toZones, toZone) && hasProtocol(protocol) && hasPort(destinationPorts, destinationPort)
                && hasPort(sourcePorts, sourcePort) && sources.matches(sourceHigh, sourceLow)
                && destinations.matches(destinationHigh, destinationLow);
    }

    /** The same without the zone that the route leads to: there is none yet. */
    boolean matchesBeforeRoute(int fromZone, int protocol, long sourceHigh, long sourceLow, int sourcePort, long destinationHigh,
            long destinationLow, int destinationPort) {
        int anyZone = toZones.length == 0 ? 0 : toZones[0];
        return matches(fromZone, anyZone, protocol, sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow, destinationPort);
    }

    AddressMatch destinations() { return destinations; }

    private boolean hasProtocol(int protocol) { return has(protocols, protocol == PacketView.ICMPV6 ? PacketView.ICMP : protocol); }

    private static boolean has(int[] set, int value) {
        if (set.length == 0) return true;
        for (int member : set) if (member == value) return true;
        return false;
    }

    private static boolean hasPort(int[] ranges, int port) {
        if (ranges.length == 0) return true;
        for (int i = 0; i < ranges.length; i += 2) if (port >= ranges[i] && port <= ranges[i + 1]) return true;
        return false;
    }
}
