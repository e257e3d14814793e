package io.ambo.node.sys;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * A socket to the kernel's routing netlink (rtnetlink(7)), in the network namespace of the thread that opens it. One thread uses it at a time; a socket either
 * asks ({@link #request}, {@link #ask}) or listens ({@link #receive}), not both.
 */
public final class Netlink implements AutoCloseable {
    /** {@link #receive}: the kernel had to throw events away. Whatever was known must be read again. */
    public static final int OVERFLOW = -1;

    /** Request flags, netlink(7). */
    public static final int REQUEST = 0x1, ACK = 0x4, REPLACE = 0x100, CREATE = 0x400, DUMP = 0x300;

    private static final int ERROR = 2, DONE = 3;
    private static final int MULTI = 0x2, DUMP_INTERRUPTED = 0x10;

    private static final int AF_NETLINK = 16, SOCK_RAW_CLOEXEC = 3 | 0x80000, NETLINK_ROUTE = 0;
    private static final int SOL_SOCKET = 1, SO_RCVBUF = 8, SO_RCVBUFFORCE = 33, SOL_NETLINK = 270, ADD_MEMBERSHIP = 1, CAP_ACK = 10;
    private static final int MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, POLLIN = 1;
    /** Larger than any datagram that rtnetlink sends (a dump fills 32 KiB at most). */
    private static final int DATAGRAM_BYTES = 64 * 1024;
    private static final int REQUEST_BYTES = 256;
    /** struct sockaddr_nl: family (2), padding (2), port (4), groups (4). */
    private static final int SOCKADDR_BYTES = 12;

    private static final MethodHandle SOCKET = Native.errnoFunction("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle BIND = Native.errnoFunction("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SETSOCKOPT = Native.errnoFunction("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS,
            JAVA_INT);
    private static final MethodHandle SEND = Native.errnoFunction("send", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECVFROM = Native.errnoFunction("recvfrom", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT,
            ADDRESS, ADDRESS);
    private static final MethodHandle POLL = Native.errnoFunction("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle CLOSE = Native.errnoFunction("close", JAVA_INT, JAVA_INT);

    /** Sees each message of an answer, or each event; the message is valid during the call only. */
    @FunctionalInterface
    public interface Visitor {
        void onMessage(NetlinkMessage message);
    }

    private final Arena arena = Arena.ofShared();
    private final MemorySegment datagram = arena.allocate(DATAGRAM_BYTES, 8);
    private final MemorySegment requestBytes = arena.allocate(REQUEST_BYTES, 8);
    private final MemorySegment sender = arena.allocate(SOCKADDR_BYTES, 4);
    private final MemorySegment senderSize = arena.allocate(JAVA_INT);
    private final MemorySegment pollDescriptor = arena.allocate(8, 4);
    private final NetlinkRequest request = new NetlinkRequest(requestBytes);
    private final NetlinkMessage message = new NetlinkMessage();
    private final int descriptor;
    private int seq;
    private boolean closed;

    private Netlink(int descriptor) { this.descriptor = descriptor; }

    /**
     * Opens a socket.
     *
     * @param receiveBufferBytes how much the kernel may queue; beyond the system's limit only with CAP_NET_ADMIN
     * @param groups             multicast groups to listen to ({@link Rtnetlink}); none for a socket that asks
     * @throws SysException when the kernel refuses
     */
    public static Netlink open(int receiveBufferBytes, int... groups) {
        MemorySegment captured = Native.captured();
        int descriptor;
        try {
            descriptor = (int) SOCKET.invokeExact(captured, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        if (descriptor < 0) throw failure("open a netlink socket", Native.errno(captured));
        Netlink socket = new Netlink(descriptor);
        try {
            socket.prepare(receiveBufferBytes, groups);
            return socket;
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    /** Starts a request; the struct after the header is zero. Ends the one before. */
    public NetlinkRequest request(int type, int flags, int structSize) {
        return request.begin(type, flags | REQUEST, structSize);
    }

    /**
     * Sends the request and passes the messages of its answer on. Answers to earlier requests are skipped.
     *
     * @param timeoutMs how long to wait for more of the answer; 0: not at all, which suffices for lookups because the kernel answers inside the send
     * @return 0, or the positive errno that the kernel answered with; {@link Errno#ETIMEDOUT} when the answer did not come, {@link Errno#EINTR} when
     *         what a dump reads changed meanwhile (ask again)
     */
    public int ask(int timeoutMs, Visitor visitor) {
        int expected = ++seq;
        int sent = send(request.finish(expected));
        if (sent != 0) return sent;
        boolean acknowledged = (request.flags() & ACK) != 0;
        boolean interrupted = false;
        while (true) {
            int bytes = datagram(timeoutMs);
            if (bytes <= 0) return bytes == 0 ? Errno.ETIMEDOUT : -bytes;
            message.wrap(datagram, 0, bytes);
            while (message.next()) {
                if (message.seq() != expected) continue;
                int flags = message.flags();
                interrupted |= (flags & DUMP_INTERRUPTED) != 0;
                int type = message.type();
                if (type == ERROR || type == DONE) {
                    int errno = -message.i32(0);
                    return errno != 0 ? Math.abs(errno) : interrupted ? Errno.EINTR : 0;
                }
                visitor.onMessage(message);
                if ((flags & MULTI) == 0 && !acknowledged) return 0;
            }
        }
    }

    /**
     * Waits for events and passes on those that are there, one datagram's worth.
     *
     * @return messages seen; 0: none in time; {@link #OVERFLOW}: some were lost
     */
    public int receive(int timeoutMs, Visitor visitor) {
        int bytes = datagram(timeoutMs);
        if (bytes == 0 || bytes == -Errno.EINTR) return 0;
        if (bytes == -Errno.ENOBUFS) return OVERFLOW;
        if (bytes < 0) throw failure("receive netlink events", -bytes);
        message.wrap(datagram, 0, bytes);
        int messages = 0;
        while (message.next()) {
            visitor.onMessage(message);
            messages++;
        }
        return messages;
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        MemorySegment captured = Native.captured();
        try {
            int ignored = (int) CLOSE.invokeExact(captured, descriptor);
        } catch (Throwable e) {
            throw unexpected(e);
        } finally {
            arena.close();
        }
    }

    private void prepare(int receiveBufferBytes, int[] groups) {
        MemorySegment captured = Native.captured();
        MemorySegment address = sender;
        address.fill((byte) 0);
        address.set(JAVA_SHORT, 0, (short) AF_NETLINK);
        int bound;
        try {
            bound = (int) BIND.invokeExact(captured, descriptor, address, SOCKADDR_BYTES);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        if (bound != 0) throw failure("bind a netlink socket", Native.errno(captured));
        if (setOption(SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) != 0) setOption(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
        setOption(SOL_NETLINK, CAP_ACK, 1);
        for (int group : groups) {
            int errno = setOption(SOL_NETLINK, ADD_MEMBERSHIP, group);
            if (errno != 0) throw new SysException("listen to netlink events", errno, "group=" + group, "");
        }
    }

    private int setOption(int level, int option, int value) {
        MemorySegment captured = Native.captured();
        senderSize.set(JAVA_INT, 0, value);
        try {
            int result = (int) SETSOCKOPT.invokeExact(captured, descriptor, level, option, senderSize, 4);
            return result == 0 ? 0 : Native.errno(captured);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private int send(int bytes) {
        MemorySegment captured = Native.captured();
        try {
            long sent = (long) SEND.invokeExact(captured, descriptor, requestBytes, (long) bytes, MSG_DONTWAIT);
            return sent == bytes ? 0 : sent < 0 ? Native.errno(captured) : Errno.EINVAL;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** Receives one datagram of the kernel's. @return bytes; 0: none in time; negative: -errno */
    private int datagram(int timeoutMs) {
        MemorySegment captured = Native.captured();
        boolean waited = timeoutMs == 0;
        while (true) {
            long bytes;
            int errno;
            senderSize.set(JAVA_INT, 0, SOCKADDR_BYTES);
            try {
                bytes = (long) RECVFROM.invokeExact(captured, descriptor, datagram, (long) DATAGRAM_BYTES, MSG_DONTWAIT | MSG_TRUNC, sender,
                        senderSize);
                errno = bytes < 0 ? Native.errno(captured) : 0;
            } catch (Throwable e) {
                throw unexpected(e);
            }
            if (bytes > DATAGRAM_BYTES) return -Errno.ENOBUFS;
            // Any process may send to a netlink socket; the kernel's own port is 0.
            if (bytes > 0 && sender.get(JAVA_INT, 4) == 0) return (int) bytes;
            if (bytes >= 0 || errno == Errno.EINTR) continue;
            if (errno != Errno.EAGAIN) return -errno;
            if (waited || !readable(timeoutMs)) return 0;
            waited = true;
        }
    }

    private boolean readable(int timeoutMs) {
        MemorySegment captured = Native.captured();
        pollDescriptor.set(JAVA_INT, 0, descriptor);
        pollDescriptor.set(JAVA_SHORT, 4, (short) POLLIN);
        pollDescriptor.set(JAVA_SHORT, 6, (short) 0);
        try {
            return (int) POLL.invokeExact(captured, pollDescriptor, 1L, timeoutMs) > 0;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static SysException failure(String operation, int errno) {
        return new SysException(operation, errno, "NETLINK_ROUTE", "Ambo needs CAP_NET_ADMIN and a kernel with rtnetlink");
    }

    private static AssertionError unexpected(Throwable e) { return new AssertionError("a call into libc threw", e); }
}
