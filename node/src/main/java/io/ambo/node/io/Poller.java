package io.ambo.node.io;

/**
 * Blocks one thread until one of its sockets has frames, another thread calls {@link #wakeUp}, or time is over. Lives on the worker's thread, except
 * {@link #wakeUp}.
 *
 * <p>The duty cycle ends with {@code poller.idle(work, timeoutNs)}: that returns at once after a turn with work, spins for a few turns when there was none
 * (a packet that comes within microseconds costs no system call), then blocks. An idle worker burns nothing.
 */
public final class Poller implements AutoCloseable {
    /** Turns without work before the thread blocks. */
    public static final int SPINS_BEFORE_BLOCK = 20;

    private Poller() {}

    /** @param maxSockets sockets that can be added */
    public static Poller open(int maxSockets) { return unbuilt(); }

    public void add(XskSocket socket) { unbuilt(); }

    public void remove(XskSocket socket) { unbuilt(); }

    /**
     * The end of a duty cycle.
     *
     * @param workCount what the turn has done; above 0 returns at once
     * @param timeoutNs until the next timer of the worker: longest time to block
     */
    public void idle(int workCount, long timeoutNs) { unbuilt(); }

    /**
     * Blocks. Returns at once when {@link #wakeUp} was called since the last block.
     *
     * @return sockets that have frames; 0 after a wake-up or the timeout
     */
    public int block(long timeoutNs) { return unbuilt(); }

    /**
     * Ends the present block, or the next one before it starts. Any thread. Costs an atomic exchange, and a system call only if the worker is blocked.
     * What the caller wrote before is visible to the worker after.
     */
    public void wakeUp() { unbuilt(); }

    /** Any call of {@link #wakeUp} must have returned. */
    @Override
    public void close() { unbuilt(); }

    @SuppressWarnings("TypeParameterUnusedInFormals")
    private static <T> T unbuilt() { throw new UnsupportedOperationException(); }
}
