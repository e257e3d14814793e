package io.ambo.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.FakeClock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Two nodes in one thread. */
class SteppedClusterTest {
    private static final ClusterKey KEY = ClusterKey.of("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));

    private final FakeClock clock = new FakeClock();
    private final List<Wire> wires = new ArrayList<>();
    private final Deque<Runnable> underWay = new ArrayDeque<>();

    /** Messages travel when the test says so. */
    private final class Wire implements Transport {
        final NodeId local;
        final List<Receiver> receiver = new ArrayList<>();

        Wire(String name) { local = NodeId.of(name); }

        @Override
        public void start(Receiver to) {
            receiver.add(to);
            wires.add(this);
            List<NodeId> members = wires.stream().map(wire -> wire.local).toList();
            for (Wire each : wires)
                each.receiver.getFirst().onMembership(new Membership(new View(members.size(), each.local, members), List.of(), ""));
        }

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {
            byte[] message = Arrays.copyOfRange(bytes, offset, offset + length);
            for (Wire each : wires)
                if (each != this) underWay.add(() -> each.receiver.getFirst().onMessage(local, message, 0, message.length));
        }

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) { sendToAll(bytes, offset, length); }

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) { sendToAll(bytes, offset, length); }

        @Override
        public void close() {}
    }

    private Cluster stepped(String name, InMemorySessionTable table) throws ClusterException {
        return Cluster.stepped(ClusterSettings.of("test", name, InetAddress.getLoopbackAddress(), KEY), new Wire(name), table,
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
            for (Runnable message = underWay.poll(); message != null; message = underWay.poll()) {
                message.run();
                idle = 0;
            }
        }
    }
}
