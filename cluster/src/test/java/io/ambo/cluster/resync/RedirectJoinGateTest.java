package io.ambo.cluster.resync;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport.Membership;
import io.ambo.cluster.membership.View;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The gate in redirect mode, where every member has something that a joining node is to have. */
class RedirectJoinGateTest {
    private static final NodeId A = NodeId.of("a");
    private static final NodeId B = NodeId.of("b");
    private static final NodeId C = NodeId.of("c");

    private final JoinGate gate = new JoinGate(1000, true);
    private long nowMs = 10_000;
    private long views;

    /** This node is c. */
    private void members(NodeId... members) {
        gate.onMembership(new Membership(new View(++views, C, List.of(members)), List.of(), ""), nowMs);
    }

    private void compared(NodeId peer, JoinGate.Outcome outcome) {
        assertThat(gate.nextPeer(nowMs)).isEqualTo(peer);
        gate.onCompared(peer, outcome, "", nowMs);
    }

    @Test
    void itOpensWhenItHasBeenComparedWithAll() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isFalse();
        compared(B, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
        assertThat(gate.state().reason()).contains("all members");
    }

    @Test
    void whoJoinsItselfHasNothingToGive() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.EQUAL);
        compared(B, JoinGate.Outcome.NOT_OPEN);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void whoDoesNotAnswerIsAskedAgain() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.EQUAL);
        compared(B, JoinGate.Outcome.NO_ANSWER);
        assertThat(gate.nextPeer(nowMs)).isNull();
        assertThat(gate.state().open()).isFalse();
        nowMs += 1000;
        compared(B, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void whoLeavesIsNotWaitedFor() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.EQUAL);
        members(A, C);
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    /** Seed 2524 of the simulation: which sessions two members have in common depends on the view. */
    @Test
    void whatWasEqualInAnotherViewIsComparedAgain() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.nextPeer(nowMs)).isEqualTo(B);
        members(A, B, C, NodeId.of("d"));
        gate.onCompared(B, JoinGate.Outcome.EQUAL, "", nowMs);
        compared(A, JoinGate.Outcome.EQUAL);
        compared(B, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isFalse();
        compared(NodeId.of("d"), JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void aMemberOfAnotherModeKeepsItClosed() {
        members(A, C);
        compared(A, JoinGate.Outcome.OTHER_MODE);
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.state().reason()).contains("cluster.mode");
    }
}
