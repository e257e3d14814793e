package io.ambo.cluster.resync;

import com.google.protobuf.ByteString;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterSettings.Mode;
import io.ambo.cluster.EventLog;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.Transport.Membership;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaReader;
import io.ambo.cluster.replication.DirtyBuckets;
import io.ambo.cluster.replication.Replicator;
import io.ambo.cluster.replication.SyncReceiver;
import io.ambo.cluster.session.Digest;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.proto.sync.ChunkAck;
import io.ambo.proto.sync.CompareAnswer;
import io.ambo.proto.sync.CompareReason;
import io.ambo.proto.sync.CompareReport;
import io.ambo.proto.sync.CompareRequest;
import io.ambo.proto.sync.SyncMessage;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Makes tables equal: compares bucket digests with a peer, exchanges the records of the buckets that differ, and again, until what differs is only what changes
 * just now. Runs when this node joins (then {@link JoinGate} waits for it), when separated parts have met, and when a peer's batches are missing. Also hands
 * over again what found no room on the way out.
 *
 * <pre>
 *   this node                                peer
 *     | CompareRequest: 4096 digests           |
 *     |--------------------------------------->|  sweep, compare
 *     |        CompareAnswer: bits of buckets  |
 *     |<---------------------------------------|
 *     |        RecordChunk 1, 2, ... last      |
 *     |<---------------------------------------|  both ways at once, {@link RecordStream#WINDOW} chunks ahead of the acknowledgements
 *     |--------------------------------------->|
 *     | next round ...                         |
 * </pre>
 *
 * <b>When it is done.</b> A node that joins with an empty table has all with the first round: each chunk has come and found room, and what has happened since the
 * peer's sweep began comes as deltas, whose loss is noticed. Otherwise a comparison goes on until a round has found nothing, as two nodes may each have something for
 * the other. Under traffic the digests are never all equal. A comparison ends with the first round in which no bucket differs, or in which no
 * record was news here except of sessions that were seen since the round began (their deltas are on the way) or end within two seconds (one node may have
 * forgotten them first); a record that finds no room never counts as explained. After {@link #MOST_ROUNDS} rounds it ends as different, with the number.
 *
 * <p>
 * One thread, {@code ambo-resync}; the {@code on} methods may be called from any thread and only hand over.
 */
public final class BucketSync implements SyncReceiver.Resync, AutoCloseable {
    static final int MOST_ROUNDS = 16;
    /** Without any answer, chunk or acknowledgement for so long a comparison or a stream is given up. */
    static final long PATIENCE_MS = 3000;
    /** Deltas that are on the way may be so old. */
    private static final long IN_FLIGHT_MS = 250;
    private static final long REPAIR_INTERVAL_MS = 200;
    /** A member that cannot be reached is noticed within this time. */
    private static final long NOTICED_WITHIN_MS = 10_000;
    /** Parts that have met are mostly done comparing their tables within this time. */
    private static final long COMPARED_WITHIN_MS = 10_000;
    private static final int SLICES_PER_TURN = 256;
    private static final long COMPARE_AGAIN_MS = 1000;
    private static final int MOST_STREAMS = 16;
    /** Of one round: 250 sessions each. */
    private static final int MOST_CHUNKS = 1 << 24;
    private static final int EVENTS = 16 * 1024;
    private static final int EVENTS_PER_TURN = 256;
    private static final long TICK_MS = 20;
    private static final Logger LOG = LogManager.getLogger();

    /** The way back to the peers for a session that found no room before. */
    @FunctionalInterface
    public interface Republisher {
        /** @return false when there is no room now either */
        boolean republish(SessionKey key, SessionRecord session);
    }

    /** What comes as deltas, beside the comparisons. */
    public interface Batches {
        /** The last one that was sent to this member; null: none. */
        Replicator.@Nullable Sent lastSent(NodeId peer);

        /** This member's batches up to that one need not come any more, and those after it must. */
        void covered(NodeId sender, long run, long number);

        /** Looks for some that do not come; called once a turn. */
        void lookForGaps();
    }

    /** A comparison that this node began. Its atomics are written by receiving threads. */
    private static final class Comparison {
        final long id;
        final NodeId peer;
        int round;
        volatile long quietBeforeMs;
        volatile int receivingRound;
        final AtomicInteger unexplained = new AtomicInteger();
        /** This node had nothing when it began, so it only takes. */
        final boolean takesAll;
        /** The numbers of this round's chunks that have come. */
        final BitSet chunks = new BitSet();
        /** The number of the round's last; 0: it has not come. */
        long lastChunk;
        final CompareReason reason;
        final long beganMs;
        /** By the hybrid clock. */
        final long began;
        long received;
        long inserted;
        long replaced;
        long peerInserted;
        long peerReplaced;
        long expected;
        @Nullable
        RecordStream outgoing;
        long progressAtMs;

        Comparison(long id, NodeId peer, CompareReason reason, boolean takesAll, long beganMs, long began) {
            this.reason = reason;
            this.takesAll = takesAll;
            this.beganMs = beganMs;
            this.began = began;
            this.id = id;
            this.peer = peer;
        }

        /** The first round is all that a node needs that takes all. */
        boolean isTaking() { return takesAll && round == 1; }

        void chunkCame(long number, boolean last) {
            if (number <= MOST_CHUNKS) chunks.set((int) number);
            if (last) lastChunk = number;
        }

        boolean allHasCome() { return lastChunk > 0 && chunks.cardinality() >= lastChunk; }
    }

    /** @param inserted sessions that were not known here; {@code replaced}: whose other incarnation won */
    private record Tally(long inserted, long replaced) {
        Tally plus(SyncReceiver.Merged merged) { return new Tally(inserted + merged.inserted(), replaced + merged.replaced()); }
    }

    private final NodeId local;
    private final Transport transport;
    private final SessionTable table;
    private final Clock clock;
    private final LongSupplier hybridNow;
    private final RandomGenerator random;
    private final Mode mode;
    private final Homes homes = new Homes();
    private final DirtyBuckets dirty;
    private final Republisher republisher;
    private final CounterBank<ClusterCounter>.Row counters;
    private final EventLog log;
    private final Consumer<GateState> gateListener;
    private final JoinGate gate;
    private final ArrayBlockingQueue<Runnable> events = new ArrayBlockingQueue<>(EVENTS);
    private final Thread thread = Thread.ofPlatform().name("ambo-resync").daemon().unstarted(this::loop);

    private volatile @Nullable Comparison comparison;
    private volatile boolean running = true;
    private volatile GateState told;
    private final Map<NodeId, CompareReason> toCompare = new LinkedHashMap<>();
    /** What the chunks of a peer's comparison brought here. */
    private final Map<Long, Tally> tallies = new LinkedHashMap<>();
    private final Map<NodeId, Long> comparedAtMs = new LinkedHashMap<>();
    private final List<RecordStream> streams = new ArrayList<>();
    private final Map<RecordStream, Long> streamProgressMs = new LinkedHashMap<>();
    private final Map<NodeId, SyncMessage> requestsOfStrangers = new LinkedHashMap<>();
    private @Nullable View view;
    private long repairedAtMs = Long.MIN_VALUE / 2;
    private @Nullable BitSet repairing;
    private int nextSlice;
    private final Batches batches;
    /** The table was empty at start, and no comparison has begun yet: what is in it now came as deltas of members. */
    private boolean bringsNothing;
    private boolean roomIsLeft;
    /** What goes again next has found no fault with the way out. */
    private boolean isRepairExplained;
    /** When parts met last, and since when packets have passed here of which the others have not heard; {@link Long#MAX_VALUE}: all is told. */
    private long metAtMs = Long.MAX_VALUE, seenApartSinceMs = Long.MAX_VALUE;
    private boolean isComparedSinceMet;
    /** Members that were in a view with this node, and are no longer. */
    private final Map<NodeId, Long> leftAtMs = new LinkedHashMap<>();
    private final SessionTable.Sweep onRepaired = this::repair;
    private long toldAtMs;

    /**
     * @param hybridNow    what is created from here on has a later time
     * @param gateListener hears each change of the gate, on the resync thread
     */
    public BucketSync(NodeId local, Mode mode, Transport transport, SessionTable table, Clock clock, LongSupplier hybridNow,
            RandomGenerator random, DirtyBuckets dirty, Republisher republisher, Batches batches, long gateRetryMs,
            CounterBank<ClusterCounter> counters,
            EventLog log,
            Consumer<GateState> gateListener) {
        this.log = log;
        this.local = local;
        this.mode = mode;
        this.transport = transport;
        this.table = table;
        this.clock = clock;
        this.hybridNow = hybridNow;
        this.random = random;
        this.dirty = dirty;
        this.republisher = republisher;
        this.batches = batches;
        this.counters = counters.newRow();
        this.gateListener = gateListener;
        gate = new JoinGate(gateRetryMs, mode == Mode.REDIRECT);
        told = gate.state();
        bringsNothing = table.size() == 0;
    }

    public void start() { thread.start(); }

    /** As last told to the listener. Any thread. */
    public GateState gate() { return told; }

    /** The same members, of whom others drain: tables have other sessions in common. */
    public void onDraining(View now) {
        post(() -> {
            if (view == null || !view.members().equals(now.members())) return;
            view = now;
            gate.onDraining(now, clock.monotonicMs());
        });
    }

    public void onMembership(Membership membership) { post(() -> membershipChanged(membership)); }

    /** Somebody on the link was refused. */
    public void onStranger(String reason) {
        post(() -> gate.onStranger(reason, clock.monotonicMs()));
    }

    @Override
    public void onGap(NodeId sender) {
        post(() -> {
            log.add(EventLog.Kind.RESYNC, "batches of " + sender + " were lost: comparing tables");
            wantComparison(sender, CompareReason.BATCHES_LOST);
        });
    }

    /** Sends all sessions of these buckets to every peer. */
    public void resend(BitSet buckets) {
        BitSet wanted = (BitSet) buckets.clone();
        post(() -> {
            View known = view;
            if (known == null || wanted.isEmpty()) return;
            log.add(EventLog.Kind.RESYNC, "a repair was asked for: the sessions of " + wanted.cardinality() + " buckets are sent again");
            for (NodeId peer : known.members())
                if (!peer.equals(local) && streams.size() < MOST_STREAMS)
                    addStream(new RecordStream(peer, random.nextLong() | 1, 0, false, wanted, sharedWith(peer), table, transport));
        });
    }

    @Override
    public long quietBeforeMs(long ofComparison, int round) {
        Comparison current = comparison;
        return current != null && current.id == ofComparison && current.receivingRound == round ? current.quietBeforeMs : Long.MIN_VALUE;
    }

    @Override
    public void onChunk(NodeId sender, long ofComparison, int round, long number, boolean last, SyncReceiver.Merged merged) {
        Comparison current = comparison;
        if (current != null && current.id == ofComparison) current.unexplained.addAndGet(merged.unexplained());
        post(() -> chunkMerged(sender, ofComparison, round, number, last, merged));
    }

    @Override
    public void onMessage(NodeId sender, SyncMessage message) {
        switch (message.getBodyCase()) {
            case COMPARE -> post(() -> answer(sender, message));
            case COMPARE_ANSWER -> post(() -> answered(sender, message.getCompareAnswer()));
            case COMPARE_REPORT -> post(() -> reported(sender, message.getCompareReport()));
            case CHUNK_ACK -> post(() -> chunkAcknowledged(sender, message.getChunkAck()));
            default -> throw new IllegalArgumentException("not of a comparison: " + message.getBodyCase());
        }
    }

    @Override
    public void close() {
        running = false;
        // Not interrupted: it may be in the middle of a send.
        post(() -> {});
        try {
            thread.join(PATIENCE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** One turn. @return how much was done */
    public int doWork() {
        int work = 0;
        for (Runnable event = events.poll(); event != null; event = events.poll()) {
            event.run();
            if (++work >= EVENTS_PER_TURN) break;
        }
        long nowMs = clock.monotonicMs();
        batches.lookForGaps();
        work += advanceStreams(nowMs);
        giveUpTheSilent(nowMs);
        work += repairDirtyBuckets(nowMs);
        beginComparison(nowMs);
        tellWhatWasSeenApart(nowMs);
        gate.evaluate(nowMs);
        tellGate(nowMs);
        return work;
    }

    private void loop() {
        while (running) {
            try {
                if (doWork() > 0) continue;
                Runnable event = events.poll(TICK_MS, TimeUnit.MILLISECONDS);
                if (event != null) event.run();
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                LOG.error("Comparing tables failed in one turn and goes on", e);
            }
        }
    }

    private void post(Runnable event) {
        // A lost event stalls one comparison, which is then given up and begun again.
        if (!events.offer(event)) LOG.warn("Too many events wait for the resync thread; a comparison will be begun again");
    }

    // Membership

    private void membershipChanged(Membership membership) {
        View now = membership.view();
        if (!membership.parts().isEmpty()) noteWhatWasSeenApart(now);
        boolean memberLost = noteWhoLeft(now);
        view = now;
        streams.removeIf(stream -> !now.members().contains(stream.peer()));
        toCompare.keySet().retainAll(now.members());
        comparedAtMs.keySet().retainAll(now.members());
        Comparison current = comparison;
        if (current != null && !now.members().contains(current.peer)) finish(current, JoinGate.Outcome.LEFT, "");
        gate.onMembership(membership, clock.monotonicMs());
        if (gate.state().open()) wantComparisonsAfterMerge(membership);
        // A transport is reliable as long as the sender lives: its last words some may have heard, and others not.
        if (gate.state().open() && memberLost && !now.members().getFirst().equals(local))
            wantComparison(now.members().getFirst(), CompareReason.MEMBER_LOST);
        Map<NodeId, SyncMessage> retry = new LinkedHashMap<>(requestsOfStrangers);
        requestsOfStrangers.clear();
        retry.forEach((peer, request) -> {
            if (now.members().contains(peer)) answer(peer, request);
        });
    }

    /** @return whether somebody did, now */
    private boolean noteWhoLeft(View now) {
        View before = view;
        boolean left = false;
        long nowMs = clock.monotonicMs();
        if (before != null) {
            for (NodeId member : before.members()) {
                if (now.members().contains(member)) continue;
                leftAtMs.put(member, nowMs);
                left = true;
            }
        }
        leftAtMs.keySet().removeAll(now.members());
        return left;
    }

    /**
     * Separated parts have met. The digests say nothing of sequence numbers, and the members of the other parts have not heard of the packets that passed here
     * meanwhile; who believes that it has seen a session whole would refuse the next ones. So they are told, once the tables have been compared: what the parts have
     * brought each other is counted there.
     */
    private void noteWhatWasSeenApart(View now) {
        long sinceMs = Long.MAX_VALUE;
        for (NodeId member : now.members()) {
            boolean isNew = !member.equals(local) && (view == null || !view.members().contains(member));
            if (isNew) sinceMs = Math.min(sinceMs, leftAtMs.getOrDefault(member, Long.MIN_VALUE));
        }
        // Others have gone on without this node, which has noticed nothing: it is not known since when.
        if (sinceMs == Long.MAX_VALUE) sinceMs = Long.MIN_VALUE;
        seenApartSinceMs = Math.min(seenApartSinceMs, sinceMs == Long.MIN_VALUE ? sinceMs : sinceMs - NOTICED_WITHIN_MS);
        metAtMs = clock.monotonicMs();
        isComparedSinceMet = false;
    }

    private void tellWhatWasSeenApart(long nowMs) {
        if (metAtMs == Long.MAX_VALUE) return;
        boolean compares = !isComparedSinceMet || comparison != null || !toCompare.isEmpty() || !streams.isEmpty();
        if (compares && nowMs - metAtMs < COMPARED_WITHIN_MS) return;
        long fromMs = seenApartSinceMs;
        seenApartSinceMs = metAtMs = Long.MAX_VALUE;
        long[] told = new long[1];
        for (int slice = 0; slice < table.slices(); slice++) {
            table.sweep(slice, (key, session) -> {
                if (session.lastSeenMs() < fromMs || !session.isSeenHere()) return false;
                session.changeLocalFlags(0, SessionRecord.UNPUBLISHED);
                dirty.mark(SessionTable.bucket(key));
                told[0]++;
                return false;
            });
        }
        isRepairExplained = told[0] > 0;
        log.add(EventLog.Kind.RESYNC, "parts have met: " + told[0] + " sessions that were seen here meanwhile are told again");
    }

    /** Each member compares with the first of each other part; of two firsts, the one with the lower id begins. */
    private void wantComparisonsAfterMerge(Membership membership) {
        boolean localIsFirst = membership.parts().contains(local);
        for (NodeId first : membership.parts()) {
            if (first.equals(local) || !membership.view().members().contains(first)) continue;
            if (localIsFirst && first.value() < local.value()) continue;
            comparedAtMs.remove(first);
            wantComparison(first, CompareReason.PARTS_MET);
        }
    }

    private void wantComparison(NodeId peer, CompareReason reason) {
        if (toCompare.size() < MOST_STREAMS) toCompare.putIfAbsent(peer, reason);
    }

    // This node asks

    private void beginComparison(long nowMs) {
        if (comparison != null) return;
        NodeId peer = gate.nextPeer(nowMs);
        CompareReason reason = CompareReason.JOINING;
        if (peer == null) {
            peer = nextWanted(nowMs);
            if (peer == null) return;
            reason = toCompare.getOrDefault(peer, reason);
            toCompare.remove(peer);
        }
        comparedAtMs.put(peer, nowMs);
        // In redirect mode it is but a part that a member shares with this node, and which that is changes with the view.
        boolean takesAll = mode == Mode.SYNC && bringsNothing && reason == CompareReason.JOINING;
        bringsNothing = false;
        Comparison begun = new Comparison(random.nextLong() | 1, peer, reason, takesAll, nowMs, hybridNow.getAsLong());
        comparison = begun;
        nextRound(begun);
    }

    private @Nullable NodeId nextWanted(long nowMs) {
        if (!gate.state().open()) return null;
        for (NodeId peer : toCompare.keySet()) {
            Long before = comparedAtMs.get(peer);
            if (before == null || nowMs - before >= COMPARE_AGAIN_MS) return peer;
        }
        return null;
    }

    private void nextRound(Comparison of) {
        long nowMs = clock.monotonicMs();
        of.round++;
        of.quietBeforeMs = of.isTaking() ? Long.MIN_VALUE : nowMs - IN_FLIGHT_MS;
        of.receivingRound = of.round;
        of.unexplained.set(0);
        of.chunks.clear();
        of.lastChunk = 0;
        of.outgoing = null;
        CompareRequest.Builder request = CompareRequest.newBuilder().setComparison(of.id).setRound(of.round).setSessions(table.size())
                .setReason(of.reason).setMode(mode.word()).setRecordLayout(DeltaReader.RECORD_LAYOUT);
        // What has come into being since the first round is told as it happens; it would make every other bucket of a busy table differ for ever.
        long createdBefore = of.round == 1 ? 0 : of.began;
        request.setCreatedBefore(createdBefore);
        if (table.size() > 0 && !of.isTaking()) {
            Digest digest = Digest.of(table, compared(sharedWith(of.peer), createdBefore));
            for (int bucket = 0; bucket < SessionTable.BUCKETS; bucket++) request.addDigests(digest.sum(bucket));
        }
        if (view != null) request.addAllDraining(view.draining());
        Replicator.Sent sent = batches.lastSent(of.peer);
        if (sent != null && of.round == 1) request.setBatchRun(sent.run()).setBatchNumber(sent.number());
        of.progressAtMs = clock.monotonicMs();
        counters.increment(ClusterCounter.RESYNC_ROUNDS);
        send(of.peer, SyncReceiver.message().setCompare(request).build());
    }

    private void answered(NodeId peer, CompareAnswer answer) {
        Comparison current = comparison;
        if (current == null || current.id != answer.getComparison() || current.round != answer.getRound() || !current.peer.equals(peer))
            return;
        current.progressAtMs = clock.monotonicMs();
        switch (answer.getState()) {
            case COMPARED -> exchange(current, answer);
            case BUSY -> finish(current, JoinGate.Outcome.BUSY, "");
            case OTHER_MODE -> finish(current, JoinGate.Outcome.OTHER_MODE, "");
            case NOT_OPEN, UNRECOGNIZED -> finish(current, JoinGate.Outcome.NOT_OPEN, "");
        }
    }

    private void exchange(Comparison current, CompareAnswer answer) {
        if (answer.getBatchRun() != 0) batches.covered(current.peer, answer.getBatchRun(), answer.getBatchNumber());
        BitSet differing = BitSet.valueOf(answer.getDiffering().toByteArray());
        differing.clear(SessionTable.BUCKETS, Math.max(SessionTable.BUCKETS, differing.length()));
        if (current.round == 1) current.expected = answer.getSessions() * differing.cardinality() / SessionTable.BUCKETS;
        if (differing.isEmpty()) {
            finish(current, JoinGate.Outcome.EQUAL, rounds(current));
            return;
        }
        gate.onProgress(current.received, current.expected, clock.monotonicMs());
        if (current.isTaking()) return;
        RecordStream outgoing = new RecordStream(current.peer, current.id, current.round,
                answer.getRecordLayout() == DeltaReader.RECORD_LAYOUT, differing, sharedWith(current.peer), table,
                transport);
        current.outgoing = outgoing;
        addStream(outgoing);
    }

    private void endRoundIfComplete(Comparison current) {
        RecordStream outgoing = current.outgoing;
        boolean given = current.isTaking() || outgoing != null && outgoing.done();
        if (!given || !current.allHasCome()) return;
        int unexplained = current.unexplained.get();
        if (unexplained == 0) finish(current, JoinGate.Outcome.EQUAL, rounds(current));
        else if (current.round < MOST_ROUNDS) nextRound(current);
        else
            finish(current, JoinGate.Outcome.STILL_DIFFERENT,
                    unexplained + " sessions differ or find no room (this table holds " + table.size() + " of "
                            + table.capacity() + ")");
    }

    private static String rounds(Comparison current) {
        return current.received + " records in " + current.round + (current.round == 1 ? " round" : " rounds");
    }

    private void finish(Comparison current, JoinGate.Outcome outcome, String detail) {
        comparison = null;
        long nowMs = clock.monotonicMs();
        if (outcome != JoinGate.Outcome.EQUAL) {
            counters.increment(ClusterCounter.RESYNC_ABANDONED);
            streams.removeIf(stream -> stream.comparison() == current.id);
        }
        if (outcome == JoinGate.Outcome.EQUAL) report(current, nowMs);
        if (gate.state().open()) {
            if (outcome != JoinGate.Outcome.EQUAL) {
                LOG.info("Comparison of tables with {}: {} {}", current.peer, outcome, detail);
                log.add(EventLog.Kind.RESYNC,
                        "comparing tables with " + current.peer + " failed: " + outcome + (detail.isEmpty() ? "" : ", " + detail));
            }
            if (outcome == JoinGate.Outcome.NO_ANSWER || outcome == JoinGate.Outcome.BUSY || outcome == JoinGate.Outcome.STILL_DIFFERENT)
                wantComparison(current.peer, current.reason);
        } else {
            gate.onCompared(current.peer, outcome, detail, nowMs);
            if (gate.state().open() && mode == Mode.SYNC) wantComparisonsWithTheOthers(current.peer);
        }
    }

    /** One was enough to begin; what this node's earlier life has told one member and not another comes out now. */
    private void wantComparisonsWithTheOthers(NodeId compared) {
        View known = view;
        if (known == null) return;
        for (NodeId member : known.members())
            if (!member.equals(local) && !member.equals(compared)) wantComparison(member, CompareReason.MEMBER_LOST);
    }

    /** Tells this node's log and the peer's. Of the peer's figures those count that came with its acknowledgements. */
    private void report(Comparison of, long nowMs) {
        CompareReport report = CompareReport.newBuilder().setComparison(of.id).setReason(of.reason).setRounds(of.round)
                .setTookMs((int) (nowMs - of.beganMs)).setAskerInserted(of.inserted).setAskerReplaced(of.replaced)
                .setAnswererInserted(of.peerInserted).setAnswererReplaced(of.peerReplaced).build();
        tell(of.peer, report, true);
        send(of.peer, SyncReceiver.message().setCompareReport(report).build());
    }

    private void reported(NodeId peer, CompareReport report) {
        // Only of a comparison that this node has taken part in.
        if (tallies.remove(report.getComparison()) != null) tell(peer, report, false);
    }

    private void tell(NodeId peer, CompareReport report, boolean asked) {
        isComparedSinceMet |= report.getReason() == CompareReason.PARTS_MET;
        long taken = asked ? report.getAskerInserted() : report.getAnswererInserted();
        long given = asked ? report.getAnswererInserted() : report.getAskerInserted();
        long lost = asked ? report.getAskerReplaced() : report.getAnswererReplaced();
        long won = asked ? report.getAnswererReplaced() : report.getAskerReplaced();
        String text = switch (report.getReason()) {
            case PARTS_MET -> peer + " and this node were separated and are together again: ";
            case JOINING -> asked ? "let in by " + peer + ": " : peer + " has joined: ";
            case MEMBER_LOST -> "a member was lost; compared with " + peer + ": ";
            case BATCHES_LOST, UNRECOGNIZED -> "after lost batches the table is equal to that of " + peer + ": ";
        };
        text += taken + " sessions taken, " + given + " given, " + (won + lost) + " clashed"
                + (won + lost == 0
                        ? ""
                        : " (" + won + " times this node's was chosen, " + lost + " times that of " + peer
                                + ": the higher epoch, else the earlier)")
                + "; equal after " + report.getTookMs() + " ms and " + report.getRounds()
                + (report.getRounds() == 1 ? " round" : " rounds");
        LOG.info("{}", text);
        log.add(report.getReason() == CompareReason.PARTS_MET ? EventLog.Kind.MERGE : EventLog.Kind.RESYNC, text);
    }

    // This node answers

    private void answer(NodeId peer, SyncMessage message) {
        View known = view;
        if (known == null || !known.members().contains(peer)) {
            // Before its view is here, deltas to it are not published; an answer now could miss some.
            if (requestsOfStrangers.size() < MOST_STREAMS) requestsOfStrangers.put(peer, message);
            return;
        }
        CompareRequest request = message.getCompare();
        streams.removeIf(stream -> stream.peer().equals(peer) && stream.comparison() == request.getComparison());
        CompareAnswer.Builder answer = CompareAnswer.newBuilder().setComparison(request.getComparison()).setRound(request.getRound())
                .setRecordLayout(DeltaReader.RECORD_LAYOUT);
        if (!request.getMode().equals(mode.word())) {
            send(peer, SyncReceiver.message().setCompareAnswer(answer.setState(CompareAnswer.State.OTHER_MODE)).build());
            return;
        }
        if (!gate.state().open()) {
            send(peer, SyncReceiver.message().setCompareAnswer(answer.setState(CompareAnswer.State.NOT_OPEN)).build());
            return;
        }
        if (streams.size() >= MOST_STREAMS) {
            send(peer, SyncReceiver.message().setCompareAnswer(answer.setState(CompareAnswer.State.BUSY)).build());
            return;
        }
        tallies.putIfAbsent(request.getComparison(), new Tally(0, 0));
        if (tallies.size() > MOST_STREAMS) tallies.remove(tallies.keySet().iterator().next());
        if (request.getBatchRun() != 0) batches.covered(peer, request.getBatchRun(), request.getBatchNumber());
        Replicator.Sent sent = batches.lastSent(peer);
        if (sent != null && request.getRound() == 1) answer.setBatchRun(sent.run()).setBatchNumber(sent.number());
        BiPredicate<SessionKey, SessionRecord> shared = sharedWith(peer, request.getDrainingList());
        BitSet differing = request.getDigestsCount() == 0
                ? everything()
                : differing(request.getDigestsList(), Digest.of(table, compared(shared, request.getCreatedBefore())));
        answer.setState(CompareAnswer.State.COMPARED).setSessions(table.size()).setDiffering(ByteString.copyFrom(differing.toByteArray()));
        send(peer, SyncReceiver.message().setCompareAnswer(answer).build());
        if (!differing.isEmpty())
            addStream(new RecordStream(peer, request.getComparison(), request.getRound(),
                    request.getRecordLayout() == DeltaReader.RECORD_LAYOUT, differing, shared, table, transport));
    }

    /** The sessions that this node and the peer are both to have. */
    private BiPredicate<SessionKey, SessionRecord> sharedWith(NodeId peer) {
        View known = view;
        if (mode == Mode.SYNC || known == null) return (key, session) -> true;
        return (key, session) -> homes.has(known, local.value(), key, session) && homes.has(known, peer.value(), key, session);
    }

    /** The same to a peer that knows these to be draining, whom this node may not know to be: also what both are to have then. */
    private BiPredicate<SessionKey, SessionRecord> sharedWith(NodeId peer, List<Integer> draining) {
        View known = view;
        if (mode == Mode.SYNC || known == null || known.draining().containsAll(draining)) return sharedWith(peer);
        Set<Integer> all = new HashSet<>(known.draining());
        all.addAll(draining);
        View soon = known.draining(all);
        return sharedWith(peer)
                .or((key, session) -> homes.has(soon, local.value(), key, session) && homes.has(soon, peer.value(), key, session));
    }

    private static BiPredicate<SessionKey, SessionRecord> compared(BiPredicate<SessionKey, SessionRecord> shared, long createdBefore) {
        if (createdBefore == 0) return shared;
        return (key, session) -> Long.compareUnsigned(session.created(), createdBefore) <= 0 && shared.test(key, session);
    }

    /** An empty table differs wherever this one is not empty: no sweep is needed to know it. */
    private BitSet everything() {
        BitSet all = new BitSet(SessionTable.BUCKETS);
        if (table.size() > 0) all.set(0, SessionTable.BUCKETS);
        return all;
    }

    private static BitSet differing(List<Long> theirs, Digest ours) {
        BitSet differing = new BitSet(SessionTable.BUCKETS);
        for (int bucket = 0; bucket < SessionTable.BUCKETS; bucket++) {
            long their = bucket < theirs.size() ? theirs.get(bucket) : 0;
            if (their != ours.sum(bucket)) differing.set(bucket);
        }
        return differing;
    }

    // Chunks, both ways

    private void chunkMerged(NodeId sender, long ofComparison, int round, long number, boolean last, SyncReceiver.Merged merged) {
        Comparison current = comparison;
        boolean asked = current != null && current.id == ofComparison && current.peer.equals(sender);
        if (current != null && asked) {
            current.inserted += merged.inserted();
            current.replaced += merged.replaced();
        } else {
            tallies.computeIfPresent(ofComparison, (id, tally) -> tally.plus(merged));
        }
        if (last || number % RecordStream.ACK_EVERY == 0) {
            ChunkAck.Builder ack = ChunkAck.newBuilder().setComparison(ofComparison).setRound(round).setNumber(number);
            Tally tally = tallies.get(ofComparison);
            if (tally != null) ack.setInserted(tally.inserted()).setReplaced(tally.replaced());
            send(sender, SyncReceiver.message().setChunkAck(ack).build());
        }
        if (current == null || !asked || current.round != round) return;
        long nowMs = clock.monotonicMs();
        current.progressAtMs = nowMs;
        current.received += merged.records();
        current.chunkCame(number, last);
        gate.onProgress(current.received, Math.max(current.expected, current.received), nowMs);
        endRoundIfComplete(current);
    }

    private void chunkAcknowledged(NodeId peer, ChunkAck ack) {
        long nowMs = clock.monotonicMs();
        for (RecordStream stream : List.copyOf(streams)) {
            if (!stream.peer().equals(peer) || stream.comparison() != ack.getComparison() || stream.round() != ack.getRound()) continue;
            stream.onAck(ack.getNumber());
            streamProgressMs.put(stream, nowMs);
            if (stream.done()) streams.remove(stream);
        }
        Comparison current = comparison;
        if (current != null && current.id == ack.getComparison()) {
            current.progressAtMs = nowMs;
            current.peerInserted = Math.max(current.peerInserted, ack.getInserted());
            current.peerReplaced = Math.max(current.peerReplaced, ack.getReplaced());
            endRoundIfComplete(current);
        }
    }

    private void addStream(RecordStream stream) {
        streams.add(stream);
        streamProgressMs.put(stream, clock.monotonicMs());
    }

    private int advanceStreams(long nowMs) {
        int work = 0;
        for (RecordStream stream : List.copyOf(streams)) {
            try {
                int sent = stream.advance(nowMs);
                if (sent < 0) continue;
                counters.add(ClusterCounter.RESYNC_RECORDS_SENT, sent);
                streamProgressMs.put(stream, nowMs);
                work++;
            } catch (ClusterException e) {
                counters.increment(ClusterCounter.SEND_FAILED);
                streams.remove(stream);
            }
        }
        return work;
    }

    private void giveUpTheSilent(long nowMs) {
        streamProgressMs.keySet().retainAll(streams);
        streams.removeIf(stream -> nowMs - streamProgressMs.getOrDefault(stream, nowMs) > PATIENCE_MS);
        Comparison current = comparison;
        if (current != null && nowMs - current.progressAtMs > PATIENCE_MS) finish(current, JoinGate.Outcome.NO_ANSWER, "");
    }

    // Repair of what found no room on the way out

    /** Hands the flagged sessions of dirty buckets over again, as far as there is room now; what has none keeps its flag, and its slice is looked at again. */
    private int repairDirtyBuckets(long nowMs) {
        View known = view;
        if (known == null) return 0;
        if (repairing == null) {
            if (!dirty.any() || nowMs - repairedAtMs < REPAIR_INTERVAL_MS) return 0;
            repairedAtMs = nowMs;
            repairing = dirty.take();
            nextSlice = 0;
            counters.add(ClusterCounter.BUCKETS_REPAIRED, repairing.cardinality());
            if (!isRepairExplained)
                log.add(EventLog.Kind.RESYNC,
                        "deltas found no room on the way out and go again: the replicator or the sync link is too slow for the moment");
            isRepairExplained = false;
        }
        roomIsLeft = true;
        int slices = Math.min(table.slices(), nextSlice + SLICES_PER_TURN);
        while (nextSlice < slices && roomIsLeft) {
            table.sweep(nextSlice, onRepaired);
            if (roomIsLeft) nextSlice++;
        }
        if (nextSlice == table.slices()) repairing = null;
        return roomIsLeft ? 1 : 0;
    }

    private boolean repair(SessionKey key, SessionRecord session) {
        BitSet buckets = repairing;
        if (buckets == null || !roomIsLeft || !session.hasLocal(SessionRecord.UNPUBLISHED) || !buckets.get(SessionTable.bucket(key)))
            return false;
        roomIsLeft = republisher.republish(key, session);
        if (roomIsLeft) session.changeLocalFlags(SessionRecord.UNPUBLISHED, 0);
        return false;
    }

    // Outside

    private void tellGate(long nowMs) {
        GateState now = gate.state();
        if (now.equals(told)) return;
        boolean onlyProgress = now.open() == told.open() && now.reason().equals(told.reason());
        if (onlyProgress && nowMs - toldAtMs < 100) return;
        if (!onlyProgress) {
            String text = (now.open() ? "open: " : "closed: ") + now.reason();
            LOG.info("Gate {}", text);
            log.add(EventLog.Kind.GATE, text);
        }
        told = now;
        toldAtMs = nowMs;
        gateListener.accept(now);
    }

    private void send(NodeId peer, SyncMessage message) {
        byte[] bytes = message.toByteArray();
        try {
            transport.sendTo(peer, bytes, 0, bytes.length);
        } catch (ClusterException e) {
            counters.increment(ClusterCounter.SEND_FAILED);
        }
    }
}
