package io.ambo.hatests.oracle;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterListener;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.HybridClock;
import io.ambo.hatests.capture.IpPacket;
import io.ambo.node.config.Config;
import io.ambo.node.datapath.MemberStrays;
import io.ambo.node.datapath.NodeCounter;
import io.ambo.node.datapath.SteppedWorker;
import io.ambo.node.datapath.StrayOutlet;
import io.ambo.node.packet.DropReason;
import io.ambo.node.routing.Routes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** A node of a replay: a real pipeline and a real table, and in a pair a real member of a cluster, on the replay's clock and link. */
final class ReplayNode implements SteppedWorker.Membership, SteppedWorker.Fates, ClusterListener {
    private static final ClusterKey KEY = ClusterKey
            .of("only this process can send on a replay's link".getBytes(StandardCharsets.US_ASCII));
    private static final long AHEAD_LIMIT_MS = 60_000;
    private static final int SWEEPS = 100;
    private static final int RING = 4096;

    private final NodeId id;
    private final Config config;
    private final Routes routes;
    private final SessionTable table;
    private final ReplayClock clock;
    private final int longestFrame;
    private final @Nullable SyncLink link;
    private final RandomGenerator random;
    private final HybridClock hybridClock;
    /** Told while the cluster is at work; done when it is through. */
    private final Deque<Runnable> messages = new ArrayDeque<>();
    private @Nullable Cluster cluster;
    private @Nullable SteppedWorker worker;
    private @Nullable Replay replay;

    /** @param link to the peer, or null: the node is alone */
    ReplayNode(Config config, Routes routes, SessionTable table, ReplayClock clock, int longestFrame, @Nullable SyncLink link,
            RandomGenerator random) {
        id = NodeId.of(config.node().name());
        this.config = config;
        this.routes = routes;
        this.table = table;
        this.clock = clock;
        this.longestFrame = longestFrame;
        this.link = link;
        this.random = random;
        hybridClock = new HybridClock(clock, AHEAD_LIMIT_MS);
    }

    void start(Replay of) throws ClusterException {
        replay = of;
        if (link != null) {
            ClusterSettings settings = ClusterSettings.of("oracle", id.name(), InetAddress.getLoopbackAddress(), KEY)
                    .withLimits(new ClusterSettings.Limits(1, RING, ClusterSettings.Limits.DEFAULT.deltasPerBatch(), 1 << 20));
            cluster = Cluster.stepped(settings, link.port(id.name()), table, hybridClock, clock, random, this);
        }
        worker = new SteppedWorker(config, routes, table, this, clock,
                new SteppedWorker.Room(SteppedWorker.Room.USUAL.frames(), Math.max(longestFrame, SteppedWorker.Room.USUAL.longestFrame())),
                this);
    }

    NodeId id() { return id; }

    SessionTable table() { return table; }

    boolean isOpen() { return cluster == null || cluster.gate().open(); }

    /** Sessions opened here so far. */
    long opened() { return worker().counters().total(NodeCounter.SESSIONS_OPENED); }

    void receive(long label, int port, byte[] frame) {
        worker().tick();
        worker().receive(label, port, frame);
    }

    void onTimers() {
        worker().tick();
        while (worker().nextTimerInNs() == 0 && worker().onTimers() > 0) {
        }
        worker().onTimers();
    }

    long nextTimerNs() {
        worker().tick();
        long inNs = worker().nextTimerInNs();
        return inNs == Long.MAX_VALUE ? inNs : clock.monotonicNs() + inNs;
    }

    /** A turn of the cluster's threads, and what they told the worker. */
    void doWork() {
        if (cluster != null) while (cluster.doWork() > 0) {
        }
        worker().tick();
        for (Runnable message = messages.poll(); message != null; message = messages.poll()) message.run();
    }

    void sweep() {
        worker().tick();
        for (int turn = 0; turn < SWEEPS; turn++) worker().sweep();
    }

    private SteppedWorker worker() { return java.util.Objects.requireNonNull(worker, "started"); }

    private Replay replay() { return java.util.Objects.requireNonNull(replay, "started"); }

    // What the worker asks and tells

    @Override
    public int nodeId() { return id.value(); }

    @Override
    public long created() { return hybridClock.next(); }

    @Override
    public boolean hasPeers() { return cluster != null && !cluster.view().alone(); }

    @Override
    public boolean owns(SessionKey key, SessionRecord session) { return cluster == null || cluster.owns(key, session); }

    @Override
    public boolean inView(int nodeId) { return cluster == null || cluster.view().contains(nodeId); }

    @Override
    public DeltaPublisher publisher() { return cluster == null ? (key, session, acknowledge) -> 0 : cluster.publisher(0); }

    @Override
    public StrayOutlet strays() { return cluster == null ? StrayOutlet.NONE : new MemberStrays(cluster, this::handOver); }

    private boolean handOver(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length, int copies) {
        if (link == null) return false;
        ReplayNode to = replay().node(member);
        byte[] packet = memory.asSlice(ip, length).toArray(ValueLayout.JAVA_BYTE);
        link.carry(() -> to.messages.add(() -> to.take(zone, packet)));
        return true;
    }

    private void take(int zone, byte[] packet) { worker().receiveStray(replay().labelOf(packet), zone, IpPacket.framed(packet)); }

    @Override
    public void onSent(long label, int port, byte[] frame) { replay().onSent(this, label, port, frame); }

    @Override
    public void onDropped(long label, DropReason reason) { replay().onDropped(this, label, reason); }

    @Override
    public void onHandedOver(long label) { replay().onHandedOver(this, label); }

    // What the cluster tells

    @Override
    public boolean awaitsDeltas() { return worker != null && worker.awaitsDeltas(); }

    @Override
    public void onDeltaApplied(SessionKey key) {
        SessionKey copy = new SessionKey().copyFrom(key);
        messages.add(() -> worker().onDeltaApplied(copy));
    }

    @Override
    public void onAcknowledged(int ofWorker, long ticket) { messages.add(() -> worker().onAcknowledged(ticket)); }

    @Override
    public void onView(View view) {}

    @Override
    public void onGate(GateState gate) {}
}
