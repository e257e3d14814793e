package io.ambo.cluster.resync;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;

/**
 * Digests by one sweep over the table: a sum over the bucket's sessions, so that their order does not matter. What moves with every packet (sequence numbers,
 * counters, last seen) is left out: it is not equal on two nodes at any moment.
 */
public final class SweptDigest implements TableDigest {

    @Override
    public long[] of(SessionTable table) {
        long[] buckets = new long[SessionTable.BUCKETS];
        for (int slice = 0; slice < table.slices(); slice++) {
            table.sweep(slice, (key, session) -> {
                buckets[SessionTable.bucket(key)] += digest(key, session);
                return false;
            });
        }
        return buckets;
    }

    private static long digest(SessionKey key, SessionRecord session) {
        long h = mix(key.hash(), session.created());
        h = mix(h, (long) session.epoch() << 16 | session.creator());
        return mix(h, (long) session.flags() << 16 | session.original().state() << 8 | session.reply().state());
    }

    private static long mix(long h, long value) {
        long x = (h ^ value) * 0x9E3779B97F4A7C15L;
        x = (x ^ (x >>> 32)) * 0xBF58476D1CE4E5B9L;
        return x ^ (x >>> 29);
    }
}
