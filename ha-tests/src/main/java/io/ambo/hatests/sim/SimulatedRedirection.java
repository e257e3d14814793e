package io.ambo.hatests.sim;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.datapath.Redirection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Redirect mode of one life of a node: whom it asks is what {@code MemberRedirection} asks; datagrams on the sync link carry the packets and what owners tell. They
 * are lost like those of {@link SyncLink}, and nobody sends them again. A packet of who is in no view of the receiver's is refused there.
 */
final class SimulatedRedirection implements Redirection {
    private static final int ETHERNET = 14, TYPE = 12;
    private static final short TYPE_IPV4 = 0x0800, TYPE_IPV6 = (short) 0x86DD;

    private final SimulatedNode node;
    private final Cluster cluster;
    private final SyncLink link;
    private final EventLog log;
    private final SimulatedNode.Outside outside;
    private final Map<Long, Integer> owners = new HashMap<>();

    SimulatedRedirection(SimulatedNode node, Cluster cluster, SyncLink link, EventLog log, SimulatedNode.Outside outside) {
        this.node = node;
        this.cluster = cluster;
        this.link = link;
        this.log = log;
        this.outside = outside;
    }

    @Override
    public boolean isOn() { return true; }

    @Override
    public int local() { return node.id.value(); }

    @Override
    public int owner(SessionKey key, SessionRecord session) { return Homes.owner(cluster.view(), key, session); }

    @Override
    public int director(long endsHash) { return Homes.director(cluster.view(), endsHash).value(); }

    @Override
    public int nextDirector(long endsHash, int ingress) {
        NodeId next = Homes.nextDirector(cluster.view(), endsHash, ingress);
        return next == null ? 0 : next.value();
    }

    @Override
    public int learnt(SessionKey ends) {
        int owner = owners.getOrDefault(ends.hash(), 0);
        return owner != local() && cluster.view().contains(owner) ? owner : 0;
    }

    @Override
    public void learn(SessionKey ends, int owner) { owners.put(ends.hash(), owner); }

    @Override
    public void unlearn(SessionKey ends) { owners.remove(ends.hash()); }

    /** This member says that it does not know the session. */
    void forget(SessionKey ends, int owner) { owners.remove(ends.hash(), owner); }

    @Override
    public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) {
        SimulatedNode to = outside.node(member);
        if (to == null || !cluster.view().contains(member)) return false;
        byte[] packet = memory.asSlice(ip, length).toArray(ValueLayout.JAVA_BYTE);
        byte[] frame = ByteBuffer.allocate(ETHERNET + length).putShort(TYPE, packet[0] >>> 4 == 6 ? TYPE_IPV6 : TYPE_IPV4)
                .put(ETHERNET, packet)
                .array();
        log.add(EndFrames.conversation(frame), node.id.name(), "hands it to " + to);
        int sender = local();
        link.carry(node.index, to.index, () -> to.receiveHanded(zone, hops, ingress, sender, frame));
        return true;
    }

    @Override
    public void tell(int ingress, SessionKey ends, boolean isOwner) {
        SimulatedNode to = outside.node(ingress);
        if (to == null || to == node) return;
        SessionKey copy = new SessionKey().copyFrom(ends);
        int owner = local();
        link.carry(node.index, to.index, () -> to.run(() -> to.onOwner(copy, owner, isOwner)));
    }
}
