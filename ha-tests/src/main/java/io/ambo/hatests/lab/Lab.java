package io.ambo.hatests.lab;

import io.ambo.hatests.sys.Pause;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Two nodes (or three, or four) on as many paths between a client and a server, each in a network namespace of its own.
 *
 * <pre>
 *                     .1 +--------+ .1
 *               +--------|   a    |--------+
 *   +--------+  |        +--------+        |  +--------+
 *   | client |--left         | sync       right--| server |
 *   +--------+  |        +--------+        |  +--------+
 *       .100    +--------|   b    |--------+     .100
 *                     .2 +--------+ .2
 *      10.10.1.0/24      10.10.3.0/24      10.10.2.0/24
 *      fd00:10:1::/64                      fd00:10:2::/64
 * </pre>
 *
 * left, right and syncnet are switches: a bridge each, in namespaces of their own. To begin with the client's route goes through a and the server's
 * through b, so that each node sees one flow of every session. All links are made inside the namespaces: nothing of the host's own network is touched.
 */
public final class Lab implements AutoCloseable {
    /** The hosts by the names that {@code ambo lab sh} takes. */
    public static final List<String> HOSTS = List.of("client", "server", "a", "b", "left", "right", "syncnet");
    private static final int SYNC_MTU = 1600;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final String id;
    private final Map<String, NetworkNamespace> hosts = new LinkedHashMap<>();
    private final List<LabNode> nodes = new ArrayList<>();
    private final Teardown teardown;

    private Lab(String id, Shape shape) {
        this.id = id;
        List<String> names = List.of("a", "b", "c", "d").subList(0, shape.nodes());
        for (String host : HOSTS) hosts.put(host, LabRegistry.namespace(id, host));
        for (String name : names) hosts.computeIfAbsent(name, host -> LabRegistry.namespace(id, host));
        Path directory = LabRegistry.directory(id);
        for (int number = 1; number <= names.size(); number++) {
            String name = names.get(number - 1);
            nodes.add(new LabNode(name, number, host(name), directory.resolve(name), names, shape.mode()));
        }
        if (shape.ownClocks()) nodes.forEach(LabNode::giveClock);
        teardown = new Teardown(id);
    }

    /**
     * What kind of cluster it is.
     *
     * @param nodes     2 to 4: a, b, c, d
     * @param mode      cluster.mode
     * @param ownClocks each host has a wall clock of its own: {@link LabNode#offsetClock}
     */
    public record Shape(int nodes, String mode, boolean ownClocks) {
        public static final Shape PAIR = new Shape(2, "sync");

        public Shape(int nodes, String mode) { this(nodes, mode, false); }

        public Shape withOwnClocks() { return new Shape(nodes, mode, true); }
    }

    /** Builds a lab for this process: whatever ends the process takes it down. The nodes are configured and not started. */
    public static Lab build(Policy policy) {
        return build(policy, Shape.PAIR);
    }

    public static Lab build(Policy policy, Shape shape) {
        LabRegistry.sweep();
        Lab lab = new Lab(freeId(), shape);
        lab.teardown.atExit();
        lab.buildOrRemove(policy);
        return lab;
    }

    /** Builds a lab that stays until {@link #remove}. */
    public static Lab buildKept(String id, Policy policy) {
        LabRegistry.sweep();
        Lab lab = new Lab(id, Shape.PAIR);
        LabRegistry.register(id, true);
        lab.buildOrRemove(policy);
        return lab;
    }

    /** A lab that is up. */
    public static Lab existing(String id) {
        if (!LabRegistry.exists(id)) throw new LabException("lab " + id + " is not up; start it with: ./ambo lab up");
        return new Lab(id, Shape.PAIR);
    }

    public static boolean isUp(String id) { return LabRegistry.exists(id); }

    /** Takes a lab down, however much of it is left. */
    public static void remove(String id) { LabRegistry.remove(id); }

    /** Labs that a process has left behind when it was killed; the next lab that is built removes them. */
    public static List<String> abandoned() {
        return LabRegistry.abandoned();
    }

    static String freeId() {
        String base = "p" + ProcessHandle.current().pid();
        String id = base;
        for (int i = 2; LabRegistry.exists(id); i++) id = base + "x" + i;
        return id;
    }

    public String id() { return id; }

    public Path directory() { return LabRegistry.directory(id); }

    public NetworkNamespace host(String name) {
        NetworkNamespace host = hosts.get(name);
        if (host == null) throw new LabException("no host " + name + " in the lab; there are " + String.join(", ", HOSTS));
        return host;
    }

    public NetworkNamespace client() { return host("client"); }

    public NetworkNamespace server() { return host("server"); }

    public LabNode a() { return nodes.getFirst(); }

    public LabNode b() { return nodes.get(1); }

    public List<LabNode> nodes() { return List.copyOf(nodes); }

    /** Starts all nodes and waits until each is in sync and sees the others. */
    public void startNodes() {
        for (LabNode node : nodes) node.start();
        for (LabNode node : nodes) node.awaitMembers(nodes.size());
    }

    /** The way out through a, the way back through b. */
    public void asymmetric() {
        clientVia(a());
        serverVia(b());
    }

    /** Both ways through one node. */
    public void symmetric(LabNode node) {
        clientVia(node);
        serverVia(node);
    }

    /** Moves the client's route, as a router would. It counts from the next packet on. */
    public void clientVia(LabNode node) { client().ip("""
            route replace %s0/24 via %s
            route replace %s/64 via %s
            """.formatted(Addresses.RIGHT_NET, node.leftAddress(), Addresses.RIGHT_NET6, node.leftAddress6())); }

    /** Moves the server's route. */
    public void serverVia(LabNode node) { server().ip("""
            route replace %s0/24 via %s
            route replace %s/64 via %s
            """.formatted(Addresses.LEFT_NET, node.rightAddress(), Addresses.LEFT_NET6, node.rightAddress6())); }

    /** Client and server take the floating addresses for their gateways; the nodes' policy must have them ({@link Policy#withGateways}). */
    public void viaGateways() {
        client().ip("route replace %s0/24 via %s\nroute replace %s/64 via %s".formatted(Addresses.RIGHT_NET, Addresses.LEFT_GATEWAY,
                Addresses.RIGHT_NET6, Addresses.LEFT_GATEWAY6));
        server().ip("route replace %s0/24 via %s\nroute replace %s/64 via %s".formatted(Addresses.LEFT_NET, Addresses.RIGHT_GATEWAY,
                Addresses.LEFT_NET6, Addresses.RIGHT_GATEWAY6));
    }

    /** Waits until a node has all four floating addresses and the other has none. */
    public void awaitGatewaysOn(LabNode node) {
        long deadlineNs = System.nanoTime() + 30_000_000_000L;
        while (true) {
            boolean there = nodes().stream().allMatch(each -> !each.isRunning() || gatewaysOf(each) == (each == node ? 4 : 0));
            if (there) return;
            if (System.nanoTime() > deadlineNs)
                throw new LabException("the floating addresses do not come to " + node.name() + "\n" + a().tail() + "\n" + b().tail());
            Pause.ms(20);
        }
    }

    /** How many floating addresses the kernel of a node has. */
    public int gatewaysOf(LabNode node) {
        String addresses = node.host().run("ip", "-o", "address", "show");
        int count = 0;
        for (String each : List.of(Addresses.LEFT_GATEWAY, Addresses.LEFT_GATEWAY6, Addresses.RIGHT_GATEWAY, Addresses.RIGHT_GATEWAY6))
            if (addresses.contains(" " + each + "/")) count++;
        return count;
    }

    /** Cuts all three links of a node at once, as if its power went off; every interface keeps its carrier. */
    public void cut(LabNode node) {
        forward(node, "0");
    }

    public void mend(LabNode node) { forward(node, "3"); }

    private void forward(LabNode node, String state) {
        // One shell for all three, so that they go together.
        StringBuilder script = new StringBuilder();
        for (String net : List.of("syncnet", "left", "right"))
            script.append("ip netns exec ").append(host(net).name()).append(" bridge link set dev ").append(node.name()).append(" state ")
                    .append(state).append(" & ");
        Command.run("bash", "-c", script + "wait");
    }

    /** What is left of a node after its power went off: no process, no program in the kernel, no floating address. */
    public void loseKernelState(LabNode node) {
        node.kill9();
        Command.run("rm", "-rf", node.pins().toString());
        for (String device : List.of("left", "right"))
            for (String each : List.of(Addresses.LEFT_GATEWAY + "/24", Addresses.LEFT_GATEWAY6 + "/64", Addresses.RIGHT_GATEWAY + "/24",
                    Addresses.RIGHT_GATEWAY6 + "/64"))
                Command.attempt(java.time.Duration.ofSeconds(5), "ip", "-n", node.host().name(), "address", "del", each, "dev", device);
    }

    /** Connections are dealt over these nodes by a hash of their ends, each of their two directions by another. */
    public void dealt(List<LabNode> over) {
        client().ip(dealt(Addresses.RIGHT_NET + "0/24", over.stream().map(LabNode::leftAddress).toList())
                + dealt(Addresses.RIGHT_NET6 + "/64", over.stream().map(LabNode::leftAddress6).toList()));
        server().ip(dealt(Addresses.LEFT_NET + "0/24", over.stream().map(LabNode::rightAddress).toList())
                + dealt(Addresses.LEFT_NET6 + "/64", over.stream().map(LabNode::rightAddress6).toList()));
    }

    private static String dealt(String destination, List<String> gateways) {
        StringBuilder route = new StringBuilder("route replace " + destination);
        for (String gateway : gateways) route.append(" nexthop via ").append(gateway);
        return route.append('\n').toString();
    }

    /** Stops all frames between the nodes' sync interfaces; both keep their carrier, as behind a switch that fails. */
    public void cutSync() {
        Command.run("ip", "netns", "exec", host("syncnet").name(), "bridge", "link", "set", "dev", "a", "state", "0");
    }

    public void mendSync() {
        Command.run("ip", "netns", "exec", host("syncnet").name(), "bridge", "link", "set", "dev", "a", "state", "3");
    }

    /** What the kernel has dropped at the lab's interfaces, each as host/interface: counter=value. */
    public String interfaceDrops() {
        List<String> drops = new ArrayList<>();
        hosts.forEach((name, host) -> {
            for (String device : host.run("ls", "/sys/class/net").split("\\s+", -1)) {
                String counted = Command
                        .attempt(java.time.Duration.ofSeconds(5), "ip", "netns", "exec", host.name(), "ethtool", "-S", device).output();
                for (String line : counted.lines().toList())
                    if (line.matches(".*(drop|err).*: *[1-9].*")) drops.add(name + "/" + device + ": " + line.strip().replace(": ", "="));
            }
        });
        return drops.isEmpty() ? "nothing" : String.join(", ", drops);
    }

    /** Mends all links, removes what drills have put in the packets' way, and sets the routes as they were in the beginning. */
    public void heal() {
        for (LabNode node : nodes()) syncMtu(node, SYNC_MTU);
        for (NetworkNamespace host : hosts.values()) host.run("nft", "flush", "ruleset");
        for (LabNode node : nodes()) mend(node);
        asymmetric();
    }

    /** The largest IP packet on the node's sync link from now on, at both ends of its wire. */
    public void syncMtu(LabNode node, int bytes) {
        node.host().ip("link set dev sync mtu " + bytes);
        host("syncnet").ip("link set dev " + node.name() + " mtu " + bytes);
    }

    /** The kernel forwards in the nodes' place: what Ambo is compared with. */
    public void forwardInKernel(boolean on) {
        for (LabNode node : nodes()) {
            String value = on ? "1" : "0";
            node.host().sysctl("net.ipv4.conf.all.forwarding", value);
            node.host().sysctl("net.ipv6.conf.all.forwarding", value);
        }
    }

    private void buildOrRemove(Policy policy) {
        try {
            create();
            configure(policy);
        } catch (RuntimeException failed) {
            close();
            throw failed;
        }
    }

    private void create() {
        for (NetworkNamespace host : hosts.values()) host.create();
        for (String net : List.of("left", "right", "syncnet")) makeSwitch(host(net));
        attach("client", "eth0", "left", Addresses.CLIENT + "/24", Addresses.CLIENT6 + "/64");
        attach("server", "eth0", "right", Addresses.SERVER + "/24", Addresses.SERVER6 + "/64");
        for (LabNode node : nodes()) {
            attach(node.name(), "left", "left", node.leftAddress() + "/24", node.leftAddress6() + "/64");
            attach(node.name(), "right", "right", node.rightAddress() + "/24", node.rightAddress6() + "/64");
            attach(node.name(), "sync", "syncnet", node.syncAddress() + "/24", "");
            // Room for a packet of 1500 bytes that a member hands over.
            syncMtu(node, SYNC_MTU);
            // Frames that XDP redirects into a veth are received only if the far end polls (NAPI), which receive offload switches on.
            for (String net : List.of("left", "right", "syncnet"))
                Command.run("ip", "netns", "exec", host(net).name(), "ethtool", "-K", node.name(), "gro", "on");
            node.host().sysctl("net.ipv4.conf.all.forwarding", "0");
            node.host().sysctl("net.ipv6.conf.all.forwarding", "0");
            node.host().sysctl("net.ipv4.conf.all.send_redirects", "0");
        }
        for (NetworkNamespace end : List.of(client(), server())) {
            // Ten thousand connections from one address, and the same again.
            end.sysctl("net.ipv4.ip_local_port_range", "10000 65000");
            end.sysctl("net.ipv4.conf.all.accept_redirects", "0");
            end.sysctl("net.ipv4.fib_multipath_hash_policy", "1");
            end.sysctl("net.ipv6.fib_multipath_hash_policy", "1");
            end.sysctl("net.ipv6.conf.eth0.accept_redirects", "0");
        }
        asymmetric();
    }

    private static void makeSwitch(NetworkNamespace host) {
        host.sysctl("net.bridge.bridge-nf-call-iptables", "0");
        host.sysctl("net.bridge.bridge-nf-call-ip6tables", "0");
        host.sysctl("net.bridge.bridge-nf-call-arptables", "0");
        host.ip("""
                link add switch type bridge stp_state 0 forward_delay 0 mcast_snooping 0
                link set switch up
                """);
    }

    /** A cable from a host to a switch, whose port is named after the host. */
    private void attach(String hostName, String device, String switchName, String address, String address6) {
        NetworkNamespace host = host(hostName);
        NetworkNamespace ethernetSwitch = host(switchName);
        ethernetSwitch.ip("""
                link add name %s type veth peer name %s netns %s
                link set dev %s master switch up
                """.formatted(hostName, device, host.name(), hostName));
        host.ip("link set " + device + " up\naddress add " + address + " dev " + device
                + (address6.isEmpty() ? "" : "\naddress add " + address6 + " dev " + device + " nodad"));
        // A veth leaves checksums to hardware that it does not have; here every frame carries its own, as on a wire.
        host.run("ethtool", "-K", device, "tx", "off");
        ethernetSwitch.run("ethtool", "-K", hostName, "tx", "off");
    }

    private void configure(Policy policy) {
        writeClusterKey(directory());
        for (LabNode node : nodes()) {
            node.mountFileSystems(false);
            node.configure(policy);
        }
    }

    static void writeClusterKey(Path directory) {
        try {
            byte[] key = new byte[48];
            RANDOM.nextBytes(key);
            Path file = Files.createFile(directory.resolve("cluster.key"),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(file, Base64.getEncoder().encodeToString(key));
        } catch (IOException failed) {
            throw new LabException("cannot write the cluster key", failed);
        }
    }

    /** Takes it down: processes, namespaces, files. */
    @Override
    public void close() { teardown.close(); }
}
