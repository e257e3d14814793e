package io.ambo.node.addresses;

import io.ambo.cluster.address.IpAddress;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Frames that ask who has an address on a link, that say so, and what is read from their answers. ARP (RFC 826, RFC 5227), neighbour discovery (RFC 4861). */
final class LinkFrames {
    private static final long BROADCAST = 0xFFFF_FFFF_FFFFL, ALL_NODES = 0x3333_0000_0001L, SOLICITED_NODE = 0x3333_FF00_0000L;
    private static final int ETHERNET = 14, ARP_BYTES = 28, IPV6_HEADER = 40, ND_BYTES = 24, OPTION_BYTES = 8;
    private static final int ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86DD;
    private static final int ARP_REQUEST = 1, ARP_REPLY = 2;
    private static final int ICMPV6 = 58, SOLICITATION = 135, ADVERTISEMENT = 136, SOURCE_LINK = 1, TARGET_LINK = 2;
    /** Router, override. Not solicited. */
    private static final int UNSOLICITED_FLAGS = 0xA000_0000;
    private static final int HOP_LIMIT = 255;
    private static final long ALL_NODES_HIGH = 0xFF02L << 48, ALL_NODES_LOW = 1, SOLICITED_LOW = 0x1_FF00_0000L;

    private LinkFrames() {}

    /** Somebody has an address. */
    record Owner(IpAddress address, long mac) {}

    /** "This address is here": to everybody on the link. IPv4 in both forms that hosts look at. */
    static byte[][] announcement(IpAddress address, long mac) {
        if (!address.isIpv4()) return new byte[][]{ advertisement(address, mac) };
        int ipv4 = (int) address.low();
        return new byte[][]{ arp(ARP_REQUEST, mac, ipv4, 0, ipv4), arp(ARP_REPLY, mac, ipv4, mac, ipv4) };
    }

    /**
     * "Who has this address?"
     *
     * @param ipv4 own address on the link, or 0: then nobody learns anything from the question
     * @param ipv6 own address on the link, or null: then the answer goes to everybody
     */
    static byte[] question(IpAddress address, long mac, int ipv4, @Nullable IpAddress ipv6) {
        return address.isIpv4() ? arp(ARP_REQUEST, mac, ipv4, 0, (int) address.low()) : solicitation(address, mac, ipv6);
    }

    /** Whom a frame of ARP or IPv6 names as an address's owner; null: nobody. */
    static @Nullable Owner owner(byte[] frame, int length) {
        ByteBuffer bytes = ByteBuffer.wrap(frame, 0, length);
        if (length < ETHERNET) return null;
        return switch (Short.toUnsignedInt(bytes.getShort(12))) {
            case ETHERTYPE_ARP -> ofArp(bytes, length);
            case ETHERTYPE_IPV6 -> ofAdvertisement(bytes, length);
            default -> null;
        };
    }

    private static @Nullable Owner ofArp(ByteBuffer bytes, int length) {
        if (length < ETHERNET + ARP_BYTES || bytes.getInt(ETHERNET) != 0x0001_0800 || bytes.getShort(ETHERNET + 4) != 0x0604) return null;
        int sender = bytes.getInt(ETHERNET + 14);
        return sender == 0 ? null : new Owner(IpAddress.ofIpv4(sender), mac(bytes, ETHERNET + 8));
    }

    private static @Nullable Owner ofAdvertisement(ByteBuffer bytes, int length) {
        int icmp = ETHERNET + IPV6_HEADER;
        if (length < icmp + ND_BYTES || bytes.get(ETHERNET + 6) != ICMPV6 || (bytes.get(ETHERNET + 7) & 0xFF) != HOP_LIMIT
                || bytes.get(icmp) != (byte) ADVERTISEMENT)
            return null;
        long mac = mac(bytes, 6);
        if (length >= icmp + ND_BYTES + OPTION_BYTES && bytes.get(icmp + ND_BYTES) == TARGET_LINK && bytes.get(icmp + ND_BYTES + 1) == 1)
            mac = mac(bytes, icmp + ND_BYTES + 2);
        return new Owner(new IpAddress(bytes.getLong(icmp + 8), bytes.getLong(icmp + 16)), mac);
    }

    private static byte[] arp(int operation, long senderMac, int sender, long targetMac, int target) {
        ByteBuffer frame = ethernet(BROADCAST, senderMac, ETHERTYPE_ARP, ARP_BYTES);
        frame.putInt(0x0001_0800).putShort((short) 0x0604).putShort((short) operation);
        putMac(frame, senderMac);
        frame.putInt(sender);
        putMac(frame, targetMac);
        return bytes(frame.putInt(target));
    }

    private static byte[] advertisement(IpAddress address, long mac) {
        ByteBuffer frame = ethernet(ALL_NODES, mac, ETHERTYPE_IPV6, IPV6_HEADER + ND_BYTES + OPTION_BYTES);
        ipv6(frame, ND_BYTES + OPTION_BYTES, address.high(), address.low(), ALL_NODES_HIGH, ALL_NODES_LOW);
        return neighbourDiscovery(frame, ADVERTISEMENT, UNSOLICITED_FLAGS, address, TARGET_LINK, mac);
    }

    private static byte[] solicitation(IpAddress address, long mac, @Nullable IpAddress source) {
        long lowest = address.low() & 0xFF_FFFF;
        int option = source == null ? 0 : OPTION_BYTES;
        ByteBuffer frame = ethernet(SOLICITED_NODE | lowest, mac, ETHERTYPE_IPV6, IPV6_HEADER + ND_BYTES + option);
        ipv6(frame, ND_BYTES + option, source == null ? 0 : source.high(), source == null ? 0 : source.low(), ALL_NODES_HIGH,
                SOLICITED_LOW | lowest);
        return neighbourDiscovery(frame, SOLICITATION, 0, address, source == null ? 0 : SOURCE_LINK, mac);
    }

    private static ByteBuffer ethernet(long destination, long source, int type, int payload) {
        ByteBuffer frame = ByteBuffer.allocate(ETHERNET + payload);
        putMac(frame, destination);
        putMac(frame, source);
        return frame.putShort((short) type);
    }

    private static void ipv6(ByteBuffer frame, int payload, long sourceHigh, long sourceLow, long destinationHigh, long destinationLow) {
        frame.putInt(0x6000_0000).putShort((short) payload).put((byte) ICMPV6).put((byte) HOP_LIMIT);
        frame.putLong(sourceHigh).putLong(sourceLow).putLong(destinationHigh).putLong(destinationLow);
    }

    /** @param option 0: none */
    private static byte[] neighbourDiscovery(ByteBuffer frame, int type, int flags, IpAddress target, int option, long mac) {
        int at = frame.position();
        frame.put((byte) type).put((byte) 0).putShort((short) 0).putInt(flags).putLong(target.high()).putLong(target.low());
        if (option != 0) {
            frame.put((byte) option).put((byte) 1);
            putMac(frame, mac);
        }
        return bytes(frame.putShort(at + 2, (short) checksum(frame, at)));
    }

    private static byte[] bytes(ByteBuffer frame) {
        byte[] bytes = new byte[frame.capacity()];
        frame.get(0, bytes);
        return bytes;
    }

    /** Of ICMPv6, with the pseudo header (RFC 8200, 8.1): the addresses stand right before. */
    private static int checksum(ByteBuffer frame, int at) {
        long sum = (long) frame.capacity() - at + ICMPV6;
        for (int i = at - 32; i < frame.capacity(); i += 2) sum += Short.toUnsignedInt(frame.getShort(i));
        while (sum >>> 16 != 0) sum = (sum & 0xFFFF) + (sum >>> 16);
        return (int) (~sum & 0xFFFF);
    }

    private static long mac(ByteBuffer bytes, int at) {
        return Integer.toUnsignedLong(bytes.getInt(at)) << 16 | Short.toUnsignedLong(bytes.getShort(at + 4));
    }

    private static void putMac(ByteBuffer frame, long mac) { frame.putInt((int) (mac >>> 16)).putShort((short) mac); }
}
