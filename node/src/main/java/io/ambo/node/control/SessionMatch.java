package io.ambo.node.control;

import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.config.Cidr;
import io.ambo.proto.control.Network;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionState;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A filter of the control API, ready to be held against records under their lock: it compares numbers only. */
final class SessionMatch {
    private static final int ICMP = 1;
    private static final int TCP = 6;
    private static final int ICMPV6 = 58;

    private final SessionFilter filter;
    private final @Nullable Cidr source;
    private final @Nullable Cidr destination;
    private final @Nullable Cidr address;
    private final Set<SessionState> states;
    private final ControlTarget target;

    SessionMatch(SessionFilter filter, ControlTarget target) throws BadRequestException {
        this.filter = filter;
        this.target = target;
        source = filter.hasSource() ? cidr(filter.getSource()) : null;
        destination = filter.hasDestination() ? cidr(filter.getDestination()) : null;
        address = filter.hasAddress() ? cidr(filter.getAddress()) : null;
        states = EnumSet.noneOf(SessionState.class);
        states.addAll(filter.getStatesList());
        if (states.isEmpty()) states.addAll(EnumSet.of(SessionState.OPENING, SessionState.ESTABLISHED, SessionState.CLOSING));
    }

    boolean matches(SessionKey key, SessionRecord session) {
        if (!states.contains(state(key, session)) || !matchesProtocol(key.protocol())) return false;
        boolean fromHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        if (!matchesPorts(key.port(fromHigh), key.port(!fromHigh))) return false;
        if (source != null && !contains(source, key, fromHigh)) return false;
        if (destination != null && !contains(destination, key, !fromHigh)) return false;
        if (address != null && !contains(address, key, fromHigh) && !contains(address, key, !fromHigh)) return false;
        if (!filter.getRule().isEmpty() && !filter.getRule().equals(target.ruleName(session.rule()))) return false;
        return filter.getOwner().isEmpty() || filter.getOwner().equals(target.memberName(session.owner()));
    }

    static SessionState state(SessionKey key, SessionRecord session) {
        if (session.has(SessionRecord.CLOSED)) return SessionState.CLOSED;
        int original = session.original().state();
        int reply = session.reply().state();
        if (key.protocol() == TCP && (original >= TcpHalf.FIN || reply >= TcpHalf.FIN)) return SessionState.CLOSING;
        return original >= TcpHalf.ESTABLISHED && reply >= TcpHalf.ESTABLISHED ? SessionState.ESTABLISHED : SessionState.OPENING;
    }

    private boolean matchesProtocol(int protocol) {
        int wanted = filter.getProtocol();
        return wanted == 0 || wanted == protocol || wanted == ICMP && protocol == ICMPV6;
    }

    private boolean matchesPorts(int sourcePort, int destinationPort) {
        int either = filter.getPort();
        if (either != 0 && either != sourcePort && either != destinationPort) return false;
        if (filter.getSourcePort() != 0 && filter.getSourcePort() != sourcePort) return false;
        return filter.getDestinationPort() == 0 || filter.getDestinationPort() == destinationPort;
    }

    private static boolean contains(Cidr cidr, SessionKey key, boolean highEnd) {
        return cidr.contains(key.addressHigh(highEnd), key.addressLow(highEnd));
    }

    private static Cidr cidr(Network network) throws BadRequestException {
        IpAddress address = IpAddress.ofBytes(network.getAddress().toByteArray());
        if (network.getAddress().size() != 16 || address == null || network.getPrefixLength() > 128)
            throw new BadRequestException("a network of the filter is none");
        return Cidr.of(address, network.getPrefixLength());
    }
}
