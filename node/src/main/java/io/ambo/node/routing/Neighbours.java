package io.ambo.node.routing;

import io.ambo.cluster.metrics.CounterBank;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The hops that routes in use lead to, kept in step with the kernel's neighbour tables. Any worker adds hops; all else is done by the netlink thread.
 *
 * <p>
 * The kernel revalidates and keeps a neighbour only while it sends to it itself, and here it never does. So the hops in use are named to it: a stale
 * one is asked to be revalidated, a failed one to be tried again.
 */
final class Neighbours {
    /** Far above what the kernel keeps by default (gc_thresh3: 1024 for each IP version). */
    private static final int LIMIT = 65_536;
    /** A worker says once a second that it uses a hop; one that nobody used for this long is forgotten. */
    private static final long IDLE_MS = 120_000;
    private static final long IDLE_FAILED_MS = 15_000;
    private static final long REVALIDATE_EVERY_MS = 3_000;
    private static final long RETRY_FAILED_EVERY_MS = 1_000;
    /** The kernel gives up after 3 seconds and says so. If it has said nothing for longer, it is asked. */
    private static final int RESOLVING_TICKS = 4;
    private static final int RESOLVING_TICKS_LIMIT = 15;

    private record Key(int index, long high, long low) {}

    private final ConcurrentHashMap<Key, Hop> hops = new ConcurrentHashMap<>();

    /** The hop for this neighbour, new or known; null when there are too many. */
    @Nullable
    Hop hop(int index, long high, long low) {
        Key key = new Key(index, high, low);
        Hop known = hops.get(key);
        if (known != null) return known;
        if (hops.size() >= LIMIT) return null;
        Hop added = new Hop(index, high, low);
        added.markUsed();
        Hop raced = hops.putIfAbsent(key, added);
        return raced != null ? raced : added;
    }

    /**
     * Finds out about a hop that nothing is known of, and has the kernel resolve it when it does not know either. Run by the worker that met it first.
     */
    static void prime(Hop hop, NeighbourQuery query, CounterBank<RoutingCounter>.Row counters) {
        long known = query.ask(hop);
        int status = Hop.status(known);
        if (status == Hop.USABLE || status == Hop.STALE) {
            hop.setIfUnknown(known);
            return;
        }
        if (!hop.setIfUnknown(Hop.word(Hop.RESOLVING, 0))) return;
        if (!solicit(hop, query, counters)) hop.set(Hop.word(Hop.FAILED, 0));
    }

    /** The kernel reported a neighbour. @return true when a packet that waits for it, or uses it, should look again */
    boolean onNeighbour(int index, long high, long low, long reported) {
        Hop hop = hops.get(new Key(index, high, low));
        return hop != null && update(hop, reported);
    }

    /** Events were lost: asks for every hop. @return true when something changed */
    boolean resync(NeighbourQuery query) {
        boolean changed = false;
        for (Hop hop : hops.values()) changed |= update(hop, query.ask(hop));
        return changed;
    }

    /** Once a second. @return true when something changed */
    boolean upkeep(long nowMs, NeighbourQuery query, CounterBank<RoutingCounter>.Row counters) {
        boolean changed = false;
        for (var entry : hops.entrySet()) {
            Hop hop = entry.getValue();
            if (hop.lastUsedMs == 0 || hop.takeUsed()) hop.lastUsedMs = nowMs;
            long idleMs = nowMs - hop.lastUsedMs;
            int status = Hop.status(hop.word());
            boolean carries = status == Hop.USABLE || status == Hop.STALE;
            if (idleMs > (carries ? IDLE_MS : IDLE_FAILED_MS)) {
                hops.remove(entry.getKey());
                hop.set(Hop.word(Hop.RETIRED, 0));
                continue;
            }
            if (status != Hop.RESOLVING) hop.resolvingTicks = 0;
            long sinceSolicitedMs = nowMs - hop.lastSolicitedMs;
            if (status == Hop.STALE && idleMs == 0 && sinceSolicitedMs >= REVALIDATE_EVERY_MS
                    || status == Hop.FAILED && idleMs == 0 && sinceSolicitedMs >= RETRY_FAILED_EVERY_MS) {
                changed |= revalidate(hop, nowMs, query, counters);
            } else if (status == Hop.RESOLVING && ++hop.resolvingTicks >= RESOLVING_TICKS) {
                changed |= askAfterSilence(hop, query);
            }
        }
        return changed;
    }

    int size() { return hops.size(); }

    private static boolean revalidate(Hop hop, long nowMs, NeighbourQuery query, CounterBank<RoutingCounter>.Row counters) {
        hop.lastSolicitedMs = nowMs;
        long known = query.ask(hop);
        // Meanwhile it may be permanent, and that must not be taken from it.
        if (Hop.status(known) == Hop.USABLE) return update(hop, known);
        solicit(hop, query, counters);
        return false;
    }

    private static boolean askAfterSilence(Hop hop, NeighbourQuery query) {
        long known = query.ask(hop);
        int status = Hop.status(known);
        boolean hopeless = status == Hop.UNKNOWN || status == Hop.RESOLVING && hop.resolvingTicks >= RESOLVING_TICKS_LIMIT;
        return update(hop, hopeless ? Hop.word(Hop.FAILED, 0) : known);
    }

    private static boolean update(Hop hop, long reported) {
        long before = hop.word();
        if (before == reported || Hop.status(before) == Hop.RETIRED) return false;
        if (Hop.status(before) == Hop.FAILED && Hop.status(reported) == Hop.RESOLVING) return false;
        hop.set(reported);
        boolean carried = Hop.status(before) == Hop.USABLE || Hop.status(before) == Hop.STALE;
        boolean carries = Hop.status(reported) == Hop.USABLE || Hop.status(reported) == Hop.STALE;
        return carried != carries || Hop.mac(before) != Hop.mac(reported) || Hop.status(reported) == Hop.FAILED;
    }

    private static boolean solicit(Hop hop, NeighbourQuery query, CounterBank<RoutingCounter>.Row counters) {
        counters.increment(RoutingCounter.NEIGHBOURS_SOLICITED);
        if (query.solicit(hop) == 0) return true;
        counters.increment(RoutingCounter.NEIGHBOURS_REFUSED);
        return false;
    }
}
