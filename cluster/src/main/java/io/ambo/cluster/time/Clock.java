package io.ambo.cluster.time;

/** Where time comes from. A constructor argument everywhere, so that the simulation can own it. */
public interface Clock {

    /** Milliseconds that never go back and survive a restart of the process (not of the host); only differences mean something. */
    long monotonicMs();

    /** Nanoseconds on the same line as {@link #monotonicMs()}. */
    long monotonicNs();

    /** Milliseconds since 1970 as the host believes them; may jump. Only the hybrid logical clock and log lines read it. */
    long wallMs();

    /** The host's clocks. CLOCK_MONOTONIC stands behind both monotonic methods. */
    Clock SYSTEM = new Clock() {
        @Override
        public long monotonicMs() { return System.nanoTime() / 1_000_000; }

        @Override
        public long monotonicNs() { return System.nanoTime(); }

        @Override
        public long wallMs() { return System.currentTimeMillis(); }
    };
}
