package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.routing.Routes;
import java.util.function.BooleanSupplier;

/**
 * What a worker is given. Everything but the table, the counts, the passed SYNs and the identity is the worker's own.
 *
 * @param strays      sync mode: the way to the peer that may know a stray's session
 * @param redirection redirect mode
 * @param identity   who opens sessions on this node
 * @param hasPeers   whether anybody could send a delta
 */
record WorkerContext(PacketIo io, Routes routes, SessionTable sessions, DeltaPublisher publisher, StrayOutlet strays,
        Redirection redirection, FastPath fastPath,
        SessionCounts counts, PassedSyns passedSyns,
        Identity identity,
        BooleanSupplier hasPeers, CounterBank<DropReason>.Row drops, CounterBank<NodeCounter>.Row counters, Limits limits,
        FirewallLog log) {

    /** This node's part in an incarnation. Thread-safe. */
    interface Identity {
        int nodeId();

        /** The next reading of the hybrid logical clock. */
        long created();
    }

    /**
     * Bounds of the queues in which packets wait, and of what the node says of its own accord.
     *
     * @param parked              strays that wait for their delta
     * @param parkNs              how long
     * @param deferred            first packets that wait for a peer
     * @param deferNs             how long
     * @param neighbourWaits      packets that wait for their next hop
     * @param icmpErrorsPerSecond ICMP errors and resets
     * @param redirectsPerSecond  strays handed to a peer; 0: none
     */
    record Limits(int parked, long parkNs, int deferred, long deferNs, int neighbourWaits, int icmpErrorsPerSecond,
            int redirectsPerSecond,
            Fragments.Limits fragments) {}
}
