package io.ambo.node.io;

import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.NetworkDevice;
import io.ambo.node.sys.SysException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An AF_XDP socket: the frames of one receive queue of one interface. Lives on its worker's thread.
 *
 * <p>One turn of the worker: {@link #reclaimCompleted}, {@link #refill}, {@link #receive}, {@link #transmit} for each packet that leaves through this
 * interface, {@link #flush}. Nothing here allocates.
 *
 * <p>Every socket of a worker uses the same {@link Umem}, so a frame that one received can be transmitted by another without a copy. Each registers that
 * memory for itself instead of sharing the first one's registration (XDP_SHARED_UMEM): the kernel would force one copy mode on all of them, and the
 * others would depend on the first one's device.
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
        /** Frames the kernel could not deliver: too long for a frame, or no frame in the fill ring. */
        public long receiveDropped;
        public long receiveInvalid;
        /** Frames lost since the worker did not take them in time. */
        public long receiveRingFull;
        /** How often the kernel found the fill ring empty. */
        public long fillRingEmpty;
        public long transmitInvalid;
    }

    private static final int SOL_XDP = 283;
    private static final int XDP_MMAP_OFFSETS = 1, XDP_RX_RING = 2, XDP_TX_RING = 3, XDP_UMEM_REG = 4, XDP_UMEM_FILL_RING = 5,
            XDP_UMEM_COMPLETION_RING = 6, XDP_STATISTICS = 7, XDP_OPTIONS = 8, XDP_MAX_TX_SKB_BUDGET = 9;
    private static final int XDP_OPTIONS_ZEROCOPY = 1;
    private static final short XDP_COPY = 1 << 1, XDP_USE_NEED_WAKEUP = 1 << 3;
    private static final long PGOFF_RX = 0, PGOFF_TX = 0x8000_0000L, PGOFF_FILL = 0x1_0000_0000L, PGOFF_COMPLETION = 0x1_8000_0000L;
    /** struct xdp_umem_reg: addr, len, chunk_size, headroom, flags, tx_metadata_len. */
    private static final int UMEM_REG_SIZE = 32, UMEM_REG_LENGTH = 8, UMEM_REG_CHUNK = 16;
    /** struct xdp_mmap_offsets: rx, tx, fill, completion, each a struct xdp_ring_offset. */
    private static final int OFFSETS_SIZE = 128, RING_OFFSETS_SIZE = 32;
    /** struct sockaddr_xdp: family, flags, interface, queue, shared fd. */
    private static final int SOCKADDR_SIZE = 16, SOCKADDR_FLAGS = 2, SOCKADDR_INTERFACE = 4, SOCKADDR_QUEUE = 8;
    private static final int STATISTICS_SIZE = 48;
    private static final int MIN_RING_SIZE = 64, MAX_RING_SIZE = 32 * 1024;
    /** Frames that older kernels send in one call, in copy mode. */
    private static final int SMALLEST_TRANSMIT_BUDGET = 32;

    private final Umem umem;
    private final byte id;
    private final int fd;
    private final int interfaceIndex;
    private final int queue;
    private final boolean zeroCopy;
    private final Ring fill;
    private final Ring completion;
    private final Ring receive;
    private final Ring transmit;
    private final int ringSize;
    private int queued;
    private int transmitting;
    private boolean failed;
    private boolean closed;

    private XskSocket(Umem umem, byte id, int fd, int interfaceIndex, int queue, boolean zeroCopy, MemorySegment offsets, int ringSize) {
        this.umem = umem;
        this.id = id;
        this.fd = fd;
        this.interfaceIndex = interfaceIndex;
        this.queue = queue;
        this.zeroCopy = zeroCopy;
        this.ringSize = ringSize;
        receive = new Ring(fd, offsets.asSlice(0, RING_OFFSETS_SIZE), PGOFF_RX, ringSize, Ring.DESCRIPTOR_SIZE);
        transmit = new Ring(fd, offsets.asSlice(RING_OFFSETS_SIZE, RING_OFFSETS_SIZE), PGOFF_TX, ringSize, Ring.DESCRIPTOR_SIZE);
        fill = new Ring(fd, offsets.asSlice(2 * RING_OFFSETS_SIZE, RING_OFFSETS_SIZE), PGOFF_FILL, ringSize, Ring.ADDRESS_SIZE);
        completion = new Ring(fd, offsets.asSlice(3 * RING_OFFSETS_SIZE, RING_OFFSETS_SIZE), PGOFF_COMPLETION, ringSize, Ring.ADDRESS_SIZE);
    }

    /**
     * Opens a socket and binds it to a queue. Its fill ring is filled. It receives when {@link io.ambo.node.fastpath.XdpProgram#registerSocket} knows it.
     *
     * @param interfaceIndex the kernel's index of the interface
     * @param queue          receive queue, 0 to {@link NetworkDevice#receiveQueues} - 1
     * @param ringSize       entries of each of its four rings, a power of two from 64 to 32,768; 2048 is a good choice
     * @throws SysException with remedy, nothing stays open
     */
    public static XskSocket open(Umem umem, int interfaceIndex, int queue, int ringSize, Copying copying) {
        if (ringSize < MIN_RING_SIZE || ringSize > MAX_RING_SIZE || Integer.bitCount(ringSize) != 1) {
            throw new IllegalArgumentException(
                    "ring size " + ringSize + " is not a power of two from " + MIN_RING_SIZE + " to " + MAX_RING_SIZE);
        }
        int fd = Libc.socket(Libc.AF_XDP, Libc.SOCK_RAW, 0);
        byte id = umem.joinSocket();
        try (Arena arena = Arena.ofConfined()) {
            String where = "interface=" + NetworkDevice.nameOf(interfaceIndex) + " queue=" + queue;
            MemorySegment registration = arena.allocate(UMEM_REG_SIZE, 8);
            registration.set(ValueLayout.JAVA_LONG, 0, umem.segment().address());
            registration.set(ValueLayout.JAVA_LONG, UMEM_REG_LENGTH, umem.segment().byteSize());
            registration.set(ValueLayout.JAVA_INT, UMEM_REG_CHUNK, Umem.FRAME_SIZE);
            check("register packet memory", Libc.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, registration),
                    where + " bytes=" + umem.segment().byteSize(), "raise the limit of locked memory (ulimit -l), or use fewer frames");
            for (int ring : new int[]{ XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING }) {
                check("create an AF_XDP ring", Libc.setsockopt(fd, SOL_XDP, ring, ringSize), where + " entries=" + ringSize,
                        "use smaller rings");
            }
            // In copy mode each sent frame is charged to the socket's send buffer; the ring is the limit that counts.
            Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_SNDBUFFORCE, ringSize * Umem.FRAME_SIZE);
            // Kernels before 6.17 do not know it and send 32 frames a call; flush() makes several calls then.
            Libc.setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, ringSize);

            MemorySegment offsets = arena.allocate(OFFSETS_SIZE, 8);
            check("find the AF_XDP rings", Libc.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, offsets), where, "Ambo needs Linux 6.1 or later");
            check("bind an AF_XDP socket", bind(fd, interfaceIndex, queue, copying, arena), where,
                    "is the interface there, has it this queue (ethtool -l), and does no other process hold the queue? The driver's own"
                            + " trouble is avoided by copy mode");
            XskSocket socket = new XskSocket(umem, id, fd, interfaceIndex, queue, isZeroCopy(fd, arena), offsets, ringSize);
            socket.refill();
            return socket;
        } catch (RuntimeException failure) {
            Libc.close(fd); // the rings that are mapped already, if any, are unmapped at the end of the process
            umem.leaveSocket(id, true);
            throw failure;
        }
    }

    /** File descriptor, for {@link io.ambo.node.fastpath.XdpProgram#registerSocket}. */
    public int fd() { return fd; }

    public int interfaceIndex() { return interfaceIndex; }

    public int queue() { return queue; }

    /** The driver reads and writes the frames itself. */
    public boolean isZeroCopy() { return zeroCopy; }

    /**
     * The device went away under the socket: {@link #flush} has found it so. It stays harmless: it receives nothing, never ends a {@link Poller#block},
     * and transmit answers false when its ring is full. Close it, and open another when the device is back.
     */
    public boolean isFailed() { return failed; }

    /**
     * Takes frames that have arrived; they belong to the caller now.
     *
     * @param batch emptied first, then filled as far as it goes
     * @return frames in the batch
     */
    public int receive(FrameBatch batch) {
        batch.clear();
        int count = receive.available(batch.capacity());
        for (int i = 0; i < count; i++) {
            long address = receive.address(i);
            umem.giveToWorker(address, id);
            batch.add(address, receive.length(i));
        }
        if (count > 0) receive.consume(count);
        return count;
    }

    /**
     * Queues a frame for sending. The kernel sees it at the next {@link #flush}.
     *
     * @param address of its first byte, any byte of the frame after which length bytes are left
     * @param length  bytes, up to {@link Umem#room}
     * @return true: the frame belongs to the socket now. False: the ring is full, the frame still belongs to the caller
     */
    public boolean transmit(long address, int length) {
        assert length > 0 && length <= Umem.room(address) : "a frame of " + length + " bytes at " + address;
        // Not more than a ring of frames may be on the way, so that the completion ring has room for all of them.
        if (transmitting == ringSize || transmit.free(1) == 0) return false;
        umem.takeFromWorker(address, id);
        transmit.produce(address, length);
        queued++;
        transmitting++;
        return true;
    }

    /**
     * Shows the queued frames to the kernel and, if it has to be woken for that, wakes it. Without queued frames it costs a read.
     *
     * @return frames that were queued since the last flush
     */
    public int flush() {
        int flushed = queued;
        if (flushed > 0) {
            transmit.publish();
            queued = 0;
        }
        int pending = transmitting == 0 ? 0 : transmit.pending();
        if (pending > 0 && !failed && transmit.needsWakeup()) push(pending);
        return flushed;
    }

    /** Moves the frames that have been sent to the free stack. @return their number */
    public int reclaimCompleted() {
        int count = completion.available(ringSize);
        if (count == 0) return 0;
        for (int i = 0; i < count; i++) umem.giveBack(completion.address(i), id);
        completion.consume(count);
        transmitting -= count;
        return count;
    }

    /** Moves free frames to the fill ring until it is full or none is left. @return their number */
    public int refill() {
        int count = Math.min(fill.free(ringSize), umem.freeCount());
        if (count > 0) {
            for (int i = 0; i < count; i++) fill.produce(umem.takeFree(id));
            fill.publish();
            if (zeroCopy && fill.needsWakeup()) Libc.receive(fd, MemorySegment.NULL, 0, Libc.MSG_DONTWAIT);
        }
        return count;
    }

    /** Frames between {@link #transmit} and {@link #reclaimCompleted}. */
    public int transmitting() { return transmitting; }

    /** Asks the kernel for its counts: a system call. Any thread. */
    public void readStatistics(Statistics into) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statistics = arena.allocate(STATISTICS_SIZE, 8);
            check("read the statistics of an AF_XDP socket", Libc.getsockopt(fd, SOL_XDP, XDP_STATISTICS, statistics), "queue=" + queue,
                    "");
            into.receiveDropped = statistics.getAtIndex(ValueLayout.JAVA_LONG, 0);
            into.receiveInvalid = statistics.getAtIndex(ValueLayout.JAVA_LONG, 1);
            into.transmitInvalid = statistics.getAtIndex(ValueLayout.JAVA_LONG, 2);
            into.receiveRingFull = statistics.getAtIndex(ValueLayout.JAVA_LONG, 3);
            into.fillRingEmpty = statistics.getAtIndex(ValueLayout.JAVA_LONG, 4);
        }
    }

    /**
     * Closes the socket. Its frames come back to the free stack, but not in zero-copy mode: there the driver may use them a little longer, so they are
     * given up until the memory is closed.
     */
    @Override
    public void close() {
        if (closed) return;
        closed = true;
        receive.unmap();
        transmit.unmap();
        fill.unmap();
        completion.unmap();
        Libc.close(fd);
        umem.leaveSocket(id, !zeroCopy || failed);
    }

    /** In copy mode the frames are sent inside these calls, some at a time; in zero-copy mode one call wakes the driver. */
    private void push(int pending) {
        for (int calls = ringSize / SMALLEST_TRANSMIT_BUDGET; calls > 0; calls--) {
            long result = Libc.send(fd, MemorySegment.NULL, 0, Libc.MSG_DONTWAIT);
            if (result == -Errno.ENXIO || result == -Errno.EBADF) failed = true;
            if (result >= 0 || failed) return;
            int left = transmit.pending();
            // What the device does not take now (its queue is full, its link is down) goes with the next flush.
            if (left == 0 || left == pending) return;
            pending = left;
        }
    }

    private static int bind(int fd, int interfaceIndex, int queue, Copying copying, Arena arena) {
        MemorySegment address = arena.allocate(SOCKADDR_SIZE, 8);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) Libc.AF_XDP);
        address.set(ValueLayout.JAVA_SHORT, SOCKADDR_FLAGS,
                copying == Copying.COPY ? (short) (XDP_USE_NEED_WAKEUP | XDP_COPY) : XDP_USE_NEED_WAKEUP);
        address.set(ValueLayout.JAVA_INT, SOCKADDR_INTERFACE, interfaceIndex);
        address.set(ValueLayout.JAVA_INT, SOCKADDR_QUEUE, queue);
        return Libc.bind(fd, address);
    }

    private static boolean isZeroCopy(int fd, Arena arena) {
        MemorySegment options = arena.allocate(4, 4);
        return Libc.getsockopt(fd, SOL_XDP, XDP_OPTIONS, options) >= 0
                && (options.get(ValueLayout.JAVA_INT, 0) & XDP_OPTIONS_ZEROCOPY) != 0;
    }

    private static void check(String operation, int result, String where, String remedy) {
        if (result < 0) throw new SysException(operation, -result, where, remedy);
    }
}
