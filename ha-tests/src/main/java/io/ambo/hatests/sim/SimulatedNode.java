package io.ambo.hatests.sim;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterListener;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.HybridClock;
import io.ambo.hatests.capture.IpPacket;
import io.ambo.node.config.Config;
import io.ambo.node.datapath.MemberStrays;
import io.ambo.node.datapath.Redirection;
import io.ambo.node.datapath.SteppedWorker;
import io.ambo.node.datapath.StrayOutlet;
import io.ambo.node.packet.DropReason;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** One node: what {@code Node} puts together in production, on simulated time. Its process can crash, stop, pause and be slow; its table file can stay or go. */
final class SimulatedNode implements Host, ClusterListener, SteppedWorker.Membership, SteppedWorker.Fates {
    /** What the node tells the world. */
    interface Outside {
        /** A frame leaves. */
        void onSent(SimulatedNode node, int conversation, int port, byte[] frame);

        void onDropped(SimulatedNode node, int conversation, DropReason reason);

        /** The node begins to take packets, or no longer does. */
        void onTraffic(SimulatedNode node, boolean takes);

        /** A node by its id, whether it is up or not; null: there is none. */
        @Nullable
        SimulatedNode node(int nodeId);
    }

    private static final ClusterKey KEY = ClusterKey.of("the nodes of a simulation trust each other".getBytes(StandardCharsets.US_ASCII));
    private static final long AHEAD_LIMIT_MS = 60_000;
    private static final long CLUSTER_TICK_NS = 20 * Agenda.MS;
    private static final long SWEEP_EVERY_NS = 60 * Agenda.MS;
    private static final int HELD_BY_RINGS = 64;
    private static final int TABLE_CAPACITY = 5000;
    private static final ClusterSettings.Timing TIMING = ClusterSettings.Timing.DEFAULT;
    private static final ClusterSettings.Limits LIMITS = new ClusterSettings.Limits(1, 64, 32, 1 << 20);

    final int index;
    final NodeId id;
    final HostClock clock;
    private final Agenda agenda;
    private final EventLog log;
    private final SplittableRandom random;
    private final SyncLink link;
    private final Parts parts;
    private final Config config;
    private final boolean redirects;
    private final Outside outside;
    private final WatchedTable.Watch watch;
    private final SimulatedRoutes routes = new SimulatedRoutes();
    private final Deque<Runnable> backlog = new ArrayDeque<>();

    private InMemorySessionTable file = new InMemorySessionTable(TABLE_CAPACITY);
    private WatchedTable table;
    private @Nullable HybridClock hybridClock;
    private @Nullable Cluster cluster;
    private @Nullable SteppedWorker worker;
    private @Nullable SimulatedRedirection redirection;
    /** Node ids that this one knows to drain. */
    private Set<Integer> drainers = Set.of();
    private boolean drains;
    private SyncLink.@Nullable Member member;
    private GateState gate = new GateState(false, 0, 0, "down");
    private int life;
    private boolean paused;
    private boolean takesTraffic;
    private int held;
    private long handedOver;
    private long stalledUntilNs;
    private long turnAtNs = Long.MAX_VALUE;
    private long timerAtNs = Long.MAX_VALUE;

    SimulatedNode(int index, Config config, boolean redirects, Agenda agenda, EventLog log, SplittableRandom random, SyncLink link,
            Parts parts,
            Outside outside, WatchedTable.Watch watch) {
        this.index = index;
        this.config = config;
        this.redirects = redirects;
        this.agenda = agenda;
        this.log = log;
        this.random = random;
        this.link = link;
        this.parts = parts;
        this.outside = outside;
        this.watch = watch;
        id = NodeId.of(config.node().name());
        clock = new HostClock(agenda, random.nextLong(1000 * Agenda.S), random.nextLong(-20_000, 20_000));
        table = new WatchedTable(parts.table(file), watch);
    }

    boolean isUp() { return cluster != null; }

    boolean takesTraffic() { return takesTraffic; }

    /** No packets come here, as long as others take some. */
    boolean drains() { return drains; }

    void drain(boolean begins) {
        if (drains == begins) return;
        log.add(EventLog.CLUSTER, id.name(), begins ? "drains" : "drains no longer");
        drains = begins;
    }

    /** What it knows of who drains. */
    Set<Integer> drainers() { return drainers; }

    void onDrainers(Set<Integer> nodeIds) {
        int of = life;
        run(() -> {
            if (!isUp() || life != of) return;
            drainers = Set.copyOf(nodeIds);
            cluster().draining(drainers);
        });
    }

    GateState gate() { return gate; }

    /** The table while the node is up, and the file while it is not. */
    WatchedTable table() { return table; }

    Cluster cluster() {
        if (cluster == null) throw new IllegalStateException(id + " is down");
        return cluster;
    }

    /** Number of its view; 0 while it is down. */
    long viewNumber() { return member == null ? 0 : member.number(); }

    long count(ClusterCounter counter) { return cluster == null ? 0 : cluster.counters().total(counter); }

    // What happens to the process

    /** Starts on the table file, if there is one. */
    void start() {
        if (isUp()) return;
        int now = ++life;
        // As ChronicleSessionTable does on opening: what an earlier process saw is no knowledge of this one's.
        for (int slice = 0; slice < file.slices(); slice++) {
            file.sweep(slice, (key, session) -> {
                session.localFlags(0);
                return false;
            });
        }
        log.add(EventLog.CLUSTER, id.name(), "starts with " + file.size() + " sessions");
        table = new WatchedTable(parts.table(file), watch);
        gate = new GateState(false, 0, 0, "starting");
        hybridClock = new HybridClock(clock, AHEAD_LIMIT_MS);
        ClusterSettings settings = new ClusterSettings("simulation", id.name(), InetAddress.getLoopbackAddress(),
                redirects ? ClusterSettings.Mode.REDIRECT : ClusterSettings.Mode.SYNC,
                new ClusterSettings.Tcp(ClusterSettings.PORT, java.util.List.of()), KEY, TIMING, LIMITS);
        member = link.new Member(id, index, this);
        try {
            cluster = Cluster.stepped(settings, member, table, hybridClock, clock, random.split(), this);
        } catch (ClusterException impossible) {
            throw new IllegalStateException(impossible);
        }
        drainers = Set.of();
        redirection = redirects ? new SimulatedRedirection(this, cluster, link, outside) : null;
        worker = new SteppedWorker(config, routes, table, this, clock, new SteppedWorker.Room(160, 1700), this);
        turnAtNs = Long.MAX_VALUE;
        timerAtNs = Long.MAX_VALUE;
        stalledUntilNs = 0;
        turnIn(0);
        sweepLater(now);
        followGate();
    }

    /** kill -9, or the power. */
    void crash(boolean fileStays) {
        if (!isUp()) return;
        log.add(EventLog.CLUSTER, id.name(), "crashes" + (fileStays ? "" : ", its table file is gone"));
        if (member != null) member.crash();
        end();
        if (!fileStays) file = new InMemorySessionTable(TABLE_CAPACITY);
    }

    /** systemctl stop. */
    void stop() {
        if (!isUp()) return;
        log.add(EventLog.CLUSTER, id.name(), "stops");
        for (int turn = 0; turn < 100 && cluster().doWork() > 0; turn++) {
        }
        cluster().close();
        end();
    }

    private void end() {
        life++;
        cluster = null;
        worker = null;
        redirection = null;
        member = null;
        paused = false;
        backlog.clear();
        held = 0;
        followGate();
    }

    /** A garbage collection, a hypervisor: nothing runs, and nothing is lost but what does not fit into the rings. */
    void pause(long ns) {
        if (!isUp() || paused) return;
        log.add(EventLog.CLUSTER, id.name(), "pauses for " + ns / Agenda.MS + " ms");
        paused = true;
        int of = life;
        agenda.in(ns, () -> { if (life == of) resume(); });
    }

    private void resume() {
        paused = false;
        held = 0;
        log.add(EventLog.CLUSTER, id.name(), "goes on");
        for (Runnable act = backlog.poll(); act != null && !paused; act = backlog.poll()) act.run();
    }

    /** The replicator and the resync get no processor: packets go on, the ring fills. */
    void stall(long ns) {
        if (!isUp()) return;
        log.add(EventLog.CLUSTER, id.name(), "stalls its deltas for " + ns / Agenda.MS + " ms");
        stalledUntilNs = agenda.nowNs() + ns;
    }

    @Override
    public void run(Runnable act) {
        if (paused) {
            int of = life;
            backlog.add(() -> { if (life == of) act.run(); });
        } else {
            act.run();
        }
    }

    @Override
    public boolean isPaused() { return paused; }

    private void later(long ns, Runnable act) {
        int of = life;
        agenda.in(ns, () -> { if (life == of) run(() -> { if (life == of) act.run(); }); });
    }

    // Its threads

    private void turnIn(long ns) {
        long at = Math.max(agenda.nowNs() + ns, stalledUntilNs);
        if (turnAtNs <= at) return;
        turnAtNs = at;
        later(at - agenda.nowNs(), () -> { if (turnAtNs <= agenda.nowNs()) turn(); });
    }

    private void turn() {
        turnAtNs = Long.MAX_VALUE;
        if (agenda.nowNs() >= stalledUntilNs && cluster().doWork() > 0) turnIn(random.nextLong(10 * Agenda.US, 80 * Agenda.US));
        else
            turnIn(CLUSTER_TICK_NS);
    }

    private void sweepLater(int of) {
        later(SWEEP_EVERY_NS, () -> {
            if (life != of) return;
            worker().tick();
            worker().sweep();
            afterWork();
            sweepLater(of);
        });
    }

    private SteppedWorker worker() {
        if (worker == null) throw new IllegalStateException(id + " is down");
        return worker;
    }

    /** A frame comes in on one of the interfaces. */
    void receive(int conversation, int port, byte[] frame) {
        if (!isUp() || paused && ++held > HELD_BY_RINGS) return;
        int of = life;
        run(() -> {
            if (life != of) return;
            worker().tick();
            worker().receive(conversation, port, frame);
            afterWork();
        });
    }

    /** A packet goes to a member in a datagram. That it has been lost nobody knows; of copies the first that arrives counts. */
    boolean handOver(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length, int copies) {
        SimulatedNode to = outside.node(member);
        if (to == null || !inView(member)) return false;
        byte[] packet = memory.asSlice(ip, length).toArray(ValueLayout.JAVA_BYTE);
        byte[] frame = IpPacket.framed(packet);
        log.add(EndFrames.conversation(frame), id.name(), "hands it to " + to);
        int sender = nodeId();
        boolean[] arrived = new boolean[1];
        for (int copy = 0; copy < copies; copy++) {
            link.carry(index, to.index, () -> {
                if (arrived[0]) return;
                arrived[0] = true;
                to.receiveHanded(zone, hops, ingress, sender, frame);
            });
        }
        handedOver++;
        return true;
    }

    /** Packets that it has handed to members so far. */
    long handedOver() { return handedOver; }

    /** A member hands over a packet. */
    void receiveHanded(int zone, int hops, int ingress, int sender, byte[] frame) {
        if (!isUp() || paused && ++held > HELD_BY_RINGS) return;
        int of = life;
        run(() -> {
            if (life != of || !inView(sender)) return;
            worker().tick();
            worker().receiveHanded(EndFrames.conversation(frame), zone, hops, ingress, sender, frame);
            afterWork();
        });
    }

    /** Redirect mode: a member says whose packets with some ends are. */
    void onOwner(SessionKey ends, int owner, boolean isOwner) {
        if (redirection == null || !inView(owner)) return;
        if (isOwner) redirection.learn(ends, owner);
        else
            redirection.forget(ends, owner);
    }

    private void afterWork() {
        turnIn(random.nextLong(10 * Agenda.US, 150 * Agenda.US));
        long timer = worker().nextTimerInNs();
        if (timer == Long.MAX_VALUE || timerAtNs <= agenda.nowNs() + timer) return;
        timerAtNs = agenda.nowNs() + timer;
        later(timer, () -> {
            if (timerAtNs > agenda.nowNs()) return;
            timerAtNs = Long.MAX_VALUE;
            worker().tick();
            worker().onTimers();
            afterWork();
        });
    }

    // What its parts tell

    @Override
    public boolean awaitsDeltas() { return worker != null && worker.awaitsDeltas(); }

    @Override
    public void onDeltaApplied(SessionKey key) {
        SessionKey copy = new SessionKey().copyFrom(key);
        later(random.nextLong(20 * Agenda.US), () -> {
            worker().tick();
            worker().onDeltaApplied(copy);
            afterWork();
        });
    }

    @Override
    public void onAcknowledged(int ofWorker, long ticket) {
        later(random.nextLong(20 * Agenda.US), () -> {
            worker().tick();
            worker().onAcknowledged(ticket);
            afterWork();
        });
    }

    @Override
    public void onView(View view) { turnIn(0); }

    @Override
    public void onGate(GateState now) {
        boolean changed = now.open() != gate.open();
        gate = now;
        if (changed) log.add(EventLog.CLUSTER, id.name(), (now.open() ? "opens: " : "closes: ") + now.reason());
        followGate();
    }

    private void followGate() {
        boolean takes = isUp() && worker != null && parts.takesTraffic(gate);
        if (takes == takesTraffic) return;
        takesTraffic = takes;
        outside.onTraffic(this, takes);
    }

    @Override
    public void onSent(long label, int port, byte[] frame) {
        if (label != SteppedWorker.NOBODY) outside.onSent(this, (int) label, port, frame);
    }

    @Override
    public void onDropped(long label, DropReason reason) { outside.onDropped(this, (int) label, reason); }

    @Override
    public void onHandedOver(long label) {}

    // What its worker asks

    @Override
    public int nodeId() { return id.value(); }

    @Override
    public long created() {
        if (hybridClock == null) throw new IllegalStateException(id + " is down");
        return hybridClock.next();
    }

    @Override
    public boolean hasPeers() { return !cluster().view().alone(); }

    @Override
    public boolean owns(SessionKey key, SessionRecord session) { return cluster().owns(key, session); }

    @Override
    public boolean inView(int nodeId) { return cluster().view().contains(nodeId); }

    @Override
    public DeltaPublisher publisher() { return cluster().publisher(0); }

    @Override
    public StrayOutlet strays() { return new MemberStrays(cluster(), this::handOver); }

    @Override
    public Redirection redirection() { return redirection == null ? Redirection.NONE : redirection; }

    @Override
    public String toString() { return id.name(); }
}
