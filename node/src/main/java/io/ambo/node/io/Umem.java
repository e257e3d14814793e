package io.ambo.node.io;

import io.ambo.node.sys.Libc;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Packet memory of one worker: frames of one page each, and the stack of those that are free. Lives on the worker's thread, except {@link #segment()}.
 *
 * <p>A frame has one owner at any time: the free stack, the worker, or a {@link XskSocket} (its rings, and the kernel behind them).
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

    private static final int FRAME_SHIFT = Integer.numberOfTrailingZeros(FRAME_SIZE);
    /** Owners of frames. From {@link #FIRST_SOCKET} on they are sockets. */
    private static final byte FREE = 0, WORKER = 1, LOST = 2, FIRST_SOCKET = 3;

    private final MemorySegment segment;
    /** Numbers of the free frames; the one freed last is used next, since it is in the cache. */
    private final int[] freeFrames;
    private int freeCount;
    /** By number of the frame. It is what lets a closing socket give back its frames, and finds a frame that is freed twice. */
    private final byte[] owners;
    private final boolean[] socketIds = new boolean[Byte.MAX_VALUE + 1];
    private int openSockets;
    private boolean closed;

    private Umem(MemorySegment segment, int frameCount) {
        this.segment = segment;
        freeFrames = new int[frameCount];
        owners = new byte[frameCount];
        Arrays.setAll(freeFrames, i -> frameCount - 1 - i);
        freeCount = frameCount;
    }

    /**
     * Reserves and zeroes the memory, in large pages where the kernel has them: frames are used in turn, so that each packet meets a page that the processor
     * has forgotten.
     *
     * @param frameCount frames of {@link #FRAME_SIZE} bytes, see {@link #framesFor}
     * @throws io.ambo.node.sys.SysException when there is not as much memory
     */
    public static Umem create(int frameCount) {
        if (frameCount < 1) throw new IllegalArgumentException("frames: " + frameCount);
        Libc.raiseMemlockLimit();
        MemorySegment memory = Libc.mmap((long) frameCount << FRAME_SHIFT, Libc.PROT_READ | Libc.PROT_WRITE,
                Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        Libc.preferLargePages(memory);
        memory.fill((byte) 0);
        return new Umem(memory, frameCount);
    }

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
        return segment;
    }

    /** Takes a free frame. @return the address where its first byte belongs, {@link #HEADROOM} bytes into the frame, or {@link #NO_FRAME} */
    public long allocate() {
        long frame = takeFree(WORKER);
        return frame == NO_FRAME ? NO_FRAME : frame + HEADROOM;
    }

    /** Gives the frame back that this byte is in. */
    public void free(long address) { giveBack(address, WORKER); }

    /** Frames on the free stack now. */
    public int freeCount() { return freeCount; }

    public int frameCount() { return owners.length; }

    /** Bytes of the frame before this address. */
    public static int headroom(long address) { return (int) (address & (FRAME_SIZE - 1)); }

    /** Bytes of the frame from this address on. */
    public static int room(long address) { return FRAME_SIZE - headroom(address); }

    /** Returns the memory. All sockets on it must be closed before. */
    @Override
    public void close() {
        if (closed) return;
        if (openSockets > 0) throw new IllegalStateException(openSockets + " sockets still use this packet memory");
        closed = true;
        Libc.munmap(segment);
    }

    /** A number for a new socket, to own frames under. */
    byte joinSocket() {
        for (int id = FIRST_SOCKET; id < socketIds.length; id++) {
            if (socketIds[id]) continue;
            socketIds[id] = true;
            openSockets++;
            return (byte) id;
        }
        throw new IllegalStateException("more sockets on one packet memory than " + (socketIds.length - FIRST_SOCKET));
    }

    /**
     * A socket was closed.
     *
     * @param reusable its frames can be used again; otherwise a device may still write into them, and they are lost
     */
    void leaveSocket(byte id, boolean reusable) {
        for (int frame = 0; frame < owners.length; frame++) {
            if (owners[frame] != id) continue;
            if (reusable) {
                giveBack((long) frame << FRAME_SHIFT, id);
            } else {
                owners[frame] = LOST;
            }
        }
        socketIds[id] = false;
        openSockets--;
    }

    /** @return address of the start of a frame that belongs to this owner now, or {@link #NO_FRAME} */
    long takeFree(byte owner) {
        if (freeCount == 0) return NO_FRAME;
        int frame = freeFrames[--freeCount];
        assert owners[frame] == FREE;
        owners[frame] = owner;
        return (long) frame << FRAME_SHIFT;
    }

    void giveBack(long address, byte owner) {
        int frame = (int) (address >>> FRAME_SHIFT);
        assert owners[frame] == owner : "frame " + frame + " is given back by " + owner + " but belongs to " + owners[frame];
        owners[frame] = FREE;
        freeFrames[freeCount++] = frame;
    }

    void giveToWorker(long address, byte socket) {
        int frame = (int) (address >>> FRAME_SHIFT);
        assert owners[frame] == socket : "frame " + frame + " was received by " + socket + " but belongs to " + owners[frame];
        owners[frame] = WORKER;
    }

    void takeFromWorker(long address, byte socket) {
        int frame = (int) (address >>> FRAME_SHIFT);
        assert owners[frame] == WORKER : "frame " + frame + " is sent but belongs to " + owners[frame];
        owners[frame] = socket;
    }
}
