package io.ambo.node.config;

/**
 * Section limits. Everything has one; reaching it has a counter.
 *
 * @param sessions           entries of the session table, tombstones included
 * @param sessionsPerSource  open at once for each source address; 0: no limit
 * @param parked             strays that wait for their delta, for each worker
 * @param pendingNeighbour   packets that wait for ARP or neighbour discovery, for each worker
 * @param fragments          fragmented packets under reassembly, for each worker
 * @param icmpErrorsPerSecond ICMP errors and resets that this node sends of its own accord, for each worker
 * @param flows               sessions in the kernel's flow cache, for each IP version
 * @param redirectsPerSecond  strays that are handed to a peer, for each worker
 */
public record LimitConfig(int sessions, int sessionsPerSource, int parked, int pendingNeighbour, int fragments, int icmpErrorsPerSecond,
        int redirectsPerSecond, int flows) {}
