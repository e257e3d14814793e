package io.ambo.node.fastpath;

import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.NetworkDevice;
import io.ambo.node.sys.SysException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The XDP program and its maps in the kernel. It sends TCP, UDP and ICMP that is not for this host to the workers' sockets and the rest to the kernel.
 * Nothing is pinned: when the process ends, however it ends, the interfaces are free of it.
 *
 * <p>One thread at a time (the methods are synchronized); no packet thread calls it. The layouts of keys and values are those of ambo.h.
 */
public final class XdpProgram implements AutoCloseable {
    /** Interfaces, and queues of each of them, that the program can tell apart. */
    public static final int MAX_PORTS = 64, MAX_QUEUES = 64;
    /** Addresses of this host of each IP version. */
    public static final int MAX_LOCAL_ADDRESSES = 4096;

    private static final String RESOURCE = "/ambo.bpf.o", PROGRAM = "ambo";
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    /** struct ambo_port: number, mac. */
    private static final int PORT_SIZE = 8, PORT_MAC = 2;
    private static final int SETTINGS_SIZE = 8, SETTINGS_GENERATION = 4, ADDRESS4_SIZE = 4, ADDRESS6_SIZE = 16;
    private static final int COUNTERS_SIZE = 8 * XdpCounter.values().length;

    /** Where in the kernel the program runs. */
    public enum Mode {
        /** In the driver. */
        NATIVE,
        /** In the network stack, after a socket buffer was made: works with every driver, costs more. */
        GENERIC
    }

    /** Which modes attach may use. */
    public enum ModeChoice {
        NATIVE_OR_GENERIC, NATIVE_ONLY, GENERIC_ONLY
    }

    /** An interface that the program is attached to. */
    private record Attachment(int interfaceIndex, int link, Mode mode) {}

    private final BpfObject object;
    private final int ports;
    private final int sockets;
    private final int local4;
    private final int local6;
    private final int settings;
    private final int counters;
    private final int flows4;
    private final int flows6;
    private final @Nullable Attachment[] attachments = new @Nullable Attachment[MAX_PORTS];
    private final MemorySegment counterValues;
    private final MemorySegment zero = Arena.ofAuto().allocate(4, 4);
    private Set<InetAddress> localAddresses = Set.of();
    private boolean gateOpen;
    private int routeGeneration;

    private XdpProgram(BpfObject object, int flows) {
        this.object = object;
        ports = checkedMap("ports", 4, PORT_SIZE, MAX_PORTS);
        sockets = checkedMap("sockets", 4, 4, MAX_PORTS * MAX_QUEUES);
        local4 = checkedMap("local4", ADDRESS4_SIZE, 1, MAX_LOCAL_ADDRESSES);
        local6 = checkedMap("local6", ADDRESS6_SIZE, 1, MAX_LOCAL_ADDRESSES);
        settings = checkedMap("settings", 4, SETTINGS_SIZE, 1);
        counters = checkedMap("counters", 4, COUNTERS_SIZE, 1);
        flows4 = checkedMap("flows4", FlowCache.KEY4_SIZE, FlowCache.VALUE_SIZE, flows);
        flows6 = checkedMap("flows6", FlowCache.KEY6_SIZE, FlowCache.VALUE_SIZE, flows);
        checkLayouts();
        counterValues = Arena.ofAuto().allocate((long) COUNTERS_SIZE * Bpf.possibleCpus(), 8);
    }

    /**
     * Loads the program into the kernel. The gate is closed, no interface is attached.
     *
     * @param flows room of the flow cache in sessions, for each IP version
     * @throws SysException when the kernel refuses it; the verifier's words are in the message
     */
    public static XdpProgram load(int flows) {
        BpfObject object = loadObject(flows);
        try {
            return new XdpProgram(object, flows);
        } catch (RuntimeException failure) {
            object.close();
            throw failure;
        }
    }

    /**
     * Attaches the program to an interface. VLAN tags are left in the frames and segments are not joined from then on (ethtool: rxvlan off, lro off, in
     * generic mode gro off), as far as the driver lets choose.
     *
     * @param interfaceIndex the kernel's index of the device that carries the frames (below any VLAN)
     * @param port           0 to {@link #MAX_PORTS} - 1, not in use: what {@link #registerSocket} and the config call it
     * @param mac            hardware address, low 48 bits: frames to others are left to the kernel
     * @return the mode it runs in
     */
    public synchronized Mode attach(int interfaceIndex, int port, long mac, ModeChoice choice) {
        checkPort(port);
        if (attachments[port] != null) throw new IllegalStateException("port " + port + " is in use");
        String name = NetworkDevice.nameOf(interfaceIndex);
        NetworkDevice.keepFramesAsReceived(name);
        writePort(interfaceIndex, port, mac);
        try {
            Attachment attachment = link(interfaceIndex, name, choice);
            if (attachment.mode == Mode.GENERIC) NetworkDevice.disableReceiveJoining(name);
            attachments[port] = attachment;
            return attachment.mode;
        } catch (SysException failure) {
            deletePort(interfaceIndex);
            throw failure;
        }
    }

    /** Takes the program off an interface. Its sockets are forgotten. Without effect when the port is not in use. */
    public synchronized void detach(int port) {
        checkPort(port);
        Attachment attachment = attachments[port];
        if (attachment == null) return;
        attachments[port] = null;
        Libc.close(attachment.link);
        deletePort(attachment.interfaceIndex);
        for (int queue = 0; queue < MAX_QUEUES; queue++) unregisterSocket(port, queue);
    }

    /** The hardware address of an attached interface has changed. */
    public synchronized void setMac(int port, long mac) {
        writePort(attachment(port).interfaceIndex, port, mac);
    }

    /** Frames of this queue go to this socket from now on. A socket that is closed leaves the map by itself. */
    public synchronized void registerSocket(int port, int queue, int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_INT, fd);
            check("register an AF_XDP socket", Bpf.update(sockets, socketKey(port, queue, arena), value, Bpf.ANY),
                    "port=" + port + " queue=" + queue,
                    "bind the socket before");
        }
    }

    public synchronized void unregisterSocket(int port, int queue) {
        try (Arena arena = Arena.ofConfined()) {
            int result = Bpf.delete(sockets, socketKey(port, queue, arena));
            if (result != -Errno.ENOENT && result != -Errno.EINVAL)
                check("unregister an AF_XDP socket", result, "port=" + port + " queue=" + queue, "");
        }
    }

    /**
     * The addresses of this host (and the broadcast addresses of its networks): packets to them go to the kernel. Only the differences to the last call
     * are written, new addresses first.
     */
    public synchronized void setLocalAddresses(Set<InetAddress> addresses) {
        Set<InetAddress> present = new HashSet<>(localAddresses);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(1);
            for (InetAddress address : addresses) {
                if (present.contains(address)) continue;
                check("add a local address", Bpf.update(localMap(address), key(address, arena), value, Bpf.ANY), address.getHostAddress(),
                        "a host may have " + MAX_LOCAL_ADDRESSES + " addresses of each IP version");
                present.add(address);
            }
            for (InetAddress address : localAddresses) {
                if (addresses.contains(address)) continue;
                check("remove a local address", Bpf.delete(localMap(address), key(address, arena)), address.getHostAddress(), "");
                present.remove(address);
            }
        } finally {
            localAddresses = present; // what the kernel has, also when the loop was left early
        }
    }

    /** Closed: packets for the workers are dropped and counted; local traffic is not touched. */
    public synchronized void setGate(boolean open) {
        try (Arena arena = Arena.ofConfined()) {
            gateOpen = open;
            writeSettings(arena);
        }
    }

    /** Routes, neighbours or links have changed: next hops that the flow cache remembers are looked up again. */
    public synchronized void routesChanged() {
        try (Arena arena = Arena.ofConfined()) {
            routeGeneration++;
            writeSettings(arena);
        }
    }

    private void writeSettings(Arena arena) {
        MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_INT, gateOpen ? 1 : 0, routeGeneration);
        check("write the settings", Bpf.update(settings, zero, value, Bpf.ANY), "open=" + gateOpen, "");
    }

    /** The flow cache. It lives as long as this object. */
    public FlowCache flowCache() { return new FlowCache(flows4, flows6); }

    public synchronized boolean isGateOpen() { return gateOpen; }

    /** Sum over all CPUs. */
    public synchronized long counter(XdpCounter counter) {
        check("read the counters", Bpf.lookup(counters, zero, counterValues), counter.label(), "");
        long sum = 0;
        for (long at = 8L * counter.ordinal(); at < counterValues.byteSize(); at += COUNTERS_SIZE)
            sum += counterValues.get(ValueLayout.JAVA_LONG, at);
        return sum;
    }

    /** The mode of an attached interface. */
    public synchronized Mode mode(int port) { return attachment(port).mode; }

    /** Detaches from every interface and removes the program and its maps. */
    @Override
    public synchronized void close() {
        for (int port = 0; port < MAX_PORTS; port++) detach(port);
        object.close();
    }

    /** Descriptor of the program itself, for test runs. */
    int programFd() { return object.program(PROGRAM); }

    private Attachment link(int interfaceIndex, String name, ModeChoice choice) {
        int result = 0;
        if (choice != ModeChoice.GENERIC_ONLY) {
            result = Bpf.attachXdp(programFd(), interfaceIndex, Bpf.XDP_FLAGS_NATIVE);
            if (result >= 0) return new Attachment(interfaceIndex, result, Mode.NATIVE);
        }
        if (choice != ModeChoice.NATIVE_ONLY) {
            result = Bpf.attachXdp(programFd(), interfaceIndex, Bpf.XDP_FLAGS_GENERIC);
            if (result >= 0) return new Attachment(interfaceIndex, result, Mode.GENERIC);
        }
        throw new SysException("attach the XDP program", -result, "interface=" + name + " mode=" + choice, switch (-result) {
            case Errno.EBUSY, Errno.EEXIST ->
                "another XDP program is there ('ip link show dev " + name + "'): end its process, or 'ip link set dev " + name
                        + " xdp off'";
            case Errno.EOPNOTSUPP -> "the driver has no native XDP: allow generic mode";
            case Errno.EINVAL, Errno.ERANGE -> "the MTU may be too large for native XDP: at most about 3,500, or allow generic mode";
            default -> "";
        });
    }

    private void writePort(int interfaceIndex, int port, long mac) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(PORT_SIZE, 8);
            value.set(ValueLayout.JAVA_SHORT, 0, (short) port);
            for (int i = 0; i < 3; i++) value.set(NETWORK_SHORT, PORT_MAC + 2 * i, (short) (mac >>> (32 - 16 * i)));
            check("register an interface", Bpf.update(ports, arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex), value, Bpf.ANY),
                    "ifindex=" + interfaceIndex + " port=" + port, "");
        }
    }

    private void deletePort(int interfaceIndex) {
        try (Arena arena = Arena.ofConfined()) {
            check("forget an interface", Bpf.delete(ports, arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex)),
                    "ifindex=" + interfaceIndex, "");
        }
    }

    private Attachment attachment(int port) {
        checkPort(port);
        Attachment attachment = attachments[port];
        if (attachment == null) throw new IllegalStateException("port " + port + " is not attached");
        return attachment;
    }

    private static void checkPort(int port) {
        if (port < 0 || port >= MAX_PORTS) throw new IllegalArgumentException("port " + port + ": there are " + MAX_PORTS);
    }

    private static MemorySegment socketKey(int port, int queue, Arena arena) {
        checkPort(port);
        if (queue < 0 || queue >= MAX_QUEUES) throw new IllegalArgumentException("queue " + queue + ": there are " + MAX_QUEUES);
        return arena.allocateFrom(ValueLayout.JAVA_INT, port * MAX_QUEUES + queue);
    }

    private int localMap(InetAddress address) { return address instanceof Inet4Address ? local4 : local6; }

    private static MemorySegment key(InetAddress address, Arena arena) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, address.getAddress());
    }

    /** A map whose sizes in the compiled object are the ones that this class writes. */
    private int checkedMap(String name, int keySize, int valueSize, int maxEntries) {
        List<Integer> expected = List.of(keySize, valueSize, maxEntries);
        List<Integer> compiled = List.of(object.keySize(name), object.valueSize(name), object.maxEntries(name));
        if (!expected.equals(compiled)) throw mismatch("map " + name + " (key size, value size, entries)", expected, compiled);
        return object.map(name);
    }

    /** Compares the compiled structs with what this class reads and writes: a stale object file is refused here instead of miscounting. */
    private void checkLayouts() {
        List<BpfObject.Member> expected = new ArrayList<>();
        for (XdpCounter counter : XdpCounter.values()) expected.add(new BpfObject.Member(counter.label(), 8 * counter.ordinal()));
        checkLayout("ambo_counters", expected);
        checkLayout("ambo_port", List.of(new BpfObject.Member("number", 0), new BpfObject.Member("mac", PORT_MAC)));
        checkLayout("ambo_settings",
                List.of(new BpfObject.Member("gate_open", 0), new BpfObject.Member("route_generation", SETTINGS_GENERATION)));
        FlowCache.layouts().forEach(this::checkLayout);
    }

    private void checkLayout(String struct, List<BpfObject.Member> expected) {
        List<BpfObject.Member> compiled = object.members(struct);
        if (!expected.equals(compiled)) throw mismatch("struct " + struct, expected, compiled);
    }

    private static SysException mismatch(String what, List<?> expected, List<?> compiled) {
        return new SysException("check the XDP program", Errno.EINVAL, what + ": expected " + expected + ", compiled " + compiled,
                "ambo.bpf.o is not of this build: rebuild with 'mvn clean install'");
    }

    private static void check(String operation, int result, String where, String remedy) {
        if (result < 0) throw new SysException(operation, -result, where, remedy);
    }

    private static BpfObject loadObject(int flows) {
        try {
            return BpfObject.load(resource(), "ambo.bpf.o", Map.of("flows4", flows, "flows6", flows));
        } catch (ExceptionInInitializerError missingLibrary) {
            if (missingLibrary.getCause() instanceof SysException cause) throw cause;
            throw missingLibrary;
        }
    }

    private static byte[] resource() {
        try (InputStream stream = XdpProgram.class.getResourceAsStream(RESOURCE)) {
            if (stream == null)
                throw new SysException("find the XDP program", Errno.ENOENT, RESOURCE + " on the class path", "rebuild with 'mvn install'");
            return stream.readAllBytes();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
