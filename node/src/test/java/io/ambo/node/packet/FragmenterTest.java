package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class FragmenterTest {
    private static final int AT = 16;

    @Test
    void aPacketThatFitsIsOneAndOneThatMustNotBeSplitNone() {
        assertThat(Fragmenter.count(PacketBuilder.udp4().payload(100).parsed(), 128)).isEqualTo(1);
        assertThat(Fragmenter.count(PacketBuilder.udp4().payload(100).parsed(), 127)).isEqualTo(2);
        assertThat(Fragmenter.count(PacketBuilder.udp4().payload(100).dontFragment().parsed(), 127)).isZero();
        assertThat(Fragmenter.count(PacketBuilder.udp6().payload(100).parsed(), 127)).isZero();
        assertThat(Fragmenter.count(PacketBuilder.udp4().payload(100).parsed(), 67)).isZero();
        assertThat(Fragmenter.count(PacketBuilder.udp4().payload(100).parsed(), 68)).isEqualTo(3);
    }

    @Test
    void theFragmentsAreThoseTheBuilderCuts() {
        PacketBuilder packet = PacketBuilder.udp4().vlan(6).tos(0x28).id(0xBEEF).ttl(17).payload(3000);
        assertThat(split(packet.parsed(), 1500)).usingRecursiveComparison().isEqualTo(packet.fragments(1480, 2960));
    }

    @Test
    void onlyCopiedOptionsAreInLaterFragments() {
        // Record route (7) is in the first only, router alert (0x94) in all; the security option (0x82) is padded.
        PacketView packet = PacketBuilder.udp4().ipOptions(7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0, 0x82, 3, 9, 0).payload(200).parsed();
        List<byte[]> fragments = split(packet, 100);
        assertThat(fragments.get(0)[14]).isEqualTo((byte) 0x49);
        for (byte[] later : fragments.subList(1, fragments.size())) {
            assertThat(later[14]).isEqualTo((byte) 0x47);
            assertThat(Arrays.copyOfRange(later, 34, 42)).containsExactly(0x94, 4, 0, 0, 0x82, 3, 9, 0);
        }
        assertThat(reassembled(fragments)).isEqualTo(payload(packet));
    }

    @Test
    void whatIsSplitAndPutTogetherIsTheOriginal() {
        Seeds.check("fragments reassemble", 500, random -> {
            PacketBuilder builder = random.nextBoolean() ? PacketBuilder.udp4() : PacketBuilder.tcp4();
            if (random.nextBoolean()) builder.vlan(random.nextInt(1, 4095));
            if (random.nextBoolean()) builder.ipOptions(0x94, 4, 0, 0, 7, 3, 4, 0);
            PacketView packet = builder.payload(Seeds.bytes(random, random.nextInt(1, 9000))).parsed();
            int mtu = random.nextInt(68, 3000);
            List<byte[]> once = split(packet, mtu);
            assertThat(reassembled(shuffled(once, random.nextLong()))).isEqualTo(payload(packet));

            // A narrower link further on splits the fragments again.
            int narrower = random.nextInt(68, mtu + 1);
            List<byte[]> twice = new ArrayList<>();
            for (byte[] fragment : once) twice.addAll(split(fragmentView(fragment), narrower));
            assertThat(reassembled(shuffled(twice, random.nextLong()))).isEqualTo(payload(packet));
        });
    }

    private static List<byte[]> split(PacketView packet, int mtu) {
        int count = Fragmenter.count(packet, mtu);
        assertThat(count).isPositive();
        if (count == 1) return List.of(PacketBuilder.bytesOf(packet));
        int ethernet = (int) (packet.ip() - packet.frame());
        List<byte[]> fragments = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MemorySegment memory = MemorySegment.ofArray(new byte[AT + ethernet + mtu]);
            int length = Fragmenter.write(packet, mtu, i, memory, AT);
            byte[] frame = PacketBuilder.bytesOf(memory, AT, length);
            PacketView view = fragmentView(frame);
            assertThat(view.ipLength()).isLessThanOrEqualTo(mtu).isEqualTo(length - ethernet);
            assertThat(Arrays.copyOf(frame, ethernet)).isEqualTo(Arrays.copyOf(PacketBuilder.bytesOf(packet), ethernet));
            fragments.add(frame);
        }
        return fragments;
    }

    /** Reads a fragment whatever its size: those of a TCP packet over a link of 68 bytes are refused on their way in, but may leave. */
    private static PacketView fragmentView(byte[] frame) {
        PacketView view = PacketBuilder.view(frame);
        assertThat(Parser.parse(view)).isIn(DropReason.NONE, DropReason.FRAGMENT_SIZE);
        return view;
    }

    private static List<byte[]> shuffled(List<byte[]> frames, long seed) {
        List<byte[]> shuffled = new ArrayList<>(frames);
        Collections.shuffle(shuffled, new Random(seed));
        return shuffled;
    }

    /** The naive model: every byte of the payload exactly once, and one last fragment. */
    private static byte[] reassembled(List<byte[]> frames) {
        List<PacketView> views = frames.stream().map(FragmenterTest::fragmentView)
                .sorted((a, b) -> Integer.compare(a.fragmentOffset(), b.fragmentOffset())).toList();
        ByteArrayOutputStream payload = new ByteArrayOutputStream();
        for (PacketView view : views) {
            assertThat(view.fragmentOffset()).isEqualTo(payload.size());
            assertThat(view.moreFragments()).isEqualTo(view != views.getLast());
            payload.writeBytes(payload(view));
        }
        return payload.toByteArray();
    }

    private static byte[] payload(PacketView view) {
        return PacketBuilder.bytesOf(view.segment(), view.transport(), view.transportLength());
    }
}
