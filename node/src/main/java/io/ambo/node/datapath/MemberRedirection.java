package io.ambo.node.datapath;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.redirect.RedirectSocket;
import io.ambo.node.redirect.RedirectTeller;
import java.lang.foreign.MemorySegment;

/** Redirect mode over a cluster. One for each worker. */
final class MemberRedirection implements Redirection {
    private final Cluster cluster;
    private final RedirectSocket socket;
    private final FastPath fastPath;
    private final FlowKeeper flows;
    private final RedirectTeller teller;
    private final int local;

    MemberRedirection(Cluster cluster, RedirectSocket socket, FastPath fastPath, FlowKeeper flows, RedirectTeller teller) {
        this.cluster = cluster;
        this.socket = socket;
        this.fastPath = fastPath;
        this.flows = flows;
        this.teller = teller;
        local = cluster.local().value();
    }

    @Override
    public boolean isOn() { return true; }

    @Override
    public int local() { return local; }

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
        int owner = fastPath.redirectedTo(ends);
        return owner != local && cluster.view().mayOwn(owner) ? owner : 0;
    }

    @Override
    public void learn(SessionKey ends, int owner) { flows.learn(ends, owner); }

    @Override
    public void unlearn(SessionKey ends) { if (fastPath.redirectedTo(ends) != 0) flows.unlearn(ends, 0); }

    @Override
    public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) {
        return socket.send(member, zone, ingress, hops, memory, ip, length);
    }

    @Override
    public void tell(int ingress, SessionKey ends, boolean isOwner) { teller.tell(ingress, ends, isOwner); }
}
