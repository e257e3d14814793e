package io.ambo.node.config;

import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * One rule. Everything it names must match.
 *
 * @param name                 unique; its number in session records is {@link io.ambo.node.firewall.Names#ruleId}
 * @param from                 zones of the arriving interface; empty: any
 * @param to                   zones of the leaving interface; empty: any
 * @param source               addresses of the opener
 * @param destination          addresses it opens to
 * @param protocols            never empty; any means all of them
 * @param ports                destination ports; empty: any
 * @param sourcePorts          ports of the opener; empty: any
 * @param action               what becomes of a packet that opens a session
 * @param log                  one line for each session opened or refused, rate-limited
 * @param timeoutMs            idle time of an established session; 0: that of the timeouts section
 * @param onTimeout            are both ends told
 * @param midStream            may a segment other than SYN open a session
 * @param defer                hold the opening packet until a peer has acknowledged its delta
 * @param fastPath             may the kernel forward its established sessions
 * @param maxSessions          open at once by this rule; 0: no limit
 * @param maxSessionsPerSource the same for each source address; 0: no limit
 */
public record RuleConfig(String name, Set<String> from, Set<String> to, AddressMatch source, AddressMatch destination,
        Set<Protocol> protocols,
        List<PortRange> ports, List<PortRange> sourcePorts, Action action, boolean log, int timeoutMs, OnTimeout onTimeout,
        MidStream midStream, boolean defer, boolean fastPath, int maxSessions, int maxSessionsPerSource) {
    public RuleConfig {
        // Sorted: their text goes into the digest that is compared with the peers', and a plain set's order differs from JVM to JVM.
        from = Collections.unmodifiableSortedSet(new TreeSet<>(from));
        to = Collections.unmodifiableSortedSet(new TreeSet<>(to));
        protocols = Collections.unmodifiableSortedSet(new TreeSet<>(protocols));
        ports = List.copyOf(ports);
        sourcePorts = List.copyOf(sourcePorts);
    }
}
