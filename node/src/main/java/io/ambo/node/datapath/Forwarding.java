package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.Fragmenter;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Rewriter;
import io.ambo.node.packet.TcpReset;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;

/**
 * The last part of a packet's way: its next hop, what stands against it, and the wire. Holds packets that wait for a neighbour or for a peer. The
 * worker's own.
 */
final class Forwarding {
    /** The kernel asks three times, a second apart. */
    private static final long NEIGHBOUR_WAIT_NS = 3_200_000_000L;
    private static final int MOST_EXPIRIES = 64;

    private final PacketIo io;
    private final Routes routes;
    private final HeldFrames awaitingNeighbour;
    private final HeldFrames deferred;
    private final long deferNs;
    private final CounterBank<NodeCounter>.Row counters;
    private final HeldFrames.Sink onReady;
    private final HeldFrames.Sink onNeighbourTimeout;
    private final HeldFrames.Sink onDeferAcknowledged;
    private final HeldFrames.Sink onDeferTimeout;
    private long seenGeneration;

    Forwarding(WorkerContext context, HeldFrames.Sink onReady) {
        io = context.io();
        routes = context.routes();
        this.onReady = onReady;
        awaitingNeighbour = new HeldFrames(context.limits().neighbourWaits());
        deferred = new HeldFrames(context.limits().deferred());
        deferNs = context.limits().deferNs();
        counters = context.counters();
        CounterBank<DropReason>.Row drops = context.drops();
        onNeighbourTimeout = (frame, length, port) -> {
            drops.increment(DropReason.NEIGHBOUR_FAILED);
            io.giveFrame(frame);
        };
        onDeferAcknowledged = (frame, length, port) -> {
            counters.increment(NodeCounter.DEFERRED_ACKNOWLEDGED);
            onReady.onReleased(frame, length, port);
        };
        onDeferTimeout = (frame, length, port) -> {
            counters.increment(NodeCounter.DEFERRED_EXPIRED);
            onReady.onReleased(frame, length, port);
        };
    }

    /** @param ends the packet's when it leaves */
    Routes.Result route(PacketView packet, Ends ends, NextHop hop) {
        return routes.lookup(ends.sourceHigh(), ends.sourceLow(), ends.destinationHigh(), ends.destinationLow(), flowHash(packet), hop);
    }

    /** Why there is no way, or NONE. */
    DropReason refusal(Routes.Result route) {
        return switch (route) {
            case FOUND, PENDING -> NONE;
            case NEIGHBOUR_FAILED -> DropReason.NEIGHBOUR_FAILED;
            case NO_ROUTE -> DropReason.NO_ROUTE;
            case PROHIBITED -> DropReason.ROUTE_PROHIBITED;
            case LOCAL, NOT_A_DATA_INTERFACE -> DropReason.NOT_A_DATA_INTERFACE;
        };
    }

    /** What stands against a packet that has a way: its TTL is used up, or it is too big for the next link. */
    DropReason obstacle(PacketView packet, NextHop hop) {
        if (packet.ttl() <= 1) return DropReason.TTL_EXPIRED;
        if (packet.ipLength() <= hop.mtu) return NONE;
        return packet.ipVersion() == 6 || packet.dontFragment() ? DropReason.TOO_BIG : NONE;
    }

    /** Rewrites the packet for the next hop and sends it. */
    DropReason send(PacketView packet, NextHop hop) {
        Rewriter.decrementTtl(packet);
        if (packet.ipLength() > hop.mtu) return sendFragments(packet, hop);
        return transmit(packet, hop) ? NONE : DropReason.TRANSMIT_FULL;
    }

    /** Holds a packet until its next hop is known. */
    DropReason awaitNeighbour(PacketView packet, int port, long nowNs) {
        if (!awaitingNeighbour.hold(packet.frame(), packet.frameLength(), port, 0, nowNs + NEIGHBOUR_WAIT_NS))
            return DropReason.NEIGHBOUR_QUEUE_FULL;
        counters.increment(NodeCounter.NEIGHBOUR_WAITS);
        return NONE;
    }

    /** Holds the first packet of a session until a peer has the session. @return false: no room, it goes on at once */
    boolean defer(PacketView packet, int port, long ticket, long nowNs) {
        if (!deferred.hold(packet.frame(), packet.frameLength(), port, ticket, nowNs + deferNs)) return false;
        counters.increment(NodeCounter.DEFERRED);
        return true;
    }

    int onAcknowledged(long ticket) { return deferred.releaseUpTo(ticket, onDeferAcknowledged); }

    int onTimer(long nowNs) {
        int work = 0;
        long generation = routes.generation();
        if (generation != seenGeneration) {
            seenGeneration = generation;
            work += awaitingNeighbour.releaseAll(onReady);
        }
        work += awaitingNeighbour.releaseDue(nowNs, MOST_EXPIRIES, onNeighbourTimeout);
        return work + deferred.releaseDue(nowNs, MOST_EXPIRIES, onDeferTimeout);
    }

    long nextTimerInNs(long nowNs) { return Math.min(awaitingNeighbour.nextDeadlineInNs(nowNs), deferred.nextDeadlineInNs(nowNs)); }

    /** Tells both ends that their session is gone. An end whose next hop is not known goes without. */
    void reset(ResetCommand command, NextHop hop) {
        sendReset(command.toReply(), hop);
        sendReset(command.toOriginal(), hop);
    }

    private void sendReset(ResetCommand.Reset reset, NextHop hop) {
        ResetCommand.End from = reset.from();
        ResetCommand.End to = reset.to();
        if (routes.lookup(from.high(), from.low(), to.high(), to.low(), 0, hop) != Routes.Result.FOUND) return;
        long frame = io.takeFrame();
        if (frame < 0) return;
        int length = TcpReset.build(hop.destinationMac, hop.egress.mac(), hop.egress.vlan(), from.high(), from.low(), from.port(),
                to.high(), to.low(),
                to.port(), reset.seq(), reset.ack(), io.memory(), frame);
        if (io.transmit(hop.egress.port(), frame, length)) counters.increment(NodeCounter.RESETS_SENT);
        else
            io.giveFrame(frame);
    }

    private boolean transmit(PacketView packet, NextHop hop) {
        Rewriter.setVlan(packet, hop.egress.vlan());
        Rewriter.setMacs(packet, hop.destinationMac, hop.egress.mac());
        if (!io.transmit(hop.egress.port(), packet.frame(), packet.frameLength())) return false;
        counters.increment(NodeCounter.PACKETS_FORWARDED);
        counters.add(NodeCounter.BYTES_FORWARDED, packet.ipLength());
        return true;
    }

    /** The original frame is given back: the fragments are in frames of their own. */
    private DropReason sendFragments(PacketView packet, NextHop hop) {
        int count = Fragmenter.count(packet, hop.mtu);
        if (count == 0) return DropReason.TOO_BIG;
        Rewriter.setVlan(packet, hop.egress.vlan());
        Rewriter.setMacs(packet, hop.destinationMac, hop.egress.mac());
        for (int i = 0; i < count; i++) {
            long frame = io.takeFrame();
            if (frame < 0) return DropReason.NO_FRAME;
            int length = Fragmenter.write(packet, hop.mtu, i, io.memory(), frame);
            if (!io.transmit(hop.egress.port(), frame, length)) {
                io.giveFrame(frame);
                return DropReason.TRANSMIT_FULL;
            }
            counters.increment(NodeCounter.FRAGMENTS_MADE);
        }
        counters.increment(NodeCounter.PACKETS_FORWARDED);
        counters.add(NodeCounter.BYTES_FORWARDED, packet.ipLength());
        io.giveFrame(packet.frame());
        return NONE;
    }

    private static int flowHash(PacketView packet) {
        long h = packet.sourceHigh() * 31 + packet.sourceLow();
        h = h * 31 + packet.destinationHigh();
        h = h * 31 + packet.destinationLow();
        h = h * 31 + (packet.isFragment() ? 0 : (long) packet.sourcePort() << 16 | packet.destinationPort());
        h *= 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32);
    }
}
