package io.ambo.cluster.replication;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterListener;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.proto.sync.DeltaAck;
import io.ambo.proto.sync.SyncMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongConsumer;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The way in: every message that a member sends comes by here, is checked whole, and is merged or handed on. Runs on the transport's receiving threads, several
 * at once; never waits. A message that is not sound is counted and changes nothing.
 */
public final class SyncReceiver {
    private static final Logger LOG = LogManager.getLogger();
    /** Sessions that are loaded together, before they are merged. */
    private static final int FORESIGHT = 32;
    /** A session that ends so soon may be there on one node and gone on the other, and both are right. */
    private static final long ABOUT_TO_END_MS = 2000;

    /**
     * What a chunk brought.
     *
     * @param records     in it
     * @param inserted    that were not known here
     * @param replaced    whose incarnation won over the one here
     * @param unexplained that were news here although nothing has happened to their sessions since the round began, or that found no room
     */
    public record Merged(int records, int inserted, int replaced, int unexplained) {}

    /** Who compares tables. Called on receiving threads; hands over and returns. */
    public interface Resync {
        /** Sessions unseen since then were the same on both nodes when this round began, were the tables equal; {@link Long#MIN_VALUE}: not ours. */
        long quietBeforeMs(long comparison, int round);

        /** A chunk has been merged. */
        void onChunk(NodeId sender, long comparison, int round, long number, boolean last, Merged merged);

        /** Anything that is not deltas. */
        void onMessage(NodeId sender, SyncMessage message);

        /** Batches of this sender are missing. */
        void onGap(NodeId sender);
    }

    /** One receiving thread's tools, lent for one message. */
    private static final class Desk {
        final DeltaReader reader = new DeltaReader();
        final CounterBank<ClusterCounter>.Row counters;
        final SessionRecord known = new SessionRecord();
        /** The sender of the last record has been sent what is known here. */
        boolean answered;

        Desk(CounterBank<ClusterCounter>.Row counters) { this.counters = counters; }
    }

    private final NodeId local;
    private final Transport transport;
    private final SessionTable table;
    private final Clock clock;
    private final ClusterListener listener;
    private final Replicator replicator;
    private final Resync resync;
    private final Backlogs backlogs;
    private final CounterBank<ClusterCounter> counters;
    private final LongConsumer incarnationTimes;
    /** The resync thread's. */
    private final CounterBank<ClusterCounter>.Row watch;
    private volatile long lossSeenMs = Long.MIN_VALUE / 2;
    private final ConcurrentLinkedQueue<Desk> desks = new ConcurrentLinkedQueue<>();
    private final ConcurrentHashMap<NodeId, BatchNumbers> progress = new ConcurrentHashMap<>();

    /** @param incarnationTimes hears the latest creation time of each message, before its deltas are merged */
    public SyncReceiver(NodeId local, Transport transport, SessionTable table, Clock clock, ClusterListener listener, Replicator replicator,
            Resync resync, Backlogs backlogs, LongConsumer incarnationTimes, CounterBank<ClusterCounter> counters) {
        this.local = local;
        this.transport = transport;
        this.table = table;
        this.clock = clock;
        this.listener = listener;
        this.replicator = replicator;
        this.resync = resync;
        this.backlogs = backlogs;
        this.incarnationTimes = incarnationTimes;
        this.counters = counters;
        watch = counters.newRow();
    }

    public void onMessage(NodeId sender, byte[] bytes, int offset, int length) {
        Desk free = desks.poll();
        Desk desk = free == null ? new Desk(counters.newRow()) : free;
        try {
            receive(desk, sender, bytes, offset, length);
        } catch (MalformedMessage e) {
            desk.counters.increment(e.otherVersion() ? ClusterCounter.MESSAGES_OTHER_VERSION : ClusterCounter.MESSAGES_MALFORMED);
        } finally {
            desks.add(desk);
        }
    }

    private void receive(Desk desk, NodeId sender, byte[] bytes, int offset, int length) throws MalformedMessage {
        if (sender.value() == local.value()) {
            desk.counters.increment(ClusterCounter.MESSAGES_NOT_FROM_MEMBER);
            return;
        }
        if (length > Transport.LONGEST_MESSAGE) throw MalformedMessage.because("too long");
        long nowMs = clock.monotonicMs();
        switch (desk.reader.read(bytes, offset, length, nowMs)) {
            case BATCH -> onBatch(desk, sender, nowMs);
            case CHUNK -> onChunk(desk, sender);
            case OTHER -> onOther(desk, sender, parse(bytes, offset, length));
        }
    }

    private static SyncMessage parse(byte[] bytes, int offset, int length) throws MalformedMessage {
        try {
            return SyncMessage.parser().parseFrom(bytes, offset, length);
        } catch (InvalidProtocolBufferException e) {
            throw MalformedMessage.because(String.valueOf(e.getMessage()));
        }
    }

    /** Gives up what has been missing for too long; nothing may follow it. The resync thread, now and then. */
    public void lookForGaps() {
        long nowMs = clock.monotonicMs();
        progress.forEach((sender, known) -> {
            boolean gap;
            synchronized (known) {
                gap = known.isGivenUp(nowMs);
            }
            if (gap) onGap(watch, sender);
        });
    }

    /** How far this node has come with the batches of each peer. Any thread. */
    public List<NodeStateCodec.Progress> progress() {
        List<NodeStateCodec.Progress> all = new ArrayList<>();
        progress.forEach((sender, known) -> {
            synchronized (known) {
                all.add(new NodeStateCodec.Progress(sender.value(), known.run(), known.low()));
            }
        });
        return all;
    }

    /** This sender's batches up to that one stand in its table, with which this node's is being compared. The resync thread. */
    public void covered(NodeId sender, long run, long number) {
        BatchNumbers known = progress.computeIfAbsent(sender, nobody -> new BatchNumbers());
        boolean gap;
        synchronized (known) {
            gap = known.covered(run, number, clock.monotonicMs());
        }
        if (gap) onGap(watch, sender);
    }

    private void onGap(CounterBank<ClusterCounter>.Row row, NodeId sender) {
        row.increment(ClusterCounter.BATCH_GAPS);
        resync.onGap(sender);
    }

    private void onBatch(Desk desk, NodeId sender, long nowMs) {
        DeltaReader batch = desk.reader;
        if (batch.sender() != sender.value()) {
            desk.counters.increment(ClusterCounter.MESSAGES_NOT_FROM_MEMBER);
            return;
        }
        observeTimes(batch);
        boolean gap = advance(desk, sender, nowMs);
        for (int i = 0; i < batch.count(); i++) {
            if (i % FORESIGHT == 0) foresee(batch, i);
            SessionTable.Merge outcome = merge(desk, sender, i);
            // Asked after the merge: a worker parks first and looks again then, so that one of the two sees the other.
            if (awaitsDeltas(desk) && outcome != SessionTable.Merge.FULL) tellApplied(desk, batch.key(i));
            if (outcome == SessionTable.Merge.LOST && !desk.answered) replicator.sendWinner(sender, batch.key(i));
            if (outcome == SessionTable.Merge.OUTLIVED) replicator.publishLater(batch.key(i));
        }
        if (batch.acknowledge()) acknowledge(desk, sender, batch);
        desk.counters.increment(ClusterCounter.BATCHES_RECEIVED);
        desk.counters.add(ClusterCounter.DELTAS_RECEIVED, batch.count());
        if (gap) onGap(desk.counters, sender);
    }

    private void onChunk(Desk desk, NodeId sender) {
        DeltaReader chunk = desk.reader;
        observeTimes(chunk);
        boolean repair = chunk.round() == 0;
        long quietBeforeMs = resync.quietBeforeMs(chunk.comparison(), chunk.round());
        long nowMs = clock.monotonicMs();
        int unexplained = 0;
        int inserted = 0;
        int replaced = 0;
        for (int i = 0; i < chunk.count(); i++) {
            if (i % FORESIGHT == 0) foresee(chunk, i);
            SessionRecord record = chunk.record(i);
            boolean quiet = record.lastSeenMs() < quietBeforeMs && record.expiresInMs(nowMs) > ABOUT_TO_END_MS
                    && !record.has(SessionRecord.CLOSED);
            SessionTable.Merge outcome = merge(desk, sender, i);
            if (outcome == SessionTable.Merge.INSERTED) inserted++;
            if (outcome == SessionTable.Merge.REPLACED) replaced++;
            if (outcome == SessionTable.Merge.FULL
                    || (quiet && (outcome == SessionTable.Merge.INSERTED || outcome == SessionTable.Merge.REPLACED)))
                unexplained++;
            if (awaitsDeltas(desk) && outcome != SessionTable.Merge.FULL) tellApplied(desk, chunk.key(i));
            if (repair && outcome == SessionTable.Merge.LOST && !desk.answered) replicator.sendWinner(sender, chunk.key(i));
            if (outcome == SessionTable.Merge.OUTLIVED) replicator.publishLater(chunk.key(i));
        }
        desk.counters.add(ClusterCounter.RESYNC_RECORDS_RECEIVED, chunk.count());
        if (chunk.comparison() != 0)
            resync.onChunk(sender, chunk.comparison(), chunk.round(), chunk.number(), chunk.last(),
                    new Merged(chunk.count(), inserted, replaced, unexplained));
    }

    private void onOther(Desk desk, NodeId sender, SyncMessage message) throws MalformedMessage {
        switch (message.getBodyCase()) {
            case ACK -> {
                desk.counters.increment(ClusterCounter.ACKS_RECEIVED);
                replicator.onAck(message.getAck().getRun(), message.getAck().getNumber());
            }
            case COMPARE, COMPARE_ANSWER, COMPARE_REPORT, CHUNK_ACK, ASK, ANSWER, REDIRECT_HELLO, REDIRECT_TO ->
                resync.onMessage(sender, message);
            case NODE_STATE -> {
                NodeState state = NodeStateCodec.decode(message);
                NodeStateCodec.Progress here = NodeStateCodec.progress(message, local);
                if (here != null) backlogs.onProgress(sender, here);
                onState(desk, sender, state);
            }
            case BATCH, CHUNK, BODY_NOT_SET -> throw MalformedMessage.because("no body");
        }
    }

    private void onState(Desk desk, NodeId sender, NodeState state) {
        desk.counters.increment(ClusterCounter.STATES_RECEIVED);
        try {
            listener.onState(sender, state);
        } catch (RuntimeException e) {
            onListenerFailure(desk, e);
        }
    }

    private void foresee(DeltaReader message, int from) {
        for (int i = from; i < Math.min(from + FORESIGHT, message.count()); i++) table.expect(message.key(i));
        table.fetch();
    }

    private void observeTimes(DeltaReader message) {
        if (message.count() == 0) return;
        long latest = message.record(0).created();
        for (int i = 1; i < message.count(); i++)
            if (Long.compareUnsigned(message.record(i).created(), latest) > 0) latest = message.record(i).created();
        incarnationTimes.accept(latest);
    }

    private SessionTable.Merge merge(Desk desk, NodeId sender, int index) {
        SessionKey key = desk.reader.key(index);
        SessionRecord record = desk.reader.record(index);
        boolean competing = replicator.isDirected() && table.read(key, desk.known) && desk.known.owner() != record.owner();
        SessionTable.Merge outcome = table.merge(key, record);
        desk.answered = competing && settle(desk, sender, key, record);
        desk.counters.increment(switch (outcome) {
            case INSERTED -> ClusterCounter.MERGES_INSERTED;
            case ADVANCED -> ClusterCounter.MERGES_ADVANCED;
            case UNCHANGED -> ClusterCounter.MERGES_UNCHANGED;
            case REPLACED -> ClusterCounter.MERGES_REPLACED;
            case LOST -> ClusterCounter.MERGES_LOST;
            case OUTLIVED -> ClusterCounter.MERGES_OUTLIVED;
            case FULL -> ClusterCounter.MERGES_FULL;
        });
        return outcome;
    }

    /**
     * Redirect mode: two members were taken for the owner, by those that do not have the session both. Who was wrong has to hear of it; nobody else would tell it. A
     * node that comes back believes in its own sessions, which others have taken over; a backup, in an owner that has lost its session to another.
     *
     * @return true when it is the sender that was wrong
     */
    private boolean settle(Desk desk, NodeId sender, SessionKey key, SessionRecord record) {
        if (!table.read(key, desk.known)) return false;
        boolean wrong = desk.known.owner() != record.owner();
        if (wrong) replicator.sendWinner(sender, key);
        else
            replicator.tellOthers(sender, key);
        return wrong;
    }

    /** @return true when batches are missing for good */
    private boolean advance(Desk desk, NodeId sender, long nowMs) {
        BatchNumbers known = progress.computeIfAbsent(sender, nobody -> new BatchNumbers());
        boolean gap;
        boolean outOfOrder;
        synchronized (known) {
            gap = known.receive(desk.reader.run(), desk.reader.number(), nowMs);
            outOfOrder = known.isOutOfOrder();
        }
        if (outOfOrder) {
            desk.counters.increment(ClusterCounter.BATCHES_OUT_OF_ORDER);
            lossSeenMs = nowMs;
        }
        return gap;
    }

    /** Whether the link has lost something within this time, as far as this node has seen. Any thread. */
    public boolean hasSeenLossWithin(long ms) {
        return clock.monotonicMs() - lossSeenMs < ms;
    }

    private void acknowledge(Desk desk, NodeId sender, DeltaReader batch) {
        byte[] ack = SyncMessage.newBuilder().setProtocol(SyncWire.PROTOCOL)
                .setAck(DeltaAck.newBuilder().setRun(batch.run()).setNumber(batch.number())).build().toByteArray();
        transport.sendHint(sender, ack, 0, ack.length);
        desk.counters.increment(ClusterCounter.ACKS_SENT);
    }

    private boolean awaitsDeltas(Desk desk) {
        try {
            return listener.awaitsDeltas();
        } catch (RuntimeException e) {
            onListenerFailure(desk, e);
            return false;
        }
    }

    private void tellApplied(Desk desk, SessionKey key) {
        try {
            listener.onDeltaApplied(key);
        } catch (RuntimeException e) {
            onListenerFailure(desk, e);
        }
    }

    private static void onListenerFailure(Desk desk, @Nullable RuntimeException e) {
        if (desk.counters.get(ClusterCounter.LISTENER_FAILED) == 0) LOG.error("The cluster's listener threw; counted from now on", e);
        desk.counters.increment(ClusterCounter.LISTENER_FAILED);
    }

    /** A sender left: if it comes back, its numbers begin anew. */
    public void onPeerLeft(NodeId peer) { progress.remove(peer); }

    /** Used by the parts that build small messages from the generated classes. */
    public static SyncMessage.Builder message() {
        return SyncMessage.newBuilder().setProtocol(SyncWire.PROTOCOL);
    }
}
