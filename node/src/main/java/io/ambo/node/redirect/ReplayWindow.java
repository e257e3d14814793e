package io.ambo.node.redirect;

/**
 * Which sequence numbers of one sender have been seen: those behind the newest by less than the window, bit by bit (RFC 6479); what is older counts as seen.
 * Any thread; the workers that share one hold it for some instructions only.
 */
final class ReplayWindow {
    /** Numbers that may overtake each other; a multiple of 64, and the XDP program has as many. */
    static final int SIZE = 2048;
    private static final int WORDS = SIZE / Long.SIZE;

    private final long[] seen = new long[WORDS];
    private long newest;

    /** @return false when it has been seen, or is too old to tell */
    synchronized boolean accept(long number) {
        if (number <= 0) return false;
        long word = number >>> 6;
        long newestWord = newest >>> 6;
        if (word + WORDS <= newestWord) return false;
        if (number > newest) {
            // The words between are those of numbers that went by.
            for (long next = newestWord + 1; next <= word && next <= newestWord + WORDS; next++) seen[(int) next & WORDS - 1] = 0;
            newest = number;
        }
        int index = (int) word & WORDS - 1;
        long bit = 1L << number;
        if ((seen[index] & bit) != 0) return false;
        seen[index] |= bit;
        return true;
    }
}
