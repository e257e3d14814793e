package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Names a session by its two ends, the lower one first, so that both flows find the same entry. A flyweight over 40 bytes.
 *
 * <pre>
 *   0                16               32   34   36 37 38   40
 *   | low address    | high address   |port|port|pr|0 |zone|
 * </pre>
 *
 * Addresses are IPv6 in network order; IPv4 is mapped (::ffff:a.b.c.d). Ports stand beside the address they belong to, ICMP echo has its identifier in
 * both. An end is lower when its address, then its port, is lower as an unsigned number. All fields are big-endian, so that the bytes compare and
 * hash alike on every machine.
 */
public final class SessionKey {
    static final int LOW_ADDRESS = 0;
    static final int HIGH_ADDRESS = LOW_ADDRESS + 16;
    static final int LOW_PORT = HIGH_ADDRESS + 16;
    static final int HIGH_PORT = LOW_PORT + 2;
    static final int PROTOCOL = HIGH_PORT + 2;
    static final int RESERVED = PROTOCOL + 1;
    static final int ROUTING_ZONE = RESERVED + 1;
    /** Bytes. */
    public static final int SIZE = ROUTING_ZONE + 2;

    private static final ValueLayout.OfLong LONG_BE = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfShort SHORT_BE = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private MemorySegment segment;
    private long offset;

    /** A key on memory of its own. */
    public SessionKey() { this(Arena.ofAuto().allocate(SIZE, 8), 0); }

    public SessionKey(MemorySegment segment, long offset) {
        this.segment = segment;
        this.offset = offset;
    }

    public SessionKey wrap(MemorySegment newSegment, long newOffset) {
        segment = newSegment;
        offset = newOffset;
        return this;
    }

    public MemorySegment segment() { return segment; }

    public long offset() { return offset; }

    /**
     * Writes the key of the session that this flow belongs to.
     *
     * @return true when the flow's source is the high end
     */
    public boolean set(long sourceHigh, long sourceLow, int sourcePort, long destinationHigh, long destinationLow, int destinationPort,
            int protocol,
            int routingZone) {
        boolean sourceIsHigh = compareEnds(sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow, destinationPort) > 0;
        long low = offset + (sourceIsHigh ? HIGH_ADDRESS : LOW_ADDRESS);
        long high = offset + (sourceIsHigh ? LOW_ADDRESS : HIGH_ADDRESS);
        segment.set(LONG_BE, low, sourceHigh);
        segment.set(LONG_BE, low + 8, sourceLow);
        segment.set(LONG_BE, high, destinationHigh);
        segment.set(LONG_BE, high + 8, destinationLow);
        segment.set(SHORT_BE, offset + LOW_PORT, (short) (sourceIsHigh ? destinationPort : sourcePort));
        segment.set(SHORT_BE, offset + HIGH_PORT, (short) (sourceIsHigh ? sourcePort : destinationPort));
        segment.set(JAVA_BYTE, offset + PROTOCOL, (byte) protocol);
        segment.set(JAVA_BYTE, offset + RESERVED, (byte) 0);
        segment.set(SHORT_BE, offset + ROUTING_ZONE, (short) routingZone);
        return sourceIsHigh;
    }

    SessionKey clear() {
        segment.asSlice(offset, SIZE).fill((byte) 0);
        return this;
    }

    public SessionKey copyFrom(SessionKey other) {
        MemorySegment.copy(other.segment, other.offset, segment, offset, SIZE);
        return this;
    }

    /** The first eight bytes, network order, of one end's address. */
    public long addressHigh(boolean ofHighEnd) {
        return segment.get(LONG_BE, offset + (ofHighEnd ? HIGH_ADDRESS : LOW_ADDRESS));
    }

    /** The last eight bytes, network order, of one end's address. */
    public long addressLow(boolean ofHighEnd) {
        return segment.get(LONG_BE, offset + (ofHighEnd ? HIGH_ADDRESS : LOW_ADDRESS) + 8);
    }

    public int port(boolean ofHighEnd) { return Short.toUnsignedInt(segment.get(SHORT_BE, offset + (ofHighEnd ? HIGH_PORT : LOW_PORT))); }

    /** IANA protocol number. */
    public int protocol() { return Byte.toUnsignedInt(segment.get(JAVA_BYTE, offset + PROTOCOL)); }

    public int routingZone() { return Short.toUnsignedInt(segment.get(SHORT_BE, offset + ROUTING_ZONE)); }

    /** A well mixed hash that is the same on every node; {@link SessionTable} cuts its buckets from it. */
    public long hash() {
        long h = 0x9E3779B97F4A7C15L;
        for (int i = 0; i < SIZE; i += 8) {
            h = (h ^ segment.get(LONG_BE, offset + i)) * 0xBF58476D1CE4E5B9L;
            h ^= h >>> 32;
        }
        h *= 0x94D049BB133111EBL;
        return h ^ (h >>> 29);
    }

    /** False when these bytes cannot have been written by {@link #set}. */
    public boolean plausible() {
        boolean empty = protocol() == 0 && (addressHigh(true) | addressLow(true)) == 0;
        boolean ordered = compareEnds(addressHigh(false), addressLow(false), port(false), addressHigh(true), addressLow(true),
                port(true)) <= 0;
        return !empty && ordered && segment.get(JAVA_BYTE, offset + RESERVED) == 0;
    }

    public boolean sameAs(SessionKey other) {
        return MemorySegment.mismatch(segment, offset, offset + SIZE, other.segment, other.offset, other.offset + SIZE) < 0;
    }

    private static int compareEnds(long aHigh, long aLow, int aPort, long bHigh, long bLow, int bPort) {
        int byHigh = Long.compareUnsigned(aHigh, bHigh);
        if (byHigh != 0) return byHigh;
        int byLow = Long.compareUnsigned(aLow, bLow);
        return byLow != 0 ? byLow : Integer.compare(aPort, bPort);
    }
}
