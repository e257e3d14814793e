package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.time.Clock;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RehearsalTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Test
    void allSessionsAreHandedOverAndNoThreadIsLeft() {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        for (int act = 0; act < 4; act++)
            assertThat(Rehearsal.run(directory.resolve("act " + act), act, 10_000, 2_000, Clock.SYSTEM, 60_000_000_000L)).isEqualTo(10_000);
        assertThat(Thread.getAllStackTraces().keySet()).filteredOn(thread -> thread.getName().startsWith("ambo-")).isSubsetOf(before);
    }

    @Test
    void itEndsInTime() {
        long beganNs = System.nanoTime();
        Rehearsal.run(directory, 0, 40_000, 6_000, Clock.SYSTEM, 1);
        assertThat(System.nanoTime() - beganNs).isLessThan(20_000_000_000L);
    }
}
