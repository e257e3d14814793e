package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class RateLimiterTest {
    private static final long SECOND_NS = 1_000_000_000L;

    @Test
    void aBurstPassesAndThenTheRate() {
        RateLimiter limiter = new RateLimiter(100, 10);
        assertThat(taken(limiter, 0, 0, 20)).isEqualTo(10);
        assertThat(taken(limiter, 0, SECOND_NS - 1, 1000)).isEqualTo(99);
        assertThat(limiter.tryAcquire(SECOND_NS)).isTrue();
        assertThat(limiter.tryAcquire(SECOND_NS)).isFalse();
    }

    @Test
    void anIdleBucketHoldsNoMoreThanItsBurst() {
        RateLimiter limiter = new RateLimiter(1000, 5);
        assertThat(taken(limiter, 0, 0, 9)).isEqualTo(5);
        assertThat(taken(limiter, Long.MAX_VALUE / 2, Long.MAX_VALUE / 2, 9)).isEqualTo(5);
    }

    @Test
    void aClockThatStartsNegativeOrStandsStillIsFine() {
        RateLimiter limiter = new RateLimiter(1, 1);
        assertThat(limiter.tryAcquire(-5 * SECOND_NS)).isTrue();
        assertThat(limiter.tryAcquire(-5 * SECOND_NS)).isFalse();
        assertThat(limiter.tryAcquire(-4 * SECOND_NS - 1)).isFalse();
        assertThat(limiter.tryAcquire(-4 * SECOND_NS)).isTrue();
    }

    @Test
    void neverMoreThanBurstAndRateIsGivenOut() {
        Seeds.check("rate limit", 300, random -> {
            int rate = random.nextInt(1, random.nextBoolean() ? 50 : 1_000_000_000);
            int burst = random.nextInt(1, 100);
            RateLimiter limiter = new RateLimiter(rate, burst);
            long nowNs = 0;
            long given = 0;
            long asked = 0;
            for (int i = 0; i < 500; i++) {
                nowNs += random.nextInt(4) == 0 ? 0 : random.nextLong(1, 2 * SECOND_NS / rate + 2);
                asked++;
                if (limiter.tryAcquire(nowNs)) given++;
                double allowed = burst + (double) nowNs * rate / SECOND_NS;
                assertThat((double) given).isLessThanOrEqualTo(allowed + 1e-6);
            }
            assertThat(given).isPositive().isLessThanOrEqualTo(asked);
        });
    }

    @Test
    void aSlowAskerIsNeverRefused() {
        Seeds.check("slow askers pass", 100, random -> {
            int rate = random.nextInt(1, 100_000);
            RateLimiter limiter = new RateLimiter(rate, 1);
            long stepNs = (SECOND_NS + rate - 1) / rate;
            for (int i = 0; i < 1000; i++) assertThat(limiter.tryAcquire(i * stepNs)).isTrue();
        });
    }

    @Test
    void numbersOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new RateLimiter(0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new RateLimiter(1, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    private static int taken(RateLimiter limiter, long fromNs, long toNs, int times) {
        int taken = 0;
        for (int i = 0; i < times; i++) if (limiter.tryAcquire(fromNs + (times == 1 ? 0 : (toNs - fromNs) / (times - 1) * i))) taken++;
        return taken;
    }
}
