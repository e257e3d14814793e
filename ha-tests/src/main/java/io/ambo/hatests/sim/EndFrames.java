package io.ambo.hatests.sim;

import io.ambo.cluster.address.IpAddress;
import java.nio.ByteBuffer;

/**
 * Frames as the simulated ends write them. The number of the conversation stands in the IPv4 identification or the IPv6 flow label, which no node changes: so
 * that a frame is known wherever it comes out, whatever became of its addresses.
 */
final class EndFrames {
    static final int FIN = 1, SYN = 2, RST = 4, ACK = 16;
    static final int TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58;
    /** So that the number fits into either field. */
    static final int MOST_CONVERSATIONS = 0xFFFF;
    private static final int ETHERNET = 14, IPV4 = 20, IPV6 = 40;
    private static final int TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86DD;
    private static final int ECHO_REQUEST_V4 = 8, ECHO_REPLY_V4 = 0, ECHO_REQUEST_V6 = 128, ECHO_REPLY_V6 = 129;

    private EndFrames() {}

    /** One end of a conversation: of ICMP echo the port is the identifier. */
    record End(IpAddress address, int port) {
        @Override
        public String toString() { return address.withPort(port); }
    }

    /** @param scale window scale of a SYN, or -1 */
    static byte[] tcp(int conversation, End from, End to, int flags, int seq, int ack, int window, int scale, int payload) {
        int options = scale >= 0 ? 4 : 0;
        ByteBuffer frame = begin(conversation, from, to, TCP, 20 + options + payload);
        int at = frame.position();
        frame.putShort((short) from.port()).putShort((short) to.port()).putInt(seq).putInt(ack);
        frame.putShort((short) ((20 + options) / 4 << 12 | flags)).putShort((short) window).putInt(0);
        if (scale >= 0) frame.put((byte) 3).put((byte) 3).put((byte) scale).put((byte) 0);
        return finish(frame, at, 16, from, to, TCP);
    }

    static byte[] udp(int conversation, End from, End to, int payload) {
        ByteBuffer frame = begin(conversation, from, to, UDP, 8 + payload);
        int at = frame.position();
        frame.putShort((short) from.port()).putShort((short) to.port()).putShort((short) (8 + payload));
        return finish(frame, at, 6, from, to, UDP);
    }

    /** The identifier is the port of both ends. */
    static byte[] echo(int conversation, End from, End to, boolean reply, int identifier, int sequence) {
        boolean v4 = from.address().isIpv4();
        ByteBuffer frame = begin(conversation, from, to, v4 ? ICMP : ICMPV6, 8 + 24);
        int at = frame.position();
        int type = v4 ? reply ? ECHO_REPLY_V4 : ECHO_REQUEST_V4 : reply ? ECHO_REPLY_V6 : ECHO_REQUEST_V6;
        frame.put((byte) type).put((byte) 0).putShort((short) 0).putShort((short) identifier).putShort((short) sequence);
        return finish(frame, at, 2, from, to, v4 ? ICMP : ICMPV6);
    }

    /** The number of the conversation that a frame belongs to. */
    static int conversation(byte[] frame) {
        ByteBuffer bytes = ByteBuffer.wrap(frame);
        return bytes.getShort(12) == (short) TYPE_IPV4 ? bytes.getShort(ETHERNET + 4) & 0xFFFF : bytes.getInt(ETHERNET) & 0xFFFFF;
    }

    private static ByteBuffer begin(int conversation, End from, End to, int protocol, int transportBytes) {
        boolean v4 = from.address().isIpv4();
        ByteBuffer frame = ByteBuffer.allocate(ETHERNET + (v4 ? IPV4 : IPV6) + transportBytes);
        frame.putShort((short) 0x0200).putInt(0xFE).putShort((short) 0x0200).putInt(1).putShort((short) (v4 ? TYPE_IPV4 : TYPE_IPV6));
        if (v4) {
            frame.putShort((short) 0x4500).putShort((short) (IPV4 + transportBytes)).putShort((short) conversation).putShort((short) 0);
            frame.put((byte) 64).put((byte) protocol).putShort((short) 0).put(from.address().toBytes()).put(to.address().toBytes());
            frame.putShort(ETHERNET + 10, (short) complement(sum(frame, ETHERNET, ETHERNET + IPV4)));
        } else {
            frame.putInt(0x6000_0000 | conversation).putShort((short) transportBytes).put((byte) protocol).put((byte) 64);
            frame.put(from.address().toBytes()).put(to.address().toBytes());
        }
        return frame;
    }

    private static byte[] finish(ByteBuffer frame, int transport, int checksumAt, End from, End to, int protocol) {
        int end = frame.capacity();
        long sum = sum(frame, transport, end);
        if (protocol != ICMP) sum += addressSum(from.address()) + addressSum(to.address()) + protocol + (end - transport);
        int checksum = complement(sum);
        if (protocol == UDP && checksum == 0) checksum = 0xFFFF;
        frame.putShort(transport + checksumAt, (short) checksum);
        byte[] bytes = new byte[end];
        frame.get(0, bytes);
        return bytes;
    }

    private static long addressSum(IpAddress address) {
        long v6 = address.isIpv4() ? 0 : (address.high() >>> 32) + (address.high() & 0xFFFF_FFFFL) + (address.low() >>> 32);
        return v6 + (address.low() & 0xFFFF_FFFFL);
    }

    private static long sum(ByteBuffer bytes, int from, int to) {
        long sum = 0;
        int at = from;
        for (; at + 3 < to; at += 4) sum += bytes.getInt(at) & 0xFFFF_FFFFL;
        for (; at + 1 < to; at += 2) sum += bytes.getShort(at) & 0xFFFF;
        return at < to ? sum + ((bytes.get(at) & 0xFF) << 8) : sum;
    }

    private static int complement(long sum) {
        long folded = (sum >>> 32) + (sum & 0xFFFF_FFFFL);
        while (folded > 0xFFFF) folded = (folded & 0xFFFF) + (folded >>> 16);
        return (int) (~folded & 0xFFFF);
    }
}
