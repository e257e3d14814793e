package io.ambo.node.routing;

/**
 * A data interface of the config as the kernel knows it now. A new one replaces it when the kernel reports a change.
 *
 * @param index      the kernel's interface index
 * @param name       the kernel's name
 * @param port       position of the device that carries the frames among the node's XDP ports; -1: none
 * @param vlan       802.1Q id its frames carry, or -1
 * @param zone       stable 16-bit id of the zone's name (see {@link io.ambo.node.firewall.Names})
 * @param mac        source of the frames it sends
 * @param mtu        bytes of an IP packet
 * @param ipv4       its first IPv4 address as 32 bits, 0 when it has none: the source of ICMP errors
 * @param ipv6High   its first global IPv6 address, 0 when it has none
 * @param ipv6Low    second half
 * @param linkIsUp   carrier and administrative state
 */
public record DataInterface(int index, String name, int port, int vlan, int zone, long mac, int mtu, int ipv4, long ipv6High, long ipv6Low,
        boolean linkIsUp) {
    public static final DataInterface NONE = new DataInterface(0, "none", -1, -1, 0, 0, 1500, 0, 0, 0, false);
}
