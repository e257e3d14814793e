package io.ambo.node.packet;

/**
 * Reads frames into {@link PacketView}s. Every length is checked against the frame before a byte behind it is read: the memory around a frame belongs to other
 * packets and its bounds protect nothing. Pure functions; nothing is allocated, nothing thrown.
 *
 * <p>Accepted are IPv4 and IPv6 with TCP, UDP and ICMP in Ethernet, with at most one 802.1Q tag; a priority tag (VLAN 0) counts as no VLAN. IPv4 options are
 * tolerated, source routes are not. Frames to a link-layer group are refused (RFC 1812, 5.3.4), whether a unicast one was for this node is the caller's to know.
 */
public final class Parser {
    private Parser() {}

    /**
     * Reads the frame that the view is wrapped around and fills its fields. In a fragment that is not the first the transport fields and ports stay unset and
     * the protocol is what the fragment says: {@link Fragments} knows the rest.
     *
     * @return {@link DropReason#NONE}, or why this packet is dropped; then the fields are those read so far
     */
    public static DropReason parse(PacketView view) { return DropReason.IP_PROTOCOL; }

    /**
     * Checks the TCP, UDP or ICMP checksum of a parsed packet over all its bytes. Only whole packets have one that can be checked: for fragments the answer is
     * {@link DropReason#NONE}, as for UDP over IPv4 without a checksum.
     *
     * @return NONE, TCP_CHECKSUM, UDP_CHECKSUM or ICMP_CHECKSUM
     */
    public static DropReason verifyTransportChecksum(PacketView view) { return DropReason.IP_PROTOCOL; }

    /**
     * Reads the packet that an ICMP error quotes. Of its transport header only eight bytes are promised: ports, the sequence number of TCP, the identifier of an
     * echo; the other transport fields stay unset. {@link PacketView#frame()} of the quoted packet is its IP header, {@link PacketView#ipLength()} is what its
     * header says, {@link PacketView#transportLength()} is what is there. The flow of the quoted packet is the direction in which it was sent: the
     * error travels against it.
     *
     * @param icmpError parsed, with {@link PacketView#isIcmpError()}
     * @param quoted    filled; another view than {@code icmpError}
     * @return NONE; ICMP_HEADER when the quoted packet does not fit or is not one; ICMP_QUOTE when the error's receiver never sent it, or it is an ICMP error
     *         itself; a quoted fragment that is not the first has no ports: ICMP_HEADER
     */
    public static DropReason parseQuoted(PacketView icmpError, PacketView quoted) { return DropReason.IP_PROTOCOL; }
}
