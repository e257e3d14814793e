package io.ambo.cluster.replication;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterSettings.Limits;
import io.ambo.cluster.Samples;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stepped, without its thread: one turn sends one message. */
class ReplicatorTest {
    private static final NodeId A = NodeId.of("a"), B = NodeId.of("b");
    private static final int DELTAS_PER_BATCH = 100;

    private final CounterBank<ClusterCounter> counters = new CounterBank<>(ClusterCounter.class);
    private final Wire wire = new Wire();
    private final SessionKey key = new SessionKey();
    @TempDir
    private Path dir;
    private SessionTable table;
    private Replicator replicator;

    @BeforeEach
    void start() {
        table = ChronicleSessionTable.open(dir, 1000, Clock.SYSTEM);
        replicator = new Replicator(A, 1, false, new Limits(1, 4096, DELTAS_PER_BATCH, 1 << 20), wire, table, Clock.SYSTEM, counters,
                new DirtyBuckets(), (worker, ticket) -> {});
        replicator.onView(new View(1, A, List.of(A, B)));
    }

    @AfterEach
    void end() { table.close(); }

    @Test
    void aMessageHoldsNoMoreThanItMay() {
        for (int i = 0; i < 250; i++) publish(i, 1);
        steps();
        assertThat(wire.sizes).containsExactly(100, 100, 50);
        assertThat(counters.total(ClusterCounter.DELTAS_COALESCED)).isZero();
    }

    @Test
    void aLaterDeltaMakesAnEarlierOneSuperfluousAlsoIfItGoesInAnotherMessage() {
        for (int i = 0; i < 250; i++) publish(i, 1);
        for (int i = 0; i < 250; i++) publish(i, 2);
        steps();
        assertThat(wire.sizes).as("full messages of what is newest").containsExactly(100, 100, 50);
        assertThat(counters.total(ClusterCounter.DELTAS_COALESCED)).isEqualTo(250);
        assertThat(wire.newest).hasSize(250).allSatisfy((session, seq) -> assertThat(seq).isEqualTo(2));
    }

    @Test
    void whatLiesTooFarBehindToBeComparedIsSentTwiceAndInOrder() {
        for (int i = 0; i < 3000; i++) publish(i % 1500, i / 1500 + 1);
        steps();
        assertThat(wire.newest).hasSize(1500).allSatisfy((session, seq) -> assertThat(seq).isEqualTo(2));
        long sent = counters.total(ClusterCounter.DELTAS_SENT);
        assertThat(sent + counters.total(ClusterCounter.DELTAS_COALESCED)).isEqualTo(3000);
        assertThat(sent).isGreaterThan(1500);
    }

    /** As long as workers are faster than the replicator: what changes in each round is told of in each round or two all the same. */
    @Test
    void aSessionThatChangesAllTheTimeIsToldOfWhileTheReplicatorIsBehind() {
        int other = 1;
        for (int round = 1; round <= 20; round++) {
            for (int i = 0; i < 200; i++) {
                if (i % 20 == 0) publish(0, 10 * round + i / 20);
                publish(other++, 1);
            }
            replicator.doWork();
        }
        assertThat(wire.sizes).as("messages, of half of what was published").hasSize(20);
        assertThat(wire.newest.get(Samples.key(0).hash())).as("half of its changes, at the least").isGreaterThan(60);
    }

    private void publish(int session, int seq) {
        key.copyFrom(Samples.key(session));
        SessionRecord record = Samples.session(1, 1, Clock.SYSTEM.monotonicMs());
        record.original().advanceSeqEnd(1000 + seq);
        replicator.publisher(0).publish(key, record, false);
    }

    private void steps() { for (int turn = 0; turn < 100; turn++) replicator.doWork(); }

    /** Keeps how large messages were, and what each session's newest delta says. */
    private static final class Wire implements Transport {
        final List<Integer> sizes = new ArrayList<>();
        final Map<Long, Integer> newest = new HashMap<>();
        private final DeltaReader reader = new DeltaReader();

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {
            try {
                reader.read(bytes, offset, length, Clock.SYSTEM.monotonicMs());
            } catch (MalformedMessage malformed) {
                throw new AssertionError(malformed);
            }
            sizes.add(reader.count());
            for (int i = 0; i < reader.count(); i++) newest.put(reader.key(i).hash(), reader.record(i).original().seqEnd() - 1000);
        }

        @Override
        public void start(Receiver receiver) {}

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) {}

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) {}

        @Override
        public void close() {}
    }
}
