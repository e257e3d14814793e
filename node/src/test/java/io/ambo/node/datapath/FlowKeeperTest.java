package io.ambo.node.datapath;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.PacketBuilder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which sessions the kernel may have, and what an operator reads about the others. */
class FlowKeeperTest {
    private static final int AFTER = 8;
    private static final Policy FAST = policy(true), SLOW = policy(false);

    private final SessionKey tcp = key(PacketBuilder.tcp4());
    private final SessionKey udp = key(PacketBuilder.udp6());
    private final SessionKey icmp = key(PacketBuilder.echoRequest4(1, 1));
    private final SessionRecord session = new SessionRecord().rule(1).localFlags(SessionRecord.ORIGINAL_SEEN_HERE);

    @Test
    void datagramsMayAtOnceAndSegmentsWhenBothEndsAreKnown() {
        assertThat(FlowKeeper.mayInstall(udp, session, FAST)).isTrue();
        assertThat(FlowKeeper.mayInstall(tcp, session, FAST)).isFalse();
        assertThat(describe(tcp, FAST)).isEqualTo("no: opening or closing");
        establish();
        assertThat(FlowKeeper.mayInstall(tcp, session, FAST)).isTrue();
        assertThat(describe(tcp, FAST)).isEqualTo("no: too few packets yet");
        session.counts(false, AFTER, 1000);
        assertThat(describe(tcp, FAST)).isEqualTo("no: with its next packet");
        session.reply().raiseState(TcpHalf.FIN);
        assertThat(FlowKeeper.mayInstall(tcp, session, FAST)).isFalse();
    }

    @Test
    void theRuleMayKeepItsSessionsOut() {
        assertThat(FlowKeeper.mayInstall(udp, session, SLOW)).isFalse();
        assertThat(describe(udp, SLOW)).isEqualTo("no: rule web has fast-path: false");
    }

    @Test
    void whatTheKernelCannotFollowIsNamed() {
        assertThat(FlowKeeper.mayInstall(icmp, session, FAST)).isFalse();
        assertThat(describe(icmp, FAST)).isEqualTo("no: only TCP and UDP");
        session.changeLocalFlags(0, SessionRecord.CACHE_REFUSED);
        assertThat(describe(udp, FAST)).isEqualTo("no: the flow cache is full");
        session.changeLocalFlags(SessionRecord.CACHE_REFUSED, SessionRecord.CACHED);
        assertThat(describe(udp, FAST)).isEqualTo("yes");
        session.changeLocalFlags(SessionRecord.CACHED | SessionRecord.ORIGINAL_SEEN_HERE, 0);
        assertThat(describe(udp, FAST)).isEqualTo("no: no packet came here");
        session.addFlags(SessionRecord.FRAGMENTED);
        assertThat(describe(udp, FAST)).isEqualTo("no: its segments come in fragments");
        session.addFlags(SessionRecord.CLOSED);
        assertThat(describe(udp, FAST)).isEqualTo("no: the session is over");
    }

    private String describe(SessionKey key, Policy policy) { return FlowKeeper.describe(key, session, policy, AFTER); }

    private void establish() {
        for (TcpHalf half : new TcpHalf[]{ session.original(), session.reply() }) {
            half.raiseState(TcpHalf.ESTABLISHED);
            half.advanceSeqEnd(1);
            half.advanceMaxEnd(2);
            half.advanceAck(1);
        }
    }

    private static SessionKey key(PacketBuilder packet) {
        SessionKey key = new SessionKey();
        packet.parsed().writeKey(key, 0);
        return key;
    }

    private static Policy policy(boolean fast) {
        Rule rule = new Rule(1, "web", Rule.Action.ALLOW, false, 0, false, false, false, fast, 0, 0, Match.EVERYTHING);
        return new Policy(List.of(rule), Rule.defaultRule(Rule.Action.DROP), new Timeouts(1, 1, 1, 1, 1, 1, 1, 1), 0,
                io.ambo.node.firewall.Nat.NONE);
    }
}
