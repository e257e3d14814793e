package io.ambo.hatests.bench;

import io.ambo.hatests.lab.NetworkNamespace;

/** The stateful filter of nftables that Ambo is compared with. */
final class Filter {
    private static final String FORWARD = """
            chain forward {
                type filter hook forward priority 0; policy drop;
                ct state established,related accept
                iifname "left" oifname "right" ct state new accept
            }
            """;

    private Filter() {}

    static void install(NetworkNamespace forwarder) { install(forwarder, ""); }

    /** @param more chains beside the filter's */
    static void install(NetworkNamespace forwarder, String more) {
        forwarder.run("nft", "table inet firewall {\n" + more + FORWARD + "}");
    }
}
