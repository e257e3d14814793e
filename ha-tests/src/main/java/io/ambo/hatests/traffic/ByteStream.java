package io.ambo.hatests.traffic;

/** An endless stream of bytes in which every place has its own value: a byte lost, doubled, or out of order shows. */
final class ByteStream {
    private final long seed;

    ByteStream(long seed) { this.seed = seed * 0x9E3779B97F4A7C15L; }

    byte at(long place) {
        long mixed = (seed + (place >>> 3)) * 0xBF58476D1CE4E5B9L;
        mixed ^= mixed >>> 31;
        mixed *= 0x94D049BB133111EBL;
        return (byte) (mixed >>> (place & 7) * 8);
    }

    void fill(byte[] bytes, long firstPlace) { for (int i = 0; i < bytes.length; i++) bytes[i] = at(firstPlace + i); }

    /** @return the first place that differs, or -1 */
    long mismatch(byte[] bytes, int length, long firstPlace) {
        for (int i = 0; i < length; i++) if (bytes[i] != at(firstPlace + i)) return firstPlace + i;
        return -1;
    }
}
