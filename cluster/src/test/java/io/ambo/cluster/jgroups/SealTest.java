package io.ambo.cluster.jgroups;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.membership.Transport.PacketRefusal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SealTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
    private static final ClusterKey OTHER = ClusterKey.of("fedcba9876543210fedcba9876543210".getBytes(StandardCharsets.US_ASCII));

    private final Random random = new Random(1);
    private long nowNs = 1_000_000_000L;

    /** One end of the link: what it delivered, refused, and sends by itself. */
    private final class End implements Seal.Port<String> {
        final Seal seal;
        final List<String> delivered = new ArrayList<>();
        final List<PacketRefusal> refused = new ArrayList<>();
        final Queue<byte[]> toSend = new ArrayDeque<>();
        int strangers;

        End(ClusterKey key) { this(key, "c"); }

        End(ClusterKey key, String cluster) { seal = new Seal(key, cluster, random, () -> nowNs); }

        void open(byte[] packet) { seal.open("peer", packet, 0, packet.length, this); }

        byte[] packet(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            return seal.seal(bytes, 0, bytes.length);
        }

        @Override
        public void deliver(String from, byte[] bytes, int offset, int length) {
            delivered.add(new String(bytes, offset, length, StandardCharsets.UTF_8));
        }

        @Override
        public void send(String to, byte[] packet) { toSend.add(packet); }

        @Override
        public void refused(PacketRefusal refusal) { refused.add(refusal); }

        @Override
        public void stranger(String from) { strangers++; }
    }

    /** Carries what both ends have to send until neither has anything. */
    private static void exchange(End a, End b) {
        while (!a.toSend.isEmpty() || !b.toSend.isEmpty()) {
            for (byte[] packet = a.toSend.poll(); packet != null; packet = a.toSend.poll()) b.open(packet);
            for (byte[] packet = b.toSend.poll(); packet != null; packet = b.toSend.poll()) a.open(packet);
        }
    }

    @Test
    void theFirstPacketWaitsForTheProofThatItsSenderLives() {
        End a = new End(KEY);
        End b = new End(KEY);
        b.open(a.packet("one"));
        b.open(a.packet("two"));
        assertThat(b.delivered).isEmpty();
        exchange(a, b);
        assertThat(b.delivered).containsExactly("one", "two");
        b.open(a.packet("three"));
        assertThat(b.delivered).containsExactly("one", "two", "three");
        a.open(b.packet("back"));
        assertThat(a.delivered).containsExactly("back");
    }

    @Test
    void aPacketPassesOnce() {
        End a = new End(KEY);
        End b = new End(KEY);
        byte[] packet = a.packet("one");
        b.open(packet);
        exchange(a, b);
        b.open(packet);
        assertThat(b.delivered).containsExactly("one");
        assertThat(b.refused).containsExactly(PacketRefusal.REPLAYED);
    }

    @Test
    void aKeyIsChangedWithoutOnePacketRefused() {
        End a = new End(KEY);
        End b = new End(KEY);
        b.open(a.packet("hello"));
        a.open(b.packet("hello"));
        exchange(a, b);
        ClusterKey both = keys("0123456789abcdef0123456789abcdef\nfedcba9876543210fedcba9876543210");
        ClusterKey bothNewFirst = keys("fedcba9876543210fedcba9876543210\n0123456789abcdef0123456789abcdef");
        for (ClusterKey step : List.of(both, bothNewFirst, OTHER)) {
            // One node after the other, packets all the time, some of them under way while keys change.
            for (End changing : List.of(a, b)) {
                byte[] late = a.packet("late");
                changing.seal.rekey(step);
                for (int i = 0; i < 100; i++) {
                    b.open(a.packet("to b"));
                    a.open(b.packet("to a"));
                }
                if (step != OTHER) b.open(late);
            }
        }
        assertThat(a.refused).isEmpty();
        assertThat(b.refused).isEmpty();
        assertThat(b.delivered).hasSize(1 + 600 + 4);
        assertThat(a.toSend).as("nobody has to prove anything again").isEmpty();
        End old = new End(KEY);
        b.open(old.packet("the old key"));
        assertThat(b.refused).containsExactly(PacketRefusal.UNAUTHENTIC);
    }

    private static ClusterKey keys(String lines) { return ClusterKey.of(lines.getBytes(StandardCharsets.US_ASCII)); }

    @Test
    void packetsMayOvertakeEachOther() {
        End a = new End(KEY);
        End b = new End(KEY);
        List<byte[]> packets = new ArrayList<>();
        for (int i = 0; i < 1000; i++) packets.add(a.packet(Integer.toString(i)));
        java.util.Collections.shuffle(packets, random);
        b.open(packets.getFirst());
        exchange(a, b);
        for (byte[] packet : packets) b.open(packet);
        assertThat(b.delivered).hasSize(1000).doesNotHaveDuplicates();
    }

    @Test
    void aPacketThatIsTooOldIsRefused() {
        End a = new End(KEY);
        End b = new End(KEY);
        byte[] old = a.packet("old");
        for (int i = 0; i < ReplayWindow.SIZE; i++) a.packet("lost");
        b.open(a.packet("new"));
        exchange(a, b);
        b.open(old);
        assertThat(b.delivered).containsExactly("new");
        assertThat(b.refused).contains(PacketRefusal.REPLAYED);
    }

    @Test
    void packetsOfAnEarlierRunAreNeverDelivered() {
        End dead = new End(KEY);
        End b = new End(KEY);
        List<byte[]> recorded = new ArrayList<>();
        recorded.add(dead.packet("from a run that has ended"));
        b.open(recorded.getFirst());
        // The recorder knows the proof that was once given to another node, too.
        End earlier = new End(KEY);
        earlier.open(dead.packet("x"));
        for (byte[] challenge : earlier.toSend) dead.open(challenge);
        recorded.addAll(dead.toSend);
        for (int i = 0; i < 100; i++) for (byte[] packet : recorded) b.open(packet.clone());
        assertThat(b.delivered).isEmpty();
        assertThat(b.refused).contains(PacketRefusal.REPLAYED);
    }

    @Test
    void anotherKeyIsRefusedAndBothSidesKnow() {
        End a = new End(KEY);
        End b = new End(OTHER);
        a.open(b.packet("let me in"));
        assertThat(a.refused).containsExactly(PacketRefusal.UNAUTHENTIC);
        assertThat(a.strangers).isOne();
        b.open(a.toSend.remove());
        assertThat(b.strangers).isOne();
        assertThat(a.delivered).isEmpty();
        assertThat(b.delivered).isEmpty();
    }

    @Test
    void strangersAreAnsweredAFewTimesASecondOnly() {
        End a = new End(KEY);
        End b = new End(OTHER);
        for (int ms = 0; ms < 1000; ms++) {
            a.open(b.packet("again"));
            nowNs += 1_000_000;
        }
        assertThat(a.toSend).hasSizeLessThanOrEqualTo(6);
        assertThat(a.strangers).isLessThanOrEqualTo(3);
    }

    @Test
    void otherClustersOnTheLinkAreNoneOfOurs() {
        End a = new End(KEY);
        End b = new End(OTHER, "another");
        a.open(b.packet("hello"));
        assertThat(a.refused).isEmpty();
        assertThat(a.strangers).isZero();
        assertThat(a.toSend).isEmpty();
    }

    @Test
    void everyChangedBitIsNoticed() {
        End a = new End(KEY);
        End b = new End(KEY);
        b.open(a.packet("first"));
        exchange(a, b);
        b.delivered.clear();
        byte[] packet = a.packet("the real thing");
        for (int bit = 0; bit < packet.length * 8; bit++) {
            byte[] changed = packet.clone();
            changed[bit / 8] ^= (byte) (1 << bit % 8);
            b.open(changed);
        }
        for (int length = 0; length < packet.length; length++) b.open(Arrays.copyOf(packet, length));
        assertThat(b.delivered).isEmpty();
        b.open(packet);
        assertThat(b.delivered).containsExactly("the real thing");
    }

    @Test
    void noTwoPacketsAreSealedAlike() {
        End a = new End(KEY);
        End again = new End(KEY);
        byte[] one = a.packet("same");
        byte[] two = a.packet("same");
        byte[] three = again.packet("same");
        assertThat(Arrays.copyOfRange(one, Seal.HEADER, one.length)).isNotEqualTo(Arrays.copyOfRange(two, Seal.HEADER, two.length))
                .isNotEqualTo(Arrays.copyOfRange(three, Seal.HEADER, three.length));
    }

    @Test
    void itsOwnPacketsAreNotNews() {
        End a = new End(KEY);
        a.open(a.packet("echo"));
        assertThat(a.delivered).isEmpty();
        assertThat(a.refused).isEmpty();
    }

    @Test
    void aLostProofIsAskedForAgain() {
        End a = new End(KEY);
        End b = new End(KEY);
        b.open(a.packet("one"));
        b.toSend.clear();
        nowNs += 20_000_000;
        b.open(a.packet("two"));
        exchange(a, b);
        assertThat(b.delivered).containsExactly("one", "two");
    }
}
