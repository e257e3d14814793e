package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.s32;
import static io.ambo.node.packet.Wire.s64;
import static io.ambo.node.packet.Wire.u16;
import static io.ambo.node.packet.Wire.u8;

import java.lang.foreign.MemorySegment;

/**
 * Reads frames into {@link PacketView}s. Every length is checked against the frame before a byte behind it is read: the memory around a frame belongs to other
 * packets and its bounds protect nothing. Pure functions; nothing is allocated, nothing thrown.
 *
 * <p>Accepted are IPv4 and IPv6 with TCP, UDP and ICMP in Ethernet, with at most one 802.1Q tag; a priority tag (VLAN 0) counts as no VLAN. IPv4 options are
 * tolerated, source routes are not. Frames to a link-layer group are refused (RFC 1812, 5.3.4), whether a unicast one was for this node is the caller's to know.
 */
public final class Parser {
    /** Bytes of the longest IP packet that may come out of fragments. */
    private static final int IP_LENGTH_MAX = 65_535;
    private static final int QUOTED_TRANSPORT_SIZE = 8;
    private static final int EXTENSION_HEADERS_MAX = 6;
    private static final int EXTENSION_HEADERS_SIZE_MAX = 256;
    private static final int TCP_SCALE_MAX = 14;
    /** A bit for each legal set of FIN, SYN, RST and ACK, with PSH and URG left out: a SYN or RST with or without ACK; everything else has ACK. */
    private static final long VALID_TCP_FLAGS = 1L << PacketView.SYN | 1L << (PacketView.SYN | PacketView.ACK) | 1L << PacketView.RST
            | 1L << (PacketView.RST | PacketView.ACK) | 1L << PacketView.ACK | 1L << (PacketView.FIN | PacketView.ACK);
    private static final int FLAGS_OF_STATE = PacketView.FIN | PacketView.SYN | PacketView.RST | PacketView.ACK;

    private Parser() {}

    /**
     * Reads the frame that the view is wrapped around and fills its fields. In a fragment that is not the first the transport fields and ports stay unset and
     * the protocol is what the fragment says: {@link Fragments} knows the rest.
     *
     * @return {@link DropReason#NONE}, or why this packet is dropped; then the fields are those read so far
     */
    public static DropReason parse(PacketView view) {
        view.clear();
        DropReason refused = ethernet(view);
        if (refused != DropReason.NONE) return refused;
        refused = view.etherType == Wire.TYPE_IPV4 ? ipv4(view) : ipv6(view);
        if (refused != DropReason.NONE || view.isLaterFragment()) return refused;
        return switch (view.protocol) {
            case PacketView.TCP -> tcp(view);
            case PacketView.UDP -> udp(view);
            default -> icmp(view);
        };
    }

    /**
     * Checks the TCP, UDP or ICMP checksum of a parsed packet over all its bytes. Only whole packets have one that can be checked: for fragments the answer is
     * {@link DropReason#NONE}, as for UDP over IPv4 without a checksum.
     *
     * @return NONE, TCP_CHECKSUM, UDP_CHECKSUM or ICMP_CHECKSUM
     */
    public static DropReason verifyTransportChecksum(PacketView view) {
        if (view.fragment) return DropReason.NONE;
        return switch (view.protocol) {
            case PacketView.TCP -> sumsUp(view, view.transportLength, true) ? DropReason.NONE : DropReason.TCP_CHECKSUM;
            case PacketView.UDP -> verifyUdp(view);
            default -> sumsUp(view, view.transportLength, view.ipVersion == 6) ? DropReason.NONE : DropReason.ICMP_CHECKSUM;
        };
    }

    /**
     * Reads the packet that an ICMP error quotes. Of its transport header only eight bytes are promised: ports, the sequence number of TCP, the identifier of an
     * echo; the other transport fields stay unset. {@link PacketView#frame()} of the quoted packet is its IP header, {@link PacketView#ipLength()} is what its
     * header says, {@link PacketView#transportLength()} is what is there. The flow of the quoted packet is the direction in which it was sent: the
     * error travels against it.
     *
     * @param icmpError parsed, with {@link PacketView#isIcmpError()}
     * @param quoted    filled; another view than {@code icmpError}
     * @return NONE; ICMP_HEADER when the quoted packet does not fit or is not one; ICMP_QUOTE when the error's receiver never sent it, or it is an ICMP error
     *         itself; a quoted fragment that is not the first has no ports: ICMP_HEADER
     */
    public static DropReason parseQuoted(PacketView icmpError, PacketView quoted) {
        quoted.wrap(icmpError.segment, icmpError.transport + Wire.ICMP_SIZE, icmpError.transportLength - Wire.ICMP_SIZE);
        quoted.clear();
        quoted.etherType = icmpError.etherType;
        DropReason refused = icmpError.ipVersion == 4 ? quotedIpv4(quoted) : quotedIpv6(quoted);
        if (refused != DropReason.NONE) return refused;
        if (quoted.isLaterFragment() || quoted.transportLength < QUOTED_TRANSPORT_SIZE) return DropReason.ICMP_HEADER;
        if (quoted.sourceHigh != icmpError.destinationHigh || quoted.sourceLow != icmpError.destinationLow) return DropReason.ICMP_QUOTE;
        return quotedTransport(quoted);
    }

    private static DropReason ethernet(PacketView view) {
        MemorySegment segment = view.segment;
        if (view.frameLength < Wire.ETHERNET_SIZE) return DropReason.TRUNCATED;
        if ((u8(segment, view.frame) & 1) != 0) return DropReason.ETHERNET_GROUP;
        view.etherType = u16(segment, view.frame + Wire.ETHERNET_TYPE);
        view.ip = view.frame + Wire.ETHERNET_SIZE;
        if (view.etherType == Wire.TYPE_VLAN) {
            if (view.frameLength < Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE) return DropReason.TRUNCATED;
            int id = u16(segment, view.frame + Wire.ETHERNET_SIZE) & Wire.VLAN_ID_MASK;
            view.vlan = id == 0 ? -1 : id;
            view.ip += Wire.VLAN_TAG_SIZE;
            view.etherType = u16(segment, view.ip - 2);
        }
        return view.etherType == Wire.TYPE_IPV4 || view.etherType == Wire.TYPE_IPV6 ? DropReason.NONE : DropReason.ETHERNET_TYPE;
    }

    /** Bytes from the IP header to the end of the frame. */
    private static int available(PacketView view) {
        return (int) (view.frame + view.frameLength - view.ip);
    }

    private static DropReason ipv4(PacketView view) {
        int available = available(view);
        DropReason refused = ipv4Header(view, available);
        if (refused != DropReason.NONE) return refused;
        if (available < view.ipLength) return DropReason.TRUNCATED;
        int headerSize = (int) (view.transport - view.ip);
        if (Checksum.fold(Checksum.sum(view.segment, view.ip, headerSize)) != 0xFFFF) return DropReason.IP_CHECKSUM;
        if (headerSize > Wire.IPV4_SIZE) {
            refused = ipv4Options(view);
            if (refused != DropReason.NONE) return refused;
        }
        if (isMartianIpv4((int) view.sourceLow) || view.sourceLow == view.destinationLow) return DropReason.IP_SOURCE;
        if (isMartianIpv4((int) view.destinationLow)) return DropReason.IP_DESTINATION;
        if (view.protocol != PacketView.TCP && view.protocol != PacketView.UDP && view.protocol != PacketView.ICMP)
            return DropReason.IP_PROTOCOL;
        return view.fragment ? fragmentSize(view, headerSize) : DropReason.NONE;
    }

    /** Reads the header's fields. What it demands of the bytes behind it is not checked. */
    private static DropReason ipv4Header(PacketView view, int available) {
        MemorySegment segment = view.segment;
        long ip = view.ip;
        if (available < Wire.IPV4_SIZE) return DropReason.TRUNCATED;
        if (u8(segment, ip) >>> 4 != 4) return DropReason.IP_VERSION;
        int headerSize = (u8(segment, ip) & 0xF) * 4;
        view.ipVersion = 4;
        view.ipLength = u16(segment, ip + Wire.IPV4_LENGTH);
        if (headerSize < Wire.IPV4_SIZE || view.ipLength < headerSize) return DropReason.IP_HEADER;
        if (available < headerSize) return DropReason.TRUNCATED;
        int fragment = u16(segment, ip + Wire.IPV4_FRAGMENT);
        view.fragmentId = u16(segment, ip + Wire.IPV4_ID);
        view.dontFragment = (fragment & Wire.IPV4_DONT_FRAGMENT) != 0;
        view.moreFragments = (fragment & Wire.IPV4_MORE_FRAGMENTS) != 0;
        view.fragmentOffset = (fragment & Wire.IPV4_OFFSET_MASK) * 8;
        view.fragment = view.moreFragments || view.fragmentOffset != 0;
        view.ttl = u8(segment, ip + Wire.IPV4_TTL);
        view.protocol = u8(segment, ip + Wire.IPV4_PROTOCOL);
        view.sourceLow = PacketView.IPV4_MAPPED_PREFIX | s32(segment, ip + Wire.IPV4_SOURCE) & 0xFFFF_FFFFL;
        view.destinationLow = PacketView.IPV4_MAPPED_PREFIX | s32(segment, ip + Wire.IPV4_DESTINATION) & 0xFFFF_FFFFL;
        view.transport = ip + headerSize;
        view.transportLength = view.ipLength - headerSize;
        view.fragmentLength = view.transportLength;
        return DropReason.NONE;
    }

    private static DropReason ipv4Options(PacketView view) {
        long at = view.ip + Wire.IPV4_SIZE;
        while (at < view.transport) {
            int type = u8(view.segment, at);
            if (type == Wire.OPTION_END) return DropReason.NONE;
            if (type == Wire.OPTION_LOOSE_SOURCE_ROUTE || type == Wire.OPTION_STRICT_SOURCE_ROUTE) return DropReason.IP_SOURCE_ROUTE;
            int size = Wire.optionSize(view.segment, at, view.transport);
            if (size == 0) return DropReason.IP_HEADER;
            at += size;
        }
        return DropReason.NONE;
    }

    private static DropReason ipv6(PacketView view) {
        int available = available(view);
        DropReason refused = ipv6Header(view, available);
        if (refused != DropReason.NONE) return refused;
        if (available < view.ipLength) return DropReason.TRUNCATED;
        if (isMartianIpv6(view.sourceHigh, view.sourceLow)
                || view.sourceHigh == view.destinationHigh && view.sourceLow == view.destinationLow)
            return DropReason.IP_SOURCE;
        if (isMartianIpv6(view.destinationHigh, view.destinationLow)) return DropReason.IP_DESTINATION;
        return extensionHeaders(view, view.ip + view.ipLength);
    }

    private static DropReason ipv6Header(PacketView view, int available) {
        MemorySegment segment = view.segment;
        long ip = view.ip;
        if (available < Wire.IPV6_SIZE) return DropReason.TRUNCATED;
        if (u8(segment, ip) >>> 4 != 6) return DropReason.IP_VERSION;
        view.ipVersion = 6;
        view.ipLength = Wire.IPV6_SIZE + u16(segment, ip + Wire.IPV6_LENGTH);
        view.dontFragment = true;
        view.ttl = u8(segment, ip + Wire.IPV6_HOP_LIMIT);
        view.sourceHigh = s64(segment, ip + Wire.IPV6_SOURCE);
        view.sourceLow = s64(segment, ip + Wire.IPV6_SOURCE + 8);
        view.destinationHigh = s64(segment, ip + Wire.IPV6_DESTINATION);
        view.destinationLow = s64(segment, ip + Wire.IPV6_DESTINATION + 8);
        return DropReason.NONE;
    }

    /**
     * Follows the chain of headers to the transport header, or to the payload of a fragment that is not the first. A first fragment must hold
     * the chain whole (RFC 7112).
     *
     * @param end behind the last byte that may be read
     */
    private static DropReason extensionHeaders(PacketView view, long end) {
        MemorySegment segment = view.segment;
        long first = view.ip + Wire.IPV6_SIZE;
        long at = first;
        int next = u8(segment, view.ip + Wire.IPV6_NEXT_HEADER);
        boolean fragmentHeader = false;
        for (int count = 0; Wire.isExtensionHeader(next); count++) {
            if (count == EXTENSION_HEADERS_MAX) return DropReason.IP_EXTENSION_HEADERS;
            if (end - at < 8) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.IP_HEADER;
            int size = 8;
            if (next == Wire.FRAGMENT_HEADER) {
                if (fragmentHeader) return DropReason.IP_EXTENSION_HEADERS;
                fragmentHeader = true;
                DropReason refused = ipv6Fragment(view, at);
                if (refused != DropReason.NONE) return refused;
            } else {
                if (next == Wire.HOP_BY_HOP && at != first) return DropReason.IP_EXTENSION_HEADERS;
                size += u8(segment, at + 1) * 8;
                if (size > end - at) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.IP_HEADER;
                // Segments left: the destination is not the last one, so no rule could judge where the packet really goes.
                if (next == Wire.ROUTING_HEADER && (u8(segment, at + 2) == 0 || u8(segment, at + 3) != 0))
                    return DropReason.IP_SOURCE_ROUTE;
            }
            next = u8(segment, at);
            at += size;
            if (at - first > EXTENSION_HEADERS_SIZE_MAX) return DropReason.IP_EXTENSION_HEADERS;
            if (view.isLaterFragment()) break;
        }
        view.protocol = next;
        view.transport = at;
        view.transportLength = (int) (end - at);
        if (next == PacketView.TCP || next == PacketView.UDP || next == PacketView.ICMPV6) return DropReason.NONE;
        // The first fragment knows what follows the options; this one does not.
        return view.isLaterFragment() && Wire.isExtensionHeader(next) ? DropReason.NONE : DropReason.IP_PROTOCOL;
    }

    private static DropReason ipv6Fragment(PacketView view, long at) {
        int word = u16(view.segment, at + 2);
        view.fragmentOffset = word & 0xFFF8;
        view.moreFragments = (word & 1) != 0;
        view.fragmentId = s32(view.segment, at + 4);
        // An atomic fragment is a whole packet and has nothing to do with others of its id (RFC 6946).
        view.fragment = view.moreFragments || view.fragmentOffset != 0;
        if (!view.fragment) return DropReason.NONE;
        view.fragmentLength = (int) (view.ip + view.ipLength - at) - 8;
        // A first fragment's next header says TCP when TCP follows at once.
        view.protocol = u8(view.segment, at);
        return fragmentSize(view, (int) (at - view.ip) - Wire.IPV6_SIZE);
    }

    /** @param headersSize bytes in front of the payload that count for the length of the whole packet */
    private static DropReason fragmentSize(PacketView view, int headersSize) {
        if (view.fragmentLength == 0 || view.moreFragments && view.fragmentLength % 8 != 0) return DropReason.FRAGMENT_SIZE;
        if (headersSize + view.fragmentOffset + view.fragmentLength > IP_LENGTH_MAX) return DropReason.FRAGMENT_SIZE;
        // It would bring part of the TCP header: RFC 1858 and RFC 3128.
        if (view.fragmentOffset != 0 && view.fragmentOffset < Wire.TCP_SIZE && view.protocol == PacketView.TCP)
            return DropReason.FRAGMENT_SIZE;
        return DropReason.NONE;
    }

    private static DropReason tcp(PacketView view) {
        MemorySegment segment = view.segment;
        long tcp = view.transport;
        if (view.transportLength < Wire.TCP_SIZE) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.TCP_HEADER;
        int headerSize = (u8(segment, tcp + Wire.TCP_DATA_OFFSET) >>> 4) * 4;
        if (headerSize < Wire.TCP_SIZE) return DropReason.TCP_HEADER;
        if (headerSize > view.transportLength) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.TCP_HEADER;
        if (!ports(view)) return DropReason.PORT_ZERO;
        view.tcpSeq = s32(segment, tcp + Wire.TCP_SEQ);
        view.tcpAck = s32(segment, tcp + Wire.TCP_ACK);
        view.tcpFlags = u8(segment, tcp + Wire.TCP_FLAGS);
        view.tcpWindow = u16(segment, tcp + Wire.TCP_WINDOW);
        view.tcpPayload = view.transportLength - headerSize;
        if ((VALID_TCP_FLAGS >>> (view.tcpFlags & FLAGS_OF_STATE) & 1) == 0) return DropReason.TCP_FLAGS;
        return view.hasTcp(PacketView.SYN) && headerSize > Wire.TCP_SIZE ? tcpOptions(view, tcp + headerSize) : DropReason.NONE;
    }

    /** Options that count for a session stand in SYNs only. A SYN whose options cannot be told is refused: the two ends might read it differently. */
    private static DropReason tcpOptions(PacketView view, long end) {
        long at = view.transport + Wire.TCP_SIZE;
        while (at < end) {
            int kind = u8(view.segment, at);
            if (kind == Wire.OPTION_END) return DropReason.NONE;
            int size = Wire.optionSize(view.segment, at, end);
            if (size == 0) return DropReason.TCP_HEADER;
            // Known options of a wrong size are skipped, as end systems do.
            if (kind == Wire.TCP_OPTION_MSS && size == 4) view.tcpMss = u16(view.segment, at + 2);
            else if (kind == Wire.TCP_OPTION_SCALE && size == 3) view.tcpScale = Math.min(u8(view.segment, at + 2), TCP_SCALE_MAX);
            else if (kind == Wire.TCP_OPTION_SACK_PERMITTED && size == 2) view.tcpSackPermitted = true;
            at += size;
        }
        return DropReason.NONE;
    }

    private static DropReason udp(PacketView view) {
        if (view.transportLength < Wire.UDP_SIZE) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.UDP_HEADER;
        int length = u16(view.segment, view.transport + Wire.UDP_LENGTH);
        // Shorter than the IP packet is legal: what follows are UDP options (RFC 9868).
        if (length < Wire.UDP_SIZE || !view.fragment && length > view.transportLength) return DropReason.UDP_HEADER;
        return ports(view) ? DropReason.NONE : DropReason.PORT_ZERO;
    }

    private static boolean ports(PacketView view) {
        view.sourcePort = u16(view.segment, view.transport);
        view.destinationPort = u16(view.segment, view.transport + 2);
        return view.sourcePort != 0 && view.destinationPort != 0;
    }

    private static DropReason icmp(PacketView view) {
        if (view.transportLength < Wire.ICMP_SIZE) return view.fragment ? DropReason.FRAGMENT_SIZE : DropReason.ICMP_HEADER;
        icmpTypeAndId(view);
        if (view.icmpError) return view.fragment ? DropReason.ICMP_FRAGMENT : DropReason.NONE;
        return view.isEcho() ? DropReason.NONE : DropReason.ICMP_TYPE;
    }

    private static void icmpTypeAndId(PacketView view) {
        view.icmpType = u8(view.segment, view.transport);
        view.icmpCode = u8(view.segment, view.transport + 1);
        view.icmpError = view.protocol == PacketView.ICMP ? isIcmpErrorType(view.icmpType) : view.icmpType >= 1 && view.icmpType <= 4;
        if (view.isEcho()) view.sourcePort = view.destinationPort = u16(view.segment, view.transport + Wire.ICMP_ECHO_ID);
    }

    /** Destination unreachable, time exceeded, parameter problem. Source quench (RFC 6633) and redirects are not forwarded. */
    private static boolean isIcmpErrorType(int type) {
        return type == 3 || type == 11 || type == 12;
    }

    private static DropReason quotedIpv4(PacketView quoted) {
        if (ipv4Header(quoted, quoted.frameLength) != DropReason.NONE) return DropReason.ICMP_HEADER;
        int there = quoted.frameLength - (int) (quoted.transport - quoted.ip);
        quoted.transportLength = Math.min(quoted.transportLength, there);
        return DropReason.NONE;
    }

    private static DropReason quotedIpv6(PacketView quoted) {
        if (ipv6Header(quoted, quoted.frameLength) != DropReason.NONE) return DropReason.ICMP_HEADER;
        long end = quoted.ip + Math.min(quoted.ipLength, quoted.frameLength);
        return extensionHeaders(quoted, end) == DropReason.NONE ? DropReason.NONE : DropReason.ICMP_HEADER;
    }

    private static DropReason quotedTransport(PacketView quoted) {
        switch (quoted.protocol) {
            case PacketView.TCP -> {
                ports(quoted);
                quoted.tcpSeq = s32(quoted.segment, quoted.transport + Wire.TCP_SEQ);
            }
            case PacketView.UDP -> ports(quoted);
            case PacketView.ICMP, PacketView.ICMPV6 -> {
                if (quoted.ipVersion == 4 != (quoted.protocol == PacketView.ICMP)) return DropReason.ICMP_QUOTE;
                icmpTypeAndId(quoted);
                if (!quoted.isEcho()) return DropReason.ICMP_QUOTE;
            }
            default -> {
                return DropReason.ICMP_QUOTE;
            }
        }
        return DropReason.NONE;
    }

    private static boolean sumsUp(PacketView view, int length, boolean pseudoHeader) {
        long sum = Checksum.sum(view.segment, view.transport, length);
        if (pseudoHeader)
            sum += Checksum.pseudoHeader(view.sourceHigh, view.sourceLow, view.destinationHigh, view.destinationLow, view.protocol, length);
        return Checksum.fold(sum) == 0xFFFF;
    }

    private static DropReason verifyUdp(PacketView view) {
        if (u16(view.segment, view.transport + Wire.UDP_CHECKSUM) == 0)
            return view.ipVersion == 4 ? DropReason.NONE : DropReason.UDP_CHECKSUM;
        int length = u16(view.segment, view.transport + Wire.UDP_LENGTH);
        return sumsUp(view, length, true) ? DropReason.NONE : DropReason.UDP_CHECKSUM;
    }

    /**
     * Neither source nor destination of what a router forwards: this network, loopback, link-local (RFC 3927), multicast, limited broadcast. The rest of class E
     * is let through: networks use it inside, and hosts that do not want it drop it.
     */
    static boolean isMartianIpv4(int address) {
        int top = address >>> 24;
        return top == 0 || top == 127 || address >>> 16 == 0xA9FE || top >>> 4 == 0xE || address == 0xFFFF_FFFF;
    }

    /**
     * Neither source nor destination of what a router forwards: unspecified, loopback, IPv4-compatible and IPv4-mapped (which would pass for IPv4 in every rule and session; RFC 4942, 2.2.2), link-local, multicast.
     */
    static boolean isMartianIpv6(long high, long low) {
        return high == 0 && (low >>> 32 == 0 || Wire.isIpv4(high, low)) || high >>> 54 == 0x3FA || high >>> 56 == 0xFF;
    }
}
