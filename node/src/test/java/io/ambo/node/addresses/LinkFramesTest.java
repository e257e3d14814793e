package io.ambo.node.addresses;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.address.IpAddress;
import java.util.HexFormat;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Golden bytes; those of IPv6 are checked against the checksum's definition as well. */
class LinkFramesTest {
    private static final long MAC = 0x0200_5E00_5301L;
    private static final IpAddress V4 = address("203.0.113.1"), V6 = address("2001:db8::fe"), OWN6 = address("2001:db8::1");

    private static IpAddress address(String text) { return Objects.requireNonNull(IpAddress.parse(text)); }

    private static String hex(byte[] frame) { return HexFormat.of().formatHex(frame); }

    @Test
    void ipv4IsAnnouncedInBothForms() {
        byte[][] frames = LinkFrames.announcement(V4, MAC);
        assertThat(hex(frames[0])).isEqualTo("ffffffffffff" + "02005e005301" + "0806" + "0001080006040001" + "02005e005301" + "cb007101"
                + "000000000000" + "cb007101");
        assertThat(hex(frames[1])).isEqualTo("ffffffffffff" + "02005e005301" + "0806" + "0001080006040002" + "02005e005301" + "cb007101"
                + "02005e005301" + "cb007101");
    }

    @Test
    void ipv6IsAnnouncedByAnUnsolicitedAdvertisementThatOverrides() {
        byte[] frame = LinkFrames.announcement(V6, MAC)[0];
        assertThat(hex(frame)).matches("333300000001" + "02005e005301" + "86dd" + "6000000000203aff" + "20010db80000000000000000000000fe"
                + "ff020000000000000000000000000001" + "8800" + "[0-9a-f]{4}" + "a0000000" + "20010db80000000000000000000000fe"
                + "0201" + "02005e005301");
        assertThat(sumOf(frame)).isEqualTo(0xFFFF);
    }

    @Test
    void theQuestionForIpv4() {
        assertThat(hex(LinkFrames.question(V4, MAC, 0xCB007102, null))).isEqualTo("ffffffffffff" + "02005e005301" + "0806"
                + "0001080006040001" + "02005e005301" + "cb007102" + "000000000000" + "cb007101");
    }

    @Test
    void theQuestionForIpv6GoesToItsSolicitedNodes() {
        byte[] frame = LinkFrames.question(V6, MAC, 0, OWN6);
        assertThat(hex(frame)).matches("3333ff0000fe" + "02005e005301" + "86dd" + "6000000000203aff" + "20010db8000000000000000000000001"
                + "ff0200000000000000000001ff0000fe" + "8700" + "[0-9a-f]{4}" + "00000000" + "20010db80000000000000000000000fe"
                + "0101" + "02005e005301");
        assertThat(sumOf(frame)).isEqualTo(0xFFFF);
        byte[] withoutSource = LinkFrames.question(V6, MAC, 0, null);
        assertThat(withoutSource).hasSize(14 + 40 + 24);
        assertThat(sumOf(withoutSource)).isEqualTo(0xFFFF);
    }

    @Test
    void answersNameTheOwner() {
        for (IpAddress each : new IpAddress[]{ V4, V6 })
            for (byte[] frame : LinkFrames.announcement(each, MAC))
                assertThat(LinkFrames.owner(frame, frame.length)).isEqualTo(new LinkFrames.Owner(each, MAC));
        byte[] asks = LinkFrames.question(V4, MAC, 0, null);
        assertThat(LinkFrames.owner(asks, asks.length)).as("a probe claims nothing").isNull();
        byte[] solicits = LinkFrames.question(V6, MAC, 0, OWN6);
        assertThat(LinkFrames.owner(solicits, solicits.length)).isNull();
    }

    @Test
    void anyBytesAreReadOrRefused() {
        Random random = new Random(4711);
        byte[][] seeds = { LinkFrames.announcement(V4, MAC)[0], LinkFrames.announcement(V6, MAC)[0],
                LinkFrames.question(V6, MAC, 0, OWN6) };
        for (int trial = 0; trial < 200_000; trial++) {
            byte[] frame = seeds[trial % seeds.length].clone();
            for (int i = random.nextInt(4); i >= 0; i--) frame[random.nextInt(frame.length)] = (byte) random.nextInt(256);
            LinkFrames.owner(frame, random.nextInt(frame.length + 1));
        }
        for (int length = 0; length < seeds[1].length - 8; length++) {
            if (length < 14 + 40 + 24) assertThat(LinkFrames.owner(seeds[1], length)).isNull();
        }
    }

    /** RFC 4443, 2.3: the sum over pseudo header and message, the checksum itself included. */
    private static int sumOf(byte[] frame) {
        int payload = frame.length - 54;
        long sum = 58L + payload;
        for (int i = 22; i < frame.length; i += 2) sum += (frame[i] & 0xFF) << 8 | (frame[i + 1] & 0xFF);
        while (sum >>> 16 != 0) sum = (sum & 0xFFFF) + (sum >>> 16);
        return (int) sum;
    }
}
