package io.ambo.hatests.sim;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.datapath.Redirection;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Redirect mode of one life of a node: whom it asks is what {@code MemberRedirection} asks; datagrams on the sync link carry the packets and what owners tell. They
 * are lost like those of {@link SyncLink}, and nobody sends them again. A packet of who is in no view of the receiver's is refused there.
 */
final class SimulatedRedirection implements Redirection {
    private final SimulatedNode node;
    private final Cluster cluster;
    private final SyncLink link;
    private final SimulatedNode.Outside outside;
    private final Map<Long, Integer> owners = new HashMap<>();

    SimulatedRedirection(SimulatedNode node, Cluster cluster, SyncLink link, SimulatedNode.Outside outside) {
        this.node = node;
        this.cluster = cluster;
        this.link = link;
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
        return owner != local() && cluster.view().mayOwn(owner) ? owner : 0;
    }

    @Override
    public void learn(SessionKey ends, int owner) { owners.put(ends.hash(), owner); }

    @Override
    public void unlearn(SessionKey ends) { owners.remove(ends.hash()); }

    /** This member says that it does not know the session. */
    void forget(SessionKey ends, int owner) { owners.remove(ends.hash(), owner); }

    @Override
    public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) {
        return node.handOver(member, zone, ingress, hops, memory, ip, length, 1);
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
