package io.ambo.node.datapath;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.node.config.AddressMatch;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.routing.Routes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PacketPipelineTest {
    private static final String CLIENT = "10.0.0.7";
    private static final String SERVER = "192.0.2.3";
    private static final String CLIENT6 = "2001:db8:0::7";
    private static final String SERVER6 = "2001:db8:1::3";
    private static final Timeouts TIMEOUTS = new Timeouts(30_000, 7_200_000, 120_000, 10_000, 30_000, 120_000, 10_000, 120_000);

    @TempDir
    Path directory;
    private ChronicleSessionTable tableA;
    private ChronicleSessionTable tableB;
    private TestNode a;
    private TestNode b;

    @BeforeEach
    void twoNodes() throws Exception {
        Policy policy = new Policy(
                List.of(rule("limited", Rule.Action.ALLOW, 7777, 1, false, false),
                        rule("rejected", Rule.Action.REJECT, 9999, 0, false, false),
                        rule("picked-up", Rule.Action.ALLOW, 8888, 0, true, false),
                        rule("deferred", Rule.Action.ALLOW, 6666, 0, false, true),
                        rule("out", Rule.Action.ALLOW, -1, 0, false, false)),
                Rule.defaultRule(Rule.Action.DROP), TIMEOUTS, 0, Nat.NONE);
        tableA = ChronicleSessionTable.open(Files.createDirectory(directory.resolve("a")), 10_000, Clock.SYSTEM);
        tableB = ChronicleSessionTable.open(Files.createDirectory(directory.resolve("b")), 10_000, Clock.SYSTEM);
        a = new TestNode(tableA, policy, 1);
        b = new TestNode(tableB, policy, 2);
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
    @ValueSource(strings = { "4", "6" })
    void aHandshakePassesAndIsRewrittenForItsNextHop(String version) {
        a.in(0, tcp(version, true).flags(SYN).seq(100));
        PacketView syn = a.onlySent();
        assertThat(syn.ttl()).isEqualTo(63);
        a.in(1, tcp(version, false).flags(SYN | ACK).seq(500).ack(101));
        a.onlySent();
        a.in(0, tcp(version, true).flags(ACK).seq(101).ack(501).payload(10));
        a.onlySent();
        assertThat(a.dropped()).isEmpty();
        assertThat(tableA.size()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = { "4", "6" })
    void aSynAckThatIsFasterThanItsDeltaIsParkedAndReleasedByIt(String version) {
        pair();
        a.in(0, tcp(version, true).flags(SYN).seq(100));
        a.onlySent();
        b.in(1, tcp(version, false).flags(SYN | ACK).seq(500).ack(101));
        assertThat(b.sent).isEmpty();
        a.deliverTo(b);
        assertThat(b.onlySent().hasTcp(SYN)).isTrue();
        assertThat(b.counters.total(NodeCounter.STRAYS_RELEASED_BY_DELTA)).isEqualTo(1);
        assertThat(b.dropped()).isEmpty();
    }

    @Test
    void aDeltaAppliedBetweenLookUpAndParkingIsFoundAtTheEndOfTheTurn() {
        pair();
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        for (TestNode.Delta delta : a.deltas) b.table.merge(delta.key(), delta.session()); // nobody is told
        b.passMs(0);
        assertThat(b.sent).hasSize(1);
    }

    @Test
    void anAnswerToADatagramWaitsForItsSessionToo() {
        pair();
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(20));
        a.onlySent();
        b.in(1, PacketBuilder.udp4().from(SERVER, 53).to(CLIENT, 4000).payload(20));
        assertThat(b.sent).isEmpty();
        a.deliverTo(b);
        b.onlySent();
    }

    @Test
    void aPingComesBackThroughThePeer() {
        pair();
        a.in(0, PacketBuilder.echoRequest6(7, 1).from(CLIENT6).to(SERVER6));
        a.onlySent();
        a.deliverTo(b);
        b.in(1, PacketBuilder.echoReply6(7, 1).from(SERVER6).to(CLIENT6));
        assertThat(b.onlySent().isEchoReply()).isTrue();
    }

    @Test
    void aStrayWhoseDeltaDoesNotComeIsDroppedAfterItsTime() {
        pair();
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        b.passMs(9);
        assertThat(b.dropped()).isEmpty();
        b.passMs(2);
        assertThat(b.dropped()).containsExactly("STRAY=1");
    }

    @Test
    void withoutAPeerAStrayIsDroppedAtOnce() {
        a.in(1, tcp("4", false).flags(ACK).seq(500).ack(101));
        assertThat(a.dropped()).containsExactly("STRAY=1");
    }

    @Test
    void theParkingIsBounded() {
        pair();
        for (int i = 0; i < 10; i++) b.in(1, PacketBuilder.tcp4().from(SERVER, 443).to(CLIENT, 2000 + i).flags(SYN | ACK).seq(1).ack(1));
        assertThat(b.dropped()).containsExactly("PARK_FULL=2");
    }

    @Test
    void whatNoRuleAllowsIsDroppedAndARejectIsTold() {
        a.in(1, PacketBuilder.tcp4().from(SERVER, 1).to(CLIENT, 22).flags(SYN));
        assertThat(a.dropped()).containsExactly("RULE_DROP=1");
        a.in(0, PacketBuilder.tcp4().from(CLIENT, 4000).to(SERVER, 9999).flags(SYN).seq(9));
        PacketView reset = a.onlySent();
        assertThat(reset.hasTcp(RST)).isTrue();
        assertThat(reset.tcpAck()).isEqualTo(10);
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 9999).payload(4));
        assertThat(a.onlySent().icmpType()).isEqualTo(3);
        assertThat(tableA.size()).isZero();
    }

    @Test
    void aMidStreamSegmentOpensASessionOnlyWhereTheRuleSaysSo() {
        a.in(0, PacketBuilder.tcp4().from(CLIENT, 4000).to(SERVER, 80).flags(ACK).seq(5).ack(6).payload(3));
        assertThat(a.dropped()).containsExactly("STRAY=1");
        a.in(0, PacketBuilder.tcp4().from(CLIENT, 4000).to(SERVER, 8888).flags(ACK).seq(5).ack(6).payload(3));
        a.onlySent();
        assertThat(a.counters.total(NodeCounter.SESSIONS_OPENED_MID_STREAM)).isEqualTo(1);
    }

    @Test
    void aSourceHasAsManySessionsAsItMay() {
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 7777).payload(3));
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4001).to(SERVER, 7777).payload(3));
        assertThat(a.dropped()).containsExactly("SOURCE_LIMIT=1");
        a.in(0, PacketBuilder.udp4().from("10.0.0.8", 4001).to(SERVER, 7777).payload(3));
        assertThat(a.sent).hasSize(2);
    }

    @Test
    void anExpiredTtlIsAnsweredAndOpensNothing() {
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 33_434).ttl(1).payload(3));
        PacketView answer = a.onlySent();
        assertThat(answer.icmpType()).isEqualTo(11);
        assertThat(tableA.size()).isZero();
    }

    @Test
    void aPacketTooBigIsAnsweredOrFragmented() {
        a.mtu = 600;
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).dontFragment().payload(1000));
        PacketView needed = a.onlySent();
        assertThat(needed.icmpType()).isEqualTo(3);
        assertThat(needed.icmpCode()).isEqualTo(4);
        a.in(0, PacketBuilder.udp6().from(CLIENT6, 4000).to(SERVER6, 53).payload(1000));
        assertThat(a.onlySent().icmpType()).isEqualTo(2);
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(1000));
        assertThat(a.sent).hasSize(2);
        assertThat(a.counters.total(NodeCounter.FRAGMENTS_MADE)).isEqualTo(2);
    }

    @Test
    void fragmentsFindTheirSessionInAnyOrder() {
        List<byte[]> parts = PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).id(77).payload(2000).fragments(800, 1600);
        a.in(0, parts.get(1));
        a.in(0, parts.get(2));
        assertThat(a.sent).isEmpty();
        a.in(0, parts.get(0));
        a.passMs(0);
        assertThat(a.sent).hasSize(3);
        assertThat(a.dropped()).isEmpty();
        assertThat(tableA.size()).isEqualTo(1);
    }

    @Test
    void anIcmpErrorBelongsToTheSessionItQuotes() {
        byte[] request = PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(20).bytes();
        a.in(1, PacketBuilder.error4(3, 3, request, 28).from(SERVER).to(CLIENT));
        assertThat(a.dropped()).containsExactly("ICMP_ERROR_WITHOUT_SESSION=1");
        a.in(0, request);
        a.onlySent();
        a.in(1, PacketBuilder.error4(3, 3, request, 28).from(SERVER).to(CLIENT));
        assertThat(a.onlySent().isIcmpError()).isTrue();
    }

    @Test
    void aPacketWaitsForItsNextHopAndGoesOnWhenItIsKnown() {
        a.route = Routes.Result.PENDING;
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(20));
        assertThat(a.sent).isEmpty();
        a.route = Routes.Result.FOUND;
        a.generation++;
        a.passMs(1);
        a.onlySent();
    }

    @Test
    void aNextHopThatDoesNotAnswerIsTold() {
        a.route = Routes.Result.NEIGHBOUR_FAILED;
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(20));
        assertThat(a.onlySent().icmpType()).isEqualTo(3);
        assertThat(a.dropped()).containsExactly("NEIGHBOUR_FAILED=1");
    }

    @Test
    void aDeferredSynWaitsForThePeersAcknowledgement() {
        pair();
        a.in(0, PacketBuilder.tcp4().from(CLIENT, 4000).to(SERVER, 6666).flags(SYN).seq(1));
        assertThat(a.sent).isEmpty();
        a.pipeline.onAcknowledged(a.ticket);
        a.onlySent();
        a.in(0, PacketBuilder.tcp4().from(CLIENT, 4001).to(SERVER, 6666).flags(SYN).seq(1));
        a.passMs(11);
        a.onlySent();
        assertThat(a.counters.total(NodeCounter.DEFERRED_EXPIRED)).isEqualTo(1);
    }

    @Test
    void forgedSegmentsDoNotPassOnEitherNode() {
        pair();
        handshakeAsymmetric();
        a.in(0, tcp("4", true).flags(RST).seq(101 + 500_000_000));
        a.in(0, tcp("4", true).flags(ACK).seq(101 + 500_000_000).ack(501).payload(100));
        b.in(0, tcp("4", true).flags(RST).seq(101 + 50));
        b.in(1, tcp("4", false).flags(ACK).seq(501 + 500_000_000).ack(101).payload(100));
        a.passMs(31); // in doubt until no delta can come any more
        b.passMs(31);
        assertThat(a.sent).isEmpty();
        assertThat(b.sent).isEmpty();
        assertThat(a.dropped()).contains("TCP_RST_OUT_OF_WINDOW=1", "TCP_OUT_OF_WINDOW=1");
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501).payload(100));
        a.onlySent();
    }

    @Test
    void theOtherNodeTakesTheConnectionOver() {
        pair();
        handshakeAsymmetric();
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501).payload(100));
        a.onlySent();
        a.deltas.clear(); // a dies before it could tell
        b.in(0, tcp("4", true).flags(ACK).seq(201).ack(501).payload(100));
        b.onlySent();
        assertThat(b.dropped()).isEmpty();
    }

    @Test
    void aNodeThatTakesOverLateDoesNotStallOnAnOldRetransmission() {
        pair();
        handshakeAsymmetric();
        int sent = 501;
        for (int i = 0; i < 20; i++, sent += 1000) { // passes through b, which tells a only now and then
            b.in(1, tcp("4", false).flags(ACK).seq(sent).ack(101).payload(1000));
            b.onlySent();
        }
        b.deltas.clear(); // b dies before it could tell the rest
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(sent));
        a.onlySent();
        a.in(1, tcp("4", false).flags(ACK).seq(501).ack(101).payload(1000)); // the server has not heard of the acknowledgement yet
        a.onlySent();
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(sent));
        a.onlySent();
        assertThat(a.dropped()).isEmpty();
    }

    @Test
    void aNodeThatTakesOverLetsAnAcknowledgementJumpOverAFilledHole() {
        pair();
        handshakeAsymmetric();
        int sent = 501;
        for (int i = 0; i < 20; i++, sent += 1000) b.in(1, tcp("4", false).flags(ACK).seq(sent).ack(101).payload(1000));
        b.deltas.clear(); // the client has all but the segments at 5,501 and 6,501; then b dies
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(5501));
        a.in(1, tcp("4", false).flags(ACK).seq(5501).ack(101).payload(1000));
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(6501));
        a.in(1, tcp("4", false).flags(ACK).seq(6501).ack(101).payload(1000));
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(sent));
        assertThat(a.dropped()).isEmpty();
    }

    @Test
    void aFlowThatGoesToThePeerAndComesBackWithinOneStepIsNotHeldToOldKnowledge() {
        pair();
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        a.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501));
        a.deliverTo(b);
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(10_000)); // whole in a's eyes: strict
        a.passMs(31);
        assertThat(a.dropped()).containsExactly("TCP_ACK_OUT_OF_WINDOW=1");
        a.sent.clear();
        b.in(1, tcp("4", false).flags(ACK).seq(501).ack(101).payload(1000));
        b.deliverTo(a); // b says at once that the flow has come to it
        b.in(1, tcp("4", false).flags(ACK).seq(1501).ack(101).payload(1000));
        assertThat(b.deltas).as("less than a step").isEmpty();
        a.in(1, tcp("4", false).flags(ACK).seq(501).ack(101).payload(1000)); // back again, with a retransmission
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(2501));
        assertThat(a.sent).hasSize(2);
    }

    @Test
    void aStrayWhoseDeltaIsLateGoesToThePeerWhichForwardsIt() {
        pair();
        b.takesStrays = true;
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        a.onlySent();
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        b.passMs(11);
        assertThat(b.dropped()).as("handed over").isEmpty();
        b.handOverTo(a);
        assertThat(a.onlySent().hasTcp(SYN | ACK)).isTrue();
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501));
        a.onlySent();
    }

    @Test
    void aStrayInFragmentsGoesToThePeerWholly() {
        pair();
        b.takesStrays = true;
        a.in(0, PacketBuilder.udp4().from(CLIENT, 4000).to(SERVER, 53).payload(20));
        a.onlySent();
        List<byte[]> parts = PacketBuilder.udp4().from(SERVER, 53).to(CLIENT, 4000).id(77).payload(2000).fragments(800, 1600);
        b.in(1, parts.get(1));
        b.in(1, parts.get(0));
        b.passMs(11);
        b.in(1, parts.get(2));
        b.passMs(0);
        b.handOverTo(a);
        a.passMs(0);
        assertThat(a.sent).hasSize(3);
        assertThat(a.dropped()).isEmpty();
        assertThat(b.dropped()).isEmpty();
    }

    /** What acknowledges a packet that the peer has forwarded since, and of which no delta has come, would be refused by a node that believed it had seen all. */
    @Test
    void whoIsHandedAPacketHasNotSeenTheWholeSession() {
        pair();
        b.takesStrays = true;
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        b.passMs(11);
        b.handOverTo(a);
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501));
        a.sent.clear();
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501 + 256));
        a.onlySent();
        assertThat(a.dropped()).isEmpty();
    }

    @Test
    void aStrayThatThePeerDoesNotKnowEitherIsDroppedThere() {
        pair();
        a.takesStrays = true;
        b.takesStrays = true;
        b.in(1, tcp("6", false).flags(ACK).seq(500).ack(101));
        b.passMs(11);
        b.handOverTo(a);
        a.passMs(11);
        assertThat(a.strays).as("never handed on").isEmpty();
        assertThat(a.dropped()).containsExactly("STRAY=1");
        assertThat(b.dropped()).isEmpty();
    }

    @Test
    void aPortIsReusedAfterTheConnectionHasEnded() {
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        a.in(1, tcp("4", false).flags(RST | ACK).seq(0).ack(101));
        a.in(0, tcp("4", true).flags(SYN).seq(90_000));
        a.in(1, tcp("4", false).flags(SYN | ACK).seq(7).ack(90_001));
        assertThat(a.sent).hasSize(4);
        assertThat(a.counters.total(NodeCounter.SESSIONS_REOPENED)).isEqualTo(1);
    }

    /** The server was started again, and its client comes back from the same port before this node has given the old connection up. */
    @ParameterizedTest
    @ValueSource(strings = { "4", "6" })
    void aSynAckThatAnswersASynInsideTheSessionBeginsTheNextOne(String version) {
        a.in(0, tcp(version, true).flags(SYN).seq(100)).in(1, tcp(version, false).flags(SYN | ACK).seq(500).ack(101));
        a.in(0, tcp(version, true).flags(ACK).seq(101).ack(501));
        a.sent.clear();
        a.in(0, tcp(version, true).flags(SYN).seq(900_000_000).scale(7).window(3000));
        a.onlySent();
        a.in(1, tcp(version, false).flags(SYN | ACK).seq(77_000_000).ack(900_100_000));
        a.onlySent();
        a.in(0, tcp(version, true).flags(ACK).seq(900_000_001).ack(77_000_001));
        assertThat(a.dropped()).as("what acknowledges another SYN begins nothing").containsExactly("TCP_OUT_OF_WINDOW=1");
        a.in(1, tcp(version, false).flags(SYN | ACK).seq(77_000_000).ack(900_000_001).scale(7));
        a.onlySent();
        a.in(0, tcp(version, true).flags(ACK).seq(900_000_001).ack(77_000_001).payload(10));
        a.onlySent();
        a.in(1, tcp(version, false).flags(ACK).seq(77_000_001).ack(900_000_011).payload(1000));
        a.onlySent();
        assertThat(a.counters.total(NodeCounter.SESSIONS_REOPENED)).isEqualTo(1);
        assertThat(tableA.size()).isEqualTo(1);
    }

    @Test
    void aSynAckWhoseSynPassedInsideTheSessionAtThePeerGoesThere() {
        openWholeOn(a);
        b.takesStrays = true;
        a.in(0, tcp("4", true).flags(SYN).seq(900_000_000));
        a.onlySent();
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(77_000_000).ack(900_000_001));
        assertThat(b.sent).isEmpty();
        b.handOverTo(a);
        assertThat(a.onlySent().hasTcp(SYN | ACK)).isTrue();
        a.deliverTo(b);
        b.in(0, tcp("4", true).flags(ACK).seq(900_000_001).ack(77_000_001).payload(10));
        b.onlySent();
        assertThat(a.dropped()).isEmpty();
        assertThat(b.dropped()).isEmpty();
    }

    @Test
    void copiesOfTheFirstPacketsThatComeLateBeginNothing() {
        openWholeOn(a);
        a.in(0, tcp("4", true).flags(SYN).seq(100)).in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        assertThat(a.sent).hasSize(2);
        assertThat(a.strays).isEmpty();
        assertThat(a.counters.total(NodeCounter.SESSIONS_REOPENED)).isZero();
    }

    /** Anybody can send one. */
    @Test
    void aSynInsideTheSessionDoesNotKeepItAlive() {
        openWholeOn(a);
        SessionRecord before = onlySession(tableA);
        a.passMs(60_000);
        a.in(0, tcp("4", true).flags(SYN).seq(900_000_000));
        a.onlySent();
        assertThat(onlySession(tableA).lastSeenMs()).isEqualTo(before.lastSeenMs());
        assertThat(a.deltas).isEmpty();
    }

    private static SessionRecord onlySession(ChronicleSessionTable table) {
        SessionKey key = new SessionKey();
        PacketBuilder.parsed(tcp("4", true).bytes()).writeKey(key, 0);
        SessionRecord session = new SessionRecord();
        assertThat(table.read(key, session)).isTrue();
        return session;
    }

    private void pair() {
        a.hasPeers = true;
        b.hasPeers = true;
    }

    private void handshakeAsymmetric() {
        a.in(0, tcp("4", true).flags(SYN).seq(100));
        a.onlySent();
        a.deliverTo(b);
        b.in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        b.onlySent();
        b.deliverTo(a);
        a.in(0, tcp("4", true).flags(ACK).seq(101).ack(501));
        a.onlySent();
        a.deliverTo(b);
    }

    private static PacketBuilder tcp(String version, boolean toServer) {
        PacketBuilder builder = version.equals("4") ? PacketBuilder.tcp4() : PacketBuilder.tcp6();
        String client = version.equals("4") ? CLIENT : CLIENT6;
        String server = version.equals("4") ? SERVER : SERVER6;
        return toServer ? builder.from(client, 51_022).to(server, 443) : builder.from(server, 443).to(client, 51_022);
    }

    private static Rule rule(String name, Rule.Action action, int port, int perSource, boolean midStream, boolean defer) {
        int[] ports = port < 0 ? new int[0] : new int[]{ port, port };
        Match match = new Match(new int[]{ TestNode.CLIENT_ZONE }, new int[]{ TestNode.SERVER_ZONE }, AddressMatch.ANY, AddressMatch.ANY,
                new int[0],
                new int[0], ports);
        return new Rule(name.hashCode(), name, action, false, 0, false, midStream, defer, true, 0, perSource, match);
    }

    @Test
    void everyReasonHasAnExplanation() { for (DropReason reason : DropReason.values()) assertThat(reason.help()).isNotBlank(); }

    @Test
    void aSegmentInDoubtWaitsForTheDeltaOfThePeerThatSawWhatItAnswers() {
        openWholeOn(a);
        b.in(1, tcp("4", false).flags(ACK).seq(501).ack(111).payload(1000));
        b.onlySent();
        a.in(0, tcp("4", true).flags(ACK).seq(111).ack(1501));
        assertThat(a.sent).as("what it acknowledges has not been seen here").isEmpty();
        assertThat(a.dropped()).isEmpty();
        b.deliverTo(a);
        a.onlySent();
        assertThat(a.counters.total(NodeCounter.SEGMENTS_VINDICATED)).isEqualTo(1);
    }

    @Test
    void aSegmentInDoubtOfASessionThatNobodyElseHasSeenIsDroppedInTheEnd() {
        openWholeOn(a);
        a.takesStrays = true;
        a.in(0, tcp("4", true).flags(ACK).seq(111).ack(1501));
        a.in(1, tcp("4", false).flags(RST).seq(600));
        a.passMs(29);
        assertThat(a.dropped()).isEmpty();
        a.passMs(2);
        assertThat(a.dropped()).containsExactly("TCP_ACK_OUT_OF_WINDOW=1", "TCP_RST_OUT_OF_WINDOW=1");
        assertThat(a.strays).isEmpty();
    }

    @Test
    void theAnswerToTheNextLifeOfASessionWaitsForItsDelta() {
        openWholeOn(a);
        a.in(0, tcp("4", true).flags(RST).seq(111));
        a.onlySent();
        a.deliverTo(b);
        a.in(0, tcp("4", true).flags(SYN).seq(90_000));
        a.onlySent();
        b.in(1, tcp("4", false).flags(RST | ACK).seq(0).ack(90_001));
        assertThat(b.dropped()).isEmpty();
        a.deliverTo(b);
        b.onlySent();
    }

    /** A session all of whose packets have passed one node, and of which both know. */
    private void openWholeOn(TestNode node) {
        a.hasPeers = b.hasPeers = true;
        node.in(0, tcp("4", true).flags(SYN).seq(100)).in(1, tcp("4", false).flags(SYN | ACK).seq(500).ack(101));
        node.in(0, tcp("4", true).flags(ACK).seq(101).ack(501).payload(10));
        assertThat(node.sent).hasSize(3);
        node.sent.clear();
        a.deliverTo(b);
        b.deliverTo(a);
    }
}
