package io.ambo.cluster.replication;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.NodeStateCodec.Progress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How far each peer is behind with this node's batches. A peer says with its state, ten times a second, which one it has; from when this node sent which
 * follows how old the first is that it has not. A peer that says nothing falls behind too. Any thread.
 */
public final class Backlogs {
    /** A peer that has this much to catch up does not keep up. Under it: batches on their way, and a state that is not news any more. */
    public static final long LATE_MS = 500;
    /** Then it keeps up again. */
    private static final long CAUGHT_UP_MS = 250;
    /** Samples of what was sent when, one a state: what is older than the last two minutes is at least so old. */
    private static final int SAMPLES = 1_200;

    /**
     * @param batches that were sent and are not there
     * @param ms      since the first of them was sent
     */
    public record Backlog(long batches, long ms) {
        public static final Backlog NONE = new Backlog(0, 0);
    }

    /** A peer has begun or ceased to be late: how it is now, and how bad it was. */
    public record Change(NodeId peer, boolean late, Backlog now, Backlog most) {}

    /** The next batch to be sent at that time had this number. */
    private record Sample(long next, long ms) {}

    private static final class Peer {
        final ArrayDeque<Sample> samples = new ArrayDeque<>();
        long run;
        @Nullable
        Progress heard;
        boolean late;
        Backlog most = Backlog.NONE;

        /** @param sent what was sent last */
        Backlog backlog(Replicator.Sent sent, long nowMs) {
            Progress has = heard;
            if (has == null || has.run() != sent.run() || has.number() >= sent.number()) return Backlog.NONE;
            // It was sent after the last sample that did not have it yet.
            long sinceMs = nowMs;
            for (Sample each : samples) {
                if (each.next > has.number() + 1) break;
                sinceMs = each.ms;
            }
            if (!samples.isEmpty() && samples.getFirst().next > has.number() + 1) sinceMs = samples.getFirst().ms;
            return new Backlog(sent.number() - has.number(), nowMs - sinceMs);
        }
    }

    /** The way to the numbers. */
    @FunctionalInterface
    interface Sending {
        /** The batch sent last to this peer; null: none. */
        Replicator.@Nullable Sent lastSent(NodeId peer);
    }

    private final Sending sending;
    private final Map<NodeId, Peer> peers = new HashMap<>();

    Backlogs(Sending sending) { this.sending = sending; }

    public Backlogs(Replicator replicator) { this((Sending) replicator::lastSent); }

    /** A peer has said what it has. */
    synchronized void onProgress(NodeId peer, Progress progress) {
        Peer known = peers.get(peer);
        if (known == null) return;
        Progress before = known.heard;
        // States overtake each other.
        if (before != null && before.run() == progress.run() && before.number() > progress.number()) return;
        known.heard = progress;
    }

    /** Time has passed: about ten times a second. @return who has begun to be late, or has caught up */
    public synchronized List<Change> look(View view, long nowMs) {
        peers.keySet().removeIf(peer -> !view.members().contains(peer));
        List<Change> changes = new ArrayList<>();
        for (NodeId member : view.members()) {
            if (member.equals(view.local())) continue;
            Peer peer = peers.computeIfAbsent(member, nobody -> new Peer());
            Replicator.Sent sent = sending.lastSent(member);
            if (sent == null) continue;
            if (peer.run != sent.run()) {
                peer.run = sent.run();
                peer.samples.clear();
            }
            Backlog now = peer.backlog(sent, nowMs);
            peer.samples.addLast(new Sample(sent.number() + 1, nowMs));
            if (peer.samples.size() > SAMPLES) peer.samples.removeFirst();
            if (now.ms > peer.most.ms) peer.most = now;
            if (!peer.late && now.ms >= LATE_MS) {
                peer.late = true;
                changes.add(new Change(member, true, now, peer.most));
            } else if (peer.late && now.ms < CAUGHT_UP_MS) {
                peer.late = false;
                changes.add(new Change(member, false, now, peer.most));
            }
            if (!peer.late) peer.most = Backlog.NONE;
        }
        return changes;
    }

    /** How far it is behind; {@link Backlog#NONE} as long as it keeps up. */
    public synchronized Backlog of(NodeId node, long nowMs) {
        Peer peer = peers.get(node);
        Replicator.Sent sent = peer == null || !peer.late ? null : sending.lastSent(node);
        return peer == null || sent == null ? Backlog.NONE : peer.backlog(sent, nowMs);
    }
}
