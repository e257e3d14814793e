package io.ambo.cluster.resync;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.time.Clock;
import org.junit.jupiter.api.Test;

class ResyncRehearsalTest {
    @Test
    void allSessionsComeOverInEachRoundAndNoneStays() {
        try (InMemorySessionTable from = new InMemorySessionTable(10_000); InMemorySessionTable into = new InMemorySessionTable(10_000)) {
            assertThat(ResyncRehearsal.run(from, into, Clock.SYSTEM, 2, 20_000_000_000L)).isEqualTo(6_000);
            assertThat(from.size()).isZero();
            assertThat(into.size()).isZero();
        }
    }

    @Test
    void itEndsInTime() {
        try (InMemorySessionTable from = new InMemorySessionTable(10_000); InMemorySessionTable into = new InMemorySessionTable(10_000)) {
            assertThat(ResyncRehearsal.run(from, into, Clock.SYSTEM, 1_000_000, 1)).isLessThanOrEqualTo(3_000);
        }
    }
}
