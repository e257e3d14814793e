package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Seed;
import io.ambo.cluster.time.Clock;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The table against the simplest table there is: the same random calls, the same answers. */
class SessionTableModelTest {
    private static final int KEYS = 1_500;
    private static final int CAPACITY = 1_000;
    private final SessionRecord mine = new SessionRecord();
    private final SessionRecord theirs = new SessionRecord();

    @Test
    void aRandomRunGivesWhatTheModelGivesAlsoOverRestarts(@TempDir Path dir) {
        SplittableRandom random = Seed.random("SessionTableModelTest");
        InMemorySessionTable model = new InMemorySessionTable(CAPACITY);
        for (int restart = 0; restart < 4; restart++) {
            try (SessionTable table = ChronicleSessionTable.open(dir, CAPACITY, Clock.SYSTEM)) {
                for (int i = 0; i < 20_000; i++) step(random, table, model);
                assertSame(table, model);
                assertThat(Digest.of(table).differingBuckets(Digest.of(model))).isEmpty();
            }
        }
    }

    private void step(SplittableRandom random, SessionTable table, SessionTable model) {
        SessionKey key = Sessions.key(random.nextInt(KEYS));
        // Random translations contradict each other in ways that those of nodes cannot; TranslatedEndsTest is about them.
        SessionRecord session = new Copies(random).any();
        while (session.has(SessionRecord.TRANSLATED)) session = new Copies(random).any();
        switch (random.nextInt(7)) {
            case 0, 1 -> assertThat(table.insert(key, session)).isEqualTo(model.insert(key, session));
            case 2, 3 -> assertThat(table.merge(key, session)).isEqualTo(model.merge(key, session));
            case 4 -> assertThat(table.remove(key)).isEqualTo(model.remove(key));
            case 5 -> assertThat(table.update(key, (k, found) -> found.timeoutMs(5)))
                    .isEqualTo(model.update(key, (k, found) -> found.timeoutMs(5)));
            default -> assertThat(table.read(key, mine)).isEqualTo(model.read(key, theirs));
        }
        if (random.nextInt(2_000) == 0) {
            SessionTable.Sweep sweep = (k, found) -> found.has(SessionRecord.CLOSED);
            assertThat(sweep(table, sweep)).isEqualTo(sweep(model, sweep));
        }
        assertThat(table.size()).isEqualTo(model.size());
    }

    private void assertSame(SessionTable table, SessionTable model) {
        for (int number = 0; number < KEYS; number++) {
            SessionKey key = Sessions.key(number);
            assertThat(table.read(key, mine)).isEqualTo(model.read(key, theirs));
            assertThat(bytes(mine)).isEqualTo(bytes(theirs));
        }
    }

    private static int sweep(SessionTable table, SessionTable.Sweep sweep) {
        int seen = 0;
        for (int slice = 0; slice < table.slices(); slice++) seen += table.sweep(slice, sweep);
        return seen;
    }

    private static byte[] bytes(SessionRecord session) { return session.segment().toArray(ValueLayout.JAVA_BYTE); }
}
