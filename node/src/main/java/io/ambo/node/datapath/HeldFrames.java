package io.ambo.node.datapath;

/**
 * Packets that wait for something: a delta (parking), a neighbour, an acknowledgement (defer). A ring in order of arrival, so that deadlines are in order
 * too, with an index by tag. Bounded; the policy of a full queue is the caller's. Owned by one worker; allocates nothing after construction.
 */
final class HeldFrames {
    /** Takes a frame out of the queue: it belongs to the sink from then on. */
    @FunctionalInterface
    interface Sink {
        void onReleased(long frame, int length, int port);
    }

    private static final int NOBODY = -1;
    private static final long EMPTY = -1;

    private final int mask;
    private final int limit;
    private final long[] frames;
    private final int[] lengths;
    private final int[] ports;
    private final long[] tags;
    private final long[] deadlinesNs;
    /** Slots of one index bucket, newest first. */
    private final int[] nextInBucket;
    private final int[] buckets;
    private long head;
    private long tail;
    private int size;

    HeldFrames(int capacity) {
        int slots = Integer.highestOneBit(Math.max(2, capacity - 1)) << 1;
        mask = slots - 1;
        limit = capacity;
        frames = new long[slots];
        lengths = new int[slots];
        ports = new int[slots];
        tags = new long[slots];
        deadlinesNs = new long[slots];
        nextInBucket = new int[slots];
        buckets = new int[slots];
        java.util.Arrays.fill(frames, EMPTY);
        java.util.Arrays.fill(buckets, NOBODY);
    }

    int size() { return size; }

    /** Queues a frame. @return false when the queue is full; the frame stays the caller's */
    boolean hold(long frame, int length, int port, long tag, long deadlineNs) {
        // Slots that were released in the middle are free once the head has passed them.
        if (tail - head > mask) first();
        if (size >= limit || tail - head > mask) return false;
        int slot = (int) tail & mask;
        frames[slot] = frame;
        lengths[slot] = length;
        ports[slot] = port;
        tags[slot] = tag;
        deadlinesNs[slot] = deadlineNs;
        int bucket = bucket(tag);
        nextInBucket[slot] = buckets[bucket];
        buckets[bucket] = slot;
        tail++;
        size++;
        return true;
    }

    /** Releases the frames with this tag, in order of arrival. */
    int releaseTagged(long tag, Sink sink) {
        int released = 0;
        // Chains are newest first and short; going to the end each time keeps the order without a second structure.
        for (int slot = oldest(tag); slot != NOBODY; slot = oldest(tag)) {
            release(slot, sink);
            released++;
        }
        return released;
    }

    /** Releases, in order of arrival, the frames at the head whose tag is at most this one (tags that grow: tickets). */
    int releaseUpTo(long tag, Sink sink) {
        int released = 0;
        for (int slot = first(); slot != NOBODY && tags[slot] <= tag; slot = first()) {
            release(slot, sink);
            released++;
        }
        return released;
    }

    /** Releases every frame that is here now; what the sink holds again stays. */
    int releaseAll(Sink sink) {
        int released = 0;
        long end = tail;
        for (int slot = first(); slot != NOBODY && head < end; slot = first()) {
            release(slot, sink);
            released++;
        }
        return released;
    }

    /** Releases at most so many frames whose deadline has passed. */
    int releaseDue(long nowNs, int most, Sink sink) {
        int released = 0;
        for (int slot = first(); slot != NOBODY && released < most && deadlinesNs[slot] - nowNs <= 0; slot = first()) {
            release(slot, sink);
            released++;
        }
        return released;
    }

    /** Nanoseconds until the next deadline, Long.MAX_VALUE when nothing waits. */
    long nextDeadlineInNs(long nowNs) {
        int slot = first();
        return slot == NOBODY ? Long.MAX_VALUE : Math.max(0, deadlinesNs[slot] - nowNs);
    }

    private int first() {
        while (head < tail) {
            int slot = (int) head & mask;
            if (frames[slot] != EMPTY) return slot;
            head++;
        }
        return NOBODY;
    }

    private int oldest(long tag) {
        int found = NOBODY;
        for (int slot = buckets[bucket(tag)]; slot != NOBODY; slot = nextInBucket[slot]) if (tags[slot] == tag) found = slot;
        return found;
    }

    private void release(int slot, Sink sink) {
        unlink(slot);
        long frame = frames[slot];
        frames[slot] = EMPTY;
        size--;
        sink.onReleased(frame, lengths[slot], ports[slot]);
    }

    private void unlink(int slot) {
        int bucket = bucket(tags[slot]);
        if (buckets[bucket] == slot) {
            buckets[bucket] = nextInBucket[slot];
            return;
        }
        int previous = buckets[bucket];
        while (nextInBucket[previous] != slot) previous = nextInBucket[previous];
        nextInBucket[previous] = nextInBucket[slot];
    }

    private int bucket(long tag) { return (int) (tag ^ tag >>> 32) & mask; }
}
