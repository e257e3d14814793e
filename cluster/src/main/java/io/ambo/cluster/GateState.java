package io.ambo.cluster;

/**
 * Whether this node may take traffic, and if not, why and how far it is.
 *
 * @param open     true: the table is equal to the peers', or nobody else is there
 * @param sessions received so far while closed
 * @param expected sessions the peer said it has; 0 when not known yet
 * @param reason   one sentence for the operator
 */
public record GateState(boolean open, long sessions, long expected, String reason) {}
