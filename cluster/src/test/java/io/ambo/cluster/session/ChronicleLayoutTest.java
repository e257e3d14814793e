package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.time.Clock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.openhft.chronicle.map.MapSegmentContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link ChronicleDoor} finds what Chronicle Map itself says is there, at the same address. */
class ChronicleLayoutTest {
    private static final int SESSIONS = 20_000;
    @TempDir
    private Path dir;

    @Test
    void theDoorLeadsToWhereTheMapKeepsIt() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            for (int i = 0; i < SESSIONS; i++) table.insert(Sessions.key(i), Sessions.session(1, 100));
            Map<Long, Long> found = new HashMap<>();
            for (int i = 0; i < SESSIONS; i++) {
                int n = i;
                table.update(Sessions.key(i), (key, session) -> {
                    assertThat(key.sameAs(Sessions.key(n))).isTrue();
                    assertThat(session.offset()).isEqualTo(key.offset() + ChronicleLayout.RECORD);
                    found.put(key.offset(), session.offset());
                });
            }
            assertThat(found).isEqualTo(addresses(table)).hasSize(SESSIONS);
            for (int i = SESSIONS; i < 2 * SESSIONS; i++) assertThat(table.update(Sessions.key(i), (key, session) -> {})).isFalse();
        }
    }

    /** Keys that were chosen to come into one slice fill it, and it grows tiers. */
    @Test
    void theDoorLeadsIntoEachTier() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            ChronicleLayout layout = new ChronicleLayout(table.map());
            List<SessionKey> keys = new ArrayList<>();
            for (int i = 0; tiers(layout) < 3; i++) {
                SessionKey key = Sessions.key(i);
                if (sliceOf(layout, key) != 0) continue;
                keys.add(key);
                assertThat(table.insert(key, Sessions.session(1, 100))).isEqualTo(SessionTable.Insert.INSERTED);
            }
            for (SessionKey key : keys) assertThat(table.update(key, (found, session) -> assertThat(found.sameAs(key)).isTrue())).isTrue();
            for (SessionKey key : keys) assertThat(table.remove(key)).isTrue();
            for (SessionKey key : keys) assertThat(table.update(key, (found, session) -> {})).isFalse();
            assertThat(table.size()).isZero();
        }
    }

    @Test
    void aVisitorThatFailsLeavesNoLock() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            table.insert(Sessions.key(1), Sessions.session(1, 100));
            try {
                table.update(Sessions.key(1), (key, session) -> {
                    throw new UnsupportedOperationException("a visitor's own trouble");
                });
            } catch (UnsupportedOperationException expected) {
                assertThat(expected).hasMessageContaining("own trouble");
            }
            assertThat(table.remove(Sessions.key(1))).isTrue();
        }
    }

    private static Map<Long, Long> addresses(ChronicleSessionTable table) {
        Map<Long, Long> addresses = new HashMap<>();
        for (int slice = 0; slice < table.slices(); slice++) {
            try (MapSegmentContext<byte[], byte[], ?> context = table.map().segmentContext(slice)) {
                context.forEachSegmentEntry(entry -> addresses.put(entry.key().bytes().addressForRead(entry.key().offset()),
                        entry.value().bytes().addressForRead(entry.value().offset())));
            }
        }
        return addresses;
    }

    private static int sliceOf(ChronicleLayout layout, SessionKey key) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(SessionKey.SIZE, 8);
            new SessionKey(bytes, 0).copyFrom(key);
            return layout.slice(ChronicleLayout.hash(bytes.address()));
        }
    }

    private static int tiers(ChronicleLayout layout) {
        int tiers = 0;
        for (long tier = layout.tier(0); tier != 0; tier = layout.nextTier(0, tier)) tiers++;
        return tiers;
    }
}
