package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionTable.Found;
import io.ambo.cluster.session.SessionTable.Insert;
import io.ambo.cluster.session.SessionTable.Merge;
import io.ambo.cluster.time.Clock;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sessions that are translated, found by the ends that their replies come in with. */
class TranslatedEndsTest {
    /** Which table: both must do the same. */
    enum Kind {
        CHRONICLE, IN_MEMORY
    }

    private static final int TCP = 6;
    private static final long PUBLIC = 0xFFFF_CB00_710AL, SERVER = 0xFFFF_C633_6407L, CLIENT = 0xFFFF_0A00_0005L;

    private final SessionKey found = new SessionKey();
    private final SessionRecord out = new SessionRecord();
    @TempDir
    private Path dir;

    @ParameterizedTest
    @EnumSource
    void aSessionIsFoundByItsOwnEndsAndByThoseItIsTranslatedTo(Kind kind) {
        try (SessionTable table = open(kind)) {
            SessionRecord session = session(1, 4000);
            assertThat(table.claim(ends(session), own(1))).isEqualTo(Insert.INSERTED);
            assertThat(table.insert(own(1), session)).isEqualTo(Insert.INSERTED);
            assertThat(table.find(own(1), found, out)).isEqualTo(Found.BY_OWN_ENDS);
            assertThat(found.sameAs(own(1))).isTrue();
            assertThat(table.find(ends(session), found, out)).isEqualTo(Found.BY_TRANSLATED_ENDS);
            assertThat(found.sameAs(own(1))).isTrue();
            assertThat(out.translatedPort(false)).isEqualTo(4000);
            assertThat(table.find(own(2), found, out)).isEqualTo(Found.NOT);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClaimIsNoSession(Kind kind) {
        try (SessionTable table = open(kind)) {
            SessionRecord session = session(1, 4000);
            table.claim(ends(session), own(1));
            table.insert(own(1), session);
            assertThat(table.size()).isEqualTo(1);
            assertThat(table.claims()).isEqualTo(1);
            assertThat(table.read(ends(session), out)).isFalse();
            assertThat(table.update(ends(session), (key, record) -> {
                throw new AssertionError("visited");
            })).isFalse();
            assertThat(table.remove(ends(session))).isFalse();
            assertThat(table.insert(ends(session), session)).isEqualTo(Insert.EXISTS);
            int[] visited = new int[1];
            for (int slice = 0; slice < table.slices(); slice++) table.sweep(slice, (key, record) -> ++visited[0] < 0);
            assertThat(visited[0]).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void noEndsAreGivenTwice(Kind kind) {
        try (SessionTable table = open(kind)) {
            SessionRecord first = session(1, 4000);
            table.claim(ends(first), own(1));
            table.insert(own(1), first);
            assertThat(table.claim(ends(first), own(1))).as("again by the same").isEqualTo(Insert.INSERTED);
            assertThat(table.claim(ends(first), own(2))).isEqualTo(Insert.EXISTS);
            table.insert(own(3), new SessionRecord().incarnation(0, 1, 1));
            assertThat(table.claim(own(3), own(2))).as("a session's own").isEqualTo(Insert.EXISTS);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatAClosedSessionHadIsFree(Kind kind) {
        try (SessionTable table = open(kind)) {
            SessionRecord first = session(1, 4000);
            table.claim(ends(first), own(1));
            table.insert(own(1), first.addFlags(SessionRecord.CLOSED));
            SessionRecord second = session(2, 4000);
            assertThat(table.claim(ends(second), own(2))).isEqualTo(Insert.INSERTED);
            table.insert(own(2), second);
            table.remove(own(1));
            assertThat(table.find(ends(second), found, out)).isEqualTo(Found.BY_TRANSLATED_ENDS);
            assertThat(found.sameAs(own(2))).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatTakesASessionOutReleasesItsEnds(Kind kind) {
        try (SessionTable table = open(kind)) {
            for (int i = 1; i <= 200; i++) assertThat(table.merge(own(i), session(i, 4000 + i))).isEqualTo(Merge.INSERTED);
            assertThat(table.claims()).isEqualTo(200);
            table.remove(own(1));
            assertThat(table.claims()).isEqualTo(199);
            for (int slice = 0; slice < table.slices(); slice++) table.sweep(slice, (key, record) -> true);
            assertThat(table.size()).isZero();
            assertThat(table.claims()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aMergeClaimsAndTheEndsOfTheLoserGo(Kind kind) {
        try (SessionTable table = open(kind)) {
            table.claim(ends(session(1, 4000)), own(1));
            table.insert(own(1), session(1, 4000).incarnation(0, 20, 1));
            SessionRecord winner = session(1, 5000).incarnation(0, 10, 2);
            assertThat(table.merge(own(1), winner)).isEqualTo(Merge.REPLACED);
            assertThat(table.find(ends(winner), found, out)).isEqualTo(Found.BY_TRANSLATED_ENDS);
            assertThat(table.find(ends(session(1, 4000)), found, out)).isEqualTo(Found.NOT);
            assertThat(table.claims()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSessionOfItsOwnGoesBeforeAClaimOfItsEnds(Kind kind) {
        try (SessionTable table = open(kind)) {
            SessionRecord translated = session(1, 4000);
            table.merge(own(1), translated);
            SessionRecord direct = new SessionRecord().incarnation(0, 7, 1);
            assertThat(table.merge(ends(translated), direct)).isEqualTo(Merge.INSERTED);
            assertThat(table.find(ends(translated), found, out)).isEqualTo(Found.BY_OWN_ENDS);
            assertThat(table.size()).isEqualTo(2);
            table.remove(own(1));
            assertThat(table.size()).isEqualTo(1);
            assertThat(table.claims()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void claimsCountTowardsTheCapacity(Kind kind) {
        try (SessionTable table = kind == Kind.CHRONICLE ? ChronicleSessionTable.open(dir, 3, Clock.SYSTEM) : new InMemorySessionTable(3)) {
            assertThat(table.merge(own(1), session(1, 4000))).isEqualTo(Merge.INSERTED);
            assertThat(table.merge(own(2), session(2, 4001))).isEqualTo(Merge.FULL);
            assertThat(table.claim(ends(session(3, 4002)), own(3))).isEqualTo(Insert.FULL);
        }
    }

    /** A claim that a killed process had not made yet, and one whose session it had not. */
    @org.junit.jupiter.api.Test
    void claimsAreMadeAnewWhenTheTableIsOpened() {
        SessionRecord session = session(1, 4000);
        try (SessionTable table = open(Kind.CHRONICLE)) {
            table.insert(own(1), session);
            table.claim(ends(session(2, 4001)), own(2));
        }
        try (SessionTable table = open(Kind.CHRONICLE)) {
            assertThat(table.find(ends(session), found, out)).isEqualTo(Found.BY_TRANSLATED_ENDS);
            assertThat(table.find(ends(session(2, 4001)), found, out)).isEqualTo(Found.NOT);
            assertThat(table.size()).isEqualTo(1);
            assertThat(table.claims()).isEqualTo(1);
        }
    }

    private SessionTable open(Kind kind) {
        return kind == Kind.CHRONICLE ? ChronicleSessionTable.open(dir, 1_000, Clock.SYSTEM) : new InMemorySessionTable(1_000);
    }

    private static SessionKey own(int client) {
        SessionKey key = new SessionKey();
        key.set(0, CLIENT + client, 1000, 0, SERVER, 443, TCP, 0);
        return key;
    }

    private static SessionRecord session(int created, int port) {
        return new SessionRecord().incarnation(0, created, 1).translate(0, PUBLIC, port, 0, SERVER, 443);
    }

    private static SessionKey ends(SessionRecord session) {
        SessionKey ends = new SessionKey();
        session.writeTranslatedKey(own(0), ends);
        return ends;
    }
}
