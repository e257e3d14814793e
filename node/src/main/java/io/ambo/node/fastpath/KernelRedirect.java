package io.ambo.node.fastpath;

import io.ambo.cluster.membership.NodeId;
import io.ambo.node.redirect.KernelLane;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.SysException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/**
 * The maps by which the XDP program hands packets to other members and takes theirs (tunnel.h): this node's key and address, the members it may send to, and
 * those it knows the datagrams of. Off until {@link #turnOn}. Any thread, one at a time.
 */
public final class KernelRedirect implements KernelLane {
    /** Members that may be known at once. */
    static final int MEMBERS = 64;
    /** struct ambo_tunnel: ifindex, ipv6, node, udp_port, reserved, address, key, sequence, salt. */
    static final int TUNNEL_SIZE = 72;
    /** struct ambo_target: address, udp_port, reserved, hop. */
    static final int TARGET_SIZE = 56;
    /** struct ambo_source: lock, reserved, address, key, newest, seen. */
    static final int SOURCE_SIZE = 304;
    /** Bytes of {@link #salt}. */
    public static final int SALT = 16;

    private static final int IPV6 = 4, NODE = 8, PORT = 10, RESERVED = 12, ADDRESS = 16, KEY = 32, SEQUENCE = 48, OWN_SALT = 56;
    private static final int TARGET_PORT = 16, TARGET_RESERVED = 18, TARGET_HOP = 24;
    private static final int SOURCE_ADDRESS = 8, SOURCE_KEY = 24, SOURCE_NEWEST = 40, SOURCE_SEEN = 48;
    private static final int ADDRESS_SIZE = 16;
    private static final ValueLayout.OfShort NETWORK_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);

    private final int tunnel;
    private final int targets;
    private final int sources;
    private boolean on;

    KernelRedirect(int tunnel, int targets, int sources) {
        this.tunnel = tunnel;
        this.targets = targets;
        this.sources = sources;
    }

    /** What C has to agree with, by struct. */
    static Map<String, List<BpfObject.Member>> layouts() {
        return Map.of("ambo_tunnel",
                List.of(member("ifindex", 0), member("ipv6", IPV6), member("node", NODE), member("udp_port", PORT),
                        member("reserved", RESERVED), member("address", ADDRESS), member("key", KEY), member("sequence", SEQUENCE),
                        member("salt", OWN_SALT)),
                "ambo_target",
                List.of(member("address", 0), member("udp_port", TARGET_PORT), member("reserved", TARGET_RESERVED),
                        member("hop", TARGET_HOP)),
                "ambo_source",
                List.of(member("lock", 0), member("reserved", 4), member("address", SOURCE_ADDRESS), member("key", SOURCE_KEY),
                        member("newest", SOURCE_NEWEST), member("seen", SOURCE_SEEN)));
    }

    private static BpfObject.Member member(String name, int offset) { return new BpfObject.Member(name, offset); }

    /**
     * The salt of the key that the program sends with at the moment, since an earlier process turned it on; so members go on knowing what it sends.
     *
     * @return null when it sends nothing
     */
    public synchronized byte @org.jspecify.annotations.Nullable [] salt() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = read(arena);
            return value.get(ValueLayout.JAVA_INT, 0) == 0 ? null : value.asSlice(OWN_SALT, SALT).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /**
     * The program sends and takes from now on.
     *
     * @param device  the kernel's index of the sync link's device, which the program is attached to
     * @param address this host's, there
     */
    public synchronized void turnOn(int device, NodeId local, InetAddress address, int port, byte[] salt, long key0, long key1) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment before = read(arena);
            boolean sameKey = before.get(ValueLayout.JAVA_LONG, KEY) == key0 && before.get(ValueLayout.JAVA_LONG, KEY + 8) == key1;
            MemorySegment value = arena.allocate(TUNNEL_SIZE, 8);
            value.set(ValueLayout.JAVA_INT, 0, device);
            value.set(ValueLayout.JAVA_INT, IPV6, address.getAddress().length == ADDRESS_SIZE ? 1 : 0);
            value.set(NETWORK_SHORT, NODE, (short) local.value());
            value.set(NETWORK_SHORT, PORT, (short) port);
            write(address, value, ADDRESS);
            value.set(ValueLayout.JAVA_LONG, KEY, key0);
            value.set(ValueLayout.JAVA_LONG, KEY + 8, key1);
            // Numbers that the program gives out while this is written are given out again with the same key: leave them behind.
            long sequence = sameKey ? before.get(ValueLayout.JAVA_LONG, SEQUENCE) + (1 << 20) : 0;
            value.set(ValueLayout.JAVA_LONG, SEQUENCE, sequence);
            MemorySegment.copy(salt, 0, value, ValueLayout.JAVA_BYTE, OWN_SALT, SALT);
            check("turn on redirection in the kernel", Bpf.update(tunnel, index(0, arena), value, Bpf.ANY));
            on = true;
        }
    }

    @Override
    public synchronized boolean isOn() { return on; }

    @Override
    public synchronized void sendTo(NodeId member, InetAddress address, int port) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(TARGET_SIZE, 8);
            write(address, value, 0);
            value.set(NETWORK_SHORT, TARGET_PORT, (short) port);
            check("let the kernel send to " + member, Bpf.update(targets, index(member.value(), arena), value, Bpf.ANY));
        }
    }

    @Override
    public synchronized void sendNoMoreTo(int member) { delete(targets, member); }

    @Override
    public synchronized void takeFrom(NodeId member, InetAddress address, long key0, long key1) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(SOURCE_SIZE, 8);
            MemorySegment known = arena.allocate(SOURCE_SIZE, 8);
            write(address, value, SOURCE_ADDRESS);
            value.set(ValueLayout.JAVA_LONG, SOURCE_KEY, key0);
            value.set(ValueLayout.JAVA_LONG, SOURCE_KEY + 8, key1);
            MemorySegment index = index(member.value(), arena);
            boolean same = Bpf.lookup(sources, index, known) == 0
                    && MemorySegment.mismatch(known, SOURCE_ADDRESS, SOURCE_NEWEST, value, SOURCE_ADDRESS, SOURCE_NEWEST) < 0;
            if (!same) check("let the kernel take packets from " + member, Bpf.update(sources, index, value, Bpf.ANY));
        }
    }

    @Override
    public synchronized void takeNoMoreFrom(int member) { delete(sources, member); }

    private MemorySegment read(Arena arena) {
        MemorySegment value = arena.allocate(TUNNEL_SIZE, 8);
        check("read the tunnel", Bpf.lookup(tunnel, index(0, arena), value));
        return value;
    }

    private static void delete(int map, int member) {
        try (Arena arena = Arena.ofConfined()) {
            int result = Bpf.delete(map, index(member, arena));
            if (result != -Errno.ENOENT) check("forget a member", result);
        }
    }

    private static MemorySegment index(int key, Arena arena) { return arena.allocateFrom(ValueLayout.JAVA_INT, key); }

    private static void write(InetAddress address, MemorySegment into, int at) {
        byte[] bytes = address.getAddress();
        MemorySegment.copy(bytes, 0, into, ValueLayout.JAVA_BYTE, at + ADDRESS_SIZE - bytes.length, bytes.length);
        if (bytes.length == 4) into.set(ValueLayout.JAVA_SHORT, at + 10, (short) 0xFFFF);
    }

    private static void check(String operation, int result) {
        if (result < 0) throw new SysException(operation, -result, "", "at most " + MEMBERS + " members");
    }
}
