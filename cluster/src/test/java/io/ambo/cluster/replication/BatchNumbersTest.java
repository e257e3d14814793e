package io.ambo.cluster.replication;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BatchNumbersTest {
    private final BatchNumbers numbers = new BatchNumbers();

    @Test
    void theFirstOneOfARunMayHaveAnyNumber() {
        assertThat(numbers.receive(7, 1_000, 0)).isFalse();
        assertThat(numbers.isGivenUp(10_000)).isFalse();
        assertThat(numbers.receive(8, 1, 10_000)).isFalse();
        assertThat(numbers.receive(8, 2, 10_000)).isFalse();
        assertThat(numbers.isOutOfOrder()).isFalse();
    }

    @Test
    void oneThatIsLateIsNotLost() {
        numbers.receive(7, 1, 0);
        assertThat(numbers.receive(7, 3, 1)).isFalse();
        assertThat(numbers.isOutOfOrder()).isTrue();
        assertThat(numbers.receive(7, 2, BatchNumbers.PATIENCE_MS)).isFalse();
        assertThat(numbers.isOutOfOrder()).isFalse();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
    }

    @Test
    void oneThatDoesNotComeIsGivenUpOnceAndForAll() {
        numbers.receive(7, 1, 0);
        numbers.receive(7, 3, 10);
        assertThat(numbers.isGivenUp(9 + BatchNumbers.PATIENCE_MS)).isFalse();
        assertThat(numbers.isGivenUp(10 + BatchNumbers.PATIENCE_MS)).isTrue();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
        assertThat(numbers.receive(7, 4, 100_000)).isFalse();
        assertThat(numbers.receive(7, 2, 100_000)).isFalse();
        assertThat(numbers.isGivenUp(200_000)).isFalse();
    }

    @Test
    void eachThatIsMissingHasItsTime() {
        numbers.receive(7, 1, 0);
        numbers.receive(7, 3, 0);
        numbers.receive(7, 5, 400);
        assertThat(numbers.receive(7, 2, 450)).isFalse();
        assertThat(numbers.isGivenUp(BatchNumbers.PATIENCE_MS)).isFalse();
        assertThat(numbers.isGivenUp(450 + BatchNumbers.PATIENCE_MS)).isTrue();
    }

    @Test
    void moreThanTheWindowAreGivenUpAtOnce() {
        numbers.receive(7, 1, 0);
        assertThat(numbers.receive(7, BatchNumbers.WINDOW, 0)).isFalse();
        assertThat(numbers.receive(7, BatchNumbers.WINDOW + 1, 0)).isTrue();
        assertThat(numbers.receive(7, BatchNumbers.WINDOW + 2, 100_000)).isFalse();
    }

    @Test
    void whatCameBeforeTheFirstIsWaitedForOnceItsSenderHasSaidSo() {
        numbers.receive(7, 5, 0);
        assertThat(numbers.covered(7, 2, 100)).isFalse();
        assertThat(numbers.receive(7, 6, 100)).isFalse();
        assertThat(numbers.receive(7, 4, 200)).isFalse();
        assertThat(numbers.isGivenUp(99 + BatchNumbers.PATIENCE_MS)).isFalse();
        assertThat(numbers.isGivenUp(200 + BatchNumbers.PATIENCE_MS)).as("3 has not come").isTrue();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
    }

    @Test
    void nothingIsMissingWhenTheFirstIsTheNext() {
        numbers.receive(7, 3, 0);
        numbers.receive(7, 4, 0);
        assertThat(numbers.covered(7, 2, 0)).isFalse();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
    }

    @Test
    void whatIsSaidBeforeAnyCameCounts() {
        assertThat(numbers.covered(7, 2, 0)).isFalse();
        assertThat(numbers.receive(7, 4, 10)).isFalse();
        assertThat(numbers.isGivenUp(10 + BatchNumbers.PATIENCE_MS)).isTrue();
    }

    @Test
    void whatIsCoveredIsNotWaitedFor() {
        numbers.receive(7, 1, 0);
        numbers.receive(7, 3, 0);
        numbers.receive(7, 6, 0);
        assertThat(numbers.covered(7, 4, 50)).isFalse();
        assertThat(numbers.receive(7, 5, 60)).isFalse();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
        assertThat(numbers.covered(7, 9, 100_000)).isFalse();
        numbers.receive(7, 11, 100_000);
        assertThat(numbers.isGivenUp(100_000 + BatchNumbers.PATIENCE_MS)).as("10 has not come").isTrue();
    }

    @Test
    void whatIsSaidTwiceCountsOnce() {
        numbers.covered(7, 2, 0);
        numbers.receive(7, 3, 0);
        assertThat(numbers.covered(7, 1, 0)).as("an older word").isFalse();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
    }

    @Test
    void moreBeforeTheFirstThanTheWindowTakesAComparison() {
        numbers.receive(7, 10_000, 0);
        assertThat(numbers.covered(7, 1, 0)).isTrue();
        assertThat(numbers.isGivenUp(100_000)).isFalse();
    }

    @Test
    void anyOrderWithinTheTimeLosesNothing() {
        long seed = Long.getLong("ambo.seed", System.nanoTime());
        Random random = new Random(seed);
        numbers.receive(7, 0, 0);
        long nowMs = 0;
        for (int next = 1; next < 20_000;) {
            List<Integer> some = new ArrayList<>();
            for (int count = 1 + random.nextInt(1_500); count > 0; count--) some.add(next++);
            Collections.shuffle(some, random);
            for (int number : some) {
                assertThat(numbers.receive(7, number, nowMs)).as("seed %d, number %d", seed, number).isFalse();
                if (random.nextInt(10) == 0) assertThat(numbers.receive(7, number, nowMs)).isFalse();
            }
            nowMs += 10_000;
            assertThat(numbers.isGivenUp(nowMs)).as("seed %d", seed).isFalse();
        }
    }
}
