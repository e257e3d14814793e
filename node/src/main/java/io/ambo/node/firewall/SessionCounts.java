package io.ambo.node.firewall;

import org.agrona.collections.Long2LongHashMap;

/**
 * How many live sessions each source and each rule has, for the limits. The keeper counts anew with every sweep of the table, so that sessions which came
 * or went by merge, recovery or expiry need no bookkeeping of their own; workers add what they open between sweeps. A place that a closed session leaves
 * is free after the next sweep, about a second later.
 *
 * <p>Guarded by its monitor; nobody does I/O inside. Idle (no work at all) unless the policy has such a limit.
 */
public final class SessionCounts {
    private static final long ABSENT = 0;
    private static final int RULE_ONLY = 1;

    private final long seed;
    private Long2LongHashMap current = new Long2LongHashMap(1024, 0.6f, ABSENT);
    private Long2LongHashMap next = new Long2LongHashMap(1024, 0.6f, ABSENT);
    private boolean sweeping;

    /** What a limit said. */
    public enum Admission {
        ADMITTED, SOURCE_LIMIT, RULE_LIMIT
    }

    /** @param seed of the hash of sources; random, so that nobody can make two sources collide */
    public SessionCounts(long seed) {
        this.seed = seed;
    }

    /**
     * Counts a session that is about to be opened, unless that would exceed a limit.
     *
     * @param perSource sessions the source may have under the rule; 0: no limit
     * @param perRule   sessions the rule may have; 0: no limit
     */
    public synchronized Admission admit(int rule, long sourceHigh, long sourceLow, int perSource, int perRule) {
        long sourceKey = sourceKey(rule, sourceHigh, sourceLow);
        long ruleKey = sourceKey(rule, RULE_ONLY, 0);
        if (perSource > 0 && current.get(sourceKey) >= perSource) return Admission.SOURCE_LIMIT;
        if (perRule > 0 && current.get(ruleKey) >= perRule) return Admission.RULE_LIMIT;
        add(current, sourceKey, ruleKey);
        if (sweeping) add(next, sourceKey, ruleKey);
        return Admission.ADMITTED;
    }

    /** Starts a count; the keeper then calls {@link #swept} for each live session that was created before this moment. */
    public synchronized void beginSweep() {
        next.clear();
        sweeping = true;
    }

    public synchronized void swept(int rule, long sourceHigh, long sourceLow) {
        add(next, sourceKey(rule, sourceHigh, sourceLow), sourceKey(rule, RULE_ONLY, 0));
    }

    /** The finished count replaces the old one. */
    public synchronized void endSweep() {
        if (!sweeping) return;
        Long2LongHashMap counted = next;
        next = current;
        current = counted;
        sweeping = false;
    }

    private static void add(Long2LongHashMap counts, long sourceKey, long ruleKey) {
        counts.put(sourceKey, counts.get(sourceKey) + 1);
        counts.put(ruleKey, counts.get(ruleKey) + 1);
    }

    private long sourceKey(int rule, long high, long low) {
        long h = mix(seed ^ high);
        h = mix(h ^ low);
        return mix(h ^ rule);
    }

    private static long mix(long value) {
        long h = value * 0x9E3779B97F4A7C15L;
        h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
        h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
        return h ^ h >>> 31;
    }
}
