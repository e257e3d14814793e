package io.ambo.node.packet;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.FIN;
import static io.ambo.node.packet.PacketView.PSH;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;

import java.util.LinkedHashMap;
import java.util.Map;

/** A packet of every kind that the parser accepts. */
final class Samples {
    private Samples() {}

    static Map<String, byte[]> all() {
        Map<String, byte[]> all = new LinkedHashMap<>();
        all.put("tcp4 SYN with options", PacketBuilder.tcp4().flags(SYN).mss(1460).scale(7).sackPermitted().bytes());
        all.put("tcp4 SYN-ACK", PacketBuilder.tcp4().flags(SYN | ACK).mss(1400).bytes());
        all.put("tcp4 data", PacketBuilder.tcp4().flags(PSH | ACK).payload(33).bytes());
        all.put("tcp4 data with timestamps", PacketBuilder.tcp4().tcpOptions(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8).payload(10).bytes());
        all.put("tcp4 FIN", PacketBuilder.tcp4().flags(FIN | ACK).bytes());
        all.put("tcp4 RST", PacketBuilder.tcp4().flags(RST).bytes());
        all.put("tcp4 in a VLAN", PacketBuilder.tcp4().vlan(5, 3).payload(7).bytes());
        all.put("tcp4 with IP options", PacketBuilder.tcp4().ipOptions(0x94, 4, 0, 0, 1, 7, 3, 4).payload(9).bytes());
        all.put("tcp4 padded", PacketBuilder.tcp4().padTo(60).bytes());
        all.put("udp4", PacketBuilder.udp4().payload(17).bytes());
        all.put("udp4 without payload", PacketBuilder.udp4().bytes());
        all.put("udp4 without checksum", PacketBuilder.udp4().noUdpChecksum().payload(4).bytes());
        all.put("echo request 4", PacketBuilder.echoRequest4(77, 1).bytes());
        all.put("echo reply 4", PacketBuilder.echoReply4(77, 1).bytes());
        all.put("icmp error 4 about tcp", PacketBuilder.error4(3, 1, PacketBuilder.tcp4().reply().bytes(), 28).bytes());
        all.put("icmp error 4 about udp", PacketBuilder.error4(11, 0, PacketBuilder.udp4().payload(99).bytes(), 576).bytes());
        all.put("first fragment 4", PacketBuilder.udp4().payload(100).fragments(64).get(0));
        all.put("last fragment 4", PacketBuilder.udp4().payload(100).fragments(64).get(1));
        all.put("tcp6 SYN", PacketBuilder.tcp6().flags(SYN).mss(1440).scale(9).sackPermitted().bytes());
        all.put("tcp6 data in a VLAN", PacketBuilder.tcp6().vlan(9).payload(5).bytes());
        all.put("tcp6 with extension headers", PacketBuilder.tcp6().hopByHop().destinationOptions().routing(4, 0).payload(3).bytes());
        all.put("udp6", PacketBuilder.udp6().payload(18).bytes());
        all.put("udp6 atomic fragment", PacketBuilder.udp6().atomicFragment().payload(18).bytes());
        all.put("first fragment 6", PacketBuilder.udp6().payload(100).fragments(64).get(0));
        all.put("last fragment 6", PacketBuilder.udp6().payload(100).fragments(64).get(1));
        all.put("first fragment 6 with options", PacketBuilder.tcp6().destinationOptions().hopByHop().payload(100).fragments(64).get(0));
        all.put("last fragment 6 with options", PacketBuilder.tcp6().destinationOptions().hopByHop().payload(100).fragments(64).get(1));
        all.put("echo request 6", PacketBuilder.echoRequest6(78, 2).bytes());
        all.put("echo reply 6", PacketBuilder.echoReply6(78, 2).bytes());
        all.put("icmp error 6 about tcp", PacketBuilder.error6(2, 0, PacketBuilder.tcp6().payload(300).bytes(), 1232).bytes());
        all.put("icmp error 6 about udp", PacketBuilder.error6(1, 4, PacketBuilder.udp6().hopByHop().payload(300).bytes(), 100).bytes());
        return all;
    }
}
