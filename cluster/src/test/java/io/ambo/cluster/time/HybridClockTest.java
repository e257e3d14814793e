package io.ambo.cluster.time;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class HybridClockTest {
    private final FakeClock host = new FakeClock();
    private final HybridClock clock = new HybridClock(host, 60_000);

    @Test
    void timesLookLikeTheWallClock() {
        assertThat(HybridClock.wallMs(clock.next())).isEqualTo(host.wallMs());
        host.advanceMs(7);
        assertThat(clock.next()).isEqualTo(host.wallMs() << 16);
    }

    @Test
    void timesGrowWhileTheWallClockStandsOrGoesBack() {
        long first = clock.next();
        assertThat(clock.next()).isEqualTo(first + 1);
        host.jumpWallMs(-3_600_000);
        assertThat(clock.next()).isEqualTo(first + 2);
    }

    @Test
    void moreTimesThanAMillisecondHoldsBorrowFromTheNext() {
        long previous = clock.next();
        for (int i = 0; i < 70_000; i++) {
            long time = clock.next();
            assertThat(time).isGreaterThan(previous);
            previous = time;
        }
        assertThat(HybridClock.wallMs(previous)).isEqualTo(host.wallMs() + 1);
    }

    @Test
    void aTimeComesAfterEveryTimeThatWasObserved() {
        long remote = (host.wallMs() + 500) << 16 | 9;
        assertThat(clock.observe(remote)).isTrue();
        assertThat(clock.next()).isEqualTo(remote + 1);
        assertThat(clock.observe(remote - 5)).isTrue();
        assertThat(clock.next()).isEqualTo(remote + 2);
    }

    @Test
    void aTimeTooFarAheadIsRefusedAndCounted() {
        long ours = clock.next();
        assertThat(clock.observe((host.wallMs() + 60_001) << 16)).isFalse();
        assertThat(clock.refused()).isEqualTo(1);
        assertThat(clock.next()).isEqualTo(ours + 1);
        assertThat(clock.observe((host.wallMs() + 60_000) << 16)).isTrue();
    }

    @Test
    void noTwoThreadsGetTheSameTime() throws Exception {
        int each = 100_000;
        try (var threads = Executors.newFixedThreadPool(2)) {
            Callable<long[]> take = () -> LongStream.generate(clock::next).limit(each).toArray();
            List<Future<long[]>> taken = threads.invokeAll(List.of(take, take));
            assertThat(LongStream.concat(LongStream.of(taken.get(0).get()), LongStream.of(taken.get(1).get())).distinct().count())
                    .isEqualTo(2L * each);
            assertThat(IntStream.range(1, each).allMatch(i -> at(taken, i) > at(taken, i - 1))).isTrue();
        }
    }

    private static long at(List<Future<long[]>> taken, int index) { return taken.get(0).resultNow()[index]; }
}
