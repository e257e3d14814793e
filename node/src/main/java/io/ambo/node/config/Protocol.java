package io.ambo.node.config;

/** What a rule can tell apart. */
public enum Protocol {
    TCP(6, 6), UDP(17, 17),
    /** ICMP and ICMPv6: one word of the config for both. */
    ICMP(1, 58);

    private final int ipv4Number;
    private final int ipv6Number;

    Protocol(int ipv4Number, int ipv6Number) {
        this.ipv4Number = ipv4Number;
        this.ipv6Number = ipv6Number;
    }

    /** True for the IANA number of this protocol, in IPv4 or IPv6. */
    public boolean is(int number) {
        return number == ipv4Number || number == ipv6Number;
    }
}
