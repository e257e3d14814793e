package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class DigestTest {
    private final SessionTable here = new InMemorySessionTable(1_000);
    private final SessionTable there = new InMemorySessionTable(1_000);

    @Test
    void equalTablesHaveEqualDigestsInWhateverOrderTheyWereFilled() {
        for (int i = 0; i < 100; i++) here.insert(Sessions.key(i), Sessions.session(1, i));
        for (int i = 99; i >= 0; i--) there.insert(Sessions.key(i), Sessions.session(1, i));
        assertThat(Digest.of(here).differingBuckets(Digest.of(there))).isEmpty();
        assertThat(Digest.of(here).count()).isEqualTo(100);
    }

    @Test
    void eachKindOfDifferenceShowsInItsBucketAndInNoOther() {
        fill();
        there.remove(Sessions.key(7));
        assertDifferenceOf(7);
        fill();
        there.update(Sessions.key(8), (key, session) -> session.incarnation(1, 8, 1));
        assertDifferenceOf(8);
        fill();
        there.update(Sessions.key(9), (key, session) -> session.reply().raiseState(TcpHalf.ESTABLISHED));
        assertDifferenceOf(9);
        fill();
        there.update(Sessions.key(11), (key, session) -> session.owner(777));
        assertDifferenceOf(11);
        fill();
        there.update(Sessions.key(10), (key, session) -> session.addFlags(SessionRecord.CLOSED));
        assertDifferenceOf(10);
        fill();
        here.insert(Sessions.key(50), Sessions.session(1, 50));
        assertDifferenceOf(50);
    }

    @Test
    void whatMovesWithEachPacketIsNoDifference() {
        fill();
        there.update(Sessions.key(7), (key, session) -> {
            session.original().advanceSeqEnd(12);
            session.lastSeenMs(99).count(true, 1, 60);
        });
        assertThat(Digest.of(here).differingBuckets(Digest.of(there))).isEmpty();
    }

    @Test
    void aTombstoneThatOneNodeHasForgottenIsNoDifference() {
        fill();
        here.update(Sessions.key(7), (key, session) -> SessionExpiry.DEFAULT.close(session, 5));
        there.remove(Sessions.key(7));
        assertThat(Digest.of(here).differingBuckets(Digest.of(there))).isEmpty();
    }

    @Test
    void aDigestFromTheWireMustHaveAllBuckets() {
        fill();
        Digest digest = Digest.of(here);
        long[] sums = new long[SessionTable.BUCKETS];
        int[] counts = new int[SessionTable.BUCKETS];
        for (int bucket = 0; bucket < SessionTable.BUCKETS; bucket++) {
            sums[bucket] = digest.sum(bucket);
            counts[bucket] = digest.count(bucket);
        }
        assertThat(Digest.of(sums, counts).differingBuckets(digest)).isEmpty();
        assertThatThrownBy(() -> Digest.of(new long[7], counts)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("4096");
    }

    @Test
    void theHashIsTheSameOnEveryNodeAndInEveryVersion() {
        SessionRecord session = Sessions.session(3, 100);
        assertThat(Long.toHexString(Digest.hash(Sessions.key(1).hash(), session))).isEqualTo("87adc8944c941c9");
    }

    private void fill() {
        for (SessionTable table : new SessionTable[]{ here, there }) {
            for (int i = 0; i < 60; i++) table.remove(Sessions.key(i));
            for (int i = 0; i < 20; i++) table.insert(Sessions.key(i), Sessions.session(1, i));
        }
    }

    private void assertDifferenceOf(int number) {
        assertThat(Digest.of(here).differingBuckets(Digest.of(there))).containsExactly(SessionTable.bucket(Sessions.key(number)));
    }
}
