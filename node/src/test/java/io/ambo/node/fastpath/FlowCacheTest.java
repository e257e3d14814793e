package io.ambo.node.fastpath;

import static io.ambo.node.fastpath.FastPathNetwork.HOP_MAC;
import static io.ambo.node.fastpath.FastPathNetwork.MAC;
import static io.ambo.node.fastpath.FastPathNetwork.PEER_MAC;
import static io.ambo.node.fastpath.FastPathNetwork.VLAN_IN;
import static io.ambo.node.fastpath.FastPathNetwork.parse;
import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static io.ambo.node.packet.PacketView.PSH;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.NetworkNamespace;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The fast path as the kernel runs it (BPF_PROG_TEST_RUN, with real routes and neighbours): packet in, verdict and packet out, for every branch. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@SuppressWarnings("NullAway.Init")
class FlowCacheTest {
    private static final String CLIENT = "10.0.0.7", SERVER = "198.51.100.9", CLIENT6 = "2001:db8::7", SERVER6 = "2001:db8:9::9";
    private static final String OUTSIDE = "198.18.0.1", BEHIND_VLAN = "203.0.113.9";
    private static final int IDLE_MS = 60_000;
    private static final int CLIENT_SEQ = 1000, SERVER_SEQ = 5000, WINDOW = 500;

    private FastPathNetwork network;
    private NetworkNamespace namespace;
    private XdpProgram program;
    private FlowCache.Access cache;

    @BeforeAll
    void buildANetwork() throws Exception {
        network = new FastPathNetwork();
        namespace = network.namespace;
        program = network.program;
        cache = network.cache;
    }

    @BeforeEach
    void emptyTheCache() { network.emptyTheCache(); }

    @AfterAll
    void removeEverything() { if (network != null) network.close(); }

    @ParameterizedTest
    @MethodSource("versions")
    void anEstablishedSegmentIsForwarded(String version) throws Exception {
        Session session = established(version, true);
        byte[] in = session.fromClient(ACK | PSH, CLIENT_SEQ, SERVER_SEQ, 100).ttl(64).bytes();
        Bpf.TestRun out = run(in);
        assertThat(out.result()).isEqualTo(Bpf.XDP_REDIRECT);
        PacketView packet = parse(out.frame());
        assertThat(packet.ttl()).isEqualTo(63);
        assertThat(mac(out.frame(), 0)).isEqualTo(HOP_MAC);
        assertThat(Parser.verifyTransportChecksum(packet).label()).isEqualTo("none");
        assertThat(cache.refresh(session.key, session.record)).isTrue();
        assertThat(session.record.packets(false)).isEqualTo(4);
        assertThat(session.record.bytes(false)).isEqualTo(400 + packet.ipLength());
        assertThat(session.record.original().seqEnd()).isEqualTo(CLIENT_SEQ + 100);
        assertThat(session.record.lastSeenMs()).isPositive();
    }

    @ParameterizedTest
    @MethodSource("versions")
    void aDatagramOfAKnownFlowIsForwarded(String version) throws Exception {
        Session session = new Session(version, PacketView.UDP);
        cache.install(session.key, session.record);
        long before = program.counter(XdpCounter.FORWARDED);
        assertThat(run(session.datagram(18).bytes()).result()).isEqualTo(Bpf.XDP_REDIRECT);
        assertThat(program.counter(XdpCounter.FORWARDED)).isEqualTo(before + 1);
    }

    static Stream<Arguments> versions() { return Stream.of(Arguments.of("4"), Arguments.of("6")); }

    record Case(String what, XdpCounter expected, boolean whole, int flags, int seq, int ack, int payload) {
        @Override
        public String toString() { return what; }
    }

    static Stream<Arguments> segments() {
        XdpCounter ok = XdpCounter.FORWARDED, out = XdpCounter.PUNTED_OUT_OF_WINDOW, java = XdpCounter.PUNTED;
        return Stream.of(
                new Case("the next segment", ok, true, ACK, CLIENT_SEQ, SERVER_SEQ, 100),
                new Case("the last that the window takes", ok, true, ACK, CLIENT_SEQ + WINDOW - 100, SERVER_SEQ, 100),
                new Case("one byte beyond the window", out, true, ACK, CLIENT_SEQ + WINDOW - 99, SERVER_SEQ, 100),
                new Case("the same on an asymmetric path", ok, false, ACK, CLIENT_SEQ + WINDOW - 99, SERVER_SEQ, 100),
                new Case("far beyond it", out, false, ACK, CLIENT_SEQ + 300_000, SERVER_SEQ, 100),
                new Case("a retransmission", ok, true, ACK, CLIENT_SEQ - 100, SERVER_SEQ, 100),
                new Case("a retransmission from the far past", out, true, ACK, CLIENT_SEQ - WINDOW - 2, SERVER_SEQ, 100),
                new Case("an acknowledgement of what was never sent", out, true, ACK, CLIENT_SEQ, SERVER_SEQ + 1, 0),
                new Case("the same on an asymmetric path, a slack away", ok, false, ACK, CLIENT_SEQ, SERVER_SEQ + 1, 0),
                new Case("the same, beyond the slack", out, false, ACK, CLIENT_SEQ, SERVER_SEQ + 200_000, 0),
                new Case("an acknowledgement of the far past", out, true, ACK, CLIENT_SEQ, SERVER_SEQ - 67_000, 0),
                new Case("SYN", java, true, SYN, CLIENT_SEQ, 0, 0), new Case("SYN-ACK", java, true, SYN | ACK, CLIENT_SEQ, SERVER_SEQ, 0),
                new Case("FIN", java, true, FIN | ACK, CLIENT_SEQ, SERVER_SEQ, 0), new Case("RST", java, true, RST, CLIENT_SEQ, 0, 0),
                new Case("no ACK", java, true, PSH, CLIENT_SEQ, 0, 1)).map(Arguments::of);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("segments")
    void theWindowIsCheckedInTheKernelAsInJava(Case one) throws Exception {
        for (String version : new String[]{ "4", "6" }) {
            Session session = established(version, one.whole);
            long before = program.counter(one.expected);
            Bpf.TestRun out = run(session.fromClient(one.flags, one.seq, one.ack, one.payload).bytes());
            assertThat(program.counter(one.expected)).as("IPv" + version).isEqualTo(before + 1);
            SessionRecord after = new SessionRecord().copyFrom(session.record);
            cache.refresh(session.key, after);
            if (one.expected != XdpCounter.FORWARDED) {
                assertThat(after.original().seqEnd()).as("nothing has moved").isEqualTo(CLIENT_SEQ);
                assertThat(parse(out.frame()).ttl()).as("the frame goes to Java as it came").isEqualTo(64);
            }
        }
    }

    @Test
    void whatIsNotOrdinaryGoesToJava() throws Exception {
        Session four = established("4", true);
        Session six = established("6", true);
        PacketBuilder segment = four.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 1000);
        expect(XdpCounter.PUNTED, four.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 10).ttl(1).bytes());
        expect(XdpCounter.PUNTED, six.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 10).ttl(1).bytes());
        expect(XdpCounter.PUNTED, four.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 10).ipOptions(1, 1, 1, 1).bytes());
        expect(XdpCounter.PUNTED, six.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 10).hopByHop().bytes());
        for (byte[] fragment : segment.fragments(512)) expect(XdpCounter.PUNTED, fragment);
        expect(XdpCounter.PUNTED, PacketBuilder.echoRequest4(7, 1).from(CLIENT).to(SERVER).macs(MAC, PEER_MAC).bytes());
        byte[] cut = segment.bytes();
        expect(XdpCounter.PUNTED, java.util.Arrays.copyOf(cut, cut.length - 1));
    }

    @Test
    void aPacketThatIsTooBigForTheNextLinkGoesToJava() throws Exception {
        Session session = new Session("4", PacketView.UDP);
        cache.install(session.key, session.record);
        expect(XdpCounter.FORWARDED, session.datagram(1472).bytes());
        expect(XdpCounter.PUNTED_NEXT_HOP, session.datagram(1473).bytes());
        namespace.exec("ip", "link", "set", "ambsys-a", "mtu", "1400");
        program.routesChanged();
        try {
            expect(XdpCounter.PUNTED_NEXT_HOP, session.datagram(1472).bytes());
        } finally {
            namespace.exec("ip", "link", "set", "ambsys-a", "mtu", "1500");
            program.routesChanged();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = { true, false })
    void aChangedNeighbourCountsAtOnceWhenTheNodeHasSaidSoElseWithinASecond(boolean nodeLives) throws Exception {
        Session session = new Session("4", PacketView.UDP);
        cache.install(session.key, session.record);
        assertThat(mac(run(session.datagram(10).bytes()).frame(), 0)).isEqualTo(HOP_MAC);
        namespace.exec("ip", "neigh", "replace", "192.0.2.99", "lladdr", "02:00:00:00:00:64", "dev", "ambsys-a", "nud", "permanent");
        try {
            if (nodeLives) program.routesChanged();
            else
                Thread.sleep(1000);
            assertThat(mac(run(session.datagram(10).bytes()).frame(), 0)).isEqualTo(HOP_MAC + 1);
        } finally {
            namespace.exec("ip", "neigh", "replace", "192.0.2.99", "lladdr", "02:00:00:00:00:63", "dev", "ambsys-a", "nud", "permanent");
            program.routesChanged();
        }
    }

    @ParameterizedTest
    @CsvSource({ "-1, -1", "5, -1", "-1, 7", "5, 7" })
    void tagsAreAddedTakenOffAndChanged(int tagIn, int tagOut) throws Exception {
        Session session = new Session("4", PacketView.UDP, CLIENT, tagOut < 0 ? SERVER : BEHIND_VLAN);
        cache.install(session.key, session.record);
        PacketBuilder in = session.datagram(33);
        Bpf.TestRun out = run((tagIn < 0 ? in : in.vlan(tagIn)).bytes());
        assertThat(out.result()).isEqualTo(Bpf.XDP_REDIRECT);
        PacketView packet = parse(out.frame());
        assertThat(packet.vlan()).isEqualTo(tagOut);
        assertThat(packet.ttl()).isEqualTo(63);
        assertThat(packet.ipLength()).isEqualTo(20 + 8 + 33);
        assertThat(Parser.verifyTransportChecksum(packet).label()).isEqualTo("none");
        assertThat(mac(out.frame(), 0)).isEqualTo(tagOut < 0 ? HOP_MAC : HOP_MAC + 2);
    }

    @Test
    void aTagThatNoDataInterfaceHasIsJavasToJudge() throws Exception {
        Session session = new Session("4", PacketView.UDP);
        cache.install(session.key, session.record);
        expect(XdpCounter.PUNTED, session.datagram(10).vlan(6).bytes());
        expect(XdpCounter.FORWARDED, session.datagram(10).vlan(VLAN_IN).bytes());
    }

    @Test
    void aSessionThatWasIdleForItsTimeoutIsJavasToJudge() throws Exception {
        Session session = new Session("4", PacketView.UDP);
        session.record.lastSeenMs(session.record.lastSeenMs() - IDLE_MS - 100);
        cache.install(session.key, session.record);
        expect(XdpCounter.PUNTED, session.datagram(10).bytes());
        assertThat(cache.refresh(session.key, session.record)).isTrue();
        assertThat(cache.isIdle(Clock.SYSTEM.monotonicNs())).isTrue();
        session.record.lastSeenMs(session.record.lastSeenMs() + 5_000);
        cache.install(session.key, session.record);
        expect(XdpCounter.FORWARDED, session.datagram(10).bytes());
        assertThat(cache.refresh(session.key, session.record)).isTrue();
        assertThat(cache.isIdle(Clock.SYSTEM.monotonicNs())).isFalse();
    }

    @Test
    void nothingIsForwardedWhenTheNodeHasBeenSilentForTooLong() throws Exception {
        Session session = new Session("4", PacketView.UDP);
        cache.install(session.key, session.record);
        program.forwardUntil(Clock.SYSTEM.monotonicNs() - 10_000_000);
        expect(XdpCounter.PUNTED, session.datagram(10).bytes());
        program.forwardUntil(Clock.SYSTEM.monotonicNs() + 1_000_000_000);
        expect(XdpCounter.FORWARDED, session.datagram(10).bytes());
    }

    @Test
    void withoutARouteTheNextHopIsJavasToFind() throws Exception {
        Session session = new Session("4", PacketView.UDP, CLIENT, OUTSIDE);
        cache.install(session.key, session.record);
        expect(XdpCounter.PUNTED_NEXT_HOP, session.datagram(10).bytes());
    }

    @Test
    void bothDirectionsShareAnEntryAndAHarvestSeesIt() throws Exception {
        Session session = established("4", true);
        expect(XdpCounter.FORWARDED, session.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 100).bytes());
        expect(XdpCounter.FORWARDED, session.fromServer(ACK, SERVER_SEQ, CLIENT_SEQ + 100, 50).bytes());
        int[] seen = new int[1];
        cache.harvest((key, entry) -> {
            assertThat(key.sameAs(session.key)).isTrue();
            assertThat(entry.joinInto(session.record)).isTrue();
            seen[0]++;
        });
        assertThat(seen[0]).isEqualTo(1);
        assertThat(session.record.reply().seqEnd()).isEqualTo(SERVER_SEQ + 50);
        assertThat(session.record.reply().ack()).isEqualTo(CLIENT_SEQ + 100);
        assertThat(session.record.original().maxEnd()).isEqualTo(CLIENT_SEQ + 100 + WINDOW);
    }

    @ParameterizedTest
    @MethodSource("versions")
    void aPacketThatJavaForwardedMeanwhileCountsBesideTheKernels(String version) throws Exception {
        Session session = established(version, true);
        expect(XdpCounter.FORWARDED, session.fromClient(ACK, CLIENT_SEQ, SERVER_SEQ, 100).bytes());
        session.record.count(false, 1, 70);
        assertThat(cache.account(session.key, session.record, false, 70)).isTrue();
        expect(XdpCounter.FORWARDED, session.fromClient(ACK, CLIENT_SEQ + 100, SERVER_SEQ, 100).bytes());
        session.record.count(true, 1, 30);
        assertThat(cache.account(session.key, session.record, true, 30)).isTrue();
        assertThat(cache.refresh(session.key, session.record)).isTrue();
        int header = version.equals("4") ? 40 : 60;
        assertThat(session.record.packets(false)).isEqualTo(3 + 2 + 1);
        assertThat(session.record.bytes(false)).isEqualTo(400 + 2 * (header + 100) + 70);
        assertThat(session.record.packets(true)).isEqualTo(1);
        assertThat(session.record.bytes(true)).isEqualTo(30);
    }

    @ParameterizedTest
    @MethodSource("versions")
    void theKernelGoesOnFromASegmentThatJavaForwarded(String version) throws Exception {
        Session session = established(version, true);
        byte[] next = session.fromClient(ACK, CLIENT_SEQ + WINDOW, SERVER_SEQ, 100).bytes();
        expect(XdpCounter.PUNTED_OUT_OF_WINDOW, next);
        // The server has allowed more, in a segment that Java has seen.
        session.record.original().advanceMaxEnd(CLIENT_SEQ + 2 * WINDOW);
        session.record.reply().advanceAck(CLIENT_SEQ + WINDOW);
        assertThat(cache.account(session.key, session.record, true, 40)).isTrue();
        expect(XdpCounter.FORWARDED, next);
    }

    @ParameterizedTest
    @MethodSource("versions")
    void theKernelGrantsSlackFromWhenTheSessionIsNotSeenWholeAnyMore(String version) throws Exception {
        Session session = established(version, true);
        byte[] beyond = session.fromClient(ACK, CLIENT_SEQ + WINDOW - 99, SERVER_SEQ, 100).bytes();
        expect(XdpCounter.PUNTED_OUT_OF_WINDOW, beyond);
        assertThat(cache.account(session.key, session.record, true, 40)).isTrue();
        expect(XdpCounter.PUNTED_OUT_OF_WINDOW, beyond);
        session.record.changeLocalFlags(SessionRecord.COMPLETE, 0);
        assertThat(cache.account(session.key, session.record, true, 40)).isTrue();
        expect(XdpCounter.FORWARDED, beyond);
    }

    @Test
    void whatIsNotInTheCacheIsNotAccountedFor() {
        Session session = established("4", true);
        SessionRecord later = new SessionRecord().copyFrom(session.record);
        later.incarnation(2, 99, 1);
        assertThat(cache.account(session.key, later, false, 100)).as("another life").isFalse();
        cache.remove(session.key);
        assertThat(cache.account(session.key, session.record, false, 100)).isFalse();
        Session datagrams = new Session("6", PacketView.UDP);
        cache.install(datagrams.key, datagrams.record);
        assertThat(cache.account(datagrams.key, datagrams.record, false, 100)).isTrue();
    }

    @Test
    void anEntryOfAnotherLifeIsNotJoined() {
        Session session = established("6", true);
        session.record.incarnation(2, 99, 1);
        assertThat(cache.refresh(session.key, session.record)).isFalse();
        cache.remove(session.key, session.record);
        assertThat(cache.harvest((key, entry) -> {})).as("but it is gone").isZero();
    }

    @Test
    void aFullCacheSaysSo() {
        int installed = 0;
        FlowCache.Install last = FlowCache.Install.INSTALLED;
        for (int i = 0; i < 200 && last == FlowCache.Install.INSTALLED; i++) {
            Session session = new Session("4", PacketView.UDP, CLIENT, "198.51.100." + i);
            last = cache.install(session.key, session.record);
            if (last == FlowCache.Install.INSTALLED) installed++;
        }
        assertThat(last).isEqualTo(FlowCache.Install.FULL);
        assertThat(installed).isEqualTo(FastPathNetwork.FLOWS);
    }

    private Session established(String version, boolean whole) {
        Session session = new Session(version, PacketView.TCP);
        for (TcpHalf half : new TcpHalf[]{ session.record.original(), session.record.reply() }) {
            boolean client = half == session.record.original();
            half.raiseState(TcpHalf.ESTABLISHED);
            half.advanceSeqEnd(client ? CLIENT_SEQ : SERVER_SEQ);
            half.advanceMaxEnd((client ? CLIENT_SEQ : SERVER_SEQ) + WINDOW);
            half.advanceAck(client ? SERVER_SEQ : CLIENT_SEQ);
            half.raiseMaxWindow(WINDOW);
        }
        int seen = SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.REPLY_SEEN_HERE;
        session.record.localFlags(whole ? seen | SessionRecord.COMPLETE : seen);
        session.record.counts(false, 3, 400);
        assertThat(cache.install(session.key, session.record)).isEqualTo(FlowCache.Install.INSTALLED);
        return session;
    }

    private void expect(XdpCounter counter, byte[] frame) throws Exception { network.expect(counter, frame); }

    private Bpf.TestRun run(byte[] frame) throws Exception { return network.run(frame); }

    private static long mac(byte[] frame, int at) {
        long mac = 0;
        for (int i = 0; i < 6; i++) mac = mac << 8 | frame[at + i] & 0xFF;
        return mac;
    }

    /** A session and its packets. */
    private static final class Session {
        final SessionKey key = new SessionKey();
        final SessionRecord record = new SessionRecord();
        private final int protocol;
        private final boolean ipv4;
        private final String client;
        private final String server;

        Session(String version, int protocol) {
            this(version, protocol, version.equals("4") ? CLIENT : CLIENT6, version.equals("4") ? SERVER : SERVER6);
        }

        Session(String version, int protocol, String client, String server) {
            this.protocol = protocol;
            this.client = client;
            this.server = server;
            ipv4 = version.equals("4");
            boolean high = (protocol == PacketView.TCP ? fromClient(ACK, 0, 0, 0) : datagram(1)).parsed().writeKey(key, 0);
            record.incarnation(1, 77, 1).timeoutMs(IDLE_MS).lastSeenMs(Clock.SYSTEM.monotonicMs());
            if (high) record.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
        }

        PacketBuilder fromClient(int flags, int seq, int ack, int payload) {
            return (ipv4 ? PacketBuilder.tcp4() : PacketBuilder.tcp6()).macs(MAC, PEER_MAC).from(client, 40_000).to(server, 443)
                    .flags(flags).seq(seq)
                    .ack(ack).window(WINDOW).payload(payload).ttl(64);
        }

        PacketBuilder fromServer(int flags, int seq, int ack, int payload) {
            return (ipv4 ? PacketBuilder.tcp4() : PacketBuilder.tcp6()).macs(MAC, PEER_MAC).from(server, 443).to(client, 40_000)
                    .flags(flags).seq(seq)
                    .ack(ack).window(WINDOW).payload(payload).ttl(64);
        }

        PacketBuilder datagram(int payload) {
            assertThat(protocol).isEqualTo(PacketView.UDP);
            return (ipv4 ? PacketBuilder.udp4() : PacketBuilder.udp6()).macs(MAC, PEER_MAC).from(client, 40_000).to(server, 53)
                    .payload(payload)
                    .ttl(64);
        }
    }
}
