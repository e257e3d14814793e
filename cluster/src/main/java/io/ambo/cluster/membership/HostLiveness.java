package io.ambo.cluster.membership;

/**
 * Whether a peer's host is alive, by probes that its kernel answers: a paused or dead JVM there does not matter, a dead host or a cut link does. Pure: clock
 * and answers are arguments. Lives on one thread.
 *
 * <pre>
 *   unproven --(first answer)--> alive --(silent for the timeout)--> silent --(an answer)--> alive
 * </pre>
 *
 * <b>Trade-off.</b> A dead host is noticed between the timeout and an interval more after its last answer. A link that loses a share p of its packets, each way,
 * looks dead with the probability (2p)^(timeout/interval) in each interval: with 8 probes at 1 % once in 10^13, at 5 % once in 10^8, at 20 % once in 1,500 (then
 * the peer's own messages, which count as answers, are all that keeps it alive). Twice the timeout squares that and doubles the blackout.
 *
 * <p>
 * <b>The prober's own pause accuses nobody.</b> Silence is counted only while this node's own clock is seen to run: of a gap between two calls of {@link #tick} one
 * interval counts, not the rest.
 */
public final class HostLiveness {
    public enum State {
        /** Has never answered: a filter may drop the probes, so silence says nothing. */
        UNPROVEN, ALIVE, SILENT
    }

    private final long intervalNs;
    private final long timeoutNs;
    private State state = State.UNPROVEN;
    private boolean started;
    private long tickedNs;
    private long probedNs;
    private long silenceNs;

    /**
     * @param intervalNs between two probes
     * @param timeoutNs  a host that was silent for so long is dead, or cut off
     */
    public HostLiveness(long intervalNs, long timeoutNs) {
        if (intervalNs <= 0 || timeoutNs < 2 * intervalNs)
            throw new IllegalArgumentException("timeout " + timeoutNs + " ns is less than two intervals of " + intervalNs + " ns");
        this.intervalNs = intervalNs;
        this.timeoutNs = timeoutNs;
    }

    /** Time has passed; call it at least once in an interval, after the answers that have come are told. @return true when a probe is due now */
    public boolean tick(long nowNs) {
        if (!started) {
            started = true;
            tickedNs = nowNs;
            probedNs = nowNs;
            return true;
        }
        silenceNs += Math.clamp(nowNs - tickedNs, 0, intervalNs);
        tickedNs = nowNs;
        if (state == State.ALIVE && silenceNs >= timeoutNs) state = State.SILENT;
        if (nowNs - probedNs < intervalNs) return false;
        // Not by the plan but by now: after a pause there is one probe, no burst.
        probedNs = nowNs;
        return true;
    }

    /** The host's kernel has answered a probe. */
    public void onAnswer() {
        silenceNs = 0;
        state = State.ALIVE;
    }

    /** Its process has spoken: it is alive, and whether its kernel answers probes is as unknown as before. */
    public void onHeard() {
        silenceNs = 0;
        if (state == State.SILENT) state = State.ALIVE;
    }

    public State state() { return state; }

    /** How long it has been silent, as far as this node was awake to hear. */
    public long silenceNs() { return silenceNs; }

    /** Half of the timeout has passed without an answer: whoever needs a second opinion asks for it now. */
    public boolean isSuspect() {
        return state == State.SILENT || (state == State.ALIVE && silenceNs >= timeoutNs / 2);
    }
}
