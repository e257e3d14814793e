package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.node.packet.IcmpReply.Unreachable;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class IcmpReplyTest {
    private static final String NODE4 = "10.0.0.254";
    private static final String NODE6 = "2001:db8:1::fe";
    private static final int AT = 64;

    /** Memory that ends where the longest answer ends: what is written behind it throws. */
    private final MemorySegment memory = MemorySegment.ofArray(new byte[AT + IcmpReply.FRAME_SIZE_MAX_BYTES]);

    @Test
    void everyErrorHasItsTypeCodeAndRest() {
        PacketView v4 = PacketBuilder.udp4().payload(10).parsed();
        PacketView v6 = PacketBuilder.udp6().payload(10).parsed();
        expect(timeExceeded(v4), v4, 11, 0, 0);
        expect(timeExceeded(v6), v6, 3, 0, 0);
        expect(tooBig(v4, 1400), v4, 3, 4, 1400);
        expect(tooBig(v6, 1400), v6, 2, 0, 1400);
        expect(unreachable(v4, Unreachable.NETWORK), v4, 3, 0, 0);
        expect(unreachable(v4, Unreachable.HOST), v4, 3, 1, 0);
        expect(unreachable(v4, Unreachable.PORT), v4, 3, 3, 0);
        expect(unreachable(v4, Unreachable.PROHIBITED), v4, 3, 13, 0);
        expect(unreachable(v6, Unreachable.NETWORK), v6, 1, 0, 0);
        expect(unreachable(v6, Unreachable.HOST), v6, 1, 3, 0);
        expect(unreachable(v6, Unreachable.PORT), v6, 1, 4, 0);
        expect(unreachable(v6, Unreachable.PROHIBITED), v6, 1, 1, 0);
    }

    /** The parser, an independent reader of what was written, understands the answer about every sample that may have one. */
    @TestFactory
    Stream<DynamicTest> everySampleIsAnsweredOrNot() {
        return Samples.all().entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            PacketView about = PacketBuilder.parsed(e.getValue());
            byte[] answer = timeExceeded(about);
            if (about.isIcmpError() || about.isLaterFragment()) assertThat(answer).isEmpty();
            else
                expect(answer, about, about.ipVersion() == 4 ? 11 : 3, 0, 0);
        }));
    }

    @Test
    void theVlanTagIsKeptWithItsPriority() {
        byte[] answer = timeExceeded(PacketBuilder.tcp4().vlan(123, 5).parsed());
        assertThat(Arrays.copyOfRange(answer, 12, 16)).containsExactly(0x81, 0x00, 0xA0, 123);
        assertThat(PacketBuilder.parsed(answer).vlan()).isEqualTo(123);
    }

    @Test
    void aLongPacketIsQuotedUpToTheLimit() {
        byte[] answer4 = timeExceeded(PacketBuilder.udp4().payload(1400).parsed());
        assertThat(PacketBuilder.parsed(answer4).ipLength()).isEqualTo(576);
        byte[] answer6 = timeExceeded(PacketBuilder.udp6().vlan(1).payload(1400).parsed());
        assertThat(PacketBuilder.parsed(answer6).ipLength()).isEqualTo(1280);
        assertThat(answer6).hasSize(IcmpReply.FRAME_SIZE_MAX_BYTES);
    }

    @Test
    void paddingIsNotQuoted() {
        byte[] answer = timeExceeded(PacketBuilder.udp4().padTo(60).parsed());
        assertThat(PacketBuilder.parsed(answer).ipLength()).isEqualTo(28 + 28);
    }

    @Test
    void whatMustNotBeAnsweredIsNot() {
        List<byte[]> silent = List.of(PacketBuilder.error4(3, 1, PacketBuilder.udp4().bytes(), 28).bytes(),
                PacketBuilder.error6(1, 0, PacketBuilder.udp6().bytes(), 48).bytes(), PacketBuilder.udp4().payload(80).fragments(40).get(1),
                PacketBuilder.udp6().payload(80).fragments(40).get(1), PacketBuilder.udp4().to("224.0.0.5").bytes(),
                PacketBuilder.udp4().to("255.255.255.255").bytes(), PacketBuilder.udp6().to("ff02::1").bytes(),
                PacketBuilder.udp4().from("0.0.0.0").bytes(), PacketBuilder.udp4().from("127.0.0.1").bytes(),
                PacketBuilder.udp6().from("::").bytes(), PacketBuilder.icmp4(5, 0, 0).payload(28).bytes(),
                PacketBuilder.udp4().macs(0xFFFF_FFFF_FFFFL, 2).bytes());
        for (byte[] frame : silent) {
            PacketView about = PacketBuilder.view(frame);
            Parser.parse(about);
            assertThat(timeExceeded(about)).isEmpty();
            assertThat(unreachable(about, Unreachable.HOST)).isEmpty();
            assertThat(tooBig(about, 1280)).isEmpty();
        }
        assertThat(timeExceeded(PacketBuilder.udp4().payload(80).fragments(40, 48).get(0))).as("a first fragment").isNotEmpty();
    }

    @Test
    void withoutAnAddressNothingIsSaid() {
        PacketView v4 = PacketBuilder.udp4().parsed();
        PacketView v6 = PacketBuilder.udp6().parsed();
        assertThat(IcmpReply.timeExceeded(v4, 0, 0, memory, AT)).isZero();
        assertThat(IcmpReply.timeExceeded(v4, 0, PacketView.IPV4_MAPPED_PREFIX, memory, AT)).isZero();
        assertThat(IcmpReply.timeExceeded(v6, 0, 0, memory, AT)).isZero();
        assertThat(IcmpReply.timeExceeded(v6, PacketBuilder.high(NODE4), PacketBuilder.low(NODE4), memory, AT)).isZero();
    }

    private void expect(byte[] answer, PacketView about, int type, int code, int rest) {
        PacketView view = PacketBuilder.parsed(answer);
        assertThat(Parser.verifyTransportChecksum(view)).isEqualTo(DropReason.NONE);
        assertThat(view.isIcmpError()).isTrue();
        assertThat(view.icmpType()).isEqualTo(type);
        assertThat(view.icmpCode()).isEqualTo(code);
        assertThat(Wire.s32(view.segment(), view.transport() + 4)).isEqualTo(rest);
        assertThat(view.sourceLow()).isEqualTo(PacketBuilder.low(about.ipVersion() == 4 ? NODE4 : NODE6));
        assertThat(Wire.mac(view.segment(), view.frame())).isEqualTo(PacketBuilder.CLIENT_MAC);
        assertThat(Wire.mac(view.segment(), view.frame() + 6)).isEqualTo(PacketBuilder.NODE_MAC);
        PacketView quoted = new PacketView();
        assertThat(Parser.parseQuoted(view, quoted)).isEqualTo(DropReason.NONE);
        assertThat(quoted.sourcePort()).isEqualTo(about.sourcePort());
        assertThat(quoted.destinationPort()).isEqualTo(about.destinationPort());
        byte[] quote = PacketBuilder.bytesOf(view.segment(), view.transport() + 8, view.transportLength() - 8);
        assertThat(quote).isEqualTo(PacketBuilder.bytesOf(about.segment(), about.ip(), quote.length));
    }

    private byte[] timeExceeded(byte[] frame) { return timeExceeded(PacketBuilder.parsed(frame)); }

    private byte[] timeExceeded(PacketView about) {
        return written(IcmpReply.timeExceeded(about, nodeHigh(about), nodeLow(about), memory, AT));
    }

    private byte[] unreachable(PacketView about, Unreachable why) {
        return written(IcmpReply.unreachable(about, why, nodeHigh(about), nodeLow(about), memory, AT));
    }

    private byte[] tooBig(PacketView about, int mtu) {
        return written(IcmpReply.tooBig(about, mtu, nodeHigh(about), nodeLow(about), memory, AT));
    }

    private byte[] written(int length) {
        byte[] frame = PacketBuilder.bytesOf(memory, AT, length);
        memory.fill((byte) 0x5A);
        return frame;
    }

    private static long nodeHigh(PacketView about) { return PacketBuilder.high(about.ipVersion() == 4 ? NODE4 : NODE6); }

    private static long nodeLow(PacketView about) { return PacketBuilder.low(about.ipVersion() == 4 ? NODE4 : NODE6); }
}
