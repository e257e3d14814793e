package io.ambo.node.fastpath;

import io.ambo.cluster.session.SessionKey;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A session's key as the kernel's maps have it: struct ambo_flow_key4 and ambo_flow_key6 (ambo.h). */
final class FlowKey {
    static final int SIZE4 = 16, SIZE6 = SessionKey.SIZE;
    /** IPv4 in the bytes of a session key: ::ffff:0:0/96. */
    private static final long MAPPED = 0xFFFFL;
    private static final int LOW4 = 12, HIGH4 = 28, REST = 32, REST_SIZE = 8;

    private FlowKey() {}

    static boolean isIpv4(SessionKey session) { return session.addressHigh(false) == 0 && session.addressLow(false) >>> 32 == MAPPED; }

    /** Writes the kernel's form of a key. @return its bytes */
    static int write(SessionKey session, MemorySegment to, long at) {
        if (!isIpv4(session)) {
            MemorySegment.copy(session.segment(), session.offset(), to, at, SIZE6);
            return SIZE6;
        }
        MemorySegment.copy(session.segment(), session.offset() + LOW4, to, at, 4);
        MemorySegment.copy(session.segment(), session.offset() + HIGH4, to, at + 4, 4);
        MemorySegment.copy(session.segment(), session.offset() + REST, to, at + 8, REST_SIZE);
        return SIZE4;
    }

    /** @param size bytes of the kernel's form */
    static void read(MemorySegment from, long at, int size, SessionKey session) {
        MemorySegment into = session.segment();
        if (size == SIZE6) {
            MemorySegment.copy(from, at, into, session.offset(), SIZE6);
            return;
        }
        into.asSlice(session.offset(), SessionKey.SIZE).fill((byte) 0);
        into.set(ValueLayout.JAVA_SHORT_UNALIGNED, session.offset() + LOW4 - 2, (short) -1);
        into.set(ValueLayout.JAVA_SHORT_UNALIGNED, session.offset() + HIGH4 - 2, (short) -1);
        MemorySegment.copy(from, at, into, session.offset() + LOW4, 4);
        MemorySegment.copy(from, at + 4, into, session.offset() + HIGH4, 4);
        MemorySegment.copy(from, at + 8, into, session.offset() + REST, REST_SIZE);
    }
}
