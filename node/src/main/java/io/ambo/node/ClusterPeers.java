package io.ambo.node;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.membership.NodeId;
import io.ambo.node.control.PeerQuery;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The control server's way to the peers: over the sync link. */
record ClusterPeers(Cluster cluster) implements PeerQuery {
    @Override
    public List<String> peers() {
        return cluster.view().members().stream().filter(member -> !member.equals(cluster.local())).map(NodeId::name).toList();
    }

    @Override
    public CompletableFuture<byte[]> ask(String peer, byte[] request, Duration timeout) {
        return cluster.ask(NodeId.of(peer), request, timeout);
    }
}
