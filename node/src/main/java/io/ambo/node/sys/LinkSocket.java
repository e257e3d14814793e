package io.ambo.node.sys;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Frames of one protocol on one interface, as the kernel receives them (packet(7)), and any frame out of it. Never waits. One thread uses it.
 */
public final class LinkSocket implements AutoCloseable {
    public static final int ARP = 0x0806, IPV6 = 0x86DD;

    private static final int BUFFER_BYTES = 2048;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    /** struct sockaddr_ll: family (2), protocol (2), index (4), and what bind does not look at (12). */
    private static final int SOCKADDR_BYTES = 20;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(BUFFER_BYTES, 8);
    private final int fd;

    /**
     * Opens it.
     *
     * @param interfaceIndex the kernel's
     * @param protocol       of Ethernet
     * @throws SysException when the kernel refuses
     */
    public LinkSocket(int interfaceIndex, int protocol) {
        fd = Libc.socket(Libc.AF_PACKET, Libc.SOCK_RAW | Libc.SOCK_NONBLOCK, 0);
        MemorySegment address = arena.allocate(SOCKADDR_BYTES, 8);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) Libc.AF_PACKET);
        address.set(NETWORK_SHORT, 2, (short) protocol);
        address.set(ValueLayout.JAVA_INT, 4, interfaceIndex);
        int result = Libc.bind(fd, address);
        if (result < 0) {
            close();
            throw new SysException("bind a packet socket", -result, "ifindex=" + interfaceIndex, "");
        }
    }

    public int fd() { return fd; }

    /** @return 0, or the negative errno: the link may be down */
    public int send(byte[] frame) {
        MemorySegment.copy(frame, 0, buffer, ValueLayout.JAVA_BYTE, 0, frame.length);
        long sent = Libc.send(fd, buffer, frame.length, Libc.MSG_DONTWAIT);
        return sent < 0 ? (int) sent : 0;
    }

    /** The next frame, cut at the array's size. @return its length; 0: there is none now */
    public int receive(byte[] frame) {
        long received = Libc.receive(fd, buffer, Math.min(BUFFER_BYTES, frame.length), Libc.MSG_DONTWAIT);
        if (received <= 0) return 0;
        MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, frame, 0, (int) received);
        return (int) received;
    }

    @Override
    public void close() {
        Libc.close(fd);
        arena.close();
    }
}
