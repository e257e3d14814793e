package io.ambo.node.sys;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Waits until one of some descriptors can be read. One thread uses it. */
public final class PollSet implements AutoCloseable {
    /** struct pollfd: descriptor (4), events wanted (2), events found (2). */
    private static final int ENTRY = 8;
    private static final long NS_PER_SECOND = 1_000_000_000;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment timeout = arena.allocate(16, 8);
    private final MemorySegment entries;
    private final int count;

    public PollSet(int... descriptors) {
        count = descriptors.length;
        entries = arena.allocate((long) ENTRY * Math.max(1, count), 8);
        for (int i = 0; i < count; i++) {
            entries.set(ValueLayout.JAVA_INT, (long) ENTRY * i, descriptors[i]);
            entries.set(ValueLayout.JAVA_SHORT, (long) ENTRY * i + 4, Libc.POLLIN);
        }
    }

    /** Returns at once when something can be read, else after the time. */
    public void await(long timeoutNs) {
        timeout.set(ValueLayout.JAVA_LONG, 0, timeoutNs / NS_PER_SECOND);
        timeout.set(ValueLayout.JAVA_LONG, 8, timeoutNs % NS_PER_SECOND);
        Libc.poll(entries, count, timeout);
    }

    @Override
    public void close() { arena.close(); }
}
