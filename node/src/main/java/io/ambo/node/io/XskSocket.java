package io.ambo.node.io;

/**
 * An AF_XDP socket: the frames of one receive queue of one interface. Lives on its worker's thread.
 *
 * <p>One turn of the worker: {@link #reclaimCompleted}, {@link #refill}, {@link #receive}, {@link #transmit} for each packet that leaves through this
 * interface, {@link #flush}. Nothing here allocates.
 *
 * <p>Every socket of a worker uses the same {@link Umem}, so a frame that one received can be transmitted by another without a copy.
 */
public final class XskSocket implements AutoCloseable {
    /** How frames get from the driver to the socket. */
    public enum Copying {
        /** Zero-copy when the driver has it, else copy. */
        AUTO,
        /** Copy always. */
        COPY
    }

    /** What the kernel counted; cumulative since the socket was opened. A reusable holder that {@link XskSocket#readStatistics} fills. */
    public static final class Statistics {
        /** Frames the kernel could not deliver for other reasons (too long for a frame, most of all). */
        public long receiveDropped;
        public long receiveInvalid;
        /** Frames lost since the worker did not take them in time. */
        public long receiveRingFull;
        /** Frames lost since the fill ring had no frame for them. */
        public long fillRingEmpty;
        public long transmitInvalid;
    }

    private XskSocket() {}

    /**
     * Opens a socket and binds it to a queue. Its fill ring is filled. It receives when {@link io.ambo.node.fastpath.XdpProgram#registerSocket} knows it.
     *
     * @param interfaceIndex the kernel's index of the interface
     * @param queue          receive queue, 0 to {@link io.ambo.node.sys.NetworkDevice#receiveQueues} - 1
     * @param ringSize       entries of each of its four rings, a power of two from 64 on; 2048 is a good choice
     * @throws io.ambo.node.sys.SysException with remedy, nothing stays open
     */
    public static XskSocket open(Umem umem, int interfaceIndex, int queue, int ringSize, Copying copying) { return unbuilt(); }

    /** File descriptor, for {@link io.ambo.node.fastpath.XdpProgram#registerSocket}. */
    public int fd() { return unbuilt(); }

    public int interfaceIndex() { return unbuilt(); }

    public int queue() { return unbuilt(); }

    /** The driver reads and writes the frames itself. */
    public boolean isZeroCopy() { return unbuilt(); }

    /**
     * The device went away under the socket (found by {@link Poller} or {@link #flush}). It stays harmless: it receives nothing, and transmit answers
     * false when its ring is full. Close it and open another when the device is back.
     */
    public boolean isFailed() { return unbuilt(); }

    /**
     * Takes frames that have arrived; they belong to the caller now.
     *
     * @param batch emptied first, then filled as far as it goes
     * @return frames in the batch
     */
    public int receive(FrameBatch batch) { return unbuilt(); }

    /**
     * Queues a frame for sending. The kernel sees it at the next {@link #flush}.
     *
     * @param address of its first byte, any byte of the frame after which length bytes are left
     * @param length  bytes, up to {@link Umem#room}
     * @return true: the frame belongs to the socket now. False: the ring is full, the frame still belongs to the caller
     */
    public boolean transmit(long address, int length) { return unbuilt(); }

    /**
     * Shows the queued frames to the kernel and, if it has to be woken for that, wakes it. Without queued frames it costs a read.
     *
     * @return frames that were queued since the last flush
     */
    public int flush() { return unbuilt(); }

    /** Moves the frames that have been sent to the free stack. @return their number */
    public int reclaimCompleted() { return unbuilt(); }

    /** Moves free frames to the fill ring until it is full or none is left. @return their number */
    public int refill() {
        return unbuilt();
    }

    /** Frames between {@link #transmit} and {@link #reclaimCompleted}. */
    public int transmitting() { return unbuilt(); }

    /** Asks the kernel for its counts: a system call. Any thread. */
    public void readStatistics(Statistics into) { unbuilt(); }

    /**
     * Closes the socket. Its frames come back to the free stack, those inside the kernel too: the kernel lets go of them before this returns, except
     * packets already handed to a driver in copy mode, which are copies.
     */
    @Override
    public void close() { unbuilt(); }

    @SuppressWarnings("TypeParameterUnusedInFormals")
    private static <T> T unbuilt() { throw new UnsupportedOperationException(); }
}
