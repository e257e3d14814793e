package io.ambo.node.datapath;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.node.config.AddressMatch;
import io.ambo.node.config.Cidr;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.NatRule;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Translated sessions through two nodes. Clients hide behind PUBLIC; a service is known by VIRTUAL and served elsewhere. */
class NatPipelineTest {
    private static final String[] CLIENT = { "10.0.0.7", "2001:db8:0::7" };
    private static final String[] SERVER = { "192.0.2.3", "2001:db8:1::3" };
    private static final String[] PUBLIC = { "203.0.113.10", "2001:db8:2::10" };
    private static final String[] VIRTUAL = { "198.51.100.80", "2001:db8:3::80" };
    private static final String[] REAL = { "192.0.2.80", "2001:db8:1::80" };
    private static final int PORT = 51_022;
    private static final int[] NO_PORTS = {};

    @TempDir
    Path directory;
    private ChronicleSessionTable tableA;
    private ChronicleSessionTable tableB;
    private TestNode a;
    private TestNode b;

    @BeforeEach
    void twoNodes() throws Exception {
        tableA = ChronicleSessionTable.open(Files.createDirectory(directory.resolve("a")), 10_000, Clock.SYSTEM);
        tableB = ChronicleSessionTable.open(Files.createDirectory(directory.resolve("b")), 10_000, Clock.SYSTEM);
        a = new TestNode(tableA, policy(10_000, 10_003), 1);
        b = new TestNode(tableB, policy(20_000, 20_003), 2);
        a.hasPeers = true;
        b.hasPeers = true;
    }

    @AfterEach
    void noFrameIsLost() {
        a.passMs(10_000);
        b.passMs(10_000);
        assertThat(a.freeFrames()).isEqualTo(TestNode.frames());
        assertThat(b.freeFrames()).isEqualTo(TestNode.frames());
        tableA.close();
        tableB.close();
    }

    @ParameterizedTest
    @ValueSource(ints = { 0, 1 })
    void aClientHidesBehindTheNodesAddressOnBothPaths(int version) {
        a.in(0, tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(SYN).seq(100));
        PacketView syn = a.onlySent();
        assertEnds(syn, PUBLIC[version], syn.sourcePort(), SERVER[version], 443);
        assertThat(syn.sourcePort()).isBetween(10_000, 10_003);
        b.in(1, tcp(version).from(SERVER[version], 443).to(PUBLIC[version], syn.sourcePort()).flags(SYN | ACK).seq(500).ack(101));
        assertThat(b.sent).as("parked until the delta comes").isEmpty();
        a.deliverTo(b);
        assertEnds(b.onlySent(), SERVER[version], 443, CLIENT[version], PORT);
        b.deliverTo(a);
        a.in(0, tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(ACK).seq(101).ack(501).payload(10));
        assertEnds(a.onlySent(), PUBLIC[version], syn.sourcePort(), SERVER[version], 443);
        a.in(1, tcp(version).from(SERVER[version], 443).to(PUBLIC[version], syn.sourcePort()).flags(ACK).seq(501).ack(111));
        assertEnds(a.onlySent(), SERVER[version], 443, CLIENT[version], PORT);
        assertThat(a.dropped()).isEmpty();
        assertThat(b.dropped()).isEmpty();
        assertThat(tableA.size()).isEqualTo(1);
        assertThat(tableB.claims()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(ints = { 0, 1 })
    void aServiceIsKnownByAnotherAddressAndPort(int version) {
        a.in(0, tcp(version).from(CLIENT[version], PORT).to(VIRTUAL[version], 443).flags(SYN).seq(100));
        PacketView syn = a.onlySent();
        int port = syn.sourcePort();
        assertEnds(syn, PUBLIC[version], port, REAL[version], 8443);
        a.deliverTo(b);
        b.in(1, tcp(version).from(REAL[version], 8443).to(PUBLIC[version], port).flags(SYN | ACK).seq(500).ack(101));
        assertEnds(b.onlySent(), VIRTUAL[version], 443, CLIENT[version], PORT);
    }

    @ParameterizedTest
    @ValueSource(ints = { 0, 1 })
    void datagramsAndPingsAreTranslatedToo(int version) {
        PacketBuilder question = version == 0 ? PacketBuilder.udp4() : PacketBuilder.udp6();
        a.in(0, question.from(CLIENT[version], PORT).to(SERVER[version], 53).payload(20));
        PacketView sent = a.onlySent();
        PacketBuilder answer = version == 0 ? PacketBuilder.udp4() : PacketBuilder.udp6();
        a.in(1, answer.from(SERVER[version], 53).to(PUBLIC[version], sent.sourcePort()).payload(30));
        assertEnds(a.onlySent(), SERVER[version], 53, CLIENT[version], PORT);

        PacketBuilder ping = version == 0 ? PacketBuilder.echoRequest4(777, 1) : PacketBuilder.echoRequest6(777, 1);
        a.in(0, ping.from(CLIENT[version]).to(SERVER[version]));
        PacketView request = a.onlySent();
        assertEnds(request, PUBLIC[version], request.sourcePort(), SERVER[version], request.sourcePort());
        assertThat(request.sourcePort()).isBetween(10_000, 10_003);
        int id = request.sourcePort();
        PacketBuilder pong = version == 0 ? PacketBuilder.echoReply4(id, 1) : PacketBuilder.echoReply6(id, 1);
        a.in(1, pong.from(SERVER[version]).to(PUBLIC[version]));
        assertEnds(a.onlySent(), SERVER[version], 777, CLIENT[version], 777);
        assertThat(a.dropped()).isEmpty();
    }

    @Test
    void anErrorSpeaksOfThePacketAsItsSenderSentIt() {
        a.in(0, PacketBuilder.udp4().from(CLIENT[0], PORT).to(VIRTUAL[0], 443).payload(20));
        byte[] outside = a.sent.get(0).bytes();
        a.sent.clear();
        a.in(1, PacketBuilder.error4(3, 3, outside, 28).from("192.0.2.254").to(PUBLIC[0]));
        PacketView error = a.onlySent();
        assertThat(error.destinationLow()).isEqualTo(PacketBuilder.low(CLIENT[0]));
        assertThat(error.sourceLow()).as("the server's router hides behind the service").isEqualTo(PacketBuilder.low(VIRTUAL[0]));
        PacketView quoted = new PacketView();
        assertThat(io.ambo.node.packet.Parser.parseQuoted(error, quoted)).isEqualTo(io.ambo.node.packet.DropReason.NONE);
        assertEnds(quoted, CLIENT[0], PORT, VIRTUAL[0], 443);
    }

    /** Two copies of a SYN, two translations: which of them the ends talk by is known to the node that the SYN-ACK has passed. */
    @ParameterizedTest
    @ValueSource(ints = { 0, 1 })
    void anAnswerToASynAckThatHasPassedThePeerWaitsForThePeersTranslation(int version) {
        b.takesStrays = true;
        PacketBuilder syn = tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(SYN).seq(100);
        b.in(0, syn);
        b.onlySent();
        a.in(0, syn);
        int port = a.onlySent().sourcePort();
        b.deltas.clear();
        a.in(1, tcp(version).from(SERVER[version], 443).to(PUBLIC[version], port).flags(SYN | ACK).seq(500).ack(101));
        a.onlySent();
        b.in(0, tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(ACK).seq(101).ack(501).payload(10));
        assertThat(b.sent).as("held").isEmpty();
        b.passMs(31);
        b.handOverTo(a);
        assertEnds(a.onlySent(), PUBLIC[version], port, SERVER[version], 443);
        assertThat(a.dropped()).isEmpty();
        assertThat(b.dropped()).isEmpty();
    }

    @Test
    void anAnswerOfWhichNobodyKnowsMorePassesInTheEnd() {
        a.in(0, tcp(0).from(CLIENT[0], PORT).to(SERVER[0], 443).flags(SYN).seq(100));
        int port = a.onlySent().sourcePort();
        a.in(0, tcp(0).from(CLIENT[0], PORT).to(SERVER[0], 443).flags(ACK).seq(101).ack(501));
        assertThat(a.sent).isEmpty();
        a.passMs(31);
        assertEnds(a.onlySent(), PUBLIC[0], port, SERVER[0], 443);
    }

    @Test
    void eachSessionHasAPortOfItsOwnUntilThereIsNone() {
        for (int client = 1; client <= 4; client++) {
            a.in(0, PacketBuilder.udp4().from("10.0.1." + client, PORT).to(SERVER[0], 53).payload(20));
        }
        assertThat(a.sent.stream().map(sent -> PacketBuilder.parsed(sent.bytes()).sourcePort()).distinct()).hasSize(4);
        a.sent.clear();
        a.in(0, PacketBuilder.udp4().from("10.0.1.5", PORT).to(SERVER[0], 53).payload(20));
        assertThat(a.dropped()).containsExactly("NAT_PORTS_EXHAUSTED=1");
        a.in(0, PacketBuilder.udp4().from("10.0.1.5", PORT).to("192.0.2.4", 53).payload(20));
        assertThat(a.sent).as("another server").hasSize(1);
        a.sent.clear();
    }

    @ParameterizedTest
    @ValueSource(ints = { 0, 1 })
    void aConnectionThatFollowsOnTheSameEndsKeepsThePortAndWhoGaveItOut(int version) {
        a.in(0, tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(SYN).seq(100));
        int port = a.onlySent().sourcePort();
        a.deliverTo(b);
        b.in(0, tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(SYN).seq(9_000_000));
        assertEnds(b.onlySent(), PUBLIC[version], port, SERVER[version], 443);
        SessionRecord followed = new SessionRecord();
        SessionKey key = new SessionKey();
        boolean sourceIsHigh = PacketBuilder.parsed(tcp(version).from(CLIENT[version], PORT).to(SERVER[version], 443).flags(SYN).bytes())
                .writeKey(key, 0);
        assertThat(tableB.read(key, followed)).isTrue();
        assertThat(followed.has(SessionRecord.ORIGINAL_FROM_HIGH)).isEqualTo(sourceIsHigh);
        assertThat(followed.epoch()).as("another life").isEqualTo(1);
        assertThat(followed.owner()).isEqualTo(2);
        assertThat(followed.creator()).as("the port is of this one's share").isEqualTo(1);
    }

    @Test
    void whatAnswersNothingIsDroppedAndNeverOpens() {
        a.hasPeers = false;
        a.in(1, PacketBuilder.udp4().from(SERVER[0], 53).to(PUBLIC[0], 10_001).payload(20));
        assertThat(a.dropped()).containsExactly("STRAY=1");
        assertThat(tableA.size()).isZero();
    }

    @Test
    void fragmentsAreTranslatedAndSentOn() {
        List<byte[]> fragments = PacketBuilder.udp4().from(CLIENT[0], PORT).to(SERVER[0], 53).payload(2000).fragments(1024);
        for (byte[] fragment : fragments) a.in(0, fragment);
        assertThat(a.sent).hasSize(2);
        for (TestNode.Sent sent : a.sent) assertThat(PacketBuilder.view(sent.bytes()).frameLength()).isPositive();
        a.sent.clear();
        assertThat(a.dropped()).isEmpty();
    }

    private static void assertEnds(PacketView packet, String source, int sourcePort, String destination, int destinationPort) {
        assertThat(packet.sourceHigh()).isEqualTo(PacketBuilder.high(source));
        assertThat(packet.sourceLow()).isEqualTo(PacketBuilder.low(source));
        assertThat(packet.sourcePort()).isEqualTo(sourcePort);
        assertThat(packet.destinationHigh()).isEqualTo(PacketBuilder.high(destination));
        assertThat(packet.destinationLow()).isEqualTo(PacketBuilder.low(destination));
        assertThat(packet.destinationPort()).isEqualTo(destinationPort);
    }

    private static PacketBuilder tcp(int version) { return version == 0 ? PacketBuilder.tcp4() : PacketBuilder.tcp6(); }

    private static Policy policy(int firstPort, int lastPort) {
        Match outward = new Match(new int[]{ TestNode.CLIENT_ZONE }, new int[]{ TestNode.SERVER_ZONE }, AddressMatch.ANY, AddressMatch.ANY,
                NO_PORTS, NO_PORTS, NO_PORTS);
        Rule out = new Rule(1, "out", Rule.Action.ALLOW, false, 0, false, false, false, true, 0, 0, outward);
        NatRule[] rules = new NatRule[4];
        for (int version = 0; version < 2; version++) {
            Match virtual = new Match(NO_PORTS, NO_PORTS, AddressMatch.ANY, only(VIRTUAL[version]), NO_PORTS, NO_PORTS,
                    new int[]{ 443, 443 });
            rules[version] = new NatRule("web" + version, false, virtual, PacketBuilder.high(REAL[version]),
                    PacketBuilder.low(REAL[version]), 1, 8443, 8443);
            rules[2 + version] = new NatRule("out" + version, true, outward, PacketBuilder.high(PUBLIC[version]),
                    PacketBuilder.low(PUBLIC[version]), 1, firstPort, lastPort);
        }
        return new Policy(List.of(out), Rule.defaultRule(Rule.Action.DROP),
                new Timeouts(30_000, 7_200_000, 120_000, 10_000, 30_000, 120_000, 10_000, 120_000), 0, new Nat(List.of(rules)));
    }

    private static AddressMatch only(String address) {
        try {
            return new AddressMatch(List.of(Cidr.parse(address)), List.of());
        } catch (Cidr.FormatException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
