package io.ambo.node.io;

import java.lang.foreign.MemorySegment;

/**
 * Packet memory of one worker: frames of one page each, and the stack of those that are free. Lives on the worker's thread, except {@link #segment()}.
 *
 * <p>A frame has one owner at any time: the free stack, the worker, or a {@link XskSocket} (its fill or transmit ring, and the kernel behind them).
 * {@link XskSocket#receive} and {@link #allocate} give it to the worker; {@link #free} and {@link XskSocket#transmit} take it away.
 *
 * <p>A frame is known by the address of any of its bytes. Addresses are offsets into {@link #segment()}.
 */
public final class Umem implements AutoCloseable {
    /** A page: AF_XDP takes no larger frames from ordinary memory. */
    public static final int FRAME_SIZE = 4096;
    /** Bytes before the first byte of a received or allocated frame, for headers that grow. The kernel sets it (XDP_PACKET_HEADROOM). */
    public static final int HEADROOM = 256;
    /** Bytes of the longest Ethernet frame, so the MTU may be 3,822 with a VLAN tag (a driver may allow less in native mode). */
    public static final int MAX_FRAME_LENGTH = FRAME_SIZE - HEADROOM;
    /** What {@link #allocate} answers when no frame is free. */
    public static final long NO_FRAME = -1;

    private Umem() {}

    /**
     * Reserves and zeroes the memory.
     *
     * @param frameCount frames of {@link #FRAME_SIZE} bytes, see {@link #framesFor}
     * @throws io.ambo.node.sys.SysException when there is not as much memory
     */
    public static Umem create(int frameCount) { return unbuilt(); }

    /**
     * Frames with which no socket can starve another: every ring full, and as many frames held by the worker.
     *
     * @param sockets  sockets on this memory
     * @param ringSize entries of each of their rings
     * @param held     frames that the worker may keep for a while (parked packets, packets that wait for a neighbour, fragments)
     */
    public static int framesFor(int sockets, int ringSize, int held) { return 3 * sockets * ringSize + held; }

    /** All frames, as memory of global scope: it may be read and written by any thread, and must not be touched after {@link #close}. */
    public MemorySegment segment() {
        return unbuilt();
    }

    /** Takes a free frame. @return the address where its first byte belongs, {@link #HEADROOM} bytes into the frame, or {@link #NO_FRAME} */
    public long allocate() {
        return unbuilt();
    }

    /** Gives the frame back that this byte is in. */
    public void free(long address) { unbuilt(); }

    /** Frames on the free stack now. */
    public int freeCount() { return unbuilt(); }

    public int frameCount() { return unbuilt(); }

    /** Bytes of the frame before this address. */
    public static int headroom(long address) { return (int) (address & (FRAME_SIZE - 1)); }

    /** Bytes of the frame from this address on. */
    public static int room(long address) { return FRAME_SIZE - headroom(address); }

    /** Returns the memory. All sockets on it must be closed before. */
    @Override
    public void close() { unbuilt(); }

    @SuppressWarnings("TypeParameterUnusedInFormals")
    private static <T> T unbuilt() { throw new UnsupportedOperationException(); }
}
