package io.ambo.cluster.resync;

import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaWriter;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.locks.LockSupport;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Redirect mode: after a change of membership, brings each session to the members that are to have it now, at a bounded rate.
 *
 * <pre>
 *   view changes --> sweep: sessions whose owner is gone become the backup's; what a member is to have since now is sent to it, by the owner and by whoever
 *                           is to give its copy up
 *                --> some seconds later, and then again and again: sweep: copies that are nobody's business here are forgotten
 * </pre>
 *
 * A sweep that a further change interrupts begins again, and still compares with the view of the last one that was finished: so a copy is given up only
 * after it has been sent on. A thread of its own, {@code ambo-rehoming}; {@link #onView} may be called from any.
 */
public final class Rehoming implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    /** A turn looks at so many records about, then rests: 200,000 records a second. */
    private static final int RECORDS_PER_TURN = 2_000;
    private static final long TURN_MS = 10;
    private static final int SLICES_PER_TURN = 64;
    /** What was sent must have been merged by then. */
    private static final long FORGET_AFTER_MS = 10_000;
    private static final int CHUNK_BYTES = 48 * 1024;
    private static final int CHUNK_RECORDS = 256;
    private static final int CLOSE_MS = 2000;

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Chunk(NodeId peer, byte[] bytes, int records) {}

    private final NodeId local;
    private final SessionTable table;
    private final Transport transport;
    private final Clock clock;
    private final CounterBank<ClusterCounter>.Row counters;
    private final Homes homes = new Homes();
    private final Map<NodeId, DeltaWriter> writers = new LinkedHashMap<>();
    private final Queue<Chunk> chunks = new ArrayDeque<>();
    private final Thread thread = Thread.ofPlatform().name("ambo-rehoming").daemon().unstarted(this::loop);
    private final SessionTable.Sweep onMoved = this::move;
    private final SessionTable.Sweep onForgotten = this::forget;

    private volatile View wanted;
    private volatile boolean running = true;
    private volatile boolean moving;
    /** The view of the sweep that runs, and that of the last one that was finished. */
    private View now;
    private View before;
    private int slice;
    private boolean forgetting;
    private long dueMs;
    private long nowMs;
    private long moved;

    public Rehoming(NodeId local, SessionTable table, Transport transport, Clock clock, CounterBank<ClusterCounter> counters) {
        this.local = local;
        this.table = table;
        this.transport = transport;
        this.clock = clock;
        this.counters = counters.newRow();
        wanted = now = before = new View(0, local, List.of(local));
        dueMs = clock.monotonicMs() + FORGET_AFTER_MS;
        forgetting = true;
    }

    public void start() { thread.start(); }

    public void onView(View view) {
        moving = true;
        wanted = view;
        LockSupport.unpark(thread);
    }

    /** Sessions are on their way to where they belong. Any thread. */
    public boolean isMoving() { return moving; }

    /** One turn, when it is time. @return records looked at */
    public int doWork() {
        View latest = wanted;
        nowMs = clock.monotonicMs();
        if (!latest.equals(now)) {
            now = latest;
            forgetting = false;
            slice = 0;
            moved = 0;
            dueMs = nowMs;
            for (NodeId member : now.members()) if (!member.equals(local)) writers.computeIfAbsent(member, each -> newWriter());
            writers.keySet().retainAll(now.members());
        }
        if (nowMs < dueMs) return 0;
        int seen = 0;
        for (int i = 0; i < SLICES_PER_TURN && slice < table.slices() && seen < RECORDS_PER_TURN; i++) {
            seen += table.sweep(slice++, forgetting ? onForgotten : onMoved);
            send();
        }
        dueMs = nowMs + TURN_MS;
        if (slice >= table.slices()) finish();
        return seen;
    }

    private void finish() {
        slice = 0;
        dueMs = nowMs + FORGET_AFTER_MS;
        if (forgetting) return;
        writers.forEach((peer, writer) -> close(peer, writer));
        send();
        if (moved > 0) LOG.info("View {}: {} records were sent to members that are to have them now", now.id(), moved);
        before = now;
        forgetting = true;
        moving = !wanted.equals(now);
    }

    private boolean move(SessionKey key, SessionRecord session) {
        // Tombstones too: who is to have the session now may have had it before, and not heard of its end.
        int owner = Homes.owner(now, key, session);
        boolean takenOver = owner == local.value() && session.owner() != local.value() && !session.has(SessionRecord.CLOSED);
        if (takenOver) {
            session.takeOver(local.value());
            counters.increment(ClusterCounter.SESSIONS_TAKEN_OVER);
        }
        // The others that keep their copy leave it to the owner.
        if (owner != local.value() && homes.has(now, local.value(), key, session)) return false;
        for (Map.Entry<NodeId, DeltaWriter> each : writers.entrySet()) {
            int member = each.getKey().value();
            if (!homes.has(now, member, key, session)) continue;
            if (!takenOver && before.contains(member) && homes.has(before, member, key, session)) continue;
            each.getValue().add(key, session, nowMs);
            moved++;
            if (each.getValue().full() || each.getValue().count() >= CHUNK_RECORDS) close(each.getKey(), each.getValue());
        }
        return false;
    }

    /** What is in the flow cache is the flow keeper's first. */
    private boolean forget(SessionKey key, SessionRecord session) {
        if (session.hasLocal(SessionRecord.CACHED) || homes.has(now, local.value(), key, session)) return false;
        counters.increment(ClusterCounter.COPIES_FORGOTTEN);
        return true;
    }

    private static DeltaWriter newWriter() {
        DeltaWriter writer = new DeltaWriter(CHUNK_BYTES);
        writer.clear();
        return writer;
    }

    /** Under a slice's lock nothing is sent. */
    private void close(NodeId peer, DeltaWriter writer) {
        if (writer.count() == 0) return;
        writer.finishChunk(0, 0, 1, true);
        chunks.add(new Chunk(peer, Arrays.copyOfRange(writer.bytes(), writer.offset(), writer.offset() + writer.length()), writer.count()));
        writer.clear();
    }

    private void send() {
        for (Chunk chunk = chunks.poll(); chunk != null; chunk = chunks.poll()) {
            try {
                transport.sendTo(chunk.peer(), chunk.bytes(), 0, chunk.bytes().length);
                counters.add(ClusterCounter.SESSIONS_REHOMED, chunk.records());
            } catch (ClusterException e) {
                // It left, and with the next view its sessions go elsewhere.
                counters.increment(ClusterCounter.SEND_FAILED);
            }
        }
    }

    private void loop() {
        while (running) {
            try {
                if (doWork() == 0) LockSupport.parkNanos(this, TURN_MS * 1_000_000);
            } catch (RuntimeException e) {
                LOG.error("Rehoming failed in one turn and goes on", e);
            }
        }
    }

    @Override
    public void close() {
        running = false;
        LockSupport.unpark(thread);
        try {
            thread.join(CLOSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
