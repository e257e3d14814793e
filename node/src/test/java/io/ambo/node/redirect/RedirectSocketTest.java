package io.ambo.node.redirect;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.time.Clock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two members on loopback addresses, and somebody else who has what they have sent. */
class RedirectSocketTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
    private static final byte[] PACKET = HexFormat.of().parseHex("4500001c000040004011000a0a000001c0000203" + "9c40003500080000");
    private static final int ZONE = 77, PORT = 26_081;

    private final List<AutoCloseable> open = new ArrayList<>();
    private final MemorySegment memory = Arena.ofAuto().allocate(1 << 16, 8);
    private Member a;
    private Member b;

    private record Member(Redirects redirects, RedirectSocket socket) {
        int id() { return redirects.local().value(); }

        void hears(Member other) { redirects.onHello(other.redirects.local(), other.redirects.hello()); }

        long count(RedirectCounter counter) { return redirects.counters().total(counter); }
    }

    private Member member(String name, String address, ClusterKey key) throws Exception {
        Redirects redirects = new Redirects(key, NodeId.of(name), InetAddress.getByName(address), PORT, 1000, Clock.SYSTEM,
                new SplittableRandom());
        RedirectSocket socket = redirects.newSocket();
        open.add(socket);
        return new Member(redirects, socket);
    }

    @BeforeEach
    void twoMembers() throws Exception {
        a = member("a", "127.0.0.11", KEY);
        b = member("b", "127.0.0.12", KEY);
        a.hears(b);
        b.hears(a);
    }

    @AfterEach
    void closeAll() throws Exception { for (AutoCloseable each : open) each.close(); }

    private boolean send(Member from, Member to, byte[] packet) {
        MemorySegment.copy(packet, 0, memory, ValueLayout.JAVA_BYTE, 100, packet.length);
        return from.socket.send(to.id(), ZONE, 4711, Geneve.ASK, memory, 100, packet.length);
    }

    private int receive(Member at) {
        int[] length = new int[1];
        Awaitility.await().pollInterval(1, TimeUnit.MILLISECONDS).until(() -> (length[0] = at.socket.receive(memory, 8, 4096)) != 0);
        return length[0];
    }

    @Test
    void aPacketComesAsItWasHandedOver() {
        assertThat(send(a, b, PACKET)).isTrue();
        assertThat(receive(b)).isEqualTo(HandedFrame.HEADER + PACKET.length);
        assertThat(HandedFrame.zone(memory, 8)).isEqualTo(ZONE);
        assertThat(HandedFrame.ingress(memory, 8)).isEqualTo(4711);
        assertThat(HandedFrame.hops(memory, 8)).isEqualTo(Geneve.ASK);
        assertThat(memory.asSlice(8 + HandedFrame.HEADER, PACKET.length).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(PACKET);
        assertThat(b.socket.receive(memory, 8, 4096)).isZero();
    }

    @Test
    void aLargePacketGoesInFragments() {
        byte[] large = Arrays.copyOf(PACKET, 3_000);
        large[2] = (byte) (3_000 >>> 8);
        large[3] = (byte) 3_000;
        a.redirects.linkMtu(1_500);
        assertThat(send(a, b, large)).isTrue();
        assertThat(receive(b)).isEqualTo(HandedFrame.HEADER + 3_000);
        assertThat(a.count(RedirectCounter.SENT_IN_FRAGMENTS)).isOne();
    }

    @Test
    void whoHasSaidNothingIsSentNothing() throws Exception {
        Member c = member("c", "127.0.0.13", KEY);
        assertThat(send(a, c, PACKET)).isFalse();
        assertThat(a.count(RedirectCounter.UNSENT_NO_PEER)).isOne();
    }

    /** Takes what a member sends to another, as somebody on the link would. */
    private byte[] caught() throws Exception {
        b.socket.close();
        open.remove(b.socket);
        byte[] datagram = new byte[2048];
        int length;
        try (DatagramSocket tap = new DatagramSocket(PORT, InetAddress.getByName("127.0.0.12"))) {
            tap.setSoTimeout(5_000);
            assertThat(send(a, b, PACKET)).isTrue();
            DatagramPacket packet = new DatagramPacket(datagram, datagram.length);
            tap.receive(packet);
            length = packet.getLength();
        }
        b = new Member(b.redirects, b.redirects.newSocket());
        open.add(b.socket);
        return Arrays.copyOf(datagram, length);
    }

    private void injectFromA(byte[] datagram) throws Exception {
        a.socket.close();
        open.remove(a.socket);
        try (DatagramSocket forger = new DatagramSocket(PORT, InetAddress.getByName("127.0.0.11"))) {
            forger.send(new DatagramPacket(datagram, datagram.length, InetAddress.getByName("127.0.0.12"), PORT));
        }
        a = new Member(a.redirects, a.redirects.newSocket());
        open.add(a.socket);
    }

    @Test
    void whatWasSeenOnceIsRefused() throws Exception {
        byte[] datagram = caught();
        injectFromA(datagram);
        assertThat(receive(b)).isPositive();
        injectFromA(datagram);
        assertThat(receive(b)).isNegative();
        assertThat(b.count(RedirectCounter.REFUSED_REPLAYED)).isOne();
    }

    @Test
    void whatWasChangedIsRefused() throws Exception {
        byte[] datagram = caught();
        // Zone, ingress, hops, number, tag, inner addresses and ports.
        for (int at : new int[]{ 6, 14, 16, 27, 30, 36 + 13, 36 + 17, 36 + 22 }) {
            byte[] changed = datagram.clone();
            changed[at] ^= (byte) 1;
            injectFromA(changed);
            assertThat(receive(b)).as("byte %d", at).isNegative();
        }
        assertThat(b.count(RedirectCounter.REFUSED_UNAUTHENTIC)).isEqualTo(8);
        injectFromA(datagram);
        assertThat(receive(b)).isPositive();
    }

    @Test
    void whatIsOfTheKernelsLaneIsNotForWorkers() throws Exception {
        byte[] datagram = caught();
        datagram[17] = Geneve.KERNEL;
        injectFromA(datagram);
        assertThat(receive(b)).isNegative();
        assertThat(b.count(RedirectCounter.REFUSED_LANE)).isOne();
    }

    @Test
    void whoHasAnotherKeyOrAnotherAddressIsRefused() throws Exception {
        Member stranger = member("a", "127.0.0.14",
                ClusterKey.of("another secret of thirty-two bytes".getBytes(StandardCharsets.US_ASCII)));
        stranger.hears(b);
        assertThat(send(stranger, b, PACKET)).isTrue();
        assertThat(receive(b)).isNegative();
        assertThat(b.count(RedirectCounter.REFUSED_SENDER)).isOne();
    }

    @Test
    void noDatagramOfAnEarlierRunCounts() throws Exception {
        byte[] datagram = caught();
        Member again = new Member(
                new Redirects(KEY, NodeId.of("a"), InetAddress.getByName("127.0.0.11"), PORT, 1000, Clock.SYSTEM, new SplittableRandom()),
                a.socket);
        b.hears(again);
        injectFromA(datagram);
        assertThat(receive(b)).isNegative();
        assertThat(b.count(RedirectCounter.REFUSED_UNAUTHENTIC)).isOne();
    }

    @Test
    void whatIsNoneOfThisFormIsRefused() throws Exception {
        injectFromA(new byte[0]);
        assertThat(receive(b)).isNegative();
        injectFromA(new byte[]{ 1, 2, 3 });
        assertThat(receive(b)).isNegative();
        assertThat(b.count(RedirectCounter.REFUSED_MALFORMED)).isEqualTo(2);
    }

    /** The drill redirect-mtu, one time in five: no packet was handed over by the kernel, ever. */
    @Test
    void aHelloThatComesBeforeItsViewCounts() {
        NodeId local = NodeId.of("a");
        Lane lane = new Lane();
        a.redirects.onView(new View(1, local, List.of(local)));
        a.redirects.kernelLane(lane, new byte[16]);
        b.redirects.kernelLane(new Lane(), new byte[16]);
        a.hears(b);
        assertThat(lane.targets).as("it is not a member yet").isEmpty();
        a.redirects.onView(new View(2, local, List.of(local, NodeId.of("b"))));
        assertThat(lane.targets).containsExactly(b.id());
        a.redirects.onView(new View(3, local, List.of(local)));
        assertThat(lane.targets).isEmpty();
        a.redirects.onView(new View(4, local, List.of(local, NodeId.of("b"))));
        assertThat(lane.targets).containsExactly(b.id());
    }

    private static final class Lane implements KernelLane {
        final Set<Integer> targets = new HashSet<>();

        @Override
        public boolean isOn() { return true; }

        @Override
        public void sendTo(NodeId member, InetAddress address, int port) { targets.add(member.value()); }

        @Override
        public void sendNoMoreTo(int member) { targets.remove(member); }

        @Override
        public void takeFrom(NodeId member, InetAddress address, long key0, long key1) {}

        @Override
        public void takeNoMoreFrom(int member) {}
    }

    @Test
    void aMemberThatHasLeftIsForgottenAfterAWhile() {
        View together = new View(1, NodeId.of("a"), List.of(NodeId.of("a"), NodeId.of("b")));
        a.redirects.onView(together);
        a.redirects.onView(new View(2, NodeId.of("a"), List.of(NodeId.of("a"))));
        assertThat(a.redirects.peer(b.id())).isNotNull();
        Awaitility.await().until(() -> {
            a.redirects.forgetTheGone();
            return a.redirects.peer(b.id()) == null;
        });
    }
}
