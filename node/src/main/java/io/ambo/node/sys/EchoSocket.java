package io.ambo.node.sys;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.ByteOrder;

/**
 * ICMP echo with one host, which its kernel answers whatever its processes do (RFC 792, RFC 4443). Never waits. One thread uses it.
 *
 * <p>
 * A request carries a random number and a count; an answer is taken only when it has the same number and a count that no answer before had. So who does not see
 * this link cannot make a dead host look alive, and nobody can with old answers. Who does see it can.
 */
public final class EchoSocket implements AutoCloseable {
    private static final int IPPROTO_ICMP = 1, IPPROTO_ICMPV6 = 58, SOL_RAW = 255, ICMP_FILTER = 1, ICMPV6_FILTER = 1;
    private static final int REQUEST4 = 8, REPLY4 = 0, REQUEST6 = 128, REPLY6 = 129;
    /** Type, code, checksum, identifier, sequence number; then a number and a count of eight bytes each. */
    private static final int HEADER = 8, MESSAGE = 24, NUMBER = 8, COUNT = 16;
    private static final int BUFFER_BYTES = 256;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(BUFFER_BYTES, 8);
    private final int fd;
    private final boolean ipv4;
    private final long number;
    private long sent;
    private long answered;

    /**
     * Opens it.
     *
     * @param local  this host's address that requests come from
     * @param peer   of the same IP version
     * @param number random
     * @throws SysException when the kernel refuses
     */
    public EchoSocket(InetAddress local, InetAddress peer, long number) {
        this.number = number;
        ipv4 = peer.getAddress().length == 4;
        fd = Libc.socket(ipv4 ? Libc.AF_INET : Libc.AF_INET6, Libc.SOCK_RAW | Libc.SOCK_NONBLOCK, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        filter();
        int result = Libc.bind(fd, address(local));
        if (result == 0) result = Libc.connect(fd, address(peer));
        if (result < 0) {
            close();
            throw new SysException("open a socket for probes", -result, "from " + local.getHostAddress() + " to " + peer.getHostAddress(),
                    "check cluster.bind-address");
        }
    }

    public int fd() { return fd; }

    /** @return 0, or the negative errno */
    public int send() {
        sent++;
        buffer.asSlice(0, MESSAGE).fill((byte) 0);
        buffer.set(ValueLayout.JAVA_BYTE, 0, (byte) (ipv4 ? REQUEST4 : REQUEST6));
        buffer.set(NETWORK_SHORT, 4, (short) number);
        buffer.set(NETWORK_SHORT, 6, (short) sent);
        buffer.set(ValueLayout.JAVA_LONG_UNALIGNED, NUMBER, number);
        buffer.set(ValueLayout.JAVA_LONG_UNALIGNED, COUNT, sent);
        // That of ICMPv6 covers the IP header too, and the kernel fills it in.
        if (ipv4) buffer.set(NETWORK_SHORT, 2, (short) checksum());
        long result = Libc.send(fd, buffer, MESSAGE, Libc.MSG_DONTWAIT);
        return result < 0 ? (int) result : 0;
    }

    /** Reads what has come. @return how many requests have been answered */
    public int receive() {
        int answers = 0;
        for (int i = 0; i < BUFFER_BYTES; i++) {
            long received = Libc.receive(fd, buffer, BUFFER_BYTES, Libc.MSG_DONTWAIT);
            if (received <= 0) break;
            int at = ipv4 ? (buffer.get(ValueLayout.JAVA_BYTE, 0) & 0xF) * 4 : 0;
            if (received - at < MESSAGE || buffer.get(ValueLayout.JAVA_BYTE, at) != (byte) (ipv4 ? REPLY4 : REPLY6)) continue;
            long count = buffer.get(ValueLayout.JAVA_LONG_UNALIGNED, at + COUNT);
            if (buffer.get(ValueLayout.JAVA_LONG_UNALIGNED, at + NUMBER) != number || count <= answered || count > sent) continue;
            answered = count;
            answers++;
        }
        return answers;
    }

    private int checksum() {
        int sum = 0;
        for (int i = 0; i < MESSAGE; i += 2) sum += Short.toUnsignedInt(buffer.get(NETWORK_SHORT, i));
        while (sum >>> 16 != 0) sum = (sum & 0xFFFF) + (sum >>> 16);
        return ~sum & 0xFFFF;
    }

    /** Only answers wake this process up. */
    private void filter() {
        if (ipv4) {
            Libc.setsockopt(fd, SOL_RAW, ICMP_FILTER, ~(1 << REPLY4));
            return;
        }
        MemorySegment blocked = arena.allocate(32, 4);
        blocked.fill((byte) -1);
        blocked.set(ValueLayout.JAVA_INT, REPLY6 / 32 * 4, ~(1 << REPLY6 % 32));
        Libc.setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, blocked);
    }

    /** struct sockaddr_in or sockaddr_in6, port 0. */
    private MemorySegment address(InetAddress of) {
        byte[] bytes = of.getAddress();
        MemorySegment address = arena.allocate(ipv4 ? 16 : 28, 4);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) (ipv4 ? Libc.AF_INET : Libc.AF_INET6));
        MemorySegment.copy(bytes, 0, address, ValueLayout.JAVA_BYTE, ipv4 ? 4 : HEADER, bytes.length);
        return address;
    }

    @Override
    public void close() {
        Libc.close(fd);
        arena.close();
    }
}
