package io.ambo.node.config;

/** How the members of the cluster talk. */
public enum Transport {
    /** UDP multicast. */
    UDP,
    /** TCP to a fixed list of peers, for networks without multicast. */
    TCP
}
