package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.s32;
import static io.ambo.node.packet.Wire.s64;
import static io.ambo.node.packet.Wire.u16;
import static io.ambo.node.packet.Wire.u8;

import io.ambo.cluster.session.SessionKey;
import java.lang.foreign.MemorySegment;

/** Which session a frame belongs to, at a glance: for what is decided by {@link Parser}'s reading alone, but can be prepared before. */
public final class Glance {
    private static final int PORTS_SIZE = 4;
    private static final int PLAIN_IPV4 = 0x45;
    private static final int FRAGMENTED = Wire.IPV4_MORE_FRAGMENTS | Wire.IPV4_OFFSET_MASK;
    private static final int SHORTEST = Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE + Wire.IPV4_SIZE + PORTS_SIZE;

    private Glance() {}

    /**
     * Writes the key of a plain TCP or UDP packet: no options before the ports, no fragment. Nothing is verified.
     *
     * @param frame offset of the Ethernet header
     * @return false when the packet is another; the key is then as it was
     */
    public static boolean writeKey(MemorySegment segment, long frame, int length, SessionKey key) {
        if (length < SHORTEST) return false;
        long ip = frame + Wire.ETHERNET_SIZE;
        int type = u16(segment, frame + Wire.ETHERNET_TYPE);
        if (type == Wire.TYPE_VLAN) {
            ip += Wire.VLAN_TAG_SIZE;
            type = u16(segment, ip - 2);
        }
        if (type == Wire.TYPE_IPV4) {
            if (u8(segment, ip) != PLAIN_IPV4 || (u16(segment, ip + Wire.IPV4_FRAGMENT) & FRAGMENTED) != 0)
                return false;
            long ports = ip + Wire.IPV4_SIZE;
            return write(key, u8(segment, ip + Wire.IPV4_PROTOCOL), 0,
                    PacketView.IPV4_MAPPED_PREFIX | Integer.toUnsignedLong(s32(segment, ip + Wire.IPV4_SOURCE)), 0,
                    PacketView.IPV4_MAPPED_PREFIX | Integer.toUnsignedLong(s32(segment, ip + Wire.IPV4_DESTINATION)), u16(segment, ports),
                    u16(segment, ports + 2));
        }
        if (type != Wire.TYPE_IPV6 || frame + length < ip + Wire.IPV6_SIZE + PORTS_SIZE) return false;
        long ports = ip + Wire.IPV6_SIZE;
        return write(key, u8(segment, ip + Wire.IPV6_NEXT_HEADER), s64(segment, ip + Wire.IPV6_SOURCE),
                s64(segment, ip + Wire.IPV6_SOURCE + 8),
                s64(segment, ip + Wire.IPV6_DESTINATION), s64(segment, ip + Wire.IPV6_DESTINATION + 8), u16(segment, ports),
                u16(segment, ports + 2));
    }

    private static boolean write(SessionKey key, int protocol, long sourceHigh, long sourceLow, long destinationHigh, long destinationLow,
            int sourcePort, int destinationPort) {
        if (protocol != PacketView.TCP && protocol != PacketView.UDP) return false;
        key.set(sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow, destinationPort, protocol, 0);
        return true;
    }
}
