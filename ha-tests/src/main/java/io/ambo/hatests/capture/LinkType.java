package io.ambo.hatests.capture;

import java.nio.ByteBuffer;

/** What the packets of a capture begin with (tcpdump.org/linktypes). */
enum LinkType {
    ETHERNET,
    /** The IP version stands in the packet. */
    RAW;

    private static final long NO_ADDRESS = 0;

    /** Whether this is the link type of a number: raw IP has those of several systems. */
    boolean is(int number) {
        return switch (this) {
            case ETHERNET -> number == 1;
            case RAW -> number == 101 || number == 12 || number == 14 || number == 228 || number == 229;
        };
    }

    /** The packet with an Ethernet header. */
    byte[] ethernet(byte[] packet) {
        if (this == ETHERNET) return packet;
        boolean ipv6 = packet.length > 0 && packet[0] >> 4 == 6;
        return ByteBuffer.allocate(14 + packet.length).putLong(NO_ADDRESS).putInt(0).putShort((short) (ipv6 ? 0x86DD : 0x0800)).put(packet)
                .array();
    }
}
