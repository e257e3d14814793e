package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Requests;
import io.ambo.proto.control.Event;
import java.net.InetSocketAddress;

/** The sync link is cut under live connections, each of whose directions another node carries. */
final class SyncCut implements Drill {
    private static final int TALK_PORT = 7040, ECHO_PORT = 7041, CONNECTIONS = 50, CHUNK_BYTES = 256, TALK_MS = 50, NEW_CONNECTIONS = 200,
            AT_ONCE = 4, LASTS_MS = 3_000, LIMIT_MS = 10_000;

    @Override
    public String name() { return "sync-cut"; }

    @Override
    public String shows() {
        return "the sync link is cut for 3 s under live connections that go out through one node and back through the other: both nodes go on and say so,"
                + " no connection stalls or is reset, and after it the tables are equal within 5 s";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        lab.asymmetric();
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        InetSocketAddress echo = new InetSocketAddress(Addresses.of(Addresses.SERVER), ECHO_PORT);
        run.progress("opening " + CONNECTIONS + " connections, out through a, back through b");
        try (EchoServer _ = new EchoServer(lab.server(), ECHO_PORT);
                Conversations live = new Conversations(lab, TALK_PORT, run.scaled(CONNECTIONS), CHUNK_BYTES, TALK_MS)) {
            run.checkEqual("connections that talk both ways before", live.awaitProgress(LIMIT_MS), live.size());
            long[] events = lab.nodes().stream().mapToLong(SyncCut::newestEvent).toArray();
            live.forgetSilences();
            run.progress("cutting the sync link");
            long cutNs = System.nanoTime();
            lab.cutSync();
            boolean split = DrillRun.await(LIMIT_MS, () -> lab.nodes().stream().allMatch(node -> node.status().getViewCount() == 1));
            run.figure("both nodes know of the cut after", (System.nanoTime() - cutNs) / 1e6, "ms");
            run.check("both nodes notice the cut", split, lab.a().status().getViewList() + " and " + lab.b().status().getViewList());
            for (int i = 0; i < events.length; i++) checkSaid(run, lab.nodes().get(i), events[i]);
            // The live ones go on as they came; new ones need one node for both ways, as it is for two routers that do not know of each other.
            run.checkEqual("connections that talk meanwhile", live.awaitProgress(LIMIT_MS), live.size());
            while (System.nanoTime() - cutNs < LASTS_MS * 1_000_000L) Pause.ms(20);
            run.checkEqual("connections that talk to the end of it", live.awaitProgress(LIMIT_MS), live.size());
            for (LabNode node : lab.nodes())
                run.check(node.name() + " takes traffic meanwhile", node.status().getGate().getOpen(), node.status().getGate().getReason());

            run.progress("mending it");
            long mendedNs = System.nanoTime();
            lab.mendSync();
            boolean met = DrillRun.await(LIMIT_MS, () -> lab.nodes().stream().allMatch(node -> node.status().getViewCount() == 2));
            run.figure("both nodes have met again after", (System.nanoTime() - mendedNs) / 1e6, "ms");
            run.check("both nodes meet again", met, lab.a().status().getViewList() + " and " + lab.b().status().getViewList());
            Tables.checkEqual(run, lab.a(), "after they have met", 5_000);
            run.checkEqual("connections that talk after it", live.awaitProgress(LIMIT_MS), live.size());
            run.latency("longest silence of a connection", live.silences());
            Requests.Outcome fresh = Requests.tcp(lab.client(), echo, NEW_CONNECTIONS, AT_ONCE);
            run.check("no new connection fails after it", fresh.failures().isEmpty() && fresh.done() == NEW_CONNECTIONS,
                    fresh.done() + " done, failed: " + fresh.failures());
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), live.size());
        }
        run.checkEqual("connections reset",
                NetStat.of(lab.client()).since(client, "Tcp.EstabResets") + NetStat.of(lab.server()).since(server, "Tcp.EstabResets"), 0);
    }

    private static void checkSaid(DrillRun run, LabNode node, long newest) {
        String peer = node.name().equals("a") ? "b" : "a";
        String said = node.control().events().stream().filter(event -> event.getNumber() > newest && event.getText().contains(peer))
                .map(event -> event.getKind() + ": " + event.getText()).findFirst().orElse("nothing");
        run.check(node.name() + " says in its events that " + peer + " is not there", !said.equals("nothing"), said);
    }

    private static long newestEvent(LabNode node) { return node.control().events().stream().mapToLong(Event::getNumber).max().orElse(0); }
}
