package io.ambo.hatests.drill;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Every drill, as {@code ambo drill NAME} runs it: in a process of its own, on real packets. Needs root. */
@Tag("drill")
class DrillsIT {
    @BeforeAll
    static void root() {
        assertThat(System.getProperty("user.name")).as("drills build network namespaces: run them as root").isEqualTo("root");
    }

    @Test
    void noHandshakeIsLostWhenThePathsOutAndBackDiffer() { assertPasses("asymmetric-handshakes"); }

    @Test
    void asymmetricHandshakesInRedirectModeLoseNoPacket() { assertPasses("asymmetric-handshakes-redirect"); }

    @Test
    void connectionsDealtOverThreeNodesGoOnThroughTheBackup() { assertPasses("three-nodes-redirect"); }

    @Test
    void connectionsGoOnWhenTheirOwnerIsKilled() { assertPasses("kill-owner"); }

    @Test
    void connectionsGoOnWhenBothNodesAreKilledAndStartedAgain() { assertPasses("warm-restart"); }

    @Test
    void aNodeThatJoinsForwardsNothingBeforeItsTableIsEqual() { assertPasses("late-joiner"); }

    @Test
    void nothingPassesANodeThatIsStopped() { assertPasses("fail-closed"); }

    @Test
    void aConnectionAlreadyUnderWayGoesOnOnlyWhereTheRuleSaysSo() { assertPasses("mid-stream"); }

    @Test
    void bothEndsOfAnIdleConnectionAreResetWhereTheRuleSaysSo() { assertPasses("timeout-reset"); }

    @Test
    void forgedSegmentsOutsideTheWindowKillNoSession() { assertPasses("out-of-window"); }

    @Test
    void rulesChangeWithoutALostSessionAndABadConfigChangesNothing() { assertPasses("reload"); }

    @Test
    void establishedFlowsDoNotNoticeThatTheJvmStandsStill() { assertPasses("jvm-pause"); }

    @Test
    void establishedFlowsDoNotNoticeThatTheJvmDies() { assertPasses("jvm-death"); }

    @Test
    void establishedFlowsDoNotNoticeARestart() { assertPasses("hitless-restart"); }

    @Test
    void whoFindsNoRoomInTheFlowCacheStaysOnTheSlowPath() { assertPasses("cache-full"); }

    @Test
    void translatedConnectionsTakeBothPathsAndSurviveTheNodeThatOpenedThem() { assertPasses("translated"); }

    @Test
    void establishedFlowsFollowTheKernelsRoutes() { assertPasses("route-change"); }

    @Test
    void aReloadedPolicyCountsForOpenFlows() { assertPasses("policy-reload-removes"); }

    @Test
    void connectionsGoOnWhenTheNodeThatHasTheGatewaysLosesItsPower() { assertPasses("power-off"); }

    @Test
    void everyDrillHasATest() {
        long tests = java.util.Arrays.stream(DrillsIT.class.getDeclaredMethods()).filter(method -> method.isAnnotationPresent(Test.class))
                .count();
        assertThat(tests).as("this one, and one for each drill").isEqualTo(Drills.ALL.size() + 1L);
    }

    private static void assertPasses(String drill) {
        DrillProcess.Outcome outcome = DrillProcess.run(drill);
        assertThat(outcome.status()).as("ambo drill %s ended with status %d:%n%s", drill, outcome.status(), outcome.output()).isZero();
    }

    @AfterAll
    static void nothingIsLeftBehind() { assertThat(DrillProcess.leftovers()).isEmpty(); }
}
