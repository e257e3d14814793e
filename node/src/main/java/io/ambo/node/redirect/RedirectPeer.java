package io.ambo.node.redirect;

import io.ambo.cluster.membership.NodeId;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.ByteOrder;
import java.util.Arrays;

/** A member as the others send to it, and know what is its. Immutable, but for the window. */
final class RedirectPeer {
    private static final short AF_INET = 2, AF_INET6 = 10;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    final NodeId id;
    final InetAddress inetAddress;
    final int port;
    /** 16 bytes, an IPv4 address mapped. */
    final MemorySegment address;
    /** struct sockaddr_in or sockaddr_in6. */
    final MemorySegment socketAddress;
    final byte[] salt;
    final long key0;
    final long key1;
    final ReplayWindow window;
    /** Of its kernel's lane; empty: its kernel sends nothing. */
    final byte[] kernelSalt;
    /** Its kernel takes packets from other kernels. */
    final boolean kernel;

    RedirectPeer(NodeId id, InetAddress inetAddress, int port, byte[] salt, byte[] key, ReplayWindow window, byte[] kernelSalt,
            boolean kernel) {
        this.id = id;
        this.inetAddress = inetAddress;
        this.port = port;
        address = mapped(inetAddress);
        socketAddress = socketAddress(inetAddress, port);
        this.salt = salt;
        key0 = word(key, 0);
        key1 = word(key, 1);
        this.window = window;
        this.kernelSalt = kernelSalt;
        this.kernel = kernel;
    }

    boolean saysTheSame(RedirectPeer other) {
        return inetAddress.equals(other.inetAddress) && port == other.port && kernel == other.kernel && Arrays.equals(salt, other.salt)
                && Arrays.equals(kernelSalt, other.kernelSalt);
    }

    /** Half of a key of 16 bytes, as SipHash takes it. */
    static long word(byte[] key, int index) {
        return MemorySegment.ofArray(key).get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 8L * index);
    }

    static MemorySegment mapped(InetAddress address) {
        MemorySegment mapped = Arena.ofAuto().allocate(Geneve.ADDRESS, 8);
        byte[] bytes = address.getAddress();
        MemorySegment.copy(bytes, 0, mapped, ValueLayout.JAVA_BYTE, Geneve.ADDRESS - bytes.length, bytes.length);
        if (bytes.length == 4) mapped.set(NETWORK_SHORT, 10, (short) 0xFFFF);
        return mapped;
    }

    static MemorySegment socketAddress(InetAddress address, int port) {
        byte[] bytes = address.getAddress();
        boolean ipv6 = bytes.length == Geneve.ADDRESS;
        MemorySegment socketAddress = Arena.ofAuto().allocate(ipv6 ? 28 : 16, 8);
        socketAddress.set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, ipv6 ? AF_INET6 : AF_INET);
        socketAddress.set(NETWORK_SHORT, 2, (short) port);
        MemorySegment.copy(bytes, 0, socketAddress, ValueLayout.JAVA_BYTE, ipv6 ? 8 : 4, bytes.length);
        return socketAddress;
    }
}
