package io.ambo.cluster.replication;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Deltas on their way from one worker to the replicator. Bounded, without locks: the worker writes the tail, the replicator the head.
 *
 * <pre>
 *   slot:  0        8          16     56       200
 *          | ticket | asks ack | key  | record |
 * </pre>
 */
final class DeltaRing {
    private static final int TICKET = 0;
    private static final int ASKS_ACK = TICKET + 8;
    private static final int KEY = ASKS_ACK + 8;
    private static final int RECORD = KEY + SessionKey.SIZE;
    private static final int SLOT = (RECORD + SessionRecord.SIZE + 7) / 8 * 8;

    private static final VarHandle POSITIONS = MethodHandles.arrayElementVarHandle(long[].class);
    /** Indexes of positions, two cache lines apart from each other and from the array's ends. */
    private static final int HEAD = 16, TAIL = 48, LENGTH = 64;

    private final MemorySegment slots;
    private final long[] positions = new long[LENGTH];
    private final int capacity;
    private final SessionKey writerKey;
    private final SessionRecord writerRecord;
    private final SessionKey readerKey;
    private final SessionRecord readerRecord;
    /** The worker's last look at the head: it looks again only when the ring seems full. */
    private long headSeen;

    /** @param capacity in deltas, a power of two */
    DeltaRing(int capacity) {
        this.capacity = capacity;
        slots = Arena.ofAuto().allocate((long) capacity * SLOT, 64);
        writerKey = new SessionKey(slots, 0);
        writerRecord = new SessionRecord(slots, 0);
        readerKey = new SessionKey(slots, 0);
        readerRecord = new SessionRecord(slots, 0);
    }

    /** The worker adds a delta. @return false when the ring is full */
    boolean offer(SessionKey key, SessionRecord record, long ticket, boolean acknowledge) {
        long tail = positions[TAIL];
        if (tail - headSeen >= capacity) {
            headSeen = (long) POSITIONS.getAcquire(positions, HEAD);
            if (tail - headSeen >= capacity) return false;
        }
        long at = slotAt(tail);
        slots.set(JAVA_LONG, at + TICKET, ticket);
        slots.set(JAVA_LONG, at + ASKS_ACK, acknowledge ? 1 : 0);
        writerKey.wrap(slots, at + KEY).copyFrom(key);
        writerRecord.wrap(slots, at + RECORD).copyFrom(record);
        POSITIONS.setRelease(positions, TAIL, tail + 1);
        return true;
    }

    /** The replicator asks how many deltas wait. */
    int waiting() {
        return (int) ((long) POSITIONS.getAcquire(positions, TAIL) - positions[HEAD]);
    }

    /** Delta number index of those that wait; the same flyweight each time. */
    SessionKey key(int index) {
        return readerKey.wrap(slots, slotAt(positions[HEAD] + index) + KEY);
    }

    SessionRecord record(int index) { return readerRecord.wrap(slots, slotAt(positions[HEAD] + index) + RECORD); }

    /** Whether two of those that wait are of one session. */
    boolean sameKey(int first, int second) {
        long a = slotAt(positions[HEAD] + first) + KEY;
        long b = slotAt(positions[HEAD] + second) + KEY;
        return MemorySegment.mismatch(slots, a, a + SessionKey.SIZE, slots, b, b + SessionKey.SIZE) < 0;
    }

    long ticket(int index) { return slots.get(JAVA_LONG, slotAt(positions[HEAD] + index) + TICKET); }

    boolean asksAck(int index) { return slots.get(JAVA_LONG, slotAt(positions[HEAD] + index) + ASKS_ACK) != 0; }

    /** The replicator is done with the first of those that wait. */
    void release(int count) {
        POSITIONS.setRelease(positions, HEAD, positions[HEAD] + count);
    }

    private long slotAt(long position) { return (position & (capacity - 1)) * SLOT; }
}
