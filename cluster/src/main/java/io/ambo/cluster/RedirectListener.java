package io.ambo.cluster;

import io.ambo.cluster.membership.NodeId;
import io.ambo.proto.sync.RedirectHello;
import io.ambo.proto.sync.RedirectTo;

/** What peers say about the packets that nodes hand to each other. Called on receiving threads. */
public interface RedirectListener {

    /** How this peer takes redirected packets, and by what its own are known. Comes again and again. */
    void onHello(NodeId peer, RedirectHello hello);

    /** The peer owns a session, or does not know the one, whose packets this node has sent to it. */
    void onRedirectTo(NodeId peer, RedirectTo told);
}
