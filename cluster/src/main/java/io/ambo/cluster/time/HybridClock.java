package io.ambo.cluster.time;

import java.util.concurrent.atomic.AtomicLong;

/**
 * A hybrid logical clock (Kulkarni and others, 2014): times that look like the wall clock's, never go back on this node, and come after every time this node
 * has heard of, so that cause precedes effect across the cluster.
 *
 * <pre>
 *   63            16 15        0
 *   | wall ms (48)  | count (16)|     compares as an unsigned number; 65,536 times in one millisecond borrow from the next
 * </pre>
 *
 * Any thread may use it.
 */
public final class HybridClock {
    private static final int COUNT_BITS = 16;

    private final Clock clock;
    private final long aheadLimitMs;
    private final AtomicLong last = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    /** @param aheadLimitMs how far ahead of this host's wall clock a peer's time may be; one wrong clock must not drag the whole cluster along */
    public HybridClock(Clock clock, long aheadLimitMs) {
        this.clock = clock;
        this.aheadLimitMs = aheadLimitMs;
    }

    /** A time later than every one this clock has given or observed. */
    public long next() {
        while (true) {
            long previous = last.get();
            long time = Math.max(previous + 1, clock.wallMs() << COUNT_BITS);
            if (last.compareAndSet(previous, time)) return time;
        }
    }

    /** What {@link #next} gives from here on is later than this. */
    public long now() {
        return Math.max(last.get(), (clock.wallMs() << COUNT_BITS) - 1);
    }

    /**
     * Takes note of a peer's time.
     *
     * @return false when it is too far ahead: it is not taken over, and counted
     */
    public boolean observe(long remote) {
        if (wallMs(remote) > clock.wallMs() + aheadLimitMs) {
            refused.incrementAndGet();
            return false;
        }
        while (true) {
            long previous = last.get();
            if (remote <= previous || last.compareAndSet(previous, remote)) return true;
        }
    }

    /** Times that {@link #observe} did not take over because they were too far ahead. */
    public long refused() { return refused.get(); }

    /** The milliseconds since 1970 in a hybrid time. */
    public static long wallMs(long time) { return time >>> COUNT_BITS; }
}
