package io.ambo.node.io;

/** Frames of one burst: addresses in the {@link Umem} and lengths. Reused for every burst; filled by {@link XskSocket#receive}, read by its thread. */
public final class FrameBatch {
    private final long[] addresses;
    private final int[] lengths;
    private int size;

    /** @param capacity most frames of one burst */
    public FrameBatch(int capacity) {
        addresses = new long[capacity];
        lengths = new int[capacity];
    }

    public int capacity() { return addresses.length; }

    public int size() { return size; }

    /** Offset of the frame's first byte (its Ethernet header) in {@link Umem#segment()}. */
    public long address(int index) {
        return addresses[index];
    }

    /** Bytes of the frame, without checksum. */
    public int length(int index) { return lengths[index]; }

    public void clear() { size = 0; }

    boolean isFull() { return size == addresses.length; }

    public void add(long address, int length) {
        addresses[size] = address;
        lengths[size] = length;
        size++;
    }
}
