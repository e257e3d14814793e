package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;

/** The sync link carries packets from a to b and none from b to a. */
final class OneWayLink implements Drill {
    private static final int PORT = 7000, CONNECTIONS = 500, AT_ONCE = 4, LASTS_MS = 4_000, MOST_VIEWS = 6;

    @Override
    public String name() { return "one-way-link"; }

    @Override
    public String shows() {
        return "the sync link loses everything in one direction for 4 s: both nodes go on forwarding, membership does not flap, and after it the tables are equal within 5 s";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), PORT);
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            run.progress("warming up");
            for (LabNode node : lab.nodes()) through(run, lab, node, server, "before");
            long views = views(lab);
            run.progress("nothing of b reaches a");
            SyncFaults.lose(lab.a(), 100);
            long beganNs = System.nanoTime();
            boolean noticed = DrillRun.await(5_000, () -> lab.a().status().getViewCount() == 1);
            run.figure("a has given b up after", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.check("a notices that it hears nothing", noticed, lab.a().status().getViewList().toString());
            for (LabNode node : lab.nodes()) through(run, lab, node, server, "meanwhile");
            while (System.nanoTime() - beganNs < LASTS_MS * 1_000_000L) Pause.ms(20);
            for (LabNode node : lab.nodes())
                run.check(node.name() + " takes traffic meanwhile", node.status().getGate().getOpen(), node.status().getGate().getReason());
            run.progress("mending it");
            long mendedNs = System.nanoTime();
            SyncFaults.mend(lab.a());
            boolean met = DrillRun.await(15_000, () -> lab.nodes().stream().allMatch(node -> node.status().getViewCount() == 2));
            run.figure("both nodes see each other again after", (System.nanoTime() - mendedNs) / 1e6, "ms");
            run.check("both nodes see each other again", met, lab.a().status().getViewList() + " and " + lab.b().status().getViewList());
            Tables.checkEqual(run, lab.a(), "after they have met", 5_000);
            long more = views(lab) - views;
            run.check("membership does not flap: at most " + MOST_VIEWS + " new views on both nodes", more <= MOST_VIEWS,
                    Long.toString(more));
            lab.asymmetric();
            through(run, lab, null, server, "after it, asymmetric");
        }
    }

    private static void through(DrillRun run, Lab lab, @org.jspecify.annotations.Nullable LabNode node, InetSocketAddress server,
            String when) {
        if (node != null) lab.symmetric(node);
        Requests.Outcome outcome = Requests.tcp(lab.client(), server, CONNECTIONS, AT_ONCE);
        run.check("no connection fails " + (node == null ? "" : "through " + node.name() + " ") + when,
                outcome.failures().isEmpty() && outcome.done() > 0,
                outcome.done() + " done, failed: " + outcome.failures());
    }

    private static long views(Lab lab) {
        return lab.nodes().stream().mapToLong(node -> node.control().counters().getOrDefault("views", 0L)).sum();
    }
}
