package io.ambo.cluster.replication;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import java.util.Arrays;

/**
 * What the replicator sees of a ring: the deltas that wait, one after the other, and of each whether a later one of its session makes it superfluous. That is looked up for all that wait, {@link #MOST} at a time; not
 * anew before the last of them has been taken, or a session that changes all the time would never be told of while the replicator is behind.
 *
 * <p>
 * Only within a ring: what two workers wrote has no order here. A delta that asks for an acknowledgement is sent even so, since its ticket stands for exactly this one. The replicator thread's.
 */
final class DeltaWindow {
    /** More than a message holds. */
    static final int MOST = 1024;

    private final DeltaRing ring;
    private final int[] latest = new int[2 * MOST];
    private final boolean[] superseded = new boolean[MOST];
    /** How many have been looked at, and how many of these have been taken. */
    private int size;
    private int taken;

    DeltaWindow(DeltaRing ring) { this.ring = ring; }

    /** Deltas that wait. */
    int waiting() { return ring.waiting(); }

    /** A later one includes the first of those that wait. One must wait. */
    boolean isSuperseded() {
        if (taken == size) look();
        return superseded[taken];
    }

    SessionKey key() { return ring.key(0); }

    SessionRecord record() { return ring.record(0); }

    boolean asksAck() { return ring.asksAck(0); }

    long ticket() { return ring.ticket(0); }

    /** Done with the first of those that wait. */
    void next() {
        ring.release(1);
        taken++;
    }

    /** Nobody is to be told. @return how many waited */
    int drop() {
        int dropped = ring.waiting();
        ring.release(dropped);
        taken = size = 0;
        return dropped;
    }

    private void look() {
        taken = 0;
        size = Math.min(ring.waiting(), MOST);
        Arrays.fill(superseded, 0, size, false);
        if (size == 1) return;
        int places = 4 * Integer.highestOneBit(size - 1);
        Arrays.fill(latest, 0, places, -1);
        int mask = places - 1;
        for (int i = 0; i < size; i++) {
            int at = (int) ring.key(i).hash() & mask;
            while (latest[at] >= 0 && !ring.sameKey(latest[at], i)) at = (at + 1) & mask;
            if (latest[at] >= 0 && !ring.asksAck(latest[at])) superseded[latest[at]] = true;
            latest[at] = i;
        }
    }
}
