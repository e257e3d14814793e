package io.ambo.hatests.oracle;

import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.HostFacts;
import io.ambo.node.config.Loaded;

/** The policy of a replay without a config file: whoever is inside may open anything, nobody else opens. */
final class OpenPolicy {
    static final String TEXT = """
            node: { name: a }
            interfaces: [ { name: inside, zone: inside }, { name: outside, zone: outside } ]
            cluster: { name: oracle, bind-address: 192.0.2.1, key-file: /oracle, members: [ a, b ] }
            firewall: { default: drop, rules: [ { name: open, from: inside, action: allow } ] }
            """;

    private OpenPolicy() {}

    static Config config() {
        return switch (ConfigLoader.parse("the oracle's own policy", TEXT, HostFacts.UNKNOWN)) {
            case Loaded.Accepted(Config config) -> config;
            case Loaded.Refused refused -> throw new IllegalStateException(refused.report());
        };
    }
}
