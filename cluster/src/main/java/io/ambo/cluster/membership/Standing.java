package io.ambo.cluster.membership;

/** How a peer stands with this node: two kinds of alive, and what is left. */
public enum Standing {
    /** Its process speaks. */
    TALKS,
    /** Its process does not speak, its host is alive: established flows pass there, so its addresses stay. */
    PROCESS_SILENT,
    /** The same for so long that its addresses go on without it. */
    PROCESS_GONE,
    /** Its host does not answer: nothing passes there, or this node cannot reach it. */
    HOST_SILENT,
    /** It has said goodbye, or was never there. */
    LEFT
}
