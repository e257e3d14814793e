package io.ambo.node.sys;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Sends and receives whole Ethernet frames on one interface (AF_PACKET): what a host at the other end of the wire does. */
public final class RawSocket implements AutoCloseable {
    private static final int AF_PACKET = 17, ETH_P_ALL = 3;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);

    private final int fd;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(65_536);
    private final MemorySegment pollfd = arena.allocate(8, 8);
    private final MemorySegment timeout = arena.allocate(16, 8);

    public RawSocket(String interfaceName) {
        fd = Libc.socket(AF_PACKET, Libc.SOCK_RAW | Libc.SOCK_NONBLOCK, Short.toUnsignedInt(Short.reverseBytes((short) ETH_P_ALL)));
        Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_RCVBUFFORCE, 64 << 20);
        MemorySegment address = arena.allocate(20, 8);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_PACKET);
        address.set(NETWORK_SHORT, 2, (short) ETH_P_ALL);
        address.set(ValueLayout.JAVA_INT, 4, NetworkDevice.index(interfaceName));
        int result = Libc.bind(fd, address);
        if (result < 0) throw new SysException("bind a packet socket", -result, interfaceName, "");
        pollfd.set(ValueLayout.JAVA_INT, 0, fd);
        pollfd.set(ValueLayout.JAVA_SHORT, 4, Libc.POLLIN);
    }

    public void send(byte[] frame) {
        MemorySegment.copy(frame, 0, buffer, ValueLayout.JAVA_BYTE, 0, frame.length);
        long sent = Libc.send(fd, buffer, frame.length, 0);
        if (sent != frame.length) throw new SysException("send a frame", (int) -sent, "bytes=" + frame.length, "");
    }

    /** The next frame; empty when none comes within the time. */
    public Optional<byte[]> receive(int timeoutMs) {
        timeout.set(ValueLayout.JAVA_LONG, 0, timeoutMs / 1000);
        timeout.set(ValueLayout.JAVA_LONG, 8, TimeUnit.MILLISECONDS.toNanos(timeoutMs % 1000));
        if (Libc.poll(pollfd, 1, timeout) <= 0) return Optional.empty();
        long length = Libc.receive(fd, buffer, buffer.byteSize(), Libc.MSG_DONTWAIT);
        return length < 0 ? Optional.empty() : Optional.of(buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE));
    }

    @Override
    public void close() {
        Libc.close(fd);
        arena.close();
    }
}
