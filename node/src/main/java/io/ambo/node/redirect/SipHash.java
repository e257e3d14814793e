package io.ambo.node.redirect;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** SipHash-2-4 (Aumasson and Bernstein, 2012) of whole words: a keyed hash that is short enough for every packet, here and in the XDP program. */
final class SipHash {
    private static final ValueLayout.OfLong LITTLE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private SipHash() {}

    /** @param bytes a multiple of eight, up to 248 */
    static long of(MemorySegment from, long at, int bytes, long key0, long key1) {
        long v0 = key0 ^ 0x736F6D6570736575L;
        long v1 = key1 ^ 0x646F72616E646F6DL;
        long v2 = key0 ^ 0x6C7967656E657261L;
        long v3 = key1 ^ 0x7465646279746573L;
        int words = bytes / Long.BYTES;
        for (int i = 0; i <= words + 2; i++) {
            // The words, then their length, then four rounds of finalization.
            long word = i < words ? from.get(LITTLE, at + (long) i * Long.BYTES) : i == words ? (long) bytes << 56 : 0;
            if (i == words + 1) v2 ^= 0xFF;
            v3 ^= word;
            for (int round = 0; round < 2; round++) {
                v0 += v1;
                v1 = Long.rotateLeft(v1, 13) ^ v0;
                v0 = Long.rotateLeft(v0, 32);
                v2 += v3;
                v3 = Long.rotateLeft(v3, 16) ^ v2;
                v0 += v3;
                v3 = Long.rotateLeft(v3, 21) ^ v0;
                v2 += v1;
                v1 = Long.rotateLeft(v1, 17) ^ v2;
                v2 = Long.rotateLeft(v2, 32);
            }
            v0 ^= word;
        }
        return v0 ^ v1 ^ v2 ^ v3;
    }
}
