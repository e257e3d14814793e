package io.ambo.node.datapath;

import java.lang.foreign.MemorySegment;

/**
 * What the pipeline needs of the world around it: packet memory and a way out. A frame is named by the address of its first byte in {@link #memory()}.
 * One owner: the worker.
 */
public interface PacketIo {
    /** All packet memory of this worker. */
    MemorySegment memory();

    /** An empty frame, or -1 when none is left. Its address leaves headroom for headers to grow. */
    long takeFrame();

    /** Gives a frame back; any address inside it will do. */
    void giveFrame(long frame);

    /** Bytes from a taken frame's address to the end of its memory. */
    int frameCapacity();

    /**
     * Queues a frame for sending on a port; on success it is given back by itself once sent.
     *
     * @return false when the transmit ring is full; the frame stays the caller's
     */
    boolean transmit(int port, long frame, int length);
}
