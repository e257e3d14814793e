package io.ambo.node.packet;

import static io.ambo.node.packet.Fragments.Result.FIRST;
import static io.ambo.node.packet.Fragments.Result.FULL;
import static io.ambo.node.packet.Fragments.Result.HELD;
import static io.ambo.node.packet.Fragments.Result.KNOWN;
import static io.ambo.node.packet.Fragments.Result.OVERLAP;
import static io.ambo.node.packet.Fragments.Result.REFUSED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ambo.node.packet.Fragments.Limits;
import io.ambo.node.packet.Fragments.Result;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class FragmentsTest {
    private static final long TIMEOUT_NS = 1000;

    private final List<String> givenUp = new ArrayList<>();
    private final List<Long> released = new ArrayList<>();
    private Fragments fragments = new Fragments(new Limits(8, 16, 6, TIMEOUT_NS), (handle, reason) -> givenUp.add(handle + " " + reason));
    private long nowNs = 5;

    @TestFactory
    Stream<DynamicTest> laterFragmentsGetThePortsOfTheFirst() {
        return Stream.of(PacketBuilder.udp4(), PacketBuilder.tcp4(), PacketBuilder.udp6(), PacketBuilder.tcp6().destinationOptions(),
                PacketBuilder.tcp6().hopByHop(), PacketBuilder.echoRequest4(80, 1).from("10.0.0.1", 80))
                .map(packet -> DynamicTest.dynamicTest(packet.parsed().protocol() + " " + packet.parsed().ipLength(), () -> {
                    fragments = new Fragments(Limits.DEFAULT, (handle, reason) -> givenUp.add(handle + " " + reason));
                    List<byte[]> parts = packet.payload(300).fragments(104, 208);
                    PacketView first = PacketBuilder.parsed(parts.get(0));
                    int protocol = first.protocol();
                    assertThat(fragments.onFragment(first, 1, 10, nowNs)).isEqualTo(FIRST);
                    assertThat(pass(first)).isZero();
                    for (int i = 1; i < 3; i++) {
                        PacketView later = PacketBuilder.parsed(parts.get(i));
                        assertThat(fragments.onFragment(later, 1, 10 + i, nowNs)).isEqualTo(KNOWN);
                        assertThat(later.sourcePort()).isEqualTo(first.sourcePort());
                        assertThat(later.destinationPort()).isEqualTo(80);
                        assertThat(later.protocol()).isEqualTo(protocol);
                    }
                    assertThat(fragments.datagrams()).as("a complete datagram is forgotten").isZero();
                    assertThat(givenUp).isEmpty();
                }));
    }

    @Test
    void fragmentsBeforeTheFirstAreHeldAndReleasedInOrder() {
        List<byte[]> parts = PacketBuilder.udp4().payload(400).fragments(96, 192, 288);
        assertThat(see(parts.get(3), 3)).isEqualTo(HELD);
        assertThat(see(parts.get(1), 1)).isEqualTo(HELD);
        PacketView first = PacketBuilder.parsed(parts.get(0));
        assertThat(fragments.onFragment(first, 1, 0, nowNs)).isEqualTo(FIRST);
        assertThat(see(parts.get(2), 2)).as("while the first is judged").isEqualTo(HELD);
        assertThat(fragments.heldFrames()).isEqualTo(3);
        // A translation of the first does not confuse the table.
        Rewriter.setSource(first, PacketBuilder.high("192.0.2.1"), PacketBuilder.low("192.0.2.1"), 9);
        assertThat(pass(first)).isEqualTo(3);
        assertThat(released).containsExactly(3L, 1L, 2L);
        assertThat(fragments.heldFrames()).isZero();
        assertThat(fragments.datagrams()).isZero();
        assertThat(givenUp).isEmpty();
    }

    @Test
    void aRefusedFirstTakesTheOthersWithIt() {
        List<byte[]> parts = PacketBuilder.udp6().payload(400).fragments(96, 192);
        assertThat(see(parts.get(1), 1)).isEqualTo(HELD);
        PacketView first = PacketBuilder.parsed(parts.get(0));
        assertThat(fragments.onFragment(first, 1, 0, nowNs)).isEqualTo(FIRST);
        fragments.onFirstRefused(first);
        assertThat(givenUp).containsExactly("1 FRAGMENT_REFUSED");
        assertThat(see(parts.get(2), 2)).isEqualTo(REFUSED);
        assertThat(pass(first)).as("too late").isZero();
        assertThat(see(parts.get(0), 0)).isEqualTo(REFUSED);
    }

    @Test
    void aFirstThatWasParkedMayComeAgain() {
        List<byte[]> parts = PacketBuilder.udp4().payload(200).fragments(96);
        assertThat(see(parts.get(0), 0)).isEqualTo(FIRST);
        assertThat(see(parts.get(1), 1)).isEqualTo(HELD);
        PacketView again = PacketBuilder.parsed(parts.get(0));
        assertThat(fragments.onFragment(again, 1, 0, nowNs)).isEqualTo(FIRST);
        assertThat(pass(again)).isEqualTo(1);
    }

    @Test
    void aSecondFirstWithOtherPortsCondemnsTheDatagram() {
        assertThat(see(PacketBuilder.udp4().payload(200).fragments(96).get(0), 0)).isEqualTo(FIRST);
        assertThat(see(PacketBuilder.udp4().to("10.1.0.1", 22).payload(200).fragments(96).get(0), 1)).isEqualTo(OVERLAP);
        assertThat(see(PacketBuilder.udp4().payload(200).fragments(96).get(1), 2)).isEqualTo(OVERLAP);
    }

    @Test
    void anExactRepetitionIsDroppedAlone() {
        List<byte[]> parts = PacketBuilder.udp4().payload(300).fragments(96, 192);
        PacketView first = PacketBuilder.parsed(parts.get(0));
        fragments.onFragment(first, 1, 0, nowNs);
        pass(first);
        assertThat(see(parts.get(1), 1)).isEqualTo(KNOWN);
        assertThat(see(parts.get(1), 2)).isEqualTo(OVERLAP);
        assertThat(see(parts.get(0), 3)).isEqualTo(OVERLAP);
        assertThat(see(parts.get(2), 4)).isEqualTo(KNOWN);
    }

    @TestFactory
    Stream<DynamicTest> overlapsCondemnTheDatagram() {
        PacketBuilder packet = PacketBuilder.udp4().payload(392);
        // Seen before: 96-192 held, 288-400 the last one.
        return Stream
                .of(new int[]{ 88, 104 }, new int[]{ 184, 200 }, new int[]{ 96, 184 }, new int[]{ 104, 192 }, new int[]{ 88, 200 },
                        new int[]{ 104, 112 }, new int[]{ 280, 296 }, new int[]{ 96, 200 })
                .map(range -> DynamicTest.dynamicTest(range[0] + "-" + range[1], () -> {
                    fragments = new Fragments(Limits.DEFAULT, (handle, reason) -> givenUp.add(handle + " " + reason));
                    givenUp.clear();
                    assertThat(see(packet.fragment(96, 192, true), 1)).isEqualTo(HELD);
                    assertThat(see(packet.fragment(288, 400, false), 2)).isEqualTo(HELD);
                    assertThat(see(packet.fragment(range[0], range[1], true), 3)).isEqualTo(OVERLAP);
                    assertThat(givenUp).containsExactly("1 FRAGMENT_OVERLAP", "2 FRAGMENT_OVERLAP");
                    assertThat(see(packet.fragment(0, 88, true), 4)).isEqualTo(OVERLAP);
                    assertThat(fragments.heldFrames()).isZero();
                }));
    }

    @Test
    void anOverlapWithTheLastOfWhatWasSeenIsFound() {
        PacketBuilder packet = PacketBuilder.udp4().payload(392);
        assertThat(see(packet.fragment(96, 192, true), 1)).isEqualTo(HELD);
        assertThat(see(packet.fragment(184, 200, true), 2)).isEqualTo(OVERLAP);
    }

    @Test
    void bytesBehindTheEndCondemnTheDatagram() {
        PacketBuilder packet = PacketBuilder.udp4().payload(392);
        assertThat(see(packet.fragment(96, 192, false), 1)).isEqualTo(HELD);
        assertThat(see(packet.fragment(200, 208, true), 2)).isEqualTo(OVERLAP);

        PacketBuilder other = PacketBuilder.udp4().id(7).payload(392);
        assertThat(see(other.fragment(200, 208, true), 1)).isEqualTo(HELD);
        assertThat(see(other.fragment(96, 192, false), 2)).as("an end before what was seen").isEqualTo(OVERLAP);

        PacketBuilder third = PacketBuilder.udp4().id(8).payload(392);
        assertThat(see(third.fragment(96, 192, false), 1)).isEqualTo(HELD);
        assertThat(see(third.fragment(48, 60, false), 2)).as("two ends").isEqualTo(OVERLAP);
    }

    @Test
    void datagramsAreToldApart() {
        PacketBuilder[] different = { PacketBuilder.udp4(), PacketBuilder.udp4().id(9), PacketBuilder.udp4().from("10.0.0.2"),
                PacketBuilder.udp4().to("10.1.0.2"), PacketBuilder.tcp4(), PacketBuilder.udp6() };
        for (PacketBuilder packet : different) assertThat(see(packet.payload(200).fragments(96).get(0), 0)).isEqualTo(FIRST);
        PacketView otherZone = PacketBuilder.parsed(PacketBuilder.udp4().payload(200).fragments(96).get(0));
        assertThat(fragments.onFragment(otherZone, 2, 0, nowNs)).isEqualTo(FIRST);
        assertThat(fragments.datagrams()).isEqualTo(7);
    }

    @Test
    void oldDatagramsAreGivenUpInSlices() {
        for (int i = 0; i < 5; i++) {
            assertThat(see(PacketBuilder.udp4().id(i).payload(200).fragments(96).get(1), i)).isEqualTo(HELD);
            nowNs++;
        }
        assertThat(fragments.expire(5 + TIMEOUT_NS, 10)).isZero();
        assertThat(fragments.expire(5 + TIMEOUT_NS + 3, 2)).isEqualTo(2);
        assertThat(fragments.expire(5 + TIMEOUT_NS + 3, 10)).isEqualTo(1);
        assertThat(givenUp).containsExactly("0 FRAGMENT_TIMEOUT", "1 FRAGMENT_TIMEOUT", "2 FRAGMENT_TIMEOUT");
        assertThat(fragments.datagrams()).isEqualTo(2);
        assertThat(fragments.heldFrames()).isEqualTo(2);
    }

    @Test
    void anOldDatagramDoesNotMeetANewOneOfItsId() {
        List<byte[]> parts = PacketBuilder.udp4().payload(200).fragments(96);
        assertThat(see(parts.get(1), 1)).isEqualTo(HELD);
        nowNs += TIMEOUT_NS + 1;
        PacketView first = PacketBuilder.parsed(parts.get(0));
        assertThat(fragments.onFragment(first, 1, 2, nowNs)).isEqualTo(FIRST);
        assertThat(givenUp).containsExactly("1 FRAGMENT_TIMEOUT");
        assertThat(pass(first)).isZero();
    }

    @Test
    void aFullTableGivesUpItsOldest() {
        for (int i = 0; i < 9; i++) assertThat(see(PacketBuilder.udp4().id(i).payload(200).fragments(96).get(1), i)).isEqualTo(HELD);
        assertThat(givenUp).containsExactly("0 FRAGMENT_TABLE_FULL");
        assertThat(fragments.datagrams()).isEqualTo(8);
    }

    @Test
    void aVerdictAboutADatagramThatIsGoneChangesNothing() {
        List<byte[]> parts = PacketBuilder.udp4().payload(200).fragments(96);
        PacketView gone = PacketBuilder.parsed(parts.get(0));
        fragments.onFragment(gone, 1, 0, nowNs);
        nowNs += TIMEOUT_NS + 1;
        fragments.expire(nowNs, 10);
        // The same slot, another life.
        assertThat(see(parts.get(0), 1)).isEqualTo(FIRST);
        assertThat(see(parts.get(1), 2)).isEqualTo(HELD);
        assertThat(pass(gone)).isZero();
        fragments.onFirstRefused(gone);
        assertThat(fragments.heldFrames()).isEqualTo(1);
        assertThat(pass(new PacketView())).isZero();
    }

    @Test
    void aVerdictThatComesAfterTheTimeoutDoesNotEndTheDatagramAgain() {
        List<byte[]> parts = PacketBuilder.udp4().payload(200).fragments(96);
        PacketView first = PacketBuilder.parsed(parts.get(0));
        fragments.onFragment(first, 1, 0, nowNs);
        assertThat(see(parts.get(1), 1)).isEqualTo(HELD);
        nowNs += TIMEOUT_NS + 1;
        assertThat(fragments.expire(nowNs, 10)).isEqualTo(1);
        assertThat(pass(first)).isZero();
        assertThat(fragments.datagrams()).isZero();
    }

    /** 64 datagrams of any names in 128 chains: some share one. */
    @Test
    void theEndOfOneDatagramDoesNotHideOthers() {
        Seeds.check("chains hold together", 20, random -> {
            fragments = new Fragments(new Limits(64, 16, 6, TIMEOUT_NS), (handle, reason) -> givenUp.add(handle + " " + reason));
            int[] ids = random.ints(0, 0x10000).distinct().limit(64).toArray();
            for (int id : ids) {
                PacketView first = PacketBuilder.parsed(PacketBuilder.udp4().id(id).payload(200).fragments(96).get(0));
                assertThat(fragments.onFragment(first, 1, id, nowNs)).isEqualTo(FIRST);
                pass(first);
            }
            for (int i = 63; i >= 0; i -= 2) assertThat(seeLast(ids[i])).isEqualTo(KNOWN);
            assertThat(fragments.datagrams()).isEqualTo(32);
            for (int i = 0; i < 64; i += 2) assertThat(seeLast(ids[i])).isEqualTo(KNOWN);
            assertThat(fragments.datagrams()).isZero();
        });
    }

    @Test
    void theEndOfTheNewestDatagramKeepsTheOrderOfAge() {
        assertThat(see(PacketBuilder.udp4().id(1).payload(200).fragments(96).get(1), 1)).isEqualTo(HELD);
        PacketView first = PacketBuilder.parsed(PacketBuilder.udp4().id(2).payload(200).fragments(96).get(0));
        assertThat(fragments.onFragment(first, 1, 2, nowNs)).isEqualTo(FIRST);
        pass(first);
        assertThat(seeLast(2)).isEqualTo(KNOWN);
        assertThat(see(PacketBuilder.udp4().id(3).payload(200).fragments(96).get(1), 3)).isEqualTo(HELD);
        assertThat(fragments.expire(nowNs + TIMEOUT_NS + 1, 10)).isEqualTo(2);
        assertThat(givenUp).containsExactly("1 FRAGMENT_TIMEOUT", "3 FRAGMENT_TIMEOUT");
    }

    @Test
    void noMoreFramesAreHeldThanTheLimits() {
        PacketBuilder packet = PacketBuilder.udp4().payload(400);
        for (int i = 0; i < 6; i++) assertThat(see(packet.fragment(96 + 8 * i, 104 + 8 * i, true), i)).isEqualTo(HELD);
        assertThat(see(packet.fragment(200, 208, true), 6)).as("per datagram").isEqualTo(FULL);
        for (int i = 0; i < 10; i++) {
            PacketBuilder other = PacketBuilder.udp4().id(100 + i / 5).payload(400);
            assertThat(see(other.fragment(96 + 8 * (i % 5), 104 + 8 * (i % 5), true), i)).isEqualTo(HELD);
        }
        assertThat(see(PacketBuilder.udp4().id(5).payload(100).fragments(48).get(1), 0)).as("in all").isEqualTo(FULL);
        assertThat(see(PacketBuilder.udp4().id(5).payload(100).fragments(48).get(0), 0)).as("needs no place").isEqualTo(FIRST);
    }

    @Test
    void aDatagramOfVeryManyFragmentsIsCutOff() {
        PacketBuilder packet = PacketBuilder.udp4().payload(4000);
        PacketView first = PacketBuilder.parsed(packet.fragment(0, 8, true));
        assertThat(fragments.onFragment(first, 1, 0, nowNs)).isEqualTo(FIRST);
        pass(first);
        for (int i = 1; i < 128; i++) assertThat(see(packet.fragment(8 * i, 8 * i + 8, true), i)).isEqualTo(KNOWN);
        assertThat(see(packet.fragment(2000, 2008, true), 0)).isEqualTo(FULL);
    }

    @Test
    void limitsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new Limits(0, 1, 1, 1)).hasMessageContaining("datagrams = 0");
        assertThatThrownBy(() -> new Limits(1, 1, 129, 1)).hasMessageContaining("heldPerDatagram = 129");
    }

    /** Whatever comes in whatever order: no frame is lost or handed back twice, and only fragments of passed datagrams are known. */
    @Test
    void everyHeldFrameComesBackExactlyOnce() {
        Seeds.check("held frames come back once", 300, random -> {
            Set<Long> out = new HashSet<>();
            Limits limits = new Limits(random.nextInt(1, 6), random.nextInt(1, 12), random.nextInt(1, 6), 50);
            Fragments table = new Fragments(limits, (handle, reason) -> assertThat(out.remove(handle)).isTrue());
            List<byte[]> frames = new ArrayList<>();
            for (int id = 0; id < 8; id++) {
                PacketBuilder packet = (id % 2 == 0 ? PacketBuilder.udp4() : PacketBuilder.tcp6()).id(id).payload(400);
                frames.addAll(packet.fragments(64, 128, 192, 256));
                if (random.nextInt(4) == 0) frames.add(packet.fragment(120, 200, true));
                if (random.nextInt(4) == 0) frames.add(packet.fragment(64, 128, true));
            }
            Collections.shuffle(frames, new Random(random.nextLong()));
            List<PacketView> judged = new ArrayList<>();
            long now = 0;
            long handle = 0;
            for (byte[] frame : frames) {
                now += random.nextInt(4);
                PacketView view = PacketBuilder.parsed(frame);
                Result result = table.onFragment(view, 0, ++handle, now);
                if (result == HELD) out.add(handle);
                if (result == KNOWN) assertThat(view.destinationPort()).isEqualTo(80);
                if (result == FIRST) judged.add(view);
                if (!judged.isEmpty() && random.nextInt(3) == 0) {
                    PacketView first = judged.removeFirst();
                    if (random.nextInt(3) == 0) table.onFirstRefused(first);
                    else
                        table.onFirstPassed(first, new PacketView(), (fragment, held) -> {
                            assertThat(out.remove(held)).isTrue();
                            assertThat(fragment.destinationPort()).isEqualTo(80);
                            assertThat(fragment.isLaterFragment()).isTrue();
                        });
                }
                if (random.nextInt(8) == 0) table.expire(now, 2);
                assertThat(table.heldFrames()).isEqualTo(out.size()).isLessThanOrEqualTo(limits.heldFrames());
                assertThat(table.datagrams()).isLessThanOrEqualTo(limits.datagrams());
            }
            table.expire(now + 100, 100);
            assertThat(out).isEmpty();
            assertThat(table.heldFrames()).isZero();
            assertThat(table.datagrams()).isZero();
        });
    }

    private Result see(byte[] frame, long handle) { return fragments.onFragment(PacketBuilder.parsed(frame), 1, handle, nowNs); }

    private Result seeLast(int id) { return see(PacketBuilder.udp4().id(id).payload(200).fragments(96).get(1), id); }

    private int pass(PacketView first) {
        return fragments.onFirstPassed(first, new PacketView(), (fragment, handle) -> {
            assertThat(fragment.destinationPort()).isEqualTo(80);
            assertThat(fragment.sourcePort()).isEqualTo(40_000);
            released.add(handle);
        });
    }
}
