package io.ambo.hatests.oracle;

import io.ambo.cluster.time.Clock;
import java.util.Locale;

/** The time of a replay: that of the capture, counted from its first packet. */
final class ReplayClock implements Clock {
    /** Far enough from zero for everything that looks back. */
    private static final long BEGIN_NS = 1_000_000_000_000L;
    private static final long BEGIN_WALL_MS = 1_700_000_000_000L;

    private long nowNs = BEGIN_NS;
    private long zeroNs = BEGIN_NS;

    /** From here on {@link #text} counts. */
    void zero() { zeroNs = nowNs; }

    /** The instant so long after the first packet. */
    long at(long afterNs) { return zeroNs + afterNs; }

    void moveTo(long ns) { nowNs = Math.max(nowNs, ns); }

    String text(long ns) { return String.format(Locale.ROOT, "%.6f s", (ns - zeroNs) / 1e9); }

    String text() { return text(nowNs); }

    @Override
    public long monotonicMs() { return nowNs / 1_000_000; }

    @Override
    public long monotonicNs() { return nowNs; }

    @Override
    public long wallMs() { return BEGIN_WALL_MS + (nowNs - BEGIN_NS) / 1_000_000; }
}
