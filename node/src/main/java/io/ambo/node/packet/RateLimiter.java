package io.ambo.node.packet;

/** A token bucket for packets that the node itself originates (RFC 1812, 4.3.2.8; RFC 4443, 2.4 f). Owned by one worker. */
public final class RateLimiter {
    private static final long SECOND_NS = 1_000_000_000L;

    private final long tokensPerSecond;
    private final long burst;
    private long tokens;
    /** Time up to which tokens were given out. */
    private long filledNs;
    private boolean started;

    /** Starts with a full bucket. Both numbers are 1 to 1,000,000,000 */
    public RateLimiter(int tokensPerSecond, int burst) {
        if (tokensPerSecond < 1 || tokensPerSecond > SECOND_NS) throw new IllegalArgumentException("tokens per second: " + tokensPerSecond);
        if (burst < 1 || burst > SECOND_NS) throw new IllegalArgumentException("burst: " + burst);
        this.tokensPerSecond = tokensPerSecond;
        this.burst = burst;
        this.tokens = burst;
    }

    /** Takes a token if there is one. The clock is any that does not go back. */
    public boolean tryAcquire(long nowNs) {
        if (!started) {
            started = true;
            filledNs = nowNs;
        }
        refill(nowNs);
        if (tokens == 0) return false;
        tokens--;
        return true;
    }

    private void refill(long nowNs) {
        long idleNs = nowNs - filledNs;
        if (idleNs <= 0) return;
        long missing = burst - tokens;
        // Compared as quotients first: the product below would overflow after long idleness.
        if (idleNs / SECOND_NS > missing / tokensPerSecond) {
            tokens = burst;
            filledNs = nowNs;
            return;
        }
        long fresh = Math.min(missing, idleNs * tokensPerSecond / SECOND_NS);
        if (fresh == 0 && missing != 0) return;
        tokens += fresh;
        // The part of a token that has grown since is kept, unless the bucket is full.
        filledNs = tokens == burst ? nowNs : filledNs + (fresh * SECOND_NS + tokensPerSecond - 1) / tokensPerSecond;
    }
}
