package io.ambo.cluster.session;

import java.util.Arrays;
import java.util.function.BiPredicate;

/**
 * What is in a table, in brief: for each bucket the number of live sessions and an order-independent sum of a hash of each. Two nodes whose digests are equal
 * have the same sessions.
 *
 * <p>
 * Into the hash go key, incarnation, owner, what is fixed at birth (zones, rule, translation), and the state of both halves. Not sequence numbers, times and
 * counters, which move with each packet. Tombstones are left out: each node forgets them in its own time, and that is no difference. (A session that one node has closed and the other still has live is one, and so
 * is found.) Sessions that are due but not yet closed are in: they differ only when one node was not told of a closing, which is what a digest is to find.
 *
 * <p>
 * While traffic runs, digests of two tables differ by what is under way between them; a difference counts when it is still there after the sync delay.
 * Immutable.
 */
public final class Digest {
    /** The other flags may be set by a packet that is no reason for a delta. */
    private static final int COMPARED_FLAGS = SessionRecord.ORIGINAL_FROM_HIGH | SessionRecord.MID_STREAM | SessionRecord.RESET_ON_TIMEOUT
            | SessionRecord.TRANSLATED;

    private final long[] sums;
    private final int[] counts;

    private Digest(long[] sums, int[] counts) {
        this.sums = sums;
        this.counts = counts;
    }

    /** Sweeps the whole table: 0.1 seconds or so for a million sessions, in slices. */
    public static Digest of(SessionTable table) {
        return of(table, (key, session) -> true);
    }

    /** Of those sessions that count. */
    public static Digest of(SessionTable table, BiPredicate<SessionKey, SessionRecord> counts) {
        Summing summing = new Summing(counts);
        for (int slice = 0; slice < table.slices(); slice++) table.sweep(slice, summing);
        return new Digest(summing.sums, summing.counts);
    }

    /**
     * A digest that came over the wire.
     *
     * @throws IllegalArgumentException unless there is one sum and one count for each of the {@link SessionTable#BUCKETS}
     */
    public static Digest of(long[] sums, int[] counts) {
        if (sums.length != SessionTable.BUCKETS || counts.length != SessionTable.BUCKETS)
            throw new IllegalArgumentException(
                    sums.length + " sums and " + counts.length + " counts: " + SessionTable.BUCKETS + " buckets");
        return new Digest(sums.clone(), counts.clone());
    }

    /** A copy of all sums, bucket by bucket; an empty bucket has 0. */
    public long[] sums() { return sums.clone(); }

    public long sum(int bucket) { return sums[bucket]; }

    /** Live sessions in a bucket. */
    public int count(int bucket) { return counts[bucket]; }

    /** Live sessions in all buckets. */
    public long count() {
        long total = 0;
        for (int count : counts) total += count;
        return total;
    }

    /** The buckets in which the tables differ, in ascending order; empty when they are equal. */
    public int[] differingBuckets(Digest other) {
        int[] differing = new int[SessionTable.BUCKETS];
        int found = 0;
        for (int bucket = 0; bucket < SessionTable.BUCKETS; bucket++) {
            if (sums[bucket] != other.sums[bucket] || counts[bucket] != other.counts[bucket]) differing[found++] = bucket;
        }
        return Arrays.copyOf(differing, found);
    }

    /** What one session adds to its bucket's sum. The same on every node. */
    public static long hash(long keyHash, SessionRecord session) {
        long h = mix(keyHash ^ session.created());
        h = mix(h ^ ((long) session.epoch() << 32 | (long) session.owner() << 16 | session.creator()));
        h = mix(h ^ ((long) session.rule() << 32 | (long) session.fromZone() << 16 | session.toZone()));
        h = mix(h ^ ((session.flags() & COMPARED_FLAGS) << 16 | session.original().state() << 8 | session.reply().state()));
        if (session.has(SessionRecord.TRANSLATED))
            for (int i = 0; i < SessionRecord.TRANSLATION_SIZE; i += 4) h = mix(h ^ session.translationWord(i));
        return h;
    }

    /** The finalizer of MurmurHash3. */
    private static long mix(long value) {
        long h = (value ^ value >>> 33) * 0xFF51AFD7ED558CCDL;
        h = (h ^ h >>> 33) * 0xC4CEB9FE1A85EC53L;
        return h ^ h >>> 33;
    }

    private static final class Summing implements SessionTable.Sweep {
        private final long[] sums = new long[SessionTable.BUCKETS];
        private final int[] counts = new int[SessionTable.BUCKETS];
        private final BiPredicate<SessionKey, SessionRecord> counted;

        Summing(BiPredicate<SessionKey, SessionRecord> counted) { this.counted = counted; }

        @Override
        public boolean onSession(SessionKey key, SessionRecord session) {
            if (session.has(SessionRecord.CLOSED) || !counted.test(key, session)) return false;
            long keyHash = key.hash();
            int bucket = SessionTable.bucket(keyHash);
            sums[bucket] += hash(keyHash, session);
            counts[bucket]++;
            return false;
        }
    }
}
