package io.ambo.node.redirect;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class GeneveTest {
    private static final byte[] PACKET = HexFormat.of().parseHex("4500001c000040004011000a0a000001c0000203" + "9c40003500080000");

    private static MemorySegment hex(String text) { return MemorySegment.ofArray(HexFormat.of().parseHex(text)); }

    private static String hex(MemorySegment from, long at, int length) {
        return HexFormat.of().formatHex(from.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE));
    }

    /** Vectors of the paper's reference implementation: the key is 00 01 ... 0f, the message 00 01 02 ... */
    @Test
    void theHashIsSipHash() {
        long key0 = 0x0706050403020100L;
        long key1 = 0x0F0E0D0C0B0A0908L;
        MemorySegment message = Arena.ofAuto().allocate(128, 8);
        for (int i = 0; i < 128; i++) message.set(ValueLayout.JAVA_BYTE, i, (byte) i);
        assertThat(SipHash.of(message, 0, 8, key0, key1)).isEqualTo(0x93F5F5799A932462L);
        assertThat(SipHash.of(message, 0, 16, key0, key1)).isEqualTo(0x3F2ACC7F57C29BDBL);
        assertThat(SipHash.of(message, 0, 128, key0, key1)).isEqualTo(0xDEB79E256C8736AEL);
    }

    @Test
    void theHeaderIsTheseBytes() throws Exception {
        MemorySegment datagram = Arena.ofAuto().allocate(Geneve.SIZE + PACKET.length, 8);
        MemorySegment.copy(PACKET, 0, datagram, ValueLayout.JAVA_BYTE, Geneve.SIZE, PACKET.length);
        Geneve.write(datagram, 0, 0x1234, 0xA001, 0xB002, Geneve.ASK_AGAIN, Geneve.WORKER, 0x0102030405060708L);
        long tag = Geneve.tag(RedirectPeer.mapped(InetAddress.getByName("192.0.2.1")),
                RedirectPeer.mapped(InetAddress.getByName("192.0.2.2")),
                datagram, 0, PACKET.length, 0x0706050403020100L, 0x0F0E0D0C0B0A0908L, Arena.ofAuto().allocate(Geneve.TAGGED, 8));
        Geneve.writeTag(datagram, 0, tag);
        assertThat(hex(datagram, 0, 28)).isEqualTo("07400800" + "00123400" + "ff01c106" + "a001b002" + "01000000" + "0102030405060708");
        assertThat(Geneve.isSound(datagram, 0, Geneve.SIZE + PACKET.length)).isTrue();
        assertThat(Geneve.tagOf(datagram, 0)).isEqualTo(tag);
        assertThat(Geneve.zone(datagram, 0)).isEqualTo(0x1234);
        assertThat(Geneve.sender(datagram, 0)).isEqualTo(0xA001);
        assertThat(Geneve.ingress(datagram, 0)).isEqualTo(0xB002);
        assertThat(Geneve.hops(datagram, 0)).isEqualTo(Geneve.ASK_AGAIN);
        assertThat(Geneve.sequence(datagram, 0)).isEqualTo(0x0102030405060708L);

        MemorySegment frame = Arena.ofAuto().allocate(64, 8);
        HandedFrame.write(frame, 0, datagram, 0);
        assertThat(hex(frame, 0, HandedFrame.HEADER)).isEqualTo("024112340100" + "0241b002a001" + "0800");
        assertThat(HandedFrame.zone(frame, 0)).isEqualTo(0x1234);
        assertThat(HandedFrame.hops(frame, 0)).isEqualTo(Geneve.ASK_AGAIN);
        assertThat(HandedFrame.ingress(frame, 0)).isEqualTo(0xB002);
    }

    @Test
    void everyByteOfTheHeaderCounts() {
        MemorySegment sound = hex("07400800" + "00123400" + "ff01c106" + "a001b002" + "01000000" + "0102030405060708" + "0000000000000000"
                + HexFormat.of().formatHex(PACKET));
        int length = (int) sound.byteSize();
        assertThat(Geneve.isSound(sound, 0, length)).isTrue();
        for (int at : new int[]{ 0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 16, 17, 18, 19, 36, 38, 39 }) {
            byte before = sound.get(ValueLayout.JAVA_BYTE, at);
            sound.set(ValueLayout.JAVA_BYTE, at, (byte) (before ^ 0x80));
            assertThat(Geneve.isSound(sound, 0, length)).as("byte %d", at).isFalse();
            sound.set(ValueLayout.JAVA_BYTE, at, before);
        }
        for (int shorter = 0; shorter < length; shorter++) assertThat(Geneve.isSound(sound.asSlice(0, shorter), 0, shorter)).isFalse();
    }

    @Test
    void numbersCountOnce() {
        ReplayWindow window = new ReplayWindow();
        assertThat(window.accept(0)).isFalse();
        assertThat(window.accept(-1)).isFalse();
        assertThat(window.accept(1)).isTrue();
        assertThat(window.accept(1)).isFalse();
        assertThat(window.accept(70)).isTrue();
        assertThat(window.accept(5)).isTrue();
        assertThat(window.accept(5)).isFalse();
        assertThat(window.accept(ReplayWindow.SIZE + 100)).isTrue();
        // As far back as the window reaches, and no further.
        assertThat(window.accept(200)).isTrue();
        assertThat(window.accept(200)).isFalse();
        assertThat(window.accept(69)).isFalse();
        assertThat(window.accept(Long.MAX_VALUE)).isTrue();
        assertThat(window.accept(ReplayWindow.SIZE + 101)).isFalse();
    }
}
