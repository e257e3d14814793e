package io.ambo.hatests.capture;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** An IP packet and the Ethernet frame around it. */
public final class IpPacket {
    private static final int TYPE = 12, ETHERNET = 14, TAG = 4;
    private static final short TAGGED = (short) 0x8100, IPV4 = 0x0800, IPV6 = (short) 0x86DD;
    private static final int IPV4_LENGTH = 2, IPV6_LENGTH = 4, IPV6_HEADER = 40;

    private IpPacket() {}

    /** A copy of the packet in a frame, without tag, and without what fills up a short frame. */
    public static byte[] of(byte[] frame) {
        ByteBuffer bytes = ByteBuffer.wrap(frame);
        int ip = bytes.getShort(TYPE) == TAGGED ? ETHERNET + TAG : ETHERNET;
        int length = frame[ip] >>> 4 == 6
                ? IPV6_HEADER + (bytes.getShort(ip + IPV6_LENGTH) & 0xFFFF)
                : bytes.getShort(ip + IPV4_LENGTH) & 0xFFFF;
        return Arrays.copyOfRange(frame, ip, ip + length);
    }

    /** A frame around a packet, from nobody to nobody. */
    public static byte[] framed(byte[] packet) {
        return ByteBuffer.allocate(ETHERNET + packet.length).putShort(TYPE, packet[0] >>> 4 == 6 ? IPV6 : IPV4).put(ETHERNET, packet)
                .array();
    }
}
