package io.ambo.node.packet;

import java.lang.foreign.MemorySegment;

/**
 * Splits an IPv4 packet (or fragment) that is larger than the MTU of its way out (RFC 791, 3.2). IPv6 is never split on the way. The packet itself stays as it
 * is; each fragment is written to a free frame with the packet's Ethernet header, so rewrite the packet first. Usage:
 *
 * <pre>
 *   int count = Fragmenter.count(packet, mtu);
 *   for (int i = 0; i &lt; count; i++) { ... length = Fragmenter.write(packet, mtu, i, umem, frame); }
 * </pre>
 */
public final class Fragmenter {
    /** Every IPv4 link carries packets of this size (RFC 791). */
    public static final int MTU_MIN_BYTES = 68;

    private Fragmenter() {}

    /**
     * How many fragments the packet becomes.
     *
     * @return 1 when it fits, 0 when it must not be split: IPv6, don't fragment, or an MTU below {@link #MTU_MIN_BYTES}
     */
    public static int count(PacketView packet, int mtu) { return 0; }

    /**
     * Writes one fragment.
     *
     * @param index  0 to count - 1
     * @param offset of the Ethernet header to write; there is room for the Ethernet header and {@code mtu} bytes
     * @return length of the frame
     */
    public static int write(PacketView packet, int mtu, int index, MemorySegment into, long offset) { return 0; }
}
