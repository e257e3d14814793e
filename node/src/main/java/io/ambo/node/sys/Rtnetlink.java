package io.ambo.node.sys;

/** Numbers of linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h and fib_rules.h that Ambo uses. They are part of the kernel's stable interface. */
public final class Rtnetlink {
    public static final int AF_UNSPEC = 0, AF_INET = 2, AF_BRIDGE = 7, AF_INET6 = 10;

    public static final int NEWLINK = 16, DELLINK = 17, GETLINK = 18;
    public static final int NEWADDR = 20, DELADDR = 21, GETADDR = 22;
    public static final int NEWROUTE = 24, DELROUTE = 25, GETROUTE = 26;
    public static final int NEWNEIGH = 28, DELNEIGH = 29, GETNEIGH = 30;
    public static final int NEWRULE = 32, DELRULE = 33, GETRULE = 34;
    public static final int NEWNETCONF = 80;
    public static final int NEWNEXTHOP = 104, DELNEXTHOP = 105;

    /** Multicast groups. */
    public static final int GROUP_LINK = 1, GROUP_NEIGH = 3, GROUP_IPV4_IFADDR = 5, GROUP_IPV4_ROUTE = 7, GROUP_IPV4_RULE = 8,
            GROUP_IPV6_IFADDR = 9,
            GROUP_IPV6_ROUTE = 11, GROUP_IPV6_RULE = 19, GROUP_IPV4_NETCONF = 24, GROUP_IPV6_NETCONF = 25, GROUP_NEXTHOP = 32;

    /** struct ifinfomsg: family (1), pad (1), type (2), index (4), flags (4), change mask (4). */
    public static final int IFINFO_BYTES = 16, IFINFO_INDEX = 4, IFINFO_FLAGS = 8;
    public static final int IFF_UP = 0x1, IFF_RUNNING = 0x40;
    public static final int IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_LINK = 5, IFLA_LINKINFO = 18;
    public static final int IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, IFLA_VLAN_ID = 1;

    /** struct ifaddrmsg: family (1), prefix length (1), flags (1), scope (1), index (4). */
    public static final int IFADDR_BYTES = 8, IFADDR_PREFIX_BITS = 1, IFADDR_FLAGS = 2, IFADDR_SCOPE = 3, IFADDR_INDEX = 4;
    public static final int IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_BROADCAST = 4, IFA_FLAGS = 8;
    public static final int IFA_F_SECONDARY = 0x1, IFA_F_NODAD = 0x2, IFA_F_TENTATIVE = 0x40;
    public static final int SCOPE_UNIVERSE = 0, SCOPE_LINK = 253;

    /** struct rtmsg: family, destination bits, source bits, tos, table, protocol, scope, type (1 each), flags (4). */
    public static final int RTM_BYTES = 12, RTM_DESTINATION_BITS = 1, RTM_TYPE = 7, RTM_FLAGS = 8;
    /** Answer with the entry of the table, all next hops in it, instead of one picked for this packet. */
    public static final int RTM_F_FIB_MATCH = 0x2000;
    public static final int RTN_UNICAST = 1, RTN_LOCAL = 2, RTN_ANYCAST = 4;
    public static final int RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_METRICS = 8, RTA_MULTIPATH = 9, RTA_VIA = 18, RTA_NH_ID = 30;
    public static final int RTAX_MTU = 2;
    /** struct rtnexthop: length (2), flags (1), hops: the weight less one (1), index (4); attributes follow. */
    public static final int NEXTHOP_BYTES = 8, NEXTHOP_FLAGS = 2, NEXTHOP_HOPS = 3, NEXTHOP_INDEX = 4;
    public static final int RTNH_F_DEAD = 1, RTNH_F_LINKDOWN = 16;

    /** struct ndmsg: family (1), pad (3), index (4), state (2), flags (1), type (1). */
    public static final int NDM_BYTES = 12, NDM_INDEX = 4, NDM_STATE = 8, NDM_FLAGS = 10;
    public static final int NDA_DST = 1, NDA_LLADDR = 2;
    public static final int NTF_USE = 1;
    public static final int NUD_INCOMPLETE = 0x01, NUD_REACHABLE = 0x02, NUD_STALE = 0x04, NUD_DELAY = 0x08, NUD_PROBE = 0x10,
            NUD_FAILED = 0x20,
            NUD_NOARP = 0x40, NUD_PERMANENT = 0x80;

    /** struct fib_rule_hdr: family, destination bits, source bits, tos, table, pad, pad, action (1 each), flags (4). */
    public static final int RULE_BYTES = 12, RULE_SOURCE_BITS = 2, RULE_TOS = 3;
    public static final int FRA_IIFNAME = 3, FRA_OIFNAME = 17, FRA_FWMARK = 10, FRA_IP_PROTO = 22, FRA_SPORT_RANGE = 23,
            FRA_DPORT_RANGE = 24;

    private Rtnetlink() {}
}
