package io.ambo.node.packet;

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
    public static int answer(PacketView segment, MemorySegment into, long offset) { return 0; }

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
        return 0;
    }
}
