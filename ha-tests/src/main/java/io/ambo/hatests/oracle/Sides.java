package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.config.Cidr;
import io.ambo.node.config.Config;
import io.ambo.node.config.InterfaceConfig;
import io.ambo.node.firewall.Names;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which addresses are behind which interface of the node: its routing table. Said by the operator, or else told by who speaks first: whoever opens a session
 * before it is opened to is behind the first interface, everybody else behind the second.
 */
final class Sides implements Routes {
    private static final long NEXT_HOP_MAC = 0x02_00_00_00_01_00L;
    private static final long OWN_MAC = 0x02_00_00_00_00_00L;
    /** Captures have packets of any size, and a node between two links of one MTU never splits one. */
    private static final int MTU = 65_535;

    /** Addresses that the operator has put behind a zone. */
    record Behind(String zone, Cidr network) {}

    private final List<DataInterface> interfaces = new ArrayList<>();
    private final List<Cidr> networks = new ArrayList<>();
    private final List<Integer> behind = new ArrayList<>();
    private final Map<IpAddress, Integer> spoken = new HashMap<>();

    /** @throws IllegalArgumentException when the config has too few interfaces, or none of a zone that is named */
    Sides(Config config, List<Behind> said, Script script) {
        List<InterfaceConfig> all = config.interfaces();
        if (all.size() < 2)
            throw new IllegalArgumentException("the config has " + all.size() + " data interface: two are needed, one for each side");
        for (int port = 0; port < all.size(); port++) {
            InterfaceConfig each = all.get(port);
            interfaces.add(
                    new DataInterface(port + 1, each.name(), port, -1, Names.zoneId(each.zone()), OWN_MAC + port, MTU, 0x0A_FF_FF_01 + port,
                            0xFD00_0000_0000_0000L, port + 1, true));
        }
        for (Behind each : said) {
            int port = portOf(each.zone(), all);
            if (port < 0)
                throw new IllegalArgumentException("no interface is of zone " + each.zone() + "; there are "
                        + all.stream().map(InterfaceConfig::zone).distinct().toList());
            networks.add(each.network());
            behind.add(port);
        }
        for (Step step : script.steps()) listen(step);
    }

    private static int portOf(String zone, List<InterfaceConfig> all) {
        for (int port = 0; port < all.size(); port++) if (all.get(port).zone().equals(zone)) return port;
        return -1;
    }

    private void listen(Step step) {
        IpAddress source = step.source();
        IpAddress destination = step.destination();
        if (source == null || destination == null || step.quoted() != null) return;
        spoken.putIfAbsent(source, step.isOpener() ? 0 : 1);
        spoken.putIfAbsent(destination, step.isOpener() ? 1 : 0);
    }

    /** Number of the interface that leads to the address. */
    int portOf(long high, long low) {
        for (int i = 0; i < networks.size(); i++) if (networks.get(i).contains(high, low)) return behind.get(i);
        if (!networks.isEmpty()) return firstUnsaid();
        return spoken.getOrDefault(new IpAddress(high, low), 1);
    }

    int portOf(@Nullable IpAddress address) { return address == null ? 0 : portOf(address.high(), address.low()); }

    /** Where everything is that the operator has not put anywhere. */
    private int firstUnsaid() {
        for (int port = 0; port < interfaces.size(); port++) if (!behind.contains(port)) return port;
        return interfaces.size() - 1;
    }

    String name(int port) { return interfaces.get(port).name(); }

    /** How many of the addresses that were seen are behind an interface. */
    long addresses(int port) {
        return spoken.keySet().stream().filter(address -> portOf(address) == port).count();
    }

    int ports() { return interfaces.size(); }

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        into.egress = interfaces.get(portOf(destinationHigh, destinationLow));
        into.destinationMac = NEXT_HOP_MAC + into.egress.port();
        into.mtu = MTU;
        return Result.FOUND;
    }

    @Override
    public DataInterface ingress(int port, int vlan) { return interfaces.get(port); }

    @Override
    public DataInterface inZone(int zone) {
        for (DataInterface each : interfaces) if (each.zone() == zone) return each;
        return DataInterface.NONE;
    }

    @Override
    public long generation() { return 1; }
}
