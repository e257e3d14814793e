package io.ambo.node.addresses;

import io.ambo.cluster.EventLog;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.FloatingAddresses;
import io.ambo.cluster.membership.FloatingAddresses.Candidate;
import io.ambo.cluster.membership.FloatingAddresses.Decision;
import io.ambo.cluster.membership.FloatingAddresses.Floating;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.cluster.membership.NodeState.AddressState;
import io.ambo.cluster.membership.Presence;
import io.ambo.cluster.membership.Standing;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.time.Clock;
import io.ambo.node.addresses.AddressReport.PeerRow;
import io.ambo.node.config.FloatingConfig;
import io.ambo.node.config.TrackingConfig;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.routing.Address;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.KernelAddresses;
import io.ambo.node.routing.KernelNetwork;
import io.ambo.node.sys.EchoSocket;
import io.ambo.node.sys.PollSet;
import io.ambo.node.sys.SysException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Watches the peers and what is tracked, takes floating addresses and gives them up. One thread, {@code ambo-addresses}, a turn every few milliseconds; it waits
 * for nothing but its sockets, so that a death is noticed in time. Decides nothing itself: {@link Presence} says who lives, {@link FloatingAddresses} who has
 * what.
 *
 * <pre>
 *   states of peers, view ----+
 *   answers of their kernels -+--> Presence --+
 *   links, tracked neighbours ----------------+--> FloatingAddresses --> netlink, announcement
 *   the gate, draining -----------------------+          |
 *                                                        +--> own state --> peers
 * </pre>
 */
public final class AddressKeeper implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final long MS = 1_000_000;
    /** A state is told again after this, and after a change at once and twice more. */
    private static final long STATE_INTERVAL_NS = 100 * MS;
    private static final int REPEATS = 3;
    /** Without floating addresses there is less to look at. */
    private static final long TURN_NS = 5 * MS, IDLE_TURN_NS = 10 * MS;
    private static final int INBOX = 1024;
    /** An announcement is repeated, since it may be lost: so long after it was made first. */
    private static final long[] ANNOUNCE_AFTER_NS = { 0, 50 * MS, 250 * MS, 1_000 * MS, 3_000 * MS };
    /** The network is asked so many times before an address is taken that nobody is known to have. */
    private static final int QUESTIONS = 3;
    /** After that a failed system call is tried again. */
    private static final long RETRY_NS = 1_000 * MS;
    /** A node that stops waits so long for others to take what it has. */
    private static final long LEAVE_NS = 1_500 * MS;
    private static final long FAREWELL_NS = 50 * MS;
    private static final int CLOSE_MS = 4_000;
    /** The kernel takes the process for silent so long after it has last heard of it; then new flows go to the deputy. */
    private static final long ALIVE_FOR_NS = 150 * MS, ALIVE_INTERVAL_NS = 25 * MS;

    /** The way to the peers. Implementations return at once. */
    public interface Peers {
        void tell(Collection<NodeId> peers, NodeState state);

        /** Node ids of the members that shall own nothing. */
        void draining(Set<Integer> nodeIds);

        /** A host does not answer any more. */
        void hostLost(NodeId peer);

        /** It does again. */
        void hostFound(NodeId peer);

        /** The settings of a peer differ where they must be equal: told once for each pair of settings. */
        void settingsDiffer(NodeId peer);
    }

    /**
     * What does not change while the node runs.
     *
     * @param syncAddress this host's on the sync link
     * @param timing      when whom is given up
     * @param stateDir    where is noted what this node has
     */
    public record Settings(NodeId local, InetAddress syncAddress, Presence.Timing timing, Path stateDir) {}

    /** A floating address as this node deals with it. */
    private static final class Held {
        final FloatingConfig config;
        boolean held;
        int interfaceIndex;
        long announcedFirstNs;
        int announcements = ANNOUNCE_AFTER_NS.length;
        long failedNs = Long.MIN_VALUE / 2;
        boolean asking;
        long askedFirstNs;
        long askedNs;
        int asked;
        long answeredNs;
        long answeredMac;
        String reason = "";
        String told = "";

        Held(FloatingConfig config) { this.config = config; }
    }

    private record Heard(NodeId from, NodeState state) {}

    private final Settings settings;
    private final Clock clock;
    private final KernelNetwork network;
    private final KernelAddresses kernel;
    private final XdpProgram program;
    private final EventLog events;
    private final Peers peers;
    private final Presence presence;
    private final AddressFile file;
    private final SecureRandom random = new SecureRandom();
    private final long run = random.nextLong();
    private final ArrayBlockingQueue<Heard> inbox = new ArrayBlockingQueue<>(INBOX);
    private final Thread thread = Thread.ofPlatform().name("ambo-addresses").unstarted(this::loop);

    // Written by others.
    private volatile View latestView;
    private volatile List<FloatingConfig> wanted;
    private volatile TrackingConfig wantedTracking;
    private volatile int settingsDigest;
    private volatile boolean draining;
    private volatile boolean closing;
    private volatile boolean keepAddresses;

    // Written by the thread, read by all.
    private volatile AddressReport report = new AddressReport(List.of(), List.of(), false, false);
    private volatile Map<NodeId, Standing> standings = Map.of();

    // The thread's own.
    private final Map<NodeId, EchoSocket> echoes = new HashMap<>();
    private final Map<String, LinkWatch> watches = new HashMap<>();
    private Map<IpAddress, Held> addresses = new LinkedHashMap<>();
    private Map<TrackingConfig.Neighbour, Reach> reaches = new LinkedHashMap<>();
    private TrackingConfig tracking;
    private List<FloatingConfig> configured = List.of();
    private PollSet polled = new PollSet();
    private boolean descriptorsChanged = true;
    private boolean unsaved;
    private final Set<IpAddress> elsewhere = new HashSet<>();
    private @Nullable View view;
    private @Nullable NodeState own;
    private long stateNumber;
    private long toldNs;
    private int repeats;
    private Set<Integer> drainingIds = Set.of();
    private long leavingSinceNs;

    private final Map<NodeId, Long> comparedSettings = new HashMap<>();
    private Map<XdpProgram.Interface, Long> deputies = Map.of();
    private Set<Long> peerMacs = Set.of();
    private long aliveToldNs = Long.MIN_VALUE / 2;

    /** Not started yet. */
    public AddressKeeper(Settings settings, List<FloatingConfig> addresses, TrackingConfig tracking, int settingsDigest,
            KernelNetwork network,
            XdpProgram program, EventLog events, Peers peers, View view, Clock clock) {
        this.settings = settings;
        this.clock = clock;
        this.network = network;
        this.program = program;
        this.events = events;
        this.peers = peers;
        this.tracking = tracking;
        this.settingsDigest = settingsDigest;
        latestView = view;
        wanted = addresses;
        wantedTracking = tracking;
        presence = new Presence(settings.timing);
        file = new AddressFile(settings.stateDir);
        kernel = new KernelAddresses();
    }

    /** Removes what an earlier run has left and the config does not have; what it has is adopted. Then follows the peers. */
    public void start() {
        for (AddressFile.Entry left : file.read()) {
            boolean known = wanted.stream()
                    .anyMatch(each -> each.address().equals(left.address()) && each.interfaceName().equals(left.interfaceName()));
            DataInterface on = interfaceOf(left.interfaceName());
            if (known || on == null) continue;
            kernel.remove(on.index(), kernelAddress(left.address()), left.prefixLength());
            LOG.info("removed {}, which an earlier run had left on {}", left.address(), left.interfaceName());
        }
        thread.start();
    }

    /** Any thread. */
    public void onView(View now) { latestView = now; }

    /** Any thread. A state that finds no room is told again soon. */
    public void onState(NodeId from, NodeState state) {
        boolean taken = inbox.offer(new Heard(from, state));
        if (!taken) LOG.debug("a state of {} found no room", from);
    }

    /** From now on these addresses and this tracking count. Any thread. */
    public void configure(List<FloatingConfig> newAddresses, TrackingConfig newTracking, int newSettingsDigest) {
        wantedTracking = newTracking;
        wanted = newAddresses;
        settingsDigest = newSettingsDigest;
    }

    /** This node shall be left alone, or not any more. Any thread. */
    public void drain(boolean on) {
        if (draining != on) {
            LOG.info("{}", on ? "drains: its peers take its addresses and sessions" : "drains no longer");
            events.add(EventLog.Kind.DRAIN, on ? "drain begun" : "drain ended");
        }
        draining = on;
    }

    public boolean isDraining() { return draining; }

    /** What is known, a moment ago. Any thread. */
    public AddressReport report() { return report; }

    /** A member that speaks, or whose host lives. Any thread. */
    public boolean hasLivingPeer() {
        for (Standing standing : standings.values()) if (standing != Standing.HOST_SILENT && standing != Standing.LEFT) return true;
        return false;
    }

    /** The process ends for the next one to follow: addresses that nobody takes stay where they are. Before {@link #close}. */
    public void keepAddresses() {
        keepAddresses = true;
    }

    /** Hands the addresses over, takes those down that nobody takes, and ends. */
    @Override
    public void close() {
        closing = true;
        if (thread.isAlive()) {
            try {
                thread.join(CLOSE_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        kernel.close();
    }

    private void loop() {
        try {
            boolean failing = false;
            while (true) {
                try {
                    if (doWork(clock.monotonicNs())) return;
                    failing = false;
                } catch (RuntimeException e) {
                    if (!failing) LOG.error("floating addresses: a turn failed; the next one begins anew", e);
                    failing = true;
                    if (closing) return;
                }
                polled.await(configured.isEmpty() ? IDLE_TURN_NS : TURN_NS);
            }
        } finally {
            echoes.values().forEach(EchoSocket::close);
            watches.values().forEach(LinkWatch::close);
            polled.close();
        }
    }

    /** One turn. @return true when it was the last */
    private boolean doWork(long nowNs) {
        applyConfig(nowNs);
        listen(nowNs);
        probe(nowNs);
        track(nowNs);
        List<Candidate> candidates = candidates();
        ask(nowNs);
        List<Decision> decisions = FloatingAddresses.decide(settings.local, floating(), candidates, answering(nowNs));
        for (Decision decision : decisions) act(decision, candidates, nowNs);
        handedOver(nowNs);
        for (Held each : addresses.values()) announce(each, nowNs);
        tellState(nowNs);
        tellDraining();
        deputize(candidates, nowNs);
        publish(candidates);
        // Last, since it waits for a disk: what a crash before it leaves behind is found by the config.
        if (unsaved) save();
        return closing && isLeft(nowNs);
    }

    // Config and interfaces

    private void applyConfig(long nowNs) {
        List<FloatingConfig> now = wanted;
        if (!configured.equals(now)) {
            Map<IpAddress, Held> next = new LinkedHashMap<>();
            for (FloatingConfig each : now) {
                Held known = addresses.remove(each.address());
                boolean same = known != null && known.config.interfaceName().equals(each.interfaceName())
                        && known.config.prefixLength() == each.prefixLength();
                if (known != null && !same) release(known, "changed in the config", nowNs);
                Held held = new Held(each);
                if (known != null && same) {
                    held.held = known.held;
                    held.interfaceIndex = known.interfaceIndex;
                } else if (known == null) {
                    held.held = adopt(each);
                    DataInterface on = interfaceOf(each.interfaceName());
                    held.interfaceIndex = on == null ? 0 : on.index();
                }
                next.put(each.address(), held);
            }
            for (Held gone : addresses.values()) release(gone, "no longer in the config", nowNs);
            addresses = next;
            configured = now;
            own = null;
            unsaved = true;
        }
        TrackingConfig newTracking = wantedTracking;
        if (!tracking.equals(newTracking) || reaches.size() != newTracking.reachability().size()) {
            Map<TrackingConfig.Neighbour, Reach> next = new LinkedHashMap<>();
            boolean sameTiming = tracking.intervalMs() == newTracking.intervalMs() && tracking.misses() == newTracking.misses();
            for (TrackingConfig.Neighbour each : newTracking.reachability()) {
                Reach known = sameTiming ? reaches.get(each) : null;
                next.put(each, known != null ? known : new Reach(newTracking.intervalMs() * MS, newTracking.misses()));
            }
            reaches = next;
            tracking = newTracking;
        }
        followInterfaces();
    }

    /** What a process before this one has left stays until somebody else has it: its host has forwarded all the while. */
    private boolean adopt(FloatingConfig config) {
        boolean there = network.localAddresses().contains(inetAddress(config.address()));
        if (there) LOG.info("{} is on {} already: an earlier run has left it", config.address(), config.interfaceName());
        DataInterface on = interfaceOf(config.interfaceName());
        // Takes the way that has to be quick later, so that it has been gone once. There is nothing to remove.
        try {
            if (!there && on != null) kernel.remove(on.index(), kernelAddress(config.address()), config.prefixLength());
        } catch (SysException e) {
            LOG.debug("{} cannot be removed where it is not", config.text(), e);
        }
        return there;
    }

    private void followInterfaces() {
        Set<String> needed = new HashSet<>();
        for (Held each : addresses.values()) needed.add(each.config.interfaceName());
        for (TrackingConfig.Neighbour each : reaches.keySet()) needed.add(each.interfaceName());
        for (String name : List.copyOf(watches.keySet())) {
            DataInterface now = interfaceOf(name);
            LinkWatch watch = watches.get(name);
            if (watch == null || (needed.contains(name) && now != null && now.index() == watch.interfaceIndex())) continue;
            watch.close();
            watches.remove(name);
            descriptorsChanged = true;
        }
        for (String name : needed) {
            DataInterface now = interfaceOf(name);
            if (now == null || watches.containsKey(name)) continue;
            try {
                watches.put(name, new LinkWatch(now.index()));
                descriptorsChanged = true;
            } catch (SysException e) {
                // It has gone again; the next turn sees that.
                LOG.debug("{} cannot be watched", name, e);
            }
        }
        if (descriptorsChanged) {
            descriptorsChanged = false;
            List<Integer> descriptors = new ArrayList<>();
            for (LinkWatch watch : watches.values()) for (int fd : watch.descriptors()) descriptors.add(fd);
            for (EchoSocket echo : echoes.values()) descriptors.add(echo.fd());
            polled.close();
            polled = new PollSet(descriptors.stream().mapToInt(Integer::intValue).toArray());
        }
    }

    private @Nullable DataInterface interfaceOf(String name) {
        for (DataInterface each : network.interfaces()) if (each.name().equals(name) && each.index() > 0) return each;
        return null;
    }

    // Peers

    private void listen(long nowNs) {
        View now = latestView;
        if (!now.equals(view)) {
            view = now;
            presence.onView(now);
            forgetEchoes();
        }
        for (Heard heard = inbox.poll(); heard != null; heard = inbox.poll()) {
            if (!presence.onState(heard.from, heard.state)) continue;
            long both = (long) settingsDigest << 32 | Integer.toUnsignedLong(heard.state.settingsDigest());
            Long told = comparedSettings.put(heard.from, both);
            boolean news = told == null || told != both;
            if (news && settingsDigest != heard.state.settingsDigest()) peers.settingsDiffer(heard.from);
        }
        echoes.forEach((peer, echo) -> {
            if (echo.receive() > 0) presence.onAnswer(peer);
        });
        watches.forEach((name, watch) -> watch.receive(owner -> onOwner(name, owner, nowNs)));
    }

    private void onOwner(String interfaceName, LinkFrames.Owner owner, long nowNs) {
        DataInterface here = interfaceOf(interfaceName);
        if (here == null || here.mac() == owner.mac()) return;
        Held held = addresses.get(owner.address());
        if (held != null && held.config.interfaceName().equals(interfaceName)) {
            held.answeredNs = nowNs;
            held.answeredMac = owner.mac();
        }
        reaches.forEach((neighbour, reach) -> {
            if (neighbour.address().equals(owner.address()) && neighbour.interfaceName().equals(interfaceName)) reach.onAnswer();
        });
    }

    private void forgetEchoes() {
        Set<NodeId> known = presence.peers();
        echoes.entrySet().removeIf(entry -> {
            if (known.contains(entry.getKey())) return false;
            entry.getValue().close();
            descriptorsChanged = true;
            return true;
        });
    }

    private void probe(long nowNs) {
        for (NodeId peer : presence.tick(nowNs)) {
            EchoSocket echo = echoes.get(peer);
            if (echo == null) echo = openEcho(peer);
            if (echo != null) echo.send();
        }
        Map<NodeId, Standing> now = new HashMap<>();
        for (NodeId peer : presence.peers()) {
            Standing standing = presence.standing(peer);
            now.put(peer, standing);
            Standing before = standings.getOrDefault(peer, Standing.LEFT);
            if (standing != before) onStanding(peer, before, standing);
        }
        if (!now.equals(standings)) standings = Map.copyOf(now);
    }

    private @Nullable EchoSocket openEcho(NodeId peer) {
        NodeState state = presence.state(peer);
        if (state == null) return null;
        try {
            EchoSocket echo = new EchoSocket(settings.syncAddress, inetAddress(state.syncAddress()), random.nextLong());
            echoes.put(peer, echo);
            descriptorsChanged = true;
            return echo;
        } catch (SysException e) {
            LOG.debug("{} cannot be probed", peer, e);
            return null;
        }
    }

    private void onStanding(NodeId peer, Standing before, Standing standing) {
        String what = switch (standing) {
            case TALKS -> peer + " speaks";
            case PROCESS_SILENT -> "the process of " + peer + " is silent; its host is alive and forwards, so its addresses stay";
            case PROCESS_GONE -> "the process of " + peer + " stays silent: its addresses go on without it";
            case HOST_SILENT -> "the host of " + peer + " does not answer: dead, or cut off";
            case LEFT -> peer + " has left";
        };
        if (standing == Standing.TALKS || standing == Standing.LEFT) LOG.info("{}", what);
        else
            LOG.warn("{} (was: {})", what, before);
        events.add(EventLog.Kind.VIEW, what);
        if (standing == Standing.HOST_SILENT) peers.hostLost(peer);
        else if (before == Standing.HOST_SILENT) peers.hostFound(peer);
    }

    private List<Candidate> candidates() {
        List<Candidate> candidates = new ArrayList<>();
        candidates.add(new Candidate(settings.local, Standing.TALKS, state()));
        for (NodeId peer : presence.peers()) {
            NodeState state = presence.state(peer);
            if (state != null) candidates.add(new Candidate(peer, presence.standing(peer), state));
        }
        return candidates;
    }

    // What is tracked

    private void track(long nowNs) {
        reaches.forEach((neighbour, reach) -> {
            if (!reach.tick(nowNs)) return;
            DataInterface from = interfaceOf(neighbour.interfaceName());
            LinkWatch watch = watches.get(neighbour.interfaceName());
            if (from != null && watch != null) watch.ask(neighbour.address(), from);
        });
    }

    /** What this node lacks of what is tracked. */
    private List<String> lacking() {
        List<String> lacking = new ArrayList<>();
        for (String name : tracking.interfaces()) {
            DataInterface each = interfaceOf(name);
            if (each == null || !each.linkIsUp()) lacking.add(name + " has no link");
        }
        reaches.forEach((neighbour, reach) -> {
            if (!reach.isFit()) lacking.add(neighbour + " does not answer");
        });
        return lacking;
    }

    // The network is asked who has an address

    private void ask(long nowNs) {
        boolean suspicion = false;
        for (NodeId peer : presence.peers()) suspicion |= presence.isSuspect(peer);
        for (Held each : addresses.values()) {
            if (suspicion && !each.asking) beginAsking(each, nowNs);
            if (!each.asking) continue;
            // Nobody has asked for long: what was wanted has been settled otherwise.
            if (!suspicion && nowNs - each.askedFirstNs > RETRY_NS) {
                each.asking = false;
                continue;
            }
            if (each.asked > 0 && nowNs - each.askedNs < settings.timing.probeInterval()) continue;
            DataInterface from = interfaceOf(each.config.interfaceName());
            LinkWatch watch = watches.get(each.config.interfaceName());
            if (from == null || watch == null) continue;
            watch.ask(each.config.address(), from);
            each.askedNs = nowNs;
            each.asked++;
        }
    }

    private static void beginAsking(Held address, long nowNs) {
        address.asking = true;
        address.asked = 0;
        address.askedFirstNs = nowNs;
    }

    /** Who answers for an address, as long as it is asked for: hosts of which nothing else is known. Of others their state says what they have. */
    private Map<IpAddress, Long> answering(long nowNs) {
        Map<IpAddress, Long> answering = new HashMap<>();
        for (Held each : addresses.values()) {
            if (!each.asking || each.answeredMac == 0 || nowNs - each.answeredNs >= settings.timing.probeTimeout()) continue;
            if (!isOfKnownProcess(each)) answering.put(each.config.address(), each.answeredMac);
        }
        return answering;
    }

    private boolean isOfKnownProcess(Held address) {
        for (NodeId peer : presence.peers()) {
            NodeState state = presence.state(peer);
            AddressState there = state == null ? null : state.of(address.config.address());
            if (there == null || there.mac() != address.answeredMac) continue;
            Standing standing = presence.standing(peer);
            return standing != Standing.HOST_SILENT && standing != Standing.LEFT;
        }
        return false;
    }

    // Acting

    private List<Floating> floating() { return configured.stream().map(each -> new Floating(each.address(), each.prefer())).toList(); }

    private void act(Decision decision, List<Candidate> candidates, long nowNs) {
        Held address = addresses.get(decision.floating().address());
        if (address == null) return;
        address.reason = decision.reason();
        boolean retries = nowNs - address.failedNs >= RETRY_NS;
        switch (decision.action()) {
            case TAKE -> {
                if (retries && mayTake(address, candidates, nowNs)) take(address, decision.reason(), nowNs);
            }
            case RELEASE -> {
                if (retries) release(address, decision.reason(), nowNs);
            }
            case KEEP -> {
                boolean missing = !network.localAddresses().contains(inetAddress(address.config.address()));
                if (retries && missing && nowNs - address.announcedFirstNs > RETRY_NS) take(address, "it was taken away", nowNs);
            }
            case LEAVE -> {
            }
        }
    }

    /** An address that a peer hands over may be taken at once; else the network has been asked before. */
    private static boolean mayTake(Held address, List<Candidate> candidates, long nowNs) {
        for (Candidate candidate : candidates) {
            AddressState there = candidate.state().of(address.config.address());
            if (candidate.standing() == Standing.TALKS && there != null && there.held()) return true;
        }
        if (!address.asking) beginAsking(address, nowNs);
        return address.asked >= QUESTIONS;
    }

    private void take(Held address, String reason, long nowNs) {
        FloatingConfig config = address.config;
        DataInterface on = interfaceOf(config.interfaceName());
        if (on == null) return;
        boolean before = address.held;
        address.held = true;
        address.interfaceIndex = on.index();
        try {
            kernel.add(on.index(), kernelAddress(config.address()), config.prefixLength());
            address.announcedFirstNs = nowNs;
            address.announcements = 0;
            // At once: every millisecond until its neighbours know is one of blackout.
            announce(address, nowNs);
            unsaved |= !before;
            LOG.info("has {} on {}: {}", config.text(), config.interfaceName(), reason);
            events.add(EventLog.Kind.ADDRESS, "took " + config.text() + " on " + config.interfaceName() + ": " + reason);
        } catch (SysException e) {
            address.held = before;
            fail(address, e, nowNs);
        }
    }

    private void release(Held address, String reason, long nowNs) {
        if (!address.held) return;
        FloatingConfig config = address.config;
        try {
            DataInterface on = interfaceOf(config.interfaceName());
            kernel.remove(on == null ? address.interfaceIndex : on.index(), kernelAddress(config.address()), config.prefixLength());
            address.held = false;
            unsaved = true;
            LOG.info("gave up {} on {}: {}", config.text(), config.interfaceName(), reason);
            events.add(EventLog.Kind.ADDRESS, "gave up " + config.text() + " on " + config.interfaceName() + ": " + reason);
        } catch (SysException e) {
            fail(address, e, nowNs);
        }
    }

    private static void fail(Held address, SysException failure, long nowNs) {
        address.failedNs = nowNs;
        String text = String.valueOf(failure.getMessage());
        address.reason = text;
        if (!text.equals(address.told)) LOG.error("{}", text);
        address.told = text;
    }

    private void save() {
        unsaved = false;
        file.write(addresses.values().stream().filter(each -> each.held).map(
                each -> new AddressFile.Entry(each.config.address(), each.config.prefixLength(), each.config.interfaceName())).toList());
    }

    private void announce(Held address, long nowNs) {
        if (!address.held || address.announcements >= ANNOUNCE_AFTER_NS.length
                || nowNs - address.announcedFirstNs < ANNOUNCE_AFTER_NS[address.announcements])
            return;
        DataInterface on = interfaceOf(address.config.interfaceName());
        LinkWatch watch = watches.get(address.config.interfaceName());
        if (on == null || watch == null) return;
        watch.announce(address.config.address(), on.mac());
        address.announcements++;
    }

    // What the peers are told

    /** As it is now; its number is that of the last one that was told. */
    private NodeState state() {
        boolean fit = lacking().isEmpty();
        List<AddressState> states = new ArrayList<>();
        for (Held each : addresses.values()) {
            DataInterface on = interfaceOf(each.config.interfaceName());
            states.add(new AddressState(each.config.address(), on != null && on.linkIsUp(), fit, each.held, on == null ? 0 : on.mac()));
        }
        return new NodeState(run, stateNumber, program.isGateOpen(), draining, closing, localAddress(), settingsDigest, drainingIds,
                states);
    }

    private void tellState(long nowNs) {
        NodeState now = state();
        boolean changed = !now.equals(own);
        if (changed) repeats = REPEATS;
        if (repeats == 0 && nowNs - toldNs < STATE_INTERVAL_NS) return;
        if (repeats > 0) repeats--;
        stateNumber++;
        NodeState told = state();
        own = told;
        toldNs = nowNs;
        peers.tell(hearers(), told);
    }

    /** Not those whose hosts are silent: over TCP an attempt to reach one takes its time, and as soon as its kernel answers a probe it is told. */
    private Set<NodeId> hearers() {
        Set<NodeId> hearers = new HashSet<>();
        for (NodeId peer : presence.peers()) if (presence.standing(peer) != Standing.HOST_SILENT) hearers.add(peer);
        return hearers;
    }

    /** An address that another had too is announced once more when that one has given it up: neighbours that have asked it meanwhile learn better. */
    private void handedOver(long nowNs) {
        for (Held each : addresses.values()) {
            boolean another = false;
            for (NodeId peer : presence.peers()) {
                NodeState state = presence.state(peer);
                AddressState there = state == null ? null : state.of(each.config.address());
                another |= there != null && there.held() && presence.standing(peer) == Standing.TALKS;
            }
            if (another) {
                elsewhere.add(each.config.address());
            } else if (elsewhere.remove(each.config.address()) && each.held) {
                each.announcedFirstNs = nowNs;
                each.announcements = 0;
            }
        }
    }

    private void tellDraining() {
        Set<Integer> ids = new HashSet<>();
        if (draining || closing) ids.add(settings.local.value());
        for (NodeId peer : presence.peers()) {
            NodeState state = presence.state(peer);
            if (state != null && presence.standing(peer) == Standing.TALKS && (state.draining() || state.leaving())) ids.add(peer.value());
        }
        if (ids.equals(drainingIds)) return;
        drainingIds = Set.copyOf(ids);
        peers.draining(drainingIds);
    }

    // The kernel's help while this process cannot take packets

    /** Who takes what this process cannot take: on each link a peer that has an address there, speaks and takes traffic; one that does not drain comes first. */
    private void deputize(List<Candidate> candidates, long nowNs) {
        Map<XdpProgram.Interface, Long> now = new HashMap<>();
        Set<Long> macs = new HashSet<>();
        for (Held each : addresses.values()) {
            XdpProgram.Interface link = linkOf(each.config.interfaceName());
            if (link == null) continue;
            boolean drains = true;
            for (Candidate candidate : candidates) {
                AddressState there = candidate.state().of(each.config.address());
                if (candidate.node().equals(settings.local) || there == null || there.mac() == 0) continue;
                macs.add(there.mac());
                boolean takes = candidate.standing() == Standing.TALKS && candidate.state().open() && there.linked();
                if (!takes || (now.containsKey(link) && !drains)) continue;
                now.put(link, there.mac());
                drains = candidate.state().draining() || candidate.state().leaving();
            }
        }
        if (!now.equals(deputies) || !macs.equals(peerMacs)) {
            deputies = now;
            peerMacs = macs;
            program.setDeputies(now, macs);
        }
        if (draining || closing) program.processUntil(now.isEmpty() ? 0 : 1);
        else if (nowNs - aliveToldNs >= ALIVE_INTERVAL_NS) {
            aliveToldNs = nowNs;
            program.processUntil(now.isEmpty() ? 0 : nowNs + ALIVE_FOR_NS);
        }
    }

    private XdpProgram.@Nullable Interface linkOf(String name) {
        DataInterface on = interfaceOf(name);
        List<KernelNetwork.Port> ports = network.ports();
        if (on == null || on.port() < 0 || on.port() >= ports.size()) return null;
        return new XdpProgram.Interface(on.index(), ports.get(on.port()).index(), on.vlan());
    }

    // Leaving

    private boolean isLeft(long nowNs) {
        if (leavingSinceNs == 0) leavingSinceNs = nowNs;
        long sinceNs = nowNs - leavingSinceNs;
        boolean waits = addresses.values().stream().anyMatch(each -> each.held) && hasTalkingPeer();
        if (waits && sinceNs < LEAVE_NS) return false;
        if (sinceNs < FAREWELL_NS && hasTalkingPeer()) return false;
        if (!keepAddresses) for (Held each : addresses.values()) release(each, "this node stops", nowNs);
        if (unsaved) save();
        stateNumber++;
        peers.tell(hearers(), state());
        return true;
    }

    private boolean hasTalkingPeer() { return standings.containsValue(Standing.TALKS); }

    // What others may see

    private void publish(List<Candidate> candidates) {
        Map<IpAddress, List<NodeId>> holders = FloatingAddresses.holders(floating(), candidates);
        List<String> lacking = lacking();
        List<AddressReport.Row> rows = new ArrayList<>();
        for (Held each : addresses.values()) {
            List<String> obstacles = new ArrayList<>(lacking);
            DataInterface on = interfaceOf(each.config.interfaceName());
            String noLink = each.config.interfaceName() + " has no link";
            if ((on == null || !on.linkIsUp()) && !obstacles.contains(noLink)) obstacles.add(noLink);
            rows.add(new AddressReport.Row(each.config.text(), each.config.interfaceName(), each.config.prefer(), each.held,
                    holders.getOrDefault(each.config.address(), List.of()).stream().map(NodeId::name).toList(), each.reason, obstacles));
        }
        List<PeerRow> peerRows = new ArrayList<>();
        boolean knownToAll = true;
        for (NodeId peer : presence.peers()) {
            NodeState state = presence.state(peer);
            Standing standing = presence.standing(peer);
            peerRows.add(new PeerRow(peer.name(), standing, presence.hostSilenceMs(peer), presence.processSilenceMs(peer),
                    presence.isUnproven(peer), state != null && state.draining()));
            if (standing == Standing.TALKS && state != null && !state.drainingKnown().contains(settings.local.value())) knownToAll = false;
        }
        report = new AddressReport(List.copyOf(rows), List.copyOf(peerRows), draining, draining && knownToAll);
    }

    private IpAddress localAddress() {
        IpAddress address = IpAddress.ofBytes(settings.syncAddress.getAddress());
        if (address == null) throw new IllegalStateException("an address of " + settings.syncAddress.getAddress().length + " bytes");
        return address;
    }

    private static Address kernelAddress(IpAddress address) { return new Address(address.high(), address.low()); }

    private static InetAddress inetAddress(IpAddress address) {
        try {
            return InetAddress.getByAddress(address.toBytes());
        } catch (UnknownHostException e) {
            throw new IllegalStateException(address.toString(), e);
        }
    }
}
