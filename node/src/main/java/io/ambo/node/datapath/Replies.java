package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.IcmpReply;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.packet.RateLimiter;
import io.ambo.node.packet.Rewriter;
import io.ambo.node.packet.TcpReset;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.lang.foreign.MemorySegment;

/** What a sender is told about a packet that was refused: an ICMP error, or an RST, back the way the packet came. At a bounded rate. One for each worker. */
final class Replies {
    private static final long IPV4_MAPPED = PacketView.IPV4_MAPPED_PREFIX;

    private final PacketIo io;
    private final Routes routes;
    private final PacketView reply = new PacketView();
    private final NextHop way = new NextHop();
    private final CounterBank<NodeCounter>.Row counters;
    private final RateLimiter rate;

    Replies(PacketIo io, Routes routes, CounterBank<NodeCounter>.Row counters, int perSecond) {
        this.io = io;
        this.routes = routes;
        this.counters = counters;
        rate = new RateLimiter(perSecond, perSecond);
    }

    /**
     * Answers the refusal if its reason is one that the sender should know.
     *
     * @param packet as it came in, not rewritten
     * @param mtu    of the way it would have gone
     */
    void answer(DropReason reason, PacketView packet, DataInterface ingress, int port, int mtu, long nowNs) {
        if (!isTold(reason)) return;
        if (!rate.tryAcquire(nowNs)) {
            counters.increment(NodeCounter.ICMP_ERRORS_SUPPRESSED);
            return;
        }
        long frame = io.takeFrame();
        if (frame < 0) return;
        boolean reset = reason == DropReason.RULE_REJECT && packet.isTcp();
        int length = reset ? TcpReset.answer(packet, io.memory(), frame) : icmp(reason, packet, ingress, mtu, io.memory(), frame);
        if (length > 0 && (port == HandedFrame.PORT ? route(frame, length) : io.transmit(port, frame, length))) {
            counters.increment(reset ? NodeCounter.RESETS_SENT : NodeCounter.ICMP_ERRORS_SENT);
        } else {
            io.giveFrame(frame);
        }
    }

    /** The packet came through another member: the answer goes the way that this node knows to the sender. */
    private boolean route(long frame, int length) {
        if (Parser.parse(reply.wrap(io.memory(), frame, length)) != DropReason.NONE) return false;
        Routes.Result result = routes.lookup(reply.sourceHigh(), reply.sourceLow(), reply.destinationHigh(), reply.destinationLow(), 0,
                way);
        if (result != Routes.Result.FOUND) return false;
        Rewriter.setVlan(reply, way.egress.vlan());
        Rewriter.setMacs(reply, way.destinationMac, way.egress.mac());
        return io.transmit(way.egress.port(), reply.frame(), reply.frameLength());
    }

    private static boolean isTold(DropReason reason) {
        return switch (reason) {
            case RULE_REJECT, NO_ROUTE, ROUTE_PROHIBITED, NEIGHBOUR_FAILED, TTL_EXPIRED, TOO_BIG -> true;
            default -> false;
        };
    }

    private static int icmp(DropReason reason, PacketView packet, DataInterface ingress, int mtu, MemorySegment into, long offset) {
        boolean ipv6 = packet.ipVersion() == 6;
        long high = ipv6 ? ingress.ipv6High() : 0;
        long low = ipv6 ? ingress.ipv6Low() : IPV4_MAPPED | Integer.toUnsignedLong(ingress.ipv4());
        if (ipv6 ? (high | low) == 0 : ingress.ipv4() == 0) return 0; // no address to speak from
        return switch (reason) {
            case TTL_EXPIRED -> IcmpReply.timeExceeded(packet, high, low, into, offset);
            case TOO_BIG -> IcmpReply.tooBig(packet, mtu, high, low, into, offset);
            case NO_ROUTE -> IcmpReply.unreachable(packet, IcmpReply.Unreachable.NETWORK, high, low, into, offset);
            case NEIGHBOUR_FAILED -> IcmpReply.unreachable(packet, IcmpReply.Unreachable.HOST, high, low, into, offset);
            case ROUTE_PROHIBITED -> IcmpReply.unreachable(packet, IcmpReply.Unreachable.PROHIBITED, high, low, into, offset);
            default -> IcmpReply.unreachable(packet, IcmpReply.Unreachable.PORT, high, low, into, offset);
        };
    }
}
