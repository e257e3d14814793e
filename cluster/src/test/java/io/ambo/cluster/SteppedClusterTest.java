package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.jgroups.RehearsalLink;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.FakeClock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Two nodes in one thread. */
class SteppedClusterTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));

    private final FakeClock clock = new FakeClock();
    private final RehearsalLink link = new RehearsalLink(KEY, new SecureRandom());

    private Cluster stepped(String name, InMemorySessionTable table) throws ClusterException {
        return Cluster.stepped(ClusterSettings.of("test", name, InetAddress.getLoopbackAddress(), KEY), link.member(NodeId.of(name), 0),
                table,
                new HybridClock(clock, 1000), clock, new SplittableRandom(1), new RecordingListener());
    }

    @Test
    void aDeltaCrossesWhenBothHaveBeenStepped() throws ClusterException {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        InMemorySessionTable tableA = new InMemorySessionTable(100);
        InMemorySessionTable tableB = new InMemorySessionTable(100);
        Cluster a = stepped("a", tableA);
        Cluster b = stepped("b", tableB);
        settle(a, b);
        assertThat(a.gate().open()).isTrue();
        assertThat(b.gate().open()).as(b.gate().reason()).isTrue();

        SessionKey key = Samples.key(1);
        a.publisher(0).publish(key, Samples.session(a.local().value(), 1, clock.monotonicMs()), false);
        assertThat(tableB.size()).as("nothing happens by itself").isZero();
        settle(a, b);
        assertThat(tableB.read(key, new SessionRecord())).isTrue();
        assertThat(Thread.getAllStackTraces().keySet()).filteredOn(thread -> thread.getName().startsWith("ambo-")).isSubsetOf(before);
        b.close();
        a.close();
    }

    private void settle(Cluster... clusters) {
        for (int idle = 0; idle < 3; idle++) {
            for (Cluster each : clusters) while (each.doWork() > 0) idle = 0;
            if (link.deliver()) idle = 0;
        }
    }
}
