package io.ambo.node.packet;

/**
 * Changes a parsed packet in its frame and keeps checksums right by incremental update (RFC 1624): a checksum that was wrong stays wrong. The view's fields
 * follow. Pure functions, nothing is allocated.
 */
public final class Rewriter {
    private Rewriter() {}

    /**
     * Counts down the TTL or hop limit. The caller has made sure that it is above 1.
     *
     * @return the new value
     */
    public static int decrementTtl(PacketView packet) { return 0; }

    /** Writes the Ethernet addresses, each the low 48 bits. */
    public static void setMacs(PacketView packet, long destinationMac, long sourceMac) {}

    /**
     * Sets, inserts or removes the 802.1Q tag. {@link PacketView#frame()} and {@link PacketView#frameLength()} move by four bytes when a tag comes or goes;
     * the IP packet stays where it is. An insertion needs four free bytes before the frame. The priority of an existing tag is kept.
     *
     * @param vlan 1 to 4094, or -1: no tag
     */
    public static void setVlan(PacketView packet, int vlan) {}

    /**
     * Translates the source: address (two longs, IPv4 mapped, of the packet's own IP version) and port, with the checksums of IP, TCP, UDP or ICMP. For ICMP echo
     * the port is the identifier. Other ICMP has no port, it is ignored; in a fragment that is not the first only the address is written, as its
     * transport header travels in the first.
     */
    public static void setSource(PacketView packet, long high, long low, int port) {}

    /** Translates the destination as {@link #setSource} does the source. An ICMP echo has one identifier: set it in either. */
    public static void setDestination(PacketView packet, long high, long low, int port) {}

    /**
     * Translates the source of the packet that an ICMP error quotes, with the quoted checksums and that of the error.
     *
     * @param icmpError the error
     * @param quoted    as {@link Parser#parseQuoted} read it
     */
    public static void setQuotedSource(PacketView icmpError, PacketView quoted, long high, long low, int port) {}

    /** Translates the destination of the packet that an ICMP error quotes, as {@link #setQuotedSource} does its source. */
    public static void setQuotedDestination(PacketView icmpError, PacketView quoted, long high, long low, int port) {}
}
