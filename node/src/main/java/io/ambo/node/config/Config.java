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

    public Config withNode(NodeConfig other) {
        return new Config(other, interfaces, cluster, firewall, nat, timeouts, limits, datapath, logging, addresses, tracking);
    }

    public Config withInterfaces(List<InterfaceConfig> others) {
        return new Config(node, others, cluster, firewall, nat, timeouts, limits, datapath, logging, addresses, tracking);
    }

    public Config withCluster(ClusterConfig other) {
        return new Config(node, interfaces, other, firewall, nat, timeouts, limits, datapath, logging, addresses, tracking);
    }

    public Config withTimeouts(TimeoutConfig others) {
        return new Config(node, interfaces, cluster, firewall, nat, others, limits, datapath, logging, addresses, tracking);
    }
}
