package io.ambo.node.sys;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * A cursor over the netlink messages of one datagram. It never reads outside the bytes it was given: a message that claims more ends the walk, and
 * whatever is asked for beyond a message is zero.
 *
 * <pre>
 *   0     4      6       8     12       16
 *   | len | type | flags | seq | sender | body: a struct by type, then attributes
 * </pre>
 */
public final class NetlinkMessage {
    static final int HEADER = 16;

    private MemorySegment segment = MemorySegment.NULL;
    private long next;
    private long end;
    private long start;
    private int length;

    /** Stands before the first message of these bytes. */
    public NetlinkMessage wrap(MemorySegment bytes, long from, long to) {
        segment = bytes;
        next = Math.max(0, from);
        end = Math.min(to, bytes.byteSize());
        start = next;
        length = 0;
        return this;
    }

    /** Steps to the next message. @return false at the end, or where the rest is no message */
    public boolean next() {
        if (end - next < HEADER) return false;
        int claimed = segment.get(JAVA_INT_UNALIGNED, next);
        if (claimed < HEADER || claimed > end - next) return false;
        start = next;
        length = claimed;
        next += (claimed + 3L) & ~3L;
        return true;
    }

    public int type() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, start + 4)); }

    public int flags() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, start + 6)); }

    public int seq() { return segment.get(JAVA_INT_UNALIGNED, start + 8); }

    /** The byte at this place of the body, unsigned. */
    public int u8(int at) {
        return has(at, 1) ? Byte.toUnsignedInt(segment.get(JAVA_BYTE, start + HEADER + at)) : 0;
    }

    /** Two bytes of the body in the host's order, unsigned. */
    public int u16(int at) {
        return has(at, 2) ? Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, start + HEADER + at)) : 0;
    }

    /** Four bytes of the body in the host's order. */
    public int i32(int at) {
        return has(at, 4) ? segment.get(JAVA_INT_UNALIGNED, start + HEADER + at) : 0;
    }

    /** Lets a cursor walk the attributes that follow the body's struct. */
    public NetlinkAttributes attributes(int structSize, NetlinkAttributes into) {
        long to = start + length;
        return into.wrap(segment, Math.min(start + HEADER + ((structSize + 3) & ~3), to), to);
    }

    private boolean has(int at, int bytes) { return at >= 0 && at <= length - HEADER - bytes; }
}
