package io.ambo.node.routing;

import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.NetlinkAttributes;
import io.ambo.node.sys.NetlinkMessage;
import io.ambo.node.sys.NetlinkRequest;
import io.ambo.node.sys.Rtnetlink;

/**
 * Asks the kernel for the route to a destination, over a socket that somebody else owns: one per thread. It asks as for a packet of the host's own: a
 * lookup for a packet that came in on a data interface would be refused, because forwarding is off there. So rules that select by source, mark or input
 * interface do not count.
 */
final class RouteQuery implements Netlink.Visitor {
    /** Next hops of one route that are followed. */
    static final int HOPS_LIMIT = 64;

    private final Netlink netlink;
    private final NetlinkAttributes attributes = new NetlinkAttributes();
    private final NetlinkAttributes inner = new NetlinkAttributes();

    private boolean answered;
    private int type;
    /** 0: no limit but the interface's. */
    int mtu;
    int hopCount;
    final int[] hopIndex = new int[HOPS_LIMIT];
    /** The gateway, or 0 for a destination on the link itself. */
    final long[] hopHigh = new long[HOPS_LIMIT];
    final long[] hopLow = new long[HOPS_LIMIT];
    /** 0: to be used only when all others are 0 too. */
    final int[] hopWeight = new int[HOPS_LIMIT];
    private long gatewayHigh;
    private long gatewayLow;

    RouteQuery(Netlink netlink) { this.netlink = netlink; }

    /**
     * Looks a destination up; the hops stand in the fields afterwards.
     *
     * @return 0: hops were found; -1: an address of this host; -2: the kernel gave no usable answer; positive: the errno that says why there is no route
     */
    int ask(long high, long low) {
        int errno = send(high, low, Rtnetlink.RTM_F_FIB_MATCH);
        // With the sysctl nexthop_compat_mode off, the entry of the table does not spell its hops out; then one picked by the kernel has to do.
        if (errno == 0 && answered && type == Rtnetlink.RTN_UNICAST && hopCount == 0) errno = send(high, low, 0);
        if (errno != 0) return errno;
        if (!answered) return NO_ANSWER;
        return switch (type) {
            case Rtnetlink.RTN_UNICAST -> hopCount > 0 ? 0 : NO_ANSWER;
            case Rtnetlink.RTN_LOCAL, Rtnetlink.RTN_ANYCAST -> LOCAL;
            default -> Errno.EINVAL;
        };
    }

    static final int LOCAL = -1, NO_ANSWER = -2;

    private int send(long high, long low, int flags) {
        boolean ipv4 = Address.isIpv4(high, low);
        NetlinkRequest request = netlink.request(Rtnetlink.GETROUTE, 0, Rtnetlink.RTM_BYTES);
        request.u8(0, ipv4 ? Rtnetlink.AF_INET : Rtnetlink.AF_INET6).u8(Rtnetlink.RTM_DESTINATION_BITS, ipv4 ? 32 : 128)
                .i32(Rtnetlink.RTM_FLAGS, flags);
        if (ipv4) request.ipv4(Rtnetlink.RTA_DST, (int) low);
        else
            request.ipv6(Rtnetlink.RTA_DST, high, low);
        answered = false;
        return netlink.ask(0, this);
    }

    @Override
    public void onMessage(NetlinkMessage message) { if (message.type() == Rtnetlink.NEWROUTE) read(message); }

    void read(NetlinkMessage message) {
        answered = true;
        type = message.u8(Rtnetlink.RTM_TYPE);
        int flags = message.i32(Rtnetlink.RTM_FLAGS);
        mtu = 0;
        hopCount = 0;
        int index = 0;
        long onlyHigh = 0;
        long onlyLow = 0;
        message.attributes(Rtnetlink.RTM_BYTES, attributes);
        while (attributes.next()) {
            switch (attributes.type()) {
                case Rtnetlink.RTA_OIF -> index = attributes.i32(0);
                case Rtnetlink.RTA_GATEWAY, Rtnetlink.RTA_VIA -> {
                    readGateway(attributes);
                    onlyHigh = gatewayHigh;
                    onlyLow = gatewayLow;
                }
                case Rtnetlink.RTA_METRICS -> readMetrics();
                case Rtnetlink.RTA_MULTIPATH -> readMultipath();
                default -> {
                }
            }
        }
        if (hopCount == 0 && index != 0) addHop(index, onlyHigh, onlyLow, 1, flags);
    }

    /** A gateway of the route's family (bare address) or of any (RTA_VIA: two bytes of family before it). */
    private void readGateway(NetlinkAttributes attribute) {
        boolean via = attribute.type() == Rtnetlink.RTA_VIA;
        int at = via ? 2 : 0;
        boolean ipv6 = attribute.size() - at >= 16;
        gatewayHigh = ipv6 ? attribute.i64be(at) : 0;
        gatewayLow = ipv6 ? attribute.i64be(at + 8) : Address.mapped(attribute.i32be(at));
    }

    private void readMetrics() {
        attributes.nested(inner);
        while (inner.next()) if (inner.type() == Rtnetlink.RTAX_MTU) mtu = Math.max(0, inner.i32(0));
    }

    private void readMultipath() {
        int at = 0;
        while (attributes.size() - at >= Rtnetlink.NEXTHOP_BYTES) {
            int length = attributes.u16(at);
            if (length < Rtnetlink.NEXTHOP_BYTES || length > attributes.size() - at) return;
            gatewayHigh = 0;
            gatewayLow = 0;
            attributes.nested(inner, at + Rtnetlink.NEXTHOP_BYTES, at + length);
            while (inner.next()) if (inner.type() == Rtnetlink.RTA_GATEWAY || inner.type() == Rtnetlink.RTA_VIA) readGateway(inner);
            addHop(attributes.i32(at + Rtnetlink.NEXTHOP_INDEX), gatewayHigh, gatewayLow, attributes.u8(at + Rtnetlink.NEXTHOP_HOPS) + 1,
                    attributes.u8(at + Rtnetlink.NEXTHOP_FLAGS));
            at += (length + 3) & ~3;
        }
    }

    private void addHop(int index, long high, long low, int weight, int flags) {
        if (hopCount == HOPS_LIMIT || index <= 0) return;
        hopIndex[hopCount] = index;
        hopHigh[hopCount] = high;
        hopLow[hopCount] = low;
        hopWeight[hopCount] = (flags & (Rtnetlink.RTNH_F_DEAD | Rtnetlink.RTNH_F_LINKDOWN)) == 0 ? weight : 0;
        hopCount++;
    }
}
