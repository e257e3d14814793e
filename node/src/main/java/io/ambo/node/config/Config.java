package io.ambo.node.config;

import java.util.List;

/** A whole configuration that has passed every check. */
public record Config(NodeConfig node, List<InterfaceConfig> interfaces, ClusterConfig cluster, FirewallConfig firewall,
        List<NatConfig> nat, TimeoutConfig timeouts,
        LimitConfig limits, DatapathConfig datapath, LoggingConfig logging, List<FloatingConfig> addresses, TrackingConfig tracking) {
    public Config {
        interfaces = List.copyOf(interfaces);
        nat = List.copyOf(nat);
        addresses = List.copyOf(addresses);
    }
}
