package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;

/** Packets are lost on the sync link, in both directions, while connections go out through one node and come back through the other. */
final class SyncLoss implements Drill {
    private static final int PORT = 7000, CONNECTIONS = 1_500, WARM_UP = 2_000, AT_ONCE = 4;

    @Override
    public String name() { return "sync-loss"; }

    @Override
    public String shows() {
        return "1, 5 and 20 % of the packets on the sync link are lost: no asymmetric handshake loses a packet, and the tables are equal 2 s later";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT);
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            run.progress("warming up");
            Requests.tcp(lab.client(), server, WARM_UP, AT_ONCE);
            for (int percent : new int[]{ 1, 5, 20 }) {
                run.progress(percent + " % are lost");
                long views = views(lab);
                for (LabNode node : lab.nodes()) SyncFaults.lose(node, percent);
                NetStat client = NetStat.of(lab.client());
                NetStat host = NetStat.of(lab.server());
                Requests.Outcome outcome = Requests.tcp(lab.client(), server, run.scaled(CONNECTIONS), AT_ONCE);
                for (LabNode node : lab.nodes()) SyncFaults.mend(node);
                run.check("none failed at " + percent + " %", outcome.failures().isEmpty() && outcome.done() > 0,
                        outcome.done() + " done, failed: " + outcome.failures());
                run.checkEqual("SYNs sent again at " + percent + " %", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"), 0);
                run.checkEqual("SYN-ACKs sent again at " + percent + " %", NetStat.of(lab.server()).since(host, "TcpExt.TCPSynRetrans"), 0);
                run.latency(percent + " % lost, handshake", outcome.handshake());
                Tables.checkEqual(run, lab.a(), "after " + percent + " % were lost", 2_000);
                run.checkEqual("new views at " + percent + " %", views(lab) - views, 0);
            }
        }
    }

    private static long views(Lab lab) {
        return lab.nodes().stream().mapToLong(node -> node.control().counters().getOrDefault("views", 0L)).sum();
    }
}
