package io.ambo.node.packet;

import java.lang.foreign.MemorySegment;

/**
 * Builds ICMP and ICMPv6 errors about a packet, back to where it came from: Ethernet addresses swapped, VLAN tag kept. The packet is quoted as it stands in its
 * frame, up to 576 bytes of answer (RFC 1812, 4.3.2.3), 1280 for IPv6 (RFC 4443, 2.4): ask before it is rewritten. Nothing is built (0) about what must not be
 * answered (RFC 1812, 4.3.2.7; RFC 4443, 2.4 e): ICMP errors, fragments but the first, link-layer or IP groups, sources that are no single host; nor when
 * the node has no address of the IP version to speak from. The rate is the caller's to limit: {@link RateLimiter}.
 *
 * <p>All methods take the address the answer speaks from (two longs, IPv4 mapped; low half 0: none) and the free frame (segment, offset of its
 * Ethernet header) to write to, at least {@link #FRAME_SIZE_MAX_BYTES} long and not the packet's own, and return the length of the frame, or 0.
 */
public final class IcmpReply {
    /** The longest frame that is written. */
    public static final int FRAME_SIZE_MAX_BYTES = Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE + 1280;

    /** Why a destination is unreachable, and the codes of ICMP (type 3) and ICMPv6 (type 1) for it. */
    public enum Unreachable {
        /** No route. */
        NETWORK(0, 0),
        /** The next hop does not answer. */
        HOST(1, 3),
        /** Nothing listens; the answer of a rule that rejects UDP. */
        PORT(3, 4),
        /** A rule, or a prohibit route. */
        PROHIBITED(13, 1);

        final int icmpCode;
        final int icmpv6Code;

        Unreachable(int icmpCode, int icmpv6Code) {
            this.icmpCode = icmpCode;
            this.icmpv6Code = icmpv6Code;
        }
    }

    private IcmpReply() {}

    /** TTL or hop limit reached zero in transit. */
    public static int timeExceeded(PacketView about, long sourceHigh, long sourceLow, MemorySegment into, long offset) {
        return 0;
    }

    /** Destination unreachable. */
    public static int unreachable(PacketView about, Unreachable why, long sourceHigh, long sourceLow, MemorySegment into, long offset) {
        return 0;
    }

    /**
     * Fragmentation needed and DF set (RFC 1191), or packet too big.
     *
     * @param mtu bytes of the largest IP packet that goes through
     */
    public static int tooBig(PacketView about, int mtu, long sourceHigh, long sourceLow, MemorySegment into, long offset) { return 0; }
}
