package io.ambo.node.routing;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.time.Clock;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.NetlinkAttributes;
import io.ambo.node.sys.NetlinkMessage;
import io.ambo.node.sys.Rtnetlink;
import io.ambo.node.sys.SysException;
import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's links, addresses and changes of routes and neighbours, followed by one thread over netlink in the network namespace that {@link #open} was
 * called in. Packet workers ask through {@link #newRoutes}; everything else here may be called from any thread.
 *
 * <p>
 * Listeners run on the netlink thread, one after the other: they hand over and return. A listener that throws is logged and kept.
 */
public final class KernelNetwork implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    /** Holds some ten thousand events: a full table of a routing protocol arrives faster than that now and then, see {@link Netlink#OVERFLOW}. */
    private static final int EVENT_BUFFER_BYTES = 16 * 1024 * 1024;
    private static final int QUERY_BUFFER_BYTES = 256 * 1024;
    /** Changes of routes are noticed at once, but cached routes are given up no more often than this, so that a storm of changes costs little. */
    private static final long RENEWAL_INTERVAL_MS = 500;
    private static final long UPKEEP_INTERVAL_MS = 1_000;
    private static final int WAIT_MS = 200;
    private static final int DATAGRAMS_PER_TURN = 256;
    private static final int DUMP_TIMEOUT_MS = 2_000;
    private static final int DUMP_ATTEMPTS = 10;

    /**
     * A data interface of the config.
     *
     * @param name   the kernel's name of the interface that has the addresses and routes
     * @param zoneId see {@link io.ambo.node.firewall.Names#zoneId}
     * @param parent the device that carries its frames; null: found out (a VLAN device's parent, else the interface itself)
     * @param vlan   802.1Q id of its frames on the parent, or -1; -1 with a null parent: found out
     */
    public record Wanted(String name, int zoneId, @Nullable String parent, int vlan) {
        /** An interface about which the kernel knows the rest. */
        public Wanted(String name, int zoneId) { this(name, zoneId, null, -1); }
    }

    /**
     * A device that carries frames of data interfaces: the XDP program sits here. Its position in {@link #ports} is the port number that
     * {@link DataInterface#port} and {@link Routes#ingress} speak of; it never changes while the node runs.
     *
     * @param device the kernel's name
     * @param index  the kernel's interface index; 0 while the device does not exist
     * @param isUp   carrier and administrative state
     */
    public record Port(String device, int index, boolean isUp) {}

    private final Clock clock;
    private final Netlink events;
    private final Netlink queries;
    private final NeighbourQuery neighbourQuery;
    private final NeighbourQuery neighbourEvent;
    private final Neighbours neighbours = new Neighbours();
    private final CounterBank<RoutingCounter> counters = new CounterBank<>(RoutingCounter.class);
    private final CounterBank<RoutingCounter>.Row row = counters.newRow();
    private final Thread thread;
    private final List<Runnable> generationListeners = new CopyOnWriteArrayList<>();
    private final List<Runnable> linkListeners = new CopyOnWriteArrayList<>();
    private final List<Runnable> addressListeners = new CopyOnWriteArrayList<>();
    private final List<KernelRoutes> workers = new CopyOnWriteArrayList<>();

    // Written by the netlink thread, read by all.
    private volatile LinkSnapshot snapshot;
    private volatile LinkSnapshot.Lookup lookup;
    private volatile Set<InetAddress> localAddresses = Set.of();
    private final AtomicLong epoch = new AtomicLong(1);
    private final AtomicLong generation = new AtomicLong(1);

    // Commands to the netlink thread.
    private volatile List<Wanted> wanted;
    private volatile boolean wantedChanged;
    private volatile boolean closing;

    // The netlink thread's own.
    private final Links links = new Links();
    private boolean mustResync;
    private boolean linksChanged;
    private boolean routesChanged;
    private boolean rulesChanged;
    private boolean neighboursChanged;
    private boolean warnedOfRules;
    private boolean selectiveRules;
    private long renewedMs;
    private long upkeepMs;

    private KernelNetwork(List<Wanted> wanted, Clock clock, Netlink events, Netlink queries) {
        this.wanted = List.copyOf(wanted);
        this.clock = clock;
        this.events = events;
        this.queries = queries;
        neighbourQuery = new NeighbourQuery(queries);
        neighbourEvent = new NeighbourQuery(queries);
        snapshot = new LinkSnapshot(List.of(), List.of());
        lookup = new LinkSnapshot.Lookup(snapshot);
        thread = Thread.ofPlatform().name("ambo-netlink").daemon(true).unstarted(this::run);
    }

    /** As {@link #open(List, Clock)} with the host's clock. */
    public static KernelNetwork open(List<Wanted> wanted) {
        return open(wanted, Clock.SYSTEM);
    }

    /**
     * Reads links and addresses and starts to follow them. An interface that does not exist (yet) is no error: it is down until it appears.
     *
     * @throws io.ambo.node.sys.SysException when netlink cannot be used
     */
    public static KernelNetwork open(List<Wanted> wanted, Clock clock) {
        // Listening starts before reading, so that no change falls in between.
        Netlink events = Netlink.open(EVENT_BUFFER_BYTES, Rtnetlink.GROUP_LINK, Rtnetlink.GROUP_NEIGH, Rtnetlink.GROUP_IPV4_IFADDR,
                Rtnetlink.GROUP_IPV4_ROUTE, Rtnetlink.GROUP_IPV4_RULE, Rtnetlink.GROUP_IPV6_IFADDR, Rtnetlink.GROUP_IPV6_ROUTE,
                Rtnetlink.GROUP_IPV6_RULE, Rtnetlink.GROUP_NEXTHOP);
        Netlink queries;
        try {
            queries = Netlink.open(QUERY_BUFFER_BYTES);
        } catch (RuntimeException e) {
            events.close();
            throw e;
        }
        KernelNetwork network = new KernelNetwork(wanted, clock, events, queries);
        try {
            network.readLinks();
            network.publishLinks();
            network.warnOfRules();
            network.thread.start();
            return network;
        } catch (RuntimeException e) {
            events.close();
            queries.close();
            throw e;
        }
    }

    /**
     * The routes as one packet worker asks for them. The instance belongs to that worker's thread; it is closed with this network, so workers stop first.
     * Call it in the network namespace that this network was opened in.
     */
    public KernelRoutes newRoutes() {
        KernelRoutes routes = new KernelRoutes(this, neighbours, Netlink.open(QUERY_BUFFER_BYTES), counters.newRow());
        workers.add(routes);
        return routes;
    }

    /** The carrying devices in the order of the config; the position is the port number. */
    public List<Port> ports() {
        return snapshot.ports();
    }

    /** The data interfaces in the order of the config, as they are now. */
    public List<DataInterface> interfaces() {
        return snapshot.interfaces();
    }

    /** Every unicast address of this host, on any interface, and the broadcast addresses of its IPv4 networks. */
    public Set<InetAddress> localAddresses() {
        return localAddresses;
    }

    /** See {@link Routes#generation}. */
    public long generation() { return generation.get(); }

    /** Entries that the workers' route caches hold count while this does not change. */
    long epoch() { return epoch.get(); }

    LinkSnapshot.Lookup lookup() { return lookup; }

    public CounterBank<RoutingCounter> counters() { return counters; }

    /** Calls when {@link #generation} has moved: workers that hold packets for a neighbour ask again. */
    public void onGenerationChange(Runnable listener) {
        generationListeners.add(listener);
    }

    /** Calls when {@link #ports} or {@link #interfaces} changed: a device appeared, vanished, was replaced, went up or down, or changed MAC, MTU or address. */
    public void onLinkChange(Runnable listener) {
        linkListeners.add(listener);
    }

    /** Calls when {@link #localAddresses} changed. */
    public void onLocalAddressesChange(Runnable listener) {
        addressListeners.add(listener);
    }

    /**
     * Follows another list of interfaces from now on (config reload); it counts within a quarter of a second. Ports keep their numbers, new ones come at
     * the end.
     */
    public void reconfigure(List<Wanted> changed) {
        wanted = List.copyOf(changed);
        wantedChanged = true;
    }

    /** Stops following and closes the workers' sockets too. */
    @Override
    public void close() {
        closing = true;
        try {
            thread.join(10L * WAIT_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        for (KernelRoutes routes : workers) routes.close();
        workers.clear();
    }

    private void run() {
        boolean failing = false;
        try {
            while (!closing) {
                try {
                    turn();
                    failing = false;
                } catch (SysException e) {
                    // Meanwhile cached routes may be wrong: they are given up each time, and all is read again until that works.
                    if (!failing) LOG.error("cannot follow the kernel's routing tables, trying on", e);
                    failing = true;
                    mustResync = true;
                    renew();
                    announce();
                    LockSupport.parkNanos(RENEWAL_INTERVAL_MS * 1_000_000);
                }
            }
        } finally {
            events.close();
            queries.close();
        }
    }

    private void turn() {
        long nowMs = clock.monotonicMs();
        long renewalDueMs = routesChanged ? Math.clamp(renewedMs + RENEWAL_INTERVAL_MS - nowMs, 1, WAIT_MS) : WAIT_MS;
        int seen = events.receive((int) renewalDueMs, this::onEvent);
        for (int i = 1; i < DATAGRAMS_PER_TURN && seen > 0; i++) seen = events.receive(0, this::onEvent);
        nowMs = clock.monotonicMs();
        if (seen == Netlink.OVERFLOW) row.increment(RoutingCounter.NETLINK_OVERFLOWS);
        if (seen == Netlink.OVERFLOW || mustResync) resync();
        if (linksChanged || wantedChanged) {
            wantedChanged = false;
            linksChanged = false;
            publishLinks();
        }
        if (rulesChanged) {
            rulesChanged = false;
            warnOfRules();
        }
        if (routesChanged && nowMs - renewedMs >= RENEWAL_INTERVAL_MS) {
            renewedMs = nowMs;
            renew();
        }
        if (nowMs - upkeepMs >= UPKEEP_INTERVAL_MS) {
            upkeepMs = nowMs;
            neighboursChanged |= neighbours.upkeep(nowMs, neighbourQuery, row);
        }
        if (neighboursChanged) announce();
    }

    private void onEvent(NetlinkMessage message) {
        switch (message.type()) {
            case Rtnetlink.NEWLINK, Rtnetlink.DELLINK -> {
                links.onLink(message);
                linksChanged = true;
            }
            case Rtnetlink.NEWADDR, Rtnetlink.DELADDR -> {
                links.onAddress(message);
                linksChanged = true;
            }
            case Rtnetlink.NEWNEIGH, Rtnetlink.DELNEIGH -> onNeighbour(message);
            case Rtnetlink.NEWROUTE, Rtnetlink.DELROUTE, Rtnetlink.NEWNEXTHOP, Rtnetlink.DELNEXTHOP -> routesChanged = true;
            case Rtnetlink.NEWRULE, Rtnetlink.DELRULE -> {
                routesChanged = true;
                rulesChanged = true;
            }
            default -> {
            }
        }
    }

    private void onNeighbour(NetlinkMessage message) {
        if (!neighbourEvent.read(message)) return;
        long word = message.type() == Rtnetlink.DELNEIGH
                ? Hop.word(Hop.UNKNOWN, 0)
                : NeighbourQuery.word(neighbourEvent.state, neighbourEvent.mac);
        neighboursChanged |= neighbours.onNeighbour(neighbourEvent.index, neighbourEvent.high, neighbourEvent.low, word);
    }

    /** Reads everything again. */
    private void resync() {
        readLinks();
        mustResync = false;
        linksChanged = true;
        rulesChanged = true;
        routesChanged = true;
        neighboursChanged |= neighbours.resync(neighbourQuery);
    }

    private void readLinks() {
        links.forget();
        dump(Rtnetlink.GETLINK, Rtnetlink.AF_UNSPEC, Rtnetlink.IFINFO_BYTES, links::onLink);
        dump(Rtnetlink.GETADDR, Rtnetlink.AF_UNSPEC, Rtnetlink.IFADDR_BYTES, links::onAddress);
    }

    private void dump(int type, int family, int structSize, Netlink.Visitor visitor) {
        int errno = Errno.EINTR;
        for (int i = 0; i < DUMP_ATTEMPTS && errno == Errno.EINTR; i++) {
            queries.request(type, Netlink.DUMP, structSize).u8(0, family);
            errno = queries.ask(DUMP_TIMEOUT_MS, visitor);
        }
        // Interrupted to the end: what was missed comes as events.
        if (errno != 0 && errno != Errno.EINTR)
            throw new SysException("read the kernel's links, addresses and rules", errno, "request " + type, "");
    }

    private void publishLinks() {
        LinkSnapshot before = snapshot;
        LinkSnapshot now = links.snapshot(wanted);
        if (!now.equals(before)) {
            snapshot = now;
            lookup = new LinkSnapshot.Lookup(now);
            renew();
            announce();
            tell(linkListeners);
        }
        Set<InetAddress> addresses = links.localAddresses();
        if (!addresses.equals(localAddresses)) {
            localAddresses = addresses;
            renew();
            announce();
            tell(addressListeners);
        }
    }

    private void warnOfRules() {
        if (warnedOfRules) return;
        selectiveRules = false;
        for (int family : new int[]{ Rtnetlink.AF_INET, Rtnetlink.AF_INET6 })
            dump(Rtnetlink.GETRULE, family, Rtnetlink.RULE_BYTES, this::onRule);
        if (!selectiveRules) return;
        warnedOfRules = true;
        LOG.warn(
                "ip rule: there are rules that select by source, mark, interface, protocol or port; Ambo routes by destination, as if no packet matched them");
    }

    private void onRule(NetlinkMessage message) {
        selectiveRules |= message.u8(Rtnetlink.RULE_SOURCE_BITS) != 0 || message.u8(Rtnetlink.RULE_TOS) != 0;
        NetlinkAttributes attributes = message.attributes(Rtnetlink.RULE_BYTES, new NetlinkAttributes());
        while (attributes.next()) {
            switch (attributes.type()) {
                case Rtnetlink.FRA_IIFNAME, Rtnetlink.FRA_OIFNAME, Rtnetlink.FRA_IP_PROTO, Rtnetlink.FRA_SPORT_RANGE,
                        Rtnetlink.FRA_DPORT_RANGE ->
                    selectiveRules = true;
                case Rtnetlink.FRA_FWMARK -> selectiveRules |= attributes.i32(0) != 0;
                default -> {
                }
            }
        }
    }

    /** Gives all cached routes up. */
    private void renew() {
        routesChanged = false;
        neighboursChanged = true;
        row.increment(RoutingCounter.ROUTE_CACHE_RENEWALS);
        epoch.incrementAndGet();
    }

    /** Tells the workers that asking again makes sense. */
    private void announce() {
        neighboursChanged = false;
        generation.incrementAndGet();
        tell(generationListeners);
    }

    private static void tell(List<Runnable> listeners) {
        for (Runnable listener : listeners) {
            try {
                listener.run();
            } catch (RuntimeException e) {
                LOG.error("a listener of network changes failed", e);
            }
        }
    }
}
