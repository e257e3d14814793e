package io.ambo.hatests.lab;

/**
 * The part of a node's config that a drill chooses: everything from {@code firewall:} on, as YAML. Zones of the lab are {@code clients} (left) and
 * {@code servers} (right).
 *
 * @param yaml sections firewall, timeouts, limits
 * @param park how long a stray waits for its delta, as in the config
 */
public record Policy(String yaml, String park) {
    /** Clients may open anything to servers, servers nothing to clients. Limits are above what any drill opens. */
    public static final Policy OPEN = of("""
            firewall:
              default: drop
              rules:
                - { name: outbound, from: clients, to: servers, action: allow }
            """);

    public static Policy of(String firewall) { return new Policy(firewall, "10ms"); }

    /** The same with further sections. */
    public Policy with(String sections) { return new Policy(yaml + sections, park); }
}
