package io.ambo.cluster.replication;

import io.ambo.cluster.session.SessionTable;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLongArray;

/** Buckets with sessions that found no room on the way out and are flagged {@code UNPUBLISHED}. Any thread. */
public final class DirtyBuckets {
    private final AtomicLongArray words = new AtomicLongArray(SessionTable.BUCKETS / Long.SIZE);
    private volatile boolean any;

    /** @return true when the bucket was clean */
    public boolean mark(int bucket) {
        long bit = 1L << bucket;
        boolean fresh = (words.getAndAccumulate(bucket / Long.SIZE, bit, (word, added) -> word | added) & bit) == 0;
        any = true;
        return fresh;
    }

    public boolean any() { return any; }

    /** Takes all marks. */
    public BitSet take() {
        any = false;
        long[] taken = new long[words.length()];
        for (int i = 0; i < taken.length; i++) taken[i] = words.getAndSet(i, 0);
        return BitSet.valueOf(taken);
    }
}
