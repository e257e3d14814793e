package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.put16;
import static io.ambo.node.packet.Wire.put32;
import static io.ambo.node.packet.Wire.put64;
import static io.ambo.node.packet.Wire.put8;
import static io.ambo.node.packet.Wire.s32;
import static io.ambo.node.packet.Wire.s64;
import static io.ambo.node.packet.Wire.u16;

import java.lang.foreign.MemorySegment;

/**
 * Changes a parsed packet in its frame and keeps checksums right by incremental update (RFC 1624): a checksum that was wrong stays wrong. The view's fields
 * follow. Pure functions, nothing is allocated.
 */
public final class Rewriter {
    private Rewriter() {}

    /**
     * Counts down the TTL or hop limit. The caller has made sure that it is above 1.
     *
     * @return the new value
     */
    public static int decrementTtl(PacketView packet) {
        MemorySegment segment = packet.segment;
        packet.ttl--;
        if (packet.ipVersion == 6) {
            put8(segment, packet.ip + Wire.IPV6_HOP_LIMIT, packet.ttl);
            return packet.ttl;
        }
        put8(segment, packet.ip + Wire.IPV4_TTL, packet.ttl);
        // TTL is the high byte of its 16-bit word; the low one did not change.
        replaceChecksum(segment, packet.ip + Wire.IPV4_CHECKSUM, Checksum.change16((packet.ttl + 1) << 8, packet.ttl << 8));
        return packet.ttl;
    }

    /** Writes the Ethernet addresses, each the low 48 bits. */
    public static void setMacs(PacketView packet, long destinationMac, long sourceMac) {
        Wire.putMac(packet.segment, packet.frame, destinationMac);
        Wire.putMac(packet.segment, packet.frame + Wire.ETHERNET_SOURCE, sourceMac);
    }

    /**
     * Sets, inserts or removes the 802.1Q tag. {@link PacketView#frame()} and {@link PacketView#frameLength()} move by four bytes when a tag comes or goes;
     * the IP packet stays where it is. An insertion needs four free bytes before the frame. The priority of an existing tag is kept.
     *
     * @param vlan 1 to 4094, or -1: no tag
     */
    public static void setVlan(PacketView packet, int vlan) {
        MemorySegment segment = packet.segment;
        boolean tagged = packet.ip - packet.frame == Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE;
        if (vlan < 0 && tagged) moveMacs(packet, Wire.VLAN_TAG_SIZE);
        if (vlan >= 0 && !tagged) moveMacs(packet, -Wire.VLAN_TAG_SIZE);
        if (vlan >= 0) {
            long tag = packet.frame + Wire.ETHERNET_SIZE;
            int priority = tagged ? u16(segment, tag) & ~Wire.VLAN_ID_MASK : 0;
            put16(segment, packet.frame + Wire.ETHERNET_TYPE, Wire.TYPE_VLAN);
            put16(segment, tag, priority | vlan);
        }
        packet.vlan = vlan;
    }

    /**
     * Translates the source: address (two longs, IPv4 mapped, of the packet's own IP version) and port, with the checksums of IP, TCP, UDP or ICMP. For ICMP echo
     * the port is the identifier. Other ICMP has no port, it is ignored; in a fragment that is not the first only the address is written, as its
     * transport header travels in the first.
     */
    public static void setSource(PacketView packet, long high, long low, int port) { translate(packet, true, high, low, port); }

    /** Translates the destination as {@link #setSource} does the source. An ICMP echo has one identifier: set it in either. */
    public static void setDestination(PacketView packet, long high, long low, int port) {
        translate(packet, false, high, low, port);
    }

    /**
     * Translates the source of the packet that an ICMP error quotes, with the quoted checksums and that of the error.
     *
     * @param icmpError the error
     * @param quoted    as {@link Parser#parseQuoted} read it
     */
    public static void setQuotedSource(PacketView icmpError, PacketView quoted, long high, long low, int port) {
        long changes = translate(quoted, true, high, low, port);
        replaceChecksum(icmpError.segment, icmpError.transport + Wire.ICMP_CHECKSUM, changes);
    }

    /** Translates the destination of the packet that an ICMP error quotes, as {@link #setQuotedSource} does its source. */
    public static void setQuotedDestination(PacketView icmpError, PacketView quoted, long high, long low, int port) {
        long changes = translate(quoted, false, high, low, port);
        replaceChecksum(icmpError.segment, icmpError.transport + Wire.ICMP_CHECKSUM, changes);
    }

    private static void moveMacs(PacketView packet, int by) {
        long high = s64(packet.segment, packet.frame);
        int low = s32(packet.segment, packet.frame + 8);
        packet.frame += by;
        packet.frameLength -= by;
        put64(packet.segment, packet.frame, high);
        put32(packet.segment, packet.frame + 8, low);
    }

    /** @return what changed in the packet, all of it, for a checksum that stands over the whole of it */
    private static long translate(PacketView packet, boolean source, long high, long low, int port) {
        long address = source ? setSourceAddress(packet, high, low) : setDestinationAddress(packet, high, low);
        long changes = address;
        if (packet.ipVersion == 4) changes += replaceChecksum(packet.segment, packet.ip + Wire.IPV4_CHECKSUM, address);
        if (packet.isLaterFragment()) return changes;
        return changes + switch (packet.protocol) {
            case PacketView.TCP -> {
                long ports = setPort(packet, source, port);
                // A quoted packet may end before its checksum.
                if (packet.transportLength < Wire.TCP_CHECKSUM + 2) yield ports;
                yield ports + replaceChecksum(packet.segment, packet.transport + Wire.TCP_CHECKSUM, address + ports);
            }
            case PacketView.UDP -> {
                long ports = setPort(packet, source, port);
                yield ports + replaceUdpChecksum(packet, address + ports);
            }
            default -> {
                long id = packet.isEcho() ? setEchoId(packet, port) : 0;
                // Only ICMPv6 has a pseudo header.
                long covered = packet.ipVersion == 6 ? address + id : id;
                yield id + replaceChecksum(packet.segment, packet.transport + Wire.ICMP_CHECKSUM, covered);
            }
        };
    }

    private static long setSourceAddress(PacketView packet, long high, long low) {
        packet.sourceHigh = high;
        packet.sourceLow = low;
        return setAddress(packet, packet.ip + (packet.ipVersion == 4 ? Wire.IPV4_SOURCE : Wire.IPV6_SOURCE), high, low);
    }

    private static long setDestinationAddress(PacketView packet, long high, long low) {
        packet.destinationHigh = high;
        packet.destinationLow = low;
        return setAddress(packet, packet.ip + (packet.ipVersion == 4 ? Wire.IPV4_DESTINATION : Wire.IPV6_DESTINATION), high, low);
    }

    private static long setAddress(PacketView packet, long at, long high, long low) {
        MemorySegment segment = packet.segment;
        if (packet.ipVersion == 4) {
            int before = s32(segment, at);
            put32(segment, at, (int) low);
            return Checksum.change32(before, (int) low);
        }
        long beforeHigh = s64(segment, at);
        long beforeLow = s64(segment, at + 8);
        put64(segment, at, high);
        put64(segment, at + 8, low);
        return Checksum.change64(beforeHigh, high) + Checksum.change64(beforeLow, low);
    }

    private static long setPort(PacketView packet, boolean source, int port) {
        if (source) packet.sourcePort = port;
        else
            packet.destinationPort = port;
        return set16(packet.segment, packet.transport + (source ? 0 : 2), port);
    }

    private static long setEchoId(PacketView packet, int id) {
        packet.sourcePort = packet.destinationPort = id;
        return set16(packet.segment, packet.transport + Wire.ICMP_ECHO_ID, id);
    }

    /** Zero says that there is no checksum, and stays (RFC 768; RFC 6935 for tunnels over IPv6). */
    private static long replaceUdpChecksum(PacketView packet, long changes) {
        long at = packet.transport + Wire.UDP_CHECKSUM;
        int before = u16(packet.segment, at);
        return before == 0 ? 0 : set16(packet.segment, at, Checksum.udp(Checksum.apply(before, changes)));
    }

    /** Applies changes to the checksum that stands at an offset, and returns the change of the checksum itself. */
    private static long replaceChecksum(MemorySegment segment, long at, long changes) {
        return set16(segment, at, Checksum.apply(u16(segment, at), changes));
    }

    private static long set16(MemorySegment segment, long at, int after) {
        int before = u16(segment, at);
        put16(segment, at, after);
        return Checksum.change16(before, after);
    }
}
