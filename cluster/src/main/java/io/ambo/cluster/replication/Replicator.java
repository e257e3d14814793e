package io.ambo.cluster.replication;

import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterSettings.Limits;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The way out: takes deltas from the workers' rings, leaves out what a later one of the same session makes superfluous, and sends the rest to all members, one
 * message for each round; in redirect mode to the one or two that have the session too, a message for each of them. Without load a delta leaves at once; under
 * load ({@link #CROWD} in a round) the next round gathers for {@link #GATHER_NS}, since a message costs as much as a dozen deltas, and under much load for
 * {@link #GATHER_LONGER_NS}.
 *
 * <p>
 * {@link #doWork} and all that it calls live on the replicator thread, which may wait for slow receivers; meanwhile the rings fill, overflow, and mark
 * buckets dirty. Other threads use the methods that say so.
 */
public final class Replicator implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    /** So that a batch, its envelope and JGroups' headers fit into one UDP datagram. */
    private static final int BATCH_BYTES = 56 * 1024;
    /** Sent batches whose acknowledgement may still be waited for. */
    private static final int BATCHES_AWAITING_ACK = 4096;
    private static final int WINNERS_WAITING = 4096;
    private static final int WINNERS_PER_ROUND = 128;
    /** The replicator looks again after this long even when nobody wakes it. */
    private static final long LONGEST_SLEEP_NS = 50_000_000;
    /** Nothing has been sent for so long: what was sent last may have been the last for hours. */
    private static final long QUIET_MS = 200;
    private static final int CROWD = 4;
    private static final long GATHER_NS = 300_000;
    /** A round of so many deltas means some 100,000 a second. Then it pays to wait for a session's next delta, which makes this one superfluous. */
    private static final int MULTITUDE = 32;
    private static final long GATHER_LONGER_NS = 1_000_000;
    private static final int CLOSE_MS = 2000;
    private static final int PRACTICE_BATCHES = 300;
    /** A peer that has just started would lose most of what comes faster, and ask for it again and again. */
    private static final long PRACTICE_INTERVAL_NS = 1_000_000;

    /** Hears of acknowledged tickets. */
    @FunctionalInterface
    public interface AckListener {
        void onAcknowledged(int worker, long ticket);
    }

    private record Winner(NodeId peer, SessionKey key) {}

    private final NodeId local;
    private final long run;
    private final Transport transport;
    private final SessionTable table;
    private final Clock clock;
    private final AckListener acks;
    private final DirtyBuckets dirty;
    private final int deltasPerBatch;
    private final CounterBank<ClusterCounter>.Row counters;
    private final DeltaRing[] rings;
    private final DeltaWindow[] windows;
    private final Publisher[] publishers;
    private final Wakeup wakeup = new Wakeup();
    private final ArrayBlockingQueue<Winner> winners = new ArrayBlockingQueue<>(WINNERS_WAITING);
    private final ConcurrentHashMap<Long, long[]> awaitingAck = new ConcurrentHashMap<>();
    private final Thread thread = Thread.ofPlatform().name("ambo-replicator").daemon().unstarted(this::loop);

    private final DeltaWriter writer = new DeltaWriter(BATCH_BYTES);
    private final @Nullable DirectedBatches directed;
    private final SessionRecord winnerRecord = new SessionRecord();
    private final long[] tickets;
    private int ticketCount;
    private int firstRing;
    /** Written by the replicator thread. */
    private volatile long batches;
    private long rounds;
    private long markDueMs = Long.MAX_VALUE;

    private volatile View view;
    private volatile boolean peers;
    /** Empty batches still to be sent, see {@link #practise}. */
    private int practices;
    private volatile int practicesWanted;
    private volatile boolean running = true;

    /**
     * @param run      a random number, new with each start of the process
     * @param directed redirect mode
     */
    public Replicator(NodeId local, long run, boolean directed, Limits limits, Transport transport, SessionTable table, Clock clock,
            CounterBank<ClusterCounter> counters, DirtyBuckets dirty, AckListener acks) {
        this.local = local;
        this.run = run;
        this.transport = transport;
        this.table = table;
        this.clock = clock;
        this.acks = acks;
        this.dirty = dirty;
        this.counters = counters.newRow();
        this.directed = directed ? new DirectedBatches(local, run, BATCH_BYTES, transport, this.counters, acks) : null;
        deltasPerBatch = limits.deltasPerBatch();
        // The last one is for what found no room in the others.
        rings = new DeltaRing[limits.workers() + 1];
        publishers = new Publisher[limits.workers()];
        view = new View(0, local, List.of(local));
        windows = new DeltaWindow[rings.length];
        for (int ring = 0; ring < rings.length; ring++) {
            rings[ring] = new DeltaRing(limits.ringSlots());
            windows[ring] = new DeltaWindow(rings[ring]);
        }
        for (int worker = 0; worker < publishers.length; worker++) {
            publishers[worker] = new Publisher(rings[worker], counters.newRow());
        }
        tickets = new long[2 * deltasPerBatch];
    }

    public void start() { thread.start(); }

    /** The same object for the same number. Any thread may ask, one may use it. */
    public DeltaPublisher publisher(int worker) {
        return publishers[worker];
    }

    /**
     * Hands over the state of a session that found no room before. The resync thread only.
     *
     * @return false when there is no room now either
     */
    public boolean republish(SessionKey key, SessionRecord session) {
        if (!peers) return true;
        if (!rings[rings.length - 1].offer(key, session, 0, false)) return false;
        wakeup.signal();
        return true;
    }

    /** Any thread: from now on there are peers to tell, or none. */
    public void onView(View newView) {
        view = newView;
        boolean company = !newView.alone();
        if (company && !peers) {
            practicesWanted = PRACTICE_BATCHES;
            wakeup.signal();
        }
        peers = company;
    }

    /**
     * Any thread: the last batch that was sent to this member. What was in it, and in those before, stands in the table.
     *
     * @return null when there was none to it
     */
    public @Nullable Sent lastSent(NodeId peer) { return directed != null ? directed.lastSent(peer) : new Sent(run, batches); }

    /** Names a batch. */
    public record Sent(long run, long number) {}

    /** Any thread: a peer has merged one of the batches. */
    public void onAck(long ofRun, long number) {
        if (directed != null) directed.onAck(ofRun, number);
        if (ofRun != run) return;
        long[] acknowledged = awaitingAck.remove(number);
        if (acknowledged == null) return;
        for (int i = 0; i < acknowledged.length; i += 2) acks.onAcknowledged((int) acknowledged[i], acknowledged[i + 1]);
    }

    /** Any thread: the peer published an incarnation that lost to the one in this table; it is sent the winner. Bounded: else all peers are told of it again. */
    public void sendWinner(NodeId peer, SessionKey key) {
        if (winners.offer(new Winner(peer, new SessionKey().copyFrom(key)))) wakeup.signal();
        else
            publishLater(key);
    }

    /** Deltas go to those alone that have the session: redirect mode. */
    boolean isDirected() { return directed != null; }

    /** Any thread: the sender of what was merged has told this node something that the other members may not know. */
    void tellOthers(NodeId sender, SessionKey key) {
        for (NodeId member : view.members()) if (!member.equals(local) && !member.equals(sender)) sendWinner(member, key);
    }

    /** Any thread: all peers are to be told of the session's present state, by way of the resync thread. */
    public void publishLater(SessionKey key) {
        table.update(key, (itself, session) -> {
            session.changeLocalFlags(0, SessionRecord.UNPUBLISHED);
            dirty.mark(SessionTable.bucket(itself));
        });
    }

    /** One turn. @return how much was done */
    public int doWork() {
        if (directed != null) directed.begin(view);
        int work = directed != null ? addWinners(directed) : sendWinners();
        writer.clear();
        ticketCount = 0;
        long nowMs = clock.monotonicMs();
        for (int i = 0; i < rings.length; i++) {
            int worker = (firstRing + i) % rings.length;
            work += drain(worker, nowMs);
        }
        firstRing = (firstRing + 1) % rings.length;
        int sent = directed != null ? directed.send() : writer.count() > 0 ? 1 : 0;
        if (directed == null && sent > 0) sendBatch();
        if (sent > 0) {
            markDueMs = nowMs + QUIET_MS;
        } else if (nowMs >= markDueMs) {
            markDueMs = Long.MAX_VALUE;
            mark();
        }
        return work;
    }

    /** An empty batch after the last one: by its number a receiver knows that it has all. Without it, nobody would ask for the last of all if that were lost. */
    private void mark() {
        if (!peers) return;
        writer.clear();
        if (directed != null) directed.mark();
        else
            sendBatch();
    }

    /**
     * The first message through a cold JVM takes tens of milliseconds, longer than the peer parks a stray. So empty batches go first, whenever the first
     * peer has appeared: both sides' encoding, encryption and sockets have run before the first delta. The thread's own affair: a replicator that is stepped
     * has nothing to warm. @return 1 as long as there is more to do
     */
    private int practise() {
        int wanted = practicesWanted;
        if (wanted > 0) {
            practicesWanted = 0;
            practices = wanted;
        }
        if (practices == 0 || !peers) return 0;
        practices--;
        writer.clear();
        if (directed != null) directed.practise(view);
        else
            sendBatch();
        return 1;
    }

    /** Sends what waits, then ends the thread. */
    @Override
    public void close() {
        running = false;
        wakeup.signal();
        try {
            thread.join(CLOSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void loop() {
        while (running) {
            try {
                int work = doWork();
                if (work == 0 && practise() == 0) wakeup.await(this::hasWork, LONGEST_SLEEP_NS);
                else if (work == 0) LockSupport.parkNanos(this, PRACTICE_INTERVAL_NS);
                else if (gathered() >= CROWD && !isFull())
                    LockSupport.parkNanos(this, gathered() < MULTITUDE ? GATHER_NS : GATHER_LONGER_NS);
            } catch (RuntimeException e) {
                LOG.error("The replicator failed in one round and goes on", e);
            }
        }
        int lastRounds = 0;
        while (doWork() > 0 && lastRounds < 1000) lastRounds++;
    }

    private int gathered() { return directed != null ? directed.count() : writer.count(); }

    private boolean hasWork() {
        if (!winners.isEmpty() || !running || practicesWanted > 0) return true;
        for (DeltaRing ring : rings) if (ring.waiting() > 0) return true;
        return false;
    }

    private int drain(int worker, long nowMs) {
        DeltaWindow window = windows[worker];
        if (!peers) return window.drop();
        int waiting = window.waiting();
        int taken = 0;
        while (taken < waiting && !isFull()) {
            if (window.isSuperseded()) counters.increment(ClusterCounter.DELTAS_COALESCED);
            else
                add(window, worker, nowMs);
            window.next();
            taken++;
        }
        return taken;
    }

    private void add(DeltaWindow window, int worker, long nowMs) {
        if (directed != null) {
            directed.add(window.key(), window.record(), nowMs, worker, window.asksAck() ? window.ticket() : 0);
            return;
        }
        if (window.asksAck()) {
            tickets[ticketCount++] = worker;
            tickets[ticketCount++] = window.ticket();
        }
        writer.add(window.key(), window.record(), nowMs);
    }

    private boolean isFull() { return gathered() >= deltasPerBatch || (directed != null ? directed.full() : writer.full()); }

    private void sendBatch() {
        long number = batches + 1;
        batches = number;
        if (ticketCount > 0) awaitingAck.put(number, Arrays.copyOf(tickets, ticketCount));
        if ((++rounds & 0xFF) == 0) awaitingAck.keySet().removeIf(old -> old < number - BATCHES_AWAITING_ACK);
        writer.finishBatch(local.value(), run, number, ticketCount > 0);
        try {
            // Every delta is a join: a lost one must not hold up those behind it.
            transport.sendToAllUnordered(writer.bytes(), writer.offset(), writer.length());
            counters.increment(ClusterCounter.BATCHES_SENT);
            counters.add(ClusterCounter.DELTAS_SENT, writer.count());
        } catch (ClusterException e) {
            // The receivers see the gap in the numbers and compare tables.
            counters.increment(ClusterCounter.SEND_FAILED);
        }
    }

    /**
     * Redirect mode: among the deltas, whose loss is noticed. Who does not hear that its session has lost goes on with it: nobody else compares that session with it, whose homes are
     * others.
     */
    private int addWinners(DirectedBatches batches) {
        int added = 0;
        long nowMs = clock.monotonicMs();
        while (added < WINNERS_PER_ROUND && !batches.full()) {
            Winner winner = winners.poll();
            if (winner == null) break;
            if (table.read(winner.key(), winnerRecord)) batches.addTo(winner.peer(), winner.key(), winnerRecord, nowMs);
            added++;
        }
        counters.add(ClusterCounter.WINNERS_SENT_BACK, added);
        return added;
    }

    private int sendWinners() {
        int sent = 0;
        Winner winner = winners.poll();
        while (winner != null && sent < WINNERS_PER_ROUND) {
            NodeId peer = winner.peer();
            long nowMs = clock.monotonicMs();
            writer.clear();
            while (winner != null && winner.peer().equals(peer) && writer.count() < WINNERS_PER_ROUND && !writer.full()) {
                if (table.read(winner.key(), winnerRecord)) writer.add(winner.key(), winnerRecord, nowMs);
                sent++;
                winner = winners.poll();
            }
            sendWinnersTo(peer);
        }
        if (winner != null && !winners.offer(winner)) publishLater(winner.key());
        return sent;
    }

    private void sendWinnersTo(NodeId peer) {
        if (writer.count() == 0) return;
        writer.finishChunk(0, 0, 1, true);
        try {
            transport.sendTo(peer, writer.bytes(), writer.offset(), writer.length());
            counters.add(ClusterCounter.WINNERS_SENT_BACK, writer.count());
        } catch (ClusterException e) {
            counters.increment(ClusterCounter.SEND_FAILED);
        }
    }

    /** Lives on its worker's thread. */
    private final class Publisher implements DeltaPublisher {
        private final DeltaRing ring;
        private final CounterBank<ClusterCounter>.Row row;
        private long ticket;

        Publisher(DeltaRing ring, CounterBank<ClusterCounter>.Row row) {
            this.ring = ring;
            this.row = row;
        }

        @Override
        public long publish(SessionKey key, SessionRecord session, boolean acknowledge) {
            if (!peers) return 0;
            if (!ring.offer(key, session, ticket + 1, acknowledge)) {
                row.increment(ClusterCounter.DELTA_RING_FULL);
                session.changeLocalFlags(0, SessionRecord.UNPUBLISHED);
                if (dirty.mark(SessionTable.bucket(key))) row.increment(ClusterCounter.BUCKETS_MARKED_DIRTY);
                return 0;
            }
            row.increment(ClusterCounter.DELTAS_PUBLISHED);
            wakeup.signal();
            return ++ticket;
        }
    }
}
