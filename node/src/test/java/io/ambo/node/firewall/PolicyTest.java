package io.ambo.node.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.config.AddressMatch;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PolicyTest {
    private static final int INSIDE = 11, OUTSIDE = 22;
    private static final Policy POLICY = new Policy(
            List.of(rule("dns", PacketView.UDP, 53, 53, 0, 65_535), rule("high-ports", PacketView.TCP, 0, 65_535, 40_000, 65_535)),
            Rule.defaultRule(Rule.Action.DROP), new Timeouts(1, 1, 1, 1, 1, 1, 1, 1), 0, Nat.NONE);

    /** What a reload asks of open sessions must be what their first packet was asked. */
    @ParameterizedTest
    @CsvSource({ "udp4, 5000, 53, dns", "udp4, 53, 5000, default", "tcp4, 50000, 443, high-ports", "tcp4, 443, 50000, default",
            "udp6, 5000, 53, dns",
            "tcp6, 443, 50000, default" })
    void anOpenSessionIsJudgedAsItsFirstPacketWas(String kind, int sourcePort, int destinationPort, String expected) {
        // Either end may be the key's higher one.
        for (boolean swapped : new boolean[]{ false, true }) {
            PacketBuilder builder = switch (kind) {
                case "udp4" -> PacketBuilder.udp4();
                case "tcp4" -> PacketBuilder.tcp4();
                case "udp6" -> PacketBuilder.udp6();
                default -> PacketBuilder.tcp6();
            };
            String one = kind.endsWith("4") ? "192.0.2.1" : "2001:db8::1";
            String other = kind.endsWith("4") ? "198.51.100.1" : "2001:db8:9::1";
            PacketView packet = builder.from(swapped ? other : one, sourcePort).to(swapped ? one : other, destinationPort).parsed();
            SessionKey key = new SessionKey();
            SessionRecord session = new SessionRecord().zones(INSIDE, OUTSIDE);
            if (packet.writeKey(key, 0)) session.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
            assertThat(POLICY.judge(INSIDE, OUTSIDE, packet, new Ends().of(packet)).name()).isEqualTo(expected);
            assertThat(POLICY.judge(key, session).name()).isEqualTo(expected);
            session.zones(OUTSIDE, OUTSIDE);
            assertThat(POLICY.judge(key, session).name()).isEqualTo("default");
        }
    }

    private static Rule rule(String name, int protocol, int firstPort, int lastPort, int firstSource, int lastSource) {
        Match match = new Match(new int[]{ INSIDE }, new int[]{ OUTSIDE }, AddressMatch.ANY, AddressMatch.ANY, new int[]{ protocol },
                new int[]{ firstSource, lastSource }, new int[]{ firstPort, lastPort });
        return new Rule(name.hashCode(), name, Rule.Action.ALLOW, false, 0, false, false, false, true, 0, 0, match);
    }
}
