package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.sys.PacketSocket;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Frames;
import io.ambo.hatests.traffic.Requests;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.Member;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

/** b gets a tenth of the time (SIGSTOP and SIGCONT in turn) while a opens sessions faster than b can hear of them. */
final class SlowPeer implements Drill {
    private static final int PORT = 7042, SESSIONS = 40_000, PER_MS = 8, BATCH = 8, CONNECTIONS = 400, AT_ONCE = 2;
    private static final int STOPPED_MS = 700, RUNS_MS = 70;
    private static final int FIRST_SOURCE_PORT = 20_000, SOURCE_PORTS = 1_000, FIRST_DESTINATION_PORT = 30_000;
    private static final long MOST_HEAP_KIB = 16 * 1024, P99_LIMIT_NS = 250_000_000;

    @Override
    public String name() { return "slow-peer"; }

    @Override
    public String shows() {
        return "b gets a tenth of the time while a opens sessions: no connection through a fails or has to send its SYN again, a's memory does not grow,"
                + " a says that b does not keep up, and b is equal within 10 s after it";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        lab.symmetric(lab.a());
        lab.server().run("nft", "add table inet drill { chain quiet { type filter hook input priority 0; udp dport >= 30000 drop; }; }");
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT);
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            run.progress("connections through a, as it is when b is well");
            Requests.Outcome before = Requests.tcp(lab.client(), server, CONNECTIONS, AT_ONCE);
            run.latency("handshake before", before.handshake());
            Tables.checkEqual(run, lab.a(), "before", 5_000);
            long heap = Tables.heapKib(lab.a());
            long newest = newestEvent(lab);
            long opened = counter(lab, "sessions_opened");
            long views = counter(lab, "views");
            long late = counter(lab, "receive_ring_full");
            long dropped = lab.a().status().getDroppedPackets();
            int sessions = run.scaled(SESSIONS);
            run.progress("b stands still for " + STOPPED_MS + " of every " + (STOPPED_MS + RUNS_MS) + " ms; " + sessions
                    + " new sessions through a");
            Slowness slowness = new Slowness(lab);
            NetStat client = NetStat.of(lab.client());
            Thread flood = Thread.ofPlatform().daemon().name("flood").start(() -> open(lab, sessions));
            Requests.Outcome meanwhile;
            long behind = 0;
            long said = 0;
            try {
                meanwhile = Requests.tcp(lab.client(), server, CONNECTIONS, AT_ONCE);
                // b answers when it runs, and says then what it has.
                while (flood.isAlive()) {
                    behind = Math.max(behind, lab.a().control().count().getUdp() - lab.b().control().count().getUdp());
                    said = Math.max(said, saidBehindMs(lab));
                    Pause.ms(200);
                }
                Tables.join(flood);
            } finally {
                slowness.end();
            }
            run.latency("handshake while b is slow", meanwhile.handshake());
            run.check("no connection through a fails meanwhile", meanwhile.failures().isEmpty() && meanwhile.done() == CONNECTIONS,
                    meanwhile.done() + " done, failed: " + meanwhile.failures());
            run.checkEqual("SYNs sent again", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"), 0);
            long p99Ns = meanwhile.handshake().getValueAtPercentile(99);
            run.check("a is not held up: a handshake's p99 is under " + P99_LIMIT_NS / 1_000_000 + " ms", p99Ns < P99_LIMIT_NS,
                    p99Ns / 1_000_000 + " ms");
            run.figure("b was behind by, at most", behind, "sessions");
            run.check("`ambo members` says how far b is behind", said > 0, said + " ms at most");
            run.check("a says in its events that b does not keep up", events(lab, newest).contains("b does not keep up"),
                    events(lab, newest));
            Tables.checkEqual(run, lab.a(), "after b is well again", 10_000);
            run.check("and that it does again", DrillRun.await(5_000, () -> events(lab, newest).contains("b keeps up again")),
                    events(lab, newest));
            run.figure("sessions that a has opened meanwhile", counter(lab, "sessions_opened") - opened, "sessions");
            run.figure("frames that a's worker did not take in time", counter(lab, "receive_ring_full") - late, "frames");
            run.checkEqual("packets that a has dropped meanwhile", lab.a().status().getDroppedPackets() - dropped, 0);
            run.figure("found no room on the way to b, and went again", counter(lab, "delta_ring_full"), "deltas so far");
            run.figure("new views of a", counter(lab, "views") - views, "views");
            long grown = Tables.heapKib(lab.a()) - heap;
            run.figure("heap of a, more than before, after a collection", grown, "KiB");
            run.check("a's heap has not grown: less than " + MOST_HEAP_KIB + " KiB", grown < MOST_HEAP_KIB, grown + " KiB");
        }
    }

    /** Stops b again and again, on a thread of its own. */
    private static final class Slowness {
        private final Lab lab;
        private final Thread thread;
        private volatile boolean ended;

        Slowness(Lab lab) {
            this.lab = lab;
            thread = Thread.ofPlatform().daemon().name("slowness").start(this::slow);
        }

        private void slow() {
            while (!ended) {
                lab.b().pause();
                Pause.ms(STOPPED_MS);
                lab.b().resume();
                Pause.ms(RUNS_MS);
            }
        }

        void end() {
            ended = true;
            Tables.join(thread);
        }
    }

    private static void open(Lab lab, int sessions) {
        long fromMac = lab.client().macOf("eth0");
        long toMac = lab.a().host().macOf("left");
        InetAddress source = Addresses.of(Addresses.CLIENT);
        InetAddress destination = Addresses.of(Addresses.SERVER);
        try (PacketSocket wire = lab.client().call(() -> PacketSocket.sender("eth0"))) {
            List<byte[]> batch = new ArrayList<>(BATCH);
            long dueNs = System.nanoTime();
            for (int i = 0; i < sessions; i++) {
                batch.add(Frames.udp(new Frames.Ends(fromMac, toMac, source, FIRST_SOURCE_PORT + i % SOURCE_PORTS, destination,
                        FIRST_DESTINATION_PORT + i / SOURCE_PORTS), new byte[18]));
                if (batch.size() < BATCH && i < sessions - 1) continue;
                wire.send(batch);
                batch.clear();
                dueNs += BATCH * 1_000_000L / PER_MS;
                java.util.concurrent.locks.LockSupport.parkNanos(dueNs - System.nanoTime());
            }
        }
    }

    private static long saidBehindMs(Lab lab) {
        return lab.a().control().members().getMembersList().stream().mapToLong(Member::getBehindMs).max().orElse(0);
    }

    /** What a's events say of b since then. */
    private static String events(Lab lab, long since) {
        return String.join("; ", lab.a().control().events().stream().filter(event -> event.getNumber() > since).map(Event::getText)
                .filter(text -> text.startsWith("b ")).toList());
    }

    private static long newestEvent(Lab lab) { return lab.a().control().events().stream().mapToLong(Event::getNumber).max().orElse(0); }

    private static long counter(Lab lab, String name) { return lab.a().control().counters().getOrDefault(name, 0L); }
}
