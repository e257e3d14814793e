package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.ambo.cluster.Seed;
import io.ambo.cluster.time.Clock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChronicleSessionTableTest {
    private final SessionRecord out = new SessionRecord();
    @TempDir
    private Path dir;

    @Test
    void whatWasInsertedIsFoundUpdatedInPlaceAndRemoved() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 10_000, Clock.SYSTEM)) {
            SessionRecord session = Sessions.session(1, 100);
            for (int i = 0; i < 5_000; i++)
                assertThat(table.insert(Sessions.key(i), session.timeoutMs(i))).isEqualTo(SessionTable.Insert.INSERTED);
            assertThat(table.size()).isEqualTo(5_000);
            assertThat(table.insert(Sessions.key(7), session)).isEqualTo(SessionTable.Insert.EXISTS);
            assertThat(table.update(Sessions.key(7), (key, found) -> {
                assertThat(key.sameAs(Sessions.key(7))).isTrue();
                assertThat(found.timeoutMs()).isEqualTo(7);
                found.timeoutMs(77);
            })).isTrue();
            assertThat(table.read(Sessions.key(7), out)).isTrue();
            assertThat(out.timeoutMs()).isEqualTo(77);
            assertThat(table.remove(Sessions.key(7))).isTrue();
            assertThat(table.remove(Sessions.key(7))).isFalse();
            assertThat(table.read(Sessions.key(7), out)).isFalse();
            assertThat(table.size()).isEqualTo(4_999);
        }
    }

    @Test
    void aSweepVisitsEachSessionOnceAndRemovesThoseItIsTold() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 10_000, Clock.SYSTEM)) {
            for (int i = 0; i < 5_000; i++) table.insert(Sessions.key(i), Sessions.session(1, 100).timeoutMs(i));
            long seen = 0;
            for (int slice = 0; slice < table.slices(); slice++) seen += table.sweep(slice, (key, session) -> session.timeoutMs() % 2 == 0);
            assertThat(seen).isEqualTo(5_000);
            assertThat(table.size()).isEqualTo(2_500);
            assertThat(table.read(Sessions.key(4), out)).isFalse();
            assertThat(table.read(Sessions.key(5), out)).isTrue();
        }
    }

    @Test
    void sessionsAreThereAgainAfterTheTableWasClosed() {
        SessionRecord session = Sessions.session(1, 100).localFlags(SessionRecord.REPLY_SEEN_HERE).lastSeenMs(5);
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            table.insert(Sessions.key(1), session);
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            assertThat(table.size()).isEqualTo(1);
            assertThat(table.read(Sessions.key(1), out)).isTrue();
            assertThat(out.lastSeenMs()).isEqualTo(5);
            assertThat(out.localFlags()).as("this run has not seen a packet").isZero();
        }
    }

    @Test
    void aFullTableRefusesAndHasRoomAgainAfterARemoval() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 2_000, Clock.SYSTEM)) {
            SessionRecord session = Sessions.session(1, 100);
            for (int i = 0; i < 2_000; i++) assertThat(table.insert(Sessions.key(i), session)).isEqualTo(SessionTable.Insert.INSERTED);
            assertThat(table.insert(Sessions.key(2_000), session)).isEqualTo(SessionTable.Insert.FULL);
            assertThat(table.merge(Sessions.key(2_001), session)).isEqualTo(SessionTable.Merge.FULL);
            assertThat(table.size()).isEqualTo(2_000);
            table.remove(Sessions.key(3));
            assertThat(table.merge(Sessions.key(2_001), session)).isEqualTo(SessionTable.Merge.INSERTED);
        }
    }

    @Test
    void keysThatAllFallIntoOneSliceFillTheWholeTable() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            SessionRecord session = Sessions.session(1, 100);
            int inserted = 0;
            for (int number = 0; inserted < table.capacity(); number++) {
                assertThat(table.insert(Sessions.key(number), session)).as("%d in one slice", inserted)
                        .isEqualTo(SessionTable.Insert.INSERTED);
                if (isInSlice(table, 1, number)) inserted++;
                else
                    table.remove(Sessions.key(number));
            }
            assertThat(table.sweep(1, (key, found) -> false)).isEqualTo(1_000);
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            assertThat(table.sweep(1, (key, found) -> true)).isEqualTo(1_000);
            assertThat(table.size()).isZero();
        }
    }

    @Test
    void aSecondOpeningOfTheSameDirectoryIsRefusedWithARemedy() {
        try (SessionTable first = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            assertThat(first.size()).isZero();
            assertThatThrownBy(() -> ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)).isInstanceOf(SessionTableException.class)
                    .hasMessageContaining("another process has it open").hasMessageContaining("node.table-dir");
        }
    }

    @Test
    void aVisitorThatCallsTheTableIsToldSo() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            table.insert(Sessions.key(1), Sessions.session(1, 100));
            assertThatThrownBy(() -> table.update(Sessions.key(1), (key, session) -> table.remove(Sessions.key(1))))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(table.remove(Sessions.key(1))).as("the lock was released").isTrue();
        }
    }

    @Test
    void aForeignFileIsPutAsideAndTheTableStartsEmpty() throws IOException {
        Files.writeString(dir.resolve("sessions.map"), "not a map");
        assertEmptyAndPutAside();
    }

    @Test
    void aDamagedFileIsPutAsideAndTheTableStartsEmpty() throws IOException {
        ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM).close();
        byte[] bytes = Files.readAllBytes(dir.resolve("sessions.map"));
        bytes[100] ^= 1;
        Files.write(dir.resolve("sessions.map"), bytes);
        assertEmptyAndPutAside();
    }

    /** A disk gives back other bytes than were written; the file was closed well, so nothing else announces it. */
    @Test
    void aTableWithDamagedSessionsIsRecoveredAndGoesOn() throws IOException {
        SplittableRandom random = Seed.random("ChronicleSessionTableTest.aTableWithDamagedSessionsIsRecoveredAndGoesOn");
        for (int round = 0; round < 5; round++) {
            try (SessionTable table = ChronicleSessionTable.open(dir, 5_000, Clock.SYSTEM)) {
                for (int i = 0; i < 4_000; i++) table.insert(Sessions.key(i), Sessions.session(1, 100));
            }
            try (FileChannel map = FileChannel.open(dir.resolve("sessions.map"), StandardOpenOption.WRITE)) {
                byte[] page = new byte[4_096];
                for (int i = 0; i < page.length; i++) page[i] = (byte) random.nextInt();
                for (int i = 0; i < 5; i++) map.write(ByteBuffer.wrap(page), page.length * random.nextLong(1, map.size() / page.length));
            }
            try (SessionTable table = ChronicleSessionTable.open(dir, 5_000, Clock.SYSTEM)) {
                assertThat(table.size()).as("round %d", round).isBetween(1_000L, 4_000L);
                for (int i = 0; i < 4_000; i++) {
                    table.remove(Sessions.key(i));
                    assertThat(table.insert(Sessions.key(i), Sessions.session(1, 100))).as("session %d", i)
                            .isEqualTo(SessionTable.Insert.INSERTED);
                }
            }
        }
    }

    @Test
    void aTruncatedFileIsPutAsideAndTheTableStartsEmpty() throws IOException {
        ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM).close();
        byte[] bytes = Files.readAllBytes(dir.resolve("sessions.map"));
        Files.write(dir.resolve("sessions.map"), Arrays.copyOf(bytes, bytes.length / 2));
        assertEmptyAndPutAside();
    }

    @Test
    void anotherCapacityKeepsTheSessions() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            for (int i = 0; i < 1_000; i++) {
                SessionRecord session = Sessions.session(1, 100);
                if (i >= 500) session.addFlags(SessionRecord.CLOSED);
                table.insert(Sessions.key(i), session);
            }
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, 5_000, Clock.SYSTEM)) {
            assertThat(table.size()).isEqualTo(1_000);
            assertThat(table.capacity()).isEqualTo(5_000);
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, 600, Clock.SYSTEM)) {
            assertThat(table.size()).isEqualTo(600);
            for (int i = 0; i < 500; i++) assertThat(table.read(Sessions.key(i), out)).as("session %d", i).isTrue();
        }
    }

    @Test
    void sessionsOfAnEarlierBootCountAsJustSeen() {
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM, "boot one")) {
            table.insert(Sessions.key(1), Sessions.session(1, 100).lastSeenMs(3));
        }
        long before = Clock.SYSTEM.monotonicMs();
        for (int i = 0; i < 2; i++) {
            try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM, "boot two")) {
                assertThat(table.read(Sessions.key(1), out)).isTrue();
                assertThat(out.lastSeenMs()).isBetween(before, Clock.SYSTEM.monotonicMs());
                before = out.lastSeenMs();
            }
        }
    }

    private static boolean isInSlice(SessionTable table, int slice, int number) {
        SessionKey wanted = Sessions.key(number);
        boolean[] found = new boolean[1];
        table.sweep(slice, (key, session) -> {
            found[0] |= key.sameAs(wanted);
            return false;
        });
        return found[0];
    }

    private void assertEmptyAndPutAside() throws IOException {
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            assertThat(table.size()).isZero();
            table.insert(Sessions.key(1), Sessions.session(1, 100));
        }
        try (var files = Files.list(dir)) {
            assertThat(files.map(file -> file.getFileName().toString())).anyMatch(name -> name.startsWith("sessions.map.unreadable-"));
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM)) {
            assertThat(table.size()).isEqualTo(1);
        }
    }
}
