package io.ambo.node.addresses;

import io.ambo.cluster.membership.HostLiveness;

/** Whether a neighbour that is tracked can be reached. It is taken to be so at first. Pure; lives on one thread. */
final class Reach {
    /** Answers in a row after which a lost neighbour counts again, so that a link that comes and goes does not carry addresses to and fro. */
    private static final int RISE = 3;

    private final HostLiveness host;
    private final long timeoutNs;
    private boolean fit = true;
    private int answers;

    Reach(long intervalNs, int misses) {
        timeoutNs = misses * intervalNs;
        host = new HostLiveness(intervalNs, timeoutNs);
    }

    /** Time has passed. @return true when the neighbour is to be asked now */
    boolean tick(long nowNs) {
        boolean due = host.tick(nowNs);
        if (host.silenceNs() >= timeoutNs) {
            fit = false;
            answers = 0;
        }
        return due;
    }

    void onAnswer() {
        host.onAnswer();
        if (!fit && ++answers >= RISE) fit = true;
    }

    boolean isFit() { return fit; }
}
