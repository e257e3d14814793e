package io.ambo.hatests.sim;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.HostFacts;
import io.ambo.node.config.Loaded;
import io.ambo.node.config.TimeoutConfig;
import java.util.List;
import java.util.Objects;

/** The configuration of the simulated nodes: clients go out, some of them translated; nobody comes in. Times are short, so that sessions end within a run. */
final class SimulatedConfig {
    /** Idle times of sessions in their main phase. */
    static final int TCP_MS = 20_000, UDP_MS = 12_000, ECHO_MS = 12_000;
    /** The addresses that translated clients get. */
    static final IpAddress POOL_V4 = address("203.0.113.10"), POOL_V6 = address("2001:db8:2::10");
    /** What clients dial, and who answers. */
    static final IpAddress VIRTUAL_V4 = address("203.0.113.80"), VIRTUAL_V6 = address("2001:db8:2::80");
    static final IpAddress REAL_V4 = address("198.51.100.80"), REAL_V6 = address("2001:db8:3::80");
    static final int VIRTUAL_PORT = 443, REAL_PORT = 8443;
    private static final int FIRST_PORT = 20_000, PORTS_OF_EACH = 24;

    private SimulatedConfig() {}

    static Config of(String node, List<String> members, int tombstoneMs) {
        Config config = switch (ConfigLoader.parse("simulation", text(node, members), HostFacts.UNKNOWN)) {
            case Loaded.Accepted(Config accepted) -> accepted;
            case Loaded.Refused refused -> throw new IllegalStateException(refused.report());
        };
        TimeoutConfig t = config.timeouts();
        TimeoutConfig timeouts = new TimeoutConfig(t.tcpOpeningMs(), t.tcpEstablishedMs(), t.tcpClosingMs(), t.tcpClosedMs(),
                t.udpSingleMs(),
                t.udpMultipleMs(), t.icmpMs(), tombstoneMs);
        return config.withTimeouts(timeouts);
    }

    private static String text(String node, List<String> members) {
        return """
                node: { name: %s }
                interfaces: [ { name: in0, zone: inside }, { name: out0, zone: outside } ]
                cluster: { name: simulation, bind-address: 192.0.2.1, key-file: /key, members: [%s] }
                firewall: { rules: [ { name: out, from: inside, to: outside, action: allow } ] }
                nat:
                  - { name: web4, from: inside, destination: %s, protocol: tcp, ports: %d, dnat: %s, dnat-port: %d }
                  - { name: web6, from: inside, destination: '%s', protocol: tcp, ports: %d, dnat: '%s', dnat-port: %d }
                  - { name: out4, from: inside, to: outside, source: 10.1.0.0/16, snat: %s, snat-ports: %s }
                  - { name: out6, from: inside, to: outside, source: '2001:db8:0:1:1::/80', snat: '%s', snat-ports: %s }
                timeouts:
                  tcp: { opening: 5s, established: %dms, closing: 6s, closed: 3s }
                  udp: { single: 6s, multiple: %dms }
                  icmp: %dms
                limits: { sessions: 20000, parked: 64, fragments: 16, pending-neighbour: 16 }
                """.formatted(node, String.join(", ", members), VIRTUAL_V4, VIRTUAL_PORT, REAL_V4, REAL_PORT, VIRTUAL_V6, VIRTUAL_PORT,
                REAL_V6, REAL_PORT, POOL_V4, ports(members), POOL_V6, ports(members), TCP_MS, UDP_MS, ECHO_MS);
    }

    private static String ports(List<String> members) { return FIRST_PORT + "-" + (FIRST_PORT + members.size() * PORTS_OF_EACH - 1); }

    private static IpAddress address(String text) { return Objects.requireNonNull(IpAddress.parse(text)); }
}
