package io.ambo.node.routing;

import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.NetlinkRequest;
import io.ambo.node.sys.Rtnetlink;
import io.ambo.node.sys.SysException;

/** Adds addresses to the kernel's interfaces and takes them away, over a netlink socket of its own. One thread uses it. */
public final class KernelAddresses implements AutoCloseable {
    private static final int BUFFER_BYTES = 64 * 1024, TIMEOUT_MS = 1_000;

    private final Netlink netlink = Netlink.open(BUFFER_BYTES);

    /** An address that is there already is no error. An IPv6 address counts at once: whoever gives it out makes sure that nobody else has it. */
    public void add(int interfaceIndex, Address address, int prefixLength) {
        int errno = ask(Rtnetlink.NEWADDR, Netlink.CREATE | Netlink.REPLACE, interfaceIndex, address, prefixLength);
        if (errno != 0 && errno != Errno.EEXIST)
            throw new SysException("add an address", errno, address + "/" + prefixLength + " to ifindex " + interfaceIndex,
                    "is the interface up, and IPv6 not disabled there? (sysctl net.ipv6.conf.NAME.disable_ipv6)");
    }

    /** An address or interface that is not there is no error. */
    public void remove(int interfaceIndex, Address address, int prefixLength) {
        int errno = ask(Rtnetlink.DELADDR, 0, interfaceIndex, address, prefixLength);
        if (errno != 0 && errno != Errno.EADDRNOTAVAIL && errno != Errno.ENODEV)
            throw new SysException("remove an address", errno, address + "/" + prefixLength + " from ifindex " + interfaceIndex, "");
    }

    private int ask(int type, int flags, int interfaceIndex, Address address, int prefixLength) {
        boolean ipv4 = address.isIpv4();
        NetlinkRequest request = netlink.request(type, flags | Netlink.ACK, Rtnetlink.IFADDR_BYTES)
                .u8(0, ipv4 ? Rtnetlink.AF_INET : Rtnetlink.AF_INET6).u8(Rtnetlink.IFADDR_PREFIX_BITS, prefixLength)
                .u8(Rtnetlink.IFADDR_FLAGS, ipv4 ? 0 : Rtnetlink.IFA_F_NODAD).i32(Rtnetlink.IFADDR_INDEX, interfaceIndex);
        for (int attribute : new int[]{ Rtnetlink.IFA_LOCAL, Rtnetlink.IFA_ADDRESS }) {
            if (ipv4) request.ipv4(attribute, address.ipv4());
            else
                request.ipv6(attribute, address.high(), address.low());
        }
        return netlink.ask(TIMEOUT_MS, ignored -> {});
    }

    @Override
    public void close() { netlink.close(); }
}
