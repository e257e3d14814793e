package io.ambo.cluster.membership;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.address.IpAddress;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Two kinds of alive, millisecond by millisecond. */
class PresenceTest {
    private static final long MS = 1_000_000;
    private static final NodeId LOCAL = NodeId.of("a"), PEER = NodeId.of("b");
    private static final int INTERVAL = 20, TIMEOUT = 150, STATE_TIMEOUT = 500, PROCESS_TIMEOUT = 10_000;

    private final Presence presence = new Presence(
            new Presence.Timing(INTERVAL * MS, TIMEOUT * MS, STATE_TIMEOUT * MS, PROCESS_TIMEOUT * MS));
    private long nowMs = 1_000_000;
    private long stateNumber;
    private boolean hostAnswers = true;
    private boolean processSpeaks = true;
    private int probes;

    PresenceTest() { presence.onView(new View(1, LOCAL, List.of(LOCAL, PEER))); }

    private NodeState state(boolean leaving) {
        return new NodeState(7, ++stateNumber, true, false, leaving, Objects.requireNonNull(IpAddress.parse("192.0.2.2")), 0, Set.of(),
                List.of());
    }

    /** The world as it is: turns of 5 ms; answers come at once, states ten times a second. */
    private void run(int ms) {
        for (int i = 0; i < ms; i += 5) {
            nowMs += 5;
            for (NodeId probed : presence.tick(nowMs * MS)) {
                probes++;
                if (hostAnswers) presence.onAnswer(probed);
            }
            if (processSpeaks && nowMs % 100 == 0) presence.onState(PEER, state(false));
        }
    }

    private Standing standing() { return presence.standing(PEER); }

    @Test
    void aPeerThatSpeaksAndAnswersTalks() {
        assertThat(standing()).isEqualTo(Standing.LEFT);
        run(60_000);
        assertThat(standing()).isEqualTo(Standing.TALKS);
        assertThat(probes).as("one in each interval").isBetween(2900, 3000);
    }

    @Test
    void aDeadHostIsNoticedWithinTheTimeoutAndAnInterval() {
        run(1000);
        hostAnswers = false;
        processSpeaks = false;
        run(TIMEOUT / 2 - 2 * INTERVAL);
        assertThat(presence.isSuspect(PEER)).isFalse();
        run(3 * INTERVAL);
        assertThat(presence.isSuspect(PEER)).isTrue();
        assertThat(standing()).isEqualTo(Standing.TALKS);
        run(TIMEOUT / 2);
        assertThat(standing()).isEqualTo(Standing.HOST_SILENT);
    }

    @Test
    void aPausedJvmIsSilentAndItsHostAlive() {
        run(1000);
        processSpeaks = false;
        run(2000);
        assertThat(standing()).isEqualTo(Standing.PROCESS_SILENT);
        processSpeaks = true;
        run(200);
        assertThat(standing()).isEqualTo(Standing.TALKS);
    }

    @Test
    void aProcessThatStaysAwayIsGoneAndItsHostMayDieLater() {
        run(1000);
        processSpeaks = false;
        run(PROCESS_TIMEOUT + STATE_TIMEOUT);
        assertThat(standing()).isEqualTo(Standing.PROCESS_GONE);
        hostAnswers = false;
        run(TIMEOUT + 2 * INTERVAL);
        assertThat(standing()).isEqualTo(Standing.HOST_SILENT);
        hostAnswers = true;
        run(2 * INTERVAL);
        assertThat(standing()).isEqualTo(Standing.PROCESS_GONE);
    }

    @Test
    void whoWasPausedItselfAccusesNobody() {
        run(1000);
        for (int pause = 0; pause < 50; pause++) {
            nowMs += 2000;
            run(40);
            assertThat(standing()).as("after a pause of its own").isEqualTo(Standing.TALKS);
            run(100);
        }
    }

    @Test
    void whoWasPausedItselfStillNoticesADeadHostSoonAfter() {
        run(1000);
        hostAnswers = false;
        processSpeaks = false;
        nowMs += 5000;
        run(TIMEOUT - 2 * INTERVAL);
        assertThat(standing()).isEqualTo(Standing.TALKS);
        run(3 * INTERVAL);
        assertThat(standing()).isEqualTo(Standing.HOST_SILENT);
    }

    @Test
    void aLossyLinkIsNotADeadHost() {
        java.util.Random random = new java.util.Random(4711);
        run(1000);
        processSpeaks = false;
        for (int i = 0; i < 20_000; i++) {
            hostAnswers = random.nextInt(100) >= 20;
            run(5);
            assertThat(standing()).isNotEqualTo(Standing.HOST_SILENT);
        }
    }

    @Test
    void aHostThatNeverAnswersProbesIsAccusedOnlyByItsProcessAndTheView() {
        hostAnswers = false;
        run(1000);
        assertThat(presence.isUnproven(PEER)).isTrue();
        assertThat(standing()).isEqualTo(Standing.TALKS);
        processSpeaks = false;
        run(1000);
        assertThat(standing()).as("still in the view").isEqualTo(Standing.PROCESS_SILENT);
        presence.onView(new View(2, LOCAL, List.of(LOCAL)));
        assertThat(standing()).isEqualTo(Standing.HOST_SILENT);
    }

    @Test
    void whoSaysGoodbyeIsForgotten() {
        run(1000);
        presence.onState(PEER, state(true));
        processSpeaks = false;
        hostAnswers = false;
        run(100);
        assertThat(standing()).as("it still hands over").isEqualTo(Standing.TALKS);
        presence.onView(new View(2, LOCAL, List.of(LOCAL)));
        assertThat(standing()).isEqualTo(Standing.LEFT);
        assertThat(presence.peers()).isEmpty();
        int before = probes;
        run(1000);
        assertThat(probes).isEqualTo(before);
    }

    @Test
    void whoLeavesTheViewWithoutAWordStaysKnown() {
        run(1000);
        presence.onView(new View(2, LOCAL, List.of(LOCAL)));
        run(1000);
        assertThat(standing()).as("it speaks: the parts are about to merge").isEqualTo(Standing.TALKS);
    }

    @Test
    void anOldStateIsNoNews() {
        NodeState first = state(false);
        NodeState second = state(false);
        assertThat(presence.onState(PEER, second)).isTrue();
        assertThat(presence.onState(PEER, first)).isFalse();
        assertThat(presence.onState(PEER, second)).isFalse();
        assertThat(presence.state(PEER)).isEqualTo(second);
        assertThat(presence.onState(NodeId.of("stranger"), first)).isFalse();
    }
}
