package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.put16;
import static io.ambo.node.packet.Wire.put32;
import static io.ambo.node.packet.Wire.put64;
import static io.ambo.node.packet.Wire.put8;

import java.lang.foreign.MemorySegment;

/** The headers of packets that the node itself sends. */
final class Originated {
    private static final int TTL = 64;

    private Originated() {}

    /** The Ethernet header of an answer: addresses swapped, all else as in the packet. Its length is returned. */
    static int ethernetAnswer(PacketView about, MemorySegment into, long at) {
        int size = (int) (about.ip - about.frame);
        MemorySegment.copy(about.segment, about.frame + Wire.ETHERNET_SOURCE, into, at, 6);
        MemorySegment.copy(about.segment, about.frame, into, at + Wire.ETHERNET_SOURCE, 6);
        MemorySegment.copy(about.segment, about.frame + Wire.ETHERNET_TYPE, into, at + Wire.ETHERNET_TYPE, size - Wire.ETHERNET_TYPE);
        return size;
    }

    /** An Ethernet header; its length is returned. VLAN -1: no tag. */
    static int ethernet(MemorySegment into, long at, long destinationMac, long sourceMac, int vlan, int type) {
        Wire.putMac(into, at, destinationMac);
        Wire.putMac(into, at + Wire.ETHERNET_SOURCE, sourceMac);
        if (vlan < 0) {
            put16(into, at + Wire.ETHERNET_TYPE, type);
            return Wire.ETHERNET_SIZE;
        }
        put16(into, at + Wire.ETHERNET_TYPE, Wire.TYPE_VLAN);
        put16(into, at + Wire.ETHERNET_SIZE, vlan);
        put16(into, at + Wire.ETHERNET_SIZE + 2, type);
        return Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE;
    }

    /** An IPv4 header without options. It is never split, so it needs no identification (RFC 6864, 4.1). */
    static void ipv4(MemorySegment into, long at, int tos, int payload, int protocol, int source, int destination) {
        put16(into, at, 0x4500 | tos);
        put16(into, at + Wire.IPV4_LENGTH, Wire.IPV4_SIZE + payload);
        put16(into, at + Wire.IPV4_ID, 0);
        put16(into, at + Wire.IPV4_FRAGMENT, Wire.IPV4_DONT_FRAGMENT);
        put8(into, at + Wire.IPV4_TTL, TTL);
        put8(into, at + Wire.IPV4_PROTOCOL, protocol);
        put16(into, at + Wire.IPV4_CHECKSUM, 0);
        put32(into, at + Wire.IPV4_SOURCE, source);
        put32(into, at + Wire.IPV4_DESTINATION, destination);
        put16(into, at + Wire.IPV4_CHECKSUM, Checksum.finish(Checksum.sum(into, at, Wire.IPV4_SIZE)));
    }

    static void ipv6(MemorySegment into, long at, int payload, int protocol, long sourceHigh, long sourceLow, long destinationHigh,
            long destinationLow) {
        put32(into, at, 0x6000_0000);
        put16(into, at + Wire.IPV6_LENGTH, payload);
        put8(into, at + Wire.IPV6_NEXT_HEADER, protocol);
        put8(into, at + Wire.IPV6_HOP_LIMIT, TTL);
        put64(into, at + Wire.IPV6_SOURCE, sourceHigh);
        put64(into, at + Wire.IPV6_SOURCE + 8, sourceLow);
        put64(into, at + Wire.IPV6_DESTINATION, destinationHigh);
        put64(into, at + Wire.IPV6_DESTINATION + 8, destinationLow);
    }
}
