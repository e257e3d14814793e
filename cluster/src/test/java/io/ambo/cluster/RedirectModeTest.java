package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.MemoryNetwork;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Clusters in redirect mode over a network in memory. */
class RedirectModeTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
    private static final int SESSIONS = 600;

    private final MemoryNetwork network = new MemoryNetwork();
    private final List<Node> open = new ArrayList<>();
    private final Homes homes = new Homes();

    private record Node(Cluster cluster, SessionTable table, DeltaPublisher publisher) {
        int id() { return cluster.local().value(); }

        long count(ClusterCounter counter) { return cluster.counters().total(counter); }

        boolean has(int number) { return table.read(Samples.key(number), new SessionRecord()); }

        int owner(int number) {
            SessionRecord session = new SessionRecord();
            return table.read(Samples.key(number), session) ? session.owner() : 0;
        }

        void put(int number) {
            SessionKey key = Samples.key(number);
            SessionRecord session = Samples.session(id(), number + 1, Clock.SYSTEM.monotonicMs());
            table.insert(key, session);
            publisher.publish(key, session, false);
        }
    }

    private Node join(String name, ClusterSettings.Mode mode) throws Exception {
        return join(name, mode, new InMemorySessionTable(1_000_000));
    }

    private Node join(String name, ClusterSettings.Mode mode, SessionTable table) throws Exception {
        ClusterSettings settings = ClusterSettings.of("test", name, InetAddress.getLoopbackAddress(), KEY).withMode(mode)
                .withTiming(new ClusterSettings.Timing(100, 100, 1000, 100, 100, 200, 10, 100));
        Cluster cluster = Cluster.join(settings, network.transport(name), table, new HybridClock(Clock.SYSTEM, 1000), Clock.SYSTEM,
                new SplittableRandom(), new RecordingListener());
        Node node = new Node(cluster, table, cluster.publisher(0));
        open.add(node);
        return node;
    }

    private List<Node> cluster(String... names) throws Exception {
        List<Node> nodes = new ArrayList<>();
        for (String name : names) {
            Node node = join(name, ClusterSettings.Mode.REDIRECT);
            nodes.add(node);
            await().atMost(20, TimeUnit.SECONDS).until(() -> node.cluster().gate().open());
        }
        for (Node node : nodes) await().until(() -> node.cluster().view().members().size() == names.length);
        return nodes;
    }

    @AfterEach
    void closeAll() { for (Node node : open.reversed()) node.cluster().close(); }

    private static View viewOf(Node... nodes) { return nodes[0].cluster().view(); }

    /** Those who must have it do, and after a while nobody else. */
    private void awaitHomes(List<Node> nodes, boolean nobodyElse) {
        View view = nodes.getFirst().cluster().view();
        await().atMost(30, TimeUnit.SECONDS).untilAsserted(() -> {
            for (int number = 0; number < SESSIONS; number++) checkHomes(nodes, view, number, nobodyElse);
        });
    }

    private void checkHomes(List<Node> nodes, View view, int number, boolean nobodyElse) {
        SessionKey key = Samples.key(number);
        SessionRecord session = new SessionRecord();
        Node owner = nodes.stream().filter(each -> each.owner(number) == each.id()).findFirst().orElseThrow();
        assertThat(owner.table().read(key, session)).isTrue();
        for (Node node : nodes) {
            boolean must = homes.has(view, node.id(), key, session);
            if (must || nobodyElse)
                assertThat(node.has(number)).describedAs("session %s at %s", number, node.cluster().local()).isEqualTo(must);
        }
    }

    @Test
    void aSessionIsWithItsOwnerAndOneBackup() throws Exception {
        List<Node> nodes = cluster("a", "b", "c");
        for (int number = 0; number < SESSIONS; number++) nodes.get(number % 3).put(number);
        awaitHomes(nodes, true);
        for (int number = 0; number < SESSIONS; number++) {
            int which = number;
            assertThat(nodes.stream().filter(node -> node.has(which)).count()).isEqualTo(2);
            // Whom any node asks is one of the two.
            NodeId director = Homes.director(viewOf(nodes.get(2)), Samples.key(number).hash());
            assertThat(nodes.stream().filter(node -> node.cluster().local().equals(director)).findFirst().orElseThrow().has(which))
                    .isTrue();
        }
        assertThat(nodes.getFirst().count(ClusterCounter.BATCH_GAPS)).isZero();
    }

    @Test
    void theBackupTakesOverAndFindsABackupOfItsOwn() throws Exception {
        List<Node> nodes = cluster("a", "b", "c", "d");
        for (int number = 0; number < SESSIONS; number++) nodes.get(number % 4).put(number);
        awaitHomes(nodes, true);
        network.crash("a");
        List<Node> left = nodes.subList(1, 4);
        for (Node node : left) await().until(() -> node.cluster().view().members().size() == 3);
        await().until(() -> left.stream().noneMatch(node -> node.cluster().isMoving()));
        awaitHomes(left, false);
        long takenOver = left.stream().mapToLong(node -> node.count(ClusterCounter.SESSIONS_TAKEN_OVER)).sum();
        assertThat(takenOver).isEqualTo(SESSIONS / 4);
    }

    /** Seed 83 of the simulation: after a restart with its table a node forwarded, as their owner, sessions that others owned meanwhile. */
    @Test
    void aNodeThatComesBackWithItsTableLearnsWhoOwnsItsSessionsNow() throws Exception {
        List<Node> nodes = cluster("a", "b", "c");
        Node first = nodes.getFirst();
        for (int number = 0; number < SESSIONS; number++) first.put(number);
        awaitHomes(nodes, true);
        open.remove(first);
        first.cluster().close();
        List<Node> left = nodes.subList(1, 3);
        for (Node node : left) await().until(() -> node.cluster().view().members().size() == 2);
        awaitHomes(left, false);
        Node again = join("a", ClusterSettings.Mode.REDIRECT, first.table());
        await().atMost(20, TimeUnit.SECONDS).until(() -> again.cluster().gate().open());
        await().untilAsserted(() -> {
            for (int number = 0; number < SESSIONS; number++) assertThat(again.owner(number)).isNotEqualTo(again.id());
        });
    }

    @Test
    void whoJoinsGetsTheCopiesThatItIsToHaveBeforeItOpens() throws Exception {
        List<Node> nodes = cluster("a", "b", "c");
        for (int number = 0; number < SESSIONS; number++) nodes.get(number % 3).put(number);
        awaitHomes(nodes, true);
        Node d = join("d", ClusterSettings.Mode.REDIRECT);
        await().atMost(20, TimeUnit.SECONDS).until(() -> d.cluster().gate().open());
        assertThat(d.cluster().gate().reason()).contains("all members");
        List<Node> all = new ArrayList<>(nodes);
        all.add(d);
        View view = d.cluster().view();
        for (int number = 0; number < SESSIONS; number++) {
            SessionRecord session = new SessionRecord();
            nodes.get(number % 3).table().read(Samples.key(number), session);
            if (homes.has(view, d.id(), Samples.key(number), session)) assertThat(d.has(number)).isTrue();
        }
        assertThat(d.table().size()).isPositive();
        // The copies that nobody is to have any more are forgotten some seconds later.
        awaitHomes(all, true);
    }

    @Test
    void anotherModeIsNotLetIn() throws Exception {
        cluster("a");
        Node b = join("b", ClusterSettings.Mode.SYNC);
        await().until(() -> b.cluster().gate().reason().contains("cluster.mode"));
        assertThat(b.cluster().gate().open()).isFalse();
    }

    @Test
    void twoOwnersOfOneSessionAgree() throws Exception {
        List<Node> nodes = cluster("a", "b", "c");
        SessionKey key = Samples.key(1);
        long nowMs = Clock.SYSTEM.monotonicMs();
        Node first = nodes.get(0);
        Node second = nodes.get(1);
        SessionRecord early = Samples.session(first.id(), 10, nowMs);
        SessionRecord late = Samples.session(second.id(), 20, nowMs);
        first.table().insert(key, early);
        second.table().insert(key, late);
        first.publisher().publish(key, early, false);
        second.publisher().publish(key, late, false);
        await().until(() -> first.owner(1) == first.id() && second.owner(1) == first.id());
    }
}
