package io.ambo.hatests.lab;

import java.net.InetAddress;

/** Who has which address in every lab. Labs do not see one another, so all have the same. */
public final class Addresses {
    public static final String LEFT_NET = "10.10.1.", RIGHT_NET = "10.10.2.", SYNC_NET = "10.10.3.";
    public static final String LEFT_NET6 = "fd00:10:1::", RIGHT_NET6 = "fd00:10:2::";
    public static final String CLIENT = LEFT_NET + "100", CLIENT6 = LEFT_NET6 + "100";
    /** Floating addresses, where a lab has them: the gateways of client and server. */
    public static final String LEFT_GATEWAY = LEFT_NET + "254", LEFT_GATEWAY6 = LEFT_NET6 + "fe";
    public static final String RIGHT_GATEWAY = RIGHT_NET + "254", RIGHT_GATEWAY6 = RIGHT_NET6 + "fe";
    public static final String SERVER = RIGHT_NET + "100", SERVER6 = RIGHT_NET6 + "100";

    private Addresses() {}

    /** An address literal; names are never looked up. */
    public static InetAddress of(String literal) {
        try {
            return InetAddress.ofLiteral(literal);
        } catch (IllegalArgumentException wrong) {
            throw new LabException("not an address: " + literal, wrong);
        }
    }

}
