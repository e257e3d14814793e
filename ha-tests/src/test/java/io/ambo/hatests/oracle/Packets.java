package io.ambo.hatests.oracle;

import io.ambo.hatests.capture.CapturedPacket;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes captures: sessions packet by packet, with right checksums, computed naively. Time goes on by itself, 300 µs a packet, and by {@link #pauseMs}.
 *
 * <pre>
 *   Packets capture = new Packets();
 *   Packets.Tcp web = capture.tcp("10.0.0.1", 40_000, "192.0.2.1", 80);
 *   web.open(); web.client("A", 100); web.server("A", 1460); web.close();
 * </pre>
 */
final class Packets {
    static final int FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16;
    private static final int TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58;
    private static final long STEP_NS = 300_000;

    private final List<CapturedPacket> packets = new ArrayList<>();
    private long timeNs = 1_700_000_000_000_000_000L;
    private int ids;

    List<CapturedPacket> all() { return packets; }

    Packets pauseMs(long ms) {
        timeNs += ms * 1_000_000;
        return this;
    }

    Packets add(byte[] frame) {
        packets.add(new CapturedPacket(packets.size() + 1, timeNs, frame));
        timeNs += STEP_NS;
        return this;
    }

    byte[] last() { return packets.getLast().frame(); }

    Tcp tcp(String client, int clientPort, String server, int serverPort) { return new Tcp(client, clientPort, server, serverPort); }

    Packets udp(String source, int sourcePort, String destination, int destinationPort, int length) {
        return add(ip(source, destination, UDP, udp(sourcePort, destinationPort, length)));
    }

    /** A datagram in two fragments, the second one first when so asked. */
    Packets udpInFragments(String source, int sourcePort, String destination, int destinationPort, int length, boolean backwards) {
        byte[] whole = ip(source, destination, UDP, udp(sourcePort, destinationPort, length));
        List<byte[]> parts = fragments(whole, 1000, ids++);
        for (byte[] part : backwards ? parts.reversed() : parts) add(part);
        return this;
    }

    Packets ping(String source, String destination, int id, int sequence, boolean request) {
        boolean ipv6 = source.contains(":");
        int type = ipv6 ? request ? 128 : 129 : request ? 8 : 0;
        byte[] message = new byte[64];
        ByteBuffer.wrap(message).put((byte) type).put((byte) 0).putShort((short) 0).putShort((short) id).putShort((short) sequence);
        return add(ip(source, destination, ipv6 ? ICMPV6 : ICMP, message));
    }

    /** An ICMP error about an earlier frame, sent to its source. */
    Packets error(String from, byte[] about, boolean tooBig) {
        boolean ipv6 = from.contains(":");
        int headers = ipv6 ? 40 : 20;
        int quoted = Math.min(about.length - 14, headers + 64);
        byte[] message = new byte[8 + quoted];
        int type = ipv6 ? tooBig ? 2 : 1 : 3;
        int code = ipv6 ? tooBig ? 0 : 4 : tooBig ? 4 : 3;
        ByteBuffer.wrap(message).put((byte) type).put((byte) code).putShort((short) 0).putInt(tooBig ? 1280 : 0).put(about, 14, quoted);
        byte[] to = Arrays.copyOfRange(about, 14 + (ipv6 ? 8 : 12), 14 + (ipv6 ? 24 : 16));
        try {
            return add(ip(from, InetAddress.getByAddress(to).getHostAddress(), ipv6 ? ICMPV6 : ICMP, message));
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static byte[] udp(int sourcePort, int destinationPort, int length) {
        byte[] datagram = new byte[8 + length];
        for (int i = 8; i < datagram.length; i++) datagram[i] = (byte) i;
        ByteBuffer.wrap(datagram).putShort((short) sourcePort).putShort((short) destinationPort).putShort((short) datagram.length);
        return datagram;
    }

    /** One TCP session. What its ends send next follows from what they have sent; {@link #at} sends anything. */
    final class Tcp {
        private final String client;
        private final int clientPort;
        private final String server;
        private final int serverPort;
        int clientSeq = 0x1000_0000;
        int serverSeq = 0x7000_0000;
        int window = 60_000;

        private Tcp(String client, int clientPort, String server, int serverPort) {
            this.client = client;
            this.clientPort = clientPort;
            this.server = server;
            this.serverPort = serverPort;
        }

        Tcp open() { return syn().client("A", 0); }

        /** The handshake without its last segment. */
        Tcp syn() {
            at(true, SYN, clientSeq++, 0, 0);
            at(false, SYN | ACK, serverSeq++, clientSeq, 0);
            return this;
        }

        Tcp client(String flags, int length) {
            at(true, flags(flags), clientSeq, serverSeq, length);
            clientSeq += length + (flags.contains("F") ? 1 : 0);
            return this;
        }

        Tcp server(String flags, int length) {
            at(false, flags(flags), serverSeq, clientSeq, length);
            serverSeq += length + (flags.contains("F") ? 1 : 0);
            return this;
        }

        Tcp close() { return client("FA", 0).server("FA", 0).client("A", 0); }

        Tcp at(boolean fromClient, int flags, int seq, int ack, int length) {
            boolean syn = (flags & SYN) != 0;
            int header = syn ? 24 : 20;
            byte[] segment = new byte[header + length];
            for (int i = header; i < segment.length; i++) segment[i] = (byte) (seq + i);
            ByteBuffer bytes = ByteBuffer.wrap(segment);
            bytes.putShort((short) (fromClient ? clientPort : serverPort)).putShort((short) (fromClient ? serverPort : clientPort));
            bytes.putInt(seq).putInt((flags & ACK) == 0 ? 0 : ack).putShort((short) (header / 4 << 12 | flags)).putShort((short) window)
                    .putInt(0);
            if (syn) bytes.putInt(0x0303_0700); // window scale 7, end of options
            add(ip(fromClient ? client : server, fromClient ? server : client, TCP, segment));
            return this;
        }

        private static int flags(String text) {
            int flags = 0;
            for (char flag : text.toCharArray()) flags |= switch (flag) {
                case 'F' -> FIN;
                case 'S' -> SYN;
                case 'R' -> RST;
                case 'P' -> PSH;
                case 'A' -> ACK;
                default -> throw new IllegalArgumentException(text);
            };
            return flags;
        }
    }

    /** A frame with every checksum right. */
    private byte[] ip(String from, String to, int protocol, byte[] payload) {
        byte[] source = address(from);
        byte[] destination = address(to);
        boolean ipv6 = source.length == 16;
        int checksumAt = switch (protocol) {
            case TCP -> 16;
            case UDP -> 6;
            default -> 2;
        };
        ByteBuffer pseudo = ByteBuffer.allocate(40 + payload.length + 1);
        if (protocol != ICMP) pseudo.put(source).put(destination).putInt(payload.length).putInt(protocol);
        pseudo.put(payload);
        ByteBuffer.wrap(payload).putShort(checksumAt, (short) checksum(pseudo.array(), 0, pseudo.position()));
        ByteBuffer frame = ByteBuffer.allocate(14 + (ipv6 ? 40 : 20) + payload.length);
        frame.putShort((short) 0x0200).putInt(2).putShort((short) 0x0200).putInt(1).putShort((short) (ipv6 ? 0x86DD : 0x0800));
        if (ipv6) {
            frame.putInt(0x6000_0000).putShort((short) payload.length).put((byte) protocol).put((byte) 64).put(source).put(destination);
        } else {
            frame.putShort((short) 0x4500).putShort((short) (20 + payload.length)).putShort((short) ids++).putShort((short) 0);
            frame.put((byte) 64).put((byte) protocol).putShort((short) 0).put(source).put(destination);
            frame.putShort(24, (short) checksum(frame.array(), 14, 20));
        }
        return frame.put(payload).array();
    }

    /** Two fragments, split at a multiple of eight bytes. */
    private static List<byte[]> fragments(byte[] frame, int at, int id) {
        boolean ipv6 = frame[14] >> 4 == 6;
        int headers = ipv6 ? 54 : 34;
        int length = frame.length - headers;
        return List.of(fragment(frame, headers, 0, at, true, id), fragment(frame, headers, at, length - at, false, id));
    }

    private static byte[] fragment(byte[] frame, int headers, int from, int length, boolean more, int id) {
        boolean ipv6 = headers == 54;
        ByteBuffer part = ByteBuffer.allocate(headers + (ipv6 ? 8 : 0) + length);
        part.put(frame, 0, headers);
        if (ipv6) {
            part.putShort(18, (short) (length + 8));
            byte protocol = frame[20];
            part.put(20, (byte) 44);
            part.put(protocol).put((byte) 0).putShort((short) (from | (more ? 1 : 0))).putInt(id);
        } else {
            part.putShort(16, (short) (20 + length)).putShort(20, (short) (from / 8 | (more ? 0x2000 : 0))).putShort(24, (short) 0);
            part.putShort(24, (short) checksum(part.array(), 14, 20));
        }
        return part.put(frame, headers + from, length).array();
    }

    private static byte[] address(String text) {
        try {
            return InetAddress.getByName(text).getAddress();
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static int checksum(byte[] bytes, int from, int length) {
        long sum = 0;
        for (int i = 0; i < length; i++) sum += (long) (bytes[from + i] & 0xFF) << (i % 2 == 0 ? 8 : 0);
        while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >>> 16);
        return (int) (~sum & 0xFFFF);
    }
}
