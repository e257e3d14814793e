package io.ambo.hatests.drill;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    void fullSegmentsAreHandedOverWhateverTheSyncLinkHolds() { assertPasses("redirect-mtu"); }

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

    /** Drills that have a lab in common run one after the other in one process: a lab takes as long to start as most drills last. */
    @ParameterizedTest
    @ValueSource(strings = { "partition-heal sync-attack sync-cut host-clock-jump", "drain rejoin",
            "drain-redirect rejoin-redirect" })
    void drillsOfOneLabPass(String names) { assertPasses(names.split(" ", -1)); }

    /** Those for which an ordinary run has no time: {@code ./ambo test -Dambo.drills=all}. */
    @ParameterizedTest
    @EnabledIfSystemProperty(named = "ambo.drills", matches = "all")
    @ValueSource(strings = { "sync-loss one-way-link slow-peer", "jvm-pause-no-flap rolling-upgrade", "rolling-upgrade-redirect" })
    void longerDrillsOfOneLabPass(String names) { assertPasses(names.split(" ", -1)); }

    @Test
    void everyDrillHasATest() {
        long tests = 0;
        for (Method method : DrillsIT.class.getDeclaredMethods()) {
            ValueSource groups = method.getAnnotation(ValueSource.class);
            if (groups != null) tests += Arrays.stream(groups.strings()).mapToLong(names -> names.split(" ", -1).length).sum();
            else if (method.isAnnotationPresent(Test.class)) tests++;
        }
        assertThat(tests).as("this one, and one for each drill").isEqualTo(Drills.ALL.size() + 1L);
    }

    private static void assertPasses(String... drills) {
        DrillProcess.Outcome outcome = DrillProcess.run(drills);
        assertThat(outcome.status())
                .as("ambo drill %s ended with status %d:%n%s", String.join(" ", drills), outcome.status(), outcome.output()).isZero();
    }

    @AfterAll
    static void nothingIsLeftBehind() { assertThat(DrillProcess.leftovers()).isEmpty(); }
}
