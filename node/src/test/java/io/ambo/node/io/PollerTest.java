package io.ambo.node.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PollerTest {
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(30);

    @Test
    void itWaitsForTheTimeAndNotMuchLonger() {
        try (Poller poller = Poller.open(1)) {
            long start = System.nanoTime();
            assertThat(poller.block(TimeUnit.MILLISECONDS.toNanos(20))).isZero();
            assertThat(System.nanoTime() - start).isBetween(TimeUnit.MILLISECONDS.toNanos(20), TimeUnit.SECONDS.toNanos(5));
        }
    }

    @Test
    void aWakeUpBeforeTheBlockIsNotLostAndCountsOnce() {
        try (Poller poller = Poller.open(1)) {
            poller.wakeUp();
            poller.wakeUp();
            poller.block(LONG_NS);
            long start = System.nanoTime();
            poller.block(TimeUnit.MILLISECONDS.toNanos(20));
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    @Test
    void noWakeUpOfAnotherThreadIsEverLost() throws Exception {
        int rounds = 20_000;
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger answered = new AtomicInteger();
        try (Poller poller = Poller.open(1)) {
            Thread worker = Thread.ofPlatform().start(() -> {
                while (answered.get() < rounds) {
                    if (asked.get() > answered.get()) {
                        answered.incrementAndGet();
                    } else {
                        poller.block(LONG_NS);
                    }
                }
            });
            for (int i = 1; i <= rounds; i++) {
                asked.set(i);
                poller.wakeUp();
                while (answered.get() < i) Thread.onSpinWait();
            }
            worker.join();
        }
        assertThat(answered).hasValue(rounds);
    }

    @Test
    void anIdleThreadUsesNoProcessor() throws Exception {
        AtomicBoolean running = new AtomicBoolean(true);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Poller poller = Poller.open(1)) {
            Thread worker = Thread.ofPlatform().start(() -> {
                while (running.get()) poller.idle(0, TimeUnit.MILLISECONDS.toNanos(10));
            });
            long before = threads.getThreadCpuTime(worker.threadId());
            try (Poller stopwatch = Poller.open(1)) {
                stopwatch.block(TimeUnit.MILLISECONDS.toNanos(500));
            }
            assertThat(threads.getThreadCpuTime(worker.threadId()) - before).isLessThan(TimeUnit.MILLISECONDS.toNanos(100));
            running.set(false);
            poller.wakeUp();
            worker.join();
        }
    }
}
