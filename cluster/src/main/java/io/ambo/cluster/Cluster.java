package io.ambo.cluster;

import io.ambo.cluster.jgroups.JGroupsTransport;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.cluster.membership.Ownership;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.Backlogs;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.replication.DirtyBuckets;
import io.ambo.cluster.replication.NodeStateCodec;
import io.ambo.cluster.replication.Questions;
import io.ambo.cluster.replication.Replicator;
import io.ambo.cluster.replication.SyncReceiver;
import io.ambo.cluster.resync.BucketSync;
import io.ambo.cluster.resync.Rehoming;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import io.ambo.proto.sync.RedirectHello;
import io.ambo.proto.sync.RedirectTo;
import io.ambo.proto.sync.SyncMessage;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * This node's membership: the one door to replication. Joined once, closed once.
 *
 * <p>
 * Threads of its own: {@code ambo-replicator} sends deltas, {@code ambo-resync} compares tables, JGroups' receive and merge. Every method here may be called
 * from any thread and returns at once, except {@link #join} and {@link #close}.
 */
public final class Cluster implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();

    private final NodeId local;
    private final CounterBank<ClusterCounter> counters = new CounterBank<>(ClusterCounter.class);
    private final CounterBank<ClusterCounter>.Row transportCounters = counters.newRow();
    private final Transport transport;
    private final ClusterListener listener;
    private final Replicator replicator;
    private final BucketSync bucketSync;
    private final @Nullable Rehoming rehoming;
    private final SyncReceiver receiver;
    private final Backlogs backlogs;
    private final Clock clock;
    private final Questions questions;
    private final EventLog events;
    private final Map<Integer, String> names = new ConcurrentHashMap<>();
    private volatile View view;
    /** Node ids, as told last. It and the view are written under this object's lock. */
    private Set<Integer> draining = Set.of();
    private final Set<NodeId> lostHosts = new HashSet<>();
    private volatile boolean hasLivingPeers;
    private volatile @Nullable RedirectListener redirects;

    /**
     * Joins, or is the first. Returns after the first view is known (a lone start: {@code timing.joinMs} later); the gate may open long after that, so listen
     * for it. The listener is called from now on, the first calls before this method returns.
     *
     * @param table       stays the caller's: close it after the cluster
     * @param hybridClock observes the creation times that peers send
     * @throws ClusterException when the sync link's sockets cannot be made
     */
    public static Cluster join(ClusterSettings settings, SessionTable table, HybridClock hybridClock, Clock clock, ClusterListener listener)
            throws ClusterException {
        Cluster cluster = prepare(settings, table, hybridClock, clock, listener);
        cluster.start();
        return cluster;
    }

    /** The same in two steps: what is told of the cluster can be built between them. Nothing happens before {@link #start}. */
    public static Cluster prepare(ClusterSettings settings, SessionTable table, HybridClock hybridClock, Clock clock,
            ClusterListener listener) {
        return new Cluster(settings, new JGroupsTransport(settings), table, hybridClock, clock, new SecureRandom(), listener);
    }

    /**
     * The same over another transport, which is started here and closed with the cluster.
     *
     * @param random for numbers that must differ between two starts of a node
     */
    public static Cluster join(ClusterSettings settings, Transport transport, SessionTable table, HybridClock hybridClock, Clock clock,
            RandomGenerator random,
            ClusterListener listener) throws ClusterException {
        Cluster cluster = new Cluster(settings, transport, table, hybridClock, clock, random, listener);
        cluster.start();
        return cluster;
    }

    /**
     * The same without threads of its own, for the oracle and the simulation: nothing happens but in {@link #doWork} and in what the transport calls, so the
     * same clock, transport and randomness give the same run.
     */
    public static Cluster stepped(ClusterSettings settings, Transport transport, SessionTable table, HybridClock hybridClock, Clock clock,
            RandomGenerator random, ClusterListener listener) throws ClusterException {
        Cluster cluster = new Cluster(settings, transport, table, hybridClock, clock, random, listener);
        transport.start(cluster.new FromTransport());
        return cluster;
    }

    private Cluster(ClusterSettings settings, Transport transport, SessionTable table, HybridClock hybridClock, Clock clock,
            RandomGenerator random,
            ClusterListener listener) {
        this.transport = transport;
        this.clock = clock;
        events = new EventLog(clock, random.nextLong());
        this.listener = listener;
        local = NodeId.of(settings.node());
        view = new View(0, local, List.of(local));
        names.put(local.value(), local.name());
        DirtyBuckets dirty = new DirtyBuckets();
        boolean redirect = settings.mode() == ClusterSettings.Mode.REDIRECT;
        replicator = new Replicator(local, random.nextLong(), redirect, settings.limits(), transport, table, clock, counters, dirty,
                this::tellAcknowledged);
        bucketSync = new BucketSync(local, settings.mode(), transport, table, clock, hybridClock::now, random, dirty, replicator::republish,
                new ToBatches(),
                settings.timing().gateRetryMs(), counters, events, this::tellGate);
        rehoming = redirect ? new Rehoming(local, table, transport, clock, counters) : null;
        questions = new Questions(transport, counters, random.nextLong());
        backlogs = new Backlogs(replicator);
        receiver = new SyncReceiver(local, transport, table, clock, listener, replicator, new Others(), backlogs, hybridClock::observe,
                counters);
    }

    /**
     * Joins, see {@link #join}. Once.
     *
     * @throws ClusterException when the sync link's sockets cannot be made
     */
    public void start() throws ClusterException {
        replicator.start();
        bucketSync.start();
        if (rehoming != null) rehoming.start();
        try {
            transport.start(new FromTransport());
        } catch (ClusterException | RuntimeException e) {
            closeRehoming();
            bucketSync.close();
            replicator.close();
            throw e;
        }
    }

    /** One turn of each of the threads that a {@link #stepped} cluster does not have. @return how much was done */
    public int doWork() {
        return replicator.doWork() + bucketSync.doWork() + (rehoming == null ? 0 : rehoming.doWork());
    }

    /** The way out for one worker: always the same object for the same number, to be used by that worker's thread only. */
    public DeltaPublisher publisher(int worker) {
        return replicator.publisher(worker);
    }

    public NodeId local() { return local; }

    public View view() { return view; }

    /** The name of a node that is a member, or has been since this node started; else a text with its number. */
    public String nameOf(int nodeId) {
        return names.getOrDefault(nodeId, "node#" + nodeId);
    }

    public GateState gate() { return bucketSync.gate(); }

    /** True when this node answers for the session's expiry: the record names it, or the named node is gone or drains and this one is the heir. */
    public boolean owns(SessionKey key, SessionRecord session) {
        return Ownership.owner(view, key, session.owner()) == local.value();
    }

    /**
     * Tells each of these peers this node's state, once, without waiting; it may be lost. Peers that have left the view are told too, as far as they can be
     * reached: after a split it is the first word.
     */
    public void tellState(Collection<NodeId> peers, NodeState state) {
        lookForBacklogs();
        byte[] message = NodeStateCodec.encode(state, receiver.progress());
        for (NodeId peer : peers) {
            transport.sendHint(peer, message, 0, message.length);
            count(ClusterCounter.STATES_SENT);
        }
    }

    private void lookForBacklogs() {
        for (Backlogs.Change change : backlogs.look(view, clock.monotonicMs()))
            events.add(EventLog.Kind.RESYNC, change.late()
                    ? change.peer() + " does not keep up: it is behind by " + change.now().batches()
                            + " batches of this node, the first sent "
                            + change.now().ms() + " ms ago"
                    : change.peer() + " keeps up again; it was behind by up to " + change.most().ms() + " ms, "
                            + change.most().batches() + " batches");
    }

    /** How far a peer is behind with what this node has sent it. */
    public Backlogs.Backlog backlog(NodeId peer) {
        return backlogs.of(peer, clock.monotonicMs());
    }

    /** Members that shall own nothing, by node id. While others are there, those are the owners of all that these have opened. */
    public synchronized void draining(Set<Integer> nodeIds) {
        draining = Set.copyOf(nodeIds);
        View now = view.draining(draining);
        if (now.equals(view)) return;
        tell(now);
        bucketSync.onDraining(now);
    }

    /** A peer's host does not answer any more: the view is asked to go on without it, unless it answers the transport's own question. */
    public void onHostLost(NodeId peer) {
        count(ClusterCounter.HOSTS_LOST);
        synchronized (this) {
            lostHosts.add(peer);
            hasLivingPeers = hasLivingPeers(view);
        }
        transport.suspect(peer);
    }

    /** It does again. */
    public synchronized void onHostFound(NodeId peer) {
        lostHosts.remove(peer);
        hasLivingPeers = hasLivingPeers(view);
    }

    /** Somebody else is in the view, and not only because its death has yet to be noticed there. */
    public boolean hasLivingPeers() {
        return hasLivingPeers;
    }

    private boolean hasLivingPeers(View now) {
        for (NodeId member : now.members()) if (!member.equals(local) && !lostHosts.contains(member)) return true;
        return false;
    }

    private synchronized View onMembers(Transport.Membership membership) {
        View now = membership.view().draining(draining);
        lostHosts.retainAll(now.members());
        hasLivingPeers = hasLivingPeers(now);
        // Peers count from here on: what workers change after this line is published.
        tell(now);
        bucketSync.onMembership(new Transport.Membership(now, membership.parts(), membership.clash()));
        return now;
    }

    private void tell(View now) {
        view = now;
        replicator.onView(now);
        if (rehoming != null) rehoming.onView(now);
    }

    /** Redirect mode: the membership has changed a moment ago, and sessions are on their way to where they belong now. */
    public boolean isMoving() {
        return rehoming != null && rehoming.isMoving();
    }

    /** Hears from now on what peers say about redirected packets. Called on receiving threads: hand over and return. */
    public void onRedirects(RedirectListener listener) {
        redirects = listener;
    }

    /** Tells all peers how to send redirected packets here. May wait. */
    public void sendRedirectHello(RedirectHello hello) throws ClusterException {
        byte[] bytes = SyncReceiver.message().setRedirectHello(hello).build().toByteArray();
        transport.sendToAll(bytes, 0, bytes.length);
    }

    /** Whether the sync link has lost packets within this time, as far as this node has seen. Any thread. */
    public boolean hasSeenLossWithin(long ms) {
        return receiver.hasSeenLossWithin(ms);
    }

    /** Tells a peer whose packets with some ends are. It may be lost. */
    public void sendRedirectTo(NodeId peer, RedirectTo told) {
        byte[] bytes = SyncReceiver.message().setRedirectTo(told).build().toByteArray();
        transport.sendHint(peer, bytes, 0, bytes.length);
    }

    /**
     * Asks a peer something that its {@link #answerWith} understands (the control servers of the nodes talk so).
     *
     * @param request at most 256 KiB
     * @return fails with a {@link java.util.concurrent.TimeoutException} or a {@link ClusterException}
     */
    public CompletableFuture<byte[]> ask(NodeId peer, byte[] request, Duration timeout) { return questions.ask(peer, request, timeout); }

    /** Who answers the peers' questions. Called on a thread of its own for each question; an exception becomes the asker's failure. */
    public void answerWith(Function<byte[], byte[]> answerer) {
        questions.answerWith(answerer);
    }

    public CounterBank<ClusterCounter> counters() { return counters; }

    /** Sends all sessions of these buckets to every peer, soon. What a peer knows already costs nothing but time. */
    public void resend(BitSet buckets) {
        bucketSync.resend(buckets);
    }

    /** Puts changed keys of the cluster into force. The sync link goes on without a gap as long as every member can open what every other one seals. */
    public void rekey(ClusterKey key) {
        transport.rekey(key);
        List<String> keys = key.fingerprints();
        events.add(EventLog.Kind.CONFIG, "the sync link is sealed with key " + keys.getFirst()
                + (keys.size() == 1 ? "; no other key is opened" : "; keys " + String.join(", ", keys) + " are opened"));
    }

    /** What happened in the cluster; others of this node may add to it. */
    public EventLog events() { return events; }

    /** Leaves politely: what was published is sent, peers learn of the departure at once. */
    @Override
    public void close() {
        closeRehoming();
        bucketSync.close();
        replicator.close();
        transport.close();
    }

    private void closeRehoming() { if (rehoming != null) rehoming.close(); }

    /** Built before the receiver is, used when all runs. */
    private final class ToBatches implements BucketSync.Batches {
        @Override
        public Replicator.@Nullable Sent lastSent(NodeId peer) { return replicator.lastSent(peer); }

        @Override
        public void covered(NodeId sender, long run, long number) { receiver.covered(sender, run, number); }

        @Override
        public void lookForGaps() { receiver.lookForGaps(); }
    }

    private void tellAcknowledged(int worker, long ticket) { guarded(() -> listener.onAcknowledged(worker, ticket)); }

    private void tellGate(GateState gate) { guarded(() -> listener.onGate(gate)); }

    /** A listener that throws must not end a thread of the cluster. */
    private void guarded(Runnable call) {
        try {
            call.run();
        } catch (RuntimeException e) {
            LOG.error("The cluster's listener threw", e);
            count(ClusterCounter.LISTENER_FAILED);
        }
    }

    /** @return what the transport has counted so far */
    private long count(ClusterCounter counter) {
        synchronized (transportCounters) {
            transportCounters.increment(counter);
            return transportCounters.get(counter);
        }
    }

    /** What the transport tells, on its threads. */
    private final class FromTransport implements Transport.Receiver {
        @Override
        public void onMessage(NodeId sender, byte[] bytes, int offset, int length) { receiver.onMessage(sender, bytes, offset, length); }

        @Override
        public void onMembership(Transport.Membership membership) {
            View before = view;
            View now = onMembers(membership);
            for (NodeId member : now.members()) names.put(member.value(), member.name());
            count(ClusterCounter.VIEWS);
            for (NodeId member : before.members()) if (!now.members().contains(member)) receiver.onPeerLeft(member);
            LOG.info("View {}: {}", now.id(), now.members());
            events.add(EventLog.Kind.VIEW, viewText(before, now));
            guarded(() -> listener.onView(now));
        }

        @Override
        public void onRefused(String reason) {
            LOG.warn("{}", reason);
            events.add(EventLog.Kind.REFUSAL, reason);
            bucketSync.onStranger(reason);
        }

        @Override
        public void onRefusedPacket(Transport.PacketRefusal refusal) {
            ClusterCounter counter = switch (refusal) {
                case UNAUTHENTIC -> ClusterCounter.PACKETS_UNAUTHENTIC;
                case REPLAYED -> ClusterCounter.PACKETS_REPLAYED;
                case UNPROVEN -> ClusterCounter.PACKETS_UNPROVEN;
            };
            long refused = count(counter);
            // A flood of them must not cost more than counting: only the powers of two are events.
            if (Long.bitCount(refused) == 1)
                events.add(EventLog.Kind.REFUSAL, counter.label() + " = " + refused + ": " + counter.help());
        }

        private static String viewText(View before, View now) {
            List<NodeId> came = now.members().stream().filter(member -> !before.members().contains(member)).toList();
            List<NodeId> left = before.members().stream().filter(member -> !now.members().contains(member)).toList();
            return "members: " + names(now.members()) + (came.isEmpty() || before.id() == 0 ? "" : "; " + names(came) + " came")
                    + (left.isEmpty() ? "" : "; " + names(left) + " left");
        }

        private static String names(List<NodeId> members) { return String.join(", ", members.stream().map(NodeId::name).toList()); }
    }

    /** What messages other than deltas are for. */
    private final class Others implements SyncReceiver.Resync {
        @Override
        public long quietBeforeMs(long comparison, int round) { return bucketSync.quietBeforeMs(comparison, round); }

        @Override
        public void onChunk(NodeId sender, long comparison, int round, long number, boolean last, SyncReceiver.Merged merged) {
            bucketSync.onChunk(sender, comparison, round, number, last, merged);
        }

        @Override
        public void onMessage(NodeId sender, SyncMessage message) {
            switch (message.getBodyCase()) {
                case ASK -> questions.onAsk(sender, message.getAsk());
                case ANSWER -> questions.onAnswer(sender, message.getAnswer());
                case REDIRECT_HELLO -> {
                    RedirectListener hears = redirects;
                    if (hears != null) guarded(() -> hears.onHello(sender, message.getRedirectHello()));
                }
                case REDIRECT_TO -> {
                    RedirectListener hears = redirects;
                    if (hears != null) guarded(() -> hears.onRedirectTo(sender, message.getRedirectTo()));
                }
                default -> bucketSync.onMessage(sender, message);
            }
        }

        @Override
        public void onGap(NodeId sender) { bucketSync.onGap(sender); }
    }
}
