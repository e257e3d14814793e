package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import java.util.function.BooleanSupplier;

/**
 * Holds strays until their delta comes. A SYN-ACK that comes back on this node tens of microseconds after its SYN went out on the peer is here before the
 * delta is; dropped, it would cost its connection a second.
 *
 * <p>Holds segments in doubt as well: refused by what this node knows of their session, while a peer that saw a newer packet of it has perhaps a delta under way.
 * They have a small room of their own and a little longer, since the session is not theirs to lose: a delta that was lost is sent again within that time.
 *
 * <p>Bounded in number and time. Datagrams get half of the room at most: anybody can send those, while the rest of the room is for segments and replies
 * that a peer's session may own.
 *
 * <p>The worker's own, except {@link #awaitsDeltas}: receiving threads read it to know whether to say that a delta was applied.
 */
final class Parking {
    /** Of the room for strays, the part that is there for doubts beside it. */
    private static final int DOUBTS_SHARE = 4;
    /** Of the time that a stray is parked. */
    private static final int DOUBT_TIMES = 3;

    private final HeldFrames held;
    private final HeldFrames doubted;
    private final int datagramLimit;
    private final long parkNs;
    private final SessionTable sessions;
    private final BooleanSupplier hasPeers;
    private final CounterBank<NodeCounter>.Row counters;
    private final HeldFrames.Sink onReleased;
    private final HeldFrames.Sink onExpired;
    private final HeldFrames.Sink onVindicated;
    private final HeldFrames.Sink onDoubtOver;
    /** Strays that came in during this turn, whose delta may have been applied between look-up and parking. */
    private final SessionKey[] fresh;
    private int freshCount;
    private final SessionKey found = new SessionKey();
    private final SessionRecord session = new SessionRecord();
    private boolean justParked;
    private volatile boolean occupied;

    /**
     * @param again   takes a stray whose delta is there
     * @param expired takes one that has waited in vain
     * @param doubted takes a segment that was in doubt: a delta has come, or there was none
     */
    Parking(WorkerContext context, HeldFrames.Sink again, HeldFrames.Sink expired, HeldFrames.Sink doubted) {
        int capacity = context.limits().parked();
        held = new HeldFrames(capacity);
        this.doubted = new HeldFrames(Math.max(1, capacity / DOUBTS_SHARE));
        onDoubtOver = doubted;
        onVindicated = (frame, length, port) -> {
            context.counters().increment(NodeCounter.SEGMENTS_VINDICATED);
            doubted.onReleased(frame, length, port);
        };
        datagramLimit = Math.max(1, capacity / 2);
        parkNs = context.limits().parkNs();
        sessions = context.sessions();
        hasPeers = context.hasPeers();
        counters = context.counters();
        fresh = new SessionKey[64];
        for (int i = 0; i < fresh.length; i++) fresh[i] = new SessionKey();
        onReleased = (frame, length, port) -> {
            counters.increment(NodeCounter.STRAYS_RELEASED_BY_DELTA);
            again.onReleased(frame, length, port);
        };
        onExpired = (frame, length, port) -> {
            counters.increment(NodeCounter.STRAYS_EXPIRED);
            expired.onReleased(frame, length, port);
        };
    }

    /** Nobody is there whose delta could come. */
    boolean isPointless() { return !hasPeers.getAsBoolean(); }

    void beginPacket() { justParked = false; }

    /** The packet of the last {@link #beginPacket} waits here. */
    boolean hasJustParked() { return justParked; }

    /** Parks a stray. @return false when nobody could send its delta or there is no room: see {@link #refusal} */
    boolean park(PacketView packet, int port, SessionKey key, long nowNs) {
        if (isPointless() || packet.isUdp() && held.size() >= datagramLimit) return false;
        occupied = true; // before the second look at the table, so that a delta is either found by it or announced
        if (!held.hold(packet.frame(), packet.frameLength(), port, key.hash(), nowNs + parkNs)) return false;
        justParked = true;
        counters.increment(NodeCounter.STRAYS_PARKED);
        if (freshCount < fresh.length) fresh[freshCount++].copyFrom(key);
        else
            look(key);
        return true;
    }

    /** Holds a segment in doubt. @return false when nobody could know better, or there is no room */
    boolean doubt(PacketView packet, int port, SessionKey key, long nowNs) {
        if (isPointless()) return false;
        occupied = true;
        if (!doubted.hold(packet.frame(), packet.frameLength(), port, key.hash(), nowNs + DOUBT_TIMES * parkNs)) return false;
        justParked = true;
        counters.increment(NodeCounter.SEGMENTS_DOUBTED);
        return true;
    }

    /** Why {@link #park} has just said no. */
    DropReason refusal() { return isPointless() ? DropReason.STRAY : DropReason.PARK_FULL; }

    int onDeltaApplied(long keyHash) { return held.releaseTagged(keyHash, onReleased) + doubted.releaseTagged(keyHash, onVindicated); }

    int onTimer(long nowNs) {
        int released = 0;
        int looks = freshCount;
        freshCount = 0;
        for (int i = 0; i < looks; i++) released += look(fresh[i]);
        released += held.releaseDue(nowNs, 64, onExpired) + doubted.releaseDue(nowNs, 64, onDoubtOver);
        if (held.size() + doubted.size() == 0 && occupied) occupied = false;
        return released;
    }

    long nextTimerInNs(long nowNs) { return freshCount > 0 ? 0 : Math.min(held.nextDeadlineInNs(nowNs), doubted.nextDeadlineInNs(nowNs)); }

    /** Any thread. */
    boolean awaitsDeltas() { return occupied; }

    private int look(SessionKey key) {
        boolean isThere = sessions.find(key, found, session) != SessionTable.Found.NOT;
        return isThere ? held.releaseTagged(key.hash(), onReleased) : 0;
    }
}
