package io.ambo.cluster.replication;

/**
 * Which batches of one sender are there. They come in any order, since none waits for one that was lost on the way and is sent again; one that does not come for
 * {@link #PATIENCE_MS} never will, and the tables are compared. Pure; guarded by whoever has it.
 *
 * <pre>
 *   ...  7 8 9 10 11 12 13 14
 *            |  .  x  .  x  x     all up to low = 10 are there (or given up), 11 and 13 are missing
 * </pre>
 */
final class BatchNumbers {
    /** Longer than a batch is asked for again and again on a link that loses one packet in five, and than a process stands still that is not given up. */
    static final long PATIENCE_MS = 2_000;
    /** More than the transport keeps unacknowledged; a power of two. */
    static final int WINDOW = 2048;

    private final long[] there = new long[WINDOW / Long.SIZE];
    private long run;
    private long low;
    private long highest;
    private long missingSinceMs;
    private boolean outOfOrder;
    /** The first that came of this run, as long as nobody has said which were before it; 0: they are known. */
    private long first;

    /** Notes a batch. @return true when others have been given up */
    boolean receive(long ofRun, long number, long nowMs) {
        outOfOrder = false;
        if (ofRun != run) {
            run = ofRun;
            forget(number);
            first = number;
            return false;
        }
        if (number <= low) return isGivenUp(nowMs);
        if (number - low >= WINDOW) {
            forget(number);
            return true;
        }
        outOfOrder = number > highest + 1;
        if (low == highest) missingSinceMs = nowMs;
        highest = Math.max(highest, number);
        set(number, true);
        if (isThere(low + 1)) {
            while (low < highest && isThere(low + 1)) set(++low, false);
            // Of the next one that is missing it is not known since when; it is given the whole time.
            missingSinceMs = nowMs;
        }
        return isGivenUp(nowMs);
    }

    /**
     * All up to this one are accounted for, in another way than by their coming: tables are compared that have what was in them. Those after it are waited for, also
     * when a later one was the first to come.
     *
     * @return true when that is more than can be noted, so that the tables must be compared once more
     */
    boolean covered(long ofRun, long number, long nowMs) {
        long came = first;
        first = 0;
        if (ofRun != run) {
            run = ofRun;
            forget(number);
            return false;
        }
        if (number > low) {
            skipTo(number, nowMs);
            return false;
        }
        if (came == 0 || number + 1 >= came) return false;
        if (highest - number >= WINDOW) {
            forget(highest);
            return true;
        }
        for (long each = came; each <= low; each++) set(each, true);
        low = number;
        missingSinceMs = nowMs;
        return false;
    }

    private void skipTo(long number, long nowMs) {
        if (number >= highest) {
            forget(number);
            return;
        }
        while (low < number) set(++low, false);
        while (low < highest && isThere(low + 1)) set(++low, false);
        missingSinceMs = nowMs;
    }

    /** Looks at the time. @return true when batches have been given up */
    boolean isGivenUp(long nowMs) {
        if (low == highest || nowMs - missingSinceMs < PATIENCE_MS) return false;
        forget(highest);
        return true;
    }

    long run() { return run; }

    /** All up to this one are there, or given up. */
    long low() { return low; }

    /** The batch noted last has come before one that was sent before it: that one was lost. */
    boolean isOutOfOrder() { return outOfOrder; }

    private void forget(long upTo) {
        java.util.Arrays.fill(there, 0);
        low = upTo;
        highest = upTo;
        first = 0;
    }

    private boolean isThere(long number) { return (there[word(number)] & 1L << number) != 0; }

    private void set(long number, boolean value) {
        if (value) there[word(number)] |= 1L << number;
        else
            there[word(number)] &= ~(1L << number);
    }

    private static int word(long number) { return (int) (number & WINDOW - 1) / Long.SIZE; }
}
