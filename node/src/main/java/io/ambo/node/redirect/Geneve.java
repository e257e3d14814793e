package io.ambo.node.redirect;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The header in front of a packet that is handed to another member: Geneve (RFC 8926) with one option, after UDP and before the IP packet. geneve.h has the same.
 *
 * <pre>
 *     0 version and options' length (0x07), flags (0x40: a critical option), protocol (0x0800 or 0x86DD)
 *     4 VNI (3): the zone that the packet came from       7 reserved
 *     8 option class (2) 0xFF01 (experimental), type (1) 0xC1 (critical), length (1) in words
 *    12 sender (2)        node id of who sent this datagram: names the key
 *    14 ingress (2)       node id of who received the packet
 *    16 hops (1)          {@link #ASK}, {@link #ASK_AGAIN}, {@link #FINAL}, {@link #LAST}
 *    17 lane (1)          {@link #WORKER}: a worker sent it, {@link #KERNEL}: an XDP program did; each has its keys and its numbers
 *    18 reserved (2)
 *    20 sequence (8)      grows with each datagram of the sender's lane
 *    28 tag (8)           SipHash-2-4 of 128 bytes: outer source and destination (16 each, IPv4 mapped), the 28 bytes above, the length of the inner
 *                         packet (4), and its first 64 bytes, filled up with zeros
 *    36 the packet
 * </pre>
 */
public final class Geneve {
    /** Port of UDP (RFC 8926, 3.3). */
    public static final int PORT = 6081;
    /** Bytes in front of the packet. */
    public static final int SIZE = 36;
    /** To one who should know the owner, and hands it on to that one. */
    public static final int ASK = 0;
    /** The same, to the next one in the order of the hash, as those before do not know it (yet). */
    public static final int ASK_AGAIN = 1;
    /** To the owner: handed on once at most, as {@link #LAST}. */
    public static final int FINAL = 2;
    /** To the owner, from one that was taken for it and no longer is: never handed on. */
    public static final int LAST = 3;
    public static final int WORKER = 0, KERNEL = 1;

    /** Bytes that the tag is taken over. */
    static final int TAGGED = 128;
    static final int ADDRESS = 16;
    private static final int HEAD = 28, INNER = 64, INNER_LENGTH = 2 * ADDRESS + HEAD, INNER_HEAD = INNER_LENGTH + 4;
    private static final int FIRST = 0x0740;
    private static final int OPTION = 0xFF01_C106;
    private static final int ZONE = 4, CLASS = 8, SENDER = 12, INGRESS = 14, HOPS = 16, LANE = 17, RESERVED = 18, SEQUENCE = 20, TAG = 28;
    private static final int IPV4 = 0x0800, IPV6 = 0x86DD;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong TAG_LAYOUT = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Geneve() {}

    /** Writes all but the tag, in front of a packet that is there. */
    static void write(MemorySegment into, long at, int zone, int sender, int ingress, int hops, int lane, long sequence) {
        into.set(SHORT, at, (short) FIRST);
        into.set(SHORT, at + 2, (short) (version(into, at + SIZE) == 6 ? IPV6 : IPV4));
        into.set(INT, at + ZONE, zone << 8);
        into.set(INT, at + CLASS, OPTION);
        into.set(SHORT, at + SENDER, (short) sender);
        into.set(SHORT, at + INGRESS, (short) ingress);
        into.set(ValueLayout.JAVA_BYTE, at + HOPS, (byte) hops);
        into.set(ValueLayout.JAVA_BYTE, at + LANE, (byte) lane);
        into.set(SHORT, at + RESERVED, (short) 0);
        into.set(LONG, at + SEQUENCE, sequence);
    }

    static void writeTag(MemorySegment into, long at, long tag) { into.set(TAG_LAYOUT, at + TAG, tag); }

    /**
     * Takes the tag.
     *
     * @param scratch {@link #TAGGED} bytes
     * @param length  of the packet behind the header
     */
    static long tag(MemorySegment source, MemorySegment destination, MemorySegment datagram, long at, int length, long key0, long key1,
            MemorySegment scratch) {
        MemorySegment.copy(source, 0, scratch, 0, ADDRESS);
        MemorySegment.copy(destination, 0, scratch, ADDRESS, ADDRESS);
        MemorySegment.copy(datagram, at, scratch, 2 * ADDRESS, HEAD);
        scratch.set(INT, INNER_LENGTH, length);
        int head = Math.min(length, INNER);
        MemorySegment.copy(datagram, at + SIZE, scratch, INNER_HEAD, head);
        for (int i = head; i < INNER; i++) scratch.set(ValueLayout.JAVA_BYTE, INNER_HEAD + i, (byte) 0);
        return SipHash.of(scratch, 0, TAGGED, key0, key1);
    }

    /** Whether a datagram has the form above: its header, and a packet behind it that is as long as it says. */
    static boolean isSound(MemorySegment datagram, long at, int length) {
        int inner = length - SIZE;
        if (inner < 20) return false;
        if ((datagram.get(SHORT, at) & 0xFFFF) != FIRST || datagram.get(INT, at + CLASS) != OPTION) return false;
        if (datagram.get(ValueLayout.JAVA_BYTE, at + ZONE) != 0 || datagram.get(ValueLayout.JAVA_BYTE, at + ZONE + 3) != 0) return false;
        if (datagram.get(SHORT, at + RESERVED) != 0) return false;
        if (hops(datagram, at) > LAST || lane(datagram, at) > KERNEL) return false;
        int version = version(datagram, at + SIZE);
        return switch (datagram.get(SHORT, at + 2) & 0xFFFF) {
            case IPV4 -> version == 4 && (datagram.get(SHORT, at + SIZE + 2) & 0xFFFF) == inner;
            case IPV6 -> version == 6 && inner >= 40 && (datagram.get(SHORT, at + SIZE + 4) & 0xFFFF) + 40 == inner;
            default -> false;
        };
    }

    static int zone(MemorySegment datagram, long at) { return datagram.get(SHORT, at + ZONE + 1) & 0xFFFF; }

    static int sender(MemorySegment datagram, long at) { return datagram.get(SHORT, at + SENDER) & 0xFFFF; }

    static int ingress(MemorySegment datagram, long at) { return datagram.get(SHORT, at + INGRESS) & 0xFFFF; }

    static int hops(MemorySegment datagram, long at) { return datagram.get(ValueLayout.JAVA_BYTE, at + HOPS) & 0xFF; }

    static int lane(MemorySegment datagram, long at) { return datagram.get(ValueLayout.JAVA_BYTE, at + LANE) & 0xFF; }

    static long sequence(MemorySegment datagram, long at) { return datagram.get(LONG, at + SEQUENCE); }

    static long tagOf(MemorySegment datagram, long at) { return datagram.get(TAG_LAYOUT, at + TAG); }

    private static int version(MemorySegment packet, long at) { return (packet.get(ValueLayout.JAVA_BYTE, at) & 0xF0) >>> 4; }
}
