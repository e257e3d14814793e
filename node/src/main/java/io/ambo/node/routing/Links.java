package io.ambo.node.routing;

import io.ambo.node.routing.KernelNetwork.Wanted;
import io.ambo.node.sys.NetlinkAttributes;
import io.ambo.node.sys.NetlinkMessage;
import io.ambo.node.sys.Rtnetlink;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the kernel has said about links and addresses. Lives on the netlink thread. */
final class Links {

    /** One device. */
    private record Link(int index, String name, long mac, int mtu, boolean up, int parent, int vlan) {}

    /** One address of one device; a value of {@link #addresses}, whose key is all that names it. */
    private record AddressKey(int index, int prefixBits, Address address) {}

    /** Flags of {@link Rtnetlink}, and the broadcast address of an IPv4 network or 0. */
    private record AddressFacts(int scope, int flags, int broadcast) {}

    private final Map<Integer, Link> links = new HashMap<>();
    private final Map<AddressKey, AddressFacts> addresses = new LinkedHashMap<>();
    private final NetlinkAttributes attributes = new NetlinkAttributes();
    private final NetlinkAttributes info = new NetlinkAttributes();
    private final NetlinkAttributes vlanInfo = new NetlinkAttributes();
    /** Port numbers ever given, in order. */
    private final List<String> portNames = new ArrayList<>();

    /** All is about to be read again. */
    void forget() {
        links.clear();
        addresses.clear();
    }

    void onLink(NetlinkMessage message) {
        if (message.u8(0) != Rtnetlink.AF_UNSPEC) return;
        int index = message.i32(Rtnetlink.IFINFO_INDEX);
        if (message.type() == Rtnetlink.DELLINK) {
            links.remove(index);
            addresses.keySet().removeIf(key -> key.index() == index);
            return;
        }
        Link known = links.get(index);
        String name = known != null ? known.name() : "";
        long mac = known != null ? known.mac() : 0;
        int mtu = known != null ? known.mtu() : DataInterface.NONE.mtu();
        int parent = 0;
        int vlan = -1;
        message.attributes(Rtnetlink.IFINFO_BYTES, attributes);
        while (attributes.next()) {
            switch (attributes.type()) {
                case Rtnetlink.IFLA_IFNAME -> name = attributes.text();
                case Rtnetlink.IFLA_ADDRESS -> mac = attributes.mac();
                case Rtnetlink.IFLA_MTU -> mtu = attributes.i32(0);
                case Rtnetlink.IFLA_LINK -> parent = attributes.i32(0);
                case Rtnetlink.IFLA_LINKINFO -> vlan = vlanOf(attributes);
                default -> {
                }
            }
        }
        int both = Rtnetlink.IFF_UP | Rtnetlink.IFF_RUNNING;
        boolean up = (message.i32(Rtnetlink.IFINFO_FLAGS) & both) == both;
        links.put(index, new Link(index, name, mac, mtu, up, parent, vlan));
    }

    /** The VLAN id when the kind is "vlan", else -1. */
    private int vlanOf(NetlinkAttributes linkInfo) {
        boolean isVlan = false;
        int vlan = -1;
        linkInfo.nested(info);
        while (info.next()) {
            if (info.type() == Rtnetlink.IFLA_INFO_KIND) isVlan = "vlan".equals(info.text());
            if (info.type() == Rtnetlink.IFLA_INFO_DATA && isVlan) {
                info.nested(vlanInfo);
                while (vlanInfo.next()) if (vlanInfo.type() == Rtnetlink.IFLA_VLAN_ID) vlan = vlanInfo.u16(0) & 0xFFF;
            }
        }
        return vlan;
    }

    void onAddress(NetlinkMessage message) {
        int family = message.u8(0);
        if (family != Rtnetlink.AF_INET && family != Rtnetlink.AF_INET6) return;
        int index = message.i32(Rtnetlink.IFADDR_INDEX);
        int flags = 0;
        int broadcast = 0;
        Address peer = null;
        Address local = null;
        message.attributes(Rtnetlink.IFADDR_BYTES, attributes);
        while (attributes.next()) {
            switch (attributes.type()) {
                case Rtnetlink.IFA_ADDRESS -> peer = address(family, attributes);
                case Rtnetlink.IFA_LOCAL -> local = address(family, attributes);
                case Rtnetlink.IFA_BROADCAST -> broadcast = attributes.i32be(0);
                case Rtnetlink.IFA_FLAGS -> flags = attributes.i32(0);
                default -> {
                }
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end's.
        Address own = local != null ? local : peer;
        if (own == null) return;
        AddressKey key = new AddressKey(index, message.u8(Rtnetlink.IFADDR_PREFIX_BITS), own);
        if (message.type() == Rtnetlink.DELADDR) addresses.remove(key);
        else
            addresses.put(key, new AddressFacts(message.u8(Rtnetlink.IFADDR_SCOPE), flags, broadcast));
    }

    private static @Nullable Address address(int family, NetlinkAttributes attribute) {
        if (family == Rtnetlink.AF_INET) return attribute.size() == 4 ? Address.ofIpv4(attribute.i32be(0)) : null;
        return attribute.size() == 16 ? new Address(attribute.i64be(0), attribute.i64be(8)) : null;
    }

    /** Every address of this host, and the broadcast addresses of its networks. */
    Set<InetAddress> localAddresses() {
        Set<InetAddress> all = new HashSet<>();
        addresses.forEach((key, facts) -> {
            all.add(key.address().toInetAddress());
            if (facts.broadcast() != 0) all.add(Address.ofIpv4(facts.broadcast()).toInetAddress());
        });
        return Set.copyOf(all);
    }

    /** The data interfaces of a config as they stand now. */
    LinkSnapshot snapshot(List<Wanted> wanted) {
        Map<String, Link> byName = new HashMap<>();
        for (Link link : links.values()) byName.put(link.name(), link);
        List<DataInterface> interfaces = new ArrayList<>();
        for (Wanted one : wanted) interfaces.add(dataInterface(one, byName));
        List<KernelNetwork.Port> ports = new ArrayList<>();
        for (String name : portNames) {
            Link link = byName.get(name);
            ports.add(link == null ? new KernelNetwork.Port(name, 0, false) : new KernelNetwork.Port(name, link.index(), link.up()));
        }
        return new LinkSnapshot(interfaces, ports);
    }

    private DataInterface dataInterface(Wanted wanted, Map<String, Link> byName) {
        Link link = byName.get(wanted.name());
        Link parent = null;
        String parentName = wanted.parent();
        int vlan = wanted.vlan();
        if (parentName != null) {
            parent = byName.get(parentName);
        } else if (link != null && link.vlan() >= 0 && vlan < 0) {
            parent = links.get(link.parent());
            vlan = link.vlan();
        }
        String carrier = parentName != null ? parentName : parent != null ? parent.name() : wanted.name();
        int port = portNames.indexOf(carrier);
        // A VLAN device that has yet to appear may hang on any device: it gets its port when it is there.
        if (port < 0 && (parentName != null || link != null)) {
            port = portNames.size();
            portNames.add(carrier);
        }
        if (link == null)
            return new DataInterface(0, wanted.name(), port, vlan, wanted.zoneId(), 0, DataInterface.NONE.mtu(), 0, 0, 0, false);
        // A device that only stands for a VLAN of a named parent does not send the frames: the parent's address is on them.
        long mac = parentName != null && parent != null ? parent.mac() : link.mac();
        boolean up = link.up() && (parentName == null || parent != null && parent.up());
        Address ipv6 = first(link.index(), false);
        Address ipv4 = first(link.index(), true);
        return new DataInterface(link.index(), link.name(), port, vlan, wanted.zoneId(), mac, link.mtu(), ipv4 == null ? 0 : ipv4.ipv4(),
                ipv6 == null ? 0 : ipv6.high(), ipv6 == null ? 0 : ipv6.low(), up);
    }

    /** The first address of global scope that may be used as a source; for IPv4 of any scope when there is no such one. */
    private @Nullable Address first(int index, boolean ipv4) {
        Address fallback = null;
        for (var entry : addresses.entrySet()) {
            AddressKey key = entry.getKey();
            if (key.index() != index || key.address().isIpv4() != ipv4) continue;
            AddressFacts facts = entry.getValue();
            // The same bit says "secondary" for IPv4 and "temporary" for IPv6: neither is what others know this host by.
            if ((facts.flags() & (Rtnetlink.IFA_F_TENTATIVE | Rtnetlink.IFA_F_SECONDARY)) != 0) continue;
            if (facts.scope() == Rtnetlink.SCOPE_UNIVERSE) return key.address();
            if (ipv4 && fallback == null) fallback = key.address();
        }
        return fallback;
    }
}
