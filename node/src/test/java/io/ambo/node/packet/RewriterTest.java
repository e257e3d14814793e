package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class RewriterTest {

    @TestFactory
    Stream<DynamicTest> countingDownTheTtlKeepsEverySampleCorrect() {
        return Samples.all().entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            PacketView packet = PacketBuilder.parsed(e.getValue());
            assertThat(Rewriter.decrementTtl(packet)).isEqualTo(63);
            assertThat(packet.ttl()).isEqualTo(63);
            assertThat(PacketBuilder.parsed(PacketBuilder.bytesOf(packet)).ttl()).isEqualTo(63);
        }));
    }

    @Test
    void everyTtlIsCountedDownToWhatTheBuilderWrites() {
        for (int ttl = 2; ttl < 256; ttl++) {
            for (int id = 0; id < 0x10000; id += 257) {
                PacketView packet = PacketBuilder.udp4().id(id).ttl(ttl).parsed();
                Rewriter.decrementTtl(packet);
                if (!Arrays.equals(PacketBuilder.bytesOf(packet), PacketBuilder.udp4().id(id).ttl(ttl - 1).bytes()))
                    throw new AssertionError("ttl " + ttl + " id " + id);
            }
        }
    }

    @Test
    void macsAreWritten() {
        PacketView packet = PacketBuilder.tcp4().vlan(3).parsed();
        Rewriter.setMacs(packet, 0xA1B2_C3D4_E5F6L, 0x0212_3456_789AL);
        assertThat(PacketBuilder.bytesOf(packet))
                .isEqualTo(PacketBuilder.tcp4().vlan(3).macs(0xA1B2_C3D4_E5F6L, 0x0212_3456_789AL).bytes());
    }

    @Test
    void theVlanTagComesChangesAndGoes() {
        PacketView packet = PacketBuilder.tcp6().payload(9).parsed();
        Rewriter.setVlan(packet, 7);
        assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(PacketBuilder.tcp6().payload(9).vlan(7).bytes());
        assertThat(packet.frame()).isEqualTo(PacketBuilder.HEADROOM - 4);
        Rewriter.setVlan(packet, 4094);
        assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(PacketBuilder.tcp6().payload(9).vlan(4094).bytes());
        Rewriter.setVlan(packet, -1);
        assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(PacketBuilder.tcp6().payload(9).bytes());
        Rewriter.setVlan(packet, -1);
        assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(PacketBuilder.tcp6().payload(9).bytes());
        assertThat(packet.vlan()).isEqualTo(-1);
    }

    @Test
    void aPriorityIsKeptAndAPriorityTagRemoved() {
        PacketView packet = PacketBuilder.udp4().vlan(0, 5).parsed();
        Rewriter.setVlan(packet, 12);
        assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(PacketBuilder.udp4().vlan(12, 5).bytes());
        PacketView tagged = PacketBuilder.udp4().vlan(0, 5).parsed();
        Rewriter.setVlan(tagged, -1);
        assertThat(PacketBuilder.bytesOf(tagged)).isEqualTo(PacketBuilder.udp4().bytes());
    }

    @TestFactory
    Stream<DynamicTest> translationGivesThePacketThatTheBuilderWrites() {
        record Row(String shows, PacketBuilder before, PacketBuilder after, boolean source, String address, int port) {}
        return Stream
                .of(new Row("tcp4 source", PacketBuilder.tcp4().payload(11), PacketBuilder.tcp4().payload(11).from("192.0.2.1", 1024), true,
                        "192.0.2.1", 1024),
                        new Row("tcp4 destination", PacketBuilder.tcp4().payload(11),
                                PacketBuilder.tcp4().payload(11).to("192.0.2.1", 8080),
                                false, "192.0.2.1", 8080),
                        new Row("tcp6 source", PacketBuilder.tcp6().payload(11),
                                PacketBuilder.tcp6().payload(11).from("2001:db8:ffff::9", 1),
                                true, "2001:db8:ffff::9", 1),
                        new Row("tcp6 destination", PacketBuilder.tcp6().hopByHop(),
                                PacketBuilder.tcp6().hopByHop().to("2001:db8:ffff::9", 1),
                                false, "2001:db8:ffff::9", 1),
                        new Row("udp4 source", PacketBuilder.udp4().payload(4), PacketBuilder.udp4().payload(4).from("192.0.2.7", 65_535),
                                true,
                                "192.0.2.7", 65_535),
                        new Row("udp4 destination without checksum", PacketBuilder.udp4().noUdpChecksum(),
                                PacketBuilder.udp4().noUdpChecksum().to("192.0.2.7", 53), false, "192.0.2.7", 53),
                        new Row("udp6 destination", PacketBuilder.udp6().payload(5), PacketBuilder.udp6().payload(5).to("2001:db8::53", 53),
                                false, "2001:db8::53", 53),
                        new Row("echo request 4", PacketBuilder.echoRequest4(7, 3), PacketBuilder.echoRequest4(900, 3).from("192.0.2.1"),
                                true,
                                "192.0.2.1", 900),
                        new Row("echo reply 6", PacketBuilder.echoReply6(7, 3), PacketBuilder.echoReply6(900, 3).to("2001:db8::1"), false,
                                "2001:db8::1", 900))
                .map(row -> DynamicTest.dynamicTest(row.shows, () -> {
                    PacketView packet = row.before.parsed();
                    set(packet, row.source, row.address, row.port);
                    assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(row.after.bytes());
                    assertThat(packet).usingRecursiveComparison().ignoringFields("segment").isEqualTo(row.after.parsed());
                }));
    }

    @Test
    void aLaterFragmentGetsOnlyTheAddress() {
        List<byte[]> before = PacketBuilder.udp4().payload(100).fragments(32, 64);
        List<byte[]> after = PacketBuilder.udp4().payload(100).from("192.0.2.1", 99).fragments(32, 64);
        List<byte[]> before6 = PacketBuilder.tcp6().payload(100).fragments(32, 64);
        List<byte[]> after6 = PacketBuilder.tcp6().payload(100).to("2001:db8::99", 99).fragments(32, 64);
        for (int i = 0; i < 3; i++) {
            PacketView packet = PacketBuilder.parsed(before.get(i));
            set(packet, true, "192.0.2.1", 99);
            assertThat(PacketBuilder.bytesOf(packet)).isEqualTo(after.get(i));
            PacketView packet6 = PacketBuilder.parsed(before6.get(i));
            set(packet6, false, "2001:db8::99", 99);
            assertThat(PacketBuilder.bytesOf(packet6)).isEqualTo(after6.get(i));
        }
    }

    @Test
    void aWrongChecksumStaysWrong() {
        PacketView packet = PacketBuilder.tcp4().payload(4).wrongTransportChecksum().parsed();
        set(packet, true, "192.0.2.1", 99);
        assertThat(Parser.verifyTransportChecksum(packet)).isEqualTo(DropReason.TCP_CHECKSUM);
    }

    /** Any translation of any whole packet leaves it one that the parser and its checksums accept. */
    @Test
    void translatedPacketsStayCorrect() {
        Seeds.check("translated packets stay correct", 3000, random -> {
            PacketView packet = anyPacket(random).parsed();
            boolean source = random.nextBoolean();
            set(packet, source, anyAddress(random, packet.ipVersion()), random.nextInt(1, 0x10000));
            PacketView again = PacketBuilder.parsed(PacketBuilder.bytesOf(packet));
            assertThat(Parser.verifyTransportChecksum(again)).isEqualTo(DropReason.NONE);
            assertThat(packet).usingRecursiveComparison().ignoringFields("segment").isEqualTo(again);
        });
    }

    /** NAT there and back: the error about a translated packet, translated back, quotes the packet that was sent. */
    @Test
    void theQuoteInAnErrorIsTranslatedBack() {
        Seeds.check("quotes are translated back", 3000, random -> {
            PacketBuilder sent = anyPacket(random);
            PacketView original = sent.parsed();
            PacketView translated = sent.parsed();
            String address = anyAddress(random, original.ipVersion());
            int port = random.nextInt(1, 0x10000);
            boolean source = random.nextBoolean();
            set(translated, source, address, port);
            byte[] onTheWire = PacketBuilder.bytesOf(translated);

            int quote = 20 + 8 + (original.ipVersion() == 6 ? 20 : 0) + 2 * random.nextInt(20);
            PacketBuilder error = original.ipVersion() == 4
                    ? PacketBuilder.error4(3, 1, onTheWire, quote)
                    : PacketBuilder.error6(1, 0, onTheWire, quote);
            PacketView view = error.parsed();
            PacketView quoted = new PacketView();
            assertThat(Parser.parseQuoted(view, quoted)).isEqualTo(DropReason.NONE);
            if (source) {
                Rewriter.setQuotedSource(view, quoted, original.sourceHigh(), original.sourceLow(), original.sourcePort());
                Rewriter.setDestination(view, original.sourceHigh(), original.sourceLow(), 0);
            } else {
                Rewriter.setQuotedDestination(view, quoted, original.destinationHigh(), original.destinationLow(),
                        original.destinationPort());
            }
            byte[] frame = PacketBuilder.bytesOf(original);
            byte[] expected = original.ipVersion() == 4
                    ? PacketBuilder.error4(3, 1, frame, quote).bytes()
                    : PacketBuilder.error6(1, 0, frame, quote).bytes();
            assertThat(PacketBuilder.bytesOf(view)).isEqualTo(expected);
        });
    }

    private static void set(PacketView packet, boolean source, String address, int port) {
        if (source) Rewriter.setSource(packet, PacketBuilder.high(address), PacketBuilder.low(address), port);
        else
            Rewriter.setDestination(packet, PacketBuilder.high(address), PacketBuilder.low(address), port);
    }

    private static PacketBuilder anyPacket(SplittableRandom random) {
        int id = random.nextInt(1, 0x10000);
        PacketBuilder packet = switch (random.nextInt(6)) {
            case 0 -> PacketBuilder.tcp4();
            case 1 -> PacketBuilder.tcp6();
            case 2 -> PacketBuilder.udp4();
            case 3 -> PacketBuilder.udp6();
            case 4 -> PacketBuilder.echoRequest4(id, random.nextInt(0x10000));
            default -> PacketBuilder.echoReply6(id, random.nextInt(0x10000));
        };
        return packet.seq(random.nextInt()).payload(Seeds.bytes(random, random.nextInt(60)));
    }

    private static String anyAddress(SplittableRandom random, int ipVersion) {
        if (ipVersion == 4) return "192.0." + random.nextInt(256) + "." + random.nextInt(256);
        return "2001:db8:" + Integer.toHexString(random.nextInt(0x10000)) + "::" + Integer.toHexString(random.nextInt(1, 0x10000));
    }
}
