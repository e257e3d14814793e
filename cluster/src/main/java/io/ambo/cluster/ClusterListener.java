package io.ambo.cluster;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.SessionKey;

/** What the appliance hears from the cluster. Called on the receiving threads: implementations hand over and return, they never block. */
public interface ClusterListener {

    /** True while somebody waits for a delta; otherwise {@link #onDeltaApplied} is not called at all. */
    boolean awaitsDeltas();

    /** A delta of this session has been merged. The key is valid during the call only. */
    void onDeltaApplied(SessionKey key);

    /** A peer has merged the delta that was published with this ticket. */
    void onAcknowledged(int worker, long ticket);

    /** Membership changed. */
    void onView(View view);

    /** A peer, or somebody who has been one, has told its state; it may be an old one. */
    default void onState(NodeId peer, NodeState state) {}

    /** The gate moved: traffic may be taken only while it is open. */
    void onGate(GateState gate);
}
