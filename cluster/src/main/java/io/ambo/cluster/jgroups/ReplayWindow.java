package io.ambo.cluster.jgroups;

import java.util.Arrays;

/** Which numbers of one sender have been seen: each passes once, those too old not at all (RFC 4303, 3.4.3). Guarded by itself. */
final class ReplayWindow {
    /** Numbers behind the highest that are still told apart. Packets overtake each other by far less. */
    static final int SIZE = 8192;

    private final long[] seen = new long[SIZE / Long.SIZE];
    private long highest;

    /** @param number from 1 @return true the first time */
    synchronized boolean admit(long number) {
        if (number <= 0 || number <= highest - SIZE) return false;
        if (number > highest) {
            forget(highest + 1, number);
            highest = number;
        }
        int bit = (int) (number & (SIZE - 1));
        long mask = 1L << bit;
        boolean fresh = (seen[bit / Long.SIZE] & mask) == 0;
        seen[bit / Long.SIZE] |= mask;
        return fresh;
    }

    private void forget(long from, long to) {
        if (to - from >= SIZE) {
            Arrays.fill(seen, 0);
            return;
        }
        for (long number = from; number <= to; number++) {
            int bit = (int) (number & (SIZE - 1));
            seen[bit / Long.SIZE] &= ~(1L << bit);
        }
    }
}
