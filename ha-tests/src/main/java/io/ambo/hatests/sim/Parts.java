package io.ambo.hatests.sim;

import io.ambo.cluster.GateState;
import io.ambo.cluster.session.SessionTable;

/** How the nodes of a simulation are put together, and what a test may put in another way: to show that the simulation notices. */
public interface Parts {
    /** Every node as it ships. */
    Parts AS_SHIPPED = new Parts() {
    };

    /** The session table of a node. */
    default SessionTable table(SessionTable real) { return real; }

    /** Whether a node at this gate is given packets. */
    default boolean takesTraffic(GateState gate) { return gate.open(); }

    /** How long a closed session is remembered: longer than any delay that {@link Faults} brings about. */
    default int tombstoneMs() {
        return 25_000;
    }
}
