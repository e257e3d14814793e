package io.ambo.node.fastpath;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.node.io.Umem;
import io.ambo.node.io.XskSocket;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.NetworkNamespace;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;

/**
 * The XDP program in a namespace with real routes and neighbours. Frames come in on its loopback interface, by BPF_PROG_TEST_RUN; routes lead to ambsys-a, and
 * to a VLAN.
 */
final class FastPathNetwork implements AutoCloseable {
    static final int FLOWS = 64, VLAN_IN = 5, VLAN_OUT = 7;
    static final long MAC = 0x02_00_00_00_00_0AL, PEER_MAC = 0x02_00_00_00_00_01L, HOP_MAC = 0x02_00_00_00_00_63L;
    private static final long OUT_MAC = 0x02_00_00_00_00_02L;
    static final int LOOPBACK = 1, IN = 5;
    private static final int OUT = 6, VLAN_IN_INDEX = 9999;

    final NetworkNamespace namespace;
    final XdpProgram program;
    final FlowCache.Access cache;
    private final Umem umem;
    final XskSocket socket;

    FastPathNetwork() throws Exception {
        namespace = NetworkNamespace.create();
        namespace.exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0");
        namespace.addVethPair("ambsys-a", "02:00:00:00:00:02", "ambsys-b", "02:00:00:00:00:63");
        // Stands for a VLAN device: the kernel's routes name it, its frames leave through another.
        namespace.addVethPair("ambsys-v", "02:00:00:00:00:02", "ambsys-w", "02:00:00:00:00:65");
        namespace.exec("ip", "addr", "add", "192.0.3.1/24", "dev", "ambsys-v");
        namespace.exec("ip", "neigh", "replace", "192.0.3.99", "lladdr", "02:00:00:00:00:65", "dev", "ambsys-v", "nud", "permanent");
        namespace.exec("ip", "addr", "add", "192.0.2.1/24", "dev", "ambsys-a");
        namespace.exec("ip", "addr", "add", "2001:db8:2::1/64", "dev", "ambsys-a", "nodad");
        namespace.exec("ip", "neigh", "replace", "192.0.2.99", "lladdr", "02:00:00:00:00:63", "dev", "ambsys-a", "nud", "permanent");
        namespace.exec("ip", "neigh", "replace", "2001:db8:2::99", "lladdr", "02:00:00:00:00:63", "dev", "ambsys-a", "nud", "permanent");
        namespace.exec("ip", "route", "replace", "198.51.100.0/24", "via", "192.0.2.99");
        namespace.exec("ip", "route", "replace", "10.0.0.0/24", "via", "192.0.2.99");
        namespace.exec("ip", "-6", "route", "replace", "2001:db8:9::/64", "via", "2001:db8:2::99");
        namespace.exec("ip", "-6", "route", "replace", "2001:db8:7::/64", "via", "2001:db8:2::99");
        namespace.exec("ip", "route", "replace", "203.0.113.0/24", "via", "192.0.3.99");
        namespace.exec("sysctl", "-qw", "net.ipv4.conf.lo.forwarding=1", "net.ipv6.conf.lo.forwarding=1");
        program = namespace.call(() -> {
            XdpProgram program = XdpProgram.load(FLOWS);
            program.setInterfaces(List.of(new XdpProgram.Interface(LOOPBACK, LOOPBACK, -1),
                    new XdpProgram.Interface(VLAN_IN_INDEX, LOOPBACK, VLAN_IN),
                    new XdpProgram.Interface(index("ambsys-a"), index("ambsys-a"), -1),
                    new XdpProgram.Interface(index("ambsys-v"), index("ambsys-a"), VLAN_OUT)));
            program.attach(LOOPBACK, IN, MAC, XdpProgram.ModeChoice.GENERIC_ONLY);
            program.attach(index("ambsys-a"), OUT, OUT_MAC, XdpProgram.ModeChoice.GENERIC_ONLY);
            return program;
        });
        umem = Umem.create(256);
        socket = namespace.call(() -> XskSocket.open(umem, LOOPBACK, 0, 64, XskSocket.Copying.COPY));
        program.registerSocket(IN, 0, socket.fd());
        program.setLocalAddresses(Set.of());
        program.setGate(true);
        cache = program.flowCache().newAccess();
    }

    void emptyTheCache() {
        cache.harvest((key, entry) -> entry.remove(key));
        program.forwardUntil(Long.MAX_VALUE);
    }

    void expect(XdpCounter counter, byte[] frame) throws Exception {
        long before = program.counter(counter);
        run(frame);
        assertThat(program.counter(counter)).as(counter.label()).isEqualTo(before + 1);
    }

    Bpf.TestRun run(byte[] frame) throws Exception { return namespace.call(() -> Bpf.testRun(program.programFd(), frame, 1)); }

    static PacketView parse(byte[] frame) {
        PacketView packet = new PacketView().wrap(
                MemorySegment.ofBuffer(java.nio.ByteBuffer.allocateDirect(frame.length).put(frame).flip()), 0, frame.length);
        Parser.parse(packet);
        return packet;
    }

    int index(String device) { return Integer.parseInt(namespace.exec("cat", "/sys/class/net/" + device + "/ifindex").strip()); }

    @Override
    public void close() {
        program.close();
        socket.close();
        umem.close();
        namespace.close();
    }
}
