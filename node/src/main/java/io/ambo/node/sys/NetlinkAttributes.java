package io.ambo.node.sys;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A cursor over netlink attributes (length, type, value, padded to four bytes). It never reads outside the bytes it was given: an attribute that claims
 * more ends the walk, and a value that is asked for beyond its attribute is zero.
 *
 * <pre>
 *   0     2      4
 *   | len | type | value ... | padding
 * </pre>
 */
public final class NetlinkAttributes {
    static final int HEADER = 4;
    /** Without the flags "nested" and "network byte order". */
    private static final int TYPE_MASK = 0x3FFF;
    private static final ValueLayout.OfInt INT_BE = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG_BE = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private MemorySegment segment = MemorySegment.NULL;
    private long next;
    private long end;
    private long value;
    private int size;
    private int type;

    /** Stands before the first attribute of these bytes. */
    public NetlinkAttributes wrap(MemorySegment bytes, long from, long to) {
        segment = bytes;
        next = Math.max(0, from);
        end = Math.min(to, bytes.byteSize());
        value = next;
        size = 0;
        type = 0;
        return this;
    }

    /** Steps to the next attribute. @return false at the end, or where the rest is no attribute */
    public boolean next() {
        if (end - next < HEADER) return false;
        int length = Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, next));
        if (length < HEADER || length > end - next) return false;
        type = segment.get(JAVA_SHORT_UNALIGNED, next + 2) & TYPE_MASK;
        value = next + HEADER;
        size = length - HEADER;
        next += (length + 3) & ~3;
        return true;
    }

    public int type() { return type; }

    /** Bytes of the value. */
    public int size() { return size; }

    /** The byte at this place of the value, unsigned. */
    public int u8(int at) {
        return has(at, 1) ? Byte.toUnsignedInt(segment.get(JAVA_BYTE, value + at)) : 0;
    }

    /** Two bytes in the host's order, unsigned. */
    public int u16(int at) {
        return has(at, 2) ? Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, value + at)) : 0;
    }

    /** Four bytes in the host's order. */
    public int i32(int at) { return has(at, 4) ? segment.get(JAVA_INT_UNALIGNED, value + at) : 0; }

    /** Four bytes in network order. */
    public int i32be(int at) { return has(at, 4) ? segment.get(INT_BE, value + at) : 0; }

    /** Eight bytes in network order. */
    public long i64be(int at) { return has(at, 8) ? segment.get(LONG_BE, value + at) : 0; }

    /** Six bytes in network order. */
    public long mac() {
        return has(0, 6) ? Integer.toUnsignedLong(i32be(0)) << 16 | (long) u8(4) << 8 | u8(5) : 0;
    }

    /** The value as text, up to its first zero byte. */
    public String text() {
        int length = 0;
        while (length < size && u8(length) != 0) length++;
        byte[] bytes = new byte[length];
        MemorySegment.copy(segment, JAVA_BYTE, value, bytes, 0, length);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Lets another cursor walk the attributes inside this value. */
    public NetlinkAttributes nested(NetlinkAttributes into) {
        return nested(into, 0, size);
    }

    /** Lets another cursor walk the attributes inside a part of this value. */
    public NetlinkAttributes nested(NetlinkAttributes into, int from, int to) {
        int last = Math.clamp(to, 0, size);
        return into.wrap(segment, value + Math.clamp(from, 0, last), value + last);
    }

    private boolean has(int at, int bytes) { return at >= 0 && at <= size - bytes; }
}
