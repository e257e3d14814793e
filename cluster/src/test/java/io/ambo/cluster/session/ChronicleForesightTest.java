package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.time.Clock;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChronicleForesightTest {
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final int SESSIONS = 20_000;
    @TempDir
    private Path dir;

    @Test
    void itKnowsWhereTheTableKeepsItsEntries() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            for (int i = 0; i < SESSIONS; i++) table.insert(Sessions.key(i), Sessions.session(1, 100));
            ChronicleForesight foresight = new ChronicleForesight(MEMORY, new ChronicleLayout(table.map()));
            int known = 0;
            for (int i = 0; i < SESSIONS; i++) {
                long[] actual = new long[1];
                table.update(Sessions.key(i), (key, session) -> actual[0] = key.offset());
                foresight.expect(Sessions.key(i));
                foresight.fetch();
                if (foresight.entriesAfterFetch(1)[0] == actual[0]) known++;
            }
            // The others stand too far behind their first place of the index, or another key has the same part of the hash before them.
            assertThat(known).isGreaterThan(SESSIONS * 95 / 100);
        }
    }

    @Test
    void whatIsNotThereIsNotLookedFor() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            ChronicleForesight foresight = new ChronicleForesight(MEMORY, new ChronicleLayout(table.map()));
            for (int i = 0; i < 3 * ChronicleForesight.MOST; i++) foresight.expect(Sessions.key(i));
            foresight.fetch();
            assertThat(foresight.entriesAfterFetch(ChronicleForesight.MOST)).containsOnly(0);
        }
    }
}
