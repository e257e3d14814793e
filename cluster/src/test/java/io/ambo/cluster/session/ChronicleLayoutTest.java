package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.ambo.cluster.time.Clock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import net.openhft.chronicle.hash.impl.TierCountersArea;
import net.openhft.chronicle.map.MapSegmentContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

    /** Entries made and removed through the door are what the map has, in its own count, look-ups, sweeps and free chunks, and either goes on from what the other left. */
    @Test
    void whatTheDoorMakesAndRemovesIsTheMapsOwn() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            ChronicleLayout layout = new ChronicleLayout(table.map());
            List<SessionKey> crowd = keysOfOneSlice(layout, 3 * layout.mostEntries);
            SplittableRandom random = new SplittableRandom(7);
            Set<Integer> there = new HashSet<>();
            for (int i = 0; i < 10 * crowd.size(); i++) {
                int n = random.nextInt(crowd.size());
                // Full at first, then nearly empty, then full again.
                boolean insert = random.nextInt(100) < (i / (3 * crowd.size()) % 2 == 0 ? 80 : 20);
                boolean throughTheDoor = random.nextInt(10) > 0;
                if (random.nextInt(1_000) == 0) {
                    int third = random.nextInt(3);
                    table.sweep(0, (key, session) -> session.timeoutMs() % 3 == third);
                    there.removeIf(each -> each % 3 == third);
                } else if (insert) {
                    boolean inserted = throughTheDoor
                            ? table.insert(crowd.get(n), session(n)) == SessionTable.Insert.INSERTED
                            : table.map().putIfAbsent(bytes(crowd.get(n)), bytes(session(n))) == null;
                    assertThat(inserted).isEqualTo(there.add(n));
                } else {
                    boolean removed = throughTheDoor ? table.remove(crowd.get(n)) : table.map().remove(bytes(crowd.get(n))) != null;
                    assertThat(removed).isEqualTo(there.remove(n));
                }
            }
            assertThat(tiers(layout)).isGreaterThan(2);
            assertThat(table.map().longSize()).isEqualTo(there.size());
            for (int n = 0; n < crowd.size(); n++) {
                byte[] record = table.map().get(bytes(crowd.get(n)));
                assertThat(record).isEqualTo(there.contains(n) ? bytes(session(n)) : null);
            }
            assertThat(addresses(table)).hasSize(there.size());
        }
    }

    /** The map's own recovery finds them too, in further tiers as well. */
    @Test
    void recoveryFindsWhatTheDoorHasMade() throws IOException {
        List<SessionKey> keys = new ArrayList<>();
        int left;
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            ChronicleLayout layout = new ChronicleLayout(table.map());
            keys.addAll(keysOfOneSlice(layout, 3 * layout.mostEntries));
            for (int i = 0; i < SESSIONS / 2; i++) if (sliceOf(layout, Sessions.key(i)) != 0) keys.add(Sessions.key(i));
            for (SessionKey key : keys) assertThat(table.insert(key, Sessions.session(1, 100))).isEqualTo(SessionTable.Insert.INSERTED);
            left = keys.size() * 3 / 4;
            for (SessionKey key : keys.subList(left, keys.size())) assertThat(table.remove(key)).isTrue();
            assertThat(tiers(layout)).isGreaterThan(2);
        }
        Path state = dir.resolve("sessions.state");
        Files.writeString(state, Files.readString(state).replace("closed=true", "closed=false"));
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            assertThat(table.size()).isEqualTo(left);
            for (int i = 0; i < keys.size(); i++) assertThat(table.update(keys.get(i), (key, session) -> {})).isEqualTo(i < left);
        }
    }

    /** A damaged page: a tier that goes on in itself, or in one that there is not, would be followed for ever, or out of the file. */
    @ParameterizedTest
    @ValueSource(longs = { 0, 1, 1_000_000 })
    void tiersThatLeadNowhereAreFoundAtTheStart(long further) {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            ChronicleLayout layout = new ChronicleLayout(table.map());
            List<SessionKey> keys = keysOfOneSlice(layout, 2 * layout.mostEntries);
            for (int i = 0; tiers(layout) < 2; i++) table.insert(keys.get(i), Sessions.session(1, 100));
            long second = layout.nextTier(0, layout.tier(0));
            layout.check(0);
            TierCountersArea.nextTierIndex(layout.counters(second), table.slices() + 1 + further);
            assertThatThrownBy(() -> layout.check(0)).isInstanceOf(IllegalStateException.class);
        }
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
                assertThat(table.merge(Sessions.key(-1), Sessions.session(1, 100))).isIn(SessionTable.Merge.INSERTED,
                        SessionTable.Merge.UNCHANGED);
            }
        });
    }

    @Test
    void aVisitorThatFailsLeavesNoLock() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(dir, SESSIONS, Clock.SYSTEM)) {
            table.insert(Sessions.key(1), Sessions.session(1, 100));
            assertThatThrownBy(() -> table.update(Sessions.key(1), (key, session) -> {
                throw new UnsupportedOperationException("a visitor's own trouble");
            })).hasMessageContaining("own trouble");
            assertThat(table.remove(Sessions.key(1))).isTrue();
        }
    }

    private static List<SessionKey> keysOfOneSlice(ChronicleLayout layout, long count) {
        List<SessionKey> keys = new ArrayList<>();
        for (int i = 0; keys.size() < count; i++) if (sliceOf(layout, Sessions.key(i)) == 0) keys.add(Sessions.key(i));
        return keys;
    }

    private static SessionRecord session(int n) { return Sessions.session(1, 100).timeoutMs(n); }

    private static byte[] bytes(SessionKey key) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[SessionKey.SIZE]);
        new SessionKey(bytes, 0).copyFrom(key);
        return bytes.toArray(JAVA_BYTE);
    }

    private static byte[] bytes(SessionRecord session) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[SessionRecord.SIZE]);
        new SessionRecord(bytes, 0).copyFrom(session);
        return bytes.toArray(JAVA_BYTE);
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
