package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.put16;
import static io.ambo.node.packet.Wire.put32;

import java.lang.foreign.MemorySegment;

/**
 * Builds ICMP and ICMPv6 errors about a packet, back to where it came from: Ethernet addresses swapped, VLAN tag kept. The packet is quoted as it stands in its
 * frame, up to 576 bytes of answer (RFC 1812, 4.3.2.3), 1280 for IPv6 (RFC 4443, 2.4): ask before it is rewritten. Nothing is built (0) about what must not be
 * answered (RFC 1812, 4.3.2.7; RFC 4443, 2.4 e): ICMP errors, fragments but the first, link-layer or IP groups, sources that are no single host; nor when
 * the node has no address of the IP version to speak from. The rate is the caller's to limit: {@link RateLimiter}.
 *
 * <p>All methods take the address the answer speaks from (two longs, IPv4 mapped; all 0: none) and the free frame (segment, offset of its
 * Ethernet header) to write to, at least {@link #FRAME_SIZE_MAX_BYTES} long and not the packet's own, and return the length of the frame, or 0.
 */
public final class IcmpReply {
    private static final int IPV4_LENGTH_MAX = 576;
    private static final int IPV6_LENGTH_MAX = 1280;
    /** Precedence of ICMP errors (RFC 1812, 4.3.2.5). */
    private static final int TOS_INTERNETWORK_CONTROL = 0xC0;
    /** The longest frame that is written. */
    public static final int FRAME_SIZE_MAX_BYTES = Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE + IPV6_LENGTH_MAX;

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
        return about.ipVersion == 4
                ? ipv4(about, 11, 0, 0, sourceLow, into, offset)
                : ipv6(about, 3, 0, 0, sourceHigh, sourceLow, into, offset);
    }

    /** Destination unreachable. */
    public static int unreachable(PacketView about, Unreachable why, long sourceHigh, long sourceLow, MemorySegment into, long offset) {
        return about.ipVersion == 4
                ? ipv4(about, 3, why.icmpCode, 0, sourceLow, into, offset)
                : ipv6(about, 1, why.icmpv6Code, 0, sourceHigh, sourceLow, into, offset);
    }

    /**
     * Fragmentation needed and DF set (RFC 1191), or packet too big.
     *
     * @param mtu bytes of the largest IP packet that goes through
     */
    public static int tooBig(PacketView about, int mtu, long sourceHigh, long sourceLow, MemorySegment into, long offset) {
        return about.ipVersion == 4
                ? ipv4(about, 3, 4, mtu & 0xFFFF, sourceLow, into, offset)
                : ipv6(about, 2, 0, mtu, sourceHigh, sourceLow, into, offset);
    }

    private static boolean mayBeAnswered(PacketView about) {
        boolean toGroup = (Wire.u8(about.segment, about.frame) & 1) != 0
                || isMartian(about.ipVersion, about.destinationHigh, about.destinationLow);
        boolean fromNoHost = isMartian(about.ipVersion, about.sourceHigh, about.sourceLow);
        boolean mayBeIcmpError = about.isIcmp() && !about.isEcho();
        return !toGroup && !fromNoHost && !mayBeIcmpError && !about.isLaterFragment();
    }

    private static boolean isMartian(int ipVersion, long high, long low) {
        return ipVersion == 4 ? Parser.isMartianIpv4((int) low) : Parser.isMartianIpv6(high, low);
    }

    private static int ipv4(PacketView about, int type, int code, int rest, long sourceLow, MemorySegment into, long offset) {
        if ((int) sourceLow == 0 || !mayBeAnswered(about)) return 0;
        int quote = Math.min(about.ipLength, IPV4_LENGTH_MAX - Wire.IPV4_SIZE - Wire.ICMP_SIZE);
        int headers = Originated.ethernetAnswer(about, into, offset);
        long ip = offset + headers;
        Originated.ipv4(into, ip, TOS_INTERNETWORK_CONTROL, Wire.ICMP_SIZE + quote, PacketView.ICMP, (int) sourceLow,
                (int) about.sourceLow);
        long icmp = ip + Wire.IPV4_SIZE;
        message(about, type, code, rest, quote, into, icmp);
        put16(into, icmp + Wire.ICMP_CHECKSUM, Checksum.finish(Checksum.sum(into, icmp, Wire.ICMP_SIZE + quote)));
        return headers + Wire.IPV4_SIZE + Wire.ICMP_SIZE + quote;
    }

    private static int ipv6(PacketView about, int type, int code, int rest, long sourceHigh, long sourceLow, MemorySegment into,
            long offset) {
        if (sourceHigh == 0 || !mayBeAnswered(about)) return 0;
        int quote = Math.min(about.ipLength, IPV6_LENGTH_MAX - Wire.IPV6_SIZE - Wire.ICMP_SIZE);
        int headers = Originated.ethernetAnswer(about, into, offset);
        long ip = offset + headers;
        Originated.ipv6(into, ip, Wire.ICMP_SIZE + quote, PacketView.ICMPV6, sourceHigh, sourceLow, about.sourceHigh, about.sourceLow);
        long icmp = ip + Wire.IPV6_SIZE;
        message(about, type, code, rest, quote, into, icmp);
        long sum = Checksum.sum(into, icmp, Wire.ICMP_SIZE + quote) + Checksum.pseudoHeader(sourceHigh, sourceLow, about.sourceHigh,
                about.sourceLow, PacketView.ICMPV6, Wire.ICMP_SIZE + quote);
        put16(into, icmp + Wire.ICMP_CHECKSUM, Checksum.finish(sum));
        return headers + Wire.IPV6_SIZE + Wire.ICMP_SIZE + quote;
    }

    private static void message(PacketView about, int type, int code, int rest, int quote, MemorySegment into, long icmp) {
        put16(into, icmp, type << 8 | code);
        put16(into, icmp + Wire.ICMP_CHECKSUM, 0);
        put32(into, icmp + 4, rest);
        MemorySegment.copy(about.segment, about.ip, into, icmp + Wire.ICMP_SIZE, quote);
    }
}
