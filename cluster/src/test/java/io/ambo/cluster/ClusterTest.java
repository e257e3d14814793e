package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ambo.cluster.membership.MemoryNetwork;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.Digest;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whole clusters over a network in memory. */
class ClusterTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));

    private final MemoryNetwork network = new MemoryNetwork();
    private final List<AutoCloseable> open = new ArrayList<>();

    /** A node and what it told. */
    private record Node(Cluster cluster, SessionTable table, RecordingListener listener, DeltaPublisher publisher) {
        int id() { return cluster.local().value(); }

        long count(ClusterCounter counter) { return cluster.counters().total(counter); }

        void put(int number, long created) {
            SessionKey key = Samples.key(number);
            SessionRecord session = Samples.session(id(), created, Clock.SYSTEM.monotonicMs());
            table.insert(key, session);
            table.update(key, (itself, inTable) -> publisher.publish(itself, inTable, false));
        }
    }

    private Node join(String name, long capacity, int ringSlots) throws Exception {
        return join(name, new InMemorySessionTable(capacity), network.transport(name), ringSlots);
    }

    private Node join(String name) throws Exception { return join(name, 1_000_000, 1024); }

    private Node join(String name, SessionTable table, Transport transport, int ringSlots) throws Exception {
        ClusterSettings settings = ClusterSettings.of("test", name, InetAddress.getLoopbackAddress(), KEY)
                .withTiming(new ClusterSettings.Timing(100, 100, 1000, 100, 100, 200, 10, 100))
                .withLimits(new ClusterSettings.Limits(2, ringSlots, 400, 1 << 20));
        RecordingListener listener = new RecordingListener();
        Cluster cluster = Cluster.join(settings, transport, table, new HybridClock(Clock.SYSTEM, 1000), Clock.SYSTEM,
                new SplittableRandom(), listener);
        open.add(cluster);
        return new Node(cluster, table, listener, cluster.publisher(0));
    }

    @AfterEach
    void closeAll() throws Exception { for (AutoCloseable cluster : open.reversed()) cluster.close(); }

    private static void awaitOpen(Node... nodes) {
        for (Node node : nodes) await().atMost(20, TimeUnit.SECONDS).until(() -> node.cluster().gate().open());
    }

    private static void awaitEqual(Node a, Node b) {
        await().atMost(20, TimeUnit.SECONDS).until(() -> Digest.of(a.table()).differingBuckets(Digest.of(b.table())).length == 0);
        assertThat(a.table().size()).isEqualTo(b.table().size());
    }

    @Test
    void whatOneNodeLearnsTheOtherKnows() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        for (int i = 0; i < 1000; i++) a.put(i, i);
        for (int i = 1000; i < 1500; i++) b.put(i, i);
        awaitEqual(a, b);
        assertThat(b.table().size()).isEqualTo(1500);
        assertThat(b.listener().applied.get()).isEqualTo(1000);
        assertThat(a.count(ClusterCounter.MERGES_INSERTED)).isEqualTo(500);
    }

    @Test
    void theEventLogTellsViewsAndGates() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        Node b = join("b");
        awaitOpen(b);
        b.cluster().close();
        await().until(() -> a.cluster().view().alone());
        assertThat(a.cluster().events().newest(100).events()).extracting(each -> each.kind().label() + " " + each.text())
                .contains("view members: a", "gate open: nobody else is there: open with its own table", "view members: a, b; b came",
                        "view members: a; b left");
        assertThat(b.cluster().events().newest(100).events()).extracting(each -> each.kind().label() + " " + each.text())
                .contains("view members: a, b").anyMatch(text -> text.startsWith("gate open: in sync with a"));
    }

    @Test
    void nobodyIsCalledWhoDoesNotWait() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        b.listener().awaits = false;
        a.put(1, 1);
        await().until(() -> b.table().size() == 1);
        assertThat(b.listener().applied.get()).isZero();
    }

    @Test
    void aloneNothingIsPublished() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        assertThat(a.publisher().publish(Samples.key(1), Samples.session(a.id(), 1, 0), true)).isZero();
        assertThat(a.count(ClusterCounter.DELTAS_PUBLISHED)).isZero();
    }

    @Test
    void aTicketComesBackWhenItsDeltaIsMerged() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        SessionKey key = Samples.key(1);
        SessionRecord session = Samples.session(a.id(), 1, Clock.SYSTEM.monotonicMs());
        long first = a.publisher().publish(key, session, true);
        long second = a.publisher().publish(key, session, true);
        a.publisher().publish(key, session, false);
        await().until(() -> a.listener().acknowledged.containsAll(List.of(first, second)));
        assertThat(a.listener().acknowledged).hasSize(2);
        assertThat(b.table().size()).isOne();
    }

    @Test
    void reorderedAndRepeatedBatchesGiveTheSameTable() throws Exception {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        network.shuffle(new Random(seed));
        SessionRecord session = new SessionRecord();
        for (int i = 0; i < 20_000; i++) {
            Node node = random.nextBoolean() ? a : b;
            SessionKey key = Samples.key(random.nextInt(200));
            int step = random.nextInt(1000);
            if (!node.table().update(key, (k, known) -> {
                known.original().advanceSeqEnd(known.original().seqEnd() + step);
                known.original().raiseState(1 + step % 4);
                known.lastSeenMs(Clock.SYSTEM.monotonicMs());
            })) node.table().insert(key, Samples.session(node.id(), i + 1, Clock.SYSTEM.monotonicMs()));
            // Under its lock, as workers do: a full ring flags the record in the table.
            node.table().update(key, (itself, inTable) -> node.publisher().publish(itself, inTable, false));
        }
        awaitEqual(a, b);
        SessionRecord other = new SessionRecord();
        await().atMost(10, TimeUnit.SECONDS).until(() -> {
            for (int i = 0; i < 200; i++) {
                SessionKey key = Samples.key(i);
                if (a.table().read(key, session) && b.table().read(key, other)
                        && session.original().seqEnd() != other.original().seqEnd()) {
                    return false;
                }
            }
            return true;
        });
        assertThat(a.count(ClusterCounter.DELTAS_COALESCED)).isPositive();
    }

    @Test
    void lostBatchesAreNoticedAndRepaired() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        network.shuffle(new Random(1));
        network.lose(0.3);
        for (int i = 0; i < 2000; i++) {
            a.put(i, i);
            if (i % 20 == 0) LockSupport.parkNanos(10_000);
        }
        network.lose(0);
        a.put(2000, 2000);
        await().until(() -> b.count(ClusterCounter.BATCHES_RECEIVED) > 0);
        awaitEqual(a, b);
    }

    @Test
    void aFullRingLosesNothingInTheEnd() throws Exception {
        Node a = join("a", 1_000_000, 64);
        Node b = join("b");
        awaitOpen(a, b);
        for (int i = 0; i < 30_000; i++) a.put(i, i);
        awaitEqual(a, b);
        assertThat(a.count(ClusterCounter.DELTA_RING_FULL)).isPositive();
        assertThat(a.count(ClusterCounter.BUCKETS_REPAIRED)).isPositive();
        // Only what found no room goes again, not all that is in those buckets: an overload must not feed itself.
        assertThat(a.count(ClusterCounter.DELTAS_SENT)).isLessThanOrEqualTo(30_000);
        assertThat(b.count(ClusterCounter.RESYNC_RECORDS_RECEIVED)).isZero();
    }

    @Test
    void twoIncarnationsOfOneKeyBecomeTheEarlierEverywhere() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        a.put(1, 50);
        SessionKey key = Samples.key(1);
        await().until(() -> b.table().size() == 1);
        // b did not know of it when it opened the session itself, later.
        b.table().remove(key);
        b.put(1, 60);
        SessionRecord winner = new SessionRecord();
        await().until(() -> b.table().read(key, winner) && winner.created() == 50);
        assertThat(a.table().read(key, winner)).isTrue();
        assertThat(winner.created()).isEqualTo(50);
        assertThat(a.count(ClusterCounter.WINNERS_SENT_BACK)).isPositive();
    }

    @Test
    void aJoiningNodeIsClosedUntilItHasEverything() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        for (int i = 0; i < 50_000; i++) a.put(i, i);
        Node b = join("b");
        awaitOpen(b);
        assertThat(b.table().size()).isEqualTo(50_000);
        assertThat(b.listener().gates.getFirst().open()).isFalse();
        assertThat(b.listener().gates.getLast().reason()).contains("in sync with a");
        assertThat(a.listener().gates).allMatch(GateState::open);
    }

    @Test
    void aNodeJoinsWhileSessionsComeAndChange() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        for (int i = 0; i < 20_000; i++) a.put(i, i);
        AtomicBoolean enough = new AtomicBoolean();
        Thread traffic = Thread.ofPlatform().start(() -> {
            for (int i = 20_000; i < 900_000 && !enough.get(); i++) {
                if (i % 16 == 0) LockSupport.parkNanos(100_000);
                a.put(i, i);
                SessionKey old = Samples.key(i - 20_000);
                a.table().update(old, (key, known) -> {
                    known.original().raiseState(TcpHalf.ESTABLISHED);
                    known.lastSeenMs(Clock.SYSTEM.monotonicMs());
                    a.publisher().publish(key, known, false);
                });
            }
        });
        Node b = join("b");
        awaitOpen(b);
        assertThat(traffic.isAlive()).as("opened under traffic").isTrue();
        enough.set(true);
        traffic.join();
        awaitEqual(a, b);
    }

    @Test
    void bothTablesAreJoinedWhenBothHaveSomething() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        for (int i = 0; i < 1000; i++) a.put(i, i);
        InMemorySessionTable recovered = new InMemorySessionTable(10_000);
        for (int i = 500; i < 2000; i++) recovered.insert(Samples.key(i), Samples.session(9, 7, Clock.SYSTEM.monotonicMs()));
        Node b = join("b", recovered, network.transport("b"), 1024);
        awaitOpen(b);
        awaitEqual(a, b);
        assertThat(a.table().size()).isEqualTo(2000);
    }

    @Test
    void aNodeWhoseTableIsTooSmallStaysOutAndSaysWhy() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        for (int i = 0; i < 1000; i++) a.put(i, i);
        Node b = join("b", 500, 1024);
        await().atMost(10, TimeUnit.SECONDS).until(() -> b.cluster().gate().reason().contains("find no room"));
        assertThat(b.cluster().gate().open()).isFalse();
        assertThat(b.cluster().gate().reason()).contains("500 of 500");
    }

    @Test
    void aNodeWhosePeerDiesBeforeItAnswersOpensAlone() throws Exception {
        Node a = join("a");
        awaitOpen(a);
        Node b = join("b");
        network.crash("a");
        awaitOpen(b);
        assertThat(b.cluster().view().alone()).isTrue();
    }

    @Test
    void separatedPartsAreJoinedWhenTheyMeet() throws Exception {
        Node a = join("a");
        Node b = join("b");
        Node c = join("c");
        awaitOpen(a, b, c);
        List<List<String>> parts = List.of(List.of("a", "b"), List.of("c"));
        network.split(parts);
        await().until(() -> c.cluster().view().alone() && a.cluster().view().members().size() == 2);
        for (int i = 0; i < 500; i++) a.put(i, i);
        for (int i = 500; i < 900; i++) b.put(i, i);
        for (int i = 900; i < 1000; i++) c.put(i, i);
        network.heal(parts);
        awaitEqual(a, c);
        awaitEqual(b, c);
        assertThat(a.table().size()).isEqualTo(1000);
        assertThat(c.listener().gates).filteredOn(GateState::open).isNotEmpty();
        assertThat(c.cluster().gate().open()).isTrue();
    }

    @Test
    void aHealedPartitionIsReportedWithWhatJoinedAndWhatClashed() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        List<List<String>> parts = List.of(List.of("a"), List.of("b"));
        network.split(parts);
        await().until(() -> a.cluster().view().alone() && b.cluster().view().alone());
        for (int i = 0; i < 300; i++) a.put(i, 1000 + i);
        for (int i = 300; i < 500; i++) b.put(i, 1000 + i);
        // The same sessions opened on both sides: 30 of them first on a, 20 first on b.
        for (int i = 500; i < 550; i++) {
            a.put(i, i < 530 ? 1 : 2);
            b.put(i, i < 530 ? 2 : 1);
        }
        network.heal(parts);
        awaitEqual(a, b);
        for (Node node : List.of(a, b))
            await().until(() -> node.cluster().events().newest(100).events().stream().anyMatch(each -> each.kind() == EventLog.Kind.MERGE));
        assertThat(merge(a)).startsWith("b and this node were separated and are together again: 200 sessions taken, 300 given, 50 clashed"
                + " (30 times this node's was chosen, 20 times that of b: the higher epoch, else the earlier); equal after ");
        assertThat(merge(b)).startsWith("a and this node were separated and are together again: 300 sessions taken, 200 given, 50 clashed"
                + " (20 times this node's was chosen, 30 times that of a: the higher epoch, else the earlier); equal after ");
        SessionRecord session = new SessionRecord();
        for (Node node : List.of(a, b)) {
            assertThat(node.table().read(Samples.key(510), session)).isTrue();
            assertThat(session.creator()).isEqualTo(a.id());
            assertThat(node.table().read(Samples.key(540), session)).isTrue();
            assertThat(session.creator()).isEqualTo(b.id());
        }
    }

    /** Seed 541 of the simulation: the digests say nothing of sequence numbers, so equal tables were not equally new. */
    @Test
    void partsThatMeetTellEachOtherWhatTheyHaveSeenMeanwhile() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        for (int i = 0; i < 100; i++) a.put(i, i);
        awaitEqual(a, b);
        List<List<String>> parts = List.of(List.of("a"), List.of("b"));
        network.split(parts);
        await().until(() -> a.cluster().view().alone() && b.cluster().view().alone());
        b.table().update(Samples.key(7), (key, session) -> {
            session.changeLocalFlags(0, SessionRecord.ORIGINAL_SEEN_HERE);
            session.original().advanceSeqEnd(session.original().seqEnd() + 1000);
            session.lastSeenMs(Clock.SYSTEM.monotonicMs());
        });
        SessionRecord there = new SessionRecord();
        assertThat(b.table().read(Samples.key(7), there)).isTrue();
        network.heal(parts);
        SessionRecord here = new SessionRecord();
        await().until(() -> a.table().read(Samples.key(7), here) && here.original().seqEnd() == there.original().seqEnd());
    }

    private static String merge(Node node) {
        return node.cluster().events().newest(100).events().stream().filter(each -> each.kind() == EventLog.Kind.MERGE).findFirst()
                .orElseThrow().text();
    }

    @Test
    void aRepairSendsTheSessionsOfItsBucketsToEveryPeer() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        SessionKey key = Samples.key(1);
        a.table().insert(key, Samples.session(a.id(), 1, Clock.SYSTEM.monotonicMs()));
        BitSet buckets = new BitSet();
        buckets.set(SessionTable.bucket(key));
        a.cluster().resend(buckets);
        await().until(() -> b.table().size() == 1);
    }

    @Test
    void theHeirAnswersForTheSessionsOfTheDead() throws Exception {
        Node a = join("a");
        Node b = join("b");
        Node c = join("c");
        awaitOpen(a, b, c);
        int mine = 0;
        for (int i = 0; i < 1000; i++) assertThat(a.cluster().owns(Samples.key(i), Samples.session(a.id(), i, 0))).isTrue();
        network.crash("a");
        await().until(() -> b.cluster().view().members().size() == 2 && c.cluster().view().members().size() == 2);
        for (int i = 0; i < 1000; i++) {
            boolean ofB = b.cluster().owns(Samples.key(i), Samples.session(a.id(), i, 0));
            assertThat(c.cluster().owns(Samples.key(i), Samples.session(a.id(), i, 0))).isNotEqualTo(ofB);
            if (ofB) mine++;
        }
        assertThat(mine).isBetween(400, 600);
    }

    @Test
    void badMessagesAreCountedAndChangeNothing() throws Exception {
        Transport foreign = network.transport("x");
        Node a = join("a");
        awaitOpen(a);
        foreign.start(new Silent());
        RandomGenerator random = new Random(3);
        for (int i = 0; i < 200; i++) {
            byte[] noise = new byte[1 + random.nextInt(300)];
            random.nextBytes(noise);
            noise[0] = 1;
            foreign.sendToAll(noise, 0, noise.length);
        }
        foreign.sendToAll(new byte[]{ 8, 2, 18, 0 }, 0, 4);
        // A batch that claims to be of somebody else.
        io.ambo.cluster.replication.DeltaWriter writer = new io.ambo.cluster.replication.DeltaWriter(1000);
        writer.add(Samples.key(1), Samples.session(1, 1, 0), 0);
        writer.finishBatch(NodeId.of("somebody").value(), 1, 1, false);
        foreign.sendToAll(writer.bytes(), writer.offset(), writer.length());
        await().until(() -> a.count(ClusterCounter.MESSAGES_NOT_FROM_MEMBER) == 1);
        assertThat(a.count(ClusterCounter.MESSAGES_MALFORMED)).isEqualTo(200);
        assertThat(a.count(ClusterCounter.MESSAGES_OTHER_VERSION)).isEqualTo(1);
        assertThat(a.table().size()).isZero();
        assertThat(a.cluster().gate().open()).isTrue();
        foreign.close();
    }

    @Test
    void aQuestionIsAnsweredOrFailsWithAReason() throws Exception {
        Node a = join("a");
        Node b = join("b");
        awaitOpen(a, b);
        b.cluster().answerWith(request -> {
            if (request.length == 0) throw new IllegalStateException("nothing was asked");
            return new byte[]{ (byte) (request[0] + 1) };
        });
        assertThat(a.cluster().ask(b.cluster().local(), new byte[]{ 1 }, Duration.ofSeconds(5)).get()).containsExactly(2);
        assertThat(a.cluster().ask(b.cluster().local(), new byte[0], Duration.ofSeconds(5))).failsWithin(Duration.ofSeconds(5))
                .withThrowableOfType(ExecutionException.class).withMessageContaining("nothing was asked");
        assertThat(a.cluster().ask(NodeId.of("nobody"), new byte[1], Duration.ofMillis(50))).failsWithin(Duration.ofSeconds(5));
        assertThat(a.cluster().ask(b.cluster().local(), new byte[300 * 1024], Duration.ofSeconds(5))).failsWithin(Duration.ofSeconds(5))
                .withThrowableOfType(ExecutionException.class).withMessageContaining("was not sent");
    }

    /** Hears nothing. */
    private static final class Silent implements Transport.Receiver {
        @Override
        public void onMessage(NodeId sender, byte[] bytes, int offset, int length) {}

        @Override
        public void onMembership(Transport.Membership membership) {}

        @Override
        public void onRefused(String reason) {}

        @Override
        public void onRefusedPacket(Transport.PacketRefusal refusal) {}
    }
}
