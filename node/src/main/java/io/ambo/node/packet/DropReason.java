package io.ambo.node.packet;

import io.ambo.cluster.metrics.CounterName;

/** Every way in which Ambo drops a packet. The order is the id: add at the end, keep retired entries. */
public enum DropReason implements CounterName {
    // One on a line, or the formatter makes stairs of them.
    // @formatter:off
    NONE("not dropped"),

    TRUNCATED("shorter than its headers say"),
    ETHERNET_TYPE("an Ethernet type that is not IP where IP was due"),
    IP_VERSION("an IP version that does not match the Ethernet type"),
    IP_HEADER("an IP header with impossible lengths"),
    IP_CHECKSUM("a wrong IPv4 header checksum"),
    IP_SOURCE("a source address that no packet may have (multicast, loopback, unspecified, or equal to the destination)"),
    IP_DESTINATION("a destination that is not forwarded (link-local, multicast, loopback, unspecified)"),
    IP_SOURCE_ROUTE("a source route option (RFC 7126) or a routing header of type 0 (RFC 5095)"),
    IP_EXTENSION_HEADERS("more, or stranger, IPv6 extension headers than are followed"),
    IP_PROTOCOL("a protocol other than TCP, UDP and ICMP"),
    TCP_HEADER("a TCP header with impossible lengths"),
    TCP_FLAGS("a combination of TCP flags that no packet may have"),
    TCP_CHECKSUM("a wrong TCP checksum"),
    UDP_HEADER("a UDP length that does not fit"),
    UDP_CHECKSUM("a wrong UDP checksum"),
    ICMP_HEADER("an ICMP message shorter than its type demands"),
    ICMP_CHECKSUM("a wrong ICMP checksum"),
    ICMP_TYPE("an ICMP type that is not forwarded"),
    PORT_ZERO("TCP or UDP port 0"),

    FRAGMENT_OVERLAP("a fragment that overlaps another (RFC 5722)"),
    FRAGMENT_SIZE("a fragment beyond the end of the largest packet, or too small to hold its headers"),
    FRAGMENT_TABLE_FULL("a fragment for which the fragment table had no room"),
    FRAGMENT_TIMEOUT("a fragment whose other parts did not come in time"),

    GATE_CLOSED("the node is not in sync and takes no traffic"),
    UNKNOWN_INTERFACE("arrived on an interface or VLAN that the config does not name"),
    RULE_DROP("a rule, or the default, says drop"),
    RULE_REJECT("a rule says reject; the sender was told"),
    STRAY("no session here nor at the peer, and no right to open one"),
    PARK_FULL("a stray that found the parking full"),
    ICMP_ERROR_WITHOUT_SESSION("an ICMP error about a packet of no known session"),
    ICMP_ERROR_OUT_OF_WINDOW("an ICMP error that quotes a sequence number never sent"),
    SESSION_LIMIT("the session table is full"),
    SOURCE_LIMIT("its source has as many sessions as it may"),
    RULE_LIMIT("its rule has as many sessions as it may"),

    TCP_OUT_OF_WINDOW("a segment outside the tracked window"),
    TCP_ACK_OUT_OF_WINDOW("an acknowledgement of what was never sent, or of the far past"),
    TCP_RST_OUT_OF_WINDOW("an RST that is not at the exact sequence number (RFC 5961)"),
    TCP_SYN_IN_SESSION("a SYN inside an established session (RFC 5961)"),
    TCP_STATE("a segment that does not fit the state of its session"),

    NO_ROUTE("no route to the destination; the sender was told"),
    ROUTE_PROHIBITED("the route is of type blackhole, prohibit or unreachable"),
    NOT_A_DATA_INTERFACE("the route leaves through an interface that the config does not name"),
    NEIGHBOUR_FAILED("the next hop does not answer ARP or neighbour discovery; the sender was told"),
    NEIGHBOUR_QUEUE_FULL("too many packets wait for neighbours"),
    TTL_EXPIRED("TTL or hop limit reached zero; the sender was told"),
    TOO_BIG("larger than the MTU and not to be fragmented; the sender was told"),

    TRANSMIT_FULL("the transmit ring was full"),
    NO_FRAME("no free packet buffer was left"),

    ETHERNET_GROUP("sent to a link-layer broadcast or multicast address (RFC 1812, 5.3.4)"),
    ICMP_QUOTE("an ICMP error that quotes a packet its receiver never sent, or another ICMP error"),
    ICMP_FRAGMENT("an ICMP error in fragments: none is ever so large"),
    FRAGMENT_REFUSED("a fragment of a packet whose first fragment was refused"),
    NAT_PORTS_EXHAUSTED("no free port was found to translate its source to"),
    NAT_ENDS_TAKEN("another session has the ends that it would be translated to"),
    NOT_THE_OWNER("handed over by a member that took this node for the owner of its session; that member was told"),
    REDIRECT_FAILED("for another member, which cannot be reached or has too much");
    // @formatter:on

    private final String help;

    DropReason(String help) { this.help = help; }

    @Override
    public String label() { return name().toLowerCase(java.util.Locale.ROOT); }

    @Override
    public String help() { return help; }
}
