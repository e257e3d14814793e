package io.ambo.cluster.session;

/**
 * When a session ends, and who says so. Pure: the sweep asks for each session and acts.
 *
 * <pre>
 *   live --(idle for its timeout)--> tombstone --(tombstone time)--> forgotten
 * </pre>
 *
 * <ul>
 * <li>The <b>owner</b> closes a session that has been idle for its timeout, and its delta tells the others.
 * <li>Any <b>other node</b> waits: the owner may see packets it does not. When the owner is not in the view it closes the session itself after a grace.
 * When the owner is there but has not closed it, a delta was lost; the resync repairs that, and to keep every session bounded even so, the node
 * closes it after {@link #OWNER_GRACES} graces. Should the session live on at the owner, it outlives this tombstone ({@link SessionMerge#outlives}).
 * <li>A <b>tombstone</b> is forgotten by each node for itself. Until then no late delta revives the session. It must stand longer than the longest sync delay.
 * </ul>
 *
 * @param tombstoneMs how long a closed session is remembered
 * @param graceMs     how long after the timeout a node that is not the owner waits
 */
public record SessionExpiry(long tombstoneMs, long graceMs) {
    /** Graces that a node waits for an owner that is in the view. */
    public static final int OWNER_GRACES = 20;

    /** What to do with a session. */
    public enum Action {
        KEEP,
        /** Call {@link SessionExpiry#close} on it, under its lock, and publish it. */
        CLOSE,
        /** Remove the entry. Nobody needs to be told. */
        FORGET
    }

    /** Tombstones for a minute, thirty seconds of grace. */
    public static final SessionExpiry DEFAULT = new SessionExpiry(60_000, 30_000);

    public SessionExpiry {
        if (tombstoneMs <= 0 || graceMs <= 0)
            throw new IllegalArgumentException("tombstone " + tombstoneMs + " ms, grace " + graceMs + " ms: above 0");
    }

    /**
     * @param ownerIsHere this node owns the session
     * @param ownerInView the owner is a member of the present view
     */
    public Action decide(SessionRecord session, long nowMs, boolean ownerIsHere, boolean ownerInView) {
        long overdueMs = -session.expiresInMs(nowMs);
        if (overdueMs < 0) return Action.KEEP;
        if (session.has(SessionRecord.CLOSED)) return Action.FORGET;
        if (ownerIsHere) return Action.CLOSE;
        return overdueMs >= (ownerInView ? OWNER_GRACES * graceMs : graceMs) ? Action.CLOSE : Action.KEEP;
    }

    /**
     * Turns a session into its tombstone, for a timeout as well as for a reset, a FIN exchange or an operator's command. The time it was last seen stays: by
     * it other nodes know whether they saw later packets. The timeout becomes what is left until it may be forgotten.
     */
    public void close(SessionRecord session, long nowMs) {
        long idleMs = Math.max(0, nowMs - session.lastSeenMs());
        session.addFlags(SessionRecord.CLOSED).timeoutMs((int) Math.min(idleMs + tombstoneMs, Integer.MAX_VALUE));
    }
}
