package io.ambo.node.sys;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Writes one netlink request into a buffer that is used again for the next: header, struct, attributes. Allocates nothing. */
public final class NetlinkRequest {
    private static final ValueLayout.OfInt INT_BE = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG_BE = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final MemorySegment segment;
    private int length;

    NetlinkRequest(MemorySegment segment) { this.segment = segment; }

    /** Starts over: a header and a struct of zeros. */
    NetlinkRequest begin(int type, int flags, int structSize) {
        int bytes = NetlinkMessage.HEADER + ((structSize + 3) & ~3);
        segment.asSlice(0, bytes).fill((byte) 0);
        segment.set(JAVA_SHORT_UNALIGNED, 4, (short) type);
        segment.set(JAVA_SHORT_UNALIGNED, 6, (short) flags);
        length = bytes;
        return this;
    }

    /** A byte of the struct. */
    public NetlinkRequest u8(int at, int value) {
        segment.set(JAVA_BYTE, NetlinkMessage.HEADER + at, (byte) value);
        return this;
    }

    /** Two bytes of the struct, host order. */
    public NetlinkRequest u16(int at, int value) {
        segment.set(JAVA_SHORT_UNALIGNED, NetlinkMessage.HEADER + at, (short) value);
        return this;
    }

    /** Four bytes of the struct, host order. */
    public NetlinkRequest i32(int at, int value) {
        segment.set(JAVA_INT_UNALIGNED, NetlinkMessage.HEADER + at, value);
        return this;
    }

    /** An attribute of four bytes, host order. */
    public NetlinkRequest attribute(int type, int value) {
        int at = attributeHeader(type, 4);
        segment.set(JAVA_INT_UNALIGNED, at, value);
        return this;
    }

    /** An attribute with an IPv4 address. */
    public NetlinkRequest ipv4(int type, int bits) {
        int at = attributeHeader(type, 4);
        segment.set(INT_BE, at, bits);
        return this;
    }

    /** An attribute with an IPv6 address. */
    public NetlinkRequest ipv6(int type, long high, long low) {
        int at = attributeHeader(type, 16);
        segment.set(LONG_BE, at, high);
        segment.set(LONG_BE, at + 8, low);
        return this;
    }

    int flags() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, 6)); }

    /** Completes the header. @return bytes of the message */
    int finish(int seq) {
        segment.set(JAVA_INT_UNALIGNED, 0, length);
        segment.set(JAVA_INT_UNALIGNED, 8, seq);
        return length;
    }

    private int attributeHeader(int type, int size) {
        int at = length;
        segment.set(JAVA_SHORT_UNALIGNED, at, (short) (NetlinkAttributes.HEADER + size));
        segment.set(JAVA_SHORT_UNALIGNED, at + 2, (short) type);
        length = at + NetlinkAttributes.HEADER + ((size + 3) & ~3);
        return at + NetlinkAttributes.HEADER;
    }
}
