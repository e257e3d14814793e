package io.ambo.node.fastpath;

import static io.ambo.node.fastpath.FastPathNetwork.MAC;
import static io.ambo.node.fastpath.FastPathNetwork.PEER_MAC;
import static io.ambo.node.fastpath.FastPathNetwork.parse;
import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.PSH;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.node.packet.Checksum;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.sys.Bpf;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** NAT in the kernel: packets of translated sessions, in both directions, as the kernel sends them on. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@SuppressWarnings("NullAway.Init")
class FlowTranslationsTest {
    private static final int IDLE_MS = 60_000, CLIENT_SEQ = 1000, SERVER_SEQ = 5000, WINDOW = 500, CLIENT_PORT = 40_000;
    /** No route leads to the service and to the public address: only translated packets find a way. */
    private static final Place CLIENT = new Place("10.0.0.7", "2001:db8:7::7", CLIENT_PORT),
            SERVICE = new Place("198.18.0.80", "2001:db8:80::80", 80),
            SERVER = new Place("198.51.100.9", "2001:db8:9::9", 7001), PUBLIC = new Place("198.18.0.10", "2001:db8:80::10", 50_123);

    private FastPathNetwork network;
    private FlowCache.Access cache;

    /** An end, in both IP versions. */
    record Place(String four, String six, int port) {
        String address(String version) { return version.equals("4") ? four : six; }
    }

    /** What is translated. */
    enum Nat {
        DESTINATION, SOURCE, BOTH
    }

    @BeforeAll
    void buildANetwork() throws Exception {
        network = new FastPathNetwork();
        cache = network.cache;
    }

    @BeforeEach
    void emptyTheCache() {
        network.emptyTheCache();
        assertThat(cache.removeLeftOver()).as("each session takes its translation with it").isZero();
    }

    @AfterAll
    void removeEverything() { if (network != null) network.close(); }

    static Stream<Arguments> kinds() {
        return Stream.of("4", "6").flatMap(version -> Stream.of(PacketView.TCP, PacketView.UDP)
                .flatMap(protocol -> Stream.of(Nat.values()).map(nat -> Arguments.of(version, protocol, nat))));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void packetsOfBothFlowsLeaveWithTheirNewEnds(String version, int protocol, Nat nat) throws Exception {
        Session session = new Session(version, protocol, nat);
        assertThat(cache.install(session.key, session.record)).isEqualTo(FlowCache.Install.INSTALLED);
        expectForwarded(session.original(100), session.translatedSource, session.translatedDestination);
        expectForwarded(session.reply(60), session.service, session.client);
        assertThat(cache.refresh(session.key, session.record)).isTrue();
        assertThat(session.record.packets(false)).isEqualTo(1);
        assertThat(session.record.packets(true)).isEqualTo(1);
        if (protocol != PacketView.TCP) return;
        assertThat(session.record.original().seqEnd()).isEqualTo(CLIENT_SEQ + 100);
        assertThat(session.record.reply().seqEnd()).isEqualTo(SERVER_SEQ + 60);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void whatDoesNotComeFromTheRightEndIsJavasToJudge(String version, int protocol, Nat nat) throws Exception {
        Session session = new Session(version, protocol, nat);
        cache.install(session.key, session.record);
        // An answer that was not translated, and a packet of the original flow that was already.
        network.expect(XdpCounter.PUNTED, session.packet(session.service, session.client, SERVER_SEQ, CLIENT_SEQ, 10).bytes());
        network.expect(XdpCounter.PUNTED,
                session.packet(session.translatedSource, session.translatedDestination, CLIENT_SEQ, SERVER_SEQ, 10).bytes());
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void checksumsAreRightForAnyEnds(String version, int protocol, Nat nat) throws Exception {
        Random random = new Random(7);
        for (int i = 0; i < 200; i++) {
            int port = 1 + random.nextInt(65_535);
            Session session = new Session(version, protocol, nat, port);
            cache.install(session.key, session.record);
            expectForwarded(session.original(random.nextInt(50)), session.translatedSource, session.translatedDestination);
            cache.remove(session.key);
        }
    }

    @Test
    void outOfWindowIsOutOfWindowAlsoBehindATranslation() throws Exception {
        Session session = new Session("4", PacketView.TCP, Nat.BOTH);
        cache.install(session.key, session.record);
        byte[] late = session.packet(session.translatedDestination, session.translatedSource, SERVER_SEQ + 300_000, CLIENT_SEQ, 10).bytes();
        Bpf.TestRun out = network.run(late);
        assertThat(parse(out.frame()).destinationPort()).as("Java gets the packet as it came").isEqualTo(session.translatedSource.port);
    }

    @Test
    void aDatagramWithoutAChecksumStaysSo() throws Exception {
        Session session = new Session("4", PacketView.UDP, Nat.BOTH);
        cache.install(session.key, session.record);
        PacketView packet = parse(network.run(session.original(20).noUdpChecksum().bytes()).frame());
        assertThat(packet.destinationPort()).isEqualTo(SERVER.port);
        assertThat(checksum(packet)).isZero();
    }

    @ParameterizedTest
    @MethodSource("io.ambo.node.fastpath.FlowCacheTest#versions")
    void aChecksumThatBecomesZeroIsSentAsAllOnes(String version) throws Exception {
        Session session = new Session(version, PacketView.UDP, Nat.BOTH);
        cache.install(session.key, session.record);
        int wanted = checksum(parse(network.run(session.original(0).payload(new byte[2]).bytes()).frame()));
        byte[] payload = { (byte) (wanted >>> 8), (byte) wanted };
        PacketView packet = parse(network.run(session.original(0).payload(payload).bytes()).frame());
        assertThat(packet.sourcePort()).isEqualTo(session.translatedSource.port);
        assertThat(checksum(packet)).isEqualTo(Checksum.udp(0));
    }

    @Test
    void theTranslationOfAnEarlierLifeCountsForNothing() throws Exception {
        Session session = new Session("4", PacketView.UDP, Nat.BOTH);
        cache.install(session.key, session.record);
        Session next = new Session("4", PacketView.UDP, Nat.DESTINATION);
        next.record.incarnation(2, 99, 1);
        cache.install(next.key, next.record);
        network.expect(XdpCounter.PUNTED, session.reply(10).bytes());
        expectForwarded(next.original(10), next.translatedSource, next.translatedDestination);
        expectForwarded(next.reply(10), next.service, next.client);
        cache.remove(next.key);
        network.expect(XdpCounter.PUNTED, next.original(10).bytes());
        network.expect(XdpCounter.PUNTED, next.reply(10).bytes());
    }

    @Test
    void whatAKilledProcessHasLeftIsRemoved() {
        Session kept = new Session("6", PacketView.UDP, Nat.BOTH);
        cache.install(kept.key, kept.record);
        for (String version : new String[]{ "4", "6" }) {
            Session session = new Session(version, PacketView.TCP, Nat.BOTH);
            new FlowTranslations(network.program.flowCache().translations4, network.program.flowCache().translations6)
                    .install(session.key, session.record);
        }
        assertThat(cache.removeLeftOver()).isEqualTo(4);
    }

    private void expectForwarded(PacketBuilder in, Place source, Place destination) throws Exception {
        Bpf.TestRun out = network.run(in.bytes());
        assertThat(out.result()).isEqualTo(Bpf.XDP_REDIRECT);
        PacketView packet = parse(out.frame());
        String version = Integer.toString(packet.ipVersion());
        SessionKey expected = new SessionKey();
        SessionKey found = new SessionKey();
        PacketBuilder model = packet.isTcp() ? tcp(version) : udp(version);
        boolean high = model.from(source.address(version), source.port).to(destination.address(version), destination.port).parsed()
                .writeKey(expected, 0);
        assertThat(packet.writeKey(found, 0)).as("the source is the high end").isEqualTo(high);
        assertThat(found.sameAs(expected)).as("%s -> %s", source, destination).isTrue();
        assertThat(packet.ttl()).isEqualTo(63);
        assertThat(Parser.verifyTransportChecksum(packet).label()).isEqualTo("none");
        if (packet.ipVersion() == 4)
            assertThat(Checksum.finish(Checksum.sum(packet.segment(), packet.ip(), 20))).as("IPv4 header").isZero();
    }

    private static int checksum(PacketView udp) { return (int) Checksum.sum(udp.segment(), udp.transport() + 6, 2); }

    private static PacketBuilder tcp(String version) { return version.equals("4") ? PacketBuilder.tcp4() : PacketBuilder.tcp6(); }

    private static PacketBuilder udp(String version) { return version.equals("4") ? PacketBuilder.udp4() : PacketBuilder.udp6(); }

    /** A translated session and its packets. */
    private static final class Session {
        final SessionKey key = new SessionKey();
        final SessionRecord record = new SessionRecord();
        final Place client;
        final Place service;
        final Place translatedSource;
        final Place translatedDestination;
        private final String version;
        private final int protocol;

        Session(String version, int protocol, Nat nat) { this(version, protocol, nat, CLIENT_PORT); }

        Session(String version, int protocol, Nat nat, int clientPort) {
            this.version = version;
            this.protocol = protocol;
            client = new Place(CLIENT.four, CLIENT.six, clientPort);
            service = nat == Nat.SOURCE ? new Place(SERVER.four, SERVER.six, SERVICE.port) : SERVICE;
            translatedSource = nat == Nat.DESTINATION ? client : PUBLIC;
            translatedDestination = nat == Nat.SOURCE ? service : SERVER;
            boolean high = packet(client, service, 0, 0, 1).parsed().writeKey(key, 0);
            record.incarnation(1, 77, 1).timeoutMs(IDLE_MS).lastSeenMs(Clock.SYSTEM.monotonicMs());
            if (high) record.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
            PacketView after = packet(translatedSource, translatedDestination, 0, 0, 1).parsed();
            record.translate(after.sourceHigh(), after.sourceLow(), after.sourcePort(), after.destinationHigh(), after.destinationLow(),
                    after.destinationPort());
            if (protocol == PacketView.TCP) establish();
        }

        private void establish() {
            for (TcpHalf half : new TcpHalf[]{ record.original(), record.reply() }) {
                boolean ofClient = half == record.original();
                half.raiseState(TcpHalf.ESTABLISHED);
                half.advanceSeqEnd(ofClient ? CLIENT_SEQ : SERVER_SEQ);
                half.advanceMaxEnd((ofClient ? CLIENT_SEQ : SERVER_SEQ) + WINDOW);
                half.advanceAck(ofClient ? SERVER_SEQ : CLIENT_SEQ);
                half.raiseMaxWindow(WINDOW);
            }
        }

        PacketBuilder original(int payload) { return packet(client, service, CLIENT_SEQ, SERVER_SEQ, payload); }

        PacketBuilder reply(int payload) { return packet(translatedDestination, translatedSource, SERVER_SEQ, CLIENT_SEQ, payload); }

        PacketBuilder packet(Place from, Place to, int seq, int ack, int payload) {
            PacketBuilder packet = protocol == PacketView.TCP
                    ? tcp(version).flags(ACK | PSH).seq(seq).ack(ack).window(WINDOW)
                    : udp(version);
            return packet.macs(MAC, PEER_MAC).from(from.address(version), from.port).to(to.address(version), to.port).payload(payload)
                    .ttl(64);
        }
    }
}
