package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import java.util.List;
import org.HdrHistogram.Histogram;

/** A node dies under live connections and the other carries them on; then it comes back, is in sync, and the other dies. */
final class KillOwner implements Drill {
    private static final int PORT = 7010, CONNECTIONS = 200, CHUNK_BYTES = 512, INTERVAL_MS = 20;
    private static final int LIMIT_MS = 20_000;

    @Override
    public String name() { return "kill-owner"; }

    @Override
    public String shows() {
        return "200 live TCP connections with data both ways: a node is killed with -9, its path moves, all go on with every byte in order";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN);
        int count = run.scaled(CONNECTIONS);
        NetStat clientBefore = NetStat.of(lab.client());
        NetStat serverBefore = NetStat.of(lab.server());
        try (Conversations live = new Conversations(lab, PORT, count, CHUNK_BYTES, INTERVAL_MS)) {
            run.progress(count + " connections talk, out through a and back through b");
            run.checkEqual("connections that talk both ways before anything happens", live.awaitProgress(LIMIT_MS), count);
            Pause.ms(2_000);

            kill(run, lab, live, lab.a(), lab.b(), "the owner, a,");

            run.progress("starting a again");
            long beganNs = System.nanoTime();
            lab.a().start();
            lab.a().awaitMembers(2);
            run.figure("a is back and in sync after", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.checkEqual("connections that talk while a came back", live.awaitProgress(LIMIT_MS), count);

            lab.asymmetric();
            Pause.ms(1_000);
            kill(run, lab, live, lab.b(), lab.a(), "then b");

            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), count);
            List<String> failures = live.failures();
            run.check("no connection met with an error", failures.isEmpty(),
                    failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
            run.figure("bytes checked", live.bytesReceived(), "bytes");
        }
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        run.checkEqual("connections reset", client.since(clientBefore, "Tcp.EstabResets") + server.since(serverBefore, "Tcp.EstabResets"),
                0);
        run.figure("segments sent again", client.since(clientBefore, "Tcp.RetransSegs") + server.since(serverBefore, "Tcp.RetransSegs"),
                "segments");
    }

    private static void kill(DrillRun run, Lab lab, Conversations live, LabNode victim, LabNode survivor, String who) {
        run.progress("kill -9 of " + victim.name() + ", and both paths move to " + survivor.name());
        live.forgetSilences();
        victim.kill9();
        lab.symmetric(survivor);
        run.checkEqual("connections that go on when " + who + " is killed", live.awaitProgress(LIMIT_MS), live.size());
        Pause.ms(1_000);
        Histogram silences = live.silences();
        run.latency("longest silence of a connection, " + victim.name() + " killed", silences);
    }
}
