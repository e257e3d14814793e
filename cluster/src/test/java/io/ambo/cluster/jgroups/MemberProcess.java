package io.ambo.cluster.jgroups;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.GateState;
import io.ambo.cluster.RecordingListener;
import io.ambo.cluster.Samples;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.DatagramPacket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.MulticastSocket;
import java.net.NetworkInterface;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** A member in a process of its own, steered over its standard input; it says what happens on its standard output, a line each. */
final class MemberProcess {
    private MemberProcess() {}

    /** Arguments: name, bind address, key. Or: replay, bind address, seconds. */
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("replay")) replay(InetAddress.ofLiteral(arguments[1]), Integer.parseInt(arguments[2]));
        else
            member(arguments);
    }

    private static void member(String[] arguments) throws Exception {
        ClusterSettings settings = ClusterSettings.of("forked", arguments[0], InetAddress.ofLiteral(arguments[1]),
                ClusterKey.of(arguments[2].getBytes(StandardCharsets.UTF_8)));
        InMemorySessionTable table = new InMemorySessionTable(1_000_000);
        RecordingListener listener = new RecordingListener() {
            @Override
            public void onView(View view) { say("view " + view.members()); }

            @Override
            public void onGate(GateState gate) { say("gate " + (gate.open() ? "open " : "closed ") + gate.reason()); }
        };
        try (Cluster cluster = Cluster.join(settings, table, new HybridClock(Clock.SYSTEM, 1000), Clock.SYSTEM, listener);
                BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = commands.readLine(); line != null && !line.equals("quit"); line = commands.readLine()) {
                String[] words = line.split(" ", -1);
                switch (words[0]) {
                    case "put" -> put(cluster, table, Integer.parseInt(words[1]));
                    case "latency" -> latency(cluster, listener, Integer.parseInt(words[1]));
                    case "size" -> say("size " + table.size());
                    case "counter" -> say("counter " + cluster.counters().total(ClusterCounter.valueOf(words[1])));
                    default -> say("what? " + line);
                }
            }
        }
    }

    private static void put(Cluster cluster, InMemorySessionTable table, int count) {
        for (int i = 0; i < count; i++) {
            SessionKey key = Samples.key(i);
            SessionRecord session = Samples.session(cluster.local().value(), i, Clock.SYSTEM.monotonicMs());
            table.insert(key, session);
            cluster.publisher(0).publish(key, session, false);
        }
        say("size " + table.size());
    }

    /** From the publication to the peer's acknowledgement: the delta's way there and a message back. */
    private static void latency(Cluster cluster, RecordingListener listener, int rounds) {
        DeltaPublisher publisher = cluster.publisher(0);
        long[] tookNs = new long[rounds];
        for (int i = 0; i < rounds; i++) {
            int before = listener.acknowledged.size();
            SessionRecord session = Samples.session(cluster.local().value(), i, Clock.SYSTEM.monotonicMs());
            long startNs = System.nanoTime();
            publisher.publish(Samples.key(500_000 + i), session, true);
            while (listener.acknowledged.size() == before && System.nanoTime() - startNs < 1_000_000_000L) LockSupport.parkNanos(1000);
            tookNs[i] = System.nanoTime() - startNs;
            LockSupport.parkNanos(500_000);
        }
        long[] warm = Arrays.copyOfRange(tookNs, rounds / 2, rounds);
        Arrays.sort(warm);
        say("there and back p50 %d us, p99 %d us, max %d us".formatted(warm[warm.length / 2] / 1000, warm[warm.length * 99 / 100] / 1000,
                warm[warm.length - 1] / 1000));
    }

    /** Somebody on the link without the key: records what is sent to all, then says it again, and noise between. */
    private static void replay(InetAddress bind, int seconds) throws Exception {
        ClusterSettings.Multicast link = (ClusterSettings.Multicast) ClusterSettings
                .of("forked", "x", bind, ClusterKey.of(new byte[0x20])).link();
        try (MulticastSocket socket = new MulticastSocket(new InetSocketAddress(link.group(), link.port()));
                MulticastSocket out = new MulticastSocket(new InetSocketAddress(bind, 0))) {
            NetworkInterface network = NetworkInterface.getByInetAddress(bind);
            socket.joinGroup(new InetSocketAddress(link.group(), link.port()), network);
            out.setNetworkInterface(network);
            socket.setSoTimeout(100);
            say("listening");
            List<byte[]> recorded = new ArrayList<>();
            long endNs = System.nanoTime() + seconds * 1_000_000_000L;
            while (System.nanoTime() < endNs && recorded.size() < 200) {
                DatagramPacket packet = new DatagramPacket(new byte[65_536], 65_536);
                if (heard(socket, packet)) recorded.add(Arrays.copyOf(packet.getData(), packet.getLength()));
            }
            int noise = 0;
            // Slowly, since a burst would not fit into the member's socket; and again, since what the member had lost the first time is new to it.
            for (int pass = 0; pass < 2; pass++) {
                for (byte[] packet : recorded) {
                    out.send(new DatagramPacket(packet, packet.length, link.group(), link.port()));
                    byte[] changed = packet.clone();
                    changed[changed.length - 1 - noise++ % changed.length / 2] ^= 1;
                    out.send(new DatagramPacket(changed, changed.length, link.group(), link.port()));
                    LockSupport.parkNanos(1_000_000);
                }
            }
            say("replayed " + recorded.size());
        }
    }

    private static boolean heard(MulticastSocket socket, DatagramPacket packet) throws IOException {
        try {
            socket.receive(packet);
            return true;
        } catch (SocketTimeoutException e) {
            return false;
        }
    }

    private static void say(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }
}
