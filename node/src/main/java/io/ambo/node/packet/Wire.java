package io.ambo.node.packet;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Numbers in network order, and where the headers keep them. All offsets are from the start of their header. */
final class Wire {
    static final ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    static final int ETHERNET_SIZE = 14;
    static final int VLAN_TAG_SIZE = 4;
    static final int ETHERNET_SOURCE = 6;
    static final int ETHERNET_TYPE = 12;
    static final int VLAN_ID_MASK = 0xFFF;
    static final int TYPE_IPV4 = 0x0800;
    static final int TYPE_IPV6 = 0x86DD;
    static final int TYPE_VLAN = 0x8100;

    static final int IPV4_SIZE = 20;
    static final int IPV4_TOS = 1;
    static final int IPV4_LENGTH = 2;
    static final int IPV4_ID = 4;
    static final int IPV4_FRAGMENT = 6;
    static final int IPV4_TTL = 8;
    static final int IPV4_PROTOCOL = 9;
    static final int IPV4_CHECKSUM = 10;
    static final int IPV4_SOURCE = 12;
    static final int IPV4_DESTINATION = 16;
    static final int IPV4_DONT_FRAGMENT = 0x4000;
    static final int IPV4_MORE_FRAGMENTS = 0x2000;
    static final int IPV4_OFFSET_MASK = 0x1FFF;

    /** Options of IPv4 and TCP: kind, length with both, contents; these two are one byte. */
    static final int OPTION_END = 0;
    static final int OPTION_NOP = 1;
    static final int OPTION_LOOSE_SOURCE_ROUTE = 131;
    static final int OPTION_STRICT_SOURCE_ROUTE = 137;
    /** The option must be in every fragment. */
    static final int OPTION_COPIED = 0x80;

    static final int IPV6_SIZE = 40;
    static final int IPV6_LENGTH = 4;
    static final int IPV6_NEXT_HEADER = 6;
    static final int IPV6_HOP_LIMIT = 7;
    static final int IPV6_SOURCE = 8;
    static final int IPV6_DESTINATION = 24;

    static final int HOP_BY_HOP = 0;
    static final int ROUTING_HEADER = 43;
    static final int FRAGMENT_HEADER = 44;
    static final int DESTINATION_OPTIONS = 60;

    static final int TCP_SIZE = 20;
    static final int TCP_SEQ = 4;
    static final int TCP_ACK = 8;
    static final int TCP_DATA_OFFSET = 12;
    static final int TCP_FLAGS = 13;
    static final int TCP_WINDOW = 14;
    static final int TCP_CHECKSUM = 16;

    static final int TCP_OPTION_MSS = 2;
    static final int TCP_OPTION_SCALE = 3;
    static final int TCP_OPTION_SACK_PERMITTED = 4;

    static final int UDP_SIZE = 8;
    static final int UDP_LENGTH = 4;
    static final int UDP_CHECKSUM = 6;

    static final int ICMP_SIZE = 8;
    static final int ICMP_CHECKSUM = 2;
    static final int ICMP_ECHO_ID = 4;

    private Wire() {}

    static int u8(MemorySegment segment, long at) { return segment.get(JAVA_BYTE, at) & 0xFF; }

    static int u16(MemorySegment segment, long at) { return segment.get(SHORT, at) & 0xFFFF; }

    static int s32(MemorySegment segment, long at) { return segment.get(INT, at); }

    static long s64(MemorySegment segment, long at) { return segment.get(LONG, at); }

    static void put8(MemorySegment segment, long at, int value) { segment.set(JAVA_BYTE, at, (byte) value); }

    static void put16(MemorySegment segment, long at, int value) { segment.set(SHORT, at, (short) value); }

    static void put32(MemorySegment segment, long at, int value) { segment.set(INT, at, value); }

    static void put64(MemorySegment segment, long at, long value) { segment.set(LONG, at, value); }

    /** An Ethernet address: 48 bits. */
    static long mac(MemorySegment segment, long at) {
        return ((long) u16(segment, at) << 32) | (s32(segment, at + 2) & 0xFFFF_FFFFL);
    }

    static void putMac(MemorySegment segment, long at, long mac) {
        put16(segment, at, (int) (mac >>> 32));
        put32(segment, at + 2, (int) mac);
    }

    /** Whether an address of two longs is an IPv4 address (::ffff:a.b.c.d). */
    static boolean isIpv4(long high, long low) {
        return high == 0 && low >>> 32 == PacketView.IPV4_MAPPED_PREFIX >>> 32;
    }

    /** IPv6 headers between the IP header and the transport header that are followed. */
    static boolean isExtensionHeader(int next) {
        return next == HOP_BY_HOP || next == ROUTING_HEADER || next == FRAGMENT_HEADER || next == DESTINATION_OPTIONS;
    }

    /** Bytes of the IPv4 or TCP option that starts here (not {@link #OPTION_END}), or 0 when it does not end before {@code end}. */
    static int optionSize(MemorySegment segment, long at, long end) {
        if (u8(segment, at) == OPTION_NOP) return 1;
        if (end - at < 2) return 0;
        int size = u8(segment, at + 1);
        return size >= 2 && size <= end - at ? size : 0;
    }
}
