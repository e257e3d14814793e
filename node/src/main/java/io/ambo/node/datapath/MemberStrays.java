package io.ambo.node.datapath;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.node.redirect.Geneve;
import java.lang.foreign.MemorySegment;

/** Sync mode: the second step of a stray, to the one other member that its hash names. One for each worker. */
public final class MemberStrays implements StrayOutlet {
    /**
     * How often a SYN or SYN-ACK is sent over a link that has lost something within this time: it has waited for its delta already, and its sender waits a second.
     * Others go once; whoever forges segments of a connection is not to be made louder.
     */
    private static final int COPIES = 8;
    private static final long LOSSY_FOR_MS = 1_000;

    /** Datagrams to members. */
    @FunctionalInterface
    public interface Datagrams {
        /**
         * @param hops   see {@link Geneve}
         * @param ip     offset of the packet's IP header
         * @param copies the same datagram so many times; its receiver takes one
         */
        boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length, int copies);
    }

    private final Cluster cluster;
    private final Datagrams datagrams;

    public MemberStrays(Cluster cluster, Datagrams datagrams) {
        this.cluster = cluster;
        this.datagrams = datagrams;
    }

    @Override
    public boolean send(long endsHash, int zone, boolean opens, MemorySegment memory, long ip, int length) {
        NodeId peer = Homes.directorOtherThanLocal(cluster.view(), endsHash);
        if (peer == null) return false;
        int copies = opens && cluster.hasSeenLossWithin(LOSSY_FOR_MS) ? COPIES : 1;
        return datagrams.send(peer.value(), zone, cluster.local().value(), Geneve.FINAL, memory, ip, length, copies);
    }
}
