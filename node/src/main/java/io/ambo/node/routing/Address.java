package io.ambo.node.routing;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;

/**
 * An IP address as 128 bits in network order; IPv4 is mapped (::ffff:a.b.c.d).
 *
 * @param high first eight bytes
 * @param low  last eight bytes
 */
public record Address(long high, long low) {
    private static final long MAPPED = 0x0000_FFFF_0000_0000L;

    /** An IPv4 address given as its 32 bits. */
    public static Address ofIpv4(int bits) { return new Address(0, mapped(bits)); }

    public boolean isIpv4() { return isIpv4(high, low); }

    /** The 32 bits of an IPv4 address. */
    public int ipv4() { return (int) low; }

    /** The 16 bytes in network order. */
    public byte[] bytes() { return ByteBuffer.allocate(16).putLong(high).putLong(low).array(); }

    static boolean isIpv4(long high, long low) { return high == 0 && low >>> 32 == MAPPED >>> 32; }

    static long mapped(int ipv4) { return MAPPED | Integer.toUnsignedLong(ipv4); }

    public InetAddress toInetAddress() {
        try {
            return InetAddress.getByAddress(isIpv4() ? ByteBuffer.allocate(4).putInt(ipv4()).array() : bytes());
        } catch (UnknownHostException e) {
            throw new AssertionError("an address of 4 or 16 bytes is always accepted", e);
        }
    }

    /** As people write it. */
    @Override
    public String toString() { return toInetAddress().getHostAddress(); }
}
