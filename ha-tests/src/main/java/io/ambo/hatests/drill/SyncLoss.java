package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Generator;
import io.ambo.hatests.traffic.NewFlows;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;

/**
 * Packets are lost on the sync link, in both directions, while connections go out through one node and come back through the other, and datagrams open tens of
 * thousands of other sessions a second.
 */
final class SyncLoss implements Drill {
    private static final int PORT = 7000, CONNECTIONS = 1_500, WARM_UP = 4_000, WARM_UP_MS = 5_000, AT_ONCE = 4, SENDER_CPU = 0;
    private static final int PER_SECOND = 50_000, LEADS_BY_MS = 500, FLOOD_MS = 100;
    private static final Policy POLICY = Policy.OPEN.with("""
            timeouts:
              udp: { single: 30m, multiple: 30m }
              tcp: { closed: 1s }
            limits:
              sessions: 3000000
              sessions-per-source: 0
            datapath:
              packet-memory: 256MiB
            """);

    @Override
    public String name() { return "sync-loss"; }

    @Override
    public String shows() {
        return "1, 5 and 20 % of the packets on the sync link are lost under 50,000 new sessions a second: no asymmetric handshake loses a packet, and the"
                + " tables are equal 2 s later";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(POLICY);
        lab.server().run("nft", "add table inet drill { chain quiet { type filter hook input priority 0; udp dport " + Generator.SERVER_PORT
                + " drop; }; }");
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT);
        try (EchoServer _ = new EchoServer(lab.server(), PORT); NewFlows source = new NewFlows(lab.client(), lab.a(), SENDER_CPU)) {
            run.progress("warming up");
            source.run(WARM_UP_MS, PER_SECOND / 2);
            try (Flood _ = new Flood(source)) {
                Requests.tcp(lab.client(), server, WARM_UP, AT_ONCE);
            }
            for (int percent : new int[]{ 1, 5, 20 }) {
                run.progress(percent + " % are lost");
                lose(run, lab, server, source, percent);
            }
        }
    }

    private static void lose(DrillRun run, Lab lab, InetSocketAddress server, NewFlows source, int percent) {
        long views = views(lab);
        long opened = opened(lab);
        for (LabNode node : lab.nodes()) SyncFaults.lose(node, percent);
        Requests.Outcome outcome;
        NetStat client = NetStat.of(lab.client());
        NetStat host = NetStat.of(lab.server());
        try (Flood flood = new Flood(source)) {
            Pause.ms(LEADS_BY_MS);
            outcome = Requests.tcp(lab.client(), server, run.scaled(CONNECTIONS), AT_ONCE);
            flood.end();
            run.figure("new sessions a second at " + percent + " %", (opened(lab) - opened) * 1e9 / flood.lastedNs(), "sessions/s");
            run.checkEqual("datagrams that opened no session at " + percent + " %", flood.sent() + outcome.done() - (opened(lab) - opened),
                    0);
        }
        for (LabNode node : lab.nodes()) SyncFaults.mend(node);
        run.check("none failed at " + percent + " %", outcome.failures().isEmpty() && outcome.done() > 0,
                outcome.done() + " done, failed: " + outcome.failures());
        run.checkEqual("SYNs sent again at " + percent + " %", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"), 0);
        run.checkEqual("SYN-ACKs sent again at " + percent + " %", NetStat.of(lab.server()).since(host, "TcpExt.TCPSynRetrans"), 0);
        run.latency(percent + " % lost, handshake", outcome.handshake());
        Tables.checkEqual(run, lab.a(), "after " + percent + " % were lost", 2_000);
        run.checkEqual("new views at " + percent + " %", views(lab) - views, 0);
    }

    /** New sessions until it is closed. */
    private static final class Flood implements AutoCloseable {
        private final Thread thread;
        private final long beganNs = System.nanoTime();
        private volatile boolean ended;
        private long sent;
        private long endedNs;

        Flood(NewFlows source) {
            thread = Thread.ofPlatform().daemon().name("new-sessions").start(() -> {
                while (!ended) sent += source.run(FLOOD_MS, PER_SECOND);
            });
        }

        long sent() { return sent; }

        long lastedNs() { return endedNs - beganNs; }

        @Override
        public void close() { end(); }

        void end() {
            ended = true;
            Tables.join(thread);
            if (endedNs == 0) endedNs = System.nanoTime();
        }
    }

    private static long opened(Lab lab) { return lab.a().control().counters().getOrDefault("sessions_opened", 0L); }

    private static long views(Lab lab) {
        return lab.nodes().stream().mapToLong(node -> node.control().counters().getOrDefault("views", 0L)).sum();
    }
}
