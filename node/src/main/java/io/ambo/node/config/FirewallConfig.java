package io.ambo.node.config;

import java.util.List;

/**
 * Section firewall.
 *
 * @param defaultAction what becomes of a packet that no rule matches
 * @param rules         the first that matches decides
 */
public record FirewallConfig(Action defaultAction, List<RuleConfig> rules) {
    public FirewallConfig {
        rules = List.copyOf(rules);
    }
}
