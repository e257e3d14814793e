package io.ambo.node.packet;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static io.ambo.node.packet.PacketView.PSH;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static io.ambo.node.packet.PacketView.URG;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class ParserTest {

    @TestFactory
    Stream<DynamicTest> malformedPacketsHaveAReason() {
        byte[] tcp4 = PacketBuilder.tcp4().payload(20).bytes();
        byte[] tcp6 = PacketBuilder.tcp6().payload(20).bytes();
        byte[] udp4 = PacketBuilder.udp4().payload(20).bytes();
        return Stream.of(
                row("a broadcast frame", PacketBuilder.tcp4().macs(0xFFFF_FFFF_FFFFL, 2).bytes(), DropReason.ETHERNET_GROUP),
                row("a multicast frame", PacketBuilder.tcp6().macs(0x3333_0000_0001L, 2).bytes(), DropReason.ETHERNET_GROUP),
                row("ARP", with(tcp4, 12, 0x08, 0x06), DropReason.ETHERNET_TYPE),
                row("a second VLAN tag", with(PacketBuilder.tcp4().vlan(5).bytes(), 16, 0x81, 0x00), DropReason.ETHERNET_TYPE),
                row("a service tag", with(tcp4, 12, 0x88, 0xA8), DropReason.ETHERNET_TYPE),
                row("IPv6 in the type of IPv4", with(tcp4, 14, 0x65), DropReason.IP_VERSION),
                row("IPv4 in the type of IPv6", with(tcp6, 14, 0x45), DropReason.IP_VERSION),
                row("an IPv4 header of 16 bytes", with(tcp4, 14, 0x44), DropReason.IP_HEADER),
                row("a total length below the header", with(tcp4, 16, 0, 19), DropReason.IP_HEADER),
                row("a total length beyond the frame", with(tcp4, 16, 0, 61), DropReason.TRUNCATED),
                row("an IPv6 length beyond the frame", with(tcp6, 18, 0, 41), DropReason.TRUNCATED),
                row("a changed TTL under the old checksum", with(tcp4, 22, 1), DropReason.IP_CHECKSUM),
                row("a loose source route", PacketBuilder.tcp4().ipOptions(131, 7, 4, 10, 0, 0, 9, 0).bytes(),
                        DropReason.IP_SOURCE_ROUTE),
                row("a strict source route behind another option", PacketBuilder.tcp4().ipOptions(1, 137, 7, 4, 10, 0, 0, 9).bytes(),
                        DropReason.IP_SOURCE_ROUTE),
                row("an option longer than the header", PacketBuilder.tcp4().ipOptions(7, 5, 4, 0).bytes(), DropReason.IP_HEADER),
                row("an option of length 0", PacketBuilder.tcp4().ipOptions(7, 0, 0, 0).bytes(), DropReason.IP_HEADER),
                row("an option that is only its kind", PacketBuilder.tcp4().ipOptions(1, 1, 1, 7).bytes(), DropReason.IP_HEADER),
                row("a source equal to the destination", PacketBuilder.tcp4().from("10.1.0.1").bytes(), DropReason.IP_SOURCE),
                row("the same of IPv6", PacketBuilder.tcp6().from("2001:db8:2::1").bytes(), DropReason.IP_SOURCE),
                row("routing header 0", PacketBuilder.tcp6().routing(0, 0).bytes(), DropReason.IP_SOURCE_ROUTE),
                row("segments left", PacketBuilder.tcp6().routing(4, 1).bytes(), DropReason.IP_SOURCE_ROUTE),
                row("hop-by-hop options that are not first", PacketBuilder.tcp6().destinationOptions().hopByHop().bytes(),
                        DropReason.IP_EXTENSION_HEADERS),
                row("two fragment headers", PacketBuilder.tcp6().atomicFragment().atomicFragment().bytes(),
                        DropReason.IP_EXTENSION_HEADERS),
                row("more than six extension headers", destinationOptions(7), DropReason.IP_EXTENSION_HEADERS),
                row("long extension headers", PacketBuilder.tcp6().extension(60, lengthByte(264)).bytes(),
                        DropReason.IP_EXTENSION_HEADERS),
                row("an extension header beyond the packet", PacketBuilder.tcp6().extension(60, 0, 200, 1, 4, 0, 0, 0, 0).bytes(),
                        DropReason.IP_HEADER),
                row("an extension header four bytes beyond the packet", PacketBuilder.tcp6().extension(60, 0, 3, 1, 4, 0, 0, 0, 0).bytes(),
                        DropReason.IP_HEADER),
                row("extension headers and nothing else", PacketBuilder.ip6(60).bytes(), DropReason.IP_HEADER),
                row("no next header", PacketBuilder.ip6(59).bytes(), DropReason.IP_PROTOCOL),
                row("SCTP", PacketBuilder.ip4(132).payload(40).bytes(), DropReason.IP_PROTOCOL),
                row("ESP", PacketBuilder.ip6(50).payload(40).bytes(), DropReason.IP_PROTOCOL),
                row("ICMPv6 in IPv4", PacketBuilder.ip4(58).payload(40).bytes(), DropReason.IP_PROTOCOL),
                row("ICMP in IPv6", PacketBuilder.ip6(1).payload(40).bytes(), DropReason.IP_PROTOCOL),
                row("a TCP header cut short", PacketBuilder.ip4(6).payload(19).bytes(), DropReason.TCP_HEADER),
                row("a TCP data offset of 4 words", with(tcp4, 46, 0x40), DropReason.TCP_HEADER),
                row("a TCP data offset behind the end", with(tcp4, 46, 0xF0), DropReason.TCP_HEADER),
                row("a SYN with an option behind its header", PacketBuilder.tcp4().flags(SYN).tcpOptions(2, 5, 1, 1).bytes(),
                        DropReason.TCP_HEADER),
                row("a SYN with an option of length 1", PacketBuilder.tcp4().flags(SYN).tcpOptions(3, 1, 1, 1).bytes(),
                        DropReason.TCP_HEADER),
                row("TCP source port 0", PacketBuilder.tcp4().from("10.0.0.1", 0).bytes(), DropReason.PORT_ZERO),
                row("TCP destination port 0", PacketBuilder.tcp6().to("2001:db8::1", 0).bytes(), DropReason.PORT_ZERO),
                row("UDP destination port 0", PacketBuilder.udp4().to("10.1.0.1", 0).bytes(), DropReason.PORT_ZERO),
                row("a UDP header cut short", PacketBuilder.ip4(17).payload(7).bytes(), DropReason.UDP_HEADER),
                row("a UDP length of 7", with(udp4, 38, 0, 7), DropReason.UDP_HEADER),
                row("a UDP length beyond the packet", with(udp4, 38, 0, 29), DropReason.UDP_HEADER),
                row("an ICMP header cut short", PacketBuilder.ip4(1).payload(7).bytes(), DropReason.ICMP_HEADER),
                row("an ICMPv6 header cut short", PacketBuilder.ip6(58).payload(7).bytes(), DropReason.ICMP_HEADER),
                row("a source quench", PacketBuilder.icmp4(4, 0, 0).payload(28).bytes(), DropReason.ICMP_TYPE),
                row("a redirect", PacketBuilder.icmp4(5, 1, 0).payload(28).bytes(), DropReason.ICMP_TYPE),
                row("a timestamp request", PacketBuilder.icmp4(13, 0, 0).payload(12).bytes(), DropReason.ICMP_TYPE),
                row("a neighbour solicitation", PacketBuilder.icmp6(135, 0, 0).payload(24).bytes(), DropReason.ICMP_TYPE),
                row("an ICMP error in fragments", PacketBuilder.error4(3, 1, udp4, 40).fragments(24).get(0), DropReason.ICMP_FRAGMENT),
                row("a fragment without payload", PacketBuilder.udp4().fragment(new byte[0], 64, false), DropReason.FRAGMENT_SIZE),
                row("a fragment that does not end at an eighth byte", PacketBuilder.udp4().fragment(new byte[60], 64, true),
                        DropReason.FRAGMENT_SIZE),
                row("the same of IPv6", PacketBuilder.udp6().fragment(new byte[60], 64, true), DropReason.FRAGMENT_SIZE),
                row("a fragment beyond 65,535 bytes", PacketBuilder.udp4().fragment(new byte[100], 65_528, false),
                        DropReason.FRAGMENT_SIZE),
                row("the same of IPv6", PacketBuilder.udp6().fragment(new byte[8], 65_528, false), DropReason.FRAGMENT_SIZE),
                row("a tiny first fragment", PacketBuilder.tcp4().fragment(0, 8, true), DropReason.FRAGMENT_SIZE),
                row("a first fragment without the TCP options", PacketBuilder.tcp4().mss(1).fragment(0, 16, true),
                        DropReason.FRAGMENT_SIZE),
                row("the same of IPv6", PacketBuilder.tcp6().fragment(0, 16, true), DropReason.FRAGMENT_SIZE),
                row("a first fragment that ends in the header chain", PacketBuilder.udp6().destinationOptions().fragment(0, 8, true),
                        DropReason.FRAGMENT_SIZE),
                row("a fragment with the second half of the TCP header", PacketBuilder.tcp4().fragment(8, 20, false),
                        DropReason.FRAGMENT_SIZE),
                row("the same of IPv6", PacketBuilder.tcp6().fragment(16, 20, false), DropReason.FRAGMENT_SIZE));
    }

    @TestFactory
    Stream<DynamicTest> addressesThatAreNotForwardedAreRefused() {
        List<String> martians = List.of("0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::",
                "::1",
                "::10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "febf::1", "ff02::1");
        List<String> good = List.of("1.2.3.4", "126.255.255.255", "128.0.0.1", "169.253.1.1", "223.255.255.255", "240.0.0.1",
                "64:ff9b::a00:1",
                "fc00::1", "fec0::1", "2001:db8::1");
        return Stream.concat(martians.stream().map(a -> DynamicTest.dynamicTest(a, () -> {
            assertThat(Parser.parse(udp(a).from(a).view())).isEqualTo(DropReason.IP_SOURCE);
            assertThat(Parser.parse(udp(a).to(a).view())).isEqualTo(DropReason.IP_DESTINATION);
        })), good.stream().map(a -> DynamicTest.dynamicTest(a, () -> {
            assertThat(Parser.parse(udp(a).from(a).view())).isEqualTo(DropReason.NONE);
            assertThat(Parser.parse(udp(a).to(a).view())).isEqualTo(DropReason.NONE);
        })));
    }

    @Test
    void onlySixSetsOfTcpFlagsAreLegal() {
        Set<Integer> legal = Set.of(SYN, SYN | ACK, RST, RST | ACK, ACK, FIN | ACK);
        for (int flags = 0; flags < 256; flags++) {
            DropReason expected = legal.contains(flags & (FIN | SYN | RST | ACK)) ? DropReason.NONE : DropReason.TCP_FLAGS;
            assertThat(Parser.parse(PacketBuilder.tcp4().flags(flags).view())).as("flags %02x", flags).isEqualTo(expected);
        }
        assertThat(Parser.parse(PacketBuilder.tcp4().flags(FIN | PSH | URG).view())).as("christmas tree").isEqualTo(DropReason.TCP_FLAGS);
    }

    @Test
    void theFieldsOfASynAreRead() {
        PacketView view = PacketBuilder.tcp4().from("192.0.2.1", 1025).to("203.0.113.9", 443).vlan(77, 5).ttl(9).dontFragment().flags(SYN)
                .seq(0xFEDC_BA98).ack(0).window(4321).mss(1460).sackPermitted().scale(8).payload(3).padTo(100).parsed();
        assertThat(view.vlan()).isEqualTo(77);
        assertThat(view.ipVersion()).isEqualTo(4);
        assertThat(view.ip()).isEqualTo(view.frame() + 18);
        assertThat(view.ipLength()).isEqualTo(20 + 20 + 12 + 3);
        assertThat(view.frameLength()).isEqualTo(100);
        assertThat(view.ttl()).isEqualTo(9);
        assertThat(view.protocol()).isEqualTo(PacketView.TCP);
        assertThat(view.isTcp()).isTrue();
        assertThat(view.dontFragment()).isTrue();
        assertThat(view.isFragment()).isFalse();
        assertThat(view.sourceHigh()).isZero();
        assertThat(view.sourceLow()).isEqualTo(0xFFFF_C000_0201L);
        assertThat(view.destinationLow()).isEqualTo(PacketBuilder.low("203.0.113.9"));
        assertThat(view.sourcePort()).isEqualTo(1025);
        assertThat(view.destinationPort()).isEqualTo(443);
        assertThat(view.tcpFlags()).isEqualTo(SYN);
        assertThat(view.tcpSeq()).isEqualTo(0xFEDC_BA98);
        assertThat(view.tcpAck()).isZero();
        assertThat(view.tcpWindow()).isEqualTo(4321);
        assertThat(view.tcpPayload()).isEqualTo(3);
        assertThat(view.tcpMss()).isEqualTo(1460);
        assertThat(view.tcpScale()).isEqualTo(8);
        assertThat(view.tcpSackPermitted()).isTrue();
    }

    @Test
    void theFieldsOfAnIpv6PacketBehindExtensionHeadersAreRead() {
        PacketView view = PacketBuilder.udp6().from("2001:db8::7", 53).to("2001:db8::8", 5353).hopByHop().routing(4, 0).destinationOptions()
                .ttl(3).payload(10).parsed();
        assertThat(view.ipVersion()).isEqualTo(6);
        assertThat(view.vlan()).isEqualTo(-1);
        assertThat(view.ipLength()).isEqualTo(40 + 8 + 24 + 8 + 18);
        assertThat(view.transport()).isEqualTo(view.ip() + 80);
        assertThat(view.transportLength()).isEqualTo(18);
        assertThat(view.protocol()).isEqualTo(PacketView.UDP);
        assertThat(view.dontFragment()).isTrue();
        assertThat(view.ttl()).isEqualTo(3);
        assertThat(view.sourceHigh()).isEqualTo(0x2001_0DB8_0000_0000L);
        assertThat(view.sourceLow()).isEqualTo(7);
        assertThat(view.destinationLow()).isEqualTo(8);
        assertThat(view.sourcePort()).isEqualTo(53);
        assertThat(view.destinationPort()).isEqualTo(5353);
    }

    @Test
    void anEchoHasItsIdentifierInBothPorts() {
        PacketView view = PacketBuilder.echoRequest6(0xBEEF, 4).parsed();
        assertThat(view.isEchoRequest()).isTrue();
        assertThat(view.isEchoReply()).isFalse();
        assertThat(view.isIcmpError()).isFalse();
        assertThat(view.sourcePort()).isEqualTo(0xBEEF);
        assertThat(view.destinationPort()).isEqualTo(0xBEEF);
        assertThat(PacketBuilder.echoReply4(3, 4).parsed().isEchoReply()).isTrue();
    }

    @Test
    void aPriorityTagIsNoVlan() {
        PacketView view = PacketBuilder.udp4().vlan(0, 6).parsed();
        assertThat(view.vlan()).isEqualTo(-1);
        assertThat(view.ip()).isEqualTo(view.frame() + 18);
    }

    @Test
    void aReusedViewForgetsThePacketBefore() {
        PacketView view = PacketBuilder.tcp4().vlan(4).flags(SYN).scale(3).mss(9).sackPermitted().parsed();
        byte[] last = PacketBuilder.udp6().payload(64).fragments(32).get(1);
        PacketView fresh = PacketBuilder.view(last);
        assertThat(Parser.parse(view.wrap(fresh.segment(), fresh.frame(), fresh.frameLength()))).isEqualTo(DropReason.NONE);
        assertThat(Parser.parse(fresh)).isEqualTo(DropReason.NONE);
        assertThat(view).usingRecursiveComparison().ignoringFields("segment").isEqualTo(fresh);
        assertThat(view.sourcePort()).isZero();
        assertThat(view.tcpScale()).isEqualTo(-1);
        assertThat(view.vlan()).isEqualTo(-1);
    }

    @Test
    void aWindowScaleAboveFourteenCountsAsFourteen() {
        assertThat(PacketBuilder.tcp4().flags(SYN).scale(200).parsed().tcpScale()).isEqualTo(14);
        assertThat(PacketBuilder.tcp4().flags(SYN).parsed().tcpScale()).isEqualTo(-1);
        assertThat(PacketBuilder.tcp4().flags(SYN).tcpOptions(3, 4, 7, 7).parsed().tcpScale()).as("wrong size").isEqualTo(-1);
        assertThat(PacketBuilder.tcp4().flags(ACK).scale(7).parsed().tcpScale()).as("not in a SYN").isEqualTo(-1);
        assertThat(PacketBuilder.tcp4().flags(SYN).tcpOptions(0, 0, 3, 3, 7, 0, 0, 0).parsed().tcpScale()).as("behind the end")
                .isEqualTo(-1);
    }

    @Test
    void aLaterFragmentHasNoPorts() {
        List<byte[]> fragments = PacketBuilder.udp4().id(0xABCD).payload(100).fragments(48, 96);
        PacketView first = PacketBuilder.parsed(fragments.get(0));
        assertThat(first.isFragment()).isTrue();
        assertThat(first.isLaterFragment()).isFalse();
        assertThat(first.destinationPort()).isEqualTo(80);
        assertThat(first.moreFragments()).isTrue();
        PacketView last = PacketBuilder.parsed(fragments.get(2));
        assertThat(last.isLaterFragment()).isTrue();
        assertThat(last.fragmentOffset()).isEqualTo(96);
        assertThat(last.fragmentId()).isEqualTo(0xABCD);
        assertThat(last.fragmentLength).isEqualTo(12);
        assertThat(last.moreFragments()).isFalse();
        assertThat(last.protocol()).isEqualTo(PacketView.UDP);
        assertThat(last.sourcePort()).isZero();
        PacketView echo = PacketBuilder.parsed(PacketBuilder.echoRequest4(7, 1).fragments(32).get(1));
        assertThat(echo.isIcmp()).isTrue();
        assertThat(echo.isEchoReply()).as("type 0 is not what is unknown").isFalse();
        PacketView last6 = PacketBuilder.parsed(PacketBuilder.udp6().id(0xABCD_EF01).hopByHop().payload(100).fragments(48, 96).get(2));
        assertThat(last6.fragmentId()).isEqualTo(0xABCD_EF01);
        assertThat(last6.fragmentOffset()).isEqualTo(96);
        assertThat(last6.fragmentLength).isEqualTo(12);
    }

    @Test
    void anAtomicFragmentIsAWholePacket() {
        PacketView view = PacketBuilder.tcp6().atomicFragment().flags(SYN).parsed();
        assertThat(view.isFragment()).isFalse();
        assertThat(view.hasTcp(SYN)).isTrue();
    }

    /** Every prefix of a valid frame is either refused or, when only padding is gone, read alike; nothing behind it is touched. */
    @TestFactory
    Stream<DynamicTest> everyTruncationHasAReason() {
        return Samples.all().entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            PacketView whole = PacketBuilder.parsed(e.getValue());
            int needed = (int) (whole.ip() + whole.ipLength() - whole.frame());
            for (int length = 0; length <= e.getValue().length; length++) {
                DropReason reason = Guarded.parse(Arrays.copyOf(e.getValue(), length));
                assertThat(reason).as("%d of %d bytes", length, e.getValue().length)
                        .isEqualTo(length < needed ? DropReason.TRUNCATED : DropReason.NONE);
            }
        }));
    }

    /** Whatever the IP header claims, nothing behind the IP packet is read as if it were in it. */
    @TestFactory
    Stream<DynamicTest> everyShorterIpLengthHasAReason() {
        return Samples.all().entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            PacketView whole = PacketBuilder.parsed(e.getValue());
            int ip = (int) (whole.ip() - whole.frame());
            for (int length = 0; length < whole.ipLength(); length++) {
                byte[] frame = e.getValue().clone();
                setIpLength(frame, ip, length);
                DropReason reason = Guarded.parse(frame);
                if (reason == DropReason.NONE && length >= 40 + ip) Guarded.parse(Arrays.copyOf(frame, ip + length));
                if (reason != DropReason.NONE) assertThat(reason).isNotEqualTo(DropReason.TRUNCATED);
            }
        }));
    }

    @Test
    void wrongTransportChecksumsAreFound() {
        Map<PacketBuilder, DropReason> wrong = Map.of(PacketBuilder.tcp4().payload(5), DropReason.TCP_CHECKSUM,
                PacketBuilder.tcp6().payload(6),
                DropReason.TCP_CHECKSUM, PacketBuilder.udp4().payload(7), DropReason.UDP_CHECKSUM, PacketBuilder.udp6().payload(8),
                DropReason.UDP_CHECKSUM, PacketBuilder.echoRequest4(1, 1), DropReason.ICMP_CHECKSUM, PacketBuilder.echoReply6(1, 1),
                DropReason.ICMP_CHECKSUM);
        wrong.forEach((packet, reason) -> {
            assertThat(Parser.verifyTransportChecksum(packet.parsed())).isEqualTo(DropReason.NONE);
            assertThat(Parser.verifyTransportChecksum(packet.wrongTransportChecksum().parsed())).isEqualTo(reason);
        });
        assertThat(Parser.verifyTransportChecksum(PacketBuilder.udp6().noUdpChecksum().parsed())).isEqualTo(DropReason.UDP_CHECKSUM);
        assertThat(Parser.verifyTransportChecksum(PacketBuilder.udp4().noUdpChecksum().parsed())).isEqualTo(DropReason.NONE);
    }

    @Test
    void whatFollowsAUdpDatagramInItsPacketIsNotUnderItsChecksum() {
        byte[] frame = with(PacketBuilder.udp4().payload(20).bytes(), 38, 0, 18);
        // Checksum of the shorter datagram: computed as if its packet were the shorter one, which has the same pseudo header.
        byte[] shorter = PacketBuilder.udp4().payload(10).bytes();
        frame[40] = shorter[40];
        frame[41] = shorter[41];
        assertThat(Parser.verifyTransportChecksum(PacketBuilder.parsed(frame))).isEqualTo(DropReason.NONE);
    }

    @Test
    void aQuotedPacketIsRead() {
        byte[] sent = PacketBuilder.tcp4().from("10.0.0.1", 1111).to("10.1.0.1", 2222).seq(0x0102_0304).payload(50).bytes();
        PacketView quoted = quoted(PacketBuilder.error4(3, 4, sent, 28), DropReason.NONE);
        assertThat(quoted.sourceLow()).isEqualTo(PacketBuilder.low("10.0.0.1"));
        assertThat(quoted.destinationLow()).isEqualTo(PacketBuilder.low("10.1.0.1"));
        assertThat(quoted.protocol()).isEqualTo(PacketView.TCP);
        assertThat(quoted.sourcePort()).isEqualTo(1111);
        assertThat(quoted.destinationPort()).isEqualTo(2222);
        assertThat(quoted.tcpSeq()).isEqualTo(0x0102_0304);
        assertThat(quoted.ipLength()).isEqualTo(90);
        assertThat(quoted.transportLength()).isEqualTo(8);

        byte[] sent6 = PacketBuilder.udp6().destinationOptions().payload(1400).bytes();
        PacketView quoted6 = quoted(PacketBuilder.error6(2, 0, sent6, 1232), DropReason.NONE);
        assertThat(quoted6.protocol()).isEqualTo(PacketView.UDP);
        assertThat(quoted6.destinationPort()).isEqualTo(80);
        assertThat(quoted6.transportLength()).isEqualTo(1232 - 48);

        PacketView echo = quoted(PacketBuilder.error4(11, 0, PacketBuilder.echoRequest4(99, 1).bytes(), 100), DropReason.NONE);
        assertThat(echo.sourcePort()).isEqualTo(99);
        assertThat(echo.destinationPort()).isEqualTo(99);

        byte[] first = PacketBuilder.udp6().payload(3000).fragments(1448).get(0);
        assertThat(quoted(PacketBuilder.error6(2, 0, first, 1001), DropReason.NONE).destinationPort()).isEqualTo(80);
    }

    @Test
    void aQuoteThatIsNoneHasAReason() {
        byte[] tcp4 = PacketBuilder.tcp4().bytes();
        byte[] tcp6 = PacketBuilder.tcp6().bytes();
        byte[] error = PacketBuilder.error4(3, 1, tcp4, 28).bytes();
        for (int bytes = 0; bytes < 28; bytes++) quoted(PacketBuilder.error4(3, 1, tcp4, bytes), DropReason.ICMP_HEADER);
        for (int bytes = 0; bytes < 48; bytes++) quoted(PacketBuilder.error6(1, 0, tcp6, bytes), DropReason.ICMP_HEADER);
        quoted(PacketBuilder.error4(3, 1, tcp4, 28).to("10.0.0.9"), DropReason.ICMP_QUOTE);
        quoted(PacketBuilder.error6(1, 1, tcp6, 48).to("2001:db8::9"), DropReason.ICMP_QUOTE);
        quoted(PacketBuilder.error4(3, 1, error, 100).from("10.8.0.1"), DropReason.ICMP_QUOTE);
        quoted(PacketBuilder.error4(3, 1, PacketBuilder.ip4(47).payload(20).bytes(), 100), DropReason.ICMP_QUOTE);
        quoted(PacketBuilder.error4(3, 1, PacketBuilder.udp4().payload(99).fragments(16).get(1), 60), DropReason.ICMP_HEADER);
        quoted(PacketBuilder.error4(3, 1, with(tcp4, 14, 0x65), 60), DropReason.ICMP_HEADER);
        quoted(PacketBuilder.error4(3, 1, with(tcp4, 14, 0x4F), 50), DropReason.ICMP_HEADER);
        quoted(PacketBuilder.error6(1, 1, with(tcp6, 14, 0x45), 60), DropReason.ICMP_HEADER);
    }

    /** What it shows, the frame, the verdict. */
    private static DynamicTest row(String shows, byte[] frame, DropReason verdict) {
        return DynamicTest.dynamicTest(shows, () -> assertThat(Parser.parse(PacketBuilder.view(frame))).isEqualTo(verdict));
    }

    private static PacketView quoted(PacketBuilder error, DropReason expected) {
        PacketView view = error.parsed();
        assertThat(view.isIcmpError()).isTrue();
        PacketView quoted = new PacketView();
        assertThat(Parser.parseQuoted(view, quoted)).isEqualTo(expected);
        return quoted;
    }

    private static PacketBuilder udp(String likeAddress) { return likeAddress.contains(":") ? PacketBuilder.udp6() : PacketBuilder.udp4(); }

    private static byte[] destinationOptions(int count) {
        PacketBuilder packet = PacketBuilder.tcp6();
        for (int i = 0; i < count; i++) packet.destinationOptions();
        return packet.bytes();
    }

    private static int[] lengthByte(int size) { return IntStream.range(0, size).map(i -> i == 1 ? size / 8 - 1 : 0).toArray(); }

    private static byte[] with(byte[] frame, int at, int... values) {
        byte[] changed = frame.clone();
        for (int i = 0; i < values.length; i++) changed[at + i] = (byte) values[i];
        return fixIpChecksum(changed, at);
    }

    /** Rows about lengths should not fail for the checksum; the row about the checksum changes the TTL. */
    private static byte[] fixIpChecksum(byte[] frame, int changedAt) {
        boolean plainIpv4 = frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45;
        if (plainIpv4 && changedAt != 22) setIpLength(frame, 14, (frame[16] & 0xFF) << 8 | frame[17] & 0xFF);
        return frame;
    }

    private static void setIpLength(byte[] frame, int ip, int length) {
        boolean isIpv4 = frame[ip] >> 4 == 4;
        int at = isIpv4 ? ip + 2 : ip + 4;
        int value = isIpv4 ? length : Math.max(0, length - 40);
        frame[at] = (byte) (value >>> 8);
        frame[at + 1] = (byte) value;
        if (!isIpv4) return;
        frame[ip + 10] = frame[ip + 11] = 0;
        int checksum = PacketBuilder.naiveChecksum(Arrays.copyOfRange(frame, ip, ip + (frame[ip] & 0xF) * 4));
        frame[ip + 10] = (byte) (checksum >>> 8);
        frame[ip + 11] = (byte) checksum;
    }
}
