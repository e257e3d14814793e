package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.session.SessionKey;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketView;

/** The two ends of a packet and its protocol; of ICMP echo both ports are the identifier. */
record Flow(int protocol, IpAddress source, int sourcePort, IpAddress destination, int destinationPort) {

    static Flow of(PacketView packet) {
        return new Flow(packet.protocol(), new IpAddress(packet.sourceHigh(), packet.sourceLow()), packet.sourcePort(),
                new IpAddress(packet.destinationHigh(), packet.destinationLow()), packet.destinationPort());
    }

    Flow reversed() { return new Flow(protocol, destination, destinationPort, source, sourcePort); }

    /** The same for both flows of a session. */
    Flow either() {
        int order = source.equals(destination) ? Integer.compare(sourcePort, destinationPort) : source.compareTo(destination);
        return order <= 0 ? this : reversed();
    }

    Ends ends() {
        return new Ends().source(source.high(), source.low(), sourcePort).destination(destination.high(), destination.low(),
                destinationPort);
    }

    SessionKey key() {
        SessionKey key = new SessionKey();
        key.set(source.high(), source.low(), sourcePort, destination.high(), destination.low(), destinationPort, protocol, 0);
        return key;
    }

    @Override
    public String toString() {
        String name = switch (protocol) {
            case PacketView.TCP -> "tcp";
            case PacketView.UDP -> "udp";
            case PacketView.ICMP -> "icmp";
            case PacketView.ICMPV6 -> "icmp6";
            default -> "protocol " + protocol;
        };
        return name + " " + source.withPort(sourcePort) + " > " + destination.withPort(destinationPort);
    }
}
