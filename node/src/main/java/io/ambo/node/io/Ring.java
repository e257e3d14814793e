package io.ambo.node.io;

import io.ambo.node.sys.Libc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * One of the four rings that a socket shares with the kernel (Documentation/networking/af_xdp.rst). One side produces, the other consumes; each side writes
 * its own index, with release after the entries are written or read, and reads the other's with acquire. Indices run freely; the ring is a power of two.
 *
 * <p>The last index seen of the other side is kept, so that its cache line is touched once per burst instead of once per frame.
 */
final class Ring {
    private static final VarHandle INDEX = ValueLayout.JAVA_INT.varHandle();
    private static final int NEED_WAKEUP = 1;

    /** Entries of the fill and completion ring are addresses, those of the receive and transmit ring are struct xdp_desc: address, length, options. */
    static final int ADDRESS_SIZE = 8, DESCRIPTOR_SIZE = 16;
    private static final int LENGTH = 8, OPTIONS = 12;

    private final MemorySegment memory;
    private final long producerOffset;
    private final long consumerOffset;
    private final long flagsOffset;
    private final long entriesOffset;
    private final int entrySize;
    private final int size;
    private final int mask;
    private int producer;
    private int consumer;

    /**
     * Maps a ring of a socket.
     *
     * @param offsets    struct xdp_ring_offset: producer, consumer, entries, flags
     * @param pageOffset where in the socket's file the ring is
     */
    Ring(int fd, MemorySegment offsets, long pageOffset, int size, int entrySize) {
        producerOffset = offsets.getAtIndex(ValueLayout.JAVA_LONG, 0);
        consumerOffset = offsets.getAtIndex(ValueLayout.JAVA_LONG, 1);
        entriesOffset = offsets.getAtIndex(ValueLayout.JAVA_LONG, 2);
        flagsOffset = offsets.getAtIndex(ValueLayout.JAVA_LONG, 3);
        this.size = size;
        this.entrySize = entrySize;
        mask = size - 1;
        memory = Libc.mmap(entriesOffset + (long) size * entrySize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_POPULATE,
                fd, pageOffset);
    }

    void unmap() { Libc.munmap(memory); }

    // The producing side (fill, transmit).

    /** Entries that can be written. Looks at the kernel's index only when fewer than wanted seem free. */
    int free(int wanted) {
        int free = size - (producer - consumer);
        if (free >= wanted) return free;
        consumer = (int) INDEX.getAcquire(memory, consumerOffset);
        return size - (producer - consumer);
    }

    /** Writes the next entry of a fill ring; {@link #free} has said that there is room. */
    void produce(long address) {
        memory.set(ValueLayout.JAVA_LONG, entry(producer++), address);
    }

    /** Writes the next entry of a transmit ring; {@link #free} has said that there is room. */
    void produce(long address, int length) {
        long entry = entry(producer++);
        memory.set(ValueLayout.JAVA_LONG, entry, address);
        memory.set(ValueLayout.JAVA_INT, entry + LENGTH, length);
        memory.set(ValueLayout.JAVA_INT, entry + OPTIONS, 0);
    }

    /** Shows what was produced to the kernel. */
    void publish() { INDEX.setRelease(memory, producerOffset, producer); }

    /** Entries that the kernel has not consumed yet. */
    int pending() {
        consumer = (int) INDEX.getAcquire(memory, consumerOffset);
        return producer - consumer;
    }

    /** The kernel waits to be told that there is something new. The fence orders this read after the {@link #publish} before. */
    boolean needsWakeup() {
        VarHandle.fullFence();
        return ((int) INDEX.getOpaque(memory, flagsOffset) & NEED_WAKEUP) != 0;
    }

    // The consuming side (receive, completion).

    /** Entries that can be read, up to a limit. */
    int available(int limit) {
        int available = producer - consumer;
        if (available == 0) {
            producer = (int) INDEX.getAcquire(memory, producerOffset);
            available = producer - consumer;
        }
        return Math.min(available, limit);
    }

    /** Address of the entry so many places after the first one available. */
    long address(int ahead) {
        return memory.get(ValueLayout.JAVA_LONG, entry(consumer + ahead));
    }

    int length(int ahead) { return memory.get(ValueLayout.JAVA_INT, entry(consumer + ahead) + LENGTH); }

    /** Lets the kernel write over the first entries. */
    void consume(int count) {
        consumer += count;
        INDEX.setRelease(memory, consumerOffset, consumer);
    }

    private long entry(int index) { return entriesOffset + (long) (index & mask) * entrySize; }
}
