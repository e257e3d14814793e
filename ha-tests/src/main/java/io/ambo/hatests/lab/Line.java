package io.ambo.hatests.lab;

import java.util.ArrayList;
import java.util.List;

/**
 * One forwarder between a client and a server, on cables instead of switches: what benchmarks measure is the forwarder alone. The addresses are those of the
 * {@link Lab}.
 *
 * <pre>
 *   +--------+            +------+             +--------+
 *   | client |eth0 -- left|  a   |right -- eth0| server |
 *   +--------+            +------+             +--------+
 *                            |sync
 *                            |          +------+
 *                            +----- sync|  b   |left, right -- nowhere
 *                                       +------+
 * </pre>
 */
public final class Line implements AutoCloseable {
    /** Addresses of the client that the forwarder knows as neighbours. */
    private static final int CLIENT_ADDRESSES = 150;

    private final String id;
    private final NetworkNamespace client;
    private final NetworkNamespace server;
    private final LabNode a;
    private final LabNode b;
    private final Teardown teardown;

    private Line(String id) {
        this.id = id;
        client = LabRegistry.namespace(id, "client");
        server = LabRegistry.namespace(id, "server");
        a = new LabNode("a", 1, LabRegistry.namespace(id, "a"), LabRegistry.directory(id).resolve("a"));
        b = new LabNode("b", 2, LabRegistry.namespace(id, "b"), LabRegistry.directory(id).resolve("b"));
        teardown = new Teardown(id);
    }

    /** Builds it for this process: whatever ends the process takes it down. No node is started. */
    public static Line build(Policy policy) {
        LabRegistry.sweep();
        Line line = new Line(Lab.freeId());
        line.teardown.atExit();
        try {
            line.create(policy);
            return line;
        } catch (RuntimeException failed) {
            line.close();
            throw failed;
        }
    }

    public String id() { return id; }

    public NetworkNamespace client() { return client; }

    public NetworkNamespace server() { return server; }

    public LabNode a() { return a; }

    public LabNode b() { return b; }

    /** The kernel of host a forwards. */
    public void forwardInKernel() {
        a.host().sysctl("net.ipv4.conf.all.forwarding", "1");
        a.host().sysctl("net.ipv6.conf.all.forwarding", "1");
    }

    private void create(Policy policy) {
        for (NetworkNamespace host : List.of(client, server, a.host(), b.host())) host.create();
        cable(client, "eth0", a.host(), "left");
        cable(a.host(), "right", server, "eth0");
        cable(a.host(), "sync", b.host(), "sync");
        b.host().ip("link add name left type veth peer name nowhere1\nlink add name right type veth peer name nowhere2");
        for (String device : List.of("left", "right", "nowhere1", "nowhere2")) b.host().ip("link set " + device + " up");
        for (LabNode node : List.of(a, b)) {
            node.host().ip("address add " + node.leftAddress() + "/24 dev left\naddress add " + node.leftAddress6() + "/64 dev left nodad\n"
                    + "address add " + node.rightAddress() + "/24 dev right\naddress add " + node.rightAddress6() + "/64 dev right nodad\n"
                    + "address add " + node.syncAddress() + "/24 dev sync");
            node.host().sysctl("net.ipv4.conf.all.forwarding", "0");
            node.host().sysctl("net.ipv6.conf.all.forwarding", "0");
            node.host().sysctl("net.ipv4.conf.all.send_redirects", "0");
        }
        // The ends do not speak: the forwarder knows where they are.
        List<String> neighbours = new ArrayList<>();
        String clientMac = mac(client.macOf("eth0"));
        int first = Integer.parseInt(Addresses.CLIENT.substring(Addresses.LEFT_NET.length()));
        for (int i = 0; i < CLIENT_ADDRESSES; i++)
            neighbours.add("neigh replace " + Addresses.LEFT_NET + (first + i) + " lladdr " + clientMac + " dev left nud permanent");
        neighbours.add("neigh replace " + Addresses.SERVER + " lladdr " + mac(server.macOf("eth0")) + " dev right nud permanent");
        a.host().ip(String.join("\n", neighbours));
        Lab.writeClusterKey(LabRegistry.directory(id));
        for (LabNode node : List.of(a, b)) {
            node.mountFileSystems(policy.largePages());
            node.configure(policy);
        }
    }

    /** Receiving polls (NAPI) on both ends, or frames from XDP are not received. */
    private static void cable(NetworkNamespace one, String device, NetworkNamespace other, String otherDevice) {
        one.ip("link add name " + device + " type veth peer name " + otherDevice + " netns " + other.name() + "\nlink set " + device
                + " up");
        other.ip("link set " + otherDevice + " up");
        for (var end : List.of(new End(one, device), new End(other, otherDevice)))
            end.host.run("ethtool", "-K", end.device, "tx", "off", "gro", "on");
    }

    private record End(NetworkNamespace host, String device) {}

    private static String mac(long mac) {
        StringBuilder text = new StringBuilder();
        for (int shift = 40; shift >= 0; shift -= 8) text.append(shift == 40 ? "" : ":").append("%02x".formatted(mac >>> shift & 0xFF));
        return text.toString();
    }

    /** Takes it down: processes, namespaces, files. */
    @Override
    public void close() { teardown.close(); }
}
