package io.ambo.hatests.sim;

import io.ambo.cluster.time.Clock;

/** One host's clocks: each host was booted at another time, and its wall clock is wrong by as much as it likes. */
final class HostClock implements Clock {
    private static final long EPOCH_MS = 1_800_000_000_000L;

    private final Agenda agenda;
    private final long bootedNs;
    private long wallErrorMs;

    /** @param bootedNs how long before the simulation began */
    HostClock(Agenda agenda, long bootedNs, long wallErrorMs) {
        this.agenda = agenda;
        this.bootedNs = bootedNs;
        this.wallErrorMs = wallErrorMs;
    }

    void setWallErrorMs(long errorMs) { wallErrorMs = errorMs; }

    @Override
    public long monotonicMs() { return monotonicNs() / 1_000_000; }

    @Override
    public long monotonicNs() { return bootedNs + agenda.nowNs(); }

    @Override
    public long wallMs() { return EPOCH_MS + agenda.nowNs() / 1_000_000 + wallErrorMs; }
}
