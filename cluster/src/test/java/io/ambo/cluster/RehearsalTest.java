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
        assertThat(Rehearsal.run(directory, Clock.SYSTEM, 60_000_000_000L)).isEqualTo(40_000);
        assertThat(Thread.getAllStackTraces().keySet()).filteredOn(thread -> thread.getName().startsWith("ambo-")).isSubsetOf(before);
    }

    @Test
    void itEndsInTime() {
        long beganNs = System.nanoTime();
        Rehearsal.run(directory, Clock.SYSTEM, 1);
        assertThat(System.nanoTime() - beganNs).isLessThan(20_000_000_000L);
    }
}
