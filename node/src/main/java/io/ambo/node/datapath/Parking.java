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
 * <p>Bounded in number and time. Datagrams get half of the room at most: anybody can send those, while the rest of the room is for segments and replies
 * that a peer's session may own.
 *
 * <p>The worker's own, except {@link #awaitsDeltas}: receiving threads read it to know whether to say that a delta was applied.
 */
final class Parking {
    private final HeldFrames held;
    private final int datagramLimit;
    private final long parkNs;
    private final SessionTable sessions;
    private final BooleanSupplier hasPeers;
    private final CounterBank<NodeCounter>.Row counters;
    private final HeldFrames.Sink onReleased;
    private final HeldFrames.Sink onExpired;
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
     */
    Parking(WorkerContext context, HeldFrames.Sink again, HeldFrames.Sink expired) {
        int capacity = context.limits().parked();
        held = new HeldFrames(capacity);
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

    /** Why {@link #park} has just said no. */
    DropReason refusal() { return isPointless() ? DropReason.STRAY : DropReason.PARK_FULL; }

    int onDeltaApplied(long keyHash) { return held.releaseTagged(keyHash, onReleased); }

    int onTimer(long nowNs) {
        int released = 0;
        int looks = freshCount;
        freshCount = 0;
        for (int i = 0; i < looks; i++) released += look(fresh[i]);
        released += held.releaseDue(nowNs, 64, onExpired);
        if (held.size() == 0 && occupied) occupied = false;
        return released;
    }

    long nextTimerInNs(long nowNs) { return freshCount > 0 ? 0 : held.nextDeadlineInNs(nowNs); }

    /** Any thread. */
    boolean awaitsDeltas() { return occupied; }

    private int look(SessionKey key) {
        boolean isThere = sessions.find(key, found, session) != SessionTable.Found.NOT;
        return isThere ? held.releaseTagged(key.hash(), onReleased) : 0;
    }
}
