package io.ambo.node.fastpath;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.redirect.Datagrams;
import io.ambo.node.redirect.Geneve;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.redirect.Redirects;
import io.ambo.node.sys.Bpf;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Packets that kernels hand to each other, frame by frame: one member's program puts them into Geneve, another's takes them out. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@SuppressWarnings("NullAway.Init")
class XdpRedirectTest {
    private static final int ZONE = 0x1234, IDLE_MS = 60_000, ETHERNET = 14, OUTER = 14 + 20 + 8, OUTER6 = 14 + 40 + 8;
    private static final byte[] KEY = HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f");
    private static final NodeId A = NodeId.of("a"), B = NodeId.of("b");
    private static final String CLIENT = "10.0.0.7", SERVER = "198.51.100.9", CLIENT6 = "2001:db8:7::7", SERVER6 = "2001:db8:9::9";

    private FastPathNetwork a;
    private FastPathNetwork b;

    @BeforeAll
    void twoMembers() throws Exception {
        a = new FastPathNetwork();
        b = new FastPathNetwork();
        b.namespace.call(() -> {
            b.program.detach(FastPathNetwork.IN);
            b.program.attach(FastPathNetwork.LOOPBACK, HandedFrame.PORT, FastPathNetwork.MAC, XdpProgram.ModeChoice.GENERIC_ONLY);
            b.program.registerSocket(HandedFrame.PORT, 0, b.socket.fd());
            return null;
        });
        a.program.setZone(FastPathNetwork.LOOPBACK, -1, ZONE);
    }

    @BeforeEach
    void beginAnew() {
        a.emptyTheCache();
        b.emptyTheCache();
    }

    /** Says who is where: the link between them is of one IP version or the other. */
    private void link(String version) throws Exception {
        InetAddress addressOfA = InetAddress.getByName(version.equals("4") ? "192.0.2.1" : "2001:db8:2::1");
        InetAddress addressOfB = InetAddress.getByName(version.equals("4") ? "192.0.2.99" : "2001:db8:2::99");
        long key0 = Redirects.keyWord(KEY, 0);
        long key1 = Redirects.keyWord(KEY, 1);
        a.program.redirect().turnOn(a.index("ambsys-a"), A, addressOfA, Geneve.PORT, new byte[16], key0, key1);
        a.program.redirect().sendTo(B, addressOfB, Geneve.PORT);
        b.program.redirect().turnOn(FastPathNetwork.LOOPBACK, B, addressOfB, Geneve.PORT, new byte[16], 1, 2);
        b.program.redirect().takeNoMoreFrom(A.value());
        b.program.redirect().takeFrom(A, addressOfA, key0, key1);
    }

    @AfterAll
    void removeEverything() {
        if (a != null) a.close();
        if (b != null) b.close();
    }

    private static PacketBuilder packet(String version) {
        PacketBuilder packet = version.equals("4")
                ? PacketBuilder.tcp4().from(CLIENT, 40_000).to(SERVER, 80)
                : PacketBuilder.tcp6().from(CLIENT6, 40_000).to(SERVER6, 80);
        return packet.macs(FastPathNetwork.MAC, FastPathNetwork.PEER_MAC).flags(ACK).seq(1000).ack(5000).payload(100).ttl(64);
    }

    private static SessionKey ends(byte[] frame) {
        SessionKey key = new SessionKey();
        FastPathNetwork.parse(frame).writeKey(key, 0);
        return key;
    }

    private static byte[] ip(byte[] frame) { return Arrays.copyOfRange(frame, ETHERNET, frame.length); }

    /** What a's program makes of a frame whose flow b owns. */
    private byte[] handedOver(byte[] frame) throws Exception {
        a.cache.installRedirect(ends(frame), B.value(), System.nanoTime() / 1_000_000);
        long before = a.program.counter(XdpCounter.REDIRECTED_IN_KERNEL);
        Bpf.TestRun run = a.run(frame);
        assertThat(run.result()).isEqualTo(Bpf.XDP_REDIRECT);
        assertThat(a.program.counter(XdpCounter.REDIRECTED_IN_KERNEL)).isEqualTo(before + 1);
        return run.frame();
    }

    static Stream<Arguments> versions() {
        return Stream.of(Arguments.of("4", "4"), Arguments.of("4", "6"), Arguments.of("6", "4"), Arguments.of("6", "6"));
    }

    @ParameterizedTest(name = "IPv{1} over IPv{0}")
    @MethodSource("versions")
    void theDatagramIsTheOneThatJavaWouldHaveMade(String outer, String inner) throws Exception {
        link(outer);
        byte[] frame = packet(inner).bytes();
        byte[] out = handedOver(frame);
        int geneve = outer.equals("4") ? OUTER : OUTER6;
        assertThat(out).hasSize(geneve + Geneve.SIZE + frame.length - ETHERNET);
        assertThat(HexFormat.of().formatHex(out, 0, 12)).isEqualTo("020000000063" + "020000000002");
        assertThat(HexFormat.of().formatHex(out, geneve, geneve + 20)).isEqualTo("0740" + (inner.equals("4") ? "0800" : "86dd") + "00123400"
                + "ff01c106" + "%04x%04x".formatted(A.value(), A.value()) + "02010000");
        assertThat(ip(frame)).isEqualTo(Arrays.copyOfRange(out, geneve + Geneve.SIZE, out.length));
        PacketView datagram = FastPathNetwork.parse(out);
        assertThat(datagram.isUdp()).isTrue();
        assertThat(datagram.destinationPort()).isEqualTo(Geneve.PORT);
        assertThat(datagram.sourcePort()).isGreaterThanOrEqualTo(0xC000);
        assertThat(datagram.ipLength()).isEqualTo(out.length - ETHERNET);
        InetAddress from = InetAddress.getByName(outer.equals("4") ? "192.0.2.1" : "2001:db8:2::1");
        InetAddress to = InetAddress.getByName(outer.equals("4") ? "192.0.2.99" : "2001:db8:2::99");
        assertThat(Datagrams.tagOf(out, geneve)).isEqualTo(Datagrams.tag(from, to, out, geneve, KEY));
    }

    @ParameterizedTest(name = "IPv{1} over IPv{0}")
    @MethodSource("versions")
    void theOwnerForwardsItAsIfItHadComeInThere(String outer, String inner) throws Exception {
        link(outer);
        byte[] frame = packet(inner).bytes();
        SessionKey key = ends(frame);
        SessionRecord record = new SessionRecord().incarnation(0, 1, B.value()).owner(B.value()).timeoutMs(IDLE_MS)
                .lastSeenMs(System.nanoTime() / 1_000_000);
        for (TcpHalf half : new TcpHalf[]{ record.original(), record.reply() }) {
            half.raiseState(TcpHalf.ESTABLISHED);
            half.advanceMaxEnd(100_000);
            half.raiseMaxWindow(60_000);
        }
        boolean clientIsHigh = FastPathNetwork.parse(frame).writeKey(key, 0);
        if (clientIsHigh) record.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
        record.original().advanceSeqEnd(1000);
        record.original().advanceAck(5000);
        record.reply().advanceSeqEnd(5000);
        record.reply().advanceAck(1000);
        b.cache.install(key, record);
        byte[] datagram = handedOver(frame);
        long before = b.program.counter(XdpCounter.FORWARDED);
        Bpf.TestRun run = b.run(datagram);
        assertThat(run.result()).isEqualTo(Bpf.XDP_REDIRECT);
        assertThat(b.program.counter(XdpCounter.FORWARDED)).isEqualTo(before + 1);
        assertThat(run.frame()).hasSameSizeAs(frame);
        assertThat(FastPathNetwork.parse(run.frame()).ttl()).isEqualTo(63);
        assertThat(HexFormat.of().formatHex(run.frame(), 0, 12)).isEqualTo("020000000063" + "020000000002");
        SessionRecord after = new SessionRecord().copyFrom(record);
        assertThat(b.cache.refresh(key, after)).isTrue();
        assertThat(after.packets(false)).isOne();
    }

    @Test
    void whatTheOwnerDoesNotHaveInItsCacheGoesToItsWorker() throws Exception {
        link("4");
        byte[] frame = packet("4").bytes();
        byte[] datagram = handedOver(frame);
        long before = b.program.counter(XdpCounter.PUNTED_HANDED);
        Bpf.TestRun run = b.run(datagram);
        assertThat(run.result()).isEqualTo(Bpf.XDP_REDIRECT);
        assertThat(b.program.counter(XdpCounter.PUNTED_HANDED)).isEqualTo(before + 1);
        assertThat(HexFormat.of().formatHex(run.frame(), 0, ETHERNET))
                .isEqualTo("024112340201" + "0241%04x%04x".formatted(A.value(), A.value()) + "0800");
        assertThat(ip(run.frame())).isEqualTo(ip(frame));
    }

    @Test
    void whatIsHandedOverIsNeverHandedOn() throws Exception {
        link("4");
        byte[] frame = packet("4").bytes();
        byte[] datagram = handedOver(frame);
        b.cache.installRedirect(ends(frame), A.value(), System.nanoTime() / 1_000_000);
        b.expect(XdpCounter.PUNTED_HANDED, datagram);
    }

    @ParameterizedTest
    @ValueSource(strings = { "4", "6" })
    void itCountsOnce(String outer) throws Exception {
        link(outer);
        byte[] first = handedOver(packet("4").bytes());
        byte[] second = handedOver(packet("4").bytes());
        b.expect(XdpCounter.PUNTED_HANDED, second);
        b.expect(XdpCounter.PUNTED_HANDED, first);
        b.expect(XdpCounter.DROPPED_REDIRECT_REPLAYED, first);
        b.expect(XdpCounter.DROPPED_REDIRECT_REPLAYED, second);
    }

    @Test
    void numbersTooOldCountAsSeen() throws Exception {
        link("4");
        byte[] old = handedOver(packet("4").bytes());
        byte[] newest = old;
        for (int i = 0; i < 2048; i++) newest = handedOver(packet("4").bytes());
        b.expect(XdpCounter.PUNTED_HANDED, newest);
        b.expect(XdpCounter.DROPPED_REDIRECT_REPLAYED, old);
    }

    record Damage(String what, int at, XdpCounter expected) {
        @Override
        public String toString() { return what; }
    }

    static Stream<Damage> damages() {
        int geneve = OUTER;
        int inner = OUTER + Geneve.SIZE;
        XdpCounter tag = XdpCounter.DROPPED_REDIRECT_UNAUTHENTIC, form = XdpCounter.DROPPED_REDIRECT_MALFORMED;
        return Stream.of(new Damage("zone", geneve + 5, tag), new Damage("ingress", geneve + 14, tag),
                new Damage("number", geneve + 27, tag),
                new Damage("tag", geneve + 30, tag), new Damage("inner source", inner + 13, tag), new Damage("inner port", inner + 21, tag),
                new Damage("inner sequence number", inner + 25, tag), new Damage("version", geneve, form),
                new Damage("flags", geneve + 1, form),
                new Damage("protocol", geneve + 2, form), new Damage("the reserved byte", geneve + 7, form),
                new Damage("option class", geneve + 8, form), new Damage("option length", geneve + 11, form),
                new Damage("hops", geneve + 16, form), new Damage("reserved bytes", geneve + 19, form),
                new Damage("inner version", inner, form),
                new Damage("inner length", inner + 3, form), new Damage("UDP length", OUTER - 3, form),
                new Damage("sender", geneve + 13, XdpCounter.DROPPED_REDIRECT_SENDER),
                new Damage("outer source", ETHERNET + 15, XdpCounter.DROPPED_REDIRECT_SENDER),
                new Damage("the workers' lane", geneve + 17, XdpCounter.PASSED_SYNC),
                new Damage("outer destination", ETHERNET + 19, XdpCounter.PASSED_SYNC),
                new Damage("UDP port", OUTER - 5, XdpCounter.PASSED_SYNC), new Damage("a fragment", ETHERNET + 7, XdpCounter.PASSED_SYNC),
                new Damage("outer protocol", ETHERNET + 9, XdpCounter.PASSED_SYNC));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damages")
    void whatWasChangedOnTheWayChangesNothing(Damage damage) throws Exception {
        link("4");
        byte[] datagram = handedOver(packet("4").bytes());
        byte[] changed = datagram.clone();
        // The lane is one bit, the version the upper half of its byte.
        changed[damage.at] ^= (byte) (damage.at == OUTER + 17 ? 1 : damage.at == OUTER + Geneve.SIZE ? 0x40 : 4);
        b.expect(damage.expected, changed);
        b.expect(XdpCounter.PUNTED_HANDED, datagram);
    }

    @Test
    void aDatagramThatEndsEarlyChangesNothing() throws Exception {
        link("4");
        byte[] datagram = handedOver(packet("4").bytes());
        for (int length = ETHERNET; length < OUTER + Geneve.SIZE + 40; length += 3) {
            Bpf.TestRun run = b.run(Arrays.copyOf(datagram, length));
            assertThat(run.result()).as("%d bytes", length).isIn(Bpf.XDP_PASS, Bpf.XDP_DROP);
        }
    }

    @Test
    void somebodyWithoutTheKeyIsNobody() throws Exception {
        link("4");
        byte[] datagram = handedOver(packet("4").bytes());
        byte[] other = HexFormat.of().parseHex("ff0102030405060708090a0b0c0d0e0f");
        Datagrams.writeTag(datagram, OUTER,
                Datagrams.tag(InetAddress.getByName("192.0.2.1"), InetAddress.getByName("192.0.2.99"), datagram, OUTER, other));
        b.expect(XdpCounter.DROPPED_REDIRECT_UNAUTHENTIC, datagram);
    }

    @Test
    void whatTheKernelMayNotOrCannotSendIsTheWorkers() throws Exception {
        link("4");
        byte[] frame = packet("4").bytes();
        a.cache.installRedirect(ends(frame), B.value(), System.nanoTime() / 1_000_000);
        a.expect(XdpCounter.PUNTED, packet("4").flags(ACK | FIN).bytes());
        a.expect(XdpCounter.PUNTED, packet("4").ttl(1).bytes());
        // 64 bytes more, and the link takes 1500.
        a.expect(XdpCounter.REDIRECTED_IN_KERNEL, packet("4").payload(1500 - 64 - 40).bytes());
        a.expect(XdpCounter.PUNTED_REDIRECT, packet("4").payload(1500 - 64 - 39).bytes());
        // What comes behind it does not overtake it; another flow is none of its business.
        a.expect(XdpCounter.PUNTED_REDIRECT, frame);
        byte[] other = packet("4").from(CLIENT, 40_001).bytes();
        a.cache.installRedirect(ends(other), B.value(), System.nanoTime() / 1_000_000);
        a.expect(XdpCounter.REDIRECTED_IN_KERNEL, other);
        a.program.redirect().sendNoMoreTo(B.value());
        a.expect(XdpCounter.PUNTED_REDIRECT, frame);
    }

    @Test
    void aNoteIsNoSession() {
        SessionKey key = ends(packet("4").bytes());
        assertThat(a.cache.installRedirect(key, B.value(), 1)).isTrue();
        assertThat(a.cache.redirectedTo(key)).isEqualTo(B.value());
        assertThat(a.cache.refresh(key, new SessionRecord().incarnation(0, 7, 1))).isFalse();
        SessionRecord record = new SessionRecord().incarnation(0, 7, 1).timeoutMs(IDLE_MS);
        a.cache.install(key, record);
        // What is there of a session stays.
        assertThat(a.cache.installRedirect(key, B.value(), 1)).isTrue();
        assertThat(a.cache.redirectedTo(key)).isZero();
        assertThat(a.cache.refresh(key, record)).isTrue();
    }
}
