package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Redirect mode: connections are dealt over three nodes by a hash, each direction by another, so that two in three have a node that is not their owner's on
 * their way. Then a node dies: what it owned goes on through the backups.
 */
final class ThreeNodesRedirect implements Drill {
    private static final int PORT = 7030, ECHO_PORT = 7031, CONNECTIONS = 150, CHUNK_BYTES = 512, INTERVAL_MS = 20, HANDSHAKES = 1_000,
            AT_ONCE = 4;
    private static final int LIMIT_MS = 20_000;

    @Override
    public String name() { return "three-nodes-redirect"; }

    @Override
    public String shows() {
        return "three nodes in redirect mode, 150 live TCP connections and 1,000 short ones dealt over them in both directions: none is lost, the kernels "
                + "hand packets to owners; an owner is killed, its connections go on through the backup";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN, new Lab.Shape(3, "redirect"));
        lab.dealt(lab.nodes());
        int count = run.scaled(CONNECTIONS);
        NetStat clientBefore = NetStat.of(lab.client());
        NetStat serverBefore = NetStat.of(lab.server());
        try (Conversations live = new Conversations(lab, PORT, count, CHUNK_BYTES, INTERVAL_MS);
                EchoServer _ = new EchoServer(lab.server(), ECHO_PORT)) {
            run.progress(count + " connections talk, dealt over a, b and c in both directions");
            run.checkEqual("connections that talk both ways before anything happens", live.awaitProgress(LIMIT_MS), count);
            shortOnes(run, lab, clientBefore, serverBefore);
            long copies = sessions(lab.nodes());
            long all = (long) count + run.scaled(HANDSHAKES);
            run.check("a session is with its owner and one backup", copies >= all && copies <= 2 * all + all / 20,
                    copies + " copies of " + all);
            kill(run, lab, live);
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), count);
            List<String> failures = live.failures();
            run.check("no connection met with an error", failures.isEmpty(),
                    failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
        }
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        run.checkEqual("connections reset", client.since(clientBefore, "Tcp.EstabResets") + server.since(serverBefore, "Tcp.EstabResets"),
                0);
    }

    private static void shortOnes(DrillRun run, Lab lab, NetStat clientBefore, NetStat serverBefore) {
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), ECHO_PORT);
        Requests.Outcome outcome = Requests.tcp(lab.client(), server, run.scaled(HANDSHAKES), AT_ONCE);
        run.check("short connections beside them: none failed", outcome.failures().isEmpty() && outcome.done() > 0,
                outcome.done() + " done, " + outcome.failures().size() + " failed");
        run.latency("handshake, dealt over three nodes", outcome.handshake());
        run.checkEqual("SYNs sent again by the client", NetStat.of(lab.client()).since(clientBefore, "TcpExt.TCPSynRetrans"), 0);
        run.checkEqual("SYN-ACKs sent again by the server", NetStat.of(lab.server()).since(serverBefore, "TcpExt.TCPSynRetrans"), 0);
        for (String counter : List.of("strays_redirected", "redirected", "redirected_in_kernel"))
            run.figure(counter, sum(lab.nodes(), counter), "packets");
        run.check("kernels hand packets to owners", sum(lab.nodes(), "redirected_in_kernel") > 0,
                sum(lab.nodes(), "redirected_in_kernel") + " packets");
    }

    private static void kill(DrillRun run, Lab lab, Conversations live) {
        LabNode victim = lab.a();
        List<LabNode> survivors = lab.nodes().subList(1, lab.nodes().size());
        run.progress("kill -9 of " + victim.name() + ", and its paths move to the others");
        live.forgetSilences();
        victim.kill9();
        lab.dealt(survivors);
        run.checkEqual("connections that go on when a is killed", live.awaitProgress(LIMIT_MS), live.size());
        Pause.ms(1_000);
        run.latency("longest silence of a connection, a killed", live.silences());
        long takenOver = sum(survivors, "sessions_taken_over");
        run.check("backups have taken over what a owned", takenOver > 0, takenOver + " sessions");
    }

    private static long sessions(List<LabNode> nodes) { return nodes.stream().mapToLong(node -> node.status().getSessions()).sum(); }

    private static long sum(List<LabNode> nodes, String counter) {
        return nodes.stream().mapToLong(node -> node.control().counters().getOrDefault(counter, 0L)).sum();
    }
}
