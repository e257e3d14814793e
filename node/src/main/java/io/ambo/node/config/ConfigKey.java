package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * A key of the config that holds one value: how a change of it comes into force, and the value as text. The keys within interfaces and rules are in
 * {@link #IN_LISTS}; {@link ConfigDiff} compares those entry by entry.
 *
 * @param path dotted
 */
record ConfigKey(String path, Apply apply, Function<Config, String> text) {
    enum Apply {
        RELOAD, RESTART
    }

    /** Every key outside of lists, in the order of the reference. */
    static final List<ConfigKey> ALL = List.of(
            new ConfigKey("node.name", Apply.RESTART, c -> c.node().name()),
            new ConfigKey("node.state-dir", Apply.RESTART, c -> c.node().stateDir().toString()),
            new ConfigKey("node.table-dir", Apply.RESTART, c -> c.node().tableDir().toString()),
            new ConfigKey("node.pin-dir", Apply.RESTART, c -> c.node().pinDir().toString()),
            new ConfigKey("node.control-socket", Apply.RESTART, c -> c.node().controlSocket().toString()),
            new ConfigKey("node.control-group", Apply.RESTART, c -> c.node().controlGroup()),
            new ConfigKey("node.rehearsal", Apply.RESTART, c -> Units.durationMsText(c.node().rehearsalMs())),
            new ConfigKey("cluster.name", Apply.RESTART, c -> c.cluster().name()),
            new ConfigKey("cluster.bind-address", Apply.RESTART, c -> c.cluster().bindAddress().getHostAddress()),
            new ConfigKey("cluster.bind-port", Apply.RESTART, c -> Integer.toString(c.cluster().bindPort())),
            new ConfigKey("cluster.transport", Apply.RESTART, c -> Units.word(c.cluster().transport())),
            new ConfigKey("cluster.multicast", Apply.RESTART, c -> endpoint(c.cluster().multicast())),
            new ConfigKey("cluster.peers", Apply.RESTART, c -> c.cluster().peers().stream().map(ConfigKey::endpoint).toList().toString()),
            new ConfigKey("cluster.members", Apply.RESTART, c -> c.cluster().members().toString()),
            new ConfigKey("cluster.mode", Apply.RESTART, c -> c.cluster().mode().word()),
            new ConfigKey("cluster.redirect-port", Apply.RESTART, c -> Integer.toString(c.cluster().redirectPort())),
            new ConfigKey("cluster.key-file", Apply.RESTART, c -> c.cluster().keyFile().toString()),
            new ConfigKey("cluster.park", Apply.RESTART, c -> Units.durationText(c.cluster().parkNs())),
            new ConfigKey("cluster.defer-timeout", Apply.RESTART, c -> Units.durationText(c.cluster().deferTimeoutNs())),
            new ConfigKey("cluster.join-timeout", Apply.RESTART, c -> Units.durationMsText(c.cluster().joinTimeoutMs())),
            new ConfigKey("cluster.heartbeat", Apply.RESTART, c -> Units.durationMsText(c.cluster().heartbeatMs())),
            new ConfigKey("cluster.heartbeat-timeout", Apply.RESTART, c -> Units.durationMsText(c.cluster().heartbeatTimeoutMs())),
            new ConfigKey("cluster.probe", Apply.RESTART, c -> Units.durationMsText(c.cluster().probeMs())),
            new ConfigKey("cluster.probe-timeout", Apply.RESTART, c -> Units.durationMsText(c.cluster().probeTimeoutMs())),
            new ConfigKey("cluster.process-timeout", Apply.RESTART, c -> Units.durationMsText(c.cluster().processTimeoutMs())),
            new ConfigKey("tracking.interfaces", Apply.RELOAD, c -> String.join(", ", c.tracking().interfaces())),
            new ConfigKey("tracking.interval", Apply.RELOAD, c -> Units.durationMsText(c.tracking().intervalMs())),
            new ConfigKey("tracking.misses", Apply.RELOAD, c -> Integer.toString(c.tracking().misses())),
            new ConfigKey("firewall.default", Apply.RELOAD, c -> Units.word(c.firewall().defaultAction())),
            new ConfigKey("timeouts.tcp.opening", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().tcpOpeningMs())),
            new ConfigKey("timeouts.tcp.established", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().tcpEstablishedMs())),
            new ConfigKey("timeouts.tcp.closing", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().tcpClosingMs())),
            new ConfigKey("timeouts.tcp.closed", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().tcpClosedMs())),
            new ConfigKey("timeouts.udp.single", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().udpSingleMs())),
            new ConfigKey("timeouts.udp.multiple", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().udpMultipleMs())),
            new ConfigKey("timeouts.icmp", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().icmpMs())),
            new ConfigKey("timeouts.tombstone", Apply.RELOAD, c -> Units.durationMsText(c.timeouts().tombstoneMs())),
            new ConfigKey("limits.sessions", Apply.RESTART, c -> Integer.toString(c.limits().sessions())),
            new ConfigKey("limits.sessions-per-source", Apply.RELOAD, c -> Integer.toString(c.limits().sessionsPerSource())),
            new ConfigKey("limits.parked", Apply.RESTART, c -> Integer.toString(c.limits().parked())),
            new ConfigKey("limits.pending-neighbour", Apply.RESTART, c -> Integer.toString(c.limits().pendingNeighbour())),
            new ConfigKey("limits.fragments", Apply.RESTART, c -> Integer.toString(c.limits().fragments())),
            new ConfigKey("limits.flows", Apply.RESTART, c -> Integer.toString(c.limits().flows())),
            new ConfigKey("limits.redirects-per-second", Apply.RESTART, c -> Integer.toString(c.limits().redirectsPerSecond())),
            new ConfigKey("limits.icmp-errors-per-second", Apply.RESTART, c -> Integer.toString(c.limits().icmpErrorsPerSecond())),
            new ConfigKey("datapath.workers", Apply.RESTART,
                    c -> c.datapath().workers() == DatapathConfig.WORKERS_AUTO ? "auto" : Integer.toString(c.datapath().workers())),
            new ConfigKey("datapath.cpus", Apply.RESTART,
                    c -> c.datapath().cpus().isEmpty() ? "any" : c.datapath().cpus().toString()),
            new ConfigKey("datapath.xdp-mode", Apply.RESTART, c -> Units.word(c.datapath().xdpMode())),
            new ConfigKey("datapath.fast-path", Apply.RESTART, c -> Boolean.toString(c.datapath().fastPath())),
            new ConfigKey("datapath.fast-path-after", Apply.RESTART, c -> Integer.toString(c.datapath().fastPathAfter())),
            new ConfigKey("datapath.survive", Apply.RESTART, c -> Units.durationMsText(c.datapath().surviveMs())),
            new ConfigKey("datapath.packet-memory", Apply.RESTART, c -> Units.sizeText(c.datapath().packetMemoryBytes())),
            new ConfigKey("logging.level", Apply.RESTART, c -> Units.word(c.logging().level())),
            new ConfigKey("logging.rule-lines-per-second", Apply.RESTART, c -> Integer.toString(c.logging().ruleLinesPerSecond())));

    /** Every key within a list. Interfaces need a restart, rules do not. */
    static final List<String> IN_LISTS = List.of("interfaces[].name", "interfaces[].zone", "interfaces[].parent", "interfaces[].vlan",
            "firewall.rules[].name", "firewall.rules[].from", "firewall.rules[].to", "firewall.rules[].source",
            "firewall.rules[].destination",
            "firewall.rules[].protocol", "firewall.rules[].ports", "firewall.rules[].source-ports", "firewall.rules[].action",
            "firewall.rules[].log",
            "firewall.rules[].timeout", "firewall.rules[].on-timeout", "firewall.rules[].mid-stream", "firewall.rules[].defer",
            "firewall.rules[].fast-path", "firewall.rules[].max-sessions", "firewall.rules[].max-sessions-per-source", "nat[].name",
            "nat[].from",
            "nat[].to", "nat[].source", "nat[].destination", "nat[].protocol", "nat[].ports", "nat[].snat", "nat[].snat-ports",
            "nat[].dnat",
            "nat[].dnat-port", "addresses[].address", "addresses[].interface", "addresses[].prefer", "tracking.reachability[].address",
            "tracking.reachability[].interface");

    /** Where a key of this name belongs, for somebody who put it into the wrong section. */
    static Optional<String> withLastName(String name) {
        return java.util.stream.Stream.concat(ALL.stream().map(ConfigKey::path), IN_LISTS.stream())
                .filter(path -> path.endsWith("." + name)).findFirst();
    }

    private static String endpoint(InetSocketAddress endpoint) {
        IpAddress address = Objects.requireNonNull(IpAddress.ofBytes(endpoint.getAddress().getAddress()));
        return address.withPort(endpoint.getPort());
    }
}
