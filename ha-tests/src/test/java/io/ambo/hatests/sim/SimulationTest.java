package io.ambo.hatests.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.GateState;
import io.ambo.cluster.session.SessionTable;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The cluster as it ships passes; with a mistake built in on purpose it fails, and the failure says what went wrong. */
class SimulationTest {
    private static final int SEEDS = 200;
    /** So many seeds at most until a mistake shows. */
    private static final int SEEDS_TO_FIND = 60;

    @BeforeAll
    static void quiet() { System.setProperty("ambo.log.level", "OFF"); }

    @Test
    void twoHundredSeedsPass() {
        for (long seed = 1; seed <= SEEDS; seed++) {
            Simulation.Outcome outcome = Simulation.run(seed, Parts.AS_SHIPPED);
            assertThat(outcome.violation())
                    .as("./ambo sim --seed %d: %s%n%s", seed, outcome.scenario(), String.join("\n", outcome.history()))
                    .isNull();
        }
    }

    @Test
    void theSameSeedGivesTheSameLog() {
        for (long seed : new long[]{ 7, 97 }) {
            Simulation.Outcome one = Simulation.run(seed, Parts.AS_SHIPPED);
            Simulation.Outcome again = Simulation.run(seed, Parts.AS_SHIPPED);
            assertThat(again).isEqualTo(one);
            assertThat(one.events()).isGreaterThan(1000);
        }
        assertThat(Simulation.run(1, Parts.AS_SHIPPED).digest()).isNotEqualTo(Simulation.run(2, Parts.AS_SHIPPED).digest());
    }

    /** FreeBSD's pfsync copied the peer's older half over the newer one: transfers stalled at 3 GiB (opnsense/src #327). */
    @Test
    void aHalfThatIsStaleAndCopiedBackIsFound() {
        assertFound(new Parts() {
            @Override
            public SessionTable table(SessionTable real) { return new StaleHalfTable(real); }
        }, "half has climbed down");
    }

    @Test
    void aTombstoneThatIsShorterThanTheLongestDelayIsFound() {
        assertFound(new Parts() {
            @Override
            public int tombstoneMs() { return 40; }
        }, "revived a closed session");
    }

    @Test
    void aNodeThatTakesOverBeforeItsTableIsEqualIsFound() {
        assertFound(new Parts() {
            @Override
            public boolean takesTraffic(GateState gate) { return true; }
        }, "takes packets before its table is equal");
    }

    private static void assertFound(Parts mistaken, String violation) {
        for (long seed = 1; seed <= SEEDS_TO_FIND; seed++) {
            Simulation.Outcome outcome = Simulation.run(seed, mistaken);
            String found = outcome.violation();
            if (found == null || outcome.scenario().contains("redirect=true")) continue;
            assertThat(found).as("seed %d", seed).containsPattern(Pattern.quote(violation));
            return;
        }
        throw new AssertionError("not found by " + SEEDS_TO_FIND + " seeds");
    }
}
