package io.ambo.node.datapath;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.replication.StrayOutlet;
import io.ambo.node.redirect.Geneve;
import io.ambo.node.redirect.RedirectSocket;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sync mode: the second step of a stray, to the one other member that its hash names. One for each worker. */
final class MemberStrays implements StrayOutlet {
    private static final int TYPE = 12, ETHERNET = 14, TAG = 4;
    /**
     * How often a SYN or SYN-ACK is sent over a link that has lost something within this time: it has waited for its delta already, and its sender waits a second.
     * Others go once; whoever forges segments of a connection is not to be made louder.
     */
    private static final int COPIES = 8;
    private static final int TCP = 6, TCP_FLAGS = 13, SYN = 2, IPV4_PROTOCOL = 9, IPV6_NEXT_HEADER = 6, IPV6_HEADER = 40;
    private static final long LOSSY_FOR_MS = 1_000;
    private static final short TAGGED = (short) 0x8100;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(java.nio.ByteOrder.BIG_ENDIAN);

    private final Cluster cluster;
    private final RedirectSocket socket;

    MemberStrays(Cluster cluster, RedirectSocket socket) {
        this.cluster = cluster;
        this.socket = socket;
    }

    @Override
    public boolean send(long keyHash, int zone, MemorySegment memory, long frame, int length) {
        NodeId peer = Homes.directorOtherThanLocal(cluster.view(), keyHash);
        if (peer == null) return false;
        int header = memory.get(NETWORK_SHORT, frame + TYPE) == TAGGED ? ETHERNET + TAG : ETHERNET;
        long ip = frame + header;
        // A short frame is filled up behind the packet's end.
        int packet = (memory.get(ValueLayout.JAVA_BYTE, ip) & 0xF0) == 0x40
                ? memory.get(NETWORK_SHORT, ip + 2) & 0xFFFF
                : (memory.get(NETWORK_SHORT, ip + 4) & 0xFFFF) + 40;
        int copies = opensConnection(memory, ip) && cluster.hasSeenLossWithin(LOSSY_FOR_MS) ? COPIES : 1;
        return packet <= length - header
                && socket.send(peer.value(), zone, cluster.local().value(), Geneve.FINAL, memory, ip, packet, copies);
    }

    private static boolean opensConnection(MemorySegment memory, long ip) {
        int first = memory.get(ValueLayout.JAVA_BYTE, ip);
        boolean ipv4 = (first & 0xF0) == 0x40;
        if (memory.get(ValueLayout.JAVA_BYTE, ip + (ipv4 ? IPV4_PROTOCOL : IPV6_NEXT_HEADER)) != TCP) return false;
        long tcp = ip + (ipv4 ? (first & 0x0F) * 4 : IPV6_HEADER);
        return (memory.get(ValueLayout.JAVA_BYTE, tcp + TCP_FLAGS) & SYN) != 0;
    }
}
