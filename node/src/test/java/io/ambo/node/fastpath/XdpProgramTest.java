package io.ambo.node.fastpath;

import static io.ambo.node.fastpath.XdpCounter.DROPPED_GATE_CLOSED;
import static io.ambo.node.fastpath.XdpCounter.DROPPED_NO_SOCKET;
import static io.ambo.node.fastpath.XdpCounter.PASSED_ETHERNET_TYPE;
import static io.ambo.node.fastpath.XdpCounter.PASSED_LINK;
import static io.ambo.node.fastpath.XdpCounter.PASSED_LOCAL;
import static io.ambo.node.fastpath.XdpCounter.PASSED_MAC;
import static io.ambo.node.fastpath.XdpCounter.PASSED_NEIGHBOUR_DISCOVERY;
import static io.ambo.node.fastpath.XdpCounter.PASSED_PORT;
import static io.ambo.node.fastpath.XdpCounter.PASSED_PROTOCOL;
import static io.ambo.node.fastpath.XdpCounter.PUNTED;
import static io.ambo.node.fastpath.XdpCounter.PUNTED_MALFORMED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ambo.node.io.Umem;
import io.ambo.node.io.XskSocket;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject;
import io.ambo.node.sys.NetworkNamespace;
import io.ambo.node.sys.SysException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The XDP program as the kernel runs it, frame by frame (BPF_PROG_TEST_RUN, which delivers nothing), and its way onto and off interfaces. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@SuppressWarnings("NullAway.Init")
class XdpProgramTest {
    private static final int LOOPBACK = 1, PORT = 5, QUEUE = 0;
    private static final long MAC = 0x02_00_00_00_00_0AL;
    private static final String OUR_MAC = "02000000000a", OTHER_MAC = "02000000000b";

    private NetworkNamespace namespace;
    private XdpProgram program;
    private Umem umem;
    private XskSocket socket;

    @BeforeAll
    void attachToTheLoopbackOfAnEmptyNamespace() throws Exception {
        namespace = NetworkNamespace.create();
        namespace.call(() -> {
            program = XdpProgram.load(1024);
            program.attach(LOOPBACK, PORT, MAC, XdpProgram.ModeChoice.GENERIC_ONLY);
            umem = Umem.create(256);
            socket = XskSocket.open(umem, LOOPBACK, QUEUE, 64, XskSocket.Copying.COPY);
            return null;
        });
    }

    @BeforeEach
    void openTheGate() throws Exception {
        program.registerSocket(PORT, QUEUE, socket.fd());
        program.setLocalAddresses(addresses("192.0.2.1", "192.0.2.255", "2001:db8::1"));
        program.setGate(true);
    }

    @AfterAll
    void removeEverything() {
        if (program != null) program.close();
        if (socket != null) socket.close();
        if (umem != null) umem.close();
        if (namespace != null) namespace.close();
    }

    static Stream<Arguments> frames() {
        return Stream.of(
                row("TCP over IPv4", PUNTED, ethernet("0800"), ipv4(6, "198.51.100.7"), zeros(20)),
                row("UDP over IPv4", PUNTED, ethernet("0800"), ipv4(17, "198.51.100.7"), zeros(8)),
                row("ICMP", PUNTED, ethernet("0800"), ipv4(1, "198.51.100.7"), zeros(8)),
                row("TCP over IPv6", PUNTED, ethernet("86dd"), ipv6(6, "2001:db8::7"), zeros(20)),
                row("UDP over IPv6", PUNTED, ethernet("86dd"), ipv6(17, "2001:db8::7"), zeros(8)),
                row("an ICMPv6 echo request", PUNTED, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("80"), zeros(7)),
                row("an ICMPv6 packet too big", PUNTED, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("02"), zeros(7)),

                row("TCP with a VLAN tag", PUNTED, ethernet("8100"), hex("00070800"), ipv4(6, "198.51.100.7"), zeros(20)),
                row("TCP over IPv6 with a VLAN tag", PUNTED, ethernet("8100"), hex("000786dd"),
                        ipv6(6, "2001:db8::7"),
                        zeros(20)),
                row("two VLAN tags", PASSED_ETHERNET_TYPE, ethernet("8100"), hex("0007810000080800"), ipv4(6, "198.51.100.7"), zeros(20)),
                row("a service VLAN tag", PASSED_ETHERNET_TYPE, ethernet("88a8"), hex("00070800"), ipv4(6, "198.51.100.7"), zeros(20)),
                row("a VLAN tag that ends early", PUNTED_MALFORMED, ethernet("8100"), hex("0007")),
                row("ARP", PASSED_ETHERNET_TYPE, ethernet("0806"), zeros(28)),
                row("ARP with a VLAN tag", PASSED_ETHERNET_TYPE, ethernet("8100"), hex("00070806"), zeros(28)),
                row("an 802.3 length instead of a type", PASSED_ETHERNET_TYPE, ethernet("0026"), zeros(38)),

                row("a frame to another host", PASSED_MAC, hex(OTHER_MAC + OTHER_MAC + "0800"), ipv4(6, "198.51.100.7"), zeros(20)),
                row("a frame whose MAC differs in the first byte", PASSED_MAC, hex("06000000000a" + OTHER_MAC + "0800"),
                        ipv4(6, "198.51.100.7"), zeros(20)),
                row("a broadcast frame", PASSED_MAC, hex("ffffffffffff" + OTHER_MAC + "0800"), ipv4(17, "198.51.100.7"), zeros(8)),
                row("a multicast frame", PASSED_MAC, hex("333300000001" + OTHER_MAC + "86dd"), ipv6(58, "2001:db8::7"), hex("87"),
                        zeros(7)),

                row("TCP to this host", PASSED_LOCAL, ethernet("0800"), ipv4(6, "192.0.2.1"), zeros(20)),
                row("TCP to this host with a VLAN tag", PASSED_LOCAL, ethernet("8100"), hex("00070800"), ipv4(6, "192.0.2.1"), zeros(20)),
                row("UDP to the broadcast address of a network", PASSED_LOCAL, ethernet("0800"), ipv4(17, "192.0.2.255"), zeros(8)),
                row("TCP over IPv6 to this host", PASSED_LOCAL, ethernet("86dd"), ipv6(6, "2001:db8::1"), zeros(20)),
                row("a fragment to this host", PASSED_LOCAL, ethernet("0800"), fragment4(17, 100, "192.0.2.1"), zeros(8)),
                row("an endless chain of headers to this host", PASSED_LOCAL, ethernet("86dd"), ipv6(0, "2001:db8::1"), chain(10, 6),
                        zeros(20)),

                row("IPv4 link-local", PASSED_LINK, ethernet("0800"), ipv4(6, "169.254.1.1"), zeros(20)),
                row("IPv4 multicast", PASSED_LINK, ethernet("0800"), ipv4(17, "224.0.0.18"), zeros(8)),
                row("IPv4 multicast, the last", PASSED_LINK, ethernet("0800"), ipv4(17, "239.255.255.255"), zeros(8)),
                row("IPv4 broadcast", PASSED_LINK, ethernet("0800"), ipv4(17, "255.255.255.255"), zeros(8)),
                row("just before link-local", PUNTED, ethernet("0800"), ipv4(6, "169.253.255.255"), zeros(20)),
                row("just before multicast", PUNTED, ethernet("0800"), ipv4(6, "223.255.255.255"), zeros(20)),
                row("class E, which Java drops", PUNTED, ethernet("0800"), ipv4(6, "240.0.0.1"), zeros(20)),
                row("IPv6 link-local", PASSED_LINK, ethernet("86dd"), ipv6(6, "fe80::1"), zeros(20)),
                row("IPv6 link-local, the last", PASSED_LINK, ethernet("86dd"), ipv6(6, "febf::1"), zeros(20)),
                row("IPv6 multicast", PASSED_LINK, ethernet("86dd"), ipv6(17, "ff02::1"), zeros(8)),
                row("just after link-local", PUNTED, ethernet("86dd"), ipv6(6, "fec0::1"), zeros(20)),

                row("a router solicitation", PASSED_NEIGHBOUR_DISCOVERY, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("85"), zeros(7)),
                row("a neighbour advertisement", PASSED_NEIGHBOUR_DISCOVERY, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("88"),
                        zeros(7)),
                row("an ICMPv6 redirect", PASSED_NEIGHBOUR_DISCOVERY, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("89"), zeros(7)),
                row("ICMPv6 type 132", PUNTED, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("84"), zeros(7)),
                row("ICMPv6 type 138", PUNTED, ethernet("86dd"), ipv6(58, "2001:db8::7"), hex("8a"), zeros(7)),
                row("neighbour discovery with a VLAN tag", PASSED_NEIGHBOUR_DISCOVERY, ethernet("8100"), hex("000786dd"),
                        ipv6(58, "2001:db8::7"), hex("87"), zeros(7)),
                row("ICMPv6 without a type", PUNTED_MALFORMED, ethernet("86dd"), ipv6(58, "2001:db8::7")),

                row("OSPF", PASSED_PROTOCOL, ethernet("0800"), ipv4(89, "198.51.100.7"), zeros(24)),
                row("ESP over IPv6", PASSED_PROTOCOL, ethernet("86dd"), ipv6(50, "2001:db8::7"), zeros(24)),
                row("no next header", PASSED_PROTOCOL, ethernet("86dd"), ipv6(59, "2001:db8::7")),
                row("ICMPv6 in IPv4", PASSED_PROTOCOL, ethernet("0800"), ipv4(58, "198.51.100.7"), zeros(8)),

                row("the first fragment", PUNTED, ethernet("0800"), fragment4(17, 0, "198.51.100.7"), zeros(8)),
                row("a later fragment of UDP", PUNTED, ethernet("0800"), fragment4(17, 100, "198.51.100.7"), zeros(8)),
                row("a later fragment of GRE", PASSED_PROTOCOL, ethernet("0800"), fragment4(47, 100, "198.51.100.7"), zeros(8)),
                row("the first IPv6 fragment", PUNTED, ethernet("86dd"), ipv6(44, "2001:db8::7"), hex("1100000100000001"), zeros(8)),
                row("a later IPv6 fragment of UDP", PUNTED, ethernet("86dd"), ipv6(44, "2001:db8::7"), hex("1100006800000001"), zeros(8)),
                row("a later IPv6 fragment of ICMPv6 that looks like discovery", PUNTED, ethernet("86dd"), ipv6(44, "2001:db8::7"),
                        hex("3a00006800000001"), hex("87"), zeros(7)),
                row("a later IPv6 fragment that starts with options", PUNTED, ethernet("86dd"), ipv6(44, "2001:db8::7"),
                        hex("3c00006800000001"), zeros(8)),
                row("a later IPv6 fragment of ESP", PASSED_PROTOCOL, ethernet("86dd"), ipv6(44, "2001:db8::7"), hex("3200006800000001"),
                        zeros(8)),
                row("a fragment header that ends early", PUNTED_MALFORMED, ethernet("86dd"), ipv6(44, "2001:db8::7"), hex("11000001")),
                row("discovery in a first fragment", PASSED_NEIGHBOUR_DISCOVERY, ethernet("86dd"), ipv6(44, "2001:db8::7"),
                        hex("3a00000100000001"), hex("87"), zeros(7)),

                row("TCP behind hop-by-hop options", PUNTED, ethernet("86dd"), ipv6(0, "2001:db8::7"), hex("0600"), zeros(6), zeros(20)),
                row("TCP behind long destination options", PUNTED, ethernet("86dd"), ipv6(60, "2001:db8::7"), hex("0602"), zeros(22),
                        zeros(20)),
                row("UDP behind a routing header", PUNTED, ethernet("86dd"), ipv6(43, "2001:db8::7"), hex("1100"), zeros(6), zeros(8)),
                row("OSPF behind destination options", PASSED_PROTOCOL, ethernet("86dd"), ipv6(60, "2001:db8::7"), hex("5900"), zeros(6),
                        zeros(8)),
                row("five extension headers", PUNTED, ethernet("86dd"), ipv6(60, "2001:db8::7"), chain(5, 6), zeros(20)),
                row("six extension headers", PUNTED_MALFORMED, ethernet("86dd"), ipv6(60, "2001:db8::7"), chain(6, 6), zeros(20)),
                row("an extension header that ends early", PUNTED_MALFORMED, ethernet("86dd"), ipv6(60, "2001:db8::7"), hex("0600"),
                        zeros(5)),
                row("an extension header longer than the frame", PUNTED_MALFORMED, ethernet("86dd"), ipv6(60, "2001:db8::7"), hex("06ff"),
                        zeros(30)),

                row("an Ethernet header alone", PUNTED_MALFORMED, ethernet("0800")),
                row("an IPv4 header that ends early", PUNTED_MALFORMED, ethernet("0800"), Arrays.copyOf(ipv4(6, "198.51.100.7"), 19)),
                row("an IPv6 header that ends early", PUNTED_MALFORMED, ethernet("86dd"), Arrays.copyOf(ipv6(6, "2001:db8::7"), 39)),
                row("IPv6 with the type of IPv4", PUNTED_MALFORMED, ethernet("0800"), ipv6(6, "2001:db8::7")),
                row("IPv4 with the type of IPv6", PUNTED_MALFORMED, ethernet("86dd"), ipv4(6, "198.51.100.7"), zeros(40)),
                row("an IPv4 header of 16 bytes", PUNTED_MALFORMED, ethernet("0800"), withFirstByte(0x44, ipv4(6, "198.51.100.7")),
                        zeros(20)),
                row("TCP whose header ends early, which Java drops", PUNTED, ethernet("0800"), ipv4(6, "198.51.100.7"), zeros(3)));
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("frames")
    void everyFrameGoesItsWayAndIsCountedOnce(String what, XdpCounter expected, byte[] frame) throws Exception {
        assertThat(run(frame)).as(what).isEqualTo(Map.of(expected, 1L));
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("frames")
    void behindAClosedGateOnlyTheKernelsFramesPass(String what, XdpCounter expected, byte[] frame) throws Exception {
        program.setGate(false);
        boolean forWorkers = expected == PUNTED || expected == PUNTED_MALFORMED;
        assertThat(run(frame)).as(what).isEqualTo(Map.of(forWorkers ? DROPPED_GATE_CLOSED : expected, 1L));
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("frames")
    void withoutAWorkerOnlyTheKernelsFramesPass(String what, XdpCounter expected, byte[] frame) throws Exception {
        program.unregisterSocket(PORT, QUEUE);
        boolean forWorkers = expected == PUNTED || expected == PUNTED_MALFORMED;
        assertThat(run(frame)).as(what).isEqualTo(Map.of(forWorkers ? DROPPED_NO_SOCKET : expected, 1L));
    }

    @Test
    void anAddressThatIsTakenAwayIsForwardedToAgain() throws Exception {
        byte[] frame = join(ethernet("0800"), ipv4(6, "192.0.2.1"), zeros(20));
        program.setLocalAddresses(addresses("192.0.2.2", "2001:db8::1"));
        assertThat(run(frame)).isEqualTo(Map.of(PUNTED, 1L));
        program.setLocalAddresses(addresses("192.0.2.2", "192.0.2.1"));
        assertThat(run(frame)).isEqualTo(Map.of(PASSED_LOCAL, 1L));
    }

    @Test
    void aChangedHardwareAddressCountsAtOnce() throws Exception {
        byte[] frame = join(ethernet("0800"), ipv4(6, "198.51.100.7"), zeros(20));
        program.setMac(PORT, MAC + 1);
        assertThat(run(frame)).isEqualTo(Map.of(PASSED_MAC, 1L));
        program.setMac(PORT, MAC);
        assertThat(run(frame)).isEqualTo(Map.of(PUNTED, 1L));
    }

    @Test
    void aSocketOfAProcessThatEndedLeavesTheMap() throws Exception {
        namespace.call(() -> {
            try (Umem own = Umem.create(64)) {
                XskSocket other = XskSocket.open(own, NetworkIndex.of("ambsys-a", namespace), QUEUE, 64, XskSocket.Copying.COPY);
                program.registerSocket(PORT, QUEUE, other.fd());
                other.close();
            }
            return null;
        });
        assertThat(run(join(ethernet("0800"), ipv4(6, "198.51.100.7"), zeros(20)))).isEqualTo(Map.of(DROPPED_NO_SOCKET, 1L));
    }

    @Test
    void vethRunsItInTheDriverAndIsFreeOfItAfterDetach() throws Exception {
        int index = NetworkIndex.of("ambsys-b", namespace);
        namespace.exec("ethtool", "-K", "ambsys-b", "gro", "on");
        namespace.call(() -> {
            assertThat(program.attach(index, 7, MAC, XdpProgram.ModeChoice.NATIVE_OR_GENERIC)).isEqualTo(XdpProgram.Mode.NATIVE);
            assertThat(program.mode(7)).isEqualTo(XdpProgram.Mode.NATIVE);
            program.detach(7);
            assertThat(namespace.exec("ethtool", "-k", "ambsys-b")).contains("generic-receive-offload: on")
                    .contains("rx-vlan-offload: off");
            assertThat(program.attach(index, 7, MAC, XdpProgram.ModeChoice.GENERIC_ONLY)).isEqualTo(XdpProgram.Mode.GENERIC);
            assertThat(namespace.exec("ethtool", "-k", "ambsys-b")).contains("generic-receive-offload: off");
            program.detach(7);
            program.detach(7);
            return null;
        });
    }

    @Test
    void aSecondProgramOnAnInterfaceIsRefusedWithTheRemedy() throws Exception {
        namespace.call(() -> {
            try (XdpProgram second = XdpProgram.load(1024)) {
                assertThatThrownBy(() -> second.attach(LOOPBACK, 0, MAC, XdpProgram.ModeChoice.GENERIC_ONLY))
                        .isInstanceOf(SysException.class)
                        .hasMessageContaining("lo").hasMessageContaining("another XDP program is there");
            }
            return null;
        });
    }

    @Test
    void aFrameOfAnInterfaceThatIsNotAttachedGoesToTheKernel() throws Exception {
        try (XdpProgram other = XdpProgram.load(1024)) {
            Bpf.TestRun run = namespace
                    .call(() -> Bpf.testRun(other.programFd(), join(ethernet("0800"), ipv4(6, "198.51.100.7"), zeros(20)), 1));
            assertThat(run.result()).isEqualTo(Bpf.XDP_PASS);
            assertThat(other.counter(PASSED_PORT)).isEqualTo(1);
        }
    }

    @Test
    void anObjectThatIsNoneIsRefusedWithTheWordsOfLibbpf() {
        assertThatThrownBy(() -> BpfObject.load(new byte[100], "garbage.o", Map.of(), Map.of())).isInstanceOf(SysException.class)
                .hasMessageContaining("garbage.o")
                .hasMessageContaining("libbpf said");
    }

    @Test
    void aProgramThatTheVerifierRefusesIsReportedWithItsWords() throws Exception {
        byte[] callOfMapLookup = hex("8500000001000000"), callOfNothing = hex("85000000ff7f0000");
        byte[] elf;
        try (InputStream resource = XdpProgram.class.getResourceAsStream("/ambo.bpf.o")) {
            elf = Objects.requireNonNull(resource).readAllBytes();
        }
        int at = new String(elf, StandardCharsets.ISO_8859_1).indexOf(new String(callOfMapLookup, StandardCharsets.ISO_8859_1));
        System.arraycopy(callOfNothing, 0, elf, at, callOfNothing.length);
        assertThatThrownBy(() -> BpfObject.load(elf, "ambo.bpf.o", Map.of("flows4", 1, "flows6", 1), Map.of()))
                .isInstanceOf(SysException.class)
                .hasMessageContaining("load a BPF object into the kernel (ambo.bpf.o): invalid argument")
                .hasMessageContaining("invalid func unknown#32767");
    }

    /** Runs the program and returns the counters that moved. What it answers must fit them. */
    private Map<XdpCounter, Long> run(byte[] frame) throws Exception {
        Map<XdpCounter, Long> before = counters();
        Bpf.TestRun run = namespace.call(() -> Bpf.testRun(program.programFd(), frame, 1));
        Map<XdpCounter, Long> moved = counters();
        moved.replaceAll((counter, value) -> value - before.getOrDefault(counter, 0L));
        moved.values().removeIf(value -> value == 0);
        for (XdpCounter counter : moved.keySet()) {
            int expected = counter.name().startsWith("PASSED")
                    ? Bpf.XDP_PASS
                    : counter.name().startsWith("PUNTED") ? Bpf.XDP_REDIRECT : Bpf.XDP_DROP;
            assertThat(run.result()).isEqualTo(expected);
        }
        assertThat(run.frame()).isEqualTo(frame);
        return moved;
    }

    private Map<XdpCounter, Long> counters() {
        Map<XdpCounter, Long> values = new EnumMap<>(XdpCounter.class);
        for (XdpCounter counter : XdpCounter.values()) values.put(counter, program.counter(counter));
        return values;
    }

    /** Interfaces for one test each. */
    private static final class NetworkIndex {
        static int of(String name, NetworkNamespace namespace) throws Exception {
            namespace.addVethPair(name, "02:00:00:00:01:01", name + "-peer", "02:00:00:00:01:02");
            return namespace.call(() -> io.ambo.node.sys.NetworkDevice.index(name));
        }
    }

    private static Arguments row(String what, XdpCounter expected, byte[]... parts) { return Arguments.of(what, expected, join(parts)); }

    private static byte[] ethernet(String type) { return hex(OUR_MAC + OTHER_MAC + type); }

    private static byte[] ipv4(int protocol, String destination) { return fragment4(protocol, 0, destination); }

    /** @param offset in units of 8 bytes */
    private static byte[] fragment4(int protocol, int offset, String destination) {
        byte[] header = zeros(20);
        header[0] = 0x45;
        header[6] = (byte) (offset >> 8);
        header[7] = (byte) offset;
        header[9] = (byte) protocol;
        System.arraycopy(address(destination).getAddress(), 0, header, 16, 4);
        return header;
    }

    private static byte[] ipv6(int nextHeader, String destination) {
        byte[] header = zeros(40);
        header[0] = 0x60;
        header[6] = (byte) nextHeader;
        System.arraycopy(address(destination).getAddress(), 0, header, 24, 16);
        return header;
    }

    /** Destination options so many times over, the last one before the protocol. */
    private static byte[] chain(int headers, int protocol) {
        byte[] chain = zeros(8 * headers);
        for (int i = 0; i < headers; i++) chain[8 * i] = (byte) (i == headers - 1 ? protocol : 60);
        return chain;
    }

    private static byte[] withFirstByte(int value, byte[] header) {
        header[0] = (byte) value;
        return header;
    }

    private static byte[] zeros(int count) { return new byte[count]; }

    private static byte[] hex(String digits) { return HexFormat.of().parseHex(digits); }

    private static byte[] join(byte[]... parts) {
        byte[] all = new byte[Arrays.stream(parts).mapToInt(part -> part.length).sum()];
        int at = 0;
        for (byte[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }

    private static Set<InetAddress> addresses(String... literals) {
        Set<InetAddress> addresses = new HashSet<>();
        for (String literal : literals) addresses.add(address(literal));
        return addresses;
    }

    private static InetAddress address(String literal) { return InetAddress.ofLiteral(literal); }
}
