package io.ambo.node.packet;

import io.ambo.cluster.session.SessionKey;
import java.lang.foreign.MemorySegment;

/**
 * One frame in packet memory and what the {@link Parser} found in it. Reused for every packet; all numbers are absolute byte offsets into
 * {@link #segment()}, or values in host order. Addresses are two longs of IPv6 in network order, IPv4 mapped (::ffff:a.b.c.d).
 */
public final class PacketView {
    /** TCP flags as they stand in the header. */
    public static final int FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32;
    public static final int ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58;
    /** High half of an IPv4-mapped address is zero, low half starts with these 32 bits. */
    public static final long IPV4_MAPPED_PREFIX = 0x0000_FFFF_0000_0000L;

    MemorySegment segment = MemorySegment.NULL;
    /** First byte of the Ethernet header, and bytes from there to the end of the frame. */
    long frame;
    int frameLength;
    /** VLAN id of an 802.1Q tag, or -1. */
    int vlan = -1;
    int etherType;
    /** 4 or 6. */
    int ipVersion;
    long ip;
    /** Bytes from the IP header to the end of the IP packet: padding of the frame is not in it. */
    int ipLength;
    int protocol;
    /** First byte of the TCP, UDP or ICMP header; meaningless in a fragment that is not the first. */
    long transport;
    /** Bytes from there to the end of the IP packet. */
    int transportLength;
    int ttl;
    long sourceHigh;
    long sourceLow;
    long destinationHigh;
    long destinationLow;
    /** For ICMP echo both are the identifier; for other ICMP 0. */
    int sourcePort;
    int destinationPort;

    boolean fragment;
    /** Bytes; 0 in the first fragment. */
    int fragmentOffset;
    boolean moreFragments;
    int fragmentId;
    /** Bytes of the original packet's payload that a fragment carries: IPv6 extension headers behind the fragment header count. */
    int fragmentLength;
    /** Also of every IPv6 packet: routers never split them. */
    boolean dontFragment;

    int tcpFlags;
    int tcpSeq;
    int tcpAck;
    /** As in the header, not scaled. */
    int tcpWindow;
    /** Bytes of TCP payload (SYN and FIN not counted). */
    int tcpPayload;
    /** Window scale option of a SYN, or -1. */
    int tcpScale = -1;
    /** Maximum segment size option of a SYN, or -1. */
    int tcpMss = -1;
    boolean tcpSackPermitted;

    /** -1 when the packet is not ICMP, or a fragment without its header. */
    int icmpType = -1;
    int icmpCode = -1;
    /** The packet is an ICMP error and quotes a packet; {@link Parser#parseQuoted} reads it. */
    boolean icmpError;

    /** Names the datagram of a fragment in {@link Fragments}; 0: none. */
    long datagram;

    /** Points the view at a frame; nothing is parsed yet. */
    public PacketView wrap(MemorySegment newSegment, long newFrame, int newFrameLength) {
        segment = newSegment;
        frame = newFrame;
        frameLength = newFrameLength;
        return this;
    }

    /** Forgets what was parsed; the frame stays. */
    void clear() {
        vlan = -1;
        etherType = ipVersion = ipLength = protocol = transportLength = ttl = 0;
        ip = transport = frame;
        sourceHigh = sourceLow = destinationHigh = destinationLow = 0;
        sourcePort = destinationPort = 0;
        fragment = moreFragments = dontFragment = false;
        fragmentOffset = fragmentId = fragmentLength = 0;
        tcpFlags = tcpSeq = tcpAck = tcpWindow = tcpPayload = 0;
        tcpScale = tcpMss = -1;
        tcpSackPermitted = false;
        // 0 is an echo reply.
        icmpType = icmpCode = -1;
        icmpError = false;
        datagram = 0;
    }

    boolean isEcho() { return isEchoRequest() || isEchoReply(); }

    /** Writes the key of the packet's session. @return true when the packet's source is the high end */
    public boolean writeKey(SessionKey key, int routingZone) {
        return key.set(sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow, destinationPort, protocol, routingZone);
    }

    public MemorySegment segment() { return segment; }

    public long frame() { return frame; }

    public int frameLength() { return frameLength; }

    public int vlan() { return vlan; }

    public int ipVersion() { return ipVersion; }

    public long ip() { return ip; }

    public int ipLength() { return ipLength; }

    public int protocol() { return protocol; }

    public long transport() { return transport; }

    public int transportLength() { return transportLength; }

    public int ttl() { return ttl; }

    public long sourceHigh() { return sourceHigh; }

    public long sourceLow() { return sourceLow; }

    public long destinationHigh() { return destinationHigh; }

    public long destinationLow() { return destinationLow; }

    /** Says whose a fragment without a transport header is. */
    public PacketView belongsTo(int transportProtocol, int source, int destination) {
        protocol = transportProtocol;
        sourcePort = source;
        destinationPort = destination;
        return this;
    }

    public int sourcePort() { return sourcePort; }

    public int destinationPort() { return destinationPort; }

    public boolean isFragment() { return fragment; }

    public int fragmentOffset() { return fragmentOffset; }

    public boolean moreFragments() { return moreFragments; }

    public int fragmentId() { return fragmentId; }

    public boolean dontFragment() { return dontFragment; }

    public int tcpFlags() { return tcpFlags; }

    public boolean hasTcp(int flag) { return (tcpFlags & flag) != 0; }

    public int tcpSeq() { return tcpSeq; }

    public int tcpAck() { return tcpAck; }

    public int tcpWindow() { return tcpWindow; }

    public int tcpPayload() { return tcpPayload; }

    public int tcpScale() { return tcpScale; }

    public int tcpMss() { return tcpMss; }

    public boolean tcpSackPermitted() { return tcpSackPermitted; }

    public int icmpType() { return icmpType; }

    public int icmpCode() { return icmpCode; }

    public boolean isIcmpError() { return icmpError; }

    public boolean isTcp() { return protocol == TCP; }

    public boolean isUdp() { return protocol == UDP; }

    public boolean isIcmp() { return protocol == ICMP || protocol == ICMPV6; }

    /** A fragment that is not the first of its packet: it has no transport header, and no ports but those that {@link Fragments} knows. */
    public boolean isLaterFragment() {
        return fragment && fragmentOffset != 0;
    }

    /** An ICMP or ICMPv6 echo request. */
    public boolean isEchoRequest() {
        return protocol == ICMP && icmpType == 8 || protocol == ICMPV6 && icmpType == 128;
    }

    /** An ICMP or ICMPv6 echo reply. */
    public boolean isEchoReply() {
        return protocol == ICMP && icmpType == 0 || protocol == ICMPV6 && icmpType == 129;
    }
}
