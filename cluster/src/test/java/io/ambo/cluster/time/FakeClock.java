package io.ambo.cluster.time;

/** A clock that stands until it is moved. */
public final class FakeClock implements Clock {
    private long monotonicMs = 1_000_000;
    private long wallMs = 1_700_000_000_000L;

    public synchronized void advanceMs(long ms) {
        monotonicMs += ms;
        wallMs += ms;
    }

    /** The wall clock alone jumps, to either side. */
    public synchronized void jumpWallMs(long ms) { wallMs += ms; }

    @Override
    public synchronized long monotonicMs() { return monotonicMs; }

    @Override
    public synchronized long monotonicNs() { return monotonicMs * 1_000_000; }

    @Override
    public synchronized long wallMs() { return wallMs; }
}
