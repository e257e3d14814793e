package io.ambo.cluster.resync;

import io.ambo.cluster.session.SessionTable;

/** Boils a table down to one number for each bucket. Equal buckets have equal numbers on every node; an empty bucket has 0. */
@FunctionalInterface
public interface TableDigest {
    /** @return {@link SessionTable#BUCKETS} numbers */
    long[] of(SessionTable table);
}
