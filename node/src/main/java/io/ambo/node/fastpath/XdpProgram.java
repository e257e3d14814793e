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
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The XDP program and its maps in the kernel. It forwards the sessions of its flow cache, sends other TCP, UDP and ICMP that is not for this host to the
 * workers' sockets and the rest to the kernel.
 *
 * <p>Pinned ({@link #open}), it outlives the process, and the next one adopts it: maps, counters and all, while it goes on forwarding. Only {@link #remove}
 * ends it, or {@link #forwardUntil the time} that the process had set. Unpinned ({@link #load}), the interfaces are free of it when the process ends.
 *
 * <p>One thread at a time (the methods are synchronized); no packet thread calls it. The layouts of keys and values are those of ambo.h.
 */
public final class XdpProgram implements AutoCloseable {
    /** Interfaces, and queues of each of them, that the program can tell apart. */
    public static final int MAX_PORTS = 64, MAX_QUEUES = 64;
    /** Addresses of this host of each IP version. */
    public static final int MAX_LOCAL_ADDRESSES = 4096;

    private static final Logger LOG = LogManager.getLogger();
    private static final String RESOURCE = "/ambo.bpf.o", PROGRAM = "ambo", ACCOUNTANT = "ambo_account_for";
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    /** struct ambo_port: number, untagged, mac, ifindex. */
    private static final int PORT_SIZE = 12, PORT_UNTAGGED = 1, PORT_MAC = 2, PORT_INTERFACE = 8, NEAR_PORTS = 256;
    /** struct ambo_settings: layout, gate_open, route_generation, reserved, forward_until_ns, process_until_ns. */
    private static final int SETTINGS_SIZE = 32, SETTINGS_GATE = 4, SETTINGS_GENERATION = 8, SETTINGS_RESERVED = 12, SETTINGS_UNTIL = 16,
            SETTINGS_PROCESS = 24;
    /** struct ambo_deputy: mac, reserved. Key of peer_macs: a number. */
    private static final int DEPUTY_SIZE = 8, DEPUTY_RESERVED = 6, PEER_MAC_SIZE = 8;
    /** struct ambo_vlan: ifindex, id. struct ambo_egress: ifindex, vlan. */
    private static final int VLAN_SIZE = 8, EGRESS_SIZE = 8, MAX_INTERFACES = 1024;
    private static final int ADDRESS4_SIZE = 4, ADDRESS6_SIZE = 16;
    private static final List<String> MAPS = List.of("ports", "near_ports", "vlans", "egresses", "sockets", "local4", "local6", "settings",
            "counters", "flows4", "flows6", "translations4", "translations6", "deputies", "peer_macs", "tunnel", "redirect_targets",
            "redirect_sources", "zones");
    private static final Map<String, List<BpfObject.Member>> LAYOUTS = layouts();
    private static final int LAYOUT = layout();
    private static final int TRANSLATIONS_OF_FLOW = 2;
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

    /**
     * A data interface, for the fast path.
     *
     * @param index  the kernel's index of the interface that routes name
     * @param device index of the device that carries its frames: its own, or that below the VLAN
     * @param vlan   802.1Q id of its frames, or -1
     */
    public record Interface(int index, int device, int vlan) {}

    private final BpfObject object;
    private final @Nullable Pins pins;
    private final boolean adopted;
    /** Links of the process before, by interface, until {@link #attach} claims them. */
    private final Map<Integer, Pins.Link> unclaimed = new HashMap<>();
    private final int ports;
    private final int nearPorts;
    private final int vlans;
    private final int egresses;
    private final int sockets;
    private final int local4;
    private final int local6;
    private final int settings;
    private final int counters;
    private final int deputies;
    private final int peerMacs;
    private final int flows4;
    private final int flows6;
    private final int translations4;
    private final int translations6;
    private final int zones;
    private final KernelRedirect redirect;
    private final @Nullable Attachment[] attachments = new @Nullable Attachment[MAX_PORTS];
    private final MemorySegment counterValues;
    private final MemorySegment zero = Arena.ofAuto().allocate(4, 4);
    private Set<InetAddress> localAddresses = Set.of();
    private Set<Integer> untagged = Set.of();
    private boolean gateOpen;
    private int routeGeneration;
    private long forwardUntilNs;
    private long processUntilNs;

    private XdpProgram(BpfObject object, @Nullable Pins pins, boolean adopted, int flows) {
        this.object = object;
        this.pins = pins;
        this.adopted = adopted;
        ports = checkedMap("ports", 4, PORT_SIZE, MAX_PORTS);
        sockets = checkedMap("sockets", 4, 4, MAX_PORTS * MAX_QUEUES);
        nearPorts = checkedMap("near_ports", 4, PORT_SIZE, NEAR_PORTS);
        vlans = checkedMap("vlans", VLAN_SIZE, 1, MAX_INTERFACES);
        egresses = checkedMap("egresses", 4, EGRESS_SIZE, MAX_INTERFACES);
        local4 = checkedMap("local4", ADDRESS4_SIZE, 1, MAX_LOCAL_ADDRESSES);
        local6 = checkedMap("local6", ADDRESS6_SIZE, 1, MAX_LOCAL_ADDRESSES);
        settings = checkedMap("settings", 4, SETTINGS_SIZE, 1);
        counters = checkedMap("counters", 4, COUNTERS_SIZE, 1);
        deputies = checkedMap("deputies", VLAN_SIZE, DEPUTY_SIZE, MAX_INTERFACES);
        peerMacs = checkedMap("peer_macs", PEER_MAC_SIZE, 1, MAX_INTERFACES);
        int room = adopted ? object.maxEntries("flows4") : flows;
        flows4 = checkedMap("flows4", FlowKey.SIZE4, FlowCache.VALUE_SIZE, room);
        flows6 = checkedMap("flows6", FlowKey.SIZE6, FlowCache.VALUE_SIZE, room);
        translations4 = checkedMap("translations4", FlowKey.SIZE4, FlowTranslations.VALUE4_SIZE, TRANSLATIONS_OF_FLOW * room);
        translations6 = checkedMap("translations6", FlowKey.SIZE6, FlowTranslations.VALUE6_SIZE, TRANSLATIONS_OF_FLOW * room);
        zones = checkedMap("zones", VLAN_SIZE, 4, MAX_INTERFACES);
        redirect = new KernelRedirect(checkedMap("tunnel", 4, KernelRedirect.TUNNEL_SIZE, 1),
                checkedMap("redirect_targets", 4, KernelRedirect.TARGET_SIZE, KernelRedirect.MEMBERS),
                checkedMap("redirect_sources", 4, KernelRedirect.SOURCE_SIZE, KernelRedirect.MEMBERS));
        if (room != flows)
            LOG.warn("limits.flows: the flow cache that was pinned has room for {}, it stays so until the node was stopped", room);
        checkLayouts();
        counterValues = Arena.ofAuto().allocate((long) COUNTERS_SIZE * Bpf.possibleCpus(), 8);
        if (adopted) readSettings();
        try (Arena arena = Arena.ofConfined()) {
            writeSettings(arena);
        }
    }

    /**
     * Loads the program into the kernel. The gate is closed, no interface is attached.
     *
     * @param flows room of the flow cache in sessions, for each IP version
     * @throws SysException when the kernel refuses it; the verifier's words are in the message
     */
    public static XdpProgram load(int flows) { return load(null, false, flows, Map.of()); }

    /**
     * Loads the program pinned. What an earlier process has pinned there is adopted: the new program gets its maps now, and takes its place on each interface
     * when that is {@link #attach attached}, between two frames; until then the old one forwards. The gate is closed.
     *
     * @param directory of a bpffs; made when it is not there
     * @throws SysException also when what is pinned there is of another layout; it goes on untouched
     */
    public static XdpProgram open(Path directory, int flows) {
        Pins pins = Pins.at(directory);
        if (!pins.isComplete()) return load(pins, false, flows, Map.of());
        Map<String, Integer> maps = pins.openMaps();
        try {
            return load(pins, true, flows, maps);
        } finally {
            maps.values().forEach(Libc::close);
        }
    }

    private static XdpProgram load(@Nullable Pins pins, boolean adopted, int flows, Map<String, Integer> maps) {
        BpfObject object = loadObject(flows, maps);
        try {
            XdpProgram program = new XdpProgram(object, pins, adopted, flows);
            if (pins != null) program.pin(pins);
            return program;
        } catch (RuntimeException failure) {
            object.close();
            throw failure;
        }
    }

    private void pin(Pins into) {
        if (adopted) {
            for (Pins.Link link : into.openLinks()) unclaimed.put(link.interfaceIndex(), link);
        } else {
            for (String map : MAPS) into.pinMap(map, object.map(map));
        }
        into.pinProgram(programFd());
    }

    /** What it forwards, and counts, began in an earlier process. */
    public boolean isAdopted() { return adopted; }

    /** Lets go of the interfaces that an earlier process had attached and this one did not. */
    public synchronized void releaseUnclaimed() {
        for (Pins.Link link : unclaimed.values()) release(link.interfaceIndex(), link.mode(), link.fd());
        unclaimed.clear();
        Set<Integer> present = new HashSet<>();
        for (Attachment attachment : attachments) if (attachment != null) present.add(attachment.interfaceIndex);
        for (byte[] key : keys(ports, 4)) {
            int index = ByteBuffer.wrap(key).order(ByteOrder.nativeOrder()).getInt();
            if (!present.contains(index)) deletePort(index);
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
        release(attachment.interfaceIndex, attachment.mode, attachment.link);
        deletePort(attachment.interfaceIndex);
        for (int queue = 0; queue < MAX_QUEUES; queue++) unregisterSocket(port, queue);
    }

    private void release(int interfaceIndex, Mode mode, int link) {
        if (pins != null) pins.unpinLink(interfaceIndex, mode);
        Libc.close(link);
    }

    /** The data interfaces: others are not forwarded to, nor from. */
    public synchronized void setInterfaces(List<Interface> interfaces) {
        Set<Integer> devices = new HashSet<>();
        try (Arena arena = Arena.ofConfined()) {
            List<MemorySegment> tags = new ArrayList<>();
            List<MemorySegment> indexes = new ArrayList<>();
            MemorySegment one = arena.allocate(1);
            for (Interface each : interfaces) {
                MemorySegment index = arena.allocateFrom(ValueLayout.JAVA_INT, each.index);
                MemorySegment egress = arena.allocateFrom(ValueLayout.JAVA_INT, each.device, Math.max(0, each.vlan));
                check("register a data interface", Bpf.update(egresses, index, egress, Bpf.ANY), "ifindex=" + each.index,
                        "at most " + MAX_INTERFACES);
                indexes.add(index);
                if (each.vlan < 0) {
                    devices.add(each.device);
                    continue;
                }
                MemorySegment tag = arena.allocateFrom(ValueLayout.JAVA_INT, each.device, each.vlan);
                check("register a VLAN", Bpf.update(vlans, tag, one, Bpf.ANY), "ifindex=" + each.index, "at most " + MAX_INTERFACES);
                tags.add(tag);
            }
            retain(egresses, 4, indexes, arena);
            retain(vlans, VLAN_SIZE, tags, arena);
        }
        untagged = devices;
        for (Attachment attachment : attachments) if (attachment != null) rewriteUntagged(attachment.interfaceIndex);
    }

    /** Deletes all other keys. */
    private static void retain(int map, int keySize, List<MemorySegment> keys, Arena arena) {
        for (byte[] key : keys(map, keySize)) {
            MemorySegment present = arena.allocateFrom(ValueLayout.JAVA_BYTE, key);
            if (keys.stream().noneMatch(kept -> kept.mismatch(present) < 0)) check("forget an interface", Bpf.delete(map, present), "", "");
        }
    }

    /** All keys of a map that this object alone changes. */
    private static List<byte[]> keys(int map, int size) {
        List<byte[]> keys = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocate(size, 8);
            int result = Bpf.nextKey(map, MemorySegment.NULL, key);
            while (result == 0) {
                keys.add(key.toArray(ValueLayout.JAVA_BYTE));
                result = Bpf.nextKey(map, key, key);
            }
            if (result != -Errno.ENOENT) check("read the keys of a map", result, "", "");
        }
        return keys;
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
        if (adopted && localAddresses.isEmpty()) localAddresses = readLocalAddresses();
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

    private Set<InetAddress> readLocalAddresses() {
        Set<InetAddress> addresses = new HashSet<>();
        try {
            for (byte[] key : keys(local4, ADDRESS4_SIZE)) addresses.add(InetAddress.getByAddress(key));
            for (byte[] key : keys(local6, ADDRESS6_SIZE)) addresses.add(InetAddress.getByAddress(key));
        } catch (UnknownHostException impossible) {
            throw new IllegalStateException("the keys are 4 and 16 bytes long", impossible);
        }
        return addresses;
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

    /**
     * Until when flows of the cache are forwarded, whatever becomes of this process.
     *
     * @param timeNs of {@link io.ambo.cluster.time.Clock#monotonicNs}
     */
    public synchronized void forwardUntil(long timeNs) {
        try (Arena arena = Arena.ofConfined()) {
            forwardUntilNs = timeNs;
            writeSettings(arena);
        }
    }

    /**
     * Until when this process counts as one that takes packets; later those that it would judge go to the deputy of their link.
     *
     * @param timeNs as of {@link #forwardUntil}; 0: for ever; 1: it does not
     */
    public synchronized void processUntil(long timeNs) {
        if (timeNs == processUntilNs) return;
        try (Arena arena = Arena.ofConfined()) {
            processUntilNs = timeNs;
            writeSettings(arena);
        }
    }

    /**
     * The peers that take what this node cannot take.
     *
     * @param onLink by data interface, the hardware address of the deputy there
     * @param peers  hardware addresses of all peers: what comes from them is not handed on
     */
    public synchronized void setDeputies(Map<Interface, Long> onLink, Set<Long> peers) {
        try (Arena arena = Arena.ofConfined()) {
            List<MemorySegment> links = new ArrayList<>();
            onLink.forEach((link, mac) -> {
                MemorySegment key = arena.allocateFrom(ValueLayout.JAVA_INT, link.device, Math.max(0, link.vlan));
                MemorySegment value = arena.allocate(DEPUTY_SIZE, 8);
                for (int i = 0; i < 3; i++) value.set(NETWORK_SHORT, 2L * i, (short) (mac >>> (32 - 16 * i)));
                check("register a deputy", Bpf.update(deputies, key, value, Bpf.ANY), "ifindex=" + link.device, "");
                links.add(key);
            });
            List<MemorySegment> macs = new ArrayList<>();
            MemorySegment one = arena.allocate(1);
            for (long mac : peers) {
                MemorySegment key = arena.allocateFrom(ValueLayout.JAVA_LONG, mac);
                check("register a peer's address", Bpf.update(peerMacs, key, one, Bpf.ANY), "", "");
                macs.add(key);
            }
            retain(deputies, VLAN_SIZE, links, arena);
            retain(peerMacs, PEER_MAC_SIZE, macs, arena);
        }
    }

    private void readSettings() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(SETTINGS_SIZE, 8);
            check("read the settings", Bpf.lookup(settings, zero, value), "", "");
            int pinned = value.get(ValueLayout.JAVA_INT, 0);
            if (pinned != LAYOUT)
                throw new SysException("adopt the pinned fast path", Errno.EINVAL,
                        "%s is of another version (layout %08x, this one has %08x)".formatted(pins, pinned, LAYOUT),
                        "it goes on forwarding until its time is over; to go on without it: rm -r " + pins);
            routeGeneration = value.get(ValueLayout.JAVA_INT, SETTINGS_GENERATION) + 1;
            forwardUntilNs = value.get(ValueLayout.JAVA_LONG, SETTINGS_UNTIL);
            processUntilNs = value.get(ValueLayout.JAVA_LONG, SETTINGS_PROCESS);
        }
    }

    private void writeSettings(Arena arena) {
        MemorySegment value = arena.allocate(SETTINGS_SIZE, 8);
        value.set(ValueLayout.JAVA_INT, 0, LAYOUT);
        value.set(ValueLayout.JAVA_INT, SETTINGS_GATE, gateOpen ? 1 : 0);
        value.set(ValueLayout.JAVA_INT, SETTINGS_GENERATION, routeGeneration);
        value.set(ValueLayout.JAVA_LONG, SETTINGS_UNTIL, forwardUntilNs);
        value.set(ValueLayout.JAVA_LONG, SETTINGS_PROCESS, processUntilNs);
        check("write the settings", Bpf.update(settings, zero, value, Bpf.ANY), "open=" + gateOpen, "");
    }

    /**
     * The zone of frames that come by a device with this tag (-1: without one). What is said once stays: {@link #setInterfaces} tells what counts.
     */
    public synchronized void setZone(int device, int vlan, int zone) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocateFrom(ValueLayout.JAVA_INT, device, Math.max(0, vlan));
            check("register a zone", Bpf.update(zones, key, arena.allocateFrom(ValueLayout.JAVA_INT, zone), Bpf.ANY), "ifindex=" + device,
                    "at most " + MAX_INTERFACES);
        }
    }

    /** The kernel's part in redirect mode. It lives as long as this object. */
    public KernelRedirect redirect() { return redirect; }

    /** The flow cache. It lives as long as this object. */
    public FlowCache flowCache() {
        return new FlowCache(object.program(ACCOUNTANT), flows4, flows6, translations4, translations6);
    }

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

    /** Detaches from every interface and removes the program and its maps, pinned or not. */
    public synchronized void remove() {
        for (int port = 0; port < MAX_PORTS; port++) detach(port);
        for (Pins.Link link : unclaimed.values()) release(link.interfaceIndex(), link.mode(), link.fd());
        unclaimed.clear();
        if (pins != null) pins.remove();
        object.close();
    }

    /** Lets go. What is pinned goes on without this process, with the gate closed: only flows of the cache are forwarded. */
    @Override
    public synchronized void close() {
        if (pins == null) {
            remove();
            return;
        }
        if (gateOpen) setGate(false);
        for (Attachment attachment : attachments) if (attachment != null) Libc.close(attachment.link);
        Arrays.fill(attachments, null);
        for (Pins.Link link : unclaimed.values()) Libc.close(link.fd());
        unclaimed.clear();
        object.close();
    }

    /** Descriptor of the program itself, for test runs. */
    int programFd() { return object.program(PROGRAM); }

    private Attachment link(int interfaceIndex, String name, ModeChoice choice) {
        Pins.Link before = unclaimed.remove(interfaceIndex);
        if (before != null) {
            boolean allowed = before.mode() == Mode.NATIVE ? choice != ModeChoice.GENERIC_ONLY : choice != ModeChoice.NATIVE_ONLY;
            if (allowed && Bpf.updateLink(before.fd(), programFd()) == 0) return new Attachment(interfaceIndex, before.fd(), before.mode());
            release(interfaceIndex, before.mode(), before.fd());
        }
        int result = 0;
        if (choice != ModeChoice.GENERIC_ONLY) {
            result = Bpf.attachXdp(programFd(), interfaceIndex, Bpf.XDP_FLAGS_NATIVE);
            if (result >= 0) return pinned(new Attachment(interfaceIndex, result, Mode.NATIVE));
        }
        if (choice != ModeChoice.NATIVE_ONLY) {
            result = Bpf.attachXdp(programFd(), interfaceIndex, Bpf.XDP_FLAGS_GENERIC);
            if (result >= 0) return pinned(new Attachment(interfaceIndex, result, Mode.GENERIC));
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

    private Attachment pinned(Attachment fresh) {
        if (pins != null) pins.pinLink(fresh.interfaceIndex, fresh.mode, fresh.link);
        return fresh;
    }

    private void writePort(int interfaceIndex, int port, long mac) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(PORT_SIZE, 8);
            value.set(ValueLayout.JAVA_BYTE, 0, (byte) port);
            for (int i = 0; i < 3; i++) value.set(NETWORK_SHORT, PORT_MAC + 2 * i, (short) (mac >>> (32 - 16 * i)));
            value.set(ValueLayout.JAVA_INT, PORT_INTERFACE, interfaceIndex);
            writePort(interfaceIndex, value, arena);
        }
    }

    /** The tags of an interface have changed. */
    private void rewriteUntagged(int interfaceIndex) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(PORT_SIZE, 8);
            check("read an interface", Bpf.lookup(ports, arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex), value),
                    "ifindex=" + interfaceIndex, "");
            writePort(interfaceIndex, value, arena);
        }
    }

    private void writePort(int interfaceIndex, MemorySegment value, Arena arena) {
        value.set(ValueLayout.JAVA_BYTE, PORT_UNTAGGED, (byte) (untagged.contains(interfaceIndex) ? 1 : 0));
        check("register an interface", Bpf.update(ports, arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex), value, Bpf.ANY),
                "ifindex=" + interfaceIndex, "");
        MemorySegment place = arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex % NEAR_PORTS);
        int present = nearPort(place, arena);
        if (present == 0 || present == interfaceIndex)
            check("register an interface", Bpf.update(nearPorts, place, value, Bpf.ANY), "ifindex=" + interfaceIndex, "");
    }

    private int nearPort(MemorySegment place, Arena arena) {
        MemorySegment value = arena.allocate(PORT_SIZE, 8);
        check("read an interface", Bpf.lookup(nearPorts, place, value), "", "");
        return value.get(ValueLayout.JAVA_INT, PORT_INTERFACE);
    }

    private void deletePort(int interfaceIndex) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment place = arena.allocateFrom(ValueLayout.JAVA_INT, interfaceIndex % NEAR_PORTS);
            if (nearPort(place, arena) == interfaceIndex)
                check("forget an interface", Bpf.update(nearPorts, place, arena.allocate(PORT_SIZE, 8), Bpf.ANY),
                        "ifindex=" + interfaceIndex, "");
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
        LAYOUTS.forEach(this::checkLayout);
    }

    private static Map<String, List<BpfObject.Member>> layouts() {
        Map<String, List<BpfObject.Member>> layouts = new TreeMap<>(FlowCache.layouts());
        layouts.putAll(FlowTranslations.layouts());
        layouts.putAll(KernelRedirect.layouts());
        List<BpfObject.Member> all = new ArrayList<>();
        for (XdpCounter counter : XdpCounter.values()) all.add(new BpfObject.Member(counter.label(), 8 * counter.ordinal()));
        layouts.put("ambo_counters", all);
        layouts.put("ambo_port", members("number", 0, "untagged", PORT_UNTAGGED, "mac", PORT_MAC, "ifindex", PORT_INTERFACE));
        layouts.put("ambo_vlan", members("ifindex", 0, "id", 4));
        layouts.put("ambo_egress", members("ifindex", 0, "vlan", 4));
        layouts.put("ambo_settings", members("layout", 0, "gate_open", SETTINGS_GATE, "route_generation", SETTINGS_GENERATION, "reserved",
                SETTINGS_RESERVED, "forward_until_ns", SETTINGS_UNTIL, "process_until_ns", SETTINGS_PROCESS));
        layouts.put("ambo_deputy", members("mac", 0, "reserved", DEPUTY_RESERVED));
        return layouts;
    }

    private static List<BpfObject.Member> members(Object... namesAndOffsets) {
        List<BpfObject.Member> members = new ArrayList<>();
        for (int i = 0; i < namesAndOffsets.length; i += 2)
            members.add(new BpfObject.Member((String) namesAndOffsets[i], (int) namesAndOffsets[i + 1]));
        return members;
    }

    /** A number for the layouts of all structs: programs with the same number understand each other's maps. */
    private static int layout() {
        CRC32 crc = new CRC32();
        crc.update(LAYOUTS.toString().getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
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

    private static BpfObject loadObject(int flows, Map<String, Integer> maps) {
        try {
            // A map that is there has its size already.
            int translations = TRANSLATIONS_OF_FLOW * flows;
            Map<String, Integer> sizes = maps.isEmpty()
                    ? Map.of("flows4", flows, "flows6", flows, "translations4", translations, "translations6", translations)
                    : Map.of();
            return BpfObject.load(resource(), "ambo.bpf.o", sizes, maps);
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
