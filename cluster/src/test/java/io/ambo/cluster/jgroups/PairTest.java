package io.ambo.cluster.jgroups;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.RecordingListener;
import io.ambo.cluster.Samples;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Real clusters in one JVM, over TCP on loopback. */
class PairTest {
    private static final AtomicInteger PORTS = new AtomicInteger(17_800);
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));

    private final int portA = PORTS.getAndAdd(2);
    private final int portB = portA + 1;
    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void closeAll() throws Exception { for (AutoCloseable cluster : open.reversed()) cluster.close(); }

    private static final class Node {
        final InMemorySessionTable table = new InMemorySessionTable(2_000_000);
        final RecordingListener listener = new RecordingListener();
        @Nullable
        Cluster joined;

        Cluster cluster() { return Objects.requireNonNull(joined); }
    }

    private Node join(String name, int port, ClusterKey key, Node node) throws Exception {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        ClusterSettings settings = ClusterSettings.of("test-" + portA, name, loopback, key).withLink(new ClusterSettings.Tcp(port,
                List.of(new InetSocketAddress(loopback, portA), new InetSocketAddress(loopback, portB))));
        if (System.getProperty("ambo.test.udp") != null) settings = ClusterSettings.of("test-" + portA, name, loopback, key);
        node.joined = Cluster.join(settings, node.table, new HybridClock(Clock.SYSTEM, 1000), Clock.SYSTEM, node.listener);
        open.add(node.cluster());
        return node;
    }

    private Node join(String name, int port) throws Exception { return join(name, port, KEY, new Node()); }

    private static void awaitOpen(Node node) { await().atMost(10, TimeUnit.SECONDS).until(() -> node.cluster().gate().open()); }

    @Test
    void aLoneNodeOpensSoon() throws Exception {
        long startNs = System.nanoTime();
        Node a = join("a", portA);
        awaitOpen(a);
        System.out.printf("lone start: open after %d ms%n", (System.nanoTime() - startNs) / 1_000_000);
        assertThat(System.nanoTime() - startNs).isLessThan(2_500_000_000L);
        assertThat(a.cluster().publisher(0).publish(Samples.key(1), Samples.session(1, 1, 0), false)).isZero();
    }

    @Test
    void aDeltaIsAppliedAtThePeerWithinMicroseconds() throws Exception {
        Node a = join("a", portA);
        Node b = join("b", portB);
        awaitOpen(a);
        awaitOpen(b);
        await().until(() -> !a.cluster().view().alone());
        DeltaPublisher publisher = a.cluster().publisher(0);
        int rounds = 3000;
        long[] tookNs = new long[rounds];
        for (int i = 0; i < rounds; i++) {
            SessionKey key = Samples.key(i);
            SessionRecord session = Samples.session(a.cluster().local().value(), i, Clock.SYSTEM.monotonicMs());
            a.table.insert(key, session);
            long before = b.listener.applied.get();
            long startNs = System.nanoTime();
            assertThat(publisher.publish(key, session, i % 2 == 0)).isEqualTo(i + 1);
            while (b.listener.applied.get() == before) {
                if (System.nanoTime() - startNs > 2_000_000_000L) throw new AssertionError("delta " + i + " did not come");
                Thread.sleep(0, 20_000);
            }
            tookNs[i] = b.listener.lastAppliedNs.get() - startNs;
        }
        long[] later = Arrays.copyOfRange(tookNs, rounds / 2, rounds);
        Arrays.sort(later);
        System.out.printf("delta latency: p50 %d us, p90 %d us, p99 %d us, max %d us%n", later[later.length / 2] / 1000,
                later[later.length * 9 / 10] / 1000, later[later.length * 99 / 100] / 1000, later[later.length - 1] / 1000);
        await().until(() -> a.listener.acknowledged.size() == rounds / 2);
        assertThat(b.table.size()).isEqualTo(rounds);
    }

    @Test
    void aJoiningNodeHasTheWholeTableBeforeItOpens() throws Exception {
        Node a = join("a", portA);
        awaitOpen(a);
        int sessions = 100_000;
        for (int i = 0; i < sessions; i++)
            a.table.insert(Samples.key(i), Samples.session(a.cluster().local().value(), i, Clock.SYSTEM.monotonicMs()));
        long startNs = System.nanoTime();
        Node b = join("b", portB);
        long joinedNs = System.nanoTime();
        awaitOpen(b);
        System.out.printf("join of %d sessions: %d ms, of which %d ms until the view; %s%n", sessions,
                (System.nanoTime() - startNs) / 1_000_000,
                (joinedNs - startNs) / 1_000_000, b.cluster().gate());
        assertThat(b.table.size()).isEqualTo(sessions);
        assertThat(a.cluster().gate().open()).isTrue();
        assertThat(a.listener.gates).allMatch(gate -> gate.open());
    }

    @Test
    void aNodeWithAnotherKeyIsRefusedAndStaysClosed() throws Exception {
        Node a = join("a", portA);
        awaitOpen(a);
        Node b = join("b", portB, ClusterKey.of("another key, another key, another".getBytes(StandardCharsets.US_ASCII)), new Node());
        await().atMost(5, TimeUnit.SECONDS).until(() -> b.cluster().counters().total(ClusterCounter.PACKETS_UNAUTHENTIC) > 0);
        await().atMost(5, TimeUnit.SECONDS).until(() -> b.cluster().gate().reason().contains("another key"));
        // Longer than a settled node is ever silent.
        await().during(Duration.ofSeconds(6)).atMost(Duration.ofSeconds(8)).until(() -> !b.cluster().gate().open());
        assertThat(a.cluster().view().alone()).isTrue();
        assertThat(a.cluster().gate().open()).isTrue();
        assertThat(a.cluster().counters().total(ClusterCounter.PACKETS_UNAUTHENTIC)).isPositive();
    }

    @Test
    void aKeyIsChangedUnderTrafficWithoutARefusalOrANewView() throws Exception {
        Node a = join("a", portA);
        Node b = join("b", portB);
        awaitOpen(a);
        awaitOpen(b);
        await().until(() -> !a.cluster().view().alone());
        long views = a.cluster().counters().total(ClusterCounter.VIEWS) + b.cluster().counters().total(ClusterCounter.VIEWS);
        String old = "0123456789abcdef0123456789abcdef";
        String fresh = "a new key, a new key, a new key, a new key";
        int number = 0;
        for (String file : List.of(old + "\n" + fresh, fresh + "\n" + old, fresh)) {
            for (Node node : List.of(b, a)) {
                node.cluster().rekey(ClusterKey.of(file.getBytes(StandardCharsets.US_ASCII)));
                for (int i = 0; i < 500; i++, number++) {
                    SessionRecord session = Samples.session(a.cluster().local().value(), number, Clock.SYSTEM.monotonicMs());
                    a.table.insert(Samples.key(number), session);
                    a.cluster().publisher(0).publish(Samples.key(number), session, false);
                }
                int sent = number;
                await().pollInterval(5, TimeUnit.MILLISECONDS).until(() -> b.table.size() == sent);
            }
        }
        // Heartbeats with the new key, too.
        await().during(Duration.ofMillis(1500)).atMost(Duration.ofSeconds(3)).until(() -> !a.cluster().view().alone());
        for (Node node : List.of(a, b)) {
            assertThat(node.cluster().counters().total(ClusterCounter.PACKETS_UNAUTHENTIC)).isZero();
            assertThat(node.cluster().counters().total(ClusterCounter.PACKETS_UNPROVEN)).isZero();
            assertThat(node.cluster().counters().total(ClusterCounter.PACKETS_REPLAYED)).isZero();
            assertThat(node.cluster().counters().total(ClusterCounter.BATCH_GAPS)).isZero();
        }
        assertThat(a.cluster().counters().total(ClusterCounter.VIEWS) + b.cluster().counters().total(ClusterCounter.VIEWS))
                .isEqualTo(views);
    }

    @Test
    void aPeerAnswersQuestions() throws Exception {
        Node a = join("a", portA);
        Node b = join("b", portB);
        await().until(() -> !a.cluster().view().alone());
        b.cluster().answerWith(request -> ("re: " + new String(request, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8));
        byte[] answer = a.cluster().ask(b.cluster().local(), "sessions?".getBytes(StandardCharsets.UTF_8), Duration.ofSeconds(2)).get();
        assertThat(answer).asString(StandardCharsets.UTF_8).isEqualTo("re: sessions?");
    }

    @Test
    void aMemberThatLeavesIsGoneAtOnce() throws Exception {
        Node a = join("a", portA);
        Node b = join("b", portB);
        await().until(() -> !a.cluster().view().alone());
        long startNs = System.nanoTime();
        b.cluster().close();
        open.remove(b.cluster());
        await().pollInterval(5, TimeUnit.MILLISECONDS).until(() -> a.cluster().view().alone());
        System.out.printf("polite leave seen after %d ms%n", (System.nanoTime() - startNs) / 1_000_000);
    }
}
