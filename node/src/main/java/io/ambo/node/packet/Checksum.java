package io.ambo.node.packet;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;

/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3). A sum under way is a {@code long} of unfolded 16-bit words in network
 * order; sums may be added, folded at any time, and are folded by {@link #finish}. Checksums are the 16 bits of the header, as a positive int.
 */
public final class Checksum {
    private Checksum() {}

    /** The sum over a range of bytes; a last odd byte counts as if a zero followed it. No bounds are checked but the segment's. */
    public static long sum(MemorySegment segment, long offset, int length) {
        long sum = 0;
        long at = offset;
        long end8 = offset + (length & ~7);
        for (; at < end8; at += 8) {
            long word = segment.get(Wire.LONG, at);
            sum += (word >>> 32) + (word & 0xFFFF_FFFFL);
        }
        if ((length & 4) != 0) {
            sum += segment.get(Wire.INT, at) & 0xFFFF_FFFFL;
            at += 4;
        }
        if ((length & 2) != 0) {
            sum += segment.get(Wire.SHORT, at) & 0xFFFF;
            at += 2;
        }
        if ((length & 1) != 0) sum += (segment.get(JAVA_BYTE, at) & 0xFF) << 8;
        return sum;
    }

    /**
     * The sum of the pseudo header of TCP, UDP and ICMPv6. One formula serves IPv4 and IPv6: the mapped prefix of an IPv4 address is left out.
     *
     * @param transportLength bytes of the transport header and its payload
     */
    public static long pseudoHeader(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int protocol,
            int transportLength) {
        return addressSum(sourceHigh, sourceLow) + addressSum(destinationHigh, destinationLow) + protocol + transportLength;
    }

    /** The 16 bits that a header carries for this sum: folded and complemented. */
    public static int finish(long sum) {
        return ~fold(sum) & 0xFFFF;
    }

    /** What UDP writes instead: a computed 0 is sent as 0xFFFF, since 0 says "no checksum" (RFC 768). */
    public static int udp(int checksum) {
        return checksum == 0 ? 0xFFFF : checksum;
    }

    /** The checksum after one 16-bit word under it has changed. */
    public static int replace16(int checksum, int before, int after) {
        return apply(checksum, change16(before, after));
    }

    /** The checksum after 32 bits under it, at an even offset, have changed. */
    public static int replace32(int checksum, int before, int after) {
        return apply(checksum, change32(before, after));
    }

    /** The checksum after 128 bits under it (an IPv6 address), at an even offset, have changed. */
    public static int replace128(int checksum, long beforeHigh, long beforeLow, long afterHigh, long afterLow) {
        return apply(checksum, change64(beforeHigh, afterHigh) + change64(beforeLow, afterLow));
    }

    /** What one change adds to a checksum. Several are added up and then given to {@link #apply} at once. */
    public static long change16(int before, int after) {
        return (~before & 0xFFFFL) + (after & 0xFFFFL);
    }

    /** The same for 32 bits. */
    public static long change32(int before, int after) {
        return (~before & 0xFFFF_FFFFL) + (after & 0xFFFF_FFFFL);
    }

    /** The same for 64 bits. */
    public static long change64(long before, long after) { return halves(~before) + halves(after); }

    /** The checksum after changes under it, given the sum of their {@code change...}. */
    static int apply(int checksum, long changes) {
        return finish((~checksum & 0xFFFF) + changes);
    }

    /** 16 bits, carries added back in. */
    public static int fold(long sum) {
        long folded = (sum >>> 32) + (sum & 0xFFFF_FFFFL);
        folded = (folded >>> 16) + (folded & 0xFFFF);
        folded = (folded >>> 16) + (folded & 0xFFFF);
        return (int) ((folded >>> 16) + (folded & 0xFFFF));
    }

    private static long addressSum(long high, long low) { return Wire.isIpv4(high, low) ? low & 0xFFFF_FFFFL : halves(high) + halves(low); }

    private static long halves(long word) { return (word >>> 32) + (word & 0xFFFF_FFFFL); }
}
