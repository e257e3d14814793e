package io.ambo.cluster.replication;

import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Deltas of redirect mode: a message for each member that has one of the sessions, with numbers of its own, so that a member sees a gap when one of its own is
 * missing. Lives on the replicator thread, but for {@link #onAck}.
 */
final class DirectedBatches {
    /** Sent batches whose acknowledgement may still be waited for. */
    private static final int BATCHES_AWAITING_ACK = 4096;

    /** On the way to one member. */
    private final class Out {
        final NodeId peer;
        /** Another for each member, so that run and number name one batch. */
        final long ownRun;
        final DeltaWriter writer = new DeltaWriter(batchBytes);
        /** Written by the replicator thread. */
        volatile long number;
        long[] tickets = new long[64];
        int ticketCount;
        boolean isMarkDue;

        Out(NodeId peer) {
            this.peer = peer;
            // One who comes back is told of a new run: it may not know that it was gone.
            ownRun = run ^ (peer.value() + ((long) ++made << 16)) * 0x9E3779B97F4A7C15L;
            writer.clear();
        }

        void addTicket(int worker, long ticket) {
            if (ticketCount == tickets.length) tickets = Arrays.copyOf(tickets, 2 * ticketCount);
            tickets[ticketCount++] = worker;
            tickets[ticketCount++] = ticket;
        }

        void send() {
            long next = number + 1;
            number = next;
            Replicator.Sent sent = new Replicator.Sent(ownRun, next);
            if (ticketCount > 0) awaitingAck.put(sent, Arrays.copyOf(tickets, ticketCount));
            if ((next & 0xFF) == 0)
                awaitingAck.keySet().removeIf(old -> old.run() == ownRun && old.number() < next - BATCHES_AWAITING_ACK);
            writer.finishBatch(local.value(), ownRun, next, ticketCount > 0);
            try {
                transport.sendTo(peer, writer.bytes(), writer.offset(), writer.length());
                counters.increment(ClusterCounter.BATCHES_SENT);
                counters.add(ClusterCounter.DELTAS_SENT, writer.count());
            } catch (ClusterException e) {
                // The receiver sees the gap in the numbers and compares tables.
                counters.increment(ClusterCounter.SEND_FAILED);
            }
            writer.clear();
            ticketCount = 0;
        }
    }

    private final NodeId local;
    private final long run;
    private final int batchBytes;
    private final Transport transport;
    private final CounterBank<ClusterCounter>.Row counters;
    private final Replicator.AckListener acks;
    private final Homes homes = new Homes();
    private final ConcurrentHashMap<Replicator.Sent, long[]> awaitingAck = new ConcurrentHashMap<>();
    private volatile List<Out> outs = List.of();
    private int made;
    private View view;
    private int count;

    DirectedBatches(NodeId local, long run, int batchBytes, Transport transport, CounterBank<ClusterCounter>.Row counters,
            Replicator.AckListener acks) {
        this.local = local;
        this.run = run;
        this.batchBytes = batchBytes;
        this.transport = transport;
        this.counters = counters;
        this.acks = acks;
        view = new View(0, local, List.of(local));
    }

    /** A round begins. */
    void begin(View now) {
        count = 0;
        if (now.equals(view)) return;
        view = now;
        List<Out> all = new ArrayList<>();
        for (NodeId member : now.members()) if (!member.equals(local)) all.add(outOf(member));
        outs = all;
    }

    /** One who stays keeps its numbers. */
    private Out outOf(NodeId member) {
        for (Out out : outs) if (out.peer.equals(member)) return out;
        return new Out(member);
    }

    /** Deltas of this round. */
    int count() { return count; }

    boolean full() {
        for (int i = 0; i < outs.size(); i++) if (outs.get(i).writer.full()) return true;
        return false;
    }

    /** @param ticket of the worker that wants an acknowledgement, or 0 */
    void add(SessionKey key, SessionRecord session, long nowMs, int worker, long ticket) {
        count++;
        boolean asked = ticket == 0;
        for (int i = 0; i < outs.size(); i++) {
            Out out = outs.get(i);
            if (!homes.has(view, out.peer.value(), key, session)) continue;
            out.writer.add(key, session, nowMs);
            if (!asked) out.addTicket(worker, ticket);
            asked = true;
        }
    }

    /** To this member alone, whether it is to have the session or not; nothing happens when it has left. */
    void addTo(NodeId peer, SessionKey key, SessionRecord session, long nowMs) {
        for (int i = 0; i < outs.size(); i++) if (outs.get(i).peer.equals(peer)) outs.get(i).writer.add(key, session, nowMs);
    }

    /** @return batches sent */
    int send() {
        int sent = 0;
        for (int i = 0; i < outs.size(); i++) {
            Out out = outs.get(i);
            if (out.writer.count() == 0) continue;
            out.send();
            out.isMarkDue = true;
            sent++;
        }
        return sent;
    }

    /** An empty batch to each that has had some since the last mark. */
    void mark() {
        for (int i = 0; i < outs.size(); i++) {
            Out out = outs.get(i);
            if (out.isMarkDue) out.send();
            out.isMarkDue = false;
        }
    }

    /** An empty batch to each. */
    void practise(View now) {
        begin(now);
        for (Out out : outs) out.send();
    }

    /** Any thread. @return null when none was sent to it */
    Replicator.@Nullable Sent lastSent(NodeId peer) {
        for (Out out : outs) if (out.peer.equals(peer)) return new Replicator.Sent(out.ownRun, out.number);
        return null;
    }

    /** Any thread: a member has merged a batch. */
    void onAck(long ofRun, long number) {
        long[] acknowledged = awaitingAck.remove(new Replicator.Sent(ofRun, number));
        if (acknowledged == null) return;
        for (int i = 0; i < acknowledged.length; i += 2) acks.onAcknowledged((int) acknowledged[i], acknowledged[i + 1]);
    }
}
