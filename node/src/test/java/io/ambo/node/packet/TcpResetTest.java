package io.ambo.node.packet;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

final class TcpResetTest {
    private static final int AT = 32;

    private final MemorySegment memory = MemorySegment.ofArray(new byte[AT + TcpReset.FRAME_SIZE_MAX_BYTES]);

    @Test
    void aSegmentWithAckIsAnsweredAtItsAck() {
        byte[] reset = answer(PacketBuilder.tcp4().flags(ACK).seq(77).ack(0xF000_0001).payload(10));
        assertThat(reset).isEqualTo(PacketBuilder.tcp4().reply().dontFragment().id(0).flags(RST).seq(0xF000_0001).ack(0).window(0).bytes());
    }

    @Test
    void aSynIsAcknowledgedAndReset() {
        byte[] reset = answer(PacketBuilder.tcp6().vlan(5).flags(SYN).seq(-1).ack(0).mss(1440).payload(3));
        assertThat(reset).isEqualTo(PacketBuilder.tcp6().vlan(5).reply().flags(RST | ACK).seq(0).ack(3).window(0).bytes());
        assertThat(reset).hasSize(TcpReset.FRAME_SIZE_MAX_BYTES);
    }

    @Test
    void aFinWithAckIsAnsweredAtItsAck() {
        PacketView reset = PacketBuilder.parsed(answer(PacketBuilder.tcp4().flags(FIN | ACK).ack(5)));
        assertThat(reset.tcpFlags()).isEqualTo(RST);
        assertThat(reset.tcpSeq()).isEqualTo(5);
    }

    @Test
    void aResetAFragmentAndAnotherProtocolAreNotAnswered() {
        List<byte[]> silent = List.of(PacketBuilder.tcp4().flags(RST).bytes(), PacketBuilder.tcp4().flags(RST | ACK).bytes(),
                PacketBuilder.udp4().bytes(), PacketBuilder.tcp4().payload(100).fragments(64).get(0),
                PacketBuilder.tcp4().payload(100).fragments(64).get(1));
        for (byte[] frame : silent) assertThat(TcpReset.answer(PacketBuilder.parsed(frame), memory, AT)).isZero();
    }

    @Test
    void aResetIsBuiltFromWhatASessionRemembers() {
        int length = TcpReset.build(PacketBuilder.NODE_MAC, PacketBuilder.CLIENT_MAC, 9, 0, PacketBuilder.low("10.0.0.1"), 40_000, 0,
                PacketBuilder.low("10.1.0.1"), 80, 123, 456, memory, AT);
        assertThat(PacketBuilder.bytesOf(memory, AT, length))
                .isEqualTo(PacketBuilder.tcp4().vlan(9).dontFragment().id(0).flags(RST | ACK).seq(123).ack(456).window(0).bytes());
        int length6 = TcpReset.build(PacketBuilder.NODE_MAC, PacketBuilder.CLIENT_MAC, -1, PacketBuilder.high("2001:db8:1::1"), 1, 40_000,
                PacketBuilder.high("2001:db8:2::1"), 1, 80, 123, 456, memory, AT);
        assertThat(PacketBuilder.bytesOf(memory, AT, length6))
                .isEqualTo(PacketBuilder.tcp6().flags(RST | ACK).seq(123).ack(456).window(0).bytes());
    }

    private byte[] answer(PacketBuilder segment) {
        memory.fill((byte) 0x5A);
        return PacketBuilder.bytesOf(memory, AT, TcpReset.answer(segment.parsed(), memory, AT));
    }
}
