package io.ambo.node.packet;

/**
 * The two ends of a packet as it is to leave: those it came with, or what they are translated to. Addresses are two longs, IPv4 mapped; of ICMP echo both ports
 * are the identifier. Reused for every packet.
 */
public final class Ends {
    private long sourceHigh;
    private long sourceLow;
    private int sourcePort;
    private long destinationHigh;
    private long destinationLow;
    private int destinationPort;

    /** Those that the packet has. */
    public Ends of(PacketView packet) {
        return source(packet.sourceHigh(), packet.sourceLow(), packet.sourcePort()).destination(packet.destinationHigh(),
                packet.destinationLow(), packet.destinationPort());
    }

    public Ends source(long high, long low, int port) {
        sourceHigh = high;
        sourceLow = low;
        sourcePort = port;
        return this;
    }

    public Ends destination(long high, long low, int port) {
        destinationHigh = high;
        destinationLow = low;
        destinationPort = port;
        return this;
    }

    public long sourceHigh() { return sourceHigh; }

    public long sourceLow() { return sourceLow; }

    public int sourcePort() { return sourcePort; }

    public long destinationHigh() { return destinationHigh; }

    public long destinationLow() { return destinationLow; }

    public int destinationPort() { return destinationPort; }

    /** The packet has these ends already. */
    public boolean areOf(PacketView packet) {
        return isSourceOf(packet) && isDestinationOf(packet);
    }

    /** Translates the packet, checksums and all. */
    public void writeTo(PacketView packet) {
        if (!isSourceOf(packet)) Rewriter.setSource(packet, sourceHigh, sourceLow, sourcePort);
        if (!isDestinationOf(packet)) Rewriter.setDestination(packet, destinationHigh, destinationLow, destinationPort);
    }

    /** Translates the packet that an ICMP error quotes; these are its ends. */
    public void writeToQuoted(PacketView icmpError, PacketView quoted) {
        if (!isSourceOf(quoted)) Rewriter.setQuotedSource(icmpError, quoted, sourceHigh, sourceLow, sourcePort);
        if (!isDestinationOf(quoted)) Rewriter.setQuotedDestination(icmpError, quoted, destinationHigh, destinationLow, destinationPort);
    }

    private boolean isSourceOf(PacketView packet) {
        return packet.sourceHigh() == sourceHigh && packet.sourceLow() == sourceLow && packet.sourcePort() == sourcePort;
    }

    private boolean isDestinationOf(PacketView packet) {
        return packet.destinationHigh() == destinationHigh && packet.destinationLow() == destinationLow
                && packet.destinationPort() == destinationPort;
    }
}
