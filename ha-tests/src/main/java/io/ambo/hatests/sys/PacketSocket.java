package io.ambo.hatests.sys;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Whole Ethernet frames out of and into one interface (AF_PACKET, packet(7)). Made on a thread that is in the interface's namespace; used by one thread
 * at a time, which may be another.
 */
public final class PacketSocket implements AutoCloseable {
    /** Frames that one system call sends at most. */
    public static final int BATCH = 256;
    private static final int AF_PACKET = 17, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, SOL_PACKET = 263, PACKET_QDISC_BYPASS = 20,
            ETH_P_ALL = 0x0300;
    private static final int SOL_SOCKET = 1, SO_RCVBUFFORCE = 33, RECEIVE_BUFFER_BYTES = 8 << 20;
    /** struct sockaddr_ll: family, protocol, interface index, hardware type, packet type, address length, address. */
    private static final int SOCKADDR_LL_SIZE = 20;
    /** struct mmsghdr: msghdr (56 bytes) and the count of bytes sent, padded. */
    private static final int MMSGHDR_SIZE = 64, MSG_IOV = 16, MSG_IOVLEN = 24;
    private static final int IOVEC_SIZE = 16;

    private final Arena arena = Arena.ofShared();
    private final int fd;
    private final MemorySegment headers;
    private final MemorySegment vectors;
    private final MemorySegment received = arena.allocate(65_536);

    private PacketSocket(int fd) {
        this.fd = fd;
        headers = arena.allocate((long) BATCH * MMSGHDR_SIZE, 8);
        vectors = arena.allocate((long) BATCH * IOVEC_SIZE, 8);
        for (int i = 0; i < BATCH; i++) {
            headers.set(JAVA_LONG, (long) i * MMSGHDR_SIZE + MSG_IOV, vectors.address() + (long) i * IOVEC_SIZE);
            headers.set(JAVA_LONG, (long) i * MMSGHDR_SIZE + MSG_IOVLEN, 1);
        }
    }

    /** Sends only: nothing is received, so that the kernel does not copy every frame for it. */
    public static PacketSocket sender(String device) {
        return open(device, 0);
    }

    /** Sends, and receives all that the interface sees in either direction. */
    public static PacketSocket listener(String device) {
        return open(device, ETH_P_ALL);
    }

    private static PacketSocket open(String device, int protocol) {
        int fd = Libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(SOCKADDR_LL_SIZE, 4);
            address.set(JAVA_SHORT_UNALIGNED, 0, (short) AF_PACKET);
            address.set(JAVA_SHORT_UNALIGNED, 2, (short) protocol);
            address.set(JAVA_INT, 4, Libc.interfaceIndex(device));
            Libc.setIntOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
            Libc.setReceiveTimeout(fd, 100);
            Libc.setIntOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
            Libc.bind(fd, address);
            return new PacketSocket(fd);
        } catch (RuntimeException failed) {
            Libc.close(fd);
            throw failed;
        }
    }

    /** Sends frames, waiting while the device's queue is full. */
    public void send(List<byte[]> frames) {
        try (Arena copy = Arena.ofConfined()) {
            for (int first = 0; first < frames.size(); first += BATCH) {
                int count = Math.min(BATCH, frames.size() - first);
                for (int i = 0; i < count; i++) {
                    byte[] frame = frames.get(first + i);
                    setFrame(i, copy.allocateFrom(JAVA_BYTE, frame), frame.length);
                }
                sendPrepared(count);
            }
        }
    }

    /** Puts a frame at a place of the batch; its memory must live until {@link #sendPrepared} returned. */
    public void setFrame(int place, MemorySegment frame, int length) {
        vectors.set(JAVA_LONG, (long) place * IOVEC_SIZE, frame.address());
        vectors.set(JAVA_LONG, (long) place * IOVEC_SIZE + 8, length);
    }

    /** Sends the first frames of the batch. */
    public void sendPrepared(int count) {
        int sent = 0;
        while (sent < count) {
            int more = Libc.sendMany(fd, headers.asSlice((long) sent * MMSGHDR_SIZE), count - sent);
            if (more == 0) Thread.onSpinWait();
            sent += more;
        }
    }

    /** The next frame the interface saw, big-endian, valid until the next call; empty when none came within 100 ms. */
    public ByteBuffer receive() {
        int length = Math.max(0, Libc.receive(fd, received));
        return received.asSlice(0, length).asByteBuffer().order(ByteOrder.BIG_ENDIAN);
    }

    @Override
    public void close() {
        Libc.close(fd);
        arena.close();
    }
}
