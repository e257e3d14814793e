package io.ambo.node.routing;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's links, addresses and changes of routes and neighbours, followed by one thread over netlink in the network namespace that {@link #open} was
 * called in. Packet workers ask through {@link #newRoutes}; everything else here may be called from any thread.
 *
 * <p>
 * Listeners run on the netlink thread, one after the other: they hand over and return. A listener that throws is logged and kept.
 */
public final class KernelNetwork implements AutoCloseable {
    private final List<Wanted> wanted;

    private KernelNetwork(List<Wanted> wanted) { this.wanted = wanted; }

    /**
     * A data interface of the config.
     *
     * @param name   the kernel's name of the interface that has the addresses and routes
     * @param zoneId see {@link io.ambo.node.firewall.Names#zoneId}
     * @param parent the device that carries its frames; null: found out (a VLAN device's parent, else the interface itself)
     * @param vlan   802.1Q id of its frames on the parent, or -1; -1 with a null parent: found out
     */
    public record Wanted(String name, int zoneId, @Nullable String parent, int vlan) {
        /** An interface about which the kernel knows the rest. */
        public Wanted(String name, int zoneId) { this(name, zoneId, null, -1); }
    }

    /**
     * A device that carries frames of data interfaces: the XDP program sits here. Its position in {@link #ports} is the port number that
     * {@link DataInterface#port} and {@link Routes#ingress} speak of; it never changes while the node runs.
     *
     * @param device the kernel's name
     * @param index  the kernel's interface index; 0 while the device does not exist
     * @param isUp   carrier and administrative state
     */
    public record Port(String device, int index, boolean isUp) {}

    /**
     * Reads links and addresses and starts to follow them. An interface that does not exist (yet) is no error: it is down until it appears.
     *
     * @throws io.ambo.node.sys.SysException when netlink cannot be used
     */
    public static KernelNetwork open(List<Wanted> wanted) { return new KernelNetwork(wanted); }

    /** The routes as one packet worker asks for them. The instance belongs to that worker's thread; it is closed with this network. */
    public KernelRoutes newRoutes() {
        return new KernelRoutes();
    }

    /** The carrying devices in the order of the config; the position is the port number. */
    public List<Port> ports() {
        return wanted.stream().map(w -> new Port(w.name(), 0, false)).toList();
    }

    /** The data interfaces in the order of the config, as they are now. */
    public List<DataInterface> interfaces() { return List.of(); }

    /** Every unicast address of this host, on any interface. */
    public Set<Address> localAddresses() { return Set.of(); }

    /** See {@link Routes#generation}. */
    public long generation() { return 0; }

    /** Calls when {@link #generation} has moved: workers that hold packets for a neighbour ask again. */
    public void onGenerationChange(Runnable listener) {}

    /** Calls when {@link #ports} or {@link #interfaces} changed: a device appeared, vanished, was replaced, went up or down, or changed MAC, MTU or address. */
    public void onLinkChange(Runnable listener) {}

    /** Calls when {@link #localAddresses} changed. */
    public void onLocalAddressesChange(Runnable listener) {}

    /**
     * Follows another list of interfaces from now on (config reload). Ports that are still used keep their numbers, new ones come at the end.
     */
    public void reconfigure(List<Wanted> changed) {}

    @Override
    public void close() {}
}
