package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.put16;
import static io.ambo.node.packet.Wire.put32;

import java.lang.foreign.MemorySegment;

/** Builds TCP resets into free frames. Pure functions; the rate is the caller's to limit: {@link RateLimiter}. */
public final class TcpReset {
    /** The longest frame that is written. */
    public static final int FRAME_SIZE_MAX_BYTES = Wire.ETHERNET_SIZE + Wire.VLAN_TAG_SIZE + Wire.IPV6_SIZE + Wire.TCP_SIZE;

    private TcpReset() {}

    /**
     * Answers a segment as its closed destination port would (RFC 9293, 3.10.7.1): seq from its ack, or ack behind its last byte. Ethernet addresses are swapped,
     * the VLAN tag is kept. Call it before the packet is rewritten.
     *
     * @param into   another frame than the segment's
     * @param offset of the Ethernet header to write
     * @return length of the frame; 0 when there is nothing to answer: an RST, a fragment, or not TCP
     */
    public static int answer(PacketView segment, MemorySegment into, long offset) {
        if (!segment.isTcp() || segment.fragment || segment.hasTcp(PacketView.RST)) return 0;
        int headers = Originated.ethernetAnswer(segment, into, offset);
        boolean acknowledges = segment.hasTcp(PacketView.ACK);
        int length = segment.tcpPayload + (segment.hasTcp(PacketView.SYN) ? 1 : 0) + (segment.hasTcp(PacketView.FIN) ? 1 : 0);
        int flags = acknowledges ? PacketView.RST : PacketView.RST | PacketView.ACK;
        return headers + ip(segment.destinationHigh, segment.destinationLow, segment.destinationPort, segment.sourceHigh,
                segment.sourceLow, segment.sourcePort, acknowledges ? segment.tcpAck : 0, acknowledges ? 0 : segment.tcpSeq + length, flags,
                into, offset + headers);
    }

    /**
     * Builds an RST out of what a session remembers, to tell one end that its session is gone; call it once for each end. Addresses are two longs, IPv4 mapped.
     *
     * @param vlan 802.1Q id of the frame, or -1
     * @param seq  what the destination expects next from the source
     * @param ack  what the source expects next from the destination
     * @return length of the frame
     */
    public static int build(long destinationMac, long sourceMac, int vlan, long sourceHigh, long sourceLow, int sourcePort,
            long destinationHigh, long destinationLow, int destinationPort, int seq, int ack, MemorySegment into, long offset) {
        int type = Wire.isIpv4(destinationHigh, destinationLow) ? Wire.TYPE_IPV4 : Wire.TYPE_IPV6;
        int headers = Originated.ethernet(into, offset, destinationMac, sourceMac, vlan, type);
        return headers + ip(sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow, destinationPort, seq, ack,
                PacketView.RST | PacketView.ACK, into, offset + headers);
    }

    private static int ip(long fromHigh, long fromLow, int fromPort, long toHigh, long toLow, int toPort,
            int seq, int ack, int flags, MemorySegment into, long at) {
        boolean isIpv4 = Wire.isIpv4(toHigh, toLow);
        if (isIpv4) Originated.ipv4(into, at, 0, Wire.TCP_SIZE, PacketView.TCP, (int) fromLow, (int) toLow);
        else
            Originated.ipv6(into, at, Wire.TCP_SIZE, PacketView.TCP, fromHigh, fromLow, toHigh, toLow);
        int ipSize = isIpv4 ? Wire.IPV4_SIZE : Wire.IPV6_SIZE;
        long tcp = at + ipSize;
        put16(into, tcp, fromPort);
        put16(into, tcp + 2, toPort);
        put32(into, tcp + Wire.TCP_SEQ, seq);
        put32(into, tcp + Wire.TCP_ACK, ack);
        put16(into, tcp + Wire.TCP_DATA_OFFSET, (Wire.TCP_SIZE / 4) << 12 | flags);
        put16(into, tcp + Wire.TCP_WINDOW, 0);
        // Checksum and urgent pointer.
        put32(into, tcp + Wire.TCP_CHECKSUM, 0);
        long sum = Checksum.sum(into, tcp, Wire.TCP_SIZE)
                + Checksum.pseudoHeader(fromHigh, fromLow, toHigh, toLow, PacketView.TCP, Wire.TCP_SIZE);
        put16(into, tcp + Wire.TCP_CHECKSUM, Checksum.finish(sum));
        return ipSize + Wire.TCP_SIZE;
    }
}
