package io.ambo.hatests.traffic;

import java.net.InetAddress;
import java.nio.ByteBuffer;

/**
 * Ethernet frames written by hand, with right checksums: for what no socket would send. Shares no code with the node's own, so that a mistake there shows.
 */
public final class Frames {
    public static final int FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16;
    public static final int TCP = 6, UDP = 17;
    private static final int ETHERNET = 14;

    private Frames() {}

    /** The two ends of a frame; Ethernet addresses are the low 48 bits. */
    public record Ends(long sourceMac, long destinationMac, InetAddress source, int sourcePort, InetAddress destination,
            int destinationPort) {
        public Ends {
            if (source.getAddress().length != destination.getAddress().length)
                throw new IllegalArgumentException("two IP versions in one packet");
        }
    }

    public static byte[] udp(Ends ends, byte[] payload) {
        ByteBuffer transport = ByteBuffer.allocate(8 + payload.length);
        transport.putShort((short) ends.sourcePort).putShort((short) ends.destinationPort).putShort((short) transport.capacity())
                .putShort((short) 0);
        transport.put(payload);
        int checksum = checksum(ends, UDP, transport);
        transport.putShort(6, (short) (checksum == 0 ? 0xFFFF : checksum));
        return frame(ends, UDP, transport);
    }

    /** @param flags of {@link #SYN}, {@link #RST} and so on */
    public static byte[] tcp(Ends ends, int flags, int seq, int ack, int window, byte[] payload) {
        ByteBuffer transport = ByteBuffer.allocate(20 + payload.length);
        transport.putShort((short) ends.sourcePort).putShort((short) ends.destinationPort).putInt(seq).putInt(ack);
        transport.putShort((short) (5 << 12 | flags)).putShort((short) window).putInt(0).put(payload);
        transport.putShort(16, (short) checksum(ends, TCP, transport));
        return frame(ends, TCP, transport);
    }

    private static byte[] frame(Ends ends, int protocol, ByteBuffer transport) {
        boolean v4 = ends.source.getAddress().length == 4;
        ByteBuffer frame = ByteBuffer.allocate(ETHERNET + (v4 ? 20 : 40) + transport.capacity());
        putMac(putMac(frame, ends.destinationMac), ends.sourceMac).putShort((short) (v4 ? 0x0800 : 0x86DD));
        if (v4) {
            frame.putShort((short) 0x4500).putShort((short) (20 + transport.capacity())).putShort((short) 0).putShort((short) 0x4000);
            frame.put((byte) 64).put((byte) protocol).putShort((short) 0).put(ends.source.getAddress()).put(ends.destination.getAddress());
            frame.putShort(ETHERNET + 10, (short) fold(sum(frame, ETHERNET, ETHERNET + 20)));
        } else {
            frame.putInt(0x6000_0000).putShort((short) transport.capacity()).put((byte) protocol).put((byte) 64);
            frame.put(ends.source.getAddress()).put(ends.destination.getAddress());
        }
        return frame.put(transport.clear()).array();
    }

    private static ByteBuffer putMac(ByteBuffer frame, long mac) { return frame.putShort((short) (mac >>> 32)).putInt((int) mac); }

    /** Of the transport header and payload, with the pseudo-header of RFC 9293, 3.1 and RFC 8200, 8.1. */
    private static int checksum(Ends ends, int protocol, ByteBuffer transport) {
        ByteBuffer pseudo = ByteBuffer.allocate(40).put(ends.source.getAddress()).put(ends.destination.getAddress());
        return fold(sum(pseudo, 0, pseudo.position()) + protocol + transport.capacity() + sum(transport, 0, transport.capacity()));
    }

    private static long sum(ByteBuffer bytes, int from, int to) {
        long sum = 0;
        for (int i = from; i + 1 < to; i += 2) sum += bytes.getShort(i) & 0xFFFF;
        return (to - from) % 2 == 0 ? sum : sum + ((bytes.get(to - 1) & 0xFF) << 8);
    }

    private static int fold(long sum) {
        long folded = sum;
        while (folded > 0xFFFF) folded = (folded & 0xFFFF) + (folded >>> 16);
        return (int) (~folded & 0xFFFF);
    }
}
