package io.ambo.node.routing;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Netlink;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * {@link Routes} answered by the kernel. Lives on one worker's thread. Known destinations come from a bounded cache without a system call and without
 * garbage; a new one costs a route lookup and, for a new hop, a neighbour lookup. Those never wait: rtnetlink answers inside the send.
 *
 * <p>
 * An entry of the cache counts for one epoch, that is until routes, links or addresses change. A neighbour's change needs no new lookup: entries lead to
 * the {@link Hop} that the netlink thread keeps up to date.
 */
public final class KernelRoutes implements Routes {
    private static final int WAYS = 4;
    private static final int SETS = 1 << 14;

    private final KernelNetwork network;
    private final Neighbours neighbours;
    private final Netlink netlink;
    private final RouteQuery routes;
    private final NeighbourQuery neighbourQuery;
    private final CounterBank<RoutingCounter>.Row counters;

    private final long[] highs = new long[SETS * WAYS];
    private final long[] lows = new long[SETS * WAYS];
    private final long[] epochs = new long[SETS * WAYS];
    private final RouteEntry[] entries = new RouteEntry[SETS * WAYS];
    private int victim;

    KernelRoutes(KernelNetwork network, Neighbours neighbours, Netlink netlink, CounterBank<RoutingCounter>.Row counters) {
        this.network = network;
        this.neighbours = neighbours;
        this.netlink = netlink;
        this.counters = counters;
        routes = new RouteQuery(netlink);
        neighbourQuery = new NeighbourQuery(netlink);
        Arrays.fill(entries, RouteEntry.NO_ROUTE);
    }

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        long epoch = network.epoch();
        int set = set(destinationHigh, destinationLow);
        for (int i = set; i < set + WAYS; i++) {
            if (lows[i] == destinationLow && highs[i] == destinationHigh && epochs[i] == epoch) {
                Result result = follow(entries[i], flowHash, into);
                if (result != null) return result;
                break;
            }
        }
        Result result = follow(ask(destinationHigh, destinationLow, epoch, set), flowHash, into);
        return result != null ? result : Result.NEIGHBOUR_FAILED;
    }

    @Override
    public DataInterface ingress(int port, int vlan) { return network.lookup().ingress(port, vlan); }

    @Override
    public DataInterface inZone(int zone) { return network.lookup().inZone(zone); }

    @Override
    public long generation() { return network.generation(); }

    /** Answers from an entry. @return null when the entry is outdated and the route must be looked up again */
    private @Nullable Result follow(RouteEntry entry, int flowHash, NextHop into) {
        int count = entry.hops.length;
        if (count == 0) return entry.result;
        int picked = entry.pick(flowHash);
        Result result = follow(entry, entry.hops[picked], entry.positions[picked], into);
        // A hop that does not answer is passed over while another one does.
        for (int i = 1; i < count && result == Result.NEIGHBOUR_FAILED; i++) {
            int other = (picked + i) % count;
            result = follow(entry, entry.hops[other], entry.positions[other], into);
        }
        return result;
    }

    private @Nullable Result follow(RouteEntry entry, Hop hop, int position, NextHop into) {
        DataInterface egress = network.lookup().at(position);
        if (egress.index() != hop.index) return null;
        into.egress = egress;
        into.mtu = entry.mtu == 0 ? egress.mtu() : Math.min(entry.mtu, egress.mtu());
        if (!egress.linkIsUp()) return Result.NEIGHBOUR_FAILED;
        long word = hop.word();
        if (Hop.status(word) == Hop.UNKNOWN) {
            Neighbours.prime(hop, neighbourQuery, counters);
            word = hop.word();
        }
        hop.markUsed();
        return switch (Hop.status(word)) {
            case Hop.USABLE, Hop.STALE -> {
                into.destinationMac = Hop.mac(word);
                yield Result.FOUND;
            }
            case Hop.FAILED -> Result.NEIGHBOUR_FAILED;
            case Hop.RETIRED -> null;
            default -> Result.PENDING;
        };
    }

    /** The kernel's answer, kept for the epoch in which it was asked. */
    private RouteEntry ask(long high, long low, long epoch, int set) {
        counters.increment(RoutingCounter.ROUTE_LOOKUPS);
        int answer = routes.ask(high, low);
        RouteEntry entry = switch (answer) {
            case 0 -> entry(high, low);
            case RouteQuery.LOCAL -> RouteEntry.LOCAL;
            case Errno.ENETUNREACH -> RouteEntry.NO_ROUTE;
            case Errno.EHOSTUNREACH, Errno.EACCES, Errno.EINVAL -> RouteEntry.PROHIBITED;
            default -> {
                counters.increment(RoutingCounter.ROUTE_LOOKUPS_FAILED);
                yield null;
            }
        };
        if (entry == null) return RouteEntry.NO_ROUTE;
        int at = slot(high, low, epoch, set);
        highs[at] = high;
        lows[at] = low;
        epochs[at] = epoch;
        entries[at] = entry;
        return entry;
    }

    private RouteEntry entry(long high, long low) {
        LinkSnapshot.Lookup lookup = network.lookup();
        int usable = 0;
        int count = routes.hopCount;
        Hop[] hops = new Hop[count];
        int[] positions = new int[count];
        int[] weights = new int[count];
        boolean full = false;
        for (int i = 0; i < count; i++) {
            int position = lookup.position(routes.hopIndex[i]);
            if (position < 0) continue;
            boolean onLink = routes.hopHigh[i] == 0 && routes.hopLow[i] == 0;
            Hop hop = neighbours.hop(routes.hopIndex[i], onLink ? high : routes.hopHigh[i], onLink ? low : routes.hopLow[i]);
            if (hop == null) {
                counters.increment(RoutingCounter.NEIGHBOURS_REFUSED);
                full = true;
                continue;
            }
            hops[usable] = hop;
            positions[usable] = position;
            weights[usable] = routes.hopWeight[i];
            usable++;
        }
        if (usable == 0) return full ? RouteEntry.NEIGHBOUR_FAILED : RouteEntry.NOT_A_DATA_INTERFACE;
        if (usable < count) {
            hops = Arrays.copyOf(hops, usable);
            positions = Arrays.copyOf(positions, usable);
            weights = Arrays.copyOf(weights, usable);
        }
        return new RouteEntry(hops, positions, weights, routes.mtu);
    }

    /** Where to keep an entry: over an older one of the same destination, over one of an older epoch, or over the next in turn. */
    private int slot(long high, long low, long epoch, int set) {
        int outdated = -1;
        for (int i = set; i < set + WAYS; i++) {
            if (lows[i] == low && highs[i] == high) return i;
            if (epochs[i] != epoch) outdated = i;
        }
        return outdated >= 0 ? outdated : set + (victim++ & (WAYS - 1));
    }

    private static int set(long high, long low) {
        long h = (high * 0x9E3779B97F4A7C15L ^ low) * 0xBF58476D1CE4E5B9L;
        return (int) (h >>> 40 & (SETS - 1)) * WAYS;
    }

    void close() { netlink.close(); }
}
