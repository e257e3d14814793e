package io.ambo.node.routing;

import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.NetlinkAttributes;
import io.ambo.node.sys.NetlinkMessage;
import io.ambo.node.sys.NetlinkRequest;
import io.ambo.node.sys.Rtnetlink;

/** Neighbour messages of rtnetlink, over a socket that somebody else owns: one per thread. */
final class NeighbourQuery implements Netlink.Visitor {
    private static final int USABLE_STATES = Rtnetlink.NUD_REACHABLE | Rtnetlink.NUD_DELAY | Rtnetlink.NUD_PROBE | Rtnetlink.NUD_NOARP
            | Rtnetlink.NUD_PERMANENT;

    private final Netlink netlink;
    private final NetlinkAttributes attributes = new NetlinkAttributes();
    private boolean answered;

    /** The message read last: where, who, in which state. */
    int index;
    long high;
    long low;
    int state;
    long mac;

    NeighbourQuery(Netlink netlink) { this.netlink = netlink; }

    /**
     * What the kernel knows of this hop now.
     *
     * @return a word of {@link Hop}; UNKNOWN when the kernel has no entry
     */
    long ask(Hop hop) {
        NetlinkRequest request = netlink.request(Rtnetlink.GETNEIGH, 0, Rtnetlink.NDM_BYTES);
        address(request, hop);
        answered = false;
        int errno = netlink.ask(0, this);
        return errno == 0 && answered ? word(state, mac) : Hop.word(Hop.UNKNOWN, 0);
    }

    /**
     * Asks the kernel to resolve this hop, or to revalidate what it knows, as if it had sent a packet there itself. It answers with an event. Not for
     * permanent entries: the kernel makes ordinary ones of them.
     *
     * @return errno, 0 when it was accepted
     */
    int solicit(Hop hop) {
        NetlinkRequest request = netlink.request(Rtnetlink.NEWNEIGH, Netlink.ACK | Netlink.CREATE | Netlink.REPLACE, Rtnetlink.NDM_BYTES);
        request.u8(Rtnetlink.NDM_FLAGS, Rtnetlink.NTF_USE);
        address(request, hop);
        return netlink.ask(0, this);
    }

    @Override
    public void onMessage(NetlinkMessage message) { if (message.type() == Rtnetlink.NEWNEIGH) answered = read(message); }

    /** Reads a neighbour message into the fields. @return false when it is none of IPv4 or IPv6 */
    boolean read(NetlinkMessage message) {
        int family = message.u8(0);
        if (family != Rtnetlink.AF_INET && family != Rtnetlink.AF_INET6) return false;
        index = message.i32(Rtnetlink.NDM_INDEX);
        state = message.u16(Rtnetlink.NDM_STATE);
        mac = 0;
        boolean hasAddress = false;
        message.attributes(Rtnetlink.NDM_BYTES, attributes);
        while (attributes.next()) {
            if (attributes.type() == Rtnetlink.NDA_LLADDR) {
                mac = attributes.mac();
            } else if (attributes.type() == Rtnetlink.NDA_DST) {
                hasAddress = attributes.size() == (family == Rtnetlink.AF_INET ? 4 : 16);
                high = family == Rtnetlink.AF_INET ? 0 : attributes.i64be(0);
                low = family == Rtnetlink.AF_INET ? Address.mapped(attributes.i32be(0)) : attributes.i64be(8);
            }
        }
        return hasAddress;
    }

    /** The kernel's state as a word of {@link Hop}. */
    static long word(int state, long mac) {
        if ((state & USABLE_STATES) != 0) return Hop.word(Hop.USABLE, mac);
        if ((state & Rtnetlink.NUD_STALE) != 0) return Hop.word(Hop.STALE, mac);
        if ((state & Rtnetlink.NUD_INCOMPLETE) != 0) return Hop.word(Hop.RESOLVING, 0);
        if ((state & Rtnetlink.NUD_FAILED) != 0) return Hop.word(Hop.FAILED, 0);
        return Hop.word(Hop.UNKNOWN, 0);
    }

    private static void address(NetlinkRequest request, Hop hop) {
        request.i32(Rtnetlink.NDM_INDEX, hop.index);
        if (hop.isIpv4()) {
            request.u8(0, Rtnetlink.AF_INET).ipv4(Rtnetlink.NDA_DST, (int) hop.low);
        } else {
            request.u8(0, Rtnetlink.AF_INET6).ipv6(Rtnetlink.NDA_DST, hop.high, hop.low);
        }
    }
}
