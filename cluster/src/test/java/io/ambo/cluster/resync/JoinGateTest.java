package io.ambo.cluster.resync;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport.Membership;
import io.ambo.cluster.membership.View;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class JoinGateTest {
    private static final NodeId A = NodeId.of("a");
    private static final NodeId B = NodeId.of("b");
    private static final NodeId C = NodeId.of("c");

    private final JoinGate gate = new JoinGate(1000);
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
    void closedUntilThereIsAView() {
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.nextPeer(nowMs)).isNull();
    }

    @Test
    void aLoneNodeOpens() {
        members(C);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void theFirstOfTheFirstViewOpens() {
        members(C, A);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void aJoiningNodeOpensWhenTheTablesAreEqual() {
        members(A, C);
        assertThat(gate.state().open()).isFalse();
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void onceOpenItStaysOpen() {
        members(C);
        gate.onStranger("x", nowMs);
        members(A, B, C);
        assertThat(gate.state().open()).isTrue();
        assertThat(gate.nextPeer(nowMs)).isNull();
    }

    @Test
    void withoutAnAnswerTheNextPeerIsAskedAndThenAllAgain() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.NO_ANSWER);
        compared(B, JoinGate.Outcome.NO_ANSWER);
        assertThat(gate.nextPeer(nowMs)).isNull();
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.state().reason()).contains("b does not answer");
        nowMs += 999;
        assertThat(gate.nextPeer(nowMs)).isNull();
        nowMs += 1;
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void whenThePeerLeavesTheOtherIsAsked() {
        members(A, B, C);
        assertThat(gate.nextPeer(nowMs)).isEqualTo(A);
        gate.onProgress(100, 1000, nowMs);
        gate.onCompared(A, JoinGate.Outcome.LEFT, "", nowMs);
        members(B, C);
        assertThat(gate.state().open()).isFalse();
        compared(B, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void whenThePeerLeavesAndNobodyIsThereItOpensAndSaysWithWhat() {
        members(A, C);
        assertThat(gate.nextPeer(nowMs)).isEqualTo(A);
        gate.onProgress(100, 1000, nowMs);
        gate.onCompared(A, JoinGate.Outcome.LEFT, "", nowMs);
        members(C);
        assertThat(gate.state().open()).isTrue();
        assertThat(gate.state().reason()).contains("a left").contains("100 sessions");
    }

    @Test
    void whenNobodyIsOpenTheLongestStandingOpens() {
        members(A, C, B);
        members(C, B);
        assertThat(gate.state().open()).isFalse();
        compared(B, JoinGate.Outcome.NOT_OPEN);
        assertThat(gate.nextPeer(nowMs)).isNull();
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void whenNobodyIsOpenTheOthersWait() {
        members(A, B, C);
        compared(A, JoinGate.Outcome.NOT_OPEN);
        compared(B, JoinGate.Outcome.NOT_OPEN);
        assertThat(gate.nextPeer(nowMs)).isNull();
        assertThat(gate.state().open()).isFalse();
    }

    @Test
    void anUnansweredPeerIsNotTakenForOneThatIsNotOpen() {
        members(A, C, B);
        members(C, B);
        compared(B, JoinGate.Outcome.NO_ANSWER);
        assertThat(gate.nextPeer(nowMs)).isNull();
        assertThat(gate.state().open()).isFalse();
    }

    @Test
    void aStrangerKeepsALoneNodeClosedWhileItIsHeard() {
        gate.onStranger("10.0.0.2 has another key", nowMs);
        members(C);
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.state().reason()).contains("another key");
        nowMs += JoinGate.STRANGER_MS - 1;
        gate.onStranger("10.0.0.2 has another key", nowMs);
        nowMs += JoinGate.STRANGER_MS - 1;
        gate.evaluate(nowMs);
        assertThat(gate.state().open()).isFalse();
        nowMs += 1;
        gate.evaluate(nowMs);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void aStrangerDoesNotKeepAMemberClosed() {
        gate.onStranger("10.0.0.9 has another key", nowMs);
        members(A, C);
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void twoNodesOfOneIdAreAnErrorUntilOneIsGone() {
        gate.onMembership(new Membership(new View(1, C, List.of(A, C)), List.of(), "two nodes of one id"), nowMs);
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.state().reason()).isEqualTo("two nodes of one id");
        assertThat(gate.nextPeer(nowMs)).isNull();
        members(A, C);
        compared(A, JoinGate.Outcome.EQUAL);
        assertThat(gate.state().open()).isTrue();
    }

    /** Seed 135 of the simulation: it stood in its predecessor's place, so it took itself for the first of the cluster, and opened with an empty table. */
    @Test
    void aNodeThatComesBackBeforeItsPredecessorIsGivenUpIsNoFounder() {
        gate.onMembership(new Membership(new View(1, C, List.of(C, A)), List.of(), "two nodes of one name"), nowMs);
        members(A, C);
        assertThat(gate.state().open()).isFalse();
        assertThat(gate.nextPeer(nowMs)).isEqualTo(A);
        gate.onCompared(A, JoinGate.Outcome.EQUAL, "", nowMs);
        assertThat(gate.state().open()).isTrue();
    }

    @Test
    void progressIsTold() {
        members(A, C);
        gate.nextPeer(nowMs);
        gate.onProgress(100, 1000, nowMs);
        assertThat(Stream.of(gate.state().sessions(), gate.state().expected())).containsExactly(100L, 1000L);
        assertThat(gate.state().reason()).isEqualTo("comparing tables with a");
    }
}
