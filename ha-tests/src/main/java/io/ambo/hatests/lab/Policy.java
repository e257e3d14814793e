package io.ambo.hatests.lab;

/**
 * The part of a node's config that a drill chooses: everything from {@code firewall:} on, as YAML. Zones of the lab are {@code clients} (left) and
 * {@code servers} (right).
 *
 * @param yaml sections firewall, timeouts, limits
 * @param park how long a stray waits for its delta, as in the config
 * @param rehearsal how long a starting node rehearses, as in the config; empty: as where nobody says anything
 * @param largePages the session table's tmpfs is mounted with large pages: faster, and an eighth more memory
 */
public record Policy(String yaml, String park, String rehearsal, boolean largePages) {
    /** Drills start a hundred nodes, and measure none of them that has just started. */
    private static final String SHORT_REHEARSAL = "2s";

    /** Clients may open anything to servers, servers nothing to clients. Limits are above what any drill opens. */
    public static final Policy OPEN = of("""
            firewall:
              default: drop
              rules:
                - { name: outbound, from: clients, to: servers, action: allow }
            """);

    public static Policy of(String firewall) { return new Policy(firewall, "10ms", SHORT_REHEARSAL, false); }

    /** The same with floating addresses: the gateways of client and server, which node a has when it can. */
    public Policy withGateways() { return with("""
            addresses:
              - { address: %s/24, interface: left, prefer: a }
              - { address: "%s/64", interface: left, prefer: a }
              - { address: %s/24, interface: right, prefer: a }
              - { address: "%s/64", interface: right, prefer: a }
            """.formatted(Addresses.LEFT_GATEWAY, Addresses.LEFT_GATEWAY6, Addresses.RIGHT_GATEWAY, Addresses.RIGHT_GATEWAY6)); }

    /** The same, and nodes take the time to start that they take where nobody says anything else. */
    public Policy withUsualRehearsal() {
        return new Policy(yaml, park, "", largePages);
    }

    public Policy withLargePages() { return new Policy(yaml, park, rehearsal, true); }

    /** The same with further sections. */
    public Policy with(String sections) {
        return new Policy(yaml + sections, park, rehearsal, largePages);
    }
}
